/* Log-scaled histogram of nanoseconds: 8 buckets an octave (12.5% wide), 0 ns .. 2^43 ns (2.4 h);
 * larger values count in the last bucket. Mergeable by adding. */
#ifndef FB_CORE_HISTOGRAM_H
#define FB_CORE_HISTOGRAM_H

#include <stdint.h>

/* Eight for each power of two, from 0 ns on. */
enum { FB_HISTOGRAM_BUCKETS = 328 };

/* How many values fell into each bucket. */
struct fb_histogram {
    uint64_t max_ns; /* the largest value added; no quantile is above it */
    uint32_t counts[FB_HISTOGRAM_BUCKETS];
};

/* Counts a value; a bucket that is full stays as it is. */
void fb_histogram_add(struct fb_histogram *histogram, uint64_t value_ns);

/* Adds all values of another. */
void fb_histogram_merge(struct fb_histogram *histogram, const struct fb_histogram *other);

/* Bucket of a value, and the smallest value of a bucket (bucket may be FB_HISTOGRAM_BUCKETS: the
 * end of the last one). */
uint32_t fb_histogram_bucket(uint64_t value_ns);
/* The smallest value of a bucket; of FB_HISTOGRAM_BUCKETS: the end of the last one. */
uint64_t fb_histogram_bucket_start_ns(uint32_t bucket);

#endif
