/* See dataset.h. Lengths and orders are drawn with GSL, one generator per purpose, so that a
 * change of the workload's size does not shift what others draw (common random numbers). */
#include "sim/dataset.h"

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

bool fb_dataset_open(struct fb_dataset *dataset, const struct fb_training *training, uint64_t seed)
{
    dataset->file_count = training->files;
    dataset->samples_per_file = training->samples_per_file;
    dataset->sample_bytes = calloc(training->files, sizeof(*dataset->sample_bytes));
    dataset->order = calloc(training->files, sizeof(*dataset->order));
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    if (dataset->sample_bytes == NULL || dataset->order == NULL || random == NULL)
        return false;
    gsl_rng_set(random, seed);
    for (uint64_t i = 0; i < training->files; i++) {
        dataset->sample_bytes[i] = draw_length(training, random);
        dataset->order[i] = (uint32_t)i;
    }
    gsl_rng_free(random);
    return true;
}

void fb_dataset_close(struct fb_dataset *dataset)
{
    free(dataset->sample_bytes);
    free(dataset->order);
}

void fb_dataset_shuffle(struct fb_dataset *dataset, const struct fb_training *training,
                        gsl_rng *random)
{
    if (training->shuffle_files || training->shuffle_samples)
        gsl_ran_shuffle(random, dataset->order, dataset->file_count, sizeof(*dataset->order));
}
