/* Calls on the file of a drive that wait: the head and the tables of headers are read and written
 * by these, and by nothing else, so that a test can stand in for the drive. Through the page cache:
 * a killed daemon loses nothing, a loss of power what was not synced. */
#ifndef FB_HW_DRIVE_DRIVE_IO_H
#define FB_HW_DRIVE_DRIVE_IO_H

#include <stdint.h>

/* Returns the descriptor, to be closed. Errors: -errno. */
int fb_drive_io_open(const char *path);
/* Closes the descriptor. */
void fb_drive_io_close(int file);

/* All of the bytes. Errors: -errno; a file that ends too early is -EIO. */
int fb_drive_io_read(int file, void *bytes, uint64_t size_bytes, uint64_t offset);
/* The same, written. Errors: -errno. */
int fb_drive_io_write(int file, const void *bytes, uint64_t size_bytes, uint64_t offset);

/* What was written before outlasts a loss of power. Errors: -errno. */
int fb_drive_io_sync(int file);

/* How large it is now. Errors: -errno. */
int fb_drive_io_size(int file, uint64_t *size_bytes);

/* Makes a file that large, with all of its room taken; a block device is so, or not. *have_bytes:
 * what there is room for. Errors: -ENOSPC, or -errno of the call. */
int fb_drive_io_grow(int file, uint64_t size_bytes, uint64_t *have_bytes);

#endif
