/* The FUSE operations that change something; writer.c says what each means for a file. */
#define FUSE_USE_VERSION 312
#include "hw/fuse/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mount *mount_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static struct mount_writer *writer_of(const struct fuse_file_info *info)
{
    return info != NULL ? ((struct mount_file *)(uintptr_t)info->fh)->writer : NULL;
}

/* The full name of a child that may be changed; 0 or -errno. */
static int name_find(struct mount *mount, fuse_ino_t parent, const char *child, char *name)
{
    if (mount->options->is_read_only)
        return -EROFS;
    if (!fuse_nodes_name(&mount->nodes, parent, child, name, NAME_MAX_BYTES))
        return child != NULL ? -ENAMETOOLONG : -ENOENT;
    return is_own(name) ? -EACCES : 0;
}

static void note(struct mount *mount, const char *operation, const char *name, int code)
{
    fuse_access_add(&mount->access, operation, name, (uint64_t[2]){0, 0}, code, fuse_clock_ns());
}

void do_create(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode,
               struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_file *file = calloc(1, sizeof(*file));
    struct fuse_entry_param entry = {.ino = 0};
    int code = file != NULL ? 0 : -ENOMEM;
    (void)mode;
    if (code == 0)
        code = name_find(mount, parent, child, file->name);
    if (code == 0)
        code = writer_open(mount, file->name, true, &file->writer);
    if (code == 0)
        code = entry_make(mount, file->name, &entry);
    info->fh = (uint64_t)(uintptr_t)file;
    info->direct_io = 1;
    if (code == 0 && fuse_reply_create(request, &entry, info) == 0)
        return;
    if (entry.ino != 0)
        fuse_nodes_forget(&mount->nodes, entry.ino, 1);
    if (file != NULL && file->writer != NULL)
        writer_close(mount, file->writer);
    if (code != 0)
        fuse_reply_err(request, -code);
    free(file);
}

void do_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_writer *writer = writer_of(info);
    uint64_t began_ns = fuse_clock_ns(), at = (uint64_t)offset;
    char name[NAME_MAX_BYTES] = "";
    (void)inode;
    if (writer != NULL && (info->flags & O_APPEND) != 0)
        at = writer->size;
    if (writer != NULL)
        writer->owner = info->lock_owner;
    int code = writer != NULL ? writer_write(writer, bytes, size, at) : -EBADF;
    (void)fuse_nodes_name(&mount->nodes, inode, NULL, name, sizeof(name));
    fuse_access_add(&mount->access, "write", name, (uint64_t[2]){at, size},
                    code != 0 ? code : (int64_t)size, began_ns);
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        fuse_reply_write(request, size);
}

/* close() of one descriptor; others may write on. */
void do_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct mount_writer *writer = writer_of(info);
    (void)inode;
    /* A fork's child closes what it inherited, a shell its copy of a file that its program writes:
     * the close of a process that did not write last is no commit. */
    bool is_commit = writer != NULL && writer->owner == info->lock_owner;
    int code = is_commit ? writer_commit(writer) : 0;
    fuse_reply_err(request, -code);
}

void do_fsync(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_writer *writer = writer_of(info);
    char name[NAME_MAX_BYTES] = "";
    (void)is_data;
    int code = writer != NULL ? writer_commit(writer) : 0;
    (void)fuse_nodes_name(&mount->nodes, inode, NULL, name, sizeof(name));
    note(mount, "fsync", name, code);
    fuse_reply_err(request, -code);
}

void do_unlink(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES] = "";
    int code = name_find(mount, parent, child, name);
    if (code == 0)
        code = writer_remove(mount, name);
    note(mount, "unlink", name, code);
    fuse_reply_err(request, -code);
}

void do_rename(fuse_req_t request, fuse_ino_t parent, const char *child, fuse_ino_t parent_to,
               const char *child_to, unsigned int flags)
{
    enum { NO_REPLACE = 1 }; /* RENAME_NOREPLACE of renameat2 */
    struct mount *mount = mount_of(request);
    struct stat source, target;
    char from[NAME_MAX_BYTES] = "", to[NAME_MAX_BYTES] = "";
    int code = (flags & ~(unsigned int)NO_REPLACE) != 0 ? -EINVAL : 0;
    if (code == 0)
        code = name_find(mount, parent, child, from);
    if (code == 0)
        code = name_find(mount, parent_to, child_to, to);
    if (code == 0)
        code = attributes_find(mount, 0, from, &source);
    if (code == 0 && S_ISDIR(source.st_mode))
        code = -EXDEV; /* mv then copies the files */
    if (code == 0 && strcmp(from, to) != 0) {
        int found = attributes_find(mount, 0, to, &target);
        if (found == 0 && S_ISDIR(target.st_mode))
            code = -EISDIR;
        else if (found == 0 && flags == NO_REPLACE)
            code = -EEXIST;
        else
            code = writer_rename(mount, from, to);
        if (code == 0)
            code = fuse_nodes_rename(&mount->nodes, from, to) ? 0 : -ENOMEM;
    }
    note(mount, "rename", to, code);
    fuse_reply_err(request, -code);
}

void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode)
{
    struct mount *mount = mount_of(request);
    struct fuse_entry_param entry = {.ino = 0};
    struct stat attributes;
    char name[NAME_MAX_BYTES] = "";
    int code = name_find(mount, parent, child, name);
    (void)mode;
    if (code == 0 && attributes_find(mount, 0, name, &attributes) == 0)
        code = -EEXIST;
    if (code == 0)
        code = folder_add(mount, name);
    if (code == 0)
        code = entry_make(mount, name, &entry);
    if (code != 0)
        fuse_reply_err(request, -code);
    else if (fuse_reply_entry(request, &entry) != 0)
        fuse_nodes_forget(&mount->nodes, entry.ino, 1);
}

static int is_occupied(void *context, const struct forebay_entry *entry)
{
    (void)context;
    (void)entry;
    return 1;
}

void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char *child)
{
    struct mount *mount = mount_of(request);
    char name[NAME_MAX_BYTES] = "";
    int code = name_find(mount, parent, child, name);
    if (code == 0)
        code = folder_list(mount, name, is_occupied, NULL);
    if (code == 0)
        code = mount_list(mount, name, is_occupied, NULL);
    if (code > 0)
        code = -ENOTEMPTY;
    bool was_made = code == 0 || code == -ENOENT ? folder_remove(mount, name) : false;
    if (code == -ENOENT && was_made)
        code = 0;
    fuse_reply_err(request, -code);
}

/* Of a file that this request alone writes. */
static int size_set(struct mount *mount, const char *name, uint64_t size)
{
    struct mount_writer *writer;
    int code = writer_open(mount, name, false, &writer);
    if (code != 0)
        return code;
    code = writer_truncate(writer, size);
    if (code == 0)
        code = writer_commit(writer);
    writer_close(mount, writer);
    return code;
}

/* A size is set; modes, owners and times are taken and forgotten, for cp -p and the like. */
void do_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int which,
                struct fuse_file_info *info)
{
    struct mount *mount = mount_of(request);
    struct mount_writer *writer = writer_of(info);
    struct stat attributes;
    char name[NAME_MAX_BYTES];
    int code = name_find(mount, inode, NULL, name);
    if (code == 0 && (which & FUSE_SET_ATTR_SIZE) != 0)
        code = writer != NULL ? writer_truncate(writer, (uint64_t)wanted->st_size)
                              : size_set(mount, name, (uint64_t)wanted->st_size);
    if (code == 0)
        code = attributes_find(mount, inode, name, &attributes);
    if (code != 0)
        fuse_reply_err(request, -code);
    else
        fuse_reply_attr(request, &attributes, 0);
}
