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

/* Modes of what is made, bytes of a path. */
enum {
    POSIX_FOLDER_MODE = 0777,
    POSIX_FILE_MODE = 0666,
    POSIX_PATH_BYTES = FB_OBJECT_NAME_MAX + 64,
};

/* A listing that goes on: its folder's names as they were when it began. */
struct posix_names {
    char **list;
    uint64_t count, room, bytes;
};

/* What is kept at most. */
enum {
    POSIX_LISTINGS_MAX = 8,
    POSIX_ORPHANS_MAX = 32,  /* found in one look; those left are found in the next */
    POSIX_WATCHES_MAX = 256, /* old folders of blocks that are watched; others wait for a place */
    POSIX_SYNCED_MAX = 1024  /* folders known to last; others' parents are synced again */
};

/* A folder of blocks that is old: seen first, and last, as it was changed then. handle 0: none. */
struct posix_watch {
    uint64_t handle, changed_ns, since_ns, seen_ns;
    bool is_told; /* it has been seen as it is for so long that it was told of */
};

/* A lock that another has. */
struct posix_held {
    uint64_t key, since_ns, seen_ns;
    bool is_told;
};

struct posix_listing { /* One that goes on. */
    char folder[FB_OBJECT_NAME_MAX + 1];
    struct posix_names names;
    uint64_t used; /* when, counted; 0: free */
    bool is_lent;  /* to a worker */
};

struct posix_origin { /* The backend. */
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
    _Atomic uint64_t synced[POSIX_SYNCED_MAX]; /* see origin_posix_sync.c */
    _Atomic uint32_t owner_seen;               /* of our folder, mapped by a server, + 1; 0: none */
    pthread_mutex_t mutex;                     /* of what follows */
    struct posix_held held;
    uint64_t uses;
    struct posix_listing listings[POSIX_LISTINGS_MAX];
};

/* The backend of an origin of this kind. */
static inline struct posix_origin *posix_of(const struct fb_origin *origin)
{
    return origin->internal;
}

/* The origin's word for a file. */
uint64_t posix_identity(const struct posix_origin *posix, const struct statx *facts);
uint64_t posix_order(const struct statx *facts); /* ns since 1970; orders it. */
/* Time of change as a commit's version; 0: it cannot be one. */
uint64_t posix_written(const struct statx *facts);
/* Facts of a name in a folder, itself if it is a link; false: there is none. */
bool posix_facts(int folder, const char *path, struct statx *facts);

/* The name without symbolic links, when links lead about within the origin, also by absolute paths.
 * resolved: POSIX_PATH_BYTES. Errors: -errno; -EXDEV: it leads out. */
int posix_resolve(int root, const char *name, char *resolved);
/* Opens a folder below the root, wherever links within it lead. Errors: -errno. */
int posix_folder_open(int root, const char *path);

void fb_origin_posix_list(struct fb_origin_task *task); /* LIST. */
void posix_listings_free(struct posix_origin *posix);   /* Frees all. */

/* STORE, COMMIT, REMOVE. */
void fb_origin_posix_write(struct fb_origin_task *task);
/* origin_posix_collect.c: what writers that died have left; now and then. */
void fb_origin_posix_collect(struct fb_origin *origin);
/* origin_posix_copy.c. So many bytes, from where each file is; any thread. Errors: -errno. */
int posix_copy(int from, int to, uint64_t size);
int posix_write(int file, struct fb_bytes bytes); /* Writes all of the bytes. */
/* A file of our own with these bytes, whole or not at all: written beside, synced, and renamed. The
 * folder is still to be synced. Errors: -errno. */
int posix_file_put(int folder, const char *beside, const char *name, struct fb_bytes bytes);

/* Before and after a change, on a worker: is the root still what origin.path names? 0, or -EIO. */
int posix_misplaced(struct fb_origin_task *task);

/* Makes the name of the object the one that it leads to by links, also where the origin has no such
 * file yet, but its folder. false: to none, or not to another one. */
bool posix_lead(int root, struct fb_object *object);

/* PLACE. */
void fb_origin_posix_place(struct fb_origin_task *task);

/* CHANGE. */
void fb_origin_posix_change(struct fb_origin_task *task);

const char *posix_base_of(const char *name); /* the last part of a name, in it */
/* Opens the folder that a name is in. No symbolic link leads out of the origin. Errors: -errno. */
int posix_parent_open(int root, const char *name);
/* The same, made, if wanted, so that it lasts with all above it. */
int posix_folders_open(struct posix_origin *posix, const char *name, bool is_made);
/* The last folder of the path that is there, open; path is cut to it, "" is the root. */
int posix_deepest_open(int root, char *path);

/* origin_posix_sync.c: from then on the folder's entries last. Errors of all: -errno. */
int posix_folder_sync(int folder);
/* So does the entry of the folder, at path, in its parent. */
int posix_entry_sync(struct posix_origin *posix, int parent, int folder, const char *path);
/* So do the name and all folders that it is in. */
int posix_name_sync(struct posix_origin *posix, const char *name);
/* After a folder was moved: of no folder it is known any more. */
void posix_entries_forget(struct posix_origin *posix);

#endif
