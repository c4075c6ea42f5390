/* Replays a trace against the core's index. See replay.h.
 *
 * The clock runs over one pass at a time: find, touch, victim, evict, insert, and the counting of
 * hits. Making the cache empty again lies outside. */
#include "cli/run/replay.h"

#include "base/clock.h"
#include "core/key.h"

#include <stdlib.h>
#include <string.h>

enum { PASSES_MIN = 5, PASSES_MAX = 200 };
static const double seconds_min = 0.2, seconds_max = 10;

/* A set of ids in open addressing, at most half full; the id 0 is counted apart. */
uint64_t fb_replay_unique_blocks(const struct fb_trace_file *trace)
{
    uint64_t room = 16, count = 0;
    bool has_zero = false;
    while (room < 2 * trace->block_count)
        room *= 2;
    uint64_t *ids = calloc(room, sizeof(*ids));
    if (ids == NULL)
        return 0;
    for (uint64_t i = 0; i < trace->block_count; i++) {
        uint64_t id = trace->blocks[i];
        uint64_t at = fb_mix(id) & (room - 1);
        while (ids[at] != 0 && ids[at] != id)
            at = (at + 1) & (room - 1);
        count += id != 0 && ids[at] == 0;
        ids[at] = id;
        has_zero = has_zero || id == 0;
    }
    free(ids);
    return count + has_zero;
}

/* True when the block was there. */
static bool replay_block(struct fb_cache *cache, uint64_t block)
{
    struct fb_key key = {.high = 0, .low = block};
    uint32_t slot = fb_cache_find(cache, key);
    if (slot != FB_NONE) {
        fb_cache_touch(cache, slot);
        return true;
    }
    if (fb_cache_count(cache) == fb_cache_slots_max(cache))
        fb_cache_evict(cache, fb_cache_victim(cache));
    fb_cache_insert(cache, key);
    return false;
}

static double replay_pass(const struct fb_trace_file *trace, struct fb_cache *cache,
                          struct fb_replay *replay)
{
    uint64_t block_hits = 0, prefix_hits = 0;
    double start = fb_clock_s();
    for (uint64_t i = 0; i < trace->request_count; i++) {
        const uint64_t *blocks = trace->blocks + trace->requests[i].first;
        uint32_t count = trace->requests[i].block_count, prefix = count;
        for (uint32_t j = 0; j < count; j++) {
            bool is_hit = replay_block(cache, blocks[j]);
            block_hits += is_hit;
            if (!is_hit && prefix == count)
                prefix = j;
        }
        prefix_hits += prefix;
    }
    double seconds = fb_clock_s() - start;
    replay->block_hits = block_hits;
    replay->prefix_hits = prefix_hits;
    return seconds;
}

static int compare_seconds(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

void fb_replay_run(const struct fb_trace_file *trace, uint64_t unique_blocks, enum fb_policy policy,
                   uint64_t capacity_blocks, struct fb_replay *replay, struct fb_error *error)
{
    uint64_t slots = capacity_blocks < unique_blocks ? capacity_blocks : unique_blocks;
    slots = slots > 0 ? slots : 1;
    uint64_t size_bytes = (FB_CACHE_SIZE_BYTES(slots) + 63) & ~UINT64_C(63);
    struct fb_cache *cache = slots <= UINT32_C(1) << 31 ? aligned_alloc(64, size_bytes) : NULL;
    *replay = (struct fb_replay){.passes = 0};
    if (cache == NULL) {
        fb_error_set(error,
                     "out of memory: a cache of %llu blocks takes %llu MiB: choose a smaller "
                     "capacity",
                     (unsigned long long)slots, (unsigned long long)(size_bytes >> 20));
        return;
    }
    double seconds[PASSES_MAX] = {0}, sum = 0;
    while (replay->passes < PASSES_MAX && sum < seconds_max &&
           (replay->passes < PASSES_MIN || sum < seconds_min)) {
        fb_cache_init(cache, (uint32_t)slots, policy);
        double pass = replay_pass(trace, cache, replay);
        seconds[replay->passes++] = pass;
        sum += pass;
    }
    free(cache);
    qsort(seconds, replay->passes, sizeof(seconds[0]), compare_seconds);
    replay->seconds = seconds[replay->passes / 2];
}
