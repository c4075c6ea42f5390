/* How the drive is cut, and the copies of its head (core/tier/head.h says what one means).
 *
 *     head, head, zeros to 1 MiB | cache space, core.device_size | headers | headers again |
 *     names | head, head
 *
 *  1. Headers: one page a chunk of the cache space; twice, so that a damaged one is taken from the
 *     other. Names: one record for each unit at which a block may begin (headers.h).
 *  2. A head fits into a sector, so that each copy is the old one or the new one whenever power is
 *     lost, and has a checksum; the rest of its page is zeros. Two stand at the start, where they
 *     are found whatever the settings are, two at the end, out of the way of what goes wrong at the
 *     start. */
#ifndef FB_HW_DRIVE_HEAD_H
#define FB_HW_DRIVE_HEAD_H

#include "core/tier/head.h"
#include "hw/base/settings.h"

/* Bytes of a page and of a name, and copies of the headers. */
enum { FB_DRIVE_PAGE_BYTES = 4096, FB_DRIVE_NAME_BYTES = 1536, FB_DRIVE_TABLES = 2 };

/* Where things lie on a drive, in bytes. */
struct fb_drive_layout {
    uint64_t chunks, block_bytes, unit_bytes;
    uint64_t space, tables[FB_DRIVE_TABLES], names, tail; /* offsets */
    uint64_t total_bytes;
};

/* The cut for these sizes; the second is at least 64. */
struct fb_drive_layout fb_drive_layout_of(uint64_t device_size_bytes, uint64_t block_size_bytes);

/* Where the copy of a head lies. */
uint64_t fb_head_offset(const struct fb_drive_layout *layout, uint32_t copy);

/* What stands on a drive in place of a head. */
struct fb_heads {
    struct fb_head_copy copies[FB_HEAD_COPIES];
    uint32_t chosen;                   /* FB_NONE: none can be read */
    char cluster[FB_CLUSTER_NAME_MAX]; /* of the chosen one */
    int error;                         /* errno of the last copy that could not be read */
};

/* The head that the settings want; sequence, identity and state are open. */
struct fb_head fb_head_wanted(const struct fb_settings *settings);

/* Looks for the copies where the drive itself says they are; where none does, where the settings
 * would have them, and at the file's end. */
void fb_heads_read(struct fb_heads *heads, int file, const struct fb_settings *settings);

/* Writes all copies with the next sequence number, and syncs. Errors: -errno. */
int fb_heads_write(int file, struct fb_head *head, const char *cluster);

/* What was at another cut's end is a head no more. Errors: -errno. */
int fb_heads_wipe_tail(int file, const struct fb_head *old, const struct fb_head *head);

#endif
