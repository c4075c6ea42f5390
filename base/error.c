/* See error.h. */
#include "base/error.h"

#include <stdio.h>

void fb_error_set_list(struct fb_error *error, const char *format, va_list arguments)
{
    if (fb_error_is_set(error))
        return;
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    /* A value quoted in the text may hold line breaks; an error is one line. */
    for (char *c = error->text; *c != '\0'; c++)
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
}

void fb_error_set(struct fb_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fb_error_set_list(error, format, arguments);
    va_end(arguments);
}

bool fb_error_is_set(const struct fb_error *error)
{
    return error->text[0] != '\0';
}
