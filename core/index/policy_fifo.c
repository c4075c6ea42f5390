/* FIFO, LRU and CLOCK, which need nothing more than one queue. */
#include "core/index/policy.h"

void fifo_added(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    queue_add_newest(cache, 0, slot);
    FB_ASSERT(cache->queues[0].newest == slot);
}

uint32_t fifo_victim(struct fb_cache *cache)
{
    FB_ASSERT(cache->queues[0].count == cache->count);
    FB_ASSERT((cache->queues[0].oldest == FB_NONE) == (cache->count == 0));
    return cache->queues[0].oldest;
}

void lru_touch(struct fb_cache *cache, uint32_t slot)
{
    queue_move_newest(cache, 0, slot);
}

void clock_touch(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(cache_slots(cache)[slot].queue == 0);
    cache_slots(cache)[slot].frequency = 1;
}

/* The oldest without a reference bit; those with one lose it and begin a new round. */
uint32_t clock_victim(struct fb_cache *cache)
{
    for (uint32_t i = 0; i <= cache->count; i++) {
        uint32_t slot = cache->queues[0].oldest;
        if (slot == FB_NONE || cache_slots(cache)[slot].frequency == 0)
            return slot;
        cache_slots(cache)[slot].frequency = 0;
        queue_move_newest(cache, 0, slot);
    }
    FB_ASSERT(cache->count > 0); /* one round clears every bit */
    return cache->queues[0].oldest;
}
