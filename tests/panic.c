/* fb_panic for tests: prints and aborts. */
#include "core/panic.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void fb_panic(const char *file, uint32_t line, const char *expression)
{
    fprintf(stderr, "%s:%u: assertion failed: %s\n", file, line, expression);
    abort();
}
