/* The table of headers on the device, behind the cache space: how a daemon that starts again finds
 * its blocks (R16 of core/io.h; core/header.h says what a page of it is).
 *
 *     cache space, core.device_size | superblock | names of objects | one page of headers a chunk
 *
 *  1. The table is of one cluster and one geometry; for another it is made anew, and empty.
 *  2. Each header has a checksum: one that was written half is none.
 *  3. It is written through the page cache: a killed daemon loses nothing, a loss of power what the
 *     kernel had not written; what was promised is synced before it is acknowledged.
 *  4. Names: the core knows objects by handles, which mean nothing without the daemon's table of
 *     names. Those of the last NAMES_MAX objects of which a block was promised are kept as well. */
#ifndef FB_HW_HEADERS_H
#define FB_HW_HEADERS_H

#include "core/header.h"
#include "hw/object.h"
#include "hw/settings.h"

enum { FB_HEADER_NAMES_MAX = 1024 };

struct fb_headers {
    int file; /* -1: there is no device tier */
    uint64_t base, chunks, block_bytes, unit_bytes;
    uint64_t names[FB_HEADER_NAMES_MAX]; /* handles */
    uint64_t name_sequence;              /* of the newest name */
    struct fb_header_page *scan;         /* pages that were read ahead; NULL: none */
    uint64_t scan_first, scan_count;     /* chunks */
    bool is_new;                         /* the table was made by this open */
};

/* Bytes of the table behind a cache space of that size. */
uint64_t fb_headers_size_bytes(uint64_t device_size_bytes, uint64_t block_size_bytes);

/* The device exists in its full size. Errors: error set. */
void fb_headers_open(struct fb_headers *headers, const struct fb_settings *settings,
                     struct fb_error *error);
void fb_headers_close(struct fb_headers *headers);

/* A block was written; IO: the table was not. */
enum fb_status fb_headers_put(struct fb_headers *headers, const struct fb_header *header);

/* It is not owed any more. A failure is logged. */
void fb_headers_settle(struct fb_headers *headers, uint64_t position);

/* SCAN: fills in status, header and next. */
void fb_headers_scan(struct fb_headers *headers, uint64_t cursor, struct fb_done *done);

/* Remembers the object's name, if it is not there yet. IO: it was not written. */
enum fb_status fb_headers_name_put(struct fb_headers *headers, const struct fb_object *object);

/* Makes the remembered names known. Returns how many. */
uint32_t fb_headers_names_load(struct fb_headers *headers, struct fb_objects *objects);

#endif
