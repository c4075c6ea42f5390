/* The erasure code of the swarm: words of data fragments are values of a polynomial over GF(2^8),
 * byte by byte, at the points 0, 1, ..., k - 1; parity fragment j is its value at k + j. Any k of
 * them give it back (Lagrange). It is not the code of R13, which no node can tell: it has the same
 * property and needs no matrices. */
#include "sim/swarm/swarm_internal.h"

#include <string.h>

static uint8_t multiply(uint8_t a, uint8_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 0; bit < 8; bit++) {
        if (b >> bit & 1u)
            product ^= (uint32_t)a << bit;
    }
    for (uint32_t bit = 14; bit >= 8; bit--) {
        if (product >> bit & 1u)
            product ^= 0x11du << (bit - 8);
    }
    return (uint8_t)product;
}

static uint8_t inverse(uint8_t a)
{
    uint8_t power = 1;
    for (uint32_t i = 0; i < 254; i++) /* a^255 is 1 */
        power = multiply(power, a);
    return power;
}

static uint64_t scale(uint64_t word, uint8_t factor)
{
    uint64_t scaled = 0;
    for (uint32_t i = 0; i < 8; i++)
        scaled |= (uint64_t)multiply((uint8_t)(word >> 8 * i), factor) << 8 * i;
    return scaled;
}

struct points {
    uint32_t count;
    uint8_t at[FB_FRAGMENTS_MAX];
    const uint64_t *words[FB_FRAGMENTS_MAX]; /* NULL: zeros */
    uint32_t sizes[FB_FRAGMENTS_MAX];        /* words; zeros follow */
};

/* The polynomial's values at `at`, from its values at the points. */
static void evaluate(const struct points *points, uint8_t at, uint64_t *target, uint32_t count)
{
    memset(target, 0, count * sizeof(*target));
    for (uint32_t i = 0; i < points->count; i++) {
        uint8_t above = 1, below = 1;
        for (uint32_t k = 0; k < points->count; k++) {
            if (k == i)
                continue;
            above = multiply(above, at ^ points->at[k]);
            below = multiply(below, points->at[i] ^ points->at[k]);
        }
        uint8_t factor = multiply(above, inverse(below));
        for (uint32_t w = 0; w < count && w < points->sizes[i]; w++)
            target[w] ^= scale(points->words[i][w], factor);
    }
}

static void point_add(struct points *points, uint32_t at, const uint64_t *words, uint32_t size)
{
    FB_ASSERT(points->count < FB_FRAGMENTS_MAX);
    points->at[points->count] = (uint8_t)at;
    points->words[points->count] = words;
    points->sizes[points->count++] = size;
}

/* Words of data fragment i of a block of so many. */
static uint32_t part_words(uint32_t fragment_words, uint32_t block_words, uint32_t fragment)
{
    uint32_t first = fragment * fragment_words;
    uint32_t left = first < block_words ? block_words - first : 0;
    return left < fragment_words ? left : fragment_words;
}

void swarm_encode(struct swarm *swarm, const struct swarm_event *event)
{
    const struct fb_fragments *plan = &event->fragments;
    uint64_t *memory = swarm->nodes[event->node].memory;
    const uint64_t *block = memory + event->op.source.offset / swarm->unit_bytes;
    uint64_t *parity = memory + event->op.span.offset / swarm->unit_bytes;
    uint32_t words = swarm_units(swarm, plan->size);
    uint32_t block_words = swarm_units(swarm, event->op.source.size);
    struct points points = {.count = 0};
    for (uint32_t i = 0; i < plan->data_count; i++)
        point_add(&points, i, block + (uint64_t)i * words, part_words(words, block_words, i));
    for (uint32_t i = 0; i < plan->parity_count; i++)
        evaluate(&points, (uint8_t)(plan->data_count + i), parity + (uint64_t)i * words, words);
}

/* False: there are too few fragments. */
bool swarm_decode(struct swarm *swarm, const struct swarm_event *event)
{
    const struct fb_fragments *plan = &event->fragments;
    uint64_t *memory = swarm->nodes[event->node].memory, whole[FB_UNITS_PER_CHUNK];
    uint64_t *block = memory + event->op.span.offset / swarm->unit_bytes;
    uint32_t words = swarm_units(swarm, plan->size);
    uint32_t block_words = swarm_units(swarm, event->op.span.size);
    struct points points = {.count = 0};
    for (uint32_t i = 0; i < plan->data_count + plan->parity_count; i++) {
        bool is_data = i < plan->data_count;
        uint32_t size = is_data ? part_words(words, block_words, i) : words;
        if ((size > 0 && !(plan->present >> i & 1u)) || points.count == plan->data_count)
            continue;
        point_add(&points, i, memory + plan->offset[i] / swarm->unit_bytes, size);
    }
    if (points.count < plan->data_count)
        return false;
    for (uint32_t i = 0; i < plan->data_count; i++) {
        uint32_t size = part_words(words, block_words, i);
        if (size == 0)
            continue;
        evaluate(&points, (uint8_t)i, whole, words);
        memcpy(block + (uint64_t)i * words, whole, size * sizeof(*block));
    }
    return true;
}
