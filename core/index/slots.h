/* What a cache consists of, private to core/: its slots, its queues, and what its policy keeps. */
#ifndef FB_CORE_INDEX_SLOTS_H
#define FB_CORE_INDEX_SLOTS_H

#include "core/io.h"

struct slot {
    struct fb_key key;
    uint32_t chain; /* next slot of the bucket, or of the free list */
    uint32_t newer, older;
    uint8_t queue; /* SLOT_FREE, or 0..2 */
    uint8_t frequency;
    uint8_t reserved[2];
};

static_assert(sizeof(struct slot) == 32, "two slots a cache line");

enum { SLOT_FREE = 255 };

struct queue {
    uint32_t newest, oldest; /* FB_NONE: empty */
    uint32_t count;
};

/* S3-FIFO's memory of evicted keys: a FIFO queue of hashes with a chained table. A wrong key is
 * taken for a known one in a share of ghosts / 2^32 of the look-ups; it then begins in main. */
struct ghost {
    uint32_t hash;
    uint32_t chain; /* next of the bucket, or of the free list; FB_NONE: end */
    uint32_t newer, older;
};

static_assert(sizeof(struct ghost) == 16, "FB_CACHE_SIZE_BYTES counts it");

struct fb_cache {
    uint32_t slots_max;
    uint32_t count;
    uint32_t free_head;
    uint32_t policy; /* enum fb_policy */
    uint32_t bucket_mask;
    uint32_t hand; /* SIEVE: next slot to look at; FB_NONE: the oldest */
    uint32_t has_evicted;
    uint32_t skips; /* victims refused since the last slot came or went */
    uint32_t ghost_max, ghost_mask, ghost_free;
    uint32_t sketch_mask;  /* W-TinyLFU: lines of 8 words of 16 counters */
    uint32_t sketch_count; /* additions since the last line was aged */
    uint32_t sketch_next;  /* line to age next */
    uint64_t buckets_offset, slots_offset, ghosts_offset, ghost_buckets_offset, sketch_offset;
    struct queue queues[3];
    struct queue ghosts;
};

static inline struct slot *cache_slots(const struct fb_cache *cache)
{
    return (struct slot *)(void *)((unsigned char *)(uintptr_t)cache + cache->slots_offset);
}

static inline struct ghost *cache_ghosts(const struct fb_cache *cache)
{
    return (struct ghost *)(void *)((unsigned char *)(uintptr_t)cache + cache->ghosts_offset);
}

static inline uint32_t *cache_ghost_buckets(const struct fb_cache *cache)
{
    return (uint32_t *)(void *)((unsigned char *)(uintptr_t)cache + cache->ghost_buckets_offset);
}

static inline uint64_t *cache_sketch(const struct fb_cache *cache)
{
    return (uint64_t *)(void *)((unsigned char *)(uintptr_t)cache + cache->sketch_offset);
}

#endif
