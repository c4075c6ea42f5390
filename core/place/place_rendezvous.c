/* Rendezvous (highest random weight) hashing with weights fills a view's table: every (node,
 * partition) pair has a score, exponentially distributed with the node's weight as its rate, and
 * the lowest scores own. A score depends on nothing but the node's id, its weight and the
 * partition, so a node that leaves moves only what it owned.
 *
 * The build does not look at every pair. A node's scores are made in ascending order: it prefers
 * the partitions in the order of a pseudo-random permutation, and the gap before its k-th
 * preference is exponential / (partitions - k); such sums are the order statistics of independent
 * exponential scores (Renyi 1953). Every node is asked for its scores up to a limit at which about
 * 24 nodes have named each partition, and for more only while a partition misses a rank. So 100,000
 * nodes cost some million scores instead of 6.5 billion, and few nodes cost each 65,536.
 *
 * Does not: weigh domains against each other, or keep the scores for the next build. */
#include "core/place/place.h"

enum {
    NAMES_WANTED = 24, /* Poisson: 1e-8 of the partitions have fewer than three names */
    ROUNDS_MAX = 64,   /* the limit doubles each round */
    LOG_BITS = 24,     /* fractional bits of negative_log2 */
};

/* -log2(word / 2^64) with LOG_BITS fractional bits; word 0 counts as 1.
 * With the fraction f = mantissa - 1, log2(1 + f) = f + f (1 - f) q(f), exact at both ends; q is a
 * polynomial of degree 4 fitted to 2.3e-6. The coefficients alternate in sign and have 32 bits. */
static uint64_t negative_log2(uint64_t word)
{
    word |= 1;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(word);
    uint64_t f = word << (63 - exponent) << 1 >> 32; /* 0 <= f < 1 with 32 bits */
    uint64_t q = 412129748 - (f * 110988126 >> 32);
    q = 781464427 - (f * q >> 32);
    q = 1183694311 - (f * q >> 32);
    q = 1900716058 - (f * q >> 32);
    uint64_t bend = f * ((UINT64_C(1) << 32) - f) >> 32;
    uint64_t log = ((uint64_t)exponent << 32) + f + (bend * q >> 32);
    FB_ASSERT(log < UINT64_C(64) << 32);
    FB_ASSERT(bend < UINT64_C(1) << 32);
    return ((UINT64_C(64) << 32) - log) >> (32 - LOG_BITS);
}

/* A member's scores in [floor, limit), into the rows. Returns whether there are more from limit on.
 */
static bool member_name_partitions(struct fb_view *view, uint32_t index, uint64_t floor,
                                   uint64_t limit)
{
    const struct fb_member *member = &view->members[index];
    uint64_t seed = fb_mix((uint64_t)member->node + 1), score = 0;
    const uint64_t score_max = UINT64_C(1) << 55;
    FB_ASSERT(member->weight > 0);
    FB_ASSERT(floor <= limit);
    for (uint32_t k = 0; k < FB_PARTITIONS; k++) {
        view->operations++;
        uint64_t gap = negative_log2(fb_mix(seed + (k + 1) * UINT64_C(0x9e3779b97f4a7c15)));
        score += (gap << 24) / (FB_PARTITIONS - k);
        score = score < score_max ? score : score_max;
        struct fb_choice choice = {
            .cost = (score << 8) / member->weight, .member = index, .domain = member->domain};
        if (choice.cost >= limit)
            return true;
        if (choice.cost >= floor)
            fb_row_offer(view->choices[fb_place_permute(seed, k)], view->ranks_count, &choice);
    }
    return false;
}

void fb_place_rendezvous(struct fb_view *view)
{
    /* Scores have 56 fractional bits and an exponential's mean is 1 / ln 2, 1.44. */
    uint64_t floor = 0, limit = (UINT64_C(1) << 56) / view->weight * NAMES_WANTED * 13 / 9;
    bool is_done = false;
    FB_ASSERT(view->owner_count > 0);
    FB_ASSERT(view->weight >= view->owner_count);
    fb_place_rows_clear(view);
    for (uint32_t round = 0; round < ROUNDS_MAX && !is_done; round++) {
        bool has_more = false;
        for (uint32_t i = 0; i < view->member_count; i++)
            if (fb_member_owns(&view->members[i]))
                has_more = member_name_partitions(view, i, floor, limit) || has_more;
        bool is_full = true;
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
            is_full = fb_row_finish(view, partition, view->choices[partition]) && is_full;
        is_done = is_full || !has_more;
        floor = limit;
        limit = limit < UINT64_MAX / 2 ? limit * 2 : UINT64_MAX;
    }
    FB_ASSERT(is_done);
}
