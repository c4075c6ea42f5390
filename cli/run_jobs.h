/* Runs many (point, seed) pairs, each in a process of its own, some side by side. */
#ifndef FB_CLI_RUN_JOBS_H
#define FB_CLI_RUN_JOBS_H

#include "models/scenario.h"
#include "results/results.h"

struct fb_job {
    const struct fb_scenario *scenario;
    uint64_t seed;
    uint32_t point;
    struct fb_run *run; /* filled in */
    bool is_done;
};

/* Runs all jobs, at most `side_by_side` at a time. Ctrl-C ends them early: *is_stopped, runs
 * marked partial; a second one kills. Errors: error set with the point's and seed's own line. */
void fb_jobs_run(struct fb_job *jobs, uint32_t count, uint32_t side_by_side, bool is_quiet,
                 const char *title, bool *is_stopped, struct fb_error *error);

#endif
