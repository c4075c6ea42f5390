/* What the POSIX origin keeps beside the objects: folders of blocks that are not committed yet,
 * locks, and files of several names that are being replaced. */
#ifndef FB_HW_ORIGIN_POSIX_PARTS_H
#define FB_HW_ORIGIN_POSIX_PARTS_H

#include "base/document.h"
#include "hw/origin/origin_task.h"

struct posix_origin;

enum { POSIX_OWN_BYTES = 128 }; /* of a name of our own, with node, process and task in it */

#define POSIX_NAME_FILE ".name" /* among blocks: whose they are */

/* What a name in a folder of blocks is, by its form. */
enum posix_own {
    POSIX_OWN_NOT,
    POSIX_OWN_BLOCK,
    POSIX_OWN_HALF,
    POSIX_OWN_NAME,
    POSIX_OWN_NEAR,
};

/* Says in a folder of blocks whose they are, by a file that is written as `beside` at first, and so
 * is whole or not there. Errors: -errno. */
int posix_name_put(int folder, const struct fb_object *object, const char *beside);

/* origin_posix_parts.c. Is .forebay-parts none, or a folder that may be entered? error: what it is
 * and how it is mended. */
bool posix_parts_are_fine(int root, const char *path, struct fb_error *error);
/* That folder, and the one in it of the object's blocks; if wanted made, if it is not there, and so
 * that it lasts; and any folder that is not led to by links. Errors: -errno; -EPERM: it is a
 * stranger's. */
int posix_parts_open(struct posix_origin *posix, bool is_made);
/* The folder of the task's object's blocks. */
int posix_blocks_open(struct fb_origin_task *task, bool is_made);
/* Any folder below another, without links. */
int posix_own_open(int folder, const char *name);
/* Has it the form of a folder of blocks? */
bool posix_is_handle(const char *name);
/* What a name among blocks is. */
enum posix_own posix_own_kind(const char *name);
/* Name for the file that a commit makes among its blocks. */
void posix_commit_name(const struct fb_origin_task *task, char name[POSIX_OWN_BYTES]);
/* Name for one beside the target, which a mark among the blocks tells of; and both go. Errors:
 * -errno. */
int posix_near_put(const struct fb_origin_task *task, int blocks, char mark[POSIX_OWN_BYTES],
                   char name[POSIX_OWN_BYTES]);
/* Removes the file that the mark tells of, and the mark. */
void posix_near_remove(int root, int blocks, const char *mark, const struct fb_object *object);
/* Removes the object's blocks and their folder; what fails stays. */
void posix_parts_remove(struct fb_origin_task *task);

/* Path of a block of an object that is not committed; path: at least 64 bytes. */
void fb_origin_posix_part(const struct fb_origin_task *task, char *path);

/* For how long a lock is tried, and for which name; as the log tells it. */
struct posix_patience {
    const char *name;
    uint64_t ns;
};

/* Keeps other nodes from changing what a name means, or a file of several names, until the lock is
 * closed. Errors: -errno; -EAGAIN: another has it, and kept it for as long as the patience. */
int posix_lock_open(struct posix_origin *posix);
/* Locks the name of the patience. */
int posix_lock_name(struct posix_origin *posix, int lock, const struct posix_patience *patience);
/* Locks an inode; the name is for the log. */
int posix_lock_inode(struct posix_origin *posix, int lock, uint64_t inode,
                     const struct posix_patience *patience);

/* origin_posix_rewrite.c. What was begun with a file of several names is finished before it is
 * looked at: by a commit or removal, by a read (facts: of the file), and what is marked among the
 * folders of blocks. Errors: -errno; -EAGAIN: it is not finished yet. */
int posix_rewrite_settle(struct posix_origin *posix, int folder, const char *base);
/* By a read; facts: of the file. */
int posix_rewrite_mend(struct posix_origin *posix, const struct statx *facts, const char *name);
/* An entry among the folders of blocks, if it marks one. */
void posix_rewrites_finish(struct posix_origin *posix, int parts, const char *entry);
/* Path of what is there while the file is torn; path: at least 64 bytes. */
void posix_rewrite_path(const struct posix_origin *posix, const struct statx *facts, char *path);

/* A file of several names, what is to be in it, and where both are. */
struct posix_rewrite {
    const struct fb_object *object;
    int blocks, folder; /* that the whole new file is in, and the target */
    const char *from, *base;
};
/* Replaces the target's bytes, size and time by those of the whole file, which goes. lock: of the
 * name. Errors: -errno, nothing was replaced; -EAGAIN: or it is begun, and will be finished. */
int posix_rewrite(struct posix_origin *posix, int lock, const struct posix_rewrite *rewrite);

#endif
