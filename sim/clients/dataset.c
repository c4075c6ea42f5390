/* See dataset.h. Lengths and orders are drawn with GSL, one generator per purpose, so that a
 * change of the workload's size does not shift what others draw (common random numbers). */
#include "sim/clients/dataset.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"
#include "sim/generator.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

static uint64_t draw_length(const struct fb_training *training, gsl_rng *random)
{
    double mean = training->record_length_bytes;
    double sigma = training->record_length_stdev_bytes;
    double length = mean;
    if (sigma > 0) {
        do {
            length = mean + gsl_ran_gaussian_ziggurat(random, sigma);
        } while (length <= 0 || length >= 2 * mean);
    }
    uint64_t bytes = (uint64_t)llround(length);
    return bytes > 0 ? bytes : 1;
}

void fb_dataset_open(struct fb_dataset *dataset, const struct fb_training *training, uint64_t seed,
                     struct fb_error *error)
{
    dataset->file_count = training->files;
    dataset->samples_per_file = training->samples_per_file;
    dataset->epoch_seed = (seed << 32) ^ fb_mix(seed >> 32);
    dataset->is_sampled = training->shuffle_samples && training->samples_per_file > 1;
    dataset->sample_bytes =
        fb_allocate(training->files, sizeof(*dataset->sample_bytes), "files", error);
    dataset->order = fb_allocate(training->files, sizeof(*dataset->order), "files", error);
    gsl_rng *random = fb_generator_open(seed);
    for (uint64_t i = 0; i < training->files && !fb_error_is_set(error); i++) {
        dataset->sample_bytes[i] = draw_length(training, random);
        dataset->order[i] = (uint32_t)i;
    }
    gsl_rng_free(random);
}

void fb_dataset_close(struct fb_dataset *dataset)
{
    free(dataset->sample_bytes);
    free(dataset->order);
}

void fb_dataset_shuffle(struct fb_dataset *dataset, const struct fb_training *training,
                        gsl_rng *random)
{
    dataset->epoch_seed++;
    if (training->shuffle_files || training->shuffle_samples)
        gsl_ran_shuffle(random, dataset->order, dataset->file_count, sizeof(*dataset->order));
}

/* A permutation of 0..count-1 without a table: a Feistel network over the next power of four,
 * applied again while it leads outside. Source: Black and Rogaway, "Ciphers with arbitrary finite
 * domains" (2002), cycle walking. */
static uint64_t permute(uint64_t number, uint64_t count, uint64_t seed)
{
    enum { ROUNDS = 4 };
    uint32_t bits = 1;
    while (bits < 31 && UINT64_C(1) << 2 * bits < count)
        bits++;
    FB_ASSERT(UINT64_C(1) << 2 * bits >= count);
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    do {
        uint64_t left = number >> bits, right = number & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t next = left ^ (fb_mix(fb_mix(seed * ROUNDS + round) + right) & mask);
            left = right;
            right = next;
        }
        number = left << bits | right;
    } while (number >= count);
    return number;
}

uint64_t fb_dataset_sample(const struct fb_dataset *dataset, uint64_t number)
{
    uint64_t per_file = dataset->samples_per_file;
    FB_ASSERT(number < dataset->file_count * per_file);
    if (dataset->is_sampled)
        return permute(number, dataset->file_count * per_file, dataset->epoch_seed);
    return dataset->order[number / per_file] * per_file + number % per_file;
}
