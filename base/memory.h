/* Memory, and the one answer to having none. */
#ifndef FB_BASE_MEMORY_H
#define FB_BASE_MEMORY_H

#include <stdint.h>

struct fb_error;

/* Zeroed memory for `count` items, of at least one byte, to be freed with free. what: for whom,
 * "the readers". Errors: NULL and error set: there is not so much. error NULL: nobody could go on
 * without it: the program says so in a line, and ends. */
void *fb_allocate(uint64_t count, uint64_t size_bytes, const char *what, struct fb_error *error);

/* Room for `count` items where `items` were, which may be NULL; what is added is not zeroed.
 * Errors: as above; the items stay where they are. */
void *fb_grow(void *items, uint64_t count, uint64_t size_bytes, const char *what,
              struct fb_error *error);

/* Says so of memory that was asked for in another way. */
void fb_out_of_memory(uint64_t count, uint64_t size_bytes, const char *what,
                      struct fb_error *error);

#endif
