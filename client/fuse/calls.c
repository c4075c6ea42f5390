/* Calls to the daemon, each with a client of the pool's. A daemon that restarts is connected to
 * again; see pool.c. Changes: again.c. */
#include "client/fuse/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a call that lists: what it told of the origin, too. */
static int told(struct mount *mount, const struct forebay_client *client, int code)
{
    if (client->has_objects)
        mount->has_objects = true;
    return code;
}

int mount_list(struct mount *mount, const char *folder, forebay_entry_call *call, void *context)
{
    int code;
    WITH_CLIENT(code, told(mount, client, client_list_plain(client, folder, call, context)));
    return code;
}

int mount_folder_find(struct mount *mount, const char *folder)
{
    int code;
    WITH_CLIENT(code, told(mount, client, client_folder_find(client, folder)));
    return code;
}

int mount_look(struct mount *mount, const char *name, struct client_look *look)
{
    int code;
    WITH_CLIENT(code, client_look(client, name, look));
    return code;
}

int mount_status(struct mount *mount, char **text)
{
    int code;
    WITH_CLIENT(code, forebay_client_status(client, text));
    return code;
}

/* Opened and closed at once: the daemon has heard of the object. */
static int object_name(struct forebay_client *client, const char *name, struct fuse_object *object)
{
    struct forebay_file *file;
    int code = forebay_file_open(client, name, &file);
    if (code != 0)
        return code;
    *object =
        (struct fuse_object){.handle = file->handle, .size = file->size, .version = file->version};
    forebay_file_close(file);
    return 0;
}

int mount_object_open(struct mount *mount, const char *name, struct fuse_object *object)
{
    int code;
    WITH_CLIENT(code, object_name(client, name, object));
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

/* Is what the name means now of the same bytes as the node's version? Then under which handle. */
static int object_again(struct forebay_client *client, const char *name, struct fuse_node *node,
                        const struct fuse_object *object, struct fuse_object *now)
{
    struct client_look look;
    int code = object_name(client, name, now);
    if (code == 0 && now->version != object->version)
        code = client_look(client, name, &look);
    if (code != 0)
        return code == -ENOENT ? -ESTALE : code;
    if (now->version == object->version)
        return 0;
    const struct fuse_found found = {
        .object = {look.handle, look.facts.size_bytes, look.facts.version},
        .attributes = look.attributes};
    pthread_mutex_lock(&node->mutex);
    bool is_same = now->version == look.facts.version && fuse_node_has(node, &found);
    if (is_same && node->object.handle == object->handle && node->writer == NULL)
        fuse_node_take(node, &found);
    pthread_mutex_unlock(&node->mutex);
    return is_same ? 0 : -ESTALE;
}

/* A view; a daemon that has forgotten the object, or knows it by another version or name by now, is
 * told. */
static int view(struct mount *mount, struct forebay_client *client, struct fuse_node *node,
                const struct fuse_object *object, const uint64_t span[2], struct forebay_view *lent)
{
    char name[NAME_MAX_BYTES];
    struct fuse_object now;
    struct forebay_file file = {.client = client, .handle = object->handle, .size = object->size};
    int code = forebay_file_view(&file, span[0], span[1], lent);
    if (code != -EINVAL && code != -ESTALE && code != -ENOENT)
        return code;
    if (fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name)) != 0)
        return -ESTALE; /* removed, or another's name */
    code = object_again(client, name, node, object, &now);
    if (code != 0)
        return code;
    file.handle = now.handle;
    code = forebay_file_view(&file, span[0], span[1], lent);
    return code == -ENOENT || code == -EINVAL ? -ESTALE : code;
}

int mount_lend(struct mount *mount, struct fuse_node *node, const struct fuse_object *object,
               const uint64_t span[2], struct mount_lent *lent)
{
    uint64_t began_ns = fuse_clock_ns();
    int code;
    *lent = (struct mount_lent){.client = NULL};
    do {
        code = mount_client_take(mount, MOUNT_BYTES, &node->calls, &lent->client);
        if (code != 0)
            continue;
        code = view(mount, lent->client, node, object, span, &lent->view);
        FB_ASSERT(code != 0 || lent->view.size <= span[1]);
        if (code == 0 && mount_file_leave(mount, &node->calls, lent->client))
            return 0;
        if (code == 0) {
            mount_client_give(mount, MOUNT_BYTES, NULL, lent->client, -ECONNRESET);
            lent->client = NULL;
            return -EINTR;
        }
        mount_client_give(mount, MOUNT_BYTES, &node->calls, lent->client, code);
        lent->client = NULL;
    } while (mount_may_retry(mount, code, began_ns));
    return mount_error(code);
}

void mount_lent_give(struct mount *mount, struct mount_lent *lent)
{
    FB_ASSERT(lent->client != NULL);
    forebay_view_return(lent->client, &lent->view);
    mount_client_give(mount, MOUNT_BYTES, NULL, lent->client, 0);
}

int64_t mount_read(struct mount *mount, struct fuse_node *node, const struct fuse_object *object,
                   void *bytes, uint64_t size, uint64_t offset)
{
    uint64_t done = 0;
    while (done < size) {
        const uint64_t rest[2] = {offset + done, size - done};
        struct mount_lent lent;
        int code = mount_lend(mount, node, object, rest, &lent);
        if (code != 0)
            return code;
        uint64_t part = lent.view.size;
        FB_ASSERT(part <= size - done);
        if (part > 0)
            memcpy((unsigned char *)bytes + done, lent.view.bytes, part);
        mount_lent_give(mount, &lent);
        if (part == 0)
            break;
        done += part;
    }
    return (int64_t)done;
}
