/* Training readers as DLIO and MLPerf Storage model them.
 *
 * Each accelerator has a loader of read_threads workers, which load whole batches; see loader.c.
 * At most read_threads * prefetch batches are loaded but not yet taken. The accelerator takes
 * batch s, computes for computation_ns, and waits for all others (the allreduce of data-parallel
 * training) before batch s + 1.
 *
 *     accelerator: WAITING --batch loaded--> COMPUTING --timer--> AT_BARRIER --all there--> WAITING
 *
 * Loaders start empty at each epoch. Accelerator utilisation (AU) of an epoch is
 *     (steps - 1) * computation time / (end of the last step - end of the first step)
 * as DLIO's own code has it, which leaves the whole first step out: its loading and its
 * computation. An epoch of one step has no other: then it counts whole. Throughput counts all bytes
 * over the whole epoch, the first batch's loading too, as MLPerf Storage's samples a second do.
 * Source: DLIO, statscounter.py, end_epoch; MLPerf Storage rules v1.0; DLIO main loop (barrier
 * after each step).
 */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/clients/kinds.h"
#include "sim/clients/training_internal.h"
#include "sim/generator.h"

#include <stdio.h>
#include <stdlib.h>

const struct fb_training *training_spec(const struct world *world)
{
    return &world->scenario->workload.training;
}

uint32_t training_node_of(const struct world *world, uint32_t accelerator)
{
    FB_ASSERT(accelerator < world->scenario->nodes * world->scenario->accelerators);
    return accelerator / world->scenario->accelerators;
}

static uint64_t steps_of(const struct fb_scenario *scenario)
{
    const struct fb_training *training = &scenario->workload.training;
    uint64_t ranks = (uint64_t)scenario->nodes * scenario->accelerators;
    return training->files * training->samples_per_file / (ranks * training->batch_size);
}

/* A batch in one request must fit what a node holds of ranges; it would be refused for ever. */
static void get_batch_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    const struct fb_training *training = &scenario->workload.training;
    double longest = training->record_length_bytes *
                     (training->record_length_stdev_bytes > 0 ? 2 : 1); /* see dataset.c */
    double ranges = training->batch_size * (longest / (double)scenario->core.block_size_bytes + 2);
    if (training->is_gathered &&
        (scenario->core.gathers_max == 0 || ranges > (double)scenario->core.gather_ranges_max))
        fb_error_set(error,
                     "workload.get_batch: a batch may be %.0f ranges and a node holds "
                     "core.gather_ranges_max of them, %llu, for at most core.gathers_max requests, "
                     "%llu: set them to hold a batch of each loader thread",
                     ranges, (unsigned long long)scenario->core.gather_ranges_max,
                     (unsigned long long)scenario->core.gathers_max);
}

void training_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    const struct fb_training *training = &scenario->workload.training;
    if (steps_of(scenario) == 0)
        fb_error_set(error,
                     "workload: %llu samples are fewer than one batch of %u for %u accelerators; "
                     "set workload.files higher",
                     (unsigned long long)(training->files * training->samples_per_file),
                     training->batch_size, scenario->nodes * scenario->accelerators);
    get_batch_check(scenario, error);
}

void training_open(struct world *world)
{
    const struct fb_training *training = training_spec(world);
    struct training *state = fb_allocate(1, sizeof(*state), "accelerators", world->error);
    world->training = state;
    if (state == NULL)
        return;
    state->ranks = world->scenario->nodes * world->scenario->accelerators;
    state->steps = steps_of(world->scenario);
    state->window = training->read_threads * training->prefetch_batches;
    state->random = fb_generator_open(world->seed + 1);
    state->read_free = FB_NONE;
    state->epochs = fb_allocate(training->epochs, sizeof(*state->epochs), "epochs", world->error);
    state->accelerators =
        fb_allocate(state->ranks, sizeof(*state->accelerators), "accelerators", world->error);
    for (uint32_t i = 0; i < state->ranks && !fb_error_is_set(world->error); i++) {
        struct accelerator *accelerator = &state->accelerators[i];
        accelerator->workers = fb_allocate(training->read_threads, sizeof(*accelerator->workers),
                                           "loaders", world->error);
        accelerator->is_loaded =
            fb_allocate(state->window, sizeof(*accelerator->is_loaded), "loaders", world->error);
    }
    fb_dataset_open(&state->dataset, training, world->seed + 2, world->error);
}

void training_close(struct world *world)
{
    struct training *state = world->training;
    if (state == NULL)
        return;
    for (uint32_t i = 0; state->accelerators != NULL && i < state->ranks; i++) {
        struct worker *workers = state->accelerators[i].workers;
        for (uint32_t w = 0; workers != NULL && w < training_spec(world)->read_threads; w++)
            free(workers[w].items);
        free(workers);
        free(state->accelerators[i].is_loaded);
    }
    if (state->random != NULL)
        gsl_rng_free(state->random);
    fb_dataset_close(&state->dataset);
    free(state->accelerators);
    free(state->epochs);
    free(state->reads);
    free(state);
}

/* Starts the computation of the accelerator's step when its batch is there. */
static void accelerator_advance(struct world *world, uint32_t accelerator)
{
    struct training *state = world->training;
    struct accelerator *record = &state->accelerators[accelerator];
    if (record->state != WAITING || record->step >= state->steps)
        return;
    bool *is_loaded = &record->is_loaded[record->step % state->window];
    if (!*is_loaded)
        return;
    *is_loaded = false;
    record->state = COMPUTING;
    world_client_timer(world, training_node_of(world, accelerator),
                       world_now_ns(world) + training_spec(world)->computation_ns,
                       (uint64_t)TIMER_COMPUTED << 32 | accelerator);
    for (uint32_t i = 0; i < training_spec(world)->read_threads; i++)
        loader_advance(world, accelerator, i);
}

void training_loaded(struct world *world, uint32_t accelerator, uint64_t batch)
{
    struct training *state = world->training;
    FB_ASSERT(batch < state->steps);
    FB_ASSERT(!state->accelerators[accelerator].is_loaded[batch % state->window]);
    state->accelerators[accelerator].is_loaded[batch % state->window] = true;
    accelerator_advance(world, accelerator);
}

static void epoch_begin(struct world *world)
{
    struct training *state = world->training;
    FB_ASSERT(state->epoch < training_spec(world)->epochs);
    fb_dataset_shuffle(&state->dataset, training_spec(world), state->random);
    state->epochs[state->epoch].begin_ns = world_now_ns(world);
    for (uint32_t i = 0; i < state->ranks; i++) {
        struct accelerator *record = &state->accelerators[i];
        record->state = WAITING;
        record->step = 0;
        for (uint32_t w = 0; w < training_spec(world)->read_threads; w++)
            record->workers[w] = (struct worker){.at.batch = w,
                                                 .hinted = w + training_spec(world)->read_threads,
                                                 .items = record->workers[w].items};
    }
    for (uint32_t i = 0; i < state->ranks; i++) {
        for (uint32_t w = 0; w < training_spec(world)->read_threads; w++)
            loader_advance(world, i, w);
    }
}

/* Every accelerator computed its step: the next one begins, or the next epoch, or the run ends. */
static void barrier_open(struct world *world)
{
    struct training *state = world->training;
    state->arrived = 0;
    for (uint32_t i = 0; i < state->ranks; i++) {
        FB_ASSERT(state->accelerators[i].state == AT_BARRIER);
        state->accelerators[i].state = WAITING;
        state->accelerators[i].step++;
    }
    if (state->accelerators[0].step == 1)
        state->epochs[state->epoch].first_end_ns = world_now_ns(world);
    if (state->accelerators[0].step < state->steps) {
        for (uint32_t i = 0; i < state->ranks; i++)
            accelerator_advance(world, i);
        return;
    }
    state->epochs[state->epoch].end_ns = world_now_ns(world);
    world->end_ns = world_now_ns(world);
    state->epoch++;
    if (state->epoch < training_spec(world)->epochs)
        epoch_begin(world);
}

void training_start(struct world *world)
{
    epoch_begin(world);
}

void training_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    loader_reply(world, node, reply);
}

void training_timer(struct world *world, uint32_t node, uint64_t detail)
{
    struct training *state = world->training;
    (void)node;
    if (detail >> 32 != TIMER_COMPUTED) {
        loader_timer(world, detail);
        return;
    }
    FB_ASSERT((uint32_t)detail < state->ranks);
    FB_ASSERT(state->accelerators[(uint32_t)detail].state == COMPUTING);
    state->accelerators[(uint32_t)detail].state = AT_BARRIER;
    if (++state->arrived == state->ranks)
        barrier_open(world);
}

double training_progress(const struct world *world)
{
    const struct training *state = world->training;
    uint64_t steps = state->steps * training_spec(world)->epochs;
    uint64_t done = state->steps * state->epoch;
    if (state->epoch < training_spec(world)->epochs)
        done += state->accelerators[0].step;
    return (double)done / (double)steps;
}

/* See the top. */
static double epoch_au(const struct training *state, const struct epoch *epoch, double compute_s)
{
    FB_ASSERT(epoch->begin_ns <= epoch->first_end_ns);
    FB_ASSERT(epoch->first_end_ns <= epoch->end_ns);
    if (state->steps == 1)
        return compute_s / ((double)(epoch->end_ns - epoch->begin_ns) * 1e-9);
    double rest_s = (double)(epoch->end_ns - epoch->first_end_ns) * 1e-9;
    return compute_s * (double)(state->steps - 1) / rest_s;
}

void training_metrics(const struct world *world, struct fb_run *run)
{
    const struct training *state = world->training;
    const struct fb_training *training = training_spec(world);
    uint32_t epochs = state->epoch;
    double au_sum = 0, mib_sum = 0, compute_s = (double)training->computation_ns * 1e-9;
    double nominal_bytes =
        (double)state->steps * training->batch_size * training->record_length_bytes;
    for (uint32_t i = 0; i < epochs; i++) {
        const struct epoch *epoch = &state->epochs[i];
        double seconds = (double)(epoch->end_ns - epoch->begin_ns) * 1e-9;
        double mib_per_s = nominal_bytes / seconds / 1048576;
        double au = epoch_au(state, epoch, compute_s);
        metrics_add(run, metrics_name("epoch_%u_au", i + 1), "1", au);
        metrics_add(run, metrics_name("epoch_%u_mib_per_s_per_accelerator", i + 1), "MiB/s",
                    mib_per_s);
        metrics_add(run, metrics_name("epoch_%u_s", i + 1), "s", seconds);
        metrics_add(run, metrics_name("epoch_%u_read_bytes_per_s", i + 1), "B/s",
                    (double)epoch->bytes / seconds);
        au_sum += au;
        mib_sum += mib_per_s;
    }
    if (epochs == 0)
        return;
    metrics_add(run, "accelerator_utilisation", "1", au_sum / epochs);
    metrics_add(run, "mib_per_s_per_accelerator", "MiB/s", mib_sum / epochs);
    metrics_add(run, "demand_mib_per_s_per_accelerator", "MiB/s",
                training->batch_size * training->record_length_bytes / compute_s / 1048576);
}
