/* What the page behind a reply has: of LIST, PENDING and ENTRIES a folder's entries, of EXPLAIN
 * blocks; see local_protocol.h. */
#ifndef FB_CLIENT_PROTOCOL_PAGE_H
#define FB_CLIENT_PROTOCOL_PAGE_H

#include "core/node/node.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* What has the name. */
enum fb_local_entry_kind {
    FB_LOCAL_ENTRY_FILE,
    FB_LOCAL_ENTRY_FOLDER,
    FB_LOCAL_ENTRY_OTHER /* LIST_PLAIN: a link, a FIFO, ... */
};

/* What LIST says of a folder. */
enum {
    FB_LOCAL_LIST_STANDS = 1, /* it is there whatever is in it: an object marks it, or it has such
                                 as no name can be given to */
    FB_LOCAL_LIST_KEYED = 2,  /* entries come in the order of objects' names, in which a folder's
                                 ends with a slash, and one may come again as a folder */
};

/* An entry of a LIST page; its name follows, then the next entry, 8-aligned. */
struct fb_local_entry {
    uint64_t size; /* of a folder of objects: of the one that has its name, too; 0: none */
    uint32_t name_length;
    uint16_t kind;    /* enum fb_local_entry_kind */
    uint16_t is_gone; /* PENDING: removed */
};

/* strcmp, of objects' names: a folder's ends with a slash. */
static inline int fb_local_key_order(const char *first, bool is_first_folder, const char *second,
                                     bool is_second_folder)
{
    while (*first != '\0' && *first == *second) {
        first++;
        second++;
    }
    int one = *first != '\0' ? (unsigned char)*first : is_first_folder ? '/' : 0;
    int other = *second != '\0' ? (unsigned char)*second : is_second_folder ? '/' : 0;
    return one - other;
}

/* Where a block is, and how its last read went, of those that are remembered (reads.h). */
struct fb_local_block {
    uint64_t index;
    uint64_t age_ns;     /* since the last read's reply */
    uint64_t latency_ns; /* of it */
    uint32_t source;     /* node that the bytes came from; FB_NONE: the origin */
    uint8_t is_read;     /* it was, and is remembered: the last read's fields count */
    uint8_t status;      /* enum fb_status */
    uint8_t reason;      /* enum fb_reason */
    uint8_t reserved;
    struct fb_found found;
};

static_assert(sizeof(struct fb_local_block) == 80, "shared");

/* Bytes of an entry with its name. */
static inline uint32_t fb_local_entry_bytes(uint32_t name_length)
{
    return ((uint32_t)sizeof(struct fb_local_entry) + name_length + 7) / 8 * 8;
}

#endif
