/* The loads that `forebay bench fluid` times, each in a process of its own. */
#ifndef FB_CLI_BENCH_BENCH_FLUID_H
#define FB_CLI_BENCH_BENCH_FLUID_H

#include "sim/fluid/fluid_fabric.h"

#include <stdbool.h>

/* See bench_fluid_loop.c. */
enum fb_fluid_load { FB_LOAD_STEADY, FB_LOAD_BURST, FB_LOAD_ONE_LINK, FB_LOADS };

struct fb_fluid_loop {
    struct fb_fabric fabric;
    uint32_t flows_per_host;
    double tolerance;
    enum fb_fluid_load load;
    uint32_t seconds_max; /* SimGrid only */
};

/* Lives in memory that the parent shares, so that it tells what was done when time ran out. */
struct fb_fluid_loop_result {
    uint64_t completions; /* that were timed */
    double seconds;
    uint64_t memory_bytes; /* that the network with its flows takes */
    uint64_t rss_bytes;    /* of the whole process, at most */
    struct fb_fluid_counts counts;
    bool is_complete; /* it timed as many as it wanted to */
};

/* Runs a loop in a child process. Errors: false: there is no child to be had, or it died of
 * something else than the end of its time. */
bool fb_fluid_loop_run(const struct fb_fluid_loop *loop, struct fb_fluid_loop_result *result);
bool fb_fluid_loop_run_simgrid(const struct fb_fluid_loop *loop,
                               struct fb_fluid_loop_result *result);

#endif
