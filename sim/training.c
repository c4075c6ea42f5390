/* Training readers as DLIO and MLPerf Storage model them.
 *
 * Each accelerator has a loader of read_threads workers. A worker loads whole batches: it reads a
 * sample's blocks with a small read-ahead window, sample after sample. At most read_threads *
 * prefetch batches are loaded but not yet taken. The accelerator takes batch s, computes for
 * computation_ns, and waits for all others (the allreduce of data-parallel training) before
 * batch s + 1.
 *
 *     accelerator: WAITING --batch loaded--> COMPUTING --timer--> AT_BARRIER --all there--> WAITING
 *
 * Loaders start empty at each epoch. Accelerator utilisation (AU) of an epoch is
 *     steps * computation time / (end of the last step - start of the first step's computation)
 * that is, the first batch's loading does not count.
 * Source: MLPerf Storage rules v1.0, "Accelerator utilization"; DLIO main loop (barrier after
 * each step). */
#include "sim/dataset.h"
#include "sim/world_internal.h"

#include "core/key.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_AHEAD_BLOCKS = 4 }; /* guess: 2..8, what a file system client keeps in flight a file */
enum { RETRY_NS = 1000000 };    /* guess: a client's pause after BUSY */
enum { EPOCHS_MAX = 16 };       /* epochs with metrics of their own */

enum accelerator_state { WAITING, COMPUTING, AT_BARRIER };

/* A client timer's word: what it is for, and for whom. */
enum { TIMER_COMPUTED, TIMER_COPIED, TIMER_RETRY };

struct read {
    struct fb_block block;
    uint64_t bytes; /* of the block that the sample needs */
    uint64_t lease;
    uint32_t accelerator, worker;
    uint32_t next_free;
};

struct worker {
    uint64_t batch; /* being loaded, or the next one */
    bool is_loading;
    uint32_t sample;            /* in the batch */
    uint32_t in_flight;         /* reads */
    uint64_t file, offset, end; /* of the sample's bytes still to be asked for */
};

struct accelerator {
    enum accelerator_state state;
    uint64_t step; /* batch that it computes or waits for */
    struct worker *workers;
    bool *is_loaded; /* ring of read_threads * prefetch batches */
};

struct epoch {
    uint64_t begin_ns, first_compute_ns, end_ns;
    uint64_t bytes;
};

struct training {
    struct fb_dataset dataset;
    struct accelerator *accelerators;
    struct read *reads;
    uint32_t read_count, read_free;
    uint32_t ranks, window;
    uint64_t steps;
    uint32_t epoch, arrived;
    struct epoch epochs[EPOCHS_MAX];
    gsl_rng *random;
};

static const struct fb_training *spec(const struct world *world)
{
    return &world->scenario->workload.training;
}

static uint32_t node_of(const struct world *world, uint32_t accelerator)
{
    return accelerator / world->scenario->accelerators;
}

static uint64_t steps_of(const struct fb_scenario *scenario)
{
    const struct fb_training *training = &scenario->workload.training;
    uint64_t ranks = (uint64_t)scenario->nodes * scenario->accelerators;
    return training->files * training->samples_per_file / (ranks * training->batch_size);
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
}

void training_open(struct world *world)
{
    const struct fb_training *training = spec(world);
    struct training *state = calloc(1, sizeof(*state));
    world->training = state;
    state->ranks = world->scenario->nodes * world->scenario->accelerators;
    state->steps = steps_of(world->scenario);
    state->window = training->read_threads * training->prefetch_batches;
    state->random = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(state->random, world->seed + 1);
    state->read_free = FB_NONE;
    state->accelerators = calloc(state->ranks, sizeof(*state->accelerators));
    for (uint32_t i = 0; i < state->ranks; i++) {
        state->accelerators[i].workers = calloc(training->read_threads, sizeof(struct worker));
        state->accelerators[i].is_loaded = calloc(state->window, sizeof(bool));
    }
    if (!fb_dataset_open(&state->dataset, training, world->seed + 2))
        fb_error_set(world->error, "out of memory for %llu files",
                     (unsigned long long)training->files);
}

void training_close(struct world *world)
{
    struct training *state = world->training;
    if (state == NULL)
        return;
    for (uint32_t i = 0; state->accelerators != NULL && i < state->ranks; i++) {
        free(state->accelerators[i].workers);
        free(state->accelerators[i].is_loaded);
    }
    if (state->random != NULL)
        gsl_rng_free(state->random);
    fb_dataset_close(&state->dataset);
    free(state->accelerators);
    free(state->reads);
    free(state);
}

static uint32_t read_take(struct training *state)
{
    if (state->read_free == FB_NONE) {
        uint32_t count = state->read_count > 0 ? state->read_count * 2 : 256;
        state->reads = realloc(state->reads, count * sizeof(*state->reads));
        for (uint32_t i = count; i-- > state->read_count;) {
            state->reads[i].next_free = state->read_free;
            state->read_free = i;
        }
        state->read_count = count;
    }
    uint32_t index = state->read_free;
    state->read_free = state->reads[index].next_free;
    return index;
}

static uint64_t timer_word(uint32_t kind, uint32_t index)
{
    return (uint64_t)kind << 32 | index;
}

static void read_ask(struct world *world, uint32_t index)
{
    const struct read *read = &world->training->reads[index];
    const struct fb_request request = {
        .kind = FB_REQUEST_GET, .request_id = index, .block = read->block};
    world_request(world, node_of(world, read->accelerator), &request);
}

/* Begins the worker's current sample: which file, which bytes. Ranks own consecutive samples. */
static void sample_begin(struct world *world, uint32_t accelerator, struct worker *worker)
{
    struct training *state = world->training;
    const struct fb_training *training = spec(world);
    uint64_t per_rank = state->steps * training->batch_size;
    uint64_t sample =
        accelerator * per_rank + worker->batch * training->batch_size + worker->sample;
    uint64_t file = state->dataset.order[sample / training->samples_per_file];
    uint64_t length = state->dataset.sample_bytes[file];
    worker->file = file;
    worker->offset = sample % training->samples_per_file * length;
    worker->end = worker->offset + length;
}

/* The block at the worker's offset, and how much of it the sample needs. */
static void read_fill_in(struct world *world, struct worker *worker, struct read *read)
{
    const struct fb_dataset *dataset = &world->training->dataset;
    uint64_t block_bytes = world->scenario->core.block_size_bytes;
    uint64_t file_bytes = dataset->sample_bytes[worker->file] * dataset->samples_per_file;
    uint64_t number = worker->offset / block_bytes;
    uint64_t start = number * block_bytes;
    uint64_t size = file_bytes - start < block_bytes ? file_bytes - start : block_bytes;
    uint64_t stop = start + size < worker->end ? start + size : worker->end;
    read->block =
        (struct fb_block){.key = {.high = fb_mix(fb_mix(worker->file + 1) + number), .low = 1},
                          .object = worker->file,
                          .offset = start,
                          .size = (uint32_t)size};
    read->bytes = stop - worker->offset;
    worker->offset = stop;
}

/* Keeps the worker's window full; begins its next batch when it may. */
static void worker_advance(struct world *world, uint32_t accelerator, uint32_t index)
{
    struct training *state = world->training;
    struct accelerator *record = &state->accelerators[accelerator];
    struct worker *worker = &record->workers[index];
    uint64_t taken = record->step + (record->state == WAITING ? 0 : 1);
    if (!worker->is_loading) {
        if (worker->batch >= state->steps || worker->batch >= taken + state->window)
            return;
        worker->is_loading = true;
        worker->sample = 0;
        sample_begin(world, accelerator, worker);
    }
    while (worker->in_flight < READ_AHEAD_BLOCKS && worker->offset < worker->end) {
        uint32_t read = read_take(state);
        read_fill_in(world, worker, &state->reads[read]);
        state->reads[read].accelerator = accelerator;
        state->reads[read].worker = index;
        worker->in_flight++;
        read_ask(world, read);
    }
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
    if (record->step == 0 && state->epoch < EPOCHS_MAX)
        state->epochs[state->epoch].first_compute_ns = world_now_ns(world);
    world_client_timer(world, node_of(world, accelerator),
                       world_now_ns(world) + spec(world)->computation_ns,
                       timer_word(TIMER_COMPUTED, accelerator));
    for (uint32_t i = 0; i < spec(world)->read_threads; i++)
        worker_advance(world, accelerator, i);
}

static void epoch_begin(struct world *world)
{
    struct training *state = world->training;
    fb_dataset_shuffle(&state->dataset, spec(world), state->random);
    if (state->epoch < EPOCHS_MAX)
        state->epochs[state->epoch].begin_ns = world_now_ns(world);
    for (uint32_t i = 0; i < state->ranks; i++) {
        struct accelerator *record = &state->accelerators[i];
        record->state = WAITING;
        record->step = 0;
        for (uint32_t w = 0; w < spec(world)->read_threads; w++)
            record->workers[w] = (struct worker){.batch = w};
    }
    for (uint32_t i = 0; i < state->ranks; i++) {
        for (uint32_t w = 0; w < spec(world)->read_threads; w++)
            worker_advance(world, i, w);
    }
}

/* Every accelerator computed its step: the next one begins, or the next epoch, or the run ends. */
static void barrier_open(struct world *world)
{
    struct training *state = world->training;
    state->arrived = 0;
    for (uint32_t i = 0; i < state->ranks; i++) {
        state->accelerators[i].state = WAITING;
        state->accelerators[i].step++;
    }
    if (state->accelerators[0].step < state->steps) {
        for (uint32_t i = 0; i < state->ranks; i++)
            accelerator_advance(world, i);
        return;
    }
    if (state->epoch < EPOCHS_MAX)
        state->epochs[state->epoch].end_ns = world_now_ns(world);
    world->end_ns = world_now_ns(world);
    state->epoch++;
    if (state->epoch < spec(world)->epochs)
        epoch_begin(world);
}

void training_start(struct world *world)
{
    epoch_begin(world);
}

void training_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct training *state = world->training;
    struct read *read = &state->reads[reply->request_id];
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + RETRY_NS,
                           timer_word(TIMER_RETRY, (uint32_t)reply->request_id));
        return;
    }
    if (world_memory_tag(world, &reply->span) != world_tag_of(&read->block)) {
        world_fault(world, "a read returned bytes that are not the block's", node);
        return;
    }
    bool is_hit = reply->source != FB_NONE && reply->reason != FB_REASON_ORIGIN_PEER;
    fb_series_add(&world->series, FB_SERIES_READ, world_now_ns(world), (double)read->bytes);
    if (is_hit)
        fb_series_add(&world->series, FB_SERIES_HIT, world_now_ns(world), (double)read->bytes);
    if (state->epoch < EPOCHS_MAX)
        state->epochs[state->epoch].bytes += read->bytes;
    read->lease = reply->lease;
    world_client_timer(world, node, world_copy(world, node, read->bytes),
                       timer_word(TIMER_COPIED, (uint32_t)reply->request_id));
}

/* The client has its bytes: give the lease back, and go on with the sample, the batch. */
static void read_end(struct world *world, uint32_t index)
{
    struct training *state = world->training;
    struct read read = state->reads[index];
    struct accelerator *record = &state->accelerators[read.accelerator];
    struct worker *worker = &record->workers[read.worker];
    const struct fb_request request = {.kind = FB_REQUEST_RELEASE, .lease = read.lease};
    state->reads[index].next_free = state->read_free;
    state->read_free = index;
    world_request(world, node_of(world, read.accelerator), &request);
    worker->in_flight--;
    if (worker->offset == worker->end && worker->in_flight == 0) {
        worker->sample++;
        if (worker->sample < spec(world)->batch_size) {
            sample_begin(world, read.accelerator, worker);
        } else {
            record->is_loaded[worker->batch % state->window] = true;
            worker->is_loading = false;
            worker->batch += spec(world)->read_threads;
            accelerator_advance(world, read.accelerator);
        }
    }
    worker_advance(world, read.accelerator, read.worker);
}

void training_timer(struct world *world, uint32_t node, uint64_t detail)
{
    struct training *state = world->training;
    uint32_t index = (uint32_t)detail;
    (void)node;
    if (detail >> 32 == TIMER_COPIED) {
        read_end(world, index);
    } else if (detail >> 32 == TIMER_RETRY) {
        read_ask(world, index);
    } else {
        state->accelerators[index].state = AT_BARRIER;
        if (++state->arrived == state->ranks)
            barrier_open(world);
    }
}

double training_progress(const struct world *world)
{
    const struct training *state = world->training;
    uint64_t steps = state->steps * spec(world)->epochs;
    uint64_t done = state->steps * state->epoch;
    if (state->epoch < spec(world)->epochs)
        done += state->accelerators[0].step;
    return (double)done / (double)steps;
}

void training_metrics(const struct world *world, struct fb_run *run)
{
    static char names[EPOCHS_MAX][4][48];
    const struct training *state = world->training;
    const struct fb_training *training = spec(world);
    uint32_t epochs = state->epoch < EPOCHS_MAX ? state->epoch : EPOCHS_MAX;
    double au_sum = 0, mib_sum = 0;
    double nominal_bytes =
        (double)state->steps * training->batch_size * training->record_length_bytes;
    for (uint32_t i = 0; i < epochs; i++) {
        const struct epoch *epoch = &state->epochs[i];
        double running_s = (double)(epoch->end_ns - epoch->first_compute_ns) * 1e-9;
        double compute_s = (double)state->steps * (double)training->computation_ns * 1e-9;
        double seconds = (double)(epoch->end_ns - epoch->begin_ns) * 1e-9;
        double mib_per_s = nominal_bytes / running_s / 1048576;
        snprintf(names[i][0], sizeof(names[i][0]), "epoch_%u_au", i + 1);
        snprintf(names[i][1], sizeof(names[i][1]), "epoch_%u_mib_per_s_per_accelerator", i + 1);
        snprintf(names[i][2], sizeof(names[i][2]), "epoch_%u_s", i + 1);
        snprintf(names[i][3], sizeof(names[i][3]), "epoch_%u_read_bytes_per_s", i + 1);
        metrics_add(run, names[i][0], "1", compute_s / running_s);
        metrics_add(run, names[i][1], "MiB/s", mib_per_s);
        metrics_add(run, names[i][2], "s", seconds);
        metrics_add(run, names[i][3], "B/s", (double)epoch->bytes / seconds);
        au_sum += compute_s / running_s;
        mib_sum += mib_per_s;
    }
    if (epochs == 0)
        return;
    metrics_add(run, "accelerator_utilisation", "1", au_sum / epochs);
    metrics_add(run, "mib_per_s_per_accelerator", "MiB/s", mib_sum / epochs);
    metrics_add(run, "demand_mib_per_s_per_accelerator", "MiB/s",
                training->batch_size * training->record_length_bytes /
                    ((double)training->computation_ns * 1e-9) / 1048576);
}
