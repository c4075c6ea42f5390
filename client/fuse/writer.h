/* Files that are open for writing in the mount; see writer.c. */
#ifndef FB_CLIENT_FUSE_WRITER_H
#define FB_CLIENT_FUSE_WRITER_H

#include "client/fuse/mount.h"
#include "client/fuse/spill.h"

enum writer_state { WRITER_CLEAN, WRITER_STREAM, WRITER_SPILL };

struct mount_writer {
    struct mount *mount;
    struct fuse_node *node;    /* held */
    struct mount_writer *next; /* mount->writers; under writers_mutex, as users */
    uint32_t users;            /* handles, and calls that look at it */
    pthread_mutex_t mutex;     /* of what follows */
    enum writer_state state;
    struct fuse_object base;       /* CLEAN: the content; SPILL: what it began with */
    int64_t base_modified_ns;      /* its time of change */
    struct forebay_client *client; /* STREAM: once something is sent */
    struct forebay_file *file;
    unsigned char *window;       /* STREAM: the last bytes */
    uint64_t window_room;        /* bytes */
    uint64_t sent, held;         /* bytes before the window; bytes in it */
    struct mount_spill *spill;   /* SPILL */
    bool is_new;                 /* its first commit makes the name, with the node's attributes */
    bool is_set;                 /* these were set since */
    bool is_kept;                /* removed: its last handle is its last user */
    bool is_removed;             /* unlinked, or replaced: nothing of it is committed any more */
    bool is_copied;              /* SPILL: the base's bytes, whole and as they were */
    int error;                   /* the first that lost something */
    _Atomic uint64_t size;       /* bytes; what is behind the window's is zeros */
    _Atomic int64_t modified_ns; /* 0: not yet */
    _Atomic bool is_mapped;      /* written through a mapping: whoever closes it commits */
};

/* Time of day, since 1970. */
int64_t writer_wall_ns(void);

/* The writer of a file, one more user of it; is_new: makes one. NULL: none, or no memory. */
struct mount_writer *writer_acquire(struct mount *mount, struct fuse_node *node, bool is_new);
/* One more user of it; who calls is one. */
struct mount_writer *writer_hold(struct mount_writer *writer);
/* Nobody has the file open any more. */
void writer_let_go(struct mount *mount, struct fuse_node *node);
/* The last one commits what is left. */
void writer_release(struct mount_writer *writer);

/* All return 0 or -errno. */
int writer_write(struct mount_writer *writer, const void *bytes, uint64_t size, uint64_t offset);
int writer_truncate(struct mount_writer *writer, uint64_t size);
/* Returns how many bytes were read. */
int64_t writer_read(struct mount_writer *writer, void *bytes, uint64_t size, uint64_t offset);
/* Makes what was written visible under its name, at the mount's level. */
int writer_commit(struct mount_writer *writer);
/* The same, if nothing has its name yet. */
int writer_commit_new(struct mount_writer *writer);
/* Makes a file, empty, to be committed by the next close, whether something is written or not. */
int writer_begin_empty(struct mount_writer *writer);
/* The same of an empty file that is to be there, though nothing was written. */
int writer_commit_empty(struct mount_writer *writer);
/* Its content was changed by name: `object` is what it is now. */
void writer_rebase(struct mount_writer *writer, const struct fuse_object *object);

/* Before a name goes, or is another's: what it has is kept for those that have it open. */
void writer_remove(struct mount *mount, struct fuse_node *parent, const char *child);
/* The name stays after all, and what is written there is committed. */
void writer_remain(struct mount *mount, struct fuse_node *parent, const char *child);
/* Commits all that is written at a name, or below it; locked until writers_unlock. */
struct writers_locked {
    struct mount_writer **list;
    uint32_t count;
};
int writers_lock(struct mount *mount, struct fuse_node *node, struct writers_locked *locked);
void writers_unlock(struct writers_locked *locked);
/* ending.c: commits what all have, for the last time, and says what could not be. Returns how many
 * files that are. */
uint32_t writers_end(struct mount *mount);

/* A new version of `to` with the content of `from`, where an origin cannot rename; seen: what is
 * said of that, which goes at once where the mount can_move. -ENOENT: `from` went meanwhile;
 * -EAGAIN, -ESTALE: it, or `to`, has another version now. Then `to` is as it was. */
int writer_copy(struct mount *mount, const char *from, const char *to,
                const struct fb_attributes *seen);

#endif
