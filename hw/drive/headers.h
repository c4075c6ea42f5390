/* The tables of headers on the drive: how a daemon that starts again finds its blocks (R15 of
 * core/io.h; core/tier/header.h says what a page of one is, head.h where they lie).
 *
 *  1. The tables are of one cluster, node and cut. With other settings, or where they are damaged,
 *     the start is refused while something on the drive is owed, or may be: core/tier/head.h.
 *  2. Each header has a checksum, empty ones too, that holds for its place in these tables alone:
 *     one that was written half, or elsewhere, or zeroed, is none.
 *  3. Of a header that can be read in one table only the other copy is made again, and counted.
 *  4. They are written through the page cache: a killed daemon loses nothing, a loss of power what
 *     the kernel had not written; what was promised is synced before it is acknowledged.
 *  5. The core knows objects by handles, which mean nothing without the daemon's table of names.
 *     With the header of an owed block its object's name is kept, at the same unit; it is synced
 *     before the header is written, in sectors that each say whose they are. So an owed header with
 *     another object's name was settled before that was written, whatever became of its MARK; one
 *     whose name cannot be read counts as one that cannot be read. */
#ifndef FB_HW_DRIVE_HEADERS_H
#define FB_HW_DRIVE_HEADERS_H

#include "core/tier/header.h"
#include "hw/drive/head.h"
#include "hw/origin/object.h"
#include "hw/base/settings.h"

/* The tables, open, and what was found in them. */
struct fb_headers {
    int file; /* -1: there is no device tier */
    struct fb_drive_layout layout;
    struct fb_head head;                      /* as it stands on the drive */
    uint64_t owed_blocks, owed_bytes;         /* by the headers */
    uint64_t head_faults;                     /* copies of the head that were made again */
    uint64_t faults;                          /* headers that were made again from the other copy */
    uint64_t cleared;                         /* that could be read in neither, at the start */
    uint64_t discarded_blocks;                /* given up on the operator's word */
    uint64_t discarded_bytes;                 /* of those whose headers could be read */
    struct fb_header_page *scan, *scan_other; /* pages that were read ahead */
    uint64_t scan_first, scan_count;          /* chunks */
    const struct fb_settings *settings;       /* the caller's */
    bool is_open;
    bool is_new; /* the tables were made by this open */
};

/* Looks at what is on the drive, and makes it ready, or refuses it. Errors: error set. */
void fb_headers_open(struct fb_headers *headers, const struct fb_settings *settings,
                     struct fb_error *error);

/* Says on the drive whose what is on it is; forgets: what is cached goes, what is owed stays.
 * Before the first scan. Errors: error set. */
void fb_headers_know(struct fb_headers *headers, const struct fb_identities *knows, bool forgets,
                     struct fb_error *error);

/* Would it be refused? Only looks. Errors: error set: it would. */
void fb_headers_try(const struct fb_settings *settings, struct fb_error *error);

/* Says on the drive whether something on it is owed, so that the next start knows without its
 * tables. */
void fb_headers_close(struct fb_headers *headers);

/* The object of which a block is being written at that position and will be owed: to be synced
 * before its header is put. IO: it was not written. */
enum fb_status fb_headers_name_put(struct fb_headers *headers, uint64_t position,
                                   const struct fb_object *object);

/* A block was written. IO: the tables were not, or cannot be relied on there any more. */
enum fb_status fb_headers_put(struct fb_headers *headers, const struct fb_header *header);

/* It is not owed any more. A failure is logged. */
void fb_headers_settle(struct fb_headers *headers, uint64_t position);

/* SCAN: fills in status, header and next. */
void fb_headers_scan(struct fb_headers *headers, uint64_t cursor, struct fb_done *done);

/* What is kept beside an owed header: its object's name, another's (it was settled), or nothing
 * that can be read. */
enum fb_header_name { FB_HEADER_NAME_FINE, FB_HEADER_NAME_OTHERS, FB_HEADER_NAME_DAMAGED };

/* The object whose name is kept with an owed header. */
enum fb_header_name fb_headers_name(const struct fb_headers *headers,
                                    const struct fb_header *header, struct fb_object *object);

#endif
