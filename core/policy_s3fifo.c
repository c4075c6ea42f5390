/* S3-FIFO: a small queue that new keys pass through, a main queue for those used again, and ghosts of those
 * that the small queue dropped; a key whose ghost is remembered goes straight to main.
 * Source: Yang, Zhang, Qiu, Yue, Vinayak, "FIFO queues are all you need for cache eviction", SOSP 2023;
 * parameters as in its reference simulator (libCacheSim): small 10%, ghosts 90% of the slots, promotion
 * from small at 2 hits, frequency capped at 3; until the first eviction keys that do not fit small go to main. */
#include "key.h"
#include "policy.h"

enum { SMALL, MAIN };
enum { PROMOTE_HITS = 2, FREQUENCY_MAX = 3 };

void s3fifo_init(struct fb_cache *cache)
{
    uint32_t small = cache->slots_max / 10;
    FB_ASSERT(cache->slots_max > 0);
    cache->queues[SMALL].count_max = small > 0 ? small : 1;
    cache->queues[MAIN].count_max = cache->slots_max - small;
    for (uint32_t i = 0; i <= cache->ghost_mask; i++)
        cache_ghost_buckets(cache)[i] = FB_NONE;
    for (uint32_t i = 0; i < cache->ghost_max; i++)
        cache_ghosts(cache)[i] = (struct ghost){.chain = FB_NONE};
    FB_ASSERT(cache->ghost_max > 0);
}

/* Takes ghost `index` out of its bucket. */
static void ghost_unlink(struct fb_cache *cache, uint32_t index)
{
    struct ghost *ghosts = cache_ghosts(cache);
    FB_ASSERT(ghosts[index].is_used);
    uint32_t *link = &cache_ghost_buckets(cache)[ghosts[index].hash & cache->ghost_mask];
    while (*link != index) {
        FB_ASSERT(*link != FB_NONE);
        link = &ghosts[*link].chain;
    }
    *link = ghosts[index].chain;
    ghosts[index].is_used = 0;
}

/* Was the key evicted from small lately? Forgets it. */
static bool ghost_take(struct fb_cache *cache, uint64_t hash)
{
    struct ghost *ghosts = cache_ghosts(cache);
    uint32_t i = cache_ghost_buckets(cache)[hash & cache->ghost_mask];
    while (i != FB_NONE && ghosts[i].hash != hash)
        i = ghosts[i].chain;
    if (i == FB_NONE)
        return false;
    FB_ASSERT(i < cache->ghost_max);
    ghost_unlink(cache, i);
    return true;
}

static void ghost_add(struct fb_cache *cache, uint64_t hash)
{
    uint32_t index = cache->ghost_next;
    FB_ASSERT(index < cache->ghost_max);
    cache->ghost_next = index + 1 < cache->ghost_max ? index + 1 : 0;
    if (cache_ghosts(cache)[index].is_used)
        ghost_unlink(cache, index);
    uint32_t *bucket = &cache_ghost_buckets(cache)[hash & cache->ghost_mask];
    cache_ghosts(cache)[index] = (struct ghost){.hash = hash, .chain = *bucket, .is_used = 1};
    *bucket = index;
}

void s3fifo_added(struct fb_cache *cache, uint32_t slot)
{
    bool is_full = cache->queues[SMALL].count >= cache->queues[SMALL].count_max;
    bool is_known = ghost_take(cache, fb_key_hash(cache_slots(cache)[slot].key));
    FB_ASSERT(cache_slots(cache)[slot].frequency == 0);
    bool is_main = is_known || (!cache->has_evicted && is_full);
    queue_add_newest(cache, is_main ? MAIN : SMALL, slot);
}

void s3fifo_touch(struct fb_cache *cache, uint32_t slot)
{
    struct slot *record = &cache_slots(cache)[slot];
    FB_ASSERT(record->queue != SLOT_FREE);
    FB_ASSERT(record->frequency <= FREQUENCY_MAX);
    if (record->frequency < FREQUENCY_MAX)
        record->frequency++;
}

uint32_t s3fifo_victim(struct fb_cache *cache)
{
    const struct queue *small = &cache->queues[SMALL], *main = &cache->queues[MAIN];
    /* Every round moves a slot to main or lowers a frequency: at most (cap + 1) rounds a slot. */
    for (uint64_t i = 0; i <= (uint64_t)cache->count * (FREQUENCY_MAX + 2); i++) {
        bool is_main = main->count > main->count_max || small->count == 0;
        uint32_t slot = is_main ? main->oldest : small->oldest;
        if (slot == FB_NONE)
            return FB_NONE;
        struct slot *record = &cache_slots(cache)[slot];
        FB_ASSERT(record->queue == (is_main ? MAIN : SMALL));
        if (record->frequency < (is_main ? 1 : PROMOTE_HITS))
            return slot;
        if (is_main)
            record->frequency--;
        queue_remove(cache, slot);
        queue_add_newest(cache, MAIN, slot);
    }
    FB_ASSERT(false);
    return FB_NONE;
}

void s3fifo_leaving(struct fb_cache *cache, uint32_t slot, bool is_eviction)
{
    const struct slot *record = &cache_slots(cache)[slot];
    FB_ASSERT(record->queue != SLOT_FREE);
    if (!is_eviction)
        return;
    cache->has_evicted = 1;
    if (record->queue == SMALL)
        ghost_add(cache, fb_key_hash(record->key));
}
