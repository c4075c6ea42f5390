/* What names mean, and what is said of files beside their bytes. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MODE = S_IFREG | 0644, FOLDER_MODE = S_IFDIR | 0755, MODE_BITS = 07777 };

bool is_own(const char *name)
{
    return fb_local_name_is_own(name, strlen(name));
}

/* Where the origin knows no modes they are the mount's. */
static void defaults_fill(struct fuse_found *found, uint32_t mode)
{
    int64_t modified_ns = found->attributes.modified_ns;
    found->attributes = (struct fb_attributes){.mode = mode,
                                               .owner = getuid(),
                                               .group = getgid(),
                                               .links = S_ISDIR(mode) ? 2 : 1,
                                               .accessed_ns = modified_ns,
                                               .modified_ns = modified_ns,
                                               .changed_ns = modified_ns};
}

int found_find(struct mount *mount, const char *name, struct fuse_found *found)
{
    struct client_look look;
    *found = (struct fuse_found){.object = {.size = 0}};
    if (is_own(name)) {
        defaults_fill(found, S_IFREG | 0400); /* they name others' files */
        return 0;
    }
    int code = mount_look(mount, name, &look);
    if (code == -EINVAL && name[0] == '\0')
        code = -ENOENT; /* objects are in no folder */
    bool is_hidden = code == 0 && both_is(mount, name) && mount_folder_find(mount, name) >= 0;
    if (code == 0 && !is_hidden) {
        found->object = (struct fuse_object){
            .handle = look.handle, .size = look.facts.size_bytes, .version = look.facts.version};
        found->attributes = look.attributes;
        found->is_ahead = look.facts.is_at_origin == 0;
        found->is_told = look.attributes.mode != 0;
        if (look.attributes.mode == 0)
            defaults_fill(found, FILE_MODE);
        return 0;
    }
    if (code != -ENOENT && !is_hidden)
        return code;
    bool is_there = is_hidden || name[0] == '\0' || folder_exists(mount, name);
    code = is_there ? 0 : mount_folder_find(mount, name);
    if (code < 0)
        return code;
    defaults_fill(found, FOLDER_MODE);
    return 0;
}

static struct timespec time_of(int64_t ns)
{
    const int64_t second_ns = 1000000000;
    int64_t seconds = ns / second_ns - (ns % second_ns < 0);
    return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)(ns - seconds * second_ns)};
}

void attributes_fill(struct mount *mount, struct fuse_node *node, struct stat *attributes)
{
    struct mount_writer *writer = writer_acquire(mount, node, false);
    pthread_mutex_lock(&node->mutex);
    const struct fb_attributes known = node->attributes;
    uint64_t size = node->object.size;
    pthread_mutex_unlock(&node->mutex);
    int64_t modified_ns = known.modified_ns, changed_ns = known.changed_ns;
    if (writer != NULL) {
        size = writer->size;
        if (writer->modified_ns > modified_ns)
            modified_ns = writer->modified_ns;
        changed_ns =
            modified_ns > changed_ns && writer->modified_ns != 0 ? modified_ns : changed_ns;
    }
    *attributes = (struct stat){.st_ino = node->number,
                                .st_mode = known.mode,
                                .st_uid = known.owner,
                                .st_gid = known.group,
                                .st_nlink = known.links,
                                .st_rdev = known.device,
                                .st_size = (off_t)size,
                                .st_blocks = (blkcnt_t)((size + 511) / 512),
                                .st_blksize = 1 << 20,
                                .st_atim = time_of(known.accessed_ns),
                                .st_mtim = time_of(modified_ns),
                                .st_ctim = time_of(changed_ns)};
    if (mount->options->is_read_only)
        attributes->st_mode &= ~(mode_t)0222;
    if (writer != NULL)
        writer_release(writer);
}

int entry_make(struct mount *mount, struct fuse_node *parent, const char *child,
               struct fuse_entry_param *entry)
{
    char name[NAME_MAX_BYTES];
    struct fuse_found found;
    *entry =
        (struct fuse_entry_param){.attr_timeout = mount->keep_s, .entry_timeout = mount->keep_s};
    int code = fuse_nodes_name(&mount->nodes, parent, child, name, sizeof(name));
    if (code == 0)
        code = found_find(mount, name, &found);
    if (code == -EBADMSG) { /* nobody knows what it is: it can be removed, and nothing else */
        defaults_fill(&found, S_IFREG);
        entry->attr_timeout = 0;
        entry->entry_timeout = 0;
        code = 0;
    }
    /* A file of an origin of objects that is being written has no name there yet. */
    struct fuse_node *node = code == -ENOENT ? fuse_nodes_find(&mount->nodes, parent, child) : NULL;
    if (node != NULL && node->writer != NULL)
        code = 0;
    else if (node != NULL)
        fuse_nodes_forget(&mount->nodes, node, 1);
    else if (code == 0 && (node = fuse_nodes_add(&mount->nodes, parent, child, &found)) == NULL)
        code = -ENOMEM;
    if (code != 0)
        return code;
    entry->ino = (fuse_ino_t)(uintptr_t)node;
    attributes_fill(mount, node, &entry->attr);
    if (node->writer != NULL)
        entry->attr_timeout = 0;
    return 0;
}

void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    struct fuse_entry_param entry;
    struct mount_wait wait = {.is_look = true};
    struct fuse_node *above = wait_begin_holding(request, parent, &wait);
    int code = entry_make(mount, above, child, &entry);
    bool is_asked = wait_end_holding(mount, above, &wait);
    entry_reply(request, mount, is_asked, code, &entry);
}

void do_forget(fuse_req_t request, fuse_ino_t inode, uint64_t lookups)
{
    fuse_nodes_forget(&mount_of(request)->nodes, node_of(request, inode), lookups);
    fuse_reply_none(request);
}

void do_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        fuse_nodes_forget(&mount_of(request)->nodes, node_of(request, forgets[i].ino),
                          forgets[i].nlookup);
    fuse_reply_none(request);
}

/* What is known of a node is what the origin says, unless its name means another file by now. */
static int node_look(struct mount *mount, struct fuse_node *node)
{
    char name[NAME_MAX_BYTES];
    struct fuse_found found;
    if (fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name)) != 0)
        return 0; /* gone: it is what it was */
    int code = found_find(mount, name, &found);
    pthread_mutex_lock(&node->mutex);
    bool is_open = node->opens > 0 || node->writer != NULL;
    bool is_same = node == &mount->nodes.root || node->type == (found.attributes.mode & S_IFMT);
    if (node->type == S_IFREG && node->writer == NULL && is_open)
        is_same = is_same && fuse_node_has(node, &found);
    if (code == 0 && is_same) {
        if (node->writer == NULL)
            fuse_node_take(node, &found);
        node->attributes = found.attributes;
    }
    pthread_mutex_unlock(&node->mutex);
    if (code == -ENOENT && is_open)
        return 0;
    return code == 0 && !is_same && !is_open ? -ESTALE : code;
}

void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct fuse_node *node = node_of(request, inode);
    struct stat attributes;
    struct mount_wait wait = {.is_look = true};
    (void)info;
    (void)wait_begin_holding(request, inode, &wait);
    int code = node_look(mount, node);
    if (!wait_end_holding(mount, node, &wait))
        return;
    if (code != 0) {
        fuse_reply_err(request, -code);
        return;
    }
    attributes_fill(mount, node, &attributes);
    fuse_reply_attr(request, &attributes, node->writer != NULL ? 0 : mount->keep_s);
}

void node_refresh(struct mount *mount, struct fuse_node *node, const char *name)
{
    struct fuse_found found;
    if (found_find(mount, name, &found) != 0)
        return;
    pthread_mutex_lock(&node->mutex);
    node->attributes = found.attributes;
    bool is_written = node->writer != NULL;
    if (!is_written) {
        if (node->pages_version == node->object.version)
            node->pages_version = found.object.version;
        node->object = found.object;
    }
    pthread_mutex_unlock(&node->mutex);
    struct mount_writer *writer = is_written ? writer_acquire(mount, node, false) : NULL;
    if (writer != NULL) {
        writer_rebase(writer, &found.object);
        writer_release(writer);
    }
}

int attributes_set(struct mount *mount, const char *name, const struct client_change *change)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    uint64_t until_ns = fuse_clock_ns() + MOUNT_PATIENCE_MS * UINT64_C(1000000);
    struct client_look look;
    int code;
    do {
        code = mount_change(mount, name, change, MOUNT_PATIENCE_MS, NULL);
        if (code == -ENOTDIR && mount->is_keeping && folders_make(mount, name) == 0)
            code = mount_change(mount, name, change, MOUNT_PATIENCE_MS, NULL);
        if (code != -ENOENT || mount_look(mount, name, &look) != 0 || look.facts.is_at_origin)
            break;
        nanosleep(&nap, NULL); /* committed, and not at the origin yet */
    } while (fuse_clock_ns() < until_ns);
    return code;
}

/* The nearest time that there is: between 1677 and 2262. */
static int64_t ns_of(struct timespec time)
{
    const int64_t second_ns = 1000000000, last_s = INT64_MAX / second_ns - 1;
    if (time.tv_sec < -last_s || time.tv_sec > last_s)
        return (time.tv_sec < 0 ? -last_s : last_s) * second_ns;
    return time.tv_sec * second_ns + time.tv_nsec;
}

void attributes_seen(struct fuse_node *node, struct client_change *change)
{
    pthread_mutex_lock(&node->mutex);
    const struct fb_attributes seen = node->attributes;
    pthread_mutex_unlock(&node->mutex);
    struct fb_attributes *wanted = &change->attributes;
    uint32_t which = change->which;
    wanted->mode = (seen.mode & S_IFMT) |
                   ((which & FB_SET_MODE) != 0 ? wanted->mode & MODE_BITS : seen.mode & MODE_BITS);
    if ((which & FB_SET_OWNER) == 0)
        wanted->owner = seen.owner;
    if ((which & FB_SET_GROUP) == 0)
        wanted->group = seen.group;
    if ((which & FB_SET_ACCESSED) == 0)
        wanted->accessed_ns = seen.accessed_ns;
    if ((which & FB_SET_MODIFIED) == 0)
        wanted->modified_ns = seen.modified_ns;
}

static struct client_change change_of(const struct stat *wanted, int which)
{
    const uint32_t bits[][2] = {
        {FUSE_SET_ATTR_MODE, FB_SET_MODE},
        {FUSE_SET_ATTR_UID, FB_SET_OWNER},
        {FUSE_SET_ATTR_GID, FB_SET_GROUP},
        {FUSE_SET_ATTR_ATIME, FB_SET_ACCESSED},
        {FUSE_SET_ATTR_MTIME, FB_SET_MODIFIED},
        {FUSE_SET_ATTR_ATIME_NOW, FB_SET_ACCESSED_NOW},
        {FUSE_SET_ATTR_MTIME_NOW, FB_SET_MODIFIED_NOW},
    };
    struct client_change change = {.kind = FB_CHANGE_SET,
                                   .attributes = {.mode = wanted->st_mode & MODE_BITS,
                                                  .owner = wanted->st_uid,
                                                  .group = wanted->st_gid,
                                                  .accessed_ns = ns_of(wanted->st_atim),
                                                  .modified_ns = ns_of(wanted->st_mtim)}};
    for (uint32_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        change.which |= ((uint32_t)which & bits[i][0]) != 0 ? bits[i][1] : 0;
    return change;
}

/* Of a file that has no name any more: it is known here alone. */
static void attributes_keep(struct fuse_node *node, const struct client_change *change)
{
    const struct fb_attributes *wanted = &change->attributes;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&node->mutex);
    struct fb_attributes *known = &node->attributes;
    if (change->which & FB_SET_MODE)
        known->mode = wanted->mode;
    if (change->which & FB_SET_OWNER)
        known->owner = wanted->owner;
    if (change->which & FB_SET_GROUP)
        known->group = wanted->group;
    if (change->which & (FB_SET_ACCESSED | FB_SET_ACCESSED_NOW))
        known->accessed_ns = change->which & FB_SET_ACCESSED_NOW ? ns_of(now) : wanted->accessed_ns;
    if (change->which & (FB_SET_MODIFIED | FB_SET_MODIFIED_NOW))
        known->modified_ns = change->which & FB_SET_MODIFIED_NOW ? ns_of(now) : wanted->modified_ns;
    known->changed_ns = ns_of(now);
    pthread_mutex_unlock(&node->mutex);
}

/* Without modes at the origin: what is so already may be set. */
static bool is_so(const struct fuse_node *node, const struct client_change *change)
{
    const struct fb_attributes *known = &node->attributes, *wanted = &change->attributes;
    const uint32_t plain = FB_SET_MODE | FB_SET_OWNER | FB_SET_GROUP;
    return (change->which & ~plain) == 0 &&
           ((change->which & FB_SET_MODE) == 0 || known->mode == wanted->mode) &&
           ((change->which & FB_SET_OWNER) == 0 || known->owner == wanted->owner) &&
           ((change->which & FB_SET_GROUP) == 0 || known->group == wanted->group);
}

/* A file that was made here, and is not committed yet, is committed with what is set before. */
static bool is_kept_here(struct mount *mount, struct fuse_node *node, struct mount_writer *writer,
                         const struct client_change *change)
{
    const uint32_t plain = FB_SET_MODE | FB_SET_OWNER | FB_SET_GROUP;
    pthread_mutex_lock(&writer->mutex);
    bool is_kept = mount->is_keeping && writer->is_new && (change->which & ~plain) == 0;
    if (is_kept)
        attributes_keep(node, change);
    writer->is_set = writer->is_set || is_kept;
    pthread_mutex_unlock(&writer->mutex);
    return is_kept;
}

/* Times are those of what is written so far, which is committed before. */
static int change_set(struct mount *mount, struct fuse_node *node, struct client_change *change)
{
    const uint32_t times =
        FB_SET_ACCESSED | FB_SET_MODIFIED | FB_SET_ACCESSED_NOW | FB_SET_MODIFIED_NOW;
    char name[NAME_MAX_BYTES];
    if (fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name)) != 0) {
        attributes_keep(node, change);
        return 0;
    }
    struct mount_writer *writer = writer_acquire(mount, node, false);
    if (writer != NULL && is_kept_here(mount, node, writer, change)) {
        writer_release(writer);
        return 0;
    }
    int code = writer != NULL && (change->which & times) != 0 ? writer_commit(writer) : 0;
    if (code == 0)
        code = attributes_set(mount, name, change);
    if (code == 0 && writer != NULL && (change->which & times) != 0)
        writer->modified_ns = 0;
    if (writer != NULL)
        writer_release(writer);
    if (code == 0)
        node_refresh(mount, node, name);
    return code == -EOPNOTSUPP && is_so(node, change) ? 0 : code;
}

/* Of a file that this request alone writes. */
static int size_set(struct mount *mount, struct fuse_node *node, uint64_t size)
{
    struct mount_writer *writer = writer_acquire(mount, node, true);
    if (writer == NULL)
        return -ENOMEM;
    int code = writer_truncate(writer, size);
    if (code == 0)
        code = writer_commit(writer);
    writer_release(writer);
    return code;
}

static int file_cut(fuse_req_t request, struct mount_file *file, uint64_t size)
{
    int code = writer_truncate(file->writer, size);
    file_wrote(file, fuse_req_ctx(request)->pid);
    return code;
}

void do_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int which,
                struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct fuse_node *node = node_of(request, inode);
    struct mount_file *file = file_of(info);
    struct client_change change = change_of(wanted, which);
    struct stat attributes;
    uint64_t size = (uint64_t)wanted->st_size;
    struct mount_wait wait = {.is_look = false};
    bool is_cut = (which & FUSE_SET_ATTR_SIZE) != 0;
    bool is_open = file != NULL && file->writer != NULL;
    int code = mount->options->is_read_only ? -EROFS : 0;
    if (code == 0 && is_cut && is_open)
        code = file_cut(request, file, size);
    (void)wait_begin_holding(request, inode, &wait);
    if (code == 0 && is_cut && !is_open)
        code = size_set(mount, node, size);
    if (code == 0 && change.which != 0) {
        attributes_seen(node, &change);
        code = change_set(mount, node, &change);
    }
    if (code == 0)
        code = node_look(mount, node);
    if (!wait_end_holding(mount, node, &wait))
        return;
    if (code != 0) {
        fuse_reply_err(request, -code);
        return;
    }
    attributes_fill(mount, node, &attributes);
    fuse_reply_attr(request, &attributes, 0);
}

static uint64_t status_value(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The origin's size nobody knows; what is shown is this machine's cache, all of it free: what is in
 * it makes room for what is written. */
void do_statfs(fuse_req_t request, fuse_ino_t inode)
{
    enum { FRAGMENT_BYTES = 4096, NAMES = 1000000000 }; /* nor how many names it takes */
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
                                  .f_files = NAMES,
                                  .f_ffree = NAMES,
                                  .f_favail = NAMES,
                                  .f_namemax = 255,
                                  .f_flag = mount->options->is_read_only ? ST_RDONLY : 0};
    free(text);
    fuse_reply_statfs(request, &facts);
}
