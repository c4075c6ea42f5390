/* Goodput of a long training job that is interrupted by failures, drawn from a rate.
 *
 * The job works for an interval, stops for a checkpoint, works again. A failure throws it back to
 * the last checkpoint that survived, and costs the restore. Failures are a Poisson process: the
 * time to the next is exponential. Durations in seconds. */
#ifndef FB_SIM_CLIENTS_GOODPUT_H
#define FB_SIM_CLIENTS_GOODPUT_H

#include <stdbool.h>
#include <stdint.h>

struct fb_goodput {
    double mttf_s;     /* mean time to a failure of the job, > 0 */
    double interval_s; /* of work between checkpoints, > 0 */
    double stall_s;    /* the job stands still for a checkpoint */
    double drained_s;  /* from a checkpoint's begin until the origin has all of it */
    double restore_s;  /* from a failure until the job works again */
    double job_s;      /* how long the job runs, > 0 */
    bool loses;        /* a failure takes what is not drained along */
};

/* Share of job_s that was work which counted, mean over `draws` jobs, 0..1. */
double fb_goodput_draw(const struct fb_goodput *goodput, uint32_t draws, uint64_t seed);

/* Interval of Young 1974 and Daly 2006, sqrt(2 * mttf * stall), at least one second. */
double fb_goodput_interval_s(double mttf_s, double stall_s);

#endif
