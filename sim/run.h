/* What one run gave: its figures, and what it cost. */
#ifndef FB_SIM_RUN_H
#define FB_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

/* A figure of the whole run. */
struct fb_metric {
    const char *name; /* snake_case, static: "throughput_bytes_per_s" */
    const char *unit; /* "B/s", "ns", "1", static */
    double value;
};

/* A line of series.csv: one value of one quantity over simulated time. */
struct fb_series_row {
    double time_s;
    const char *name; /* static: "read_bytes_per_s", "hit_ratio", ... */
    double value;
};

/* A line of per_entity.csv: one value of one node, drive, link, ... */
struct fb_entity_row {
    char entity[32]; /* "node 3", "origin" */
    const char *name;
    double value;
};

/* Latency distribution: cumulative points for the percentile plot. */
struct fb_latency_point {
    double latency_ns;
    double share; /* of requests at or below, 0..1 */
};

/* One run: one point, one seed. Arrays are malloc'ed by the run, freed by fb_run_free. */
struct fb_run {
    uint64_t seed;
    struct fb_metric *metrics;
    uint32_t metric_count;
    struct fb_series_row *series;
    uint32_t series_count;
    struct fb_entity_row *entities;
    uint32_t entity_count;
    struct fb_latency_point *latencies;
    uint32_t latency_count;
    uint64_t determinism_hash;
    uint64_t events;
    double simulated_s;
    double start_s; /* of wall_s: until the first event */
    double wall_s;
    double processor_s; /* of the run's process, as is: */
    uint64_t peak_rss_bytes;
    bool is_partial; /* stopped by Ctrl-C */
};

/* Frees its arrays and zeroes it; a zeroed one is fine. */
void fb_run_free(struct fb_run *run);

#endif
