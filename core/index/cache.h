/* A cache's index and its eviction policy in one contiguous block: which keys are here, and which
 * should go next. Knows nothing of bytes, sizes or time; tiers and `forebay replay` both use it.
 *
 * Slots are numbered 0..slots_max-1; a slot of 32 bytes holds key, hash chain and the policy's
 * links, so that a hit touches one bucket and one or two slots. Callers keep what else they know of
 * a block in arrays of their own, indexed by slot. */
#ifndef FB_CORE_INDEX_CACHE_H
#define FB_CORE_INDEX_CACHE_H

#include "core/choices.h"
#include "core/io.h"

struct fb_cache;

/* Upper bound for every policy (ghosts and sketch included); usable in static_assert. */
#define FB_CACHE_SIZE_BYTES(slots_max) (512u + (uint64_t)(slots_max)*72u)

/* Name as in configs: fifo, lru, clock, sieve, s3fifo, wtinylfu. */
const char *fb_policy_name(enum fb_policy policy);

/* slots_max: 1..2^31. The block is FB_CACHE_SIZE_BYTES(slots_max) bytes, 8-aligned, any content. */
void fb_cache_init(struct fb_cache *cache, uint32_t slots_max, enum fb_policy policy);

/* Slot of `key` or FB_NONE. Tells the policy nothing. */
uint32_t fb_cache_find(const struct fb_cache *cache, struct fb_key key);

/* Hints that fb_cache_find(key) comes soon. First call the one for all keys, then the other, which
 * returns the slot where the search will begin, or FB_NONE. Neither changes anything. */
void fb_cache_prefetch_bucket(const struct fb_cache *cache, struct fb_key key);
/* The second of the two. */
uint32_t fb_cache_prefetch_slot(const struct fb_cache *cache, struct fb_key key);

/* Tells the policy that `slot` was used. */
void fb_cache_touch(struct fb_cache *cache, uint32_t slot);

/* Adds `key`, which must not be present. Returns its slot, or FB_NONE when every slot is taken. */
uint32_t fb_cache_insert(struct fb_cache *cache, struct fb_key key);

/* The slot that the policy would evict now, FB_NONE when empty. The caller then calls either
 * fb_cache_evict, or fb_cache_skip when it may not go (pinned) and asks again. */
uint32_t fb_cache_victim(struct fb_cache *cache);
/* The victim stays: it goes to the end of its queue, or the hand passes it. */
void fb_cache_skip(struct fb_cache *cache, uint32_t slot);

/* Removes a slot as an eviction: the policy may remember the key as a ghost. */
void fb_cache_evict(struct fb_cache *cache, uint32_t slot);

/* Removes a slot for any other reason: invalidated, failed. No ghost. */
void fb_cache_remove(struct fb_cache *cache, uint32_t slot);

/* The key that a used slot holds. */
struct fb_key fb_cache_key(const struct fb_cache *cache, uint32_t slot);
/* Slots that are used. */
uint32_t fb_cache_count(const struct fb_cache *cache);
/* Slots that there are. */
uint32_t fb_cache_slots_max(const struct fb_cache *cache);

/* True when the slot holds a key. */
_Bool fb_cache_is_used(const struct fb_cache *cache, uint32_t slot);

/* Walks buckets, queues and the free list, and asserts that they agree. For tests. */
void fb_cache_check(const struct fb_cache *cache);

#endif
