/* Content tags of a region of memory or device that is cut into chunks of FB_UNITS_PER_CHUNK units:
 * one word for each unit at which an extent begins.
 *
 * Most extents are whole chunks, so a chunk has one word; the words of its other units are
 * allocated when one of them is first used. A region that is only used by whole chunks costs 16 B a
 * chunk instead of 512. */
#ifndef FB_SIM_WORLD_TAGS_H
#define FB_SIM_WORLD_TAGS_H

#include <stdbool.h>
#include <stdint.h>

struct fb_error;

/* The words of a chunk's units. */
struct fb_tags_chunk {
    uint64_t first; /* of unit 0 */
    uint64_t *rest; /* of the units from 1 on; NULL: never used */
};

/* The tags of a region; zeroed they are empty. */
struct fb_tags {
    struct fb_tags_chunk *chunks;
    uint64_t count;
};

/* Errors: out of memory, and it is empty. */
void fb_tags_open(struct fb_tags *tags, uint64_t chunks, struct fb_error *error);
/* Frees all words, and it is empty. */
void fb_tags_close(struct fb_tags *tags);

/* The word of a unit, 0 at first. Without memory for it the program ends. */
uint64_t *fb_tags_at(struct fb_tags *tags, uint64_t unit);

#endif
