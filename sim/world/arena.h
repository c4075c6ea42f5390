/* One zeroed block of memory that is handed out from its beginning: for the parts that each of
 * 100,000 hosts has. In large pages where the kernel gives them, since a host is visited at random
 * and each visit would else miss the translation of addresses too. The kernel zeroes a page when it
 * is first touched, which takes seconds for 100,000 hosts: a thread touches the second half while
 * the first is used. */
#ifndef FB_SIM_WORLD_ARENA_H
#define FB_SIM_WORLD_ARENA_H

#include <stdbool.h>
#include <stdint.h>

struct fb_arena_helper;

/* The block; zeroed it is closed. */
struct fb_arena {
    unsigned char *bytes;
    uint64_t size_bytes, used_bytes;
    struct fb_arena_helper *helper; /* NULL: none */
};

/* False: out of memory. */
bool fb_arena_open(struct fb_arena *arena, uint64_t size_bytes);
/* Gives all of it back; a zeroed one is fine. */
void fb_arena_close(struct fb_arena *arena);

/* Bytes that a part of this size takes: what to add up before opening. */
uint64_t fb_arena_part_bytes(uint64_t size_bytes);

/* 64-aligned; never NULL: more than was opened for is an error of the program. */
void *fb_arena_take(struct fb_arena *arena, uint64_t size_bytes);

#endif
