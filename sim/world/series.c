/* Time series in a fixed number of bins. See series.h. */
#include "sim/world/series.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdlib.h>
#include <string.h>

void fb_series_init(struct fb_series *series)
{
    memset(series, 0, sizeof(*series));
    series->bin_ns = 1000000;
}

static void series_widen(struct fb_series *series)
{
    for (uint32_t q = 0; q < FB_SERIES_COUNT; q++) {
        double *sums = series->sums[q];
        for (uint32_t i = 0; i < FB_SERIES_BINS / 2; i++)
            sums[i] = sums[2 * i] + sums[2 * i + 1];
        memset(sums + FB_SERIES_BINS / 2, 0, FB_SERIES_BINS / 2 * sizeof(*sums));
    }
    series->bin_ns *= 2;
}

void fb_series_add(struct fb_series *series, enum fb_series_quantity quantity, uint64_t now_ns,
                   double value)
{
    FB_ASSERT(quantity < FB_SERIES_COUNT);
    FB_ASSERT(series->bin_ns > 0);
    while (now_ns / series->bin_ns >= FB_SERIES_BINS)
        series_widen(series);
    series->sums[quantity][now_ns / series->bin_ns] += value;
}

struct fb_series_row *fb_series_rows(const struct fb_series *series, uint64_t end_ns,
                                     uint32_t *count)
{
    static const char *const names[FB_SERIES_COUNT] = {
        [FB_SERIES_READ] = "read_bytes_per_s",     [FB_SERIES_HIT] = "hit_ratio",
        [FB_SERIES_PEER] = "peer_bytes_per_s",     [FB_SERIES_DEVICE] = "device_bytes_per_s",
        [FB_SERIES_ORIGIN] = "origin_bytes_per_s",
    };
    uint64_t bins = end_ns / series->bin_ns + 1;
    if (bins > FB_SERIES_BINS)
        bins = FB_SERIES_BINS;
    double bin_s = (double)series->bin_ns * 1e-9;
    struct fb_series_row *rows = fb_allocate(bins * FB_SERIES_COUNT, sizeof(*rows), "series", NULL);
    *count = 0;
    for (uint64_t i = 0; i < bins; i++) {
        double read = series->sums[FB_SERIES_READ][i];
        /* The last bin is shorter: its rate is over the time that it really covers. */
        double start_s = (double)i * bin_s, end_s = (double)end_ns * 1e-9;
        double covered_s = end_s - start_s < bin_s && end_s > start_s ? end_s - start_s : bin_s;
        for (uint32_t q = 0; q < FB_SERIES_COUNT; q++) {
            if (q == FB_SERIES_HIT && read <= 0)
                continue;
            double divisor = q == FB_SERIES_HIT ? read : covered_s;
            rows[(*count)++] = (struct fb_series_row){
                .time_s = start_s, .name = names[q], .value = series->sums[q][i] / divisor};
        }
    }
    FB_ASSERT(*count <= bins * FB_SERIES_COUNT);
    return rows;
}
