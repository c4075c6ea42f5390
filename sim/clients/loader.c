/* What a training loader's worker reads: whole batches, each sample's blocks.
 *
 *     reads:   a small read-ahead window of GETs, sample after sample
 *     gather:  the whole batch in one GATHER (get_batch), answered range by range in order
 *     hints:   besides, PREFETCH of the blocks of its next batches
 *
 *     worker  IDLE --a batch may be loaded--> LOADING --last of its reads copied--> IDLE
 *
 * A range that fails is asked for again by a GET of its own. */
#include "sim/clients/training_internal.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"

#include <stdio.h>
#include <stdlib.h>

enum { GATHER_SHIFT = 48 }; /* a GATHER's request id has this bit set; a read's has not */

static uint64_t timer_word(uint32_t kind, uint32_t index)
{
    return (uint64_t)kind << 32 | index;
}

static uint32_t read_take(struct training *state)
{
    if (state->read_free == FB_NONE) {
        uint32_t count = state->read_count > 0 ? state->read_count * 2 : 256;
        state->reads = fb_grow(state->reads, count, sizeof(*state->reads), "reads", NULL);
        for (uint32_t i = count; i-- > state->read_count;) {
            state->reads[i].next_free = state->read_free;
            state->read_free = i;
        }
        state->read_count = count;
    }
    uint32_t index = state->read_free;
    FB_ASSERT(index < state->read_count);
    state->read_free = state->reads[index].next_free;
    return index;
}

static void read_ask(struct world *world, uint32_t index)
{
    FB_ASSERT(index < world->training->read_count);
    const struct read *read = &world->training->reads[index];
    const struct fb_request request = {
        .kind = FB_REQUEST_GET, .request_id = index, .block = read->block};
    world_request(world, training_node_of(world, read->accelerator), &request);
}

/* Begins a sample: which file, which bytes. Ranks own consecutive samples of the epoch's order. */
static void sample_begin(struct world *world, uint32_t accelerator, struct cursor *at)
{
    struct training *state = world->training;
    const struct fb_training *training = training_spec(world);
    FB_ASSERT(at->batch < state->steps);
    FB_ASSERT(at->sample < training->batch_size);
    uint64_t per_rank = state->steps * training->batch_size;
    uint64_t number = accelerator * per_rank + at->batch * training->batch_size + at->sample;
    uint64_t sample = fb_dataset_sample(&state->dataset, number);
    uint64_t length = state->dataset.sample_bytes[sample / training->samples_per_file];
    at->file = sample / training->samples_per_file;
    at->offset = sample % training->samples_per_file * length;
    at->end = at->offset + length;
}

/* The block at the cursor, and which part of it the sample needs. */
static void read_fill_in(struct world *world, struct cursor *at, struct read *read)
{
    const struct fb_dataset *dataset = &world->training->dataset;
    uint64_t block_bytes = world->scenario->core.block_size_bytes;
    uint64_t file_bytes = dataset->sample_bytes[at->file] * dataset->samples_per_file;
    FB_ASSERT(at->offset < at->end);
    FB_ASSERT(at->end <= file_bytes);
    uint64_t number = at->offset / block_bytes;
    uint64_t start = number * block_bytes;
    uint64_t size = file_bytes - start < block_bytes ? file_bytes - start : block_bytes;
    uint64_t stop = start + size < at->end ? start + size : at->end;
    read->block =
        (struct fb_block){.key = {.high = fb_mix(fb_mix(at->file + 1) + number), .low = 1},
                          .object = at->file,
                          .offset = start,
                          .size = (uint32_t)size};
    read->offset = at->offset - start;
    read->bytes = stop - at->offset;
    at->offset = stop;
}

/* The next read of a batch. False: that was all of it. */
static bool batch_next(struct world *world, uint32_t accelerator, struct cursor *at,
                       struct read *read)
{
    if (at->offset == at->end && at->sample + 1 < training_spec(world)->batch_size) {
        at->sample++;
        sample_begin(world, accelerator, at);
    }
    if (at->offset == at->end)
        return false;
    read_fill_in(world, at, read);
    return true;
}

/* Tells the cache what the worker's next batches will read. */
static void batches_hint(struct world *world, uint32_t accelerator, struct worker *worker)
{
    const struct fb_training *training = training_spec(world);
    uint64_t until = worker->at.batch + (uint64_t)training->hints * training->read_threads;
    if (until >= world->training->steps)
        until = world->training->steps - 1;
    for (; training->hints > 0 && worker->hinted <= until;
         worker->hinted += training->read_threads) {
        struct cursor at = {.batch = worker->hinted};
        struct read read = {.bytes = 0};
        uint64_t last = UINT64_MAX;
        sample_begin(world, accelerator, &at);
        while (batch_next(world, accelerator, &at, &read)) {
            const struct fb_request hint = {.kind = FB_REQUEST_PREFETCH, .block = read.block};
            if (read.block.key.high != last)
                world_request(world, training_node_of(world, accelerator), &hint);
            last = read.block.key.high;
        }
    }
}

static void gather_ask(struct world *world, uint32_t accelerator, uint32_t index)
{
    struct training *state = world->training;
    struct worker *worker = &state->accelerators[accelerator].workers[index];
    FB_ASSERT(worker->is_loading);
    FB_ASSERT(worker->item_count > 0);
    struct fb_range *ranges = fb_allocate(worker->item_count, sizeof(*ranges), "a gather", NULL);
    for (uint32_t i = 0; i < worker->item_count; i++) {
        const struct read *read = &state->reads[worker->items[i]];
        ranges[i] = (struct fb_range){
            .block = read->block, .offset = (uint32_t)read->offset, .size = (uint32_t)read->bytes};
    }
    const struct fb_request request = {
        .kind = FB_REQUEST_GATHER,
        .request_id = UINT64_C(1) << GATHER_SHIFT |
                      ((uint64_t)accelerator * training_spec(world)->read_threads + index),
        .range_count = worker->item_count,
        .ranges = ranges};
    world_request(world, training_node_of(world, accelerator), &request);
    free(ranges);
}

/* The whole batch, or the rest of it, in one request. */
static void gather_begin(struct world *world, uint32_t accelerator, uint32_t index)
{
    struct training *state = world->training;
    struct worker *worker = &state->accelerators[accelerator].workers[index];
    FB_ASSERT(worker->in_flight == 0);
    struct read read = {.accelerator = accelerator, .worker = index};
    uint32_t room = 0;
    worker->item_count = 0;
    while (batch_next(world, accelerator, &worker->at, &read)) {
        if (worker->item_count == room) {
            room = room > 0 ? room * 2 : 64;
            worker->items = fb_grow(worker->items, room, sizeof(*worker->items), "reads", NULL);
        }
        uint32_t taken = read_take(state);
        state->reads[taken] = read;
        worker->items[worker->item_count++] = taken;
    }
    worker->in_flight = worker->item_count;
    gather_ask(world, accelerator, index);
}

static void reads_begin(struct world *world, uint32_t accelerator, uint32_t index)
{
    struct training *state = world->training;
    struct worker *worker = &state->accelerators[accelerator].workers[index];
    uint32_t read_ahead = world->scenario->hardware.client_read_ahead;
    while (worker->in_flight < read_ahead && worker->at.offset < worker->at.end) {
        uint32_t read = read_take(state);
        read_fill_in(world, &worker->at, &state->reads[read]);
        state->reads[read].accelerator = accelerator;
        state->reads[read].worker = index;
        worker->in_flight++;
        read_ask(world, read);
    }
}

void loader_advance(struct world *world, uint32_t accelerator, uint32_t index)
{
    struct training *state = world->training;
    FB_ASSERT(accelerator < state->ranks);
    FB_ASSERT(index < training_spec(world)->read_threads);
    struct accelerator *record = &state->accelerators[accelerator];
    struct worker *worker = &record->workers[index];
    uint64_t taken = record->step + (record->state == WAITING ? 0 : 1);
    bool is_new = !worker->is_loading;
    if (is_new) {
        if (worker->at.batch >= state->steps || worker->at.batch >= taken + state->window)
            return;
        worker->is_loading = true;
        worker->at.sample = 0;
        sample_begin(world, accelerator, &worker->at);
    }
    if (!training_spec(world)->is_gathered)
        reads_begin(world, accelerator, index);
    else if (is_new)
        gather_begin(world, accelerator, index);
    if (is_new)
        batches_hint(world, accelerator, worker);
}

/* A reply to a GATHER: which read is it? FB_NONE: the whole request was refused. */
static uint32_t gather_read(struct world *world, const struct fb_reply *reply)
{
    uint64_t number = reply->request_id & ~(UINT64_C(1) << GATHER_SHIFT);
    uint32_t threads = training_spec(world)->read_threads;
    FB_ASSERT(number / threads < world->training->ranks);
    struct accelerator *record = &world->training->accelerators[number / threads];
    FB_ASSERT(reply->item == FB_NONE || reply->item < record->workers[number % threads].item_count);
    if (reply->item != FB_NONE)
        return record->workers[number % threads].items[reply->item];
    world_client_timer(world, training_node_of(world, (uint32_t)(number / threads)),
                       world_now_ns(world) + world_retry_ns(world),
                       timer_word(TIMER_GATHER, (uint32_t)number));
    return FB_NONE;
}

void loader_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct training *state = world->training;
    bool is_gather = reply->request_id >> GATHER_SHIFT & 1;
    uint32_t index = is_gather ? gather_read(world, reply) : (uint32_t)reply->request_id;
    if (index == FB_NONE)
        return;
    FB_ASSERT(index < state->read_count);
    struct read *read = &state->reads[index];
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           timer_word(TIMER_RETRY, index));
        return;
    }
    struct fb_span span = reply->span;
    if (is_gather)
        span.offset -= read->offset; /* the block's start, where its content is known */
    if (!world_check_bytes(world, node, &span, &read->block))
        return;
    bool is_hit = reply->source != FB_NONE && reply->reason != FB_REASON_ORIGIN_PEER;
    metrics_read(world, read->bytes, is_hit);
    state->epochs[state->epoch].bytes += read->bytes;
    read->lease = reply->lease;
    world_client_timer(world, node, world_copy(world, node, read->bytes),
                       timer_word(TIMER_COPIED, index));
}

/* All reads of what was asked for have ended: the next sample, or the batch is loaded. */
static void sample_end(struct world *world, uint32_t accelerator, struct worker *worker)
{
    const struct fb_training *training = training_spec(world);
    worker->at.sample++;
    if (worker->at.sample < training->batch_size) {
        sample_begin(world, accelerator, &worker->at);
        return;
    }
    uint64_t batch = worker->at.batch;
    worker->is_loading = false;
    worker->at.batch += training->read_threads;
    training_loaded(world, accelerator, batch);
}

/* The client has its bytes: give the lease back, and go on with the sample, the batch. */
static void read_end(struct world *world, uint32_t index)
{
    struct training *state = world->training;
    struct read read = state->reads[index];
    struct worker *worker = &state->accelerators[read.accelerator].workers[read.worker];
    FB_ASSERT(worker->is_loading);
    FB_ASSERT(worker->in_flight > 0);
    const struct fb_request request = {.kind = FB_REQUEST_RELEASE, .lease = read.lease};
    state->reads[index].next_free = state->read_free;
    state->read_free = index;
    world_request(world, training_node_of(world, read.accelerator), &request);
    worker->in_flight--;
    if (worker->at.offset == worker->at.end && worker->in_flight == 0)
        sample_end(world, read.accelerator, worker);
    loader_advance(world, read.accelerator, read.worker);
}

void loader_timer(struct world *world, uint64_t detail)
{
    uint32_t index = (uint32_t)detail;
    uint32_t threads = training_spec(world)->read_threads;
    if (detail >> 32 == TIMER_COPIED)
        read_end(world, index);
    else if (detail >> 32 == TIMER_RETRY)
        read_ask(world, index);
    else
        gather_ask(world, index / threads, index % threads);
}
