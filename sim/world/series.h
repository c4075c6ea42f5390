/* Quantities over simulated time in at most FB_SERIES_BINS bins: when time runs past the last one,
 * neighbours are merged and bins become twice as wide. Memory stays constant whatever the run's
 * length. */
#ifndef FB_SIM_WORLD_SERIES_H
#define FB_SIM_WORLD_SERIES_H

#include "sim/run.h"

/* Bins, whatever the run's length; even, since they merge by twos. */
enum { FB_SERIES_BINS = 240 };

/* What is counted over time. */
enum fb_series_quantity {
    FB_SERIES_READ,   /* bytes that clients got */
    FB_SERIES_HIT,    /* of these, bytes that did not come from the origin for them */
    FB_SERIES_PEER,   /* bytes pulled from peers */
    FB_SERIES_DEVICE, /* bytes read from drives */
    FB_SERIES_ORIGIN, /* bytes fetched from the origin */
    FB_SERIES_COUNT
};

/* Sums of each quantity, bin by bin. */
struct fb_series {
    uint64_t bin_ns; /* width; starts at 1 ms */
    double sums[FB_SERIES_COUNT][FB_SERIES_BINS];
};

/* Makes it empty, with bins of 1 ms. */
void fb_series_init(struct fb_series *series);
/* Adds to the bin of now_ns, and widens all bins first if that is past the last. */
void fb_series_add(struct fb_series *series, enum fb_series_quantity quantity, uint64_t now_ns,
                   double value);

/* Rows for series.csv: rates in bytes a second, and hit_ratio where there were reads. malloc'ed. */
struct fb_series_row *fb_series_rows(const struct fb_series *series, uint64_t end_ns,
                                     uint32_t *count);

#endif
