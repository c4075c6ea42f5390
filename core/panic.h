/* Assertions that are never off. A false assertion is a programmer's error: the driver's fb_panic
 * prints where it happened and aborts. Operating errors are enum fb_status, never assertions. */
#ifndef FB_CORE_PANIC_H
#define FB_CORE_PANIC_H

#include <stdint.h>

/* Supplied by the driver; must not return. */
_Noreturn void fb_panic(const char *file, uint32_t line, const char *expression);

/* Evaluates the expression once; false: fb_panic with its place and text. */
#define FB_ASSERT(expression) \
    ((expression) ? (void)0 : fb_panic(__FILE__, (uint32_t)__LINE__, #expression))

#endif
