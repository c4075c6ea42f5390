/* See arena.h. */
#include "sim/arena.h"

#include "core/panic.h"

#include <stddef.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

uint64_t fb_arena_part_bytes(uint64_t size_bytes)
{
    return (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

bool fb_arena_open(struct fb_arena *arena, uint64_t size_bytes)
{
    void *bytes = mmap(NULL, size_bytes > 0 ? size_bytes : 1, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *arena = (struct fb_arena){.bytes = NULL};
    if (bytes == MAP_FAILED)
        return false;
    madvise(bytes, size_bytes, MADV_HUGEPAGE); /* a wish; without it all is slower only */
    *arena = (struct fb_arena){.bytes = bytes, .size_bytes = size_bytes};
    return true;
}

void fb_arena_close(struct fb_arena *arena)
{
    if (arena->bytes != NULL)
        munmap(arena->bytes, arena->size_bytes > 0 ? arena->size_bytes : 1);
    *arena = (struct fb_arena){.bytes = NULL};
}

void *fb_arena_take(struct fb_arena *arena, uint64_t size_bytes)
{
    void *part = arena->bytes + arena->used_bytes;
    FB_ASSERT(arena->used_bytes + size_bytes <= arena->size_bytes);
    arena->used_bytes += fb_arena_part_bytes(size_bytes);
    return part;
}
