/* The node's cache space on a drive: one file or block device, past the page cache where that is
 * possible. The table of headers lies behind it: headers.h. Reads and writes whole pages: an extent
 * is a multiple of them, a block's last page may hold more than the block. */
#ifndef FB_HW_DRIVE_H
#define FB_HW_DRIVE_H

#include "hw/settings.h"
#include "hw/uring.h"

struct fb_drive_file {
    int file; /* -1: no device tier */
    bool is_direct;
};

/* Opens, or makes, the file in its full size. Errors: error set. */
void fb_drive_open(struct fb_drive_file *drive, const struct fb_settings *settings,
                   struct fb_error *error);
void fb_drive_close(struct fb_drive_file *drive);

/* Bytes that a transfer of a block of `size` bytes moves. */
uint64_t fb_drive_round(uint64_t size);

#endif
