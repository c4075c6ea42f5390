/* The low-level FUSE operations; see fuse.h. Several threads serve the kernel, each with a client
 * of its own. */
#define FUSE_USE_VERSION 312
#include "hw/fuse/fuse.h"

#include "hw/fuse/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READAHEAD_BYTES = 8 << 20 };

const double cache_s = 1.0;
static const char stats_name[] = ".stats", access_name[] = ".accesslog";

static struct mount *mount_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

bool is_own(const char *name)
{
    return strcmp(name, stats_name) == 0 || strcmp(name, access_name) == 0;
}

int attributes_find(struct mount *mount, uint64_t inode, const char *name, struct stat *attributes)
{
    struct mount_facts facts = {.size = 0};
    bool is_known = is_own(name) || writer_size(mount, name, &facts.size);
    int code = is_known ? 0 : mount_facts_find(mount, name, &facts);
    mode_t writing = mount->options->is_read_only || is_own(name) ? 0 : S_IWUSR;
    memset(attributes, 0, sizeof(*attributes));
    attributes->st_ino = inode;
    attributes->st_mode = (facts.is_folder ? S_IFDIR | 0555 : S_IFREG | 0444) | writing;
    attributes->st_uid = getuid();
    attributes->st_gid = getgid();
    attributes->st_nlink = facts.is_folder ? 2 : 1;
    attributes->st_size = (off_t)facts.size;
    attributes->st_blocks = (blkcnt_t)((facts.size + 511) / 512);
    attributes->st_blksize = 1 << 20;
    return code;
}

static void do_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->max_readahead = READAHEAD_BYTES;
    connection->want |= connection->capable &
                        (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
                         FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC);
}

/* What is said of a name that is looked up; the inode is the caller's to forget. A file that is
 * being written changes: the kernel is to ask again. */
int entry_make(struct mount *mount, const char *name, struct fuse_entry_param *entry)
{
    uint64_t size;
    double keep_s = writer_size(mount, name, &size) ? 0 : cache_s;
    *entry = (struct fuse_entry_param){.attr_timeout = keep_s, .entry_timeout = keep_s};
    int code = attributes_find(mount, 0, name, &entry->attr);
    entry->ino = code == 0 ? fuse_nodes_add(&mount->nodes, name) : 0;
    entry->attr.st_ino = entry->ino;
    return code == 0 && entry->ino == 0 ? -ENOMEM : code;
}

static void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES];
    struct fuse_entry_param entry;
    if (!fuse_nodes_name(&mount->nodes, parent, child, name, sizeof(name))) {
        fuse_reply_err(request, ENAMETOOLONG);
        return;
    }
    int code = entry_make(mount, name, &entry);
    if (code != 0)
        fuse_reply_err(request, -code);
    else if (fuse_reply_entry(request, &entry) != 0)
        fuse_nodes_forget(&mount->nodes, entry.ino, 1);
}

static void do_forget(fuse_req_t request, fuse_ino_t inode, uint64_t lookups)
{
    fuse_nodes_forget(&mount_of(request)->nodes, inode, lookups);
    fuse_reply_none(request);
}

static void do_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        fuse_nodes_forget(&mount_of(request)->nodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

static void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES];
    struct stat attributes;
    uint64_t size;
    (void)info;
    int code = -ENOENT;
    if (fuse_nodes_name(&mount->nodes, inode, NULL, name, sizeof(name)))
        code = attributes_find(mount, inode, name, &attributes);
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        fuse_reply_attr(request, &attributes, writer_size(mount, name, &size) ? 0 : cache_s);
}

static void file_free(struct mount *mount, struct mount_file *file)
{
    if (file->writer != NULL)
        writer_close(mount, file->writer);
    free(file->text);
    free(file);
}

static int own_open(struct mount *mount, const char *name, struct mount_file *file)
{
    int code = 0;
    if (strcmp(name, stats_name) == 0) {
        code = mount_status(mount, &file->text);
        file->size = code == 0 ? strlen(file->text) : 0;
        return code;
    }
    file->text = fuse_access_text(&mount->access, &file->size);
    return file->text != NULL ? 0 : -ENOMEM;
}

static int written_open(struct mount *mount, const char *name, struct mount_file *file, int flags)
{
    if (mount->options->is_read_only)
        return -EROFS;
    if (is_own(name))
        return -EACCES;
    return writer_open(mount, name, (flags & O_TRUNC) != 0, &file->writer);
}

static void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_file *file = calloc(1, sizeof(*file));
    int code = file != NULL ? 0 : -ENOMEM;
    if (code == 0 && !fuse_nodes_name(&mount->nodes, inode, NULL, file->name, sizeof(file->name)))
        code = -ENOENT;
    if (code == 0 && (info->flags & O_ACCMODE) != O_RDONLY) {
        code = written_open(mount, file->name, file, info->flags);
        info->direct_io = 1;
    } else if (code == 0 && is_own(file->name)) {
        code = own_open(mount, file->name, file);
        info->direct_io = 1;
    } else if (code == 0) {
        code = mount_file_open(mount, file->name, file);
    }
    if (code == 0) {
        info->fh = (uint64_t)(uintptr_t)file;
        code = -fuse_reply_open(request, info);
        if (code == 0)
            return;
    } else {
        fuse_reply_err(request, -code);
    }
    if (file != NULL)
        file_free(mount, file);
}

static void do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount_file *file = (struct mount_file *)(uintptr_t)info->fh;
    (void)inode;
    file_free(mount_of(request), file);
    fuse_reply_err(request, 0);
}

/* Copies a read that touches several blocks together, one view at a time: a thread that held some
 * and waited for others would stop all of them for good, when the cache is small. */
static int64_t read_parts(struct mount *mount, const struct mount_file *file, char *bytes,
                          const uint64_t span[2])
{
    uint64_t done = 0;
    while (done < span[1]) {
        const uint64_t rest[2] = {span[0] + done, span[1] - done};
        struct forebay_view view;
        struct forebay_client *client;
        int code = mount_file_view(mount, file, rest, &view, &client);
        if (code != 0)
            return code;
        if (view.size == 0)
            break;
        memcpy(bytes + done, view.bytes, view.size);
        done += view.size;
        forebay_view_return(client, &view);
    }
    return (int64_t)done;
}

/* Replies with a view, when the read is in one block. */
static void read_view(fuse_req_t request, const struct mount_file *file, const uint64_t span[2])
{
    struct mount *mount = mount_of(request);
    struct forebay_view view;
    struct forebay_client *client;
    uint64_t began_ns = fuse_clock_ns();
    int64_t result = mount_file_view(mount, file, span, &view, &client);
    bool is_lent = result == 0 && view.size > 0;
    char *copied = NULL;
    if (result == 0)
        result = (int64_t)view.size;
    if (is_lent && view.size < span[1]) {
        copied = malloc(span[1]);
        forebay_view_return(client, &view);
        is_lent = false;
        result = copied != NULL ? read_parts(mount, file, copied, span) : -ENOMEM;
    }
    /* After the reply the file may be closed, and gone. */
    fuse_access_add(&mount->access, "read", file->name, span, result, began_ns);
    if (result < 0)
        fuse_reply_err(request, (int)-result);
    else
        fuse_reply_buf(request, is_lent ? view.bytes : copied, (size_t)result);
    if (is_lent)
        forebay_view_return(client, &view);
    free(copied);
}

static void read_written(fuse_req_t request, struct mount_writer *writer, size_t size, off_t offset)
{
    char *bytes = malloc(size);
    int64_t count =
        bytes != NULL ? writer_read(writer, bytes, size, (uint64_t)offset) : (int64_t)-ENOMEM;
    if (count < 0)
        fuse_reply_err(request, (int)-count);
    else
        fuse_reply_buf(request, bytes, (size_t)count);
    free(bytes);
}

static void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    const struct mount_file *file = (const struct mount_file *)(uintptr_t)info->fh;
    uint64_t from = (uint64_t)offset;
    uint64_t left = from < file->size ? file->size - from : 0;
    (void)inode;
    if (file->writer != NULL) {
        read_written(request, file->writer, size, offset);
        return;
    }
    if (file->text != NULL) {
        fuse_reply_buf(request, file->text + (left > 0 ? from : 0), size < left ? size : left);
        return;
    }
    read_view(request, file, (uint64_t[2]){from, size < left ? size : left});
}

/* A folder as it was when it was opened. */
struct listing {
    struct listing_entry {
        char *name;
        bool is_folder;
    } * entries;
    uint64_t count, room;
};

static int listing_add(void *context, const struct forebay_entry *entry)
{
    struct listing *listing = context;
    if (listing->count == listing->room) {
        uint64_t room = listing->room > 0 ? 2 * listing->room : 64;
        void *entries = realloc(listing->entries, room * sizeof(*listing->entries));
        if (entries == NULL)
            return -ENOMEM;
        listing->entries = entries;
        listing->room = room;
    }
    char *name = strdup(entry->name);
    if (name == NULL)
        return -ENOMEM;
    listing->entries[listing->count++] =
        (struct listing_entry){.name = name, .is_folder = entry->is_folder};
    return 0;
}

/* A folder that was made here, and may be at the origin by now. */
static int listing_unless_there(void *context, const struct forebay_entry *entry)
{
    const struct listing *listing = context;
    for (uint64_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->entries[i].name, entry->name) == 0)
            return 0;
    }
    return listing_add(context, entry);
}

static void listing_free(struct listing *listing)
{
    for (uint64_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    free(listing);
}

static void do_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES];
    struct listing *listing = calloc(1, sizeof(*listing));
    int code = listing != NULL ? 0 : -ENOMEM;
    if (code == 0 && !fuse_nodes_name(&mount->nodes, inode, NULL, name, sizeof(name)))
        code = -ENOENT;
    const struct forebay_entry dots[2] = {{.name = ".", .is_folder = 1},
                                          {.name = "..", .is_folder = 1}};
    for (uint32_t i = 0; i < 2 && code == 0; i++)
        code = listing_add(listing, &dots[i]);
    if (code == 0)
        code = mount_list(mount, name, listing_add, listing);
    if (code == 0 || (code == -ENOENT && folder_exists(mount, name)))
        code = folder_list(mount, name, listing_unless_there, listing);
    info->fh = (uint64_t)(uintptr_t)listing;
    if (code == 0 && fuse_reply_open(request, info) == 0)
        return;
    if (code != 0)
        fuse_reply_err(request, -code);
    if (listing != NULL)
        listing_free(listing);
}

static void do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *info)
{
    const struct listing *listing = (const struct listing *)(uintptr_t)info->fh;
    char *page = malloc(size);
    size_t used = 0;
    (void)inode;
    if (page == NULL) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    for (uint64_t i = (uint64_t)offset; i < listing->count; i++) {
        const struct stat attributes = {
            .st_ino = i + 2, .st_mode = listing->entries[i].is_folder ? S_IFDIR : S_IFREG};
        size_t entry = fuse_add_direntry(request, page + used, size - used,
                                         listing->entries[i].name, &attributes, (off_t)i + 1);
        if (entry > size - used)
            break;
        used += entry;
    }
    fuse_reply_buf(request, page, used);
    free(page);
}

static void do_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    (void)inode;
    listing_free((struct listing *)(uintptr_t)info->fh);
    fuse_reply_err(request, 0);
}

static uint64_t status_value(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The origin's size nobody knows; what is shown is this machine's cache, all of it free: what is in
 * it makes room for what is written. */
static void do_statfs(fuse_req_t request, fuse_ino_t inode)
{
    enum { FRAGMENT_BYTES = 4096 };
    struct mount *mount = mount_of(request);
    char *text = NULL;
    (void)inode;
    int code = mount_status(mount, &text);
    if (code != 0) {
        fuse_reply_err(request, -code);
        return;
    }
    uint64_t bytes =
        status_value(text, "\nmemory_size_bytes ") + status_value(text, "\ndevice_size_bytes ");
    const struct statvfs facts = {.f_bsize = 1 << 20,
                                  .f_frsize = FRAGMENT_BYTES,
                                  .f_blocks = bytes / FRAGMENT_BYTES,
                                  .f_bfree = bytes / FRAGMENT_BYTES,
                                  .f_bavail = bytes / FRAGMENT_BYTES,
                                  .f_namemax = 255,
                                  .f_flag = mount->options->is_read_only ? ST_RDONLY : 0};
    free(text);
    fuse_reply_statfs(request, &facts);
}

/* A value, or its size when none was given room for. */
static const struct fuse_lowlevel_ops operations = {
    .init = do_init,
    .lookup = do_lookup,
    .forget = do_forget,
    .forget_multi = do_forget_multi,
    .getattr = do_getattr,
    .open = do_open,
    .release = do_release,
    .read = do_read,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .releasedir = do_releasedir,
    .statfs = do_statfs,
    .getxattr = do_getxattr,
    .listxattr = do_listxattr,
    .create = do_create,
    .write = do_write,
    .flush = do_flush,
    .fsync = do_fsync,
    .unlink = do_unlink,
    .rename = do_rename,
    .mkdir = do_mkdir,
    .rmdir = do_rmdir,
    .setattr = do_setattr,
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

static int serve(struct fuse_session *session, const struct fb_fuse_options *options)
{
    enum { THREADS_MAX = 8 };
    char target[PATH_MAX];
    if (realpath(options->mountpoint, target) == NULL) {
        fprintf(stderr, "forebay mount: %s: %s: make the folder\n", options->mountpoint,
                strerror(errno));
        return 1;
    }
    if (fuse_session_mount(session, options->mountpoint) != 0)
        return 1; /* libfuse has said why */
    readahead_raise(target);
    int code = fuse_set_signal_handlers(session);
    if (code == 0)
        code = fuse_daemonize(options->is_foreground);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
    fuse_loop_cfg_set_idle_threads(config, THREADS_MAX);
    if (code == 0)
        code = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    return code < 0;
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

int fb_fuse_run(const struct fb_fuse_options *options)
{
    struct mount *mount = calloc(1, sizeof(*mount));
    struct forebay_client *client;
    int code = forebay_client_open(options->socket, &client); /* a wrong socket shows now */
    if (mount == NULL || code != 0) {
        fprintf(stderr, "forebay mount: no daemon: %s: is it running, is --socket its socket?\n",
                strerror(mount == NULL ? ENOMEM : -code));
        free(mount);
        return 1;
    }
    forebay_client_close(client);
    mount->options = options;
    fuse_access_open(&mount->access);
    pthread_mutex_init(&mount->writers_mutex, NULL);
    pthread_mutex_init(&mount->folders_mutex, NULL);
    pthread_key_create(&mount->clients, mount_client_free);
    struct fuse_session *session = fuse_nodes_open(&mount->nodes) ? session_open(mount) : NULL;
    int exit_code = session != NULL ? serve(session, options) : 1;
    if (session != NULL)
        fuse_session_destroy(session);
    mount_client_free(pthread_getspecific(mount->clients));
    pthread_setspecific(mount->clients, NULL);
    pthread_key_delete(mount->clients);
    fuse_nodes_close(&mount->nodes);
    for (uint32_t i = 0; i < mount->folder_count; i++)
        free(mount->folders[i]);
    free(mount->folders);
    free(mount);
    return exit_code;
}
