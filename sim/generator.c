/* See generator.h. */
#include "sim/generator.h"

#include "base/memory.h"
#include "core/key.h"

gsl_rng *fb_generator_open(uint64_t seed)
{
    gsl_rng *generator = gsl_rng_alloc(gsl_rng_mt19937);
    uint32_t folded = (uint32_t)seed ^ (uint32_t)fb_mix(seed >> 32); /* fb_mix(0) is 0 */
    if (generator == NULL)
        fb_out_of_memory(1, gsl_rng_mt19937->size, "random numbers", NULL);
    gsl_rng_set(generator, folded);
    return generator;
}
