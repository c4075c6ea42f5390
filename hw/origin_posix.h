/* Shared by the files of the POSIX origin. */
#ifndef FB_HW_ORIGIN_POSIX_H
#define FB_HW_ORIGIN_POSIX_H

#include "hw/origin.h"

void fb_origin_posix_list(struct fb_origin_task *task);

/* STORE, COMMIT. */
void fb_origin_posix_write(struct fb_origin_task *task);

/* Path of a block of an object that is not committed; path: at least 64 bytes. */
void fb_origin_posix_part(const struct fb_origin_task *task, char *path);

#endif
