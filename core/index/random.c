/* xoshiro256** with SplitMix64 seeding. See random.h for the sources. */
#include "core/index/random.h"

#include "core/key.h"
#include "core/panic.h"

void fb_random_init(struct fb_random *random, uint64_t seed)
{
    FB_ASSERT(random != 0);
    for (uint32_t i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        random->state[i] = fb_mix(seed);
    }
    uint64_t any = random->state[0] | random->state[1] | random->state[2] | random->state[3];
    FB_ASSERT(any != 0); /* the all-zero state is the generator's one fixed point */
}

static uint64_t rotate_left(uint64_t word, uint32_t bits)
{
    FB_ASSERT(bits > 0);
    FB_ASSERT(bits < 64);
    return word << bits | word >> (64 - bits);
}

uint64_t fb_random_next(struct fb_random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* High 64 bits of a 128-bit product, from 32-bit halves. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *low)
{
    uint64_t a_low = a & UINT32_MAX, a_high = a >> 32, b_low = b & UINT32_MAX, b_high = b >> 32;
    uint64_t low_low = a_low * b_low, high_low = a_high * b_low, low_high = a_low * b_high;
    uint64_t middle = (low_low >> 32) + (high_low & UINT32_MAX) + low_high;
    *low = a * b;
    return a_high * b_high + (high_low >> 32) + (middle >> 32);
}

uint64_t fb_random_below(struct fb_random *random, uint64_t bound)
{
    FB_ASSERT(bound > 0);
    uint64_t low, high = multiply(fb_random_next(random), bound, &low);
    uint64_t threshold = (0 - bound) % bound;
    for (uint32_t i = 0; low < threshold && i < 64; i++)
        high = multiply(fb_random_next(random), bound, &low);
    FB_ASSERT(high < bound);
    return high;
}
