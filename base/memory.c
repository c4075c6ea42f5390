/* See memory.h. */
#include "base/memory.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_CODE = 1 };

void fb_out_of_memory(uint64_t count, uint64_t size_bytes, const char *what, struct fb_error *error)
{
    double mib = (double)count * (double)size_bytes / (1 << 20);
    if (error != NULL) {
        fb_error_set(error, "out of memory for %s: %.1f MiB", what, mib);
        return;
    }
    fprintf(stderr, "forebay: out of memory for %s: %.1f MiB\n", what, mib);
    exit(EXIT_CODE);
}

void *fb_allocate(uint64_t count, uint64_t size_bytes, const char *what, struct fb_error *error)
{
    void *memory = count > 0 && size_bytes > 0 ? calloc(count, size_bytes) : calloc(1, 1);
    if (memory == NULL)
        fb_out_of_memory(count, size_bytes, what, error);
    return memory;
}

void *fb_grow(void *items, uint64_t count, uint64_t size_bytes, const char *what,
              struct fb_error *error)
{
    bool is_empty = count == 0 || size_bytes == 0;
    void *grown = is_empty ? realloc(items, 1) : reallocarray(items, count, size_bytes);
    if (grown == NULL)
        fb_out_of_memory(count, size_bytes, what, error);
    return grown;
}
