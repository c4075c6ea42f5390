/* Shared by the files of the POSIX origin. */
#ifndef FB_HW_ORIGIN_POSIX_H
#define FB_HW_ORIGIN_POSIX_H

#include "hw/origin.h"

void fb_origin_posix_list(struct fb_origin_task *task);

#endif
