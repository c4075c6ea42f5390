/* The index: a chained hash table over slots, and the switch to the policies. See cache.h and
 * policy.h.
 *
 * Layout: header, buckets (u32), slots (32 bytes), then what the policy needs: ghosts or the
 * sketch. Invariants:
 *  1. A slot is in exactly one of: a bucket chain and a policy queue, or the free list.
 *  2. A key appears once. */
#include "core/index/cache.h"

#include "core/key.h"
#include "core/index/policy.h"

#include <string.h>

static_assert(sizeof(struct fb_cache) <= 256, "FB_CACHE_SIZE_BYTES counts 512 for it and rounding");

static uint32_t *cache_buckets(const struct fb_cache *cache)
{
    return (uint32_t *)(void *)((unsigned char *)(uintptr_t)cache + cache->buckets_offset);
}

const char *fb_policy_name(enum fb_policy policy)
{
    static const char *const names[FB_POLICY_COUNT] = {
        [FB_POLICY_FIFO] = "fifo",     [FB_POLICY_LRU] = "lru",
        [FB_POLICY_CLOCK] = "clock",   [FB_POLICY_SIEVE] = "sieve",
        [FB_POLICY_S3FIFO] = "s3fifo", [FB_POLICY_WTINYLFU] = "wtinylfu"};
    FB_ASSERT(policy < FB_POLICY_COUNT);
    FB_ASSERT(names[policy] != NULL);
    return names[policy];
}

static uint64_t align(uint64_t size_bytes)
{
    FB_ASSERT(size_bytes < UINT64_MAX - 64);
    return (size_bytes + 31) & ~UINT64_C(31);
}

static void cache_lay_out(struct fb_cache *cache)
{
    uint32_t slots = cache->slots_max;
    uint64_t offset = align(sizeof(*cache));
    FB_ASSERT(slots > 0);
    cache->bucket_mask = 2 * power_of_two(slots) - 1; /* few chains longer than one */
    cache->buckets_offset = offset;
    offset = align(offset + ((uint64_t)cache->bucket_mask + 1) * sizeof(uint32_t));
    cache->slots_offset = offset;
    offset += (uint64_t)slots * sizeof(struct slot);
    if (cache->policy == FB_POLICY_S3FIFO)
        offset = s3fifo_lay_out(cache, offset);
    if (cache->policy == FB_POLICY_WTINYLFU)
        offset = wtinylfu_lay_out(cache, offset);
    FB_ASSERT(offset <= FB_CACHE_SIZE_BYTES(slots));
}

void fb_cache_init(struct fb_cache *cache, uint32_t slots_max, enum fb_policy policy)
{
    FB_ASSERT(slots_max > 0);
    FB_ASSERT(policy < FB_POLICY_COUNT);
    *cache = (struct fb_cache){.slots_max = slots_max, .policy = policy, .hand = FB_NONE};
    cache_lay_out(cache);
    for (uint32_t i = 0; i < 3; i++)
        cache->queues[i] = (struct queue){.newest = FB_NONE, .oldest = FB_NONE};
    for (uint32_t i = 0; i <= cache->bucket_mask; i++)
        cache_buckets(cache)[i] = FB_NONE;
    memset(cache_slots(cache), 0, slots_max * sizeof(struct slot));
    for (uint32_t i = 0; i < slots_max; i++) {
        cache_slots(cache)[i].chain = i + 1 < slots_max ? i + 1 : FB_NONE;
        cache_slots(cache)[i].queue = SLOT_FREE;
    }
    if (policy == FB_POLICY_S3FIFO)
        s3fifo_init(cache);
    if (policy == FB_POLICY_WTINYLFU)
        wtinylfu_init(cache);
}

uint32_t fb_cache_find(const struct fb_cache *cache, struct fb_key key)
{
    const struct slot *slots = cache_slots(cache);
    uint32_t slot = cache_buckets(cache)[fb_key_hash(key) & cache->bucket_mask];
    while (slot != FB_NONE && !fb_key_equal(slots[slot].key, key))
        slot = slots[slot].chain;
    return slot;
}

void fb_cache_prefetch_bucket(const struct fb_cache *cache, struct fb_key key)
{
    __builtin_prefetch(&cache_buckets(cache)[fb_key_hash(key) & cache->bucket_mask]);
}

uint32_t fb_cache_prefetch_slot(const struct fb_cache *cache, struct fb_key key)
{
    uint32_t slot = cache_buckets(cache)[fb_key_hash(key) & cache->bucket_mask];
    if (slot != FB_NONE)
        __builtin_prefetch(&cache_slots(cache)[slot], 1);
    return slot;
}

void fb_cache_touch(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    FB_ASSERT(cache_slots(cache)[slot].queue != SLOT_FREE);
    switch ((enum fb_policy)cache->policy) {
    case FB_POLICY_FIFO:
    case FB_POLICY_COUNT:
        return;
    case FB_POLICY_LRU:
        lru_touch(cache, slot);
        return;
    case FB_POLICY_CLOCK:
    case FB_POLICY_SIEVE:
        clock_touch(cache, slot);
        return;
    case FB_POLICY_S3FIFO:
        s3fifo_touch(cache, slot);
        return;
    case FB_POLICY_WTINYLFU:
        wtinylfu_touch(cache, slot);
        return;
    }
}

static void policy_added(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(cache_slots(cache)[slot].queue == SLOT_FREE);
    switch ((enum fb_policy)cache->policy) {
    case FB_POLICY_FIFO:
    case FB_POLICY_LRU:
    case FB_POLICY_CLOCK:
    case FB_POLICY_SIEVE:
    case FB_POLICY_COUNT:
        fifo_added(cache, slot);
        break;
    case FB_POLICY_S3FIFO:
        s3fifo_added(cache, slot);
        break;
    case FB_POLICY_WTINYLFU:
        wtinylfu_added(cache, slot);
        break;
    }
    FB_ASSERT(cache_slots(cache)[slot].queue != SLOT_FREE);
}

uint32_t fb_cache_insert(struct fb_cache *cache, struct fb_key key)
{
    uint32_t slot = cache->free_head;
    if (cache->count == cache->slots_max)
        return FB_NONE;
    FB_ASSERT(slot != FB_NONE);
    struct slot *record = &cache_slots(cache)[slot];
    FB_ASSERT(record->queue == SLOT_FREE);
    uint32_t *bucket = &cache_buckets(cache)[fb_key_hash(key) & cache->bucket_mask];
    cache->free_head = record->chain;
    record->key = key;
    record->chain = *bucket;
    record->frequency = 0;
    *bucket = slot;
    cache->count++;
    cache->skips = 0;
    policy_added(cache, slot);
    return slot;
}

uint32_t fb_cache_victim(struct fb_cache *cache)
{
    FB_ASSERT(cache->count <= cache->slots_max);
    switch ((enum fb_policy)cache->policy) {
    case FB_POLICY_FIFO:
    case FB_POLICY_LRU:
    case FB_POLICY_COUNT:
        return fifo_victim(cache);
    case FB_POLICY_CLOCK:
        return clock_victim(cache);
    case FB_POLICY_SIEVE:
        return sieve_victim(cache);
    case FB_POLICY_S3FIFO:
        return s3fifo_victim(cache);
    case FB_POLICY_WTINYLFU:
        return wtinylfu_victim(cache);
    }
    FB_ASSERT(false);
    return FB_NONE;
}

void fb_cache_skip(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    FB_ASSERT(cache_slots(cache)[slot].queue != SLOT_FREE);
    if (cache->policy == FB_POLICY_SIEVE)
        sieve_skip(cache, slot);
    else
        queue_move_newest(cache, cache_slots(cache)[slot].queue, slot);
    cache->skips++;
}

static void cache_leave(struct fb_cache *cache, uint32_t slot, bool is_eviction)
{
    struct slot *record = &cache_slots(cache)[slot];
    FB_ASSERT(slot < cache->slots_max);
    FB_ASSERT(record->queue != SLOT_FREE);
    if (cache->policy == FB_POLICY_SIEVE)
        sieve_leaving(cache, slot);
    if (cache->policy == FB_POLICY_S3FIFO)
        s3fifo_leaving(cache, slot, is_eviction);
    queue_remove(cache, slot);
    uint32_t *link = &cache_buckets(cache)[fb_key_hash(record->key) & cache->bucket_mask];
    while (*link != slot) {
        FB_ASSERT(*link != FB_NONE);
        link = &cache_slots(cache)[*link].chain;
    }
    *link = record->chain;
    record->chain = cache->free_head;
    cache->free_head = slot;
    cache->count--;
    cache->skips = 0;
}

void fb_cache_evict(struct fb_cache *cache, uint32_t slot)
{
    cache_leave(cache, slot, true);
}

void fb_cache_remove(struct fb_cache *cache, uint32_t slot)
{
    cache_leave(cache, slot, false);
}

struct fb_key fb_cache_key(const struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    FB_ASSERT(cache_slots(cache)[slot].queue != SLOT_FREE);
    return cache_slots(cache)[slot].key;
}

uint32_t fb_cache_count(const struct fb_cache *cache)
{
    return cache->count;
}

uint32_t fb_cache_slots_max(const struct fb_cache *cache)
{
    return cache->slots_max;
}

_Bool fb_cache_is_used(const struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    return cache_slots(cache)[slot].queue != SLOT_FREE;
}

void fb_cache_check(const struct fb_cache *cache)
{
    uint32_t chained = 0, queued = 0, free_count = 0;
    for (uint32_t i = 0; i <= cache->bucket_mask; i++) {
        for (uint32_t s = cache_buckets(cache)[i]; s != FB_NONE; s = cache_slots(cache)[s].chain) {
            FB_ASSERT((fb_key_hash(cache_slots(cache)[s].key) & cache->bucket_mask) == i);
            FB_ASSERT(cache_slots(cache)[s].queue != SLOT_FREE);
            FB_ASSERT(fb_cache_find(cache, cache_slots(cache)[s].key) == s);
            chained++;
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        queue_check(cache, i);
        queued += cache->queues[i].count;
    }
    uint32_t slot = cache->free_head;
    for (; slot != FB_NONE && free_count <= cache->slots_max; slot = cache_slots(cache)[slot].chain)
        free_count++;
    FB_ASSERT(chained == cache->count);
    FB_ASSERT(queued == cache->count);
    if (cache->policy == FB_POLICY_S3FIFO)
        s3fifo_check(cache);
    FB_ASSERT(free_count == cache->slots_max - cache->count);
}
