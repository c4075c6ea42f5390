/* The last reads of this machine's clients, for `forebay explain`: what each was answered and how
 * long it took. Hits in memory have a ring of their own, so that they do not push out the reads
 * that somebody asks about. */
#ifndef FB_HW_LOCAL_READS_H
#define FB_HW_LOCAL_READS_H

#include "client/protocol/page.h"

enum { FB_READS_HITS = 256, FB_READS_OTHERS = 1024 }; /* kept of each kind */

/* One read, and how it was answered. */
struct fb_read_note {
    struct fb_key key;
    uint64_t replied_ns; /* of the loop's clock; 0: none */
    uint32_t latency_us;
    uint32_t index;  /* of the block in its object */
    uint32_t source; /* node; FB_NONE: the origin */
    uint16_t status; /* enum fb_status */
    uint16_t reason; /* enum fb_reason */
};

/* Both rings of notes. */
struct fb_reads {
    struct fb_read_note hits[FB_READS_HITS], others[FB_READS_OTHERS];
    uint32_t hit_count, other_count; /* in all; only grow */
};

/* Notes a read in the ring that it belongs to. */
void fb_reads_note(struct fb_reads *reads, const struct fb_read_note *note);

/* Fills in the last read of each of the blocks of an object, which are `count` from block `first`
 * on. */
void fb_reads_of_object(const struct fb_reads *reads, uint64_t handle, uint64_t now_ns,
                        struct fb_local_block *blocks, uint32_t count);

/* The same of the one block with a key. */
void fb_reads_of_key(const struct fb_reads *reads, struct fb_key key, uint64_t now_ns,
                     struct fb_local_block *block);

#endif
