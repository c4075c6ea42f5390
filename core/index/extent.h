/* Extents: contiguous runs of units in a region (memory or device) cut into chunks of 64 units.
 *
 * Invariants:
 *  1. A chunk has one uint64_t: bit set = unit free. An extent lies inside one chunk.
 *  2. Chunks hang in one of 65 lists by their longest free run (0..64); a uint64_t tells which
 * lists of length 1..64 are not empty. Allocation takes the shortest run that is long enough, and
 * in it the lowest run of sufficient length: best fit, deterministic.
 *  3. Freeing gives back exactly what was allocated; double frees assert.
 * No pointers inside; lives in the caller's memory. */
#ifndef FB_CORE_INDEX_EXTENT_H
#define FB_CORE_INDEX_EXTENT_H

#include "core/limits.h"

struct fb_extents;

/* Bytes to reserve, 8-aligned; usable in static_assert. */
#define FB_EXTENTS_SIZE_BYTES(chunks) (320u + (uint64_t)(chunks)*24u)

/* chunks: 1 or more, all of them free; the block is FB_EXTENTS_SIZE_BYTES(chunks) bytes, any
 * content. */
void fb_extents_init(struct fb_extents *extents, uint32_t chunks);

/* First unit of a run of `units` (1..64) free units, now taken; FB_NONE when no chunk has one. */
uint32_t fb_extents_allocate(struct fb_extents *extents, uint32_t units);

/* Takes this very run. False: it is not inside one chunk, or some of it is taken. */
_Bool fb_extents_take(struct fb_extents *extents, uint64_t first_unit, uint32_t units);

/* Frees what fb_extents_allocate returned, with the same `units`. */
void fb_extents_free(struct fb_extents *extents, uint32_t first_unit, uint32_t units);

/* Units taken now. */
uint64_t fb_extents_used_units(const struct fb_extents *extents);

/* Walks the lists and asserts that they agree with the bitmaps. For tests. */
void fb_extents_check(const struct fb_extents *extents);

#endif
