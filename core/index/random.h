/* The node's pseudo-random generator: xoshiro256**, seeded through SplitMix64.
 * Source: Blackman, Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 2021. */
#ifndef FB_CORE_INDEX_RANDOM_H
#define FB_CORE_INDEX_RANDOM_H

#include <stdint.h>

/* Where the generator stands; never all zeros. */
struct fb_random {
    uint64_t state[4];
};

/* Any seed gives a state of its own. */
void fb_random_init(struct fb_random *random, uint64_t seed);

/* The next 64 bits, each 0 or 1 as likely. */
uint64_t fb_random_next(struct fb_random *random);

/* Uniform in [0, bound); bound >= 1. Unbiased (Lemire, ACM TOMACS 2019). */
uint64_t fb_random_below(struct fb_random *random, uint64_t bound);

#endif
