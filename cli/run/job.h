/* One run of an experiment: a point and a seed, in a process of its own. */
#ifndef FB_CLI_RUN_JOB_H
#define FB_CLI_RUN_JOB_H

#include "models/scenario/scenario.h"
#include "results/results.h"

/* A run to be done, and where its figures go; the scenario is the caller's. */
struct fb_job {
    const struct fb_scenario *scenario;
    uint64_t seed;
    uint32_t point;
    struct fb_run *run; /* filled in */
    bool is_done;
};

#endif
