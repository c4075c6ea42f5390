/* See run_slice.h. The slice is one point and one seed; both networks run on SimGrid's clock, so
 * they differ in nothing but who computes the flows' rates.
 *
 * What scales with the nodes: the data set's files, the checkpoint's state, writers, readers and
 * victims, the trace's length and speed, the origin's accounts, the metadata store's rate. What one
 * node does (object size, block size, memory, windows) stays. A fault of a node that is not in the
 * slice is left out. */
#include "cli/run/run_slice.h"

#include "base/clock.h"
#include "cli/run/run_jobs.h"
#include "sim/engine/engine.h"
#include "sim/clients/workload.h"

#include <string.h>

enum {
    NODES_FIRST = 8,
    /* SimGrid's time grows up to cubically with the nodes: flows, and work for each. */
    GROWTH_OF_TWICE = 8,
    SECONDS_MAX = 300,
};

/* Rounded up: what there was some of, there is some of in the slice. */
static uint64_t share_of(uint64_t count, uint32_t nodes, uint32_t nodes_all)
{
    return (count * nodes + nodes_all - 1) / nodes_all;
}

static void faults_cut(struct fb_scenario *slice)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slice->fault_count; i++) {
        const struct fb_fault *fault = &slice->faults[i];
        if (fault->node == UINT32_MAX || fault->node < slice->nodes)
            slice->faults[kept++] = *fault;
    }
    slice->fault_count = kept;
}

void fb_slice_scenario(const struct fb_scenario *whole, uint32_t nodes, struct fb_scenario *slice)
{
    *slice = *whole;
    if (whole->nodes <= nodes)
        return;
    uint32_t all = whole->nodes;
    slice->nodes = nodes;
    struct fb_training *training = &slice->workload.training;
    training->files = share_of(training->files, nodes, all);
    struct fb_checkpoint *checkpoint = &slice->workload.checkpoint;
    checkpoint->state_size_bytes = checkpoint->state_size_bytes / all * nodes;
    checkpoint->writers = (uint32_t)share_of(checkpoint->writers, nodes, all);
    checkpoint->readers = (uint32_t)share_of(checkpoint->readers, nodes, all);
    checkpoint->kill_when_durable = (uint32_t)share_of(checkpoint->kill_when_durable, nodes, all);
    struct fb_kv *kv = &slice->workload.kv;
    kv->requests_max = share_of(kv->requests_max, nodes, all);
    kv->speed = kv->speed * nodes / all;
    slice->origin.accounts = (uint32_t)share_of(slice->origin.accounts, nodes, all);
    struct fb_metadata *metadata = &slice->metadata;
    metadata->operations_per_s = share_of(metadata->operations_per_s, nodes, all);
    faults_cut(slice);
}

/* Runs both; a pair that did not end leaves nothing, and error set. */
static void pair_run(const struct fb_scenario scenarios[2], const struct fb_slice_how *how,
                     struct fb_slice *slice, struct fb_error *error)
{
    bool is_preset = slice->kind == FB_SLICE_PRESET, is_stopped = false;
    struct fb_job jobs[2] = {
        {.scenario = &scenarios[0], .seed = how->seed, .run = &slice->reference},
        {.scenario = &scenarios[1], .seed = how->seed, .run = &slice->subject},
    };
    const struct fb_jobs both = {.list = jobs,
                                 .count = 2,
                                 .side_by_side = how->side_by_side < 2 ? 1 : 2,
                                 .is_quiet = how->is_quiet,
                                 .title = is_preset ? "slice, unscaled and scaled"
                                                    : "slice, lmm and fluid"};
    fb_jobs_run(&both, &is_stopped, error);
    slice->seed = how->seed;
    slice->nodes = scenarios[0].nodes;
    bool is_whole = jobs[0].is_done && jobs[1].is_done && !is_stopped &&
                    !slice->reference.is_partial && !slice->subject.is_partial;
    if (!is_whole && !fb_error_is_set(error))
        fb_error_set(error, "%s: stopped before its end",
                     is_preset ? "the scaled preset's error" : "--check-slice");
    if (!is_whole) {
        fb_run_free(&slice->reference);
        fb_run_free(&slice->subject);
        memset(slice, 0, sizeof(*slice));
    }
}

void fb_slice_run(const struct fb_scenario *whole, uint64_t seed, uint32_t nodes_max,
                  uint32_t side_by_side, bool is_quiet, struct fb_slice *slice,
                  struct fb_error *error)
{
    static struct fb_scenario scenarios[2];
    memset(slice, 0, sizeof(*slice));
    if (!fb_engine_kind_is_built(FB_ENGINE_SIMGRID)) {
        fb_error_set(error, "--check-slice: this build has no SimGrid to compare with");
        return;
    }
    fb_slice_scenario(whole, nodes_max, &scenarios[0]);
    scenarios[0].engine = FB_ENGINE_SIMGRID;
    scenarios[1] = scenarios[0];
    scenarios[0].flows = FB_FLOWS_LMM;
    scenarios[1].flows = FB_FLOWS_FLUID;
    fb_workload_check(&scenarios[0], error);
    if (fb_error_is_set(error))
        return;
    const struct fb_slice_how how = {
        .seed = seed, .side_by_side = side_by_side, .is_quiet = is_quiet};
    pair_run(scenarios, &how, slice, error);
    slice->nodes_all = whole->nodes;
}

void fb_slice_preset(const struct fb_scenario *scaled, const struct fb_scenario *unscaled,
                     const struct fb_slice_how *how, struct fb_slice *slice, struct fb_error *error)
{
    static struct fb_scenario scenarios[2];
    memset(slice, 0, sizeof(*slice));
    slice->kind = FB_SLICE_PRESET;
    fb_slice_scenario(unscaled, FB_SLICE_PRESET_NODES, &scenarios[0]);
    fb_slice_scenario(scaled, FB_SLICE_PRESET_NODES, &scenarios[1]);
    fb_workload_check(&scenarios[0], error);
    if (fb_error_is_set(error))
        return;
    pair_run(scenarios, how, slice, error);
    slice->nodes_all = scaled->nodes;
}

void fb_slice_grow(const struct fb_scenario *whole, uint64_t seed, uint32_t side_by_side,
                   bool is_quiet, struct fb_slice *slice, struct fb_error *error)
{
    memset(slice, 0, sizeof(*slice));
    double last_s = 0;
    for (uint32_t nodes = NODES_FIRST; last_s * GROWTH_OF_TWICE <= SECONDS_MAX; nodes *= 2) {
        struct fb_slice next;
        struct fb_error own = {.text = ""};
        double begun_s = fb_clock_s();
        fb_slice_run(whole, seed, nodes, side_by_side, is_quiet, &next, &own);
        last_s = fb_clock_s() - begun_s;
        if (fb_error_is_set(&own)) {
            if (slice->nodes == 0)
                *error = own;
            return;
        }
        fb_run_free(&slice->reference);
        fb_run_free(&slice->subject);
        *slice = next;
        if (nodes >= FB_SLICE_NODES || nodes >= whole->nodes)
            return;
    }
}
