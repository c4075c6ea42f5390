/* fb_panic for the program: an assertion of the core failed, so its state cannot be trusted any
 * more. Prints where and what, and aborts. Does not flush or finish result files: those of a failed
 * run must not look whole. */
#include "core/panic.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fb_panic(const char *file, uint32_t line, const char *expression)
{
    fprintf(stderr, "forebay: %s:%u: assertion failed: %s\n", file, line, expression);
    abort();
}
