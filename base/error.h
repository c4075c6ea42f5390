/* What went wrong, in a line for who runs the program. */
#ifndef FB_BASE_ERROR_H
#define FB_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* One line "FILE:LINE:COLUMN: what is wrong: remedy", empty while all is well. */
struct fb_error {
    char text[512];
};

/* Sets the error if none is set. printf-like. */
void fb_error_set(struct fb_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Has anything gone wrong? */
bool fb_error_is_set(const struct fb_error *error);

/* The same for a list of arguments. */
void fb_error_set_list(struct fb_error *error, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
