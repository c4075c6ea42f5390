/* Open files: reading, and writing by their writer (writer.c); their closes: close.c.
 *
 *  1. An open asks what the name means now. When that is another version than the kernel was told,
 *     it says ESTALE once, on which the kernel looks the name up anew and opens what it finds: so
 *     sizes and pages are those of the version that is opened.
 *  2. After the reply the file may be closed, forgotten and gone: the reply comes last, and what is
 *     touched after it (an open that nobody wants any more) holds the node itself.
 *  3. Pages that the kernel holds are kept over an open when they are of that version and somebody
 *     has them open; else the daemon's memory is where bytes are kept. */
#define FUSE_USE_VERSION 312
#include "client/fuse/operations.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void file_free(struct mount *mount, struct mount_file *file)
{
    FB_ASSERT(file->writer == NULL || file->writer->node == file->node);
    if (file->writer != NULL)
        writer_release(file->writer);
    if (fuse_nodes_open_count(&mount->nodes, file->node, -1) == 0)
        writer_let_go(mount, file->node);
    fuse_nodes_forget(&mount->nodes, file->node, 1);
    free(file->text);
    free(file);
}

static int own_open(struct mount *mount, const char *name, struct mount_file *file)
{
    int code = 0;
    if (strcmp(name, FB_LOCAL_STATS) == 0) {
        code = mount_status(mount, &file->text);
        file->text_size = code == 0 ? strlen(file->text) : 0;
        return code;
    }
    file->text = fuse_access_text(&mount->access, &file->text_size);
    return file->text != NULL ? 0 : -ENOMEM;
}

/* The node is of the version that its name means now; see 1. */
static int version_open(struct mount *mount, struct fuse_node *node, const char *name)
{
    struct fuse_object now;
    int code = mount_object_open(mount, name, &now);
    if (code != 0)
        return code;
    pthread_mutex_lock(&node->mutex);
    FB_ASSERT(node->opens > 0); /* this open counts */
    bool is_same = node->object.version == now.version || node->writer != NULL;
    bool is_told = node->is_stale_told || node->opens > 1;
    if (!is_same)
        code = -ESTALE;
    if (!is_same && is_told && node->opens <= 1)
        code = 1; /* it changes so often: take it as it is */
    node->is_stale_told = !is_same;
    if (code >= 0 && node->writer == NULL)
        node->object = now;
    pthread_mutex_unlock(&node->mutex);
    if (code == 1)
        fuse_lowlevel_notify_inval_inode(mount->session, (fuse_ino_t)(uintptr_t)node, -1, 0);
    return code < 0 ? code : 0;
}

/* Of a file that has been counted as open. */
static int file_open(struct mount *mount, struct mount_file *file, struct fuse_file_info *info)
{
    struct fuse_node *node = file->node;
    char name[NAME_MAX_BYTES];
    bool is_written = (info->flags & O_ACCMODE) != O_RDONLY;
    int code = fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name));
    bool is_gone = code == -ENOENT;
    if (code != 0 && !is_gone)
        return code;
    if (!is_gone && is_own(name)) {
        info->direct_io = 1;
        return is_written ? -EACCES : own_open(mount, name, file);
    }
    if (is_written && mount->options->is_read_only)
        return -EROFS;
    bool is_emptied = is_written && (info->flags & O_TRUNC) != 0;
    code = !is_gone && node->writer == NULL && !is_emptied ? version_open(mount, node, name) : 0;
    if (code == 0 && is_written) {
        file->writer = writer_acquire(mount, node, true);
        file->is_begun = is_emptied;
        code = file->writer == NULL ? -ENOMEM : is_emptied ? writer_truncate(file->writer, 0) : 0;
    }
    pthread_mutex_lock(&node->mutex);
    info->keep_cache =
        node->writer != NULL || (node->opens > 1 && node->pages_version == node->object.version);
    node->pages_version = node->object.version;
    pthread_mutex_unlock(&node->mutex);
    return code;
}

/* The open file is the kernel's, or gone with an error. */
static struct mount_file *file_new(struct mount *mount, struct fuse_node *node)
{
    struct mount_file *file = calloc(1, sizeof(*file));
    if (file == NULL)
        return NULL;
    file->node = node;
    (void)fuse_nodes_open_count(&mount->nodes, node, 1);
    return file;
}

void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_file *file = file_new(mount, node_of(request, inode));
    struct mount_wait wait = {.is_look = true};
    wait_begin(mount, &wait, request, fuse_req_ctx(request)->pid);
    int code = file != NULL ? file_open(mount, file, info) : -ENOMEM;
    bool is_asked = wait_end(mount, &wait);
    info->fh = (uint64_t)(uintptr_t)file;
    if (is_asked && code == 0 && fuse_reply_open(request, info) == 0)
        return;
    if (is_asked && code != 0)
        fuse_reply_err(request, -code);
    if (file != NULL)
        file_free(mount, file);
}

/* Makes an empty file, at the origin where that knows such: so that it is there for all, and of two
 * that make it at once one hears so. 1: the origin knows none, and nothing has the name yet. */
static int file_make(struct mount *mount, const char *name, const struct client_change *change)
{
    struct fuse_found found;
    int code = mount_change(mount, name, change, MOUNT_PATIENCE_MS, NULL);
    if (code != -EOPNOTSUPP)
        return code;
    code = found_find(mount, name, &found);
    return code == -ENOENT ? 1 : code == 0 ? -EEXIST : code;
}

/* The group of what is made in a folder. */
static uint32_t group_of(struct fuse_node *parent, uint32_t group)
{
    pthread_mutex_lock(&parent->mutex);
    if ((parent->attributes.mode & S_ISGID) != 0)
        group = parent->attributes.group;
    pthread_mutex_unlock(&parent->mutex);
    return group;
}

/* A name that the origin shall have at the first commit. */
static int entry_pretend(struct mount *mount, struct fuse_node *parent, const char *child,
                         const struct fb_attributes *made, struct fuse_entry_param *entry)
{
    struct fuse_found found = {
        .attributes = {
            .mode = made->mode & ~07000u, .owner = getuid(), .group = getgid(), .links = 1}};
    if (mount->is_keeping) {
        int64_t now_ns = writer_wall_ns();
        found.attributes.accessed_ns = now_ns;
        found.attributes.modified_ns = now_ns;
        found.attributes.changed_ns = now_ns;
        found.attributes.mode = made->mode;
        found.attributes.owner = made->owner;
        found.attributes.group = group_of(parent, made->group);
    }
    struct fuse_node *node = fuse_nodes_add(&mount->nodes, parent, child, &found);
    if (node == NULL)
        return -ENOMEM;
    *entry = (struct fuse_entry_param){.ino = (fuse_ino_t)(uintptr_t)node};
    attributes_fill(mount, node, &entry->attr);
    return 0;
}

/* The file that a create made or found is opened. */
static int created_open(struct mount *mount, struct mount_file *file, bool is_unmade,
                        struct fuse_file_info *info)
{
    if (!is_unmade)
        return file_open(mount, file, info);
    file->writer = writer_acquire(mount, file->node, true);
    if (file->writer == NULL)
        return -ENOMEM;
    file->is_begun = (info->flags & O_EXCL) == 0;
    return (info->flags & O_EXCL) != 0 ? writer_commit_empty(file->writer)
                                       : writer_begin_empty(file->writer);
}

/* Makes or finds a file, and opens it; 0: *file is. What there is of both stays with an error. */
static int create(struct mount *mount, struct fuse_node *above, const char *child,
                  const struct client_change *change, struct fuse_entry_param *entry,
                  struct fuse_file_info *info)
{
    struct mount_file *file = NULL;
    char name[NAME_MAX_BYTES] = "";
    int code = fuse_nodes_name(&mount->nodes, above, child, name, sizeof(name));
    if (code == 0)
        code = file_make(mount, name, change);
    bool is_unmade = code == 1;
    if (code == -EEXIST && (info->flags & O_EXCL) == 0)
        code = 0;
    if (code >= 0)
        code = is_unmade ? entry_pretend(mount, above, child, &change->attributes, entry)
                         : entry_make(mount, above, child, entry);
    if (code == 0 && !S_ISREG(entry->attr.st_mode))
        code = S_ISDIR(entry->attr.st_mode) ? -EISDIR : -ELOOP;
    if (code == 0 && (file = file_new(mount, (struct fuse_node *)(uintptr_t)entry->ino)) == NULL)
        code = -ENOMEM;
    if (code == 0)
        code = created_open(mount, file, is_unmade, info);
    note(mount, "create", name, code);
    info->fh = (uint64_t)(uintptr_t)file;
    return code;
}

void do_create(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode,
               struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    const struct client_change change = making_of(request, S_IFREG | (mode & 07777));
    struct fuse_entry_param entry = {.ino = 0};
    char name[NAME_MAX_BYTES] = "";
    struct mount_wait wait = {.is_look = false};
    int code = name_to_change(request, parent, child, name);
    if (code != 0) {
        note(mount, "create", name, code);
        fuse_reply_err(request, -code);
        return;
    }
    struct fuse_node *above = wait_begin_holding(request, parent, &wait);
    info->fh = 0;
    code = create(mount, above, child, &change, &entry, info);
    bool is_asked = wait_end_holding(mount, above, &wait);
    if (is_asked && code == 0 && fuse_reply_create(request, &entry, info) == 0)
        return;
    if (is_asked && code != 0)
        fuse_reply_err(request, -code);
    if (file_of(info) != NULL)
        file_free(mount, file_of(info));
    if (entry.ino != 0)
        fuse_nodes_forget(&mount->nodes, (struct fuse_node *)(uintptr_t)entry.ino, 1);
}

/* A read that touches several blocks is copied together, one view at a time: a thread that held
 * some and waited for others would stop all of them for good, when the cache is small. */
static void read_cached(fuse_req_t request, struct fuse_node *node, uint64_t size, uint64_t offset)
{
    struct mount *mount = mount_of(request);
    struct mount_lent lent = {.client = NULL};
    struct mount_wait wait = {.is_look = true};
    char name[NAME_MAX_BYTES] = "", *copied = NULL;
    uint64_t began_ns = fuse_clock_ns();
    pthread_mutex_lock(&node->mutex);
    const struct fuse_object object = node->object;
    pthread_mutex_unlock(&node->mutex);
    uint64_t left = offset < object.size ? object.size - offset : 0;
    const uint64_t span[2] = {offset, size < left ? size : left};
    fuse_nodes_hold(&mount->nodes, node);
    wait_begin(mount, &wait, request, fuse_req_ctx(request)->pid);
    int64_t result = mount_lend(mount, node, &object, span, &lent);
    bool is_lent = result == 0;
    if (is_lent)
        result = (int64_t)lent.view.size;
    if (is_lent && lent.view.size < span[1]) {
        mount_lent_give(mount, &lent);
        is_lent = false;
        copied = malloc(span[1]);
        result =
            copied != NULL ? mount_read(mount, node, &object, copied, span[1], span[0]) : -ENOMEM;
    }
    (void)fuse_nodes_name(&mount->nodes, node, NULL, name, sizeof(name));
    fuse_access_add(&mount->access, "read", name, span, result, began_ns);
    bool is_asked = wait_end_holding(mount, node, &wait);
    if (is_asked && result < 0)
        fuse_reply_err(request, (int)-result);
    else if (is_asked)
        fuse_reply_buf(request, is_lent ? lent.view.bytes : copied, (size_t)result);
    if (is_lent)
        mount_lent_give(mount, &lent);
    free(copied);
}

/* Lets the writer go. */
static void read_written(fuse_req_t request, struct mount_writer *writer, size_t size,
                         uint64_t offset)
{
    struct mount *mount = mount_of(request);
    struct mount_wait wait = {.is_look = false}; /* it may send what was written */
    char *bytes = malloc(size);
    wait_begin(mount, &wait, request, fuse_req_ctx(request)->pid);
    int64_t count = bytes != NULL ? writer_read(writer, bytes, size, offset) : (int64_t)-ENOMEM;
    writer_release(writer);
    bool is_asked = wait_end(mount, &wait);
    if (is_asked && count < 0)
        fuse_reply_err(request, (int)-count);
    else if (is_asked)
        fuse_reply_buf(request, bytes, (size_t)count);
    free(bytes);
}

void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *info)
{
    const struct mount_file *file = file_of(info);
    struct fuse_node *node = file->node;
    uint64_t from = (uint64_t)offset;
    (void)inode;
    if (file->text != NULL) {
        uint64_t left = from < file->text_size ? file->text_size - from : 0;
        fuse_reply_buf(request, file->text + (left > 0 ? from : 0), size < left ? size : left);
        return;
    }
    /* Whoever has it open sees what is written. */
    struct mount_writer *writer =
        node->writer != NULL ? writer_acquire(mount_of(request), node, false) : NULL;
    if (writer == NULL) {
        read_cached(request, node, size, from);
        return;
    }
    read_written(request, writer, size, from);
}

void do_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_file *file = file_of(info);
    int thread = info->writepage ? 0 : fuse_req_ctx(request)->pid;
    uint64_t began_ns = fuse_clock_ns();
    char name[NAME_MAX_BYTES] = "";
    struct mount_wait wait = {.is_look = false};
    (void)inode;
    if (file->writer == NULL) {
        fuse_reply_err(request, EBADF);
        return;
    }
    struct mount_writer *writer = writer_hold(file->writer);
    if (!info->writepage)
        file_wrote(file, thread); /* who is killed while it writes has written */
    wait_begin(mount, &wait, request, thread);
    int code = writer_write(writer, bytes, size, (uint64_t)offset);
    (void)fuse_nodes_name(&mount->nodes, writer->node, NULL, name, sizeof(name));
    fuse_access_add(&mount->access, "write", name, (uint64_t[2]){(uint64_t)offset, size},
                    code != 0 ? code : (int64_t)size, began_ns);
    if (!wait_end(mount, &wait)) {
        /* The kernel may have read again, and kept, what was before. */
        fuse_lowlevel_notify_inval_inode(mount->session, (fuse_ino_t)(uintptr_t)writer->node, 0, 0);
        writer_release(writer);
        return;
    }
    if (info->writepage) /* by any of those who have it open */
        writer->is_mapped = true;
    else
        file_wrote(file, thread);
    writer_release(writer);
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        fuse_reply_write(request, size);
}

/* Zeros in the middle. */
static int zeros_write(struct mount_writer *writer, uint64_t from, uint64_t to)
{
    static const unsigned char zeros[64 * 1024];
    int code = 0;
    while (code == 0 && from < to) {
        uint64_t part = to - from < sizeof(zeros) ? to - from : sizeof(zeros);
        code = writer_write(writer, zeros, part, from);
        from += part;
    }
    return code;
}

void do_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                  struct fuse_file_info *info)
{
    const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    struct mount_writer *writer = file_of(info)->writer;
    uint64_t from = (uint64_t)offset, end = from + (uint64_t)length;
    bool is_zeroed = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    bool is_longer = writer != NULL && end > writer->size && (mode & FALLOC_FL_KEEP_SIZE) == 0;
    int code = writer == NULL ? -EBADF : (mode & ~known) != 0 ? -EOPNOTSUPP : 0;
    (void)inode;
    if (code == 0 && is_zeroed)
        code = zeros_write(writer, from, end < writer->size ? end : writer->size);
    if (code == 0 && is_longer)
        code = writer_truncate(writer, end);
    if (writer != NULL)
        file_wrote(file_of(info), fuse_req_ctx(request)->pid);
    fuse_reply_err(request, -code);
}
