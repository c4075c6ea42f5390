/* How a node moves blocks between itself and the origin, in one place: forebayd does it, the
 * simulator reckons by it.
 *
 *  1. A block is moved by requests of part_size each, but the last, at once; of 0, or of at least
 *     the block, it is one.
 *  2. A node has requests_max requests under way, whatever blocks they are of; more wait.
 *  3. A block that is read is tried tries_max times. Ranges of it that fail together are one try;
 *     between two tries is a pause. */
#ifndef FB_BASE_ORIGIN_CLIENT_H
#define FB_BASE_ORIGIN_CLIENT_H

#include "base/document.h"

#include <stdint.h>

/* As people write them. part_size: guess, 4 MiB to 32 MiB: what client libraries ask for at once;
 * measure with forebay calibrate at several. */
#define FB_ORIGIN_PART_SIZE "8 MiB"
#define FB_ORIGIN_REQUESTS "64"
#define FB_ORIGIN_TRIES "7"

#define FB_ORIGIN_PART_FAULT \
    "is less than 4 KiB: raise it, or write 0 B for blocks of one request each"

/* What people may say. */
enum {
    FB_ORIGIN_PART_BYTES_MIN = 4096, /* or 0 */
    FB_ORIGIN_PART_BYTES_MAX = 1 << 30,
    FB_ORIGIN_REQUESTS_MAX = 4096,
    FB_ORIGIN_TRIES_MAX = 20
};

/* What a node is told of it. */
struct fb_origin_client {
    uint64_t part_bytes; /* 0: a block is one request */
    uint32_t requests_max, tries_max;
};

/* Requests that `size` bytes are moved by. */
uint64_t fb_origin_parts(uint64_t part_bytes, uint64_t size_bytes);
/* The bytes of the one that begins at `from`. */
uint64_t fb_origin_part(uint64_t part_bytes, uint64_t size_bytes, uint64_t from);

/* Reads the three keys of a map; what is not written is as above. Errors: the map's. */
void fb_origin_client_read(struct fb_map *map, struct fb_origin_client *client);

/* The part_size of a store, whose parts have at least so many bytes; least_bytes 0: a block is
 * stored in one request. */
uint64_t fb_origin_store_part(uint64_t part_bytes, uint64_t least_bytes);

/* The pause before the next try, when `failed` have failed: it doubles, with jitter. */
uint64_t fb_origin_pause_ns(uint32_t failed, uint64_t random);

#endif
