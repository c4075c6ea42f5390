/* Keys and the mixing function behind partitions and hash buckets. */
#ifndef FB_CORE_KEY_H
#define FB_CORE_KEY_H

#include "core/io.h"

#include <stdbool.h>

/* Finaliser of SplitMix64: a bijection of 64-bit words with good avalanche.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static inline uint64_t fb_mix(uint64_t word)
{
    word ^= word >> 30;
    word *= UINT64_C(0xbf58476d1ce4e5b9);
    word ^= word >> 27;
    word *= UINT64_C(0x94d049bb133111eb);
    word ^= word >> 31;
    return word;
}

/* Are both words the same? */
static inline bool fb_key_equal(struct fb_key a, struct fb_key b)
{
    return a.high == b.high && a.low == b.low;
}

/* Hash of a whole key, for tables inside a node. Placement uses fb_view_partition instead. */
static inline uint64_t fb_key_hash(struct fb_key key)
{
    return fb_mix(key.high ^ (key.low * UINT64_C(0x9e3779b97f4a7c15)));
}

#endif
