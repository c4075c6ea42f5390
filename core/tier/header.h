/* What a driver keeps on the device beside each chunk of it, so that a node that starts again finds
 * its blocks (R15): a page of headers, one for each unit at which a block may begin.
 *
 * Invariants:
 *  1. No two headers of a page overlap: a write replaces those of all bytes that it touches.
 *  2. A header says what was written, not what is there now: bytes are trusted through the digest.
 *  3. A driver keeps each page twice, and writes the first one first. A header that cannot be read
 *     in the one is taken from the other; one that can be read in neither may be of an owed block,
 *     and is never taken for an empty one.
 * Plain data without pointers, as it lies on the device; drivers store and fetch it. */
#ifndef FB_CORE_TIER_HEADER_H
#define FB_CORE_TIER_HEADER_H

#include "core/io.h"

/* The headers of a chunk's units. Stored. */
struct fb_header_page {
    struct fb_header headers[FB_UNITS_PER_CHUNK]; /* by the first unit */
};

static_assert(sizeof(struct fb_header) == 64, "stored");
static_assert(sizeof(struct fb_header_page) == 4096, "a page of the device");

/* The header of a WRITE's block. */
struct fb_header fb_header_of_write(const struct fb_op *op);

/* A write is done. unit_bytes: of a chunk's units; the header's position is in this chunk. */
void fb_header_put(struct fb_header_page *page, uint64_t unit_bytes,
                   const struct fb_header *header);

/* MARK: the block at this position of the device is not owed any more. */
void fb_header_settle(struct fb_header_page *page, uint64_t unit_bytes, uint64_t position);

/* What is not owed is forgotten; false: nothing was. */
_Bool fb_header_forget(struct fb_header_page *page);

/* The first header from `unit` on; FB_NONE: there is none. */
uint32_t fb_header_next(const struct fb_header_page *page, uint32_t unit);

/* Bytes of the page's owed blocks; *count: how many they are. */
uint64_t fb_header_owed_bytes(const struct fb_header_page *page, uint32_t *count);

/* Takes from the second copy of a page what cannot be read in the first. *_fine: bit maps by unit
 * of the headers that can be. Returns those that can be read in neither; in `page` they are empty
 * then, so that it can be used. */
uint64_t fb_header_join(struct fb_header_page *page, uint64_t page_fine,
                        const struct fb_header_page *second, uint64_t second_fine);

/* SCAN over pages in memory, by chunk (NULL: nothing was written there): the first header from
 * *cursor on, and the cursor of the next. False: there is none. */
_Bool fb_header_scan(struct fb_header_page *const *pages, uint64_t page_count, uint64_t *cursor,
                     struct fb_header *header);

#endif
