/* Files that are being written through the mount; see writer.c. */
#ifndef FB_HW_FUSE_WRITER_H
#define FB_HW_FUSE_WRITER_H

#include "hw/fuse/mount.h"

#include <stdatomic.h>

struct mount_writer {
    pthread_mutex_t mutex;         /* of all below but next */
    struct mount_writer *next;     /* mount->writers */
    struct forebay_client *client; /* its own: one file at a time has a client's arena */
    struct forebay_file *file;     /* NULL: all that was written is committed */
    unsigned char *window;         /* the last bytes, not given to the library yet */
    uint64_t sent, held;           /* bytes before the window; bytes in it */
    enum forebay_level level;
    atomic_bool is_removed; /* unlinked: nothing of it is committed any more */
    int error;              /* the first; the file is lost then */
    _Atomic uint64_t size;
    _Atomic uint64_t owner; /* who wrote last, as the kernel names processes; 0: nobody */
    char name[FB_OBJECT_NAME_MAX + 1]; /* changes with writers_mutex and mutex held */
};

/* A writer of a name. is_new: begins an empty version now; else what is there stays, and is copied
 * when the first change comes. All return 0 or -errno. */
int writer_open(struct mount *mount, const char *name, bool is_new, struct mount_writer **writer);
int writer_write(struct mount_writer *writer, const void *bytes, uint64_t size, uint64_t offset);
int writer_truncate(struct mount_writer *writer, uint64_t size);
/* Returns how many bytes were read. */
int64_t writer_read(struct mount_writer *writer, void *bytes, uint64_t size, uint64_t offset);
/* Makes what was written visible under its name, at the mount's level. */
int writer_commit(struct mount_writer *writer);
/* Commits what is left, unless the file was removed; the writer is gone. */
void writer_close(struct mount *mount, struct mount_writer *writer);

/* The size of a file that is being written; false: nobody writes it. */
bool writer_size(struct mount *mount, const char *name, uint64_t *size);
/* Removes a name, also one that nobody but its writer sees yet. */
int writer_remove(struct mount *mount, const char *name);
/* Commits a name's writer, copies the content to `to`, and removes `from`. */
int writer_rename(struct mount *mount, const char *from, const char *to);

#endif
