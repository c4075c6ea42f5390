/* The parts of `forebay swarm`: options, runs in child processes, printing. */
#ifndef FB_CLI_COMMANDS_COMMAND_SWARM_H
#define FB_CLI_COMMANDS_COMMAND_SWARM_H

#include "sim/swarm/swarm.h"

enum { SWARM_JOBS_MAX = 64, SWARM_FAILURES_MAX = 32 };

struct swarm_options {
    uint64_t first_seed;
    uint64_t seeds;
    uint64_t seconds; /* 0: no limit */
    uint32_t jobs;
    bool is_beyond, does_minimise, is_json, does_trace, must_see_all, stops_early;
    const char *script; /* a plan to run instead of seeds */
    const char *folder; /* for minimised scripts */
};

/* What all seeds gave together. */
struct swarm_totals {
    struct fb_swarm_result sum;                          /* of the figures */
    struct fb_swarm_result failures[SWARM_FAILURES_MAX]; /* the first ones of each child */
    uint64_t failure_count;
    uint64_t seeds, twice; /* runs; of which were made twice to compare */
    double seconds;
};

/* Runs the seeds in children, so that a false assertion ends one of them and not the hunt.
 * Errors: false when no child can be started. */
bool swarm_jobs_run(const struct swarm_options *options, struct swarm_totals *totals);

/* Runs one plan in a child. */
bool swarm_child_run(const struct fb_swarm_plan *plan, FILE *trace, struct fb_swarm_result *result);

/* Leaves out of a plan what the failure in `result` does not need; returns the runs it took. */
uint32_t swarm_child_minimise(struct fb_swarm_plan *plan, const struct fb_swarm_result *result);

void swarm_print(const struct swarm_options *options, const struct swarm_totals *totals);
void swarm_print_json(const struct swarm_options *options, const struct swarm_totals *totals);

/* Things that no seed showed. */
uint32_t swarm_unseen(const struct swarm_totals *totals);

#endif
