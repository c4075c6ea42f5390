/* A page of headers as it lies on the drive; shared by headers.c and headers_open.c. */
#ifndef FB_HW_DRIVE_HEADERS_INTERNAL_H
#define FB_HW_DRIVE_HEADERS_INTERNAL_H

#include "hw/drive/headers.h"

enum { HEADERS_SCAN_PAGES = 64 };

/* What joining the two copies of pages has found. */
struct headers_found {
    uint64_t owed_blocks, owed_bytes;
    uint64_t faults;         /* headers that one of the copies lacks */
    uint64_t unknown;        /* headers that both lack, and owed ones without a name */
    uint64_t changed;        /* pages to be written again */
    uint64_t nameless_bytes; /* of the owed blocks among the unknown */
};

/* `page` becomes what both copies tell; returns a bit map of the headers that neither does, which
 * are empty in it. */
uint64_t headers_join(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page,
                      const struct fb_header_page *second, uint64_t *faults);

/* Checksums of all its headers. */
void headers_seal(const struct fb_headers *headers, uint64_t chunk, struct fb_header_page *page);

/* Pages of one table, count at most HEADERS_SCAN_PAGES. One that cannot be read is one that nobody
 * could have written. */
void headers_read(const struct fb_headers *headers, uint32_t table, uint64_t chunk, uint64_t count,
                  struct fb_header_page *pages);
/* Errors: -errno. */
int headers_write(const struct fb_headers *headers, uint32_t table, uint64_t chunk, uint64_t count,
                  const struct fb_header_page *pages);

#endif
