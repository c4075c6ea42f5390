/* The FUSE operations that change what names mean. The origin does them where it can, whole and
 * once; where it has only objects, a file's rename is a copy, and the rest is refused. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int name_to_change(fuse_req_t request, fuse_ino_t parent, const char *child,
                   char name[NAME_MAX_BYTES])
{
    int code = mount_of(request)->options->is_read_only ? -EROFS : 0;
    if (code == 0)
        code = name_of(request, parent, child, name);
    return code == 0 && is_own(name) ? -EACCES : code;
}

void note(struct mount *mount, const char *operation, const char *name, int code)
{
    fuse_access_add(&mount->access, operation, name, (uint64_t[2]){0, 0}, code, fuse_clock_ns());
}

int folders_make(struct mount *mount, const char *name)
{
    int code = 0;
    for (const char *slash = strchr(name, '/'); slash != NULL && code == 0;
         slash = strchr(slash + 1, '/')) {
        char folder[NAME_MAX_BYTES];
        struct fuse_found found;
        struct client_change change = {.kind = FB_CHANGE_MAKE};
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
        code = found_find(mount, folder, &found);
        if (code == 0 && !S_ISDIR(found.attributes.mode))
            code = -ENOTDIR;
        change.attributes = found.attributes;
        if (code == 0 && !found.is_told)
            code = mount_change(mount, folder, &change, MOUNT_PATIENCE_MS, NULL);
        code = code == -EEXIST ? 0 : code;
    }
    return code;
}

void folder_remain(struct mount *mount, const char *name)
{
    char folder[NAME_MAX_BYTES];
    struct fuse_found found;
    const char *slash = strrchr(name, '/');
    if (slash == NULL || !mount->has_objects)
        return;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name), name);
    if (found_find(mount, folder, &found) == -ENOENT)
        (void)folder_add(mount, folder); /* there is no room: it goes, as it does elsewhere */
}

/* Makes what a change says: at the origin, or where the daemon keeps it. */
static int name_make(struct mount *mount, const char *name, const struct client_change *change)
{
    int code = mount_change(mount, name, change, MOUNT_PATIENCE_MS, NULL);
    if (code != -ENOTDIR || !mount->is_keeping)
        return code;
    code = folders_make(mount, name);
    return code == 0 ? mount_change(mount, name, change, MOUNT_PATIENCE_MS, NULL) : code;
}

struct fuse_node *wait_begin_holding(fuse_req_t request, fuse_ino_t inode, struct mount_wait *wait)
{
    struct mount *mount = mount_of(request);
    struct fuse_node *node = node_of(request, inode);
    fuse_nodes_hold(&mount->nodes, node);
    wait_begin(mount, wait, request, fuse_req_ctx(request)->pid);
    return node;
}

bool wait_end_holding(struct mount *mount, struct fuse_node *node, struct mount_wait *wait)
{
    fuse_nodes_forget(&mount->nodes, node, 1);
    return wait_end(mount, wait);
}

void entry_reply(fuse_req_t request, struct mount *mount, bool is_asked, int code,
                 const struct fuse_entry_param *entry)
{
    if (code != 0 && is_asked)
        fuse_reply_err(request, -code);
    else if (code == 0 && (!is_asked || fuse_reply_entry(request, entry) != 0))
        fuse_nodes_forget(&mount->nodes, (struct fuse_node *)(uintptr_t)entry->ino, 1);
}

struct client_change making_of(fuse_req_t request, mode_t mode)
{
    const struct fuse_ctx *caller = fuse_req_ctx(request);
    return (struct client_change){
        .kind = FB_CHANGE_MAKE,
        .attributes = {.mode = mode, .owner = caller->uid, .group = caller->gid}};
}

/* Makes what a change says, and tells the kernel. */
static void make_reply(fuse_req_t request, fuse_ino_t parent, const char *child,
                       const struct client_change *change)
{
    struct mount *mount = mount_of(request);
    struct fuse_entry_param entry = {.ino = 0};
    char name[NAME_MAX_BYTES] = "";
    struct mount_wait wait = {.is_look = false};
    int code = name_to_change(request, parent, child, name);
    struct fuse_node *above = wait_begin_holding(request, parent, &wait);
    if (code == 0)
        code = name_make(mount, name, change);
    if (code == 0)
        code = entry_make(mount, above, child, &entry);
    note(mount, "make", name, code);
    bool is_asked = wait_end_holding(mount, above, &wait);
    entry_reply(request, mount, is_asked, code, &entry);
}

void do_mknod(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode, dev_t device)
{
    struct client_change change = making_of(request, mode);
    change.attributes.device = device;
    make_reply(request, parent, child, &change);
}

void do_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *child)
{
    struct client_change change = making_of(request, S_IFLNK | 0777);
    change.text = target;
    change.text_size = (uint32_t)strlen(target);
    make_reply(request, parent, child, &change);
}

void do_readlink(fuse_req_t request, fuse_ino_t inode)
{
    const struct client_change change = {.kind = FB_CHANGE_READ_LINK};
    struct mount_text target = {.bytes = NULL};
    char name[NAME_MAX_BYTES];
    int code = name_of(request, inode, NULL, name);
    if (code == 0)
        code = mount_change(mount_of(request), name, &change, MOUNT_PATIENCE_MS, &target);
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        fuse_reply_readlink(request, target.bytes);
    free(target.bytes);
}

/* Files go by their version; the rest as it is. */
static int remove_name(struct mount *mount, const char *name, uint32_t type)
{
    const struct client_change change = {.kind = FB_CHANGE_REMOVE};
    if (type == S_IFREG)
        return mount_remove(mount, name);
    return mount_change(mount, name, &change, MOUNT_PATIENCE_MS, NULL);
}

void do_unlink(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    struct fuse_node *above = node_of(request, parent);
    char name[NAME_MAX_BYTES] = "";
    int code = name_to_change(request, parent, child, name);
    struct fuse_node *node = code == 0 ? fuse_nodes_find(&mount->nodes, above, child) : NULL;
    struct fuse_found found = {.attributes = {.mode = node != NULL ? node->type : 0}};
    if (code == 0 && node == NULL)
        code = found_find(mount, name, &found);
    bool is_written = node != NULL && node->writer != NULL;
    if (code == 0)
        writer_remove(mount, above, child);
    if (code == 0)
        code = remove_name(mount, name, found.attributes.mode & S_IFMT);
    /* One that was being written, where the origin had no name for it yet. */
    if (code == -ENOENT && is_written)
        code = 0;
    if (code == 0 && node != NULL) {
        pthread_mutex_lock(&node->mutex);
        node->attributes.links -= node->attributes.links > 0;
        pthread_mutex_unlock(&node->mutex);
    }
    if (code == 0)
        fuse_nodes_detach(&mount->nodes, above, child);
    else
        writer_remain(mount, above, child);
    if (code == 0)
        folder_remain(mount, name);
    if (node != NULL)
        fuse_nodes_forget(&mount->nodes, node, 1);
    note(mount, "unlink", name, code);
    fuse_reply_err(request, -code);
}

/* Where an origin cannot rename: a file is copied, and the source goes with the target's commit. A
 * mount without records removes it last, so that a reader of the target sees the old content or the
 * new one: a crash between leaves both, and whoever took it away meanwhile has not undone that. */
static int copy_once(struct mount *mount, const char *from, const char *to, uint32_t flags)
{
    struct fuse_found source, target;
    int code = found_find(mount, from, &source);
    if (code == 0 && !S_ISREG(source.attributes.mode))
        return -EXDEV; /* mv then copies the files */
    int found = code == 0 ? found_find(mount, to, &target) : -ENOENT;
    if (found == 0 && S_ISDIR(target.attributes.mode))
        code = -EISDIR;
    else if (found == 0 && flags == RENAME_NOREPLACE)
        code = -EEXIST;
    else if (found != 0 && found != -ENOENT)
        code = found;
    if (code == 0 && found == 0 && !S_ISREG(target.attributes.mode))
        code = remove_name(mount, to, target.attributes.mode & S_IFMT);
    if (code == 0)
        code = writer_copy(mount, from, to, &source.attributes);
    if (code != 0 || mount->can_move)
        return code;
    code = mount_remove(mount, from);
    return code == -ENOENT ? 0 : code;
}

/* What others write of both names meanwhile is copied, or replaced, once more. */
static int copy_rename(struct mount *mount, const char *from, const char *to, uint32_t flags)
{
    enum { TRIES = 8 };
    int code = -EAGAIN;
    for (uint32_t i = 0; i < TRIES && (code == -EAGAIN || code == -ESTALE); i++)
        code = copy_once(mount, from, to, flags);
    return code == -EAGAIN || code == -ESTALE ? -EBUSY : code;
}

static int entry_count(void *context, const struct forebay_entry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

/* What an origin shows of a folder that goes or moves may lag behind: waits for it. */
static bool is_lagging(struct mount *mount, const char *folder)
{
    return mount_list(mount, folder, entry_count, NULL) == 0;
}

/* Where the daemon keeps what has no object: of what has some below it knows nothing, and it
 * replaces no object. */
static int kept_rename(struct mount *mount, struct fuse_node *node, const char *from,
                       const struct client_change *change)
{
    enum { TRIES = 3 };
    const char *to = change->text;
    bool is_folder = node != NULL && node->type == S_IFDIR;
    if (is_folder && mount_folder_find(mount, from) >= 0)
        return -EXDEV;
    if (is_folder && mount_list(mount, to, entry_count, NULL) > 0)
        return -ENOTEMPTY;
    int code = mount_rename(mount, from, change, MOUNT_PATIENCE_MS, node);
    for (uint32_t i = 1; i < TRIES; i++) {
        int made = code == -ENOTDIR                        ? folders_make(mount, to)
                   : code == -EEXIST && change->flags == 0 ? mount_remove(mount, to)
                                                           : 1;
        if (made != 0)
            return made < 0 ? made : code;
        code = mount_rename(mount, from, change, MOUNT_PATIENCE_MS, node);
    }
    return code;
}

static int names_rename(struct mount *mount, struct fuse_node *node, const char *from,
                        const char *to, uint32_t flags)
{
    enum { PATIENCE_MS = 3000 };
    const struct client_change change = {
        .kind = FB_CHANGE_RENAME, .flags = flags, .text = to, .text_size = (uint32_t)strlen(to)};
    if (mount->is_keeping) {
        int kept = kept_rename(mount, node, from, &change);
        bool is_file = kept == -EOPNOTSUPP && (flags & RENAME_EXCHANGE) == 0;
        return is_file ? copy_rename(mount, from, to, flags) : kept;
    }
    const struct timespec nap = {.tv_nsec = 5000000};
    uint64_t until_ns = fuse_clock_ns() + MOUNT_PATIENCE_MS * UINT64_C(1000000);
    int code;
    do {
        code = mount_rename(mount, from, &change, PATIENCE_MS, node);
        /* Files of the target that are removed, and not at the origin yet. */
        if ((code != -ENOTEMPTY && code != -EEXIST) || flags != 0 || !is_lagging(mount, to))
            break;
        nanosleep(&nap, NULL);
    } while (fuse_clock_ns() < until_ns);
    /* BUSY: it is committed, and the origin takes long. */
    bool is_copied = code == -EOPNOTSUPP || code == -EBUSY;
    return is_copied && (flags & RENAME_EXCHANGE) == 0 ? copy_rename(mount, from, to, flags) : code;
}

static int rename_locked(fuse_req_t request, struct fuse_node *node, struct fuse_name from,
                         struct fuse_name to, uint32_t flags)
{
    struct mount *mount = mount_of(request);
    char source[NAME_MAX_BYTES], target[NAME_MAX_BYTES];
    int code = fuse_nodes_name(&mount->nodes, from.parent, from.child, source, sizeof(source));
    if (code == 0)
        code = fuse_nodes_name(&mount->nodes, to.parent, to.child, target, sizeof(target));
    if (code != 0 || strcmp(source, target) == 0)
        return code;
    if (flags == 0)
        writer_remove(mount, to.parent, to.child);
    code = names_rename(mount, node, source, target, flags);
    if (code != 0 && flags == 0)
        writer_remain(mount, to.parent, to.child);
    if (code != 0)
        return code;
    folder_remain(mount, source);
    bool is_known = fuse_nodes_rename(&mount->nodes, from, to, (flags & RENAME_EXCHANGE) != 0);
    return is_known ? 0 : -ENOMEM;
}

void do_rename(fuse_req_t request, fuse_ino_t parent, const char *child, fuse_ino_t parent_to,
               const char *child_to, unsigned int flags)
{
    struct mount *mount = mount_of(request);
    const struct fuse_name from = {.parent = node_of(request, parent), .child = child};
    const struct fuse_name to = {.parent = node_of(request, parent_to), .child = child_to};
    struct writers_locked locked = {.list = NULL};
    char name[NAME_MAX_BYTES] = "";
    int code = (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ? -EINVAL : 0;
    if (code == 0)
        code = name_to_change(request, parent, child, name);
    if (code == 0)
        code = name_to_change(request, parent_to, child_to, name);
    struct fuse_node *node = code == 0 ? fuse_nodes_find(&mount->nodes, from.parent, child) : NULL;
    if (node != NULL)
        code = writers_lock(mount, node, &locked);
    if (code == 0)
        code = rename_locked(request, node, from, to, flags);
    writers_unlock(&locked);
    if (node != NULL && code == 0 && node->type == S_IFREG)
        node_refresh(mount, node, name);
    if (node != NULL)
        fuse_nodes_forget(&mount->nodes, node, 1);
    note(mount, "rename", name, code);
    fuse_reply_err(request, -code);
}

void do_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    struct fuse_node *node = node_of(request, inode);
    struct fuse_entry_param entry = {.ino = 0};
    char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES] = "";
    int code = name_to_change(request, parent, child, to);
    if (code == 0)
        code = name_of(request, inode, NULL, from);
    struct mount_writer *writer = code == 0 ? writer_acquire(mount, node, false) : NULL;
    if (writer != NULL) {
        code = writer_commit(writer);
        writer_release(writer);
    }
    const struct client_change change = {
        .kind = FB_CHANGE_LINK, .text = to, .text_size = (uint32_t)strlen(to)};
    if (code == 0)
        code = mount_change(mount, from, &change, MOUNT_PATIENCE_MS, NULL);
    if (code == 0) {
        node_refresh(mount, node, from);
        fuse_nodes_linked(&mount->nodes, node);
        code = entry_make(mount, node_of(request, parent), child, &entry);
    }
    note(mount, "link", to, code);
    if (code != 0)
        fuse_reply_err(request, -code);
    else if (fuse_reply_entry(request, &entry) != 0)
        fuse_nodes_forget(&mount->nodes, node_of(request, entry.ino), 1);
}

void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode)
{
    struct mount *mount = mount_of(request);
    const struct client_change change = making_of(request, S_IFDIR | (mode & 07777));
    struct fuse_entry_param entry = {.ino = 0};
    struct fuse_found found;
    char name[NAME_MAX_BYTES] = "";
    struct mount_wait wait = {.is_look = false};
    int code = name_to_change(request, parent, child, name);
    struct fuse_node *above = wait_begin_holding(request, parent, &wait);
    if (code == 0)
        code = name_make(mount, name, &change);
    if (code == -EOPNOTSUPP) { /* an origin of objects: it is there once a file is in it */
        code = found_find(mount, name, &found);
        code = code == 0 ? -EEXIST : code == -ENOENT ? folder_add(mount, name) : code;
    }
    if (code == 0)
        code = entry_make(mount, above, child, &entry);
    note(mount, "mkdir", name, code);
    bool is_asked = wait_end_holding(mount, above, &wait);
    entry_reply(request, mount, is_asked, code, &entry);
}

/* Of an empty folder: what marks it at an origin of objects. */
static int marks_remove(struct mount *mount, const char *name)
{
    const struct client_change change = {.kind = FB_CHANGE_REMOVE_FOLDER, .flags = FB_REMOVE_MARKS};
    return mount_change(mount, name, &change, MOUNT_PATIENCE_MS, NULL);
}

/* A folder of an origin of objects. */
static int made_remove(struct mount *mount, const char *name)
{
    int code = folder_list(mount, name, entry_count, NULL);
    if (code == 0)
        code = mount_folder_find(mount, name);
    if (code > 0)
        return -ENOTEMPTY;
    if (code == 0)
        code = marks_remove(mount, name);
    bool was_made = code == 0 || code == -ENOENT ? folder_remove(mount, name) : false;
    return code == -ENOENT && was_made ? 0 : code;
}

void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    const struct client_change change = {.kind = FB_CHANGE_REMOVE_FOLDER};
    const struct timespec nap = {.tv_nsec = 5000000};
    uint64_t until_ns = fuse_clock_ns() + MOUNT_PATIENCE_MS * UINT64_C(1000000);
    char name[NAME_MAX_BYTES] = "";
    int code = name_to_change(request, parent, child, name);
    int found = code == 0 && mount->is_keeping ? mount_folder_find(mount, name) : -ENOENT;
    if (found > 0) /* of objects the record knows nothing */
        code = -ENOTEMPTY;
    while (code == 0) {
        code = mount_change(mount, name, &change, MOUNT_PATIENCE_MS, NULL);
        /* Files that are removed, and not at the origin yet. */
        if (code != -ENOTEMPTY || !is_lagging(mount, name) || fuse_clock_ns() > until_ns)
            break;
        nanosleep(&nap, NULL);
        code = 0;
    }
    if (code == -EOPNOTSUPP)
        code = made_remove(mount, name);
    else if ((code == 0 || code == -ENOENT) && found == 0)
        code = marks_remove(mount, name);
    if (code == -ENOENT && folder_remove(mount, name))
        code = 0;
    if (code == 0) {
        fuse_nodes_detach(&mount->nodes, node_of(request, parent), child);
        folder_remain(mount, name);
    }
    note(mount, "rmdir", name, code);
    fuse_reply_err(request, -code);
}
