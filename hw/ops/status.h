/* The daemon's state as text for people: `forebay status`. */
#ifndef FB_HW_OPS_STATUS_H
#define FB_HW_OPS_STATUS_H

#include <stdint.h>

struct fb_loop;

/* Writes "name value" lines to text of size bytes; returns how many were written. */
uint32_t fb_status_print(const struct fb_loop *loop, char *text, uint32_t size);

#endif
