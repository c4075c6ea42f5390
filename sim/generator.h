/* Random numbers of a run: a generator of its own for each purpose. */
#ifndef FB_SIM_GENERATOR_H
#define FB_SIM_GENERATOR_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

/* MT19937 from all 64 bits of a seed: GSL's own takes 32. Seeds below 2^32 give what GSL gives.
 * Without memory the program ends. The caller's to free with gsl_rng_free. */
gsl_rng *fb_generator_open(uint64_t seed);

#endif
