/* Sets of at most 32 small numbers. */
#ifndef FB_CORE_BITS_H
#define FB_CORE_BITS_H

#include <stdbool.h>
#include <stdint.h>

/* How many numbers are in the set. */
static inline uint32_t bits_count(uint32_t bits)
{
    uint32_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

/* Is i, 0 to 31, in the set? */
static inline bool bits_has(uint32_t bits, uint32_t i)
{
    return (bits >> i & 1u) != 0;
}

#endif
