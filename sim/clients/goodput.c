/* See goodput.h. A job is played checkpoint by checkpoint; between two events nothing happens:
 *
 *     WORK --interval--> STALL --done: a checkpoint--> WORK ...
 *       '--------failure, in any of them--> RESTORE --> WORK, from the last one that survived
 *
 * A checkpoint that is not drained at a failure survives unless the setting loses such. Drains
 * follow each other: one begins when the one before it has ended. */
#include "sim/clients/goodput.h"

#include "core/panic.h"
#include "sim/generator.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

enum { UNDRAINED_MAX = 64 }; /* more: the drain can not keep up, and the oldest count as lost */

struct checkpoint_kept {
    double work_s, drained_at_s;
};

struct job {
    double now_s, work_s; /* work_s: done so far, what may be lost included */
    double safe_work_s;   /* in the last drained checkpoint */
    double drain_end_s;
    struct checkpoint_kept undrained[UNDRAINED_MAX]; /* oldest first */
    uint32_t undrained_count;
};

double fb_goodput_interval_s(double mttf_s, double stall_s)
{
    FB_ASSERT(stall_s >= 0);
    double interval_s = sqrt(2 * mttf_s * stall_s);
    return interval_s > 1 ? interval_s : 1;
}

static void drop_oldest(struct job *job)
{
    FB_ASSERT(job->undrained_count > 0);
    for (uint32_t i = 1; i < job->undrained_count; i++)
        job->undrained[i - 1] = job->undrained[i];
    job->undrained_count--;
}

static void drain_until(struct job *job, double now_s)
{
    while (job->undrained_count > 0 && job->undrained[0].drained_at_s <= now_s) {
        FB_ASSERT(job->safe_work_s <= job->undrained[0].work_s);
        job->safe_work_s = job->undrained[0].work_s;
        drop_oldest(job);
    }
}

static void checkpoint_add(struct job *job, const struct fb_goodput *goodput, double begun_s)
{
    double from_s = job->drain_end_s > begun_s ? job->drain_end_s : begun_s;
    job->drain_end_s = from_s + goodput->drained_s;
    drain_until(job, job->now_s);
    if (job->undrained_count == UNDRAINED_MAX)
        drop_oldest(job);
    job->undrained[job->undrained_count++] =
        (struct checkpoint_kept){.work_s = job->work_s, .drained_at_s = job->drain_end_s};
}

static void fail(struct job *job, const struct fb_goodput *goodput, double at_s)
{
    FB_ASSERT(at_s >= job->now_s);
    FB_ASSERT(job->safe_work_s <= job->work_s);
    drain_until(job, at_s);
    bool keeps = !goodput->loses && job->undrained_count > 0;
    job->work_s = keeps ? job->undrained[job->undrained_count - 1].work_s : job->safe_work_s;
    job->safe_work_s = job->work_s;
    job->undrained_count = 0;
    job->drain_end_s = at_s;
    job->now_s = at_s + goodput->restore_s;
}

/* Work that counted at the end of one job. */
static double job_play(const struct fb_goodput *goodput, gsl_rng *random)
{
    struct job job = {.now_s = 0};
    double failure_s = gsl_ran_exponential(random, goodput->mttf_s);
    while (job.now_s < goodput->job_s) {
        double stall_begun_s = job.now_s + goodput->interval_s;
        double round_end_s = stall_begun_s + goodput->stall_s;
        if (failure_s < round_end_s && failure_s < goodput->job_s) {
            fail(&job, goodput, failure_s > job.now_s ? failure_s : job.now_s);
            failure_s = job.now_s + gsl_ran_exponential(random, goodput->mttf_s);
            continue;
        }
        if (round_end_s > goodput->job_s) {
            double left_s = goodput->job_s - job.now_s;
            job.work_s += left_s < goodput->interval_s ? left_s : goodput->interval_s;
            break;
        }
        job.now_s = round_end_s;
        job.work_s += goodput->interval_s;
        checkpoint_add(&job, goodput, stall_begun_s);
    }
    return job.work_s;
}

double fb_goodput_draw(const struct fb_goodput *goodput, uint32_t draws, uint64_t seed)
{
    gsl_rng *random = fb_generator_open(seed);
    double sum = 0;
    FB_ASSERT(goodput->mttf_s > 0 && goodput->interval_s > 0 && goodput->job_s > 0);
    for (uint32_t i = 0; i < draws; i++)
        sum += job_play(goodput, random) / goodput->job_s;
    gsl_rng_free(random);
    return draws > 0 ? sum / draws : 0;
}
