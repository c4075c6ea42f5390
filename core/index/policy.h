/* Eviction policies, private to core/: what cache.c tells them and asks of them.
 *
 * A policy orders slots in up to three queues, linked through the slots (newer, older), and may
 * keep a byte of frequency a slot, a hand, a ghost list of evicted keys, or a sketch of
 * frequencies. */
#ifndef FB_CORE_INDEX_POLICY_H
#define FB_CORE_INDEX_POLICY_H

#include "core/index/cache.h"
#include "core/panic.h"

#include <stdbool.h>
#include <stddef.h>

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

/* The queues are doubly linked through the slots, oldest to newest. Inline: every hit and miss is
 * here. */
static inline void queue_add_newest(struct fb_cache *cache, uint32_t index, uint32_t slot)
{
    struct queue *queue = &cache->queues[index];
    struct slot *slots = cache_slots(cache);
    FB_ASSERT(slots[slot].queue == SLOT_FREE);
    slots[slot].queue = (uint8_t)index;
    slots[slot].newer = FB_NONE;
    slots[slot].older = queue->newest;
    if (queue->newest != FB_NONE)
        slots[queue->newest].newer = slot;
    else
        queue->oldest = slot;
    queue->newest = slot;
    queue->count++;
    FB_ASSERT(queue->count <= cache->slots_max);
}

static inline void queue_remove(struct fb_cache *cache, uint32_t slot)
{
    struct slot *slots = cache_slots(cache);
    FB_ASSERT(slots[slot].queue < 3);
    struct queue *queue = &cache->queues[slots[slot].queue];
    FB_ASSERT(queue->count > 0);
    if (slots[slot].newer != FB_NONE)
        slots[slots[slot].newer].older = slots[slot].older;
    else
        queue->newest = slots[slot].older;
    if (slots[slot].older != FB_NONE)
        slots[slots[slot].older].newer = slots[slot].newer;
    else
        queue->oldest = slots[slot].newer;
    queue->count--;
    slots[slot].queue = SLOT_FREE;
}

static inline void queue_move_newest(struct fb_cache *cache, uint32_t queue, uint32_t slot)
{
    FB_ASSERT(queue < 3);
    if (cache->queues[queue].newest == slot)
        return;
    queue_remove(cache, slot);
    queue_add_newest(cache, queue, slot);
    FB_ASSERT(cache->queues[queue].newest == slot);
}

/* queue.c */
void queue_check(const struct fb_cache *cache, uint32_t queue);

/* One set of functions a policy. added: the slot's key is new. victim: which slot next. leaving:
 * before the slot is unlinked; is_eviction: it may be remembered. */
void fifo_added(struct fb_cache *cache, uint32_t slot);
uint32_t fifo_victim(struct fb_cache *cache);
void lru_touch(struct fb_cache *cache, uint32_t slot);
void clock_touch(struct fb_cache *cache, uint32_t slot);
uint32_t clock_victim(struct fb_cache *cache);

uint32_t sieve_victim(struct fb_cache *cache);
void sieve_skip(struct fb_cache *cache, uint32_t slot);
void sieve_leaving(struct fb_cache *cache, uint32_t slot);

/* lay_out: places what the policy needs from `offset` on, returns its end. */
uint64_t s3fifo_lay_out(struct fb_cache *cache, uint64_t offset);
void s3fifo_init(struct fb_cache *cache);
void s3fifo_added(struct fb_cache *cache, uint32_t slot);
void s3fifo_touch(struct fb_cache *cache, uint32_t slot);
uint32_t s3fifo_victim(struct fb_cache *cache);
void s3fifo_leaving(struct fb_cache *cache, uint32_t slot, bool is_eviction);
void s3fifo_check(const struct fb_cache *cache);

uint64_t wtinylfu_lay_out(struct fb_cache *cache, uint64_t offset);
void wtinylfu_init(struct fb_cache *cache);
void wtinylfu_added(struct fb_cache *cache, uint32_t slot);
void wtinylfu_touch(struct fb_cache *cache, uint32_t slot);
uint32_t wtinylfu_victim(struct fb_cache *cache);

/* Smallest power of two that is at least `value`. */
static inline uint32_t power_of_two(uint32_t value)
{
    uint32_t power = 1;
    FB_ASSERT(value <= UINT32_C(1) << 31);
    while (power < value)
        power *= 2;
    return power;
}

#endif
