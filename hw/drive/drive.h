/* The node's drive: one file or block device, which no other daemon has, past the page cache where
 * that is possible. How it is cut: head.h. Reads and writes whole pages: an extent is a multiple of
 * them, a block's last page may hold more than the block. */
#ifndef FB_HW_DRIVE_DRIVE_H
#define FB_HW_DRIVE_DRIVE_H

#include "hw/base/anchor.h"
#include "hw/base/settings.h"
#include "hw/base/uring.h"

/* The drive, open, and how it fares. */
struct fb_drive_file {
    int file; /* -1: no device tier */
    bool is_direct;
    int error;        /* errno of the last write or sync that failed; 0: the last one was fine */
    uint64_t look_ns; /* when the path is looked at again */
    struct fb_anchor anchor; /* while it names another file what is owed does not outlast a stop */
    uint64_t errors;         /* reads, writes and syncs that failed */
};

/* Opens, or makes, the file, and locks it. Errors: error set. */
void fb_drive_open(struct fb_drive_file *drive, const struct fb_settings *settings,
                   struct fb_error *error);
/* Closes it, by which its lock goes; nothing when it is not open. */
void fb_drive_close(struct fb_drive_file *drive);

/* Looks at what fb_drive_open would open, makes nothing. false: it is not there, or error set.
 * is_busy: another process has it. Errors: error set: it would be refused. */
bool fb_drive_try(const struct fb_settings *settings, bool *is_busy, struct fb_error *error);

/* Is this descriptor one of the drive? */
bool fb_drive_is_same(const struct fb_drive_file *drive, int file);

/* Bytes that a transfer of a block of `size` bytes moves. */
uint64_t fb_drive_round(uint64_t size);

#endif
