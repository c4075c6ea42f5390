/* A training data set: files of samples, their lengths, and the order of an epoch. */
#ifndef FB_SIM_CLIENTS_DATASET_H
#define FB_SIM_CLIENTS_DATASET_H

#include "models/scenario/scenario.h"

#include <gsl/gsl_rng.h>

struct fb_dataset {
    uint64_t file_count;
    uint64_t samples_per_file;
    uint64_t *sample_bytes; /* of every sample of file i */
    uint32_t *order;        /* files in this epoch's order */
    bool is_sampled;        /* samples are read one by one in an order of their own */
    uint64_t epoch_seed;    /* of that order */
};

/* Draws the files' sample lengths: normal around the mean, cut off symmetrically at 0 and twice the
 * mean, so that the mean is the nominal one. The same seed gives the same files.
 * Errors: out of memory. */
void fb_dataset_open(struct fb_dataset *dataset, const struct fb_training *training, uint64_t seed,
                     struct fb_error *error);
void fb_dataset_close(struct fb_dataset *dataset);

/* Shuffles the files for an epoch, when the workload asks for that. */
void fb_dataset_shuffle(struct fb_dataset *dataset, const struct fb_training *training,
                        gsl_rng *random);

/* Which sample, counted over all files in their numbers' order, is the `number`-th of this epoch:
 * with shuffle_samples and many samples in a file any of the data set, else the next one of the
 * file that is due. number: below files * samples_per_file. */
uint64_t fb_dataset_sample(const struct fb_dataset *dataset, uint64_t number);

#endif
