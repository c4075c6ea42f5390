/* Fan-out read: every node reads the same object (weights, an image) as fast as it can.
 *
 * A node keeps `window` blocks in flight, in the object's order, beginning at a place of its own
 * (a stride over the object), so that not all ask the same owner at the same moment; it is done
 * when it has every block. The bound that a result is held to: object / NIC rate + log2(nodes)
 * block times. Source: a binary tree of holders doubles each block time; DESIGN.md section 4. */
#include "sim/clients/kinds.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"

#include <math.h>
#include <stdlib.h>

enum { TIMER_START, TIMER_COPIED, TIMER_RETRY };

struct fanout_read {
    uint64_t lease, asked_ns;
    uint32_t block; /* number in the object */
};

struct fanout_node {
    uint64_t begun_ns, ended_ns; /* ended 0: not yet */
    uint64_t read_ns_max;        /* its longest wait for a block, since the last death */
    uint32_t asked, got;         /* blocks */
    uint32_t first, stride;      /* block it begins with, and step to the next */
    bool has_died;               /* before it was done */
};

struct fanout {
    uint32_t blocks, window;
    uint32_t nodes_done;
    uint64_t blocks_done;
    struct fanout_node *nodes;
    struct fanout_read *reads; /* window a node */
};

static const struct fb_fanout *spec(const struct world *world)
{
    return &world->scenario->workload.fanout;
}

static uint32_t blocks_of(const struct fb_scenario *scenario)
{
    uint64_t block = scenario->core.block_size_bytes;
    return (uint32_t)((scenario->workload.fanout.object_size_bytes + block - 1) / block);
}

void fanout_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    workload_check_blocks(scenario, scenario->workload.fanout.object_size_bytes, "reader", error);
}

void fanout_open(struct world *world)
{
    struct fanout *state = fb_allocate(1, sizeof(*state), "readers", world->error);
    world->fanout = state;
    if (state == NULL)
        return;
    state->blocks = blocks_of(world->scenario);
    state->window = spec(world)->window < state->blocks ? spec(world)->window : state->blocks;
    uint64_t nodes = world->scenario->nodes;
    state->nodes = fb_allocate(nodes, sizeof(*state->nodes), "readers", world->error);
    state->reads =
        fb_allocate(nodes * state->window, sizeof(*state->reads), "readers", world->error);
}

void fanout_close(struct world *world)
{
    if (world->fanout == NULL)
        return;
    free(world->fanout->nodes);
    free(world->fanout->reads);
    free(world->fanout);
}

static struct fb_block fanout_block(const struct world *world, uint32_t number)
{
    FB_ASSERT(number < world->fanout->blocks);
    uint64_t block = world->scenario->core.block_size_bytes;
    uint64_t offset = number * block, left = spec(world)->object_size_bytes - offset;
    return (struct fb_block){.key = {.high = fb_mix(fb_mix(WORLD_WRITTEN - 1) + number), .low = 1},
                             .object = number % 1024, /* spreads over the origin's accounts */
                             .offset = offset,
                             .size = (uint32_t)(left < block ? left : block)};
}

static void read_ask(struct world *world, uint32_t node, uint32_t slot)
{
    const struct fanout *state = world->fanout;
    FB_ASSERT(slot < state->window);
    uint32_t number = state->reads[(size_t)node * state->window + slot].block;
    const struct fb_request request = {
        .kind = FB_REQUEST_GET, .request_id = slot, .block = fanout_block(world, number)};
    world_request(world, node, &request);
}

static void read_next(struct world *world, uint32_t node, uint32_t slot)
{
    struct fanout *state = world->fanout;
    struct fanout_node *reader = &state->nodes[node];
    FB_ASSERT(reader->asked <= state->blocks);
    if (reader->asked == state->blocks)
        return;
    uint32_t number =
        (uint32_t)((reader->first + (uint64_t)reader->asked++ * reader->stride) % state->blocks);
    state->reads[(size_t)node * state->window + slot] =
        (struct fanout_read){.block = number, .asked_ns = world_now_ns(world)};
    read_ask(world, node, slot);
}

static uint64_t timer_word(uint32_t kind, uint32_t slot)
{
    return (uint64_t)kind << 32 | slot;
}

/* A step that visits every block once: coprime to their number, another for each node. */
static uint32_t stride_of(uint32_t blocks, uint32_t node)
{
    FB_ASSERT(blocks > 0);
    uint32_t stride = 1 + (uint32_t)(fb_mix(node) % blocks);
    for (;; stride++) {
        uint32_t a = blocks, b = stride;
        while (b > 0) {
            uint32_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            return stride;
    }
}

void fanout_start(struct world *world)
{
    struct fanout *state = world->fanout;
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        state->nodes[i].first = (uint32_t)((uint64_t)i * state->blocks / world->scenario->nodes);
        state->nodes[i].stride = stride_of(state->blocks, i);
        uint64_t at_ns = spec(world)->stagger_ns * i / world->scenario->nodes;
        world_client_timer(world, i, at_ns, timer_word(TIMER_START, 0));
    }
}

void fanout_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct fanout *state = world->fanout;
    uint32_t slot = (uint32_t)reply->request_id;
    FB_ASSERT(slot < state->window);
    struct fanout_read *read = &state->reads[(size_t)node * state->window + slot];
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           timer_word(TIMER_RETRY, slot));
        return;
    }
    const struct fb_block block = fanout_block(world, read->block);
    if (!world_check_bytes(world, node, &reply->span, &block))
        return;
    read->lease = reply->lease;
    FB_ASSERT(read->asked_ns <= world_now_ns(world));
    bool has_died = world->died_ns > read->asked_ns; /* a node, while this was under way */
    uint64_t took_ns = world_now_ns(world) - (has_died ? world->died_ns : read->asked_ns);
    if (took_ns > state->nodes[node].read_ns_max)
        state->nodes[node].read_ns_max = took_ns;
    bool is_hit = reply->source != FB_NONE && reply->reason != FB_REASON_ORIGIN_PEER;
    metrics_read(world, block.size, is_hit);
    world_client_timer(world, node, world_copy(world, node, block.size),
                       timer_word(TIMER_COPIED, slot));
}

static void read_end(struct world *world, uint32_t node, uint32_t slot)
{
    struct fanout *state = world->fanout;
    struct fanout_node *reader = &state->nodes[node];
    FB_ASSERT(reader->got < reader->asked);
    FB_ASSERT(state->nodes_done < world->scenario->nodes);
    const struct fb_request release = {.kind = FB_REQUEST_RELEASE,
                                       .lease =
                                           state->reads[(size_t)node * state->window + slot].lease};
    world_request(world, node, &release);
    reader->got++;
    state->blocks_done++;
    if (reader->got == state->blocks) {
        reader->ended_ns = world_now_ns(world);
        world->end_ns = reader->ended_ns;
        state->nodes_done++;
        return;
    }
    read_next(world, node, slot);
}

void fanout_timer(struct world *world, uint32_t node, uint64_t detail)
{
    uint32_t slot = (uint32_t)detail;
    if (detail >> 32 == TIMER_COPIED) {
        read_end(world, node, slot);
    } else if (detail >> 32 == TIMER_RETRY) {
        read_ask(world, node, slot);
    } else {
        world->fanout->nodes[node].begun_ns = world_now_ns(world);
        for (uint32_t i = 0; i < world->fanout->window; i++)
            read_next(world, node, i);
    }
}

/* Its client dies with it. A reader that was done stays done. */
void fanout_node_down(struct world *world, uint32_t node)
{
    struct fanout_node *reader = &world->fanout->nodes[node];
    if (reader->ended_ns == 0)
        reader->has_died = true;
}

/* Begins anew, from an empty cache. */
void fanout_node_up(struct world *world, uint32_t node)
{
    struct fanout_node *reader = &world->fanout->nodes[node];
    if (reader->ended_ns > 0)
        return;
    FB_ASSERT(world->fanout->blocks_done >= reader->got);
    world->fanout->blocks_done -= reader->got;
    reader->asked = 0;
    reader->got = 0;
    world_client_timer(world, node, world_now_ns(world), timer_word(TIMER_START, 0));
}

double fanout_progress(const struct world *world)
{
    const struct fanout *state = world->fanout;
    return (double)state->blocks_done / ((double)state->blocks * world->scenario->nodes);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

void fanout_metrics(const struct world *world, struct fb_run *run)
{
    const struct fanout *state = world->fanout;
    const struct fb_scenario *scenario = world->scenario;
    uint32_t nodes = scenario->nodes, count = 0, left = 0;
    double *times = fb_allocate(nodes, sizeof(*times), "times of readers", NULL);
    uint64_t fetched = 0, read_ns_max = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        const struct fanout_node *reader = &state->nodes[i];
        if (reader->ended_ns > 0 && !reader->has_died && !world->hosts[i].is_slow) {
            FB_ASSERT(reader->ended_ns >= reader->begun_ns);
            FB_ASSERT(reader->got == state->blocks);
            times[count++] = (double)(reader->ended_ns - reader->begun_ns) * 1e-9;
            read_ns_max = reader->read_ns_max > read_ns_max ? reader->read_ns_max : read_ns_max;
        }
        fetched += world->hosts[i].fetched_bytes;
        left += reader->ended_ns == 0 && world->hosts[i].is_up;
    }
    metrics_add(run, "fan_out_unfinished", "1", left);
    if (count > 0) {
        double port = (double)scenario->hardware.nic.rate_bytes_per_s *
                      scenario->transport.efficiency * scenario->hardware.nic.count;
        double size = (double)spec(world)->object_size_bytes;
        double bound_s = size / port + log2(nodes) * (double)scenario->core.block_size_bytes / port;
        qsort(times, count, sizeof(*times), compare);
        metrics_add(run, "fan_out_p50_s", "s", metrics_quantile(times, count, 0.50));
        metrics_add(run, "fan_out_p99_s", "s", metrics_quantile(times, count, 0.99));
        metrics_add(run, "fan_out_max_s", "s", times[count - 1]);
        metrics_add(run, "fan_out_read_max_s", "s", (double)read_ns_max * 1e-9);
        metrics_add(run, "fan_out_bound_s", "s", bound_s);
        metrics_add(run, "fan_out_max_over_bound", "x", times[count - 1] / bound_s);
        metrics_add(run, "origin_over_object", "x", (double)fetched / size);
    }
    free(times);
}
