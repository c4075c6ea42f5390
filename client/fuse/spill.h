/* A file's content that is changed in the middle: what was changed lies in a local file that has no
 * name, the rest is a version in the cache; see spill.c. */
#ifndef FB_CLIENT_FUSE_SPILL_H
#define FB_CLIENT_FUSE_SPILL_H

#include "client/fuse/mount.h"

struct mount_spill;

/* Reads a version's bytes: of the caller's. Returns how many: fewer at its end; or -errno. */
typedef int64_t spill_base_read(void *context, void *bytes, uint64_t size, uint64_t offset);

struct spill_base {
    spill_base_read *read;
    void *context;
    uint64_t size;
};

/* folder: for the file. Errors: -errno. */
int spill_open(const char *folder, const struct spill_base *base, struct mount_spill **spill);
void spill_close(struct mount_spill *spill); /* NULL: nothing */

/* Errors: -ENOSPC: no room in the folder; of the base. */
int spill_write(struct mount_spill *spill, const void *bytes, uint64_t size, uint64_t offset);
/* Reads size bytes; zeros where there is nothing. */
int spill_read(struct mount_spill *spill, void *bytes, uint64_t size, uint64_t offset);
/* Nothing is left from size on. */
int spill_cut(struct mount_spill *spill, uint64_t size);
/* Takes all of the base over, which is going to go. */
int spill_fill(struct mount_spill *spill);

#endif
