/* SIEVE: a FIFO queue and a hand that walks from old to new; a visited slot survives in place.
 * Source: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU", NSDI 2024, algorithm 1.
 * A hit sets `frequency` (clock_touch): the visited bit. */
#include "core/index/policy.h"

static uint32_t sieve_step(const struct fb_cache *cache, uint32_t slot)
{
    uint32_t newer = cache_slots(cache)[slot].newer;
    FB_ASSERT(cache->queues[0].count > 0);
    FB_ASSERT(slot != newer);
    return newer != FB_NONE ? newer : cache->queues[0].oldest;
}

uint32_t sieve_victim(struct fb_cache *cache)
{
    uint32_t slot = cache->hand != FB_NONE ? cache->hand : cache->queues[0].oldest;
    if (slot == FB_NONE)
        return FB_NONE;
    FB_ASSERT(cache_slots(cache)[slot].queue == 0);
    for (uint32_t i = 0; i < cache->count && cache_slots(cache)[slot].frequency > 0; i++) {
        cache_slots(cache)[slot].frequency = 0;
        slot = sieve_step(cache, slot);
    }
    FB_ASSERT(cache_slots(cache)[slot].frequency == 0);
    cache->hand = slot;
    return slot;
}

void sieve_skip(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(cache->hand == slot);
    cache->hand = sieve_step(cache, slot);
    FB_ASSERT(cache->hand != FB_NONE);
}

/* The hand leaves a slot that goes, towards the newer ones; past the newest it begins anew. */
void sieve_leaving(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(cache_slots(cache)[slot].queue == 0);
    if (cache->hand == slot)
        cache->hand = cache_slots(cache)[slot].newer;
    FB_ASSERT(cache->hand != slot);
}
