/* The mount's session: what it tells the kernel, its threads, its beginning and end. The operations
 * are in the files of their ideas; see operations.h. */
#define FUSE_USE_VERSION 312
#include "client/fuse/fuse.h"

#include "client/fuse/operations.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The kernel's background requests (reading ahead) are so many that slow files do not keep others
 * waiting, and a thread answers each. */
enum { READAHEAD_BYTES = 8 << 20, THREADS_MAX = 256, IDLE_THREADS_MAX = 16, BACKGROUND_MAX = 192 };
enum { DAEMON_PATIENCE_S = 10 }; /* as for one that goes later: pool.c */
static_assert((int)BACKGROUND_MAX < (int)THREADS_MAX, "some threads are left for what is not");
static_assert((int)IDLE_THREADS_MAX <= (int)THREADS_MAX, "libfuse wants it so");

static void do_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->max_readahead = READAHEAD_BYTES;
    connection->max_background = BACKGROUND_MAX;
    connection->congestion_threshold = BACKGROUND_MAX * 3 / 4;
    connection->want |= connection->capable &
                        (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
                         FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC);
    /* What is held is invalidated when a file is opened, by its version. */
    connection->want &= ~(unsigned int)FUSE_CAP_AUTO_INVAL_DATA;
}

static const struct fuse_lowlevel_ops operations = {
    .init = do_init,
    .lookup = do_lookup,
    .forget = do_forget,
    .forget_multi = do_forget_multi,
    .getattr = do_getattr,
    .setattr = do_setattr,
    .statfs = do_statfs,
    .open = do_open,
    .create = do_create,
    .release = do_release,
    .read = do_read,
    .write = do_write,
    .flush = do_flush,
    .fsync = do_fsync,
    .fallocate = do_fallocate,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .releasedir = do_releasedir,
    .fsyncdir = do_fsyncdir,
    .mkdir = do_mkdir,
    .rmdir = do_rmdir,
    .unlink = do_unlink,
    .rename = do_rename,
    .link = do_link,
    .symlink = do_symlink,
    .readlink = do_readlink,
    .mknod = do_mknod,
    .getxattr = do_getxattr,
    .listxattr = do_listxattr,
    .setxattr = do_setxattr,
    .removexattr = do_removexattr,
};

/* The kernel reads ahead 128 KiB of a FUSE file unless it is told otherwise, which only root may. A
 * mount without works, but slower. */
static void readahead_raise(const char *target)
{
    char line[8192], device[64], path[4096];
    FILE *mounts = fopen("/proc/self/mountinfo", "r");
    while (mounts != NULL && fgets(line, sizeof(line), mounts) != NULL) {
        if (sscanf(line, "%*d %*d %63s %*s %4095s", device, path) != 2 || strcmp(path, target) != 0)
            continue;
        snprintf(path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", device);
        FILE *file = fopen(path, "w");
        if (file != NULL) {
            fprintf(file, "%d\n", READAHEAD_BYTES / 1024);
            fclose(file);
        }
    }
    if (mounts != NULL)
        fclose(mounts);
}

static int loop(struct fuse_session *session)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
    fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS_MAX);
    int code = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    return code;
}

static int serve(struct mount *mount, const struct fb_fuse_options *options)
{
    struct fuse_session *session = mount->session;
    uint32_t lost = 0;
    char target[PATH_MAX];
    if (realpath(options->mountpoint, target) == NULL) {
        fprintf(stderr, "forebay mount: %s: %s: the folder went meanwhile\n", options->mountpoint,
                strerror(errno));
        return 1;
    }
    if (fuse_session_mount(session, options->mountpoint) != 0)
        return 1; /* libfuse has said why */
    readahead_raise(target);
    int code = fuse_set_signal_handlers(session);
    if (code == 0)
        code = fuse_daemonize(options->is_foreground);
    if (code == 0)
        code = watch_begin(mount);
    if (code == 0) {
        code = loop(session);
        watch_ending(mount);
        lost = writers_end(mount);
    }
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    watch_end(mount);
    return code < 0 || lost > 0;
}

static struct fuse_session *session_open(struct mount *mount)
{
    const struct fb_fuse_options *options = mount->options;
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    fuse_opt_add_arg(&arguments, "forebay");
    fuse_opt_add_arg(&arguments, "-ofsname=forebay,subtype=forebay,default_permissions");
    if (options->is_read_only)
        fuse_opt_add_arg(&arguments, "-oro");
    if (options->allows_others)
        fuse_opt_add_arg(&arguments, "-oallow_other");
    if (options->is_debugging)
        fuse_opt_add_arg(&arguments, "-d");
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof(operations), mount);
    fuse_opt_free_args(&arguments);
    return session;
}

/* A daemon that is being started, as by the same script, is waited for. */
static int daemon_find(const char *socket, struct forebay_client **client)
{
    const struct timespec nap = {.tv_nsec = 50000000};
    uint64_t until_ns = fuse_clock_ns() + DAEMON_PATIENCE_S * UINT64_C(1000000000);
    bool is_said = false;
    int code;
    while ((code = forebay_client_open(socket, client)) == -ENOENT || code == -ECONNREFUSED) {
        if (fuse_clock_ns() > until_ns)
            break;
        if (!is_said)
            fprintf(stderr, "forebay mount: no daemon at %s yet: waiting for it, %d s at most\n",
                    socket, DAEMON_PATIENCE_S);
        is_said = true;
        nanosleep(&nap, NULL);
    }
    return code;
}

/* What the daemon says of itself; a wrong socket shows now. */
static int daemon_greet(struct mount *mount)
{
    static const double second_ns = 1e9;
    struct forebay_client *client;
    int code = daemon_find(mount->options->socket, &client);
    if (code != 0)
        return code;
    mount->keep_s = (double)client->valid_ns / second_ns;
    mount->is_keeping = client->is_keeping;
    mount->can_move = client->can_move;
    forebay_client_close(client);
    return 0;
}

static void mount_open(struct mount *mount, const struct fb_fuse_options *options)
{
    mount->options = options;
    fuse_access_open(&mount->access);
    watch_open(&mount->watch);
    pthread_mutex_init(&mount->writers_mutex, NULL);
    pthread_mutex_init(&mount->folders_mutex, NULL);
    pthread_mutex_init(&mount->pool.mutex, NULL);
    pthread_cond_init(&mount->pool.freed, NULL);
    mount->pool.count_max = CLIENTS_MAX;
}

static void mount_close(struct mount *mount)
{
    FB_ASSERT(mount->pool.idle_count <= mount->pool.count);
    for (uint32_t i = 0; i < mount->pool.idle_count; i++)
        forebay_client_close(mount->pool.idle[i]);
    fuse_nodes_close(&mount->nodes);
    for (uint32_t i = 0; i < mount->folder_count; i++)
        free(mount->folders[i]);
    free(mount->folders);
    free(mount);
}

int fb_fuse_run(const struct fb_fuse_options *options)
{
    struct mount *mount = calloc(1, sizeof(*mount));
    int exit_code = 1, code = -ENOMEM;
    if (mount != NULL) {
        mount_open(mount, options);
        code = daemon_greet(mount);
    }
    if (code != 0) {
        free(mount);
        return code;
    }
    if (fuse_nodes_open(&mount->nodes))
        mount->session = session_open(mount);
    if (mount->session != NULL) {
        exit_code = serve(mount, options);
        fuse_session_destroy(mount->session);
    }
    mount_close(mount);
    return exit_code;
}
