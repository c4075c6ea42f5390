/* See arena.h. */
#include "sim/world/arena.h"

#include "core/panic.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, LARGE_PAGE_BYTES = 2 << 20, HELPED_BYTES_MIN = 1 << 28 };

/* Since Linux 5.14; the headers of some systems are older. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct fb_arena_helper {
    pthread_t thread;
    unsigned char *bytes;
    uint64_t size_bytes;
};

/* What the kernel refuses is touched by its user, as all else is. */
static void *helper_run(void *context)
{
    const struct fb_arena_helper *helper = context;
    madvise(helper->bytes, helper->size_bytes, MADV_POPULATE_WRITE);
    return NULL;
}

/* NULL: it is slower without. */
static struct fb_arena_helper *helper_start(unsigned char *bytes, uint64_t size_bytes)
{
    uint64_t first = size_bytes / 2 / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    struct fb_arena_helper *helper = malloc(sizeof(*helper));
    if (helper == NULL)
        return NULL;
    *helper = (struct fb_arena_helper){.bytes = bytes + first, .size_bytes = size_bytes - first};
    if (pthread_create(&helper->thread, NULL, helper_run, helper) == 0)
        return helper;
    free(helper);
    return NULL;
}

static void helper_end(struct fb_arena *arena)
{
    if (arena->helper == NULL)
        return;
    pthread_join(arena->helper->thread, NULL);
    free(arena->helper);
    arena->helper = NULL;
}

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
    if (size_bytes >= HELPED_BYTES_MIN)
        arena->helper = helper_start(bytes, size_bytes);
    return true;
}

void fb_arena_close(struct fb_arena *arena)
{
    helper_end(arena);
    if (arena->bytes != NULL)
        munmap(arena->bytes, arena->size_bytes > 0 ? arena->size_bytes : 1);
    *arena = (struct fb_arena){.bytes = NULL};
}

void *fb_arena_take(struct fb_arena *arena, uint64_t size_bytes)
{
    void *part = arena->bytes + arena->used_bytes;
    FB_ASSERT(arena->bytes != NULL);
    FB_ASSERT(arena->used_bytes % ALIGNMENT == 0);
    FB_ASSERT(arena->used_bytes + size_bytes <= arena->size_bytes);
    arena->used_bytes += fb_arena_part_bytes(size_bytes);
    return part;
}
