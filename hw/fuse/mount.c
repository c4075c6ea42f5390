/* See mount.h. Each thread has a client; one whose daemon went is closed, and opened again. */
#include "hw/fuse/mount.h"

#include <errno.h>
#include <time.h>

static const uint64_t patience_ns = 10000000000; /* for a daemon that restarts */
static const long nap_ns = 50000000;

void mount_client_free(void *client)
{
    forebay_client_close(client);
}

static int client_find(struct mount *mount, struct forebay_client **client)
{
    *client = pthread_getspecific(mount->clients);
    if (*client != NULL)
        return 0;
    int code = forebay_client_open(mount->options->socket, client);
    if (code == 0)
        pthread_setspecific(mount->clients, *client);
    return code;
}

/* Is the daemon gone, and should it be tried again? */
static bool is_gone(struct mount *mount, int code, uint64_t began_ns)
{
    bool is_lost = code == -ECONNRESET || code == -ECONNREFUSED || code == -EPIPE ||
                   code == -ENOTCONN || code == -EBADF;
    struct forebay_client *client = pthread_getspecific(mount->clients);
    if (!is_lost && !(code == -ENOENT && client == NULL)) /* no socket */
        return false;
    pthread_setspecific(mount->clients, NULL);
    forebay_client_close(client);
    if (fuse_clock_ns() - began_ns > patience_ns)
        return false;
    const struct timespec nap = {.tv_nsec = nap_ns};
    nanosleep(&nap, NULL);
    return true;
}

/* X: a call with `client`, whose -errno goes to code. */
#define WITH_CLIENT(code, X) \
    do { \
        uint64_t began_ns = fuse_clock_ns(); \
        do { \
            struct forebay_client *client; \
            (code) = client_find(mount, &client); \
            if ((code) == 0) \
                (code) = (X); \
        } while (is_gone(mount, (code), began_ns)); \
    } while (0)

static int first_entry(void *context, const struct forebay_entry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

int mount_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context)
{
    int code;
    WITH_CLIENT(code, forebay_client_list(client, folder, call, context));
    return code;
}

int mount_facts_find(struct mount *mount, const char *name, struct mount_facts *facts)
{
    struct forebay_facts found = {.size_bytes = 0};
    int code = -ENOENT;
    *facts = (struct mount_facts){.is_folder = true};
    if (name[0] == '\0')
        return 0;
    WITH_CLIENT(code, forebay_client_stat(client, name, &found));
    if (code == 0) {
        *facts = (struct mount_facts){.size = found.size_bytes,
                                      .version = found.version,
                                      .is_at_origin = found.is_at_origin != 0,
                                      .level = found.level <= FOREBAY_ORIGIN ? found.level
                                                                             : FOREBAY_ORIGIN};
        return 0;
    }
    if (code != -ENOENT)
        return code;
    if (folder_exists(mount, name))
        return 0;
    code = mount_list(mount, name, first_entry, NULL);
    return code < 0 ? code : 0;
}

int mount_remove(struct mount *mount, const char *name)
{
    int code;
    WITH_CLIENT(code, forebay_client_remove(client, name));
    return code;
}

int mount_client_open(struct mount *mount, struct forebay_client **opened)
{
    return forebay_client_open(mount->options->socket, opened);
}

int mount_status(struct mount *mount, char **text)
{
    int code;
    WITH_CLIENT(code, forebay_client_status(client, text));
    return code;
}

/* Opened and closed at once: the daemon has heard of the object. */
static int file_name(struct forebay_client *client, const char *name, uint64_t *handle,
                     uint64_t *size)
{
    struct forebay_file *file;
    int code = forebay_file_open(client, name, &file);
    if (code != 0)
        return code;
    *handle = file->handle;
    *size = file->size;
    forebay_file_close(file);
    return 0;
}

int mount_file_open(struct mount *mount, const char *name, struct mount_file *file)
{
    int code;
    WITH_CLIENT(code, file_name(client, name, &file->handle, &file->size));
    return code;
}

static int file_explain(struct forebay_client *client, const char *name, forebay_block_call *call,
                        void *context)
{
    struct forebay_file *file;
    int code = forebay_file_open(client, name, &file);
    if (code != 0)
        return code;
    code = forebay_file_explain(file, call, context);
    forebay_file_close(file);
    return code;
}

int mount_explain(struct mount *mount, const char *name, forebay_block_call *call, void *context)
{
    int code;
    WITH_CLIENT(code, file_explain(client, name, call, context));
    return code;
}

/* A view; a daemon that has forgotten the object, or never heard of it, is told. */
static int view_or_name(struct forebay_client *client, const struct mount_file *file,
                        const uint64_t span[2], struct forebay_view *view)
{
    struct forebay_file as_is = {.client = client, .handle = file->handle, .size = file->size};
    int code = forebay_file_view(&as_is, span[0], span[1], view);
    if (code != -EINVAL)
        return code;
    uint64_t handle, size;
    code = file_name(client, file->name, &handle, &size);
    if (code != 0)
        return code;
    return handle == file->handle ? forebay_file_view(&as_is, span[0], span[1], view) : -ESTALE;
}

int mount_file_view(struct mount *mount, const struct mount_file *file, const uint64_t span[2],
                    struct forebay_view *view, struct forebay_client **taken)
{
    int code;
    WITH_CLIENT(code, (*taken = client, view_or_name(client, file, span, view)));
    return code;
}
