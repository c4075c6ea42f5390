/* Text that is put together line by line in a buffer of fixed size; a line that does not fit is
 * left out, and the log says so. */
#ifndef FB_HW_BASE_PAGE_H
#define FB_HW_BASE_PAGE_H

#include <stdint.h>

/* A buffer of the caller's, and how far it is filled. */
struct fb_page {
    char *text;
    uint32_t size, used;
    uint32_t left_out; /* lines */
};

/* Appends what the format makes, whole or not at all; printf-like. */
void fb_page_put(struct fb_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
