/* W-TinyLFU: new keys enter a small LRU window; the window's oldest competes with the main cache's
 * oldest by estimated frequency. Main is a segmented LRU: probation, and protected for keys used again.
 * Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM TOS 2017:
 * window 1%, protected 80% of main, count-min sketch of 4-bit counters in 4 rows, halved after 10 additions a
 * slot. */
#include "key.h"
#include "policy.h"

enum { WINDOW, PROBATION, PROTECTED };
enum { ROWS = 4, COUNTER_MAX = 15, SAMPLES_PER_SLOT = 10 };

void wtinylfu_init(struct fb_cache *cache)
{
    uint32_t window = cache->slots_max / 100;
    FB_ASSERT(cache->slots_max > 0);
    window = window > 0 ? window : 1;
    uint32_t main = cache->slots_max - window;
    cache->queues[WINDOW].count_max = window;
    cache->queues[PROTECTED].count_max = (uint32_t)((uint64_t)main * 8 / 10);
    cache->queues[PROBATION].count_max = main;
    for (uint32_t i = 0; i <= cache->sketch_mask; i++)
        cache_sketch(cache)[i] = 0;
    FB_ASSERT(main < cache->slots_max);
}

/* Word and shift of a key's counter in a row. */
static uint64_t *sketch_at(const struct fb_cache *cache, uint64_t hash, uint32_t row,
                           uint32_t *shift)
{
    FB_ASSERT(row < ROWS);
    uint64_t mixed = fb_mix(hash + row * UINT64_C(0x9e3779b97f4a7c15));
    *shift = (uint32_t)(mixed >> 60) * 4;
    FB_ASSERT(*shift < 64);
    return &cache_sketch(cache)[mixed & cache->sketch_mask];
}

static uint32_t sketch_estimate(const struct fb_cache *cache, struct fb_key key)
{
    uint32_t least = COUNTER_MAX, shift;
    uint64_t hash = fb_key_hash(key);
    for (uint32_t row = 0; row < ROWS; row++) {
        const uint64_t *word = sketch_at(cache, hash, row, &shift);
        uint32_t count = (uint32_t)(*word >> shift) & COUNTER_MAX;
        least = count < least ? count : least;
    }
    FB_ASSERT(least <= COUNTER_MAX);
    return least;
}

static void sketch_add(struct fb_cache *cache, struct fb_key key)
{
    uint64_t hash = fb_key_hash(key);
    uint32_t shift;
    for (uint32_t row = 0; row < ROWS; row++) {
        uint64_t *word = sketch_at(cache, hash, row, &shift);
        if ((*word >> shift & COUNTER_MAX) < COUNTER_MAX)
            *word += UINT64_C(1) << shift;
    }
    cache->sketch_count++;
    if (cache->sketch_count < (uint64_t)cache->slots_max * SAMPLES_PER_SLOT)
        return;
    for (uint32_t i = 0; i <= cache->sketch_mask; i++)
        cache_sketch(cache)[i] = cache_sketch(cache)[i] >> 1 & UINT64_C(0x7777777777777777);
    cache->sketch_count /= 2;
}

static uint32_t main_count(const struct fb_cache *cache)
{
    FB_ASSERT(cache->queues[WINDOW].count <= cache->count);
    return cache->queues[PROBATION].count + cache->queues[PROTECTED].count;
}

/* The window's overflow goes to probation while main has room. */
static void window_spill(struct fb_cache *cache)
{
    const struct queue *window = &cache->queues[WINDOW];
    while (window->count > window->count_max &&
           main_count(cache) < cache->queues[PROBATION].count_max) {
        uint32_t slot = window->oldest;
        FB_ASSERT(slot != FB_NONE);
        queue_remove(cache, slot);
        queue_add_newest(cache, PROBATION, slot);
    }
    FB_ASSERT(main_count(cache) <= cache->slots_max);
}

void wtinylfu_added(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    sketch_add(cache, cache_slots(cache)[slot].key);
    queue_add_newest(cache, WINDOW, slot);
    window_spill(cache);
    FB_ASSERT(cache_slots(cache)[slot].queue != SLOT_FREE);
}

void wtinylfu_touch(struct fb_cache *cache, uint32_t slot)
{
    uint32_t queue = cache_slots(cache)[slot].queue;
    FB_ASSERT(queue <= PROTECTED);
    sketch_add(cache, cache_slots(cache)[slot].key);
    if (queue != PROBATION) {
        queue_move_newest(cache, queue, slot);
        return;
    }
    queue_remove(cache, slot);
    queue_add_newest(cache, PROTECTED, slot);
    const struct queue *protected = &cache->queues[PROTECTED];
    if (protected->count > protected->count_max) {
        uint32_t oldest = protected->oldest;
        FB_ASSERT(oldest != FB_NONE);
        queue_remove(cache, oldest);
        queue_add_newest(cache, PROBATION, oldest);
    }
}

uint32_t wtinylfu_victim(struct fb_cache *cache)
{
    window_spill(cache);
    uint32_t candidate = cache->queues[WINDOW].oldest;
    uint32_t victim = cache->queues[PROBATION].oldest;
    if (victim == FB_NONE)
        victim = cache->queues[PROTECTED].oldest;
    if (candidate == FB_NONE || victim == FB_NONE)
        return candidate == FB_NONE ? victim : candidate;
    FB_ASSERT(candidate != victim);
    uint32_t candidate_uses = sketch_estimate(cache, cache_slots(cache)[candidate].key);
    uint32_t victim_uses = sketch_estimate(cache, cache_slots(cache)[victim].key);
    FB_ASSERT(candidate_uses <= COUNTER_MAX);
    return candidate_uses > victim_uses ? victim : candidate;
}
