/* Eviction policies, private to core/: what cache.c tells them and asks of them.
 *
 * A policy orders slots in up to three queues, linked through the slots (newer, older), and may
 * keep a byte of frequency a slot, a hand, a ghost list of evicted keys, or a sketch of
 * frequencies. */
#ifndef FB_CORE_INDEX_POLICY_H
#define FB_CORE_INDEX_POLICY_H

#include "core/index/queue.h"

#include <stdbool.h>
#include <stddef.h>

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
