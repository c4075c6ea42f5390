/* What the files of FUSE operations share. Include after FUSE_USE_VERSION is defined. */
#ifndef FB_HW_FUSE_OPERATIONS_H
#define FB_HW_FUSE_OPERATIONS_H

#include "hw/fuse/mount.h"
#include "hw/fuse/writer.h"

#include <fuse_lowlevel.h>

enum { NAME_MAX_BYTES = FB_OBJECT_NAME_MAX + 1 };

/* fuse.c */
bool is_own(const char *name); /* .stats and .accesslog */
int attributes_find(struct mount *mount, uint64_t inode, const char *name, struct stat *attributes);
int entry_make(struct mount *mount, const char *name, struct fuse_entry_param *entry);
extern const double cache_s; /* the kernel keeps names and facts this long */

/* xattr.c */
void do_getxattr(fuse_req_t request, fuse_ino_t inode, const char *key, size_t size);
void do_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);

/* change.c */
void do_create(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode,
               struct fuse_file_info *info);
void do_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info);
void do_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info);
void do_fsync(fuse_req_t request, fuse_ino_t inode, int is_data, struct fuse_file_info *info);
void do_unlink(fuse_req_t request, fuse_ino_t parent, const char *child);
void do_rename(fuse_req_t request, fuse_ino_t parent, const char *child, fuse_ino_t parent_to,
               const char *child_to, unsigned int flags);
void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char *child, mode_t mode);
void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char *child);
void do_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *wanted, int which,
                struct fuse_file_info *info);

#endif
