/* What the files of FUSE operations share. Include after FUSE_USE_VERSION is defined. */
#ifndef FB_CLIENT_FUSE_OPERATIONS_H
#define FB_CLIENT_FUSE_OPERATIONS_H

#include "client/fuse/mount.h"
#include "client/fuse/writer.h"

#include <errno.h>
#include <fuse_lowlevel.h>

/* The processes that wrote through an open file since it was committed; see close.c. */
enum { FILE_PROCESSES_MAX = 8 };
struct file_writers {
    int thread; /* that wrote last, and whose process is one of them; 0: none */
    uint32_t count;
    int processes[FILE_PROCESSES_MAX];
    bool is_anyone; /* more of them, or one that is not known: whoever closes it commits */
};

/* An open file. */
struct mount_file {
    struct fuse_node *node;
    struct mount_writer *writer; /* NULL: open for reading */
    struct file_writers by;
    bool is_begun; /* the open made or emptied it, which is not committed yet */
    char *text;    /* a file of the mount itself; NULL: of the origin */
    uint64_t text_size;
};

static inline struct mount *mount_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static inline struct fuse_node *node_of(fuse_req_t request, fuse_ino_t inode)
{
    return inode == FUSE_ROOT_ID ? &mount_of(request)->nodes.root
                                 : (struct fuse_node *)(uintptr_t)inode;
}

static inline struct mount_file *file_of(const struct fuse_file_info *info)
{
    return info != NULL ? (struct mount_file *)(uintptr_t)info->fh : NULL;
}

/* The name of a node, or of its child; 0 or -errno. */
static inline int name_of(fuse_req_t request, fuse_ino_t inode, const char *child,
                          char name[NAME_MAX_BYTES])
{
    return fuse_nodes_name(&mount_of(request)->nodes, node_of(request, inode), child, name,
                           NAME_MAX_BYTES);
}

/* The same of a child that is to be changed. */
int name_to_change(fuse_req_t request, fuse_ino_t parent, const char *child,
                   char name[NAME_MAX_BYTES]);
/* What makes something of this mode, type and rights, for who asks. */
struct client_change making_of(fuse_req_t request, mode_t mode);
void note(struct mount *mount, const char *operation, const char *name, int code);

/* file.c: the open file is nobody's any more. */
void file_free(struct mount *mount, struct mount_file *file);
/* close.c: a thread wrote through it, or cut it, which is done; 0: not known. */
void file_wrote(struct mount_file *file, int thread);

/* name.c: wait_begin of a call that goes on when its caller is killed, after which its request is
 * gone, and the kernel may forget the inode. Returns that, held until wait_end_holding. */
struct fuse_node *wait_begin_holding(fuse_req_t request, fuse_ino_t inode, struct mount_wait *wait);
bool wait_end_holding(struct mount *mount, struct fuse_node *node, struct mount_wait *wait);

/* Tells the kernel what a call found or made, if it is still to hear of it. */
void entry_reply(fuse_req_t request, struct mount *mount, bool is_asked, int code,
                 const struct fuse_entry_param *entry);

/* attributes.c */
bool is_own(const char *name); /* .stats and .accesslog */
/* What has a name now, also folders that an origin of objects knows of by what is in them. */
int found_find(struct mount *mount, const char *name, struct fuse_found *found);
/* Looks a child up, and tells the kernel: in entry; its inode is the caller's to forget. */
int entry_make(struct mount *mount, struct fuse_node *parent, const char *child,
               struct fuse_entry_param *entry);
/* Of a node as it is known. */
void attributes_fill(struct mount *mount, struct fuse_node *node, struct stat *attributes);
/* After a change of it by this mount: its version may have another name, but is the kernel's. */
void node_refresh(struct mount *mount, struct fuse_node *node, const char *name);
/* Fills in what a change does not want of a node as it is seen: where nothing is kept yet, that is
 * kept from then on. */
void attributes_seen(struct fuse_node *node, struct client_change *change);
/* The folders that a name is in get records, as they are seen: those that are there by their
 * objects alone have none. */
int folders_make(struct mount *mount, const char *name);
/* What had the name went: its folder stays in this mount where it was there by its files alone. */
void folder_remain(struct mount *mount, const char *name);
/* Sets mode, owner or times of a name; waits for what is not at the origin yet. */
int attributes_set(struct mount *mount, const char *name, const struct client_change *change);

/* Each is in the file of its idea: attributes.c, file.c, close.c, folder.c, name.c, xattr.c. */
void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *child);
void do_forget(fuse_req_t request, fuse_ino_t inode, uint64_t lookups);
void do_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int which,
                struct fuse_file_info *info);
void do_statfs(fuse_req_t request, fuse_ino_t inode);

void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_create(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode,
               struct fuse_file_info *info);
void do_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *info);
void do_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info);
void do_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_fsync(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info);
void do_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                  struct fuse_file_info *info);

void do_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                struct fuse_file_info *info);
void do_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_fsyncdir(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info);
void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode);
void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char *child);

void do_unlink(fuse_req_t request, fuse_ino_t parent, const char *child);
void do_rename(fuse_req_t request, fuse_ino_t parent, const char *child, fuse_ino_t parent_to,
               const char *child_to, unsigned int flags);
void do_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *child);
void do_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *child);
void do_readlink(fuse_req_t request, fuse_ino_t inode);
void do_mknod(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode, dev_t device);

void do_getxattr(fuse_req_t request, fuse_ino_t inode, const char *key, size_t size);
void do_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);
void do_setxattr(fuse_req_t request, fuse_ino_t inode, const char *key, const char *value,
                 size_t size, int flags);
void do_removexattr(fuse_req_t request, fuse_ino_t inode, const char *key);

#endif
