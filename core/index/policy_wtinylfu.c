/* W-TinyLFU: new keys enter a small LRU window; the window's oldest competes with the main cache's
 * oldest by estimated frequency. Main is a segmented LRU: probation, and protected for keys used
 * again. Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy",
 * ACM TOS 2017: window 1%, protected 80% of main, count-min sketch of 4-bit counters in 4 rows,
 * each halved after 10 additions a slot. All four counters of a key lie in one line of 64 bytes,
 * and lines are halved one after the other, so that no step pays for the whole sketch. No
 * doorkeeper.
 *
 * Shares are of the keys present, not of slots_max: a tier may be full of bytes before its slots
 * are used. */
#include "core/key.h"
#include "core/index/policy.h"

enum { WINDOW, PROBATION, PROTECTED };
enum { ROWS = 4, COUNTER_MAX = 15, SAMPLES_PER_SLOT = 10, LINE_WORDS = 8, COMPARED = 16 };

uint64_t wtinylfu_lay_out(struct fb_cache *cache, uint64_t offset)
{
    uint32_t words = power_of_two(cache->slots_max);
    FB_ASSERT(cache->slots_max > 0);
    cache->sketch_mask = words > LINE_WORDS ? words / LINE_WORDS - 1 : 0;
    cache->sketch_offset = offset;
    FB_ASSERT((cache->sketch_mask & (cache->sketch_mask + 1)) == 0);
    return offset + ((uint64_t)cache->sketch_mask + 1) * LINE_WORDS * sizeof(uint64_t);
}

void wtinylfu_init(struct fb_cache *cache)
{
    FB_ASSERT(cache->sketch_count == 0);
    FB_ASSERT(cache->sketch_next == 0);
    for (uint64_t i = 0; i < ((uint64_t)cache->sketch_mask + 1) * LINE_WORDS; i++)
        cache_sketch(cache)[i] = 0;
}

/* Word and shift of a key's counter in a row: two words of the line belong to each row. */
static uint64_t *sketch_at(const struct fb_cache *cache, uint64_t hash, uint32_t row,
                           uint32_t *shift)
{
    uint64_t *line = &cache_sketch(cache)[(hash >> 32 & cache->sketch_mask) * LINE_WORDS];
    uint32_t bits = (uint32_t)(hash >> (row * 5)) & 31;
    FB_ASSERT(row < ROWS);
    *shift = (bits & 15) * 4;
    FB_ASSERT(*shift < 64);
    return &line[row * 2 + (bits >> 4)];
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
    FB_ASSERT(cache->sketch_next <= cache->sketch_mask);
    uint64_t lines = (uint64_t)cache->sketch_mask + 1;
    if (++cache->sketch_count < (uint64_t)cache->slots_max * SAMPLES_PER_SLOT / lines)
        return;
    uint64_t *line = &cache_sketch(cache)[(uint64_t)cache->sketch_next * LINE_WORDS];
    for (uint32_t i = 0; i < LINE_WORDS; i++)
        line[i] = line[i] >> 1 & UINT64_C(0x7777777777777777);
    cache->sketch_next = (cache->sketch_next + 1) & cache->sketch_mask;
    cache->sketch_count = 0;
}

/* What overflows the window goes to probation. */
static void window_spill(struct fb_cache *cache)
{
    const struct queue *window = &cache->queues[WINDOW];
    uint32_t window_max = cache->count / 100 > 0 ? cache->count / 100 : 1;
    while (window->count > window_max) {
        uint32_t slot = window->oldest;
        FB_ASSERT(slot != FB_NONE);
        queue_remove(cache, slot);
        queue_add_newest(cache, PROBATION, slot);
    }
    FB_ASSERT(window->count <= cache->count);
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
    const struct queue *probation = &cache->queues[PROBATION];
    const struct queue *protected = &cache->queues[PROTECTED];
    FB_ASSERT(queue <= PROTECTED);
    sketch_add(cache, cache_slots(cache)[slot].key);
    if (queue != PROBATION) {
        queue_move_newest(cache, queue, slot);
        return;
    }
    queue_remove(cache, slot);
    queue_add_newest(cache, PROTECTED, slot);
    uint64_t main_count = (uint64_t)probation->count + protected->count;
    if (protected->count * UINT64_C(10) > main_count * 8) {
        uint32_t oldest = protected->oldest;
        FB_ASSERT(oldest != FB_NONE);
        queue_remove(cache, oldest);
        queue_add_newest(cache, PROBATION, oldest);
    }
}

/* The least used of a queue's oldest. While all of a small window is pinned its newcomers get to
 * probation without having competed: here they do. */
static uint32_t least_of_oldest(const struct fb_cache *cache, uint32_t queue)
{
    const struct slot *slots = cache_slots(cache);
    uint32_t least = FB_NONE, least_uses = COUNTER_MAX + 1, slot = cache->queues[queue].oldest;
    FB_ASSERT(queue <= PROTECTED);
    for (uint32_t i = 0; i < COMPARED && slot != FB_NONE; i++) {
        uint32_t uses = sketch_estimate(cache, slots[slot].key);
        if (uses < least_uses)
            least = slot;
        least_uses = uses < least_uses ? uses : least_uses;
        slot = slots[slot].newer;
    }
    FB_ASSERT((least == FB_NONE) == (cache->queues[queue].oldest == FB_NONE));
    return least;
}

/* After a refusal the other queues have their turn, so that a queue of pinned blocks hides nothing;
 * after a second one by age alone, or one that is pinned would be the least used time and again. */
static uint32_t turn_victim(const struct fb_cache *cache)
{
    static const uint8_t turns[3][3] = {{WINDOW, PROBATION, PROTECTED},
                                        {PROBATION, PROTECTED, WINDOW},
                                        {PROTECTED, WINDOW, PROBATION}};
    const uint8_t *turn = turns[cache->skips % 3];
    FB_ASSERT(cache->skips > 0);
    uint32_t victim = FB_NONE;
    for (uint32_t i = 0; i < 3 && victim == FB_NONE; i++)
        victim = cache->skips == 1 && turn[i] == PROBATION ? least_of_oldest(cache, PROBATION)
                                                           : cache->queues[turn[i]].oldest;
    FB_ASSERT((victim == FB_NONE) == (cache->count == 0));
    return victim;
}

uint32_t wtinylfu_victim(struct fb_cache *cache)
{
    window_spill(cache);
    if (cache->skips > 0)
        return turn_victim(cache);
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
