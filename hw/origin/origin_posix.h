/* Shared by the files of the POSIX origin.
 *
 * Versions. A time of change alone does not tell two contents of a file apart: clocks are coarse,
 * and cp -p, rsync -t and tar keep times. So the origin's word for a file is a digest of its times
 * of change (mtime and ctime), inode and size. A commit sets mtime to its own version, so that each
 * node knows the commit's object by it (fb_objects_recognise). What orders a file among commits is
 * the earlier of mtime and ctime: ctime cannot be set to a time that has not come, and mtime may be
 * older because a commit's is. Where the file system has no inodes that last (FUSE), they are left
 * out. */
#ifndef FB_HW_ORIGIN_ORIGIN_POSIX_H
#define FB_HW_ORIGIN_ORIGIN_POSIX_H

#include "hw/origin/origin.h"

enum {
    POSIX_FOLDER_MODE = 0777,
    POSIX_FILE_MODE = 0666,
    POSIX_PATH_BYTES = FB_OBJECT_NAME_MAX + 64,
    POSIX_OWN_BYTES = 128 /* of a name of our own, with node, process and task in it */
};

/* A listing that goes on: its folder's names as they were when it began. */
struct posix_names {
    char **list;
    uint64_t count, room, bytes;
};

enum {
    POSIX_LISTINGS_MAX = 8,
    POSIX_ORPHANS_MAX = 32, /* found in one look; those left are found in the next */
    POSIX_WATCHES_MAX = 256 /* old folders of blocks that are watched; others wait for a place */
};

/* A folder of blocks that is old: seen first, and last, as it was changed then. handle 0: none. */
struct posix_watch {
    uint64_t handle, changed_ns, since_ns, seen_ns;
    bool is_told; /* it has been seen as it is for so long that it was told of */
};

#define POSIX_NAME_FILE ".name" /* among blocks: whose they are */

/* What a name in a folder of blocks is, by its form. */
enum posix_own {
    POSIX_OWN_NOT,
    POSIX_OWN_BLOCK,
    POSIX_OWN_HALF,
    POSIX_OWN_NAME,
    POSIX_OWN_NEAR,
};

/* A lock that another has. */
struct posix_held {
    uint64_t key, since_ns, seen_ns;
    bool is_told;
};

/* For how long a lock is tried, and for which name; as the log tells it. */
struct posix_patience {
    const char *name;
    uint64_t ns;
};

struct posix_listing {
    char folder[FB_OBJECT_NAME_MAX + 1];
    struct posix_names names;
    uint64_t used; /* when, counted; 0: free */
    bool is_lent;  /* to a worker */
};

struct posix_origin {
    int root;
    bool has_inodes;
    bool is_collecting;
    uint64_t collect_ns; /* when what is left over is looked for */
    uint64_t looked_ns;  /* when the last look for it began */
    uint64_t orphan_age_ns;
    struct fb_offload_task collect;
    struct fb_origin *origin;
    uint32_t orphan_count;
    struct fb_object orphans[POSIX_ORPHANS_MAX];
    struct posix_watch watches[POSIX_WATCHES_MAX];
    struct fb_anchor *anchor; /* of the root */
    bool is_looking;
    uint64_t look_ns; /* when the path is looked at again */
    struct fb_offload_task look;
    _Atomic uint32_t owner_seen; /* of our folder, mapped by a server, + 1; 0: none */
    pthread_mutex_t mutex;       /* of what follows */
    struct posix_held held;
    uint64_t uses;
    struct posix_listing listings[POSIX_LISTINGS_MAX];
};

static inline struct posix_origin *posix_of(const struct fb_origin *origin)
{
    return origin->internal;
}

uint64_t posix_identity(const struct posix_origin *posix, const struct statx *facts);
uint64_t posix_order(const struct statx *facts);
/* Time of change as a commit's version; 0: it cannot be one. */
uint64_t posix_written(const struct statx *facts);
/* Facts of a name in a folder, itself if it is a link; false: there is none. */
bool posix_facts(int folder, const char *path, struct statx *facts);

/* The name without symbolic links, when links lead about within the origin, also by absolute paths.
 * resolved: POSIX_PATH_BYTES. Errors: -errno; -EXDEV: it leads out. */
int posix_resolve(int root, const char *name, char *resolved);
/* Opens a folder below the root, wherever links within it lead. Errors: -errno. */
int posix_folder_open(int root, const char *path);

void fb_origin_posix_list(struct fb_origin_task *task);
void posix_listings_free(struct posix_origin *posix);

/* STORE, COMMIT, REMOVE. */
void fb_origin_posix_write(struct fb_origin_task *task);
/* origin_posix_collect.c: what writers that died have left; now and then. */
void fb_origin_posix_collect(struct fb_origin *origin);
/* Says in a folder of blocks whose they are, if nothing does yet. Errors: -errno. */
int posix_name_put(int folder, const struct fb_object *object);

/* origin_posix_parts.c. Is .forebay-parts none, or a folder that may be entered? error: what it is
 * and how it is mended. */
bool posix_parts_are_fine(int root, const char *path, struct fb_error *error);
/* That folder, and the one in it of the object's blocks; made, if wanted and not there; and any
 * folder that is not led to by links. Errors: -errno; -EPERM: it is a stranger's. */
int posix_parts_open(struct posix_origin *posix, bool is_made);
int posix_blocks_open(struct fb_origin_task *task, bool is_made);
int posix_own_open(int folder, const char *name);
/* Has it the form of a folder of blocks? */
bool posix_is_handle(const char *name);
enum posix_own posix_own_kind(const char *name);
/* Name for the file that a commit makes among its blocks. */
void posix_commit_name(const struct fb_origin_task *task, char name[POSIX_OWN_BYTES]);
/* Name for one beside the target, which a mark among the blocks tells of; and both go. Errors:
 * -errno. */
int posix_near_put(const struct fb_origin_task *task, int blocks, char mark[POSIX_OWN_BYTES],
                   char name[POSIX_OWN_BYTES]);
void posix_near_remove(int root, int blocks, const char *mark, const struct fb_object *object);
void posix_parts_remove(struct fb_origin_task *task);

/* Keeps other nodes from changing what a name means, or a file of several names, until the lock is
 * closed. Errors: -errno; -EAGAIN: another has it, and kept it for as long as the patience. */
int posix_lock_open(struct posix_origin *posix);
int posix_lock_name(struct posix_origin *posix, int lock, const struct posix_patience *patience);
int posix_lock_inode(struct posix_origin *posix, int lock, uint64_t inode,
                     const struct posix_patience *patience);

/* origin_posix_rewrite.c. What was begun with a file of several names is finished before it is
 * looked at: by a commit or removal, by a read (facts: of the file), and what is marked among the
 * folders of blocks. Errors: -errno; -EAGAIN: it is not finished yet. */
int posix_rewrite_settle(struct posix_origin *posix, int folder, const char *base);
int posix_rewrite_mend(struct posix_origin *posix, const struct statx *facts, const char *name);
void posix_rewrites_finish(struct posix_origin *posix, int parts, const char *entry);
/* Path of what is there while the file is torn; path: at least 64 bytes. */
void posix_rewrite_path(const struct posix_origin *posix, const struct statx *facts, char *path);

struct posix_rewrite {
    const struct fb_object *object;
    int blocks, folder; /* that the whole new file is in, and the target */
    const char *from, *base;
};
/* Replaces the target's bytes, size and time by those of the whole file, which goes. lock: of the
 * name. Errors: -errno, nothing was replaced; -EAGAIN: or it is begun, and will be finished. */
int posix_rewrite(struct posix_origin *posix, int lock, const struct posix_rewrite *rewrite);

/* origin_posix_copy.c. So many bytes, from where each file is; any thread. Errors: -errno. */
int posix_copy(int from, int to, uint64_t size);
int posix_write(int file, struct fb_bytes bytes);

/* Before and after a change, on a worker: is the root still what origin.path names? 0, or -EIO. */
int posix_misplaced(struct fb_origin_task *task);

/* Makes the name of the object the one that it leads to by links, also where the origin has no such
 * file yet, but its folder. false: to none, or not to another one. */
bool posix_lead(int root, struct fb_object *object);

/* PLACE. */
void fb_origin_posix_place(struct fb_origin_task *task);

/* CHANGE. */
void fb_origin_posix_change(struct fb_origin_task *task);

/* A name's last part, and the folder that it is in, opened; posix_folders_make: made, if need be.
 * No symbolic link leads out of the origin. Errors: -errno. */
const char *posix_base_of(const char *name);
int posix_parent_open(int root, const char *name);
int posix_folders_make(int root, const char *name);

/* Path of a block of an object that is not committed; path: at least 64 bytes. */
void fb_origin_posix_part(const struct fb_origin_task *task, char *path);

#endif
