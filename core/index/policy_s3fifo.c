/* S3-FIFO: a small queue that new keys pass through, a main queue for those used again, and ghosts
 * of those that the small queue dropped; a key whose ghost is remembered goes straight to main.
 * Source: Yang, Zhang, Qiu, Yue, Vinayak, "FIFO queues are all you need for cache eviction", SOSP
 * 2023; parameters as in its reference simulator (libCacheSim 0.3): small 10%, ghosts 90%,
 * promotion from small at 2 hits, frequency capped at 3 and cleared by a promotion; until the first
 * eviction keys that do not fit small go to main.
 *
 * A victim that may not go moves to the newest end of its queue, and the next one comes from the
 * other queue: small may hold nothing but blocks that are being filled.
 *
 * Shares are of the keys that are present at an eviction, not of slots_max: a tier may be full of
 * bytes long before its slots are used up, and main would then starve small. */
#include "core/key.h"
#include "core/index/policy.h"

enum { SMALL, MAIN };
enum { PROMOTE_HITS = 2, FREQUENCY_MAX = 3 };

/* The paper's ghosts stand for as many keys as main holds. One is kept beyond that between an
 * eviction and the insertion it makes room for, so that the new key's own ghost is not the one that
 * goes. */
static uint32_t ghosts_wanted(uint32_t count)
{
    uint32_t wanted = (uint32_t)((uint64_t)count * 9 / 10);
    FB_ASSERT(wanted <= count);
    return wanted > 0 ? wanted : 1;
}

uint64_t s3fifo_lay_out(struct fb_cache *cache, uint64_t offset)
{
    FB_ASSERT(cache->slots_max > 0);
    cache->ghost_max = ghosts_wanted(cache->slots_max) + 1;
    cache->ghost_mask = power_of_two(cache->ghost_max) - 1;
    cache->ghosts_offset = offset;
    cache->ghost_buckets_offset = offset + (uint64_t)cache->ghost_max * sizeof(struct ghost);
    FB_ASSERT(cache->ghost_mask >= cache->ghost_max - 1);
    return cache->ghost_buckets_offset + ((uint64_t)cache->ghost_mask + 1) * sizeof(uint32_t);
}

void s3fifo_init(struct fb_cache *cache)
{
    FB_ASSERT(cache->ghost_max > 0);
    cache->ghosts = (struct queue){.newest = FB_NONE, .oldest = FB_NONE};
    for (uint32_t i = 0; i <= cache->ghost_mask; i++)
        cache_ghost_buckets(cache)[i] = FB_NONE;
    for (uint32_t i = 0; i < cache->ghost_max; i++)
        cache_ghosts(cache)[i] =
            (struct ghost){.chain = i + 1 < cache->ghost_max ? i + 1 : FB_NONE};
    cache->ghost_free = 0;
    FB_ASSERT(cache->ghosts.count == 0);
}

static uint32_t *ghost_bucket(struct fb_cache *cache, uint32_t hash)
{
    FB_ASSERT(cache->ghost_mask < UINT32_MAX);
    return &cache_ghost_buckets(cache)[hash & cache->ghost_mask];
}

/* Takes ghost `index` out of its bucket and its queue. */
static void ghost_remove(struct fb_cache *cache, uint32_t index)
{
    struct ghost *ghosts = cache_ghosts(cache), *ghost = &ghosts[index];
    struct queue *queue = &cache->ghosts;
    uint32_t *link = ghost_bucket(cache, ghost->hash);
    FB_ASSERT(index < cache->ghost_max);
    FB_ASSERT(queue->count > 0);
    while (*link != index) {
        FB_ASSERT(*link != FB_NONE);
        link = &ghosts[*link].chain;
    }
    *link = ghost->chain;
    *(ghost->newer != FB_NONE ? &ghosts[ghost->newer].older : &queue->newest) = ghost->older;
    *(ghost->older != FB_NONE ? &ghosts[ghost->older].newer : &queue->oldest) = ghost->newer;
    queue->count--;
    ghost->chain = cache->ghost_free;
    cache->ghost_free = index;
}

/* Was the key evicted from small lately? Forgets it. */
static bool ghost_take(struct fb_cache *cache, uint32_t hash)
{
    const struct ghost *ghosts = cache_ghosts(cache);
    uint32_t i = *ghost_bucket(cache, hash);
    while (i != FB_NONE && ghosts[i].hash != hash)
        i = ghosts[i].chain;
    if (i == FB_NONE)
        return false;
    FB_ASSERT(i < cache->ghost_max);
    ghost_remove(cache, i);
    return true;
}

static void ghost_add(struct fb_cache *cache, uint32_t hash)
{
    struct ghost *ghosts = cache_ghosts(cache);
    struct queue *queue = &cache->ghosts;
    if (queue->count == cache->ghost_max)
        ghost_remove(cache, queue->oldest);
    uint32_t index = cache->ghost_free, *bucket = ghost_bucket(cache, hash);
    FB_ASSERT(index < cache->ghost_max);
    cache->ghost_free = ghosts[index].chain;
    ghosts[index] =
        (struct ghost){.hash = hash, .chain = *bucket, .newer = FB_NONE, .older = queue->newest};
    *bucket = index;
    *(queue->newest != FB_NONE ? &ghosts[queue->newest].newer : &queue->oldest) = index;
    queue->newest = index;
    queue->count++;
    FB_ASSERT(queue->count <= cache->ghost_max);
}

void s3fifo_added(struct fb_cache *cache, uint32_t slot)
{
    uint32_t small_max = cache->slots_max / 10 > 0 ? cache->slots_max / 10 : 1;
    bool is_full = cache->queues[SMALL].count >= small_max;
    bool is_known = ghost_take(cache, (uint32_t)fb_key_hash(cache_slots(cache)[slot].key));
    FB_ASSERT(cache_slots(cache)[slot].frequency == 0);
    while (cache->ghosts.count > ghosts_wanted(cache->count))
        ghost_remove(cache, cache->ghosts.oldest);
    bool is_main = is_known || (!cache->has_evicted && is_full);
    queue_add_newest(cache, is_main ? MAIN : SMALL, slot);
    FB_ASSERT(cache->queues[SMALL].count + cache->queues[MAIN].count == cache->count);
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
    uint32_t main_max = cache->count - cache->count / 10;
    /* Every round moves a slot to main or lowers a frequency: at most (cap + 1) rounds a slot. */
    for (uint64_t i = 0; i <= (uint64_t)cache->count * (FREQUENCY_MAX + 2); i++) {
        bool is_main = main->count > main_max || small->count == 0;
        if (cache->skips % 2 == 1 && small->count > 0 && main->count > 0)
            is_main = !is_main;
        uint32_t slot = is_main ? main->oldest : small->oldest;
        if (slot == FB_NONE)
            return FB_NONE;
        struct slot *record = &cache_slots(cache)[slot];
        FB_ASSERT(record->queue == (is_main ? MAIN : SMALL));
        if (record->frequency < (is_main ? 1 : PROMOTE_HITS))
            return slot;
        record->frequency = is_main ? (uint8_t)(record->frequency - 1) : 0;
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
        ghost_add(cache, (uint32_t)fb_key_hash(record->key));
    FB_ASSERT(cache->ghosts.count <= cache->ghost_max);
}

void s3fifo_check(const struct fb_cache *cache)
{
    const struct ghost *ghosts = cache_ghosts(cache);
    uint32_t queued = 0, chained = 0, free_count = 0, previous = FB_NONE;
    for (uint32_t i = cache->ghosts.oldest; i != FB_NONE; i = ghosts[i].newer) {
        FB_ASSERT(ghosts[i].older == previous);
        FB_ASSERT(queued < cache->ghost_max);
        previous = i;
        queued++;
    }
    for (uint32_t bucket = 0; bucket <= cache->ghost_mask; bucket++) {
        for (uint32_t i = cache_ghost_buckets(cache)[bucket]; i != FB_NONE; i = ghosts[i].chain) {
            FB_ASSERT(chained < cache->ghost_max);
            chained++;
        }
    }
    for (uint32_t i = cache->ghost_free; i != FB_NONE; i = ghosts[i].chain) {
        FB_ASSERT(free_count < cache->ghost_max);
        free_count++;
    }
    FB_ASSERT(cache->ghosts.newest == previous);
    FB_ASSERT(queued == cache->ghosts.count);
    FB_ASSERT(chained == queued);
    FB_ASSERT(free_count == cache->ghost_max - queued);
}
