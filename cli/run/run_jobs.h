/* Runs many (point, seed) pairs, each in a process of its own, some side by side. */
#ifndef FB_CLI_RUN_RUN_JOBS_H
#define FB_CLI_RUN_RUN_JOBS_H

#include "cli/run/job.h"

struct fb_run_folder;

/* What is to be run, and how. */
struct fb_jobs {
    struct fb_job *list; /* those that are done already are left as they are */
    uint32_t count;
    uint32_t side_by_side;
    bool is_quiet;
    const char *title;
    const struct fb_run_folder *folder; /* where ended ones are kept; NULL: nowhere */
};

/* Runs all that are not done, at most `side_by_side` at a time. Ctrl-C ends them early:
 * *is_stopped, runs marked partial; a second one kills. Errors: error set with the point's and
 * seed's own line. */
void fb_jobs_run(const struct fb_jobs *jobs, bool *is_stopped, struct fb_error *error);

#endif
