/* A checkpoint: every writer writes its share of the job's state, durably at a level, as fast as it
 * can; then readers, more or fewer than the writers, read it back (resharding).
 *
 *     WRITING --last block acked: durable--> (nodes die) --> RESTORING --last block read--> done
 *                                               '--restore: drained--> waits for the drain --'
 *        (the drain goes on behind all of it)
 *
 * With a metadata store the checkpoint is durable once its manifest is committed, and every reader
 * looks that up first.
 *
 * A writer keeps `window` blocks in flight; BUSY is asked again. The state is one sequence of
 * blocks: writer w has the w-th of `writers` equal parts. Who reads it back, and how: restore.c.
 * The run ends when nobody has anything left to drain: what was acked and is not at the origin then
 * is lost, a reader's stray copy notwithstanding.
 * Goodput. Source: Young 1974 and Daly 2006 for the interval sqrt(2 * MTTF * stall); MTTF from
 * failures per node-day; a failure costs half an interval and the restore, and another whole
 * interval when acked bytes were lost with it. */
#include "sim/clients/checkpoint_internal.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"
#include "sim/clients/goodput.h"
#include "sim/clients/kinds.h"

#include <math.h>
#include <stdlib.h>

enum { GOODPUT_DRAWS = 100, OBJECTS = 1024 /* spread over the origin's accounts */ };

/* A long run as published: 54 days. Source: Llama 3, 2024 (419 interruptions on 16,384 GPUs). */
static const double JOB_S = 54 * 86400.0;

static const struct fb_checkpoint *spec(const struct world *world)
{
    return &world->scenario->workload.checkpoint;
}

struct fb_block checkpoint_block(const struct world *world, uint64_t number)
{
    uint64_t block = world->scenario->core.block_size_bytes;
    FB_ASSERT(number * block < spec(world)->state_size_bytes);
    uint64_t left = spec(world)->state_size_bytes - number * block;
    return (struct fb_block){.key = {.high = fb_mix(fb_mix(WORLD_WRITTEN) + number), .low = 1},
                             .object = WORLD_WRITTEN + number % OBJECTS,
                             .offset = number * block,
                             .size = (uint32_t)(left < block ? left : block)};
}

void checkpoint_open(struct world *world)
{
    struct checkpoint *state = fb_allocate(1, sizeof(*state), "a checkpoint", world->error);
    uint64_t block = world->scenario->core.block_size_bytes;
    uint32_t nodes = world->scenario->nodes;
    world->checkpoint = state;
    if (state == NULL)
        return;
    state->blocks = (spec(world)->state_size_bytes + block - 1) / block;
    state->gather_ranges = restore_gather_ranges(world->scenario);
    state->slots_per_node = state->gather_ranges * RESTORE_GATHERS;
    if (state->slots_per_node < spec(world)->window)
        state->slots_per_node = spec(world)->window;
    state->nodes = fb_allocate(nodes, sizeof(*state->nodes), "a checkpoint", world->error);
    state->slots = fb_allocate((uint64_t)nodes * state->slots_per_node, sizeof(*state->slots),
                               "a checkpoint", world->error);
    state->ranges = fb_allocate((uint64_t)state->gather_ranges + 1, sizeof(*state->ranges),
                                "a checkpoint", world->error);
    state->is_acked = fb_allocate(state->blocks, sizeof(*state->is_acked), "blocks of a checkpoint",
                                  world->error);
}

void checkpoint_close(struct world *world)
{
    if (world->checkpoint == NULL)
        return;
    free(world->checkpoint->nodes);
    free(world->checkpoint->slots);
    free(world->checkpoint->ranges);
    free(world->checkpoint->is_acked);
    free(world->checkpoint);
}

uint64_t *checkpoint_slot(const struct world *world, uint32_t node, uint32_t slot)
{
    FB_ASSERT(node < world->scenario->nodes);
    FB_ASSERT(slot < world->checkpoint->slots_per_node);
    return &world->checkpoint->slots[(size_t)node * world->checkpoint->slots_per_node + slot];
}

uint64_t checkpoint_word(enum checkpoint_word word, uint32_t index)
{
    return (uint64_t)word << 32 | index;
}

uint32_t checkpoint_nodes_up(const struct world *world)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < world->scenario->nodes; i++)
        up += world->hosts[i].is_up;
    return up;
}

static void write_ask(struct world *world, uint32_t node, uint32_t slot)
{
    const struct fb_block block = checkpoint_block(world, *checkpoint_slot(world, node, slot));
    const struct fb_request request = {
        .kind = FB_REQUEST_WRITE,
        .request_id = checkpoint_word(WORD_WRITE, slot),
        .level = spec(world)->level,
        .block = block,
        .span = {.region = FB_REGION_CLIENT, .peer = node, .size = block.size}};
    world_request(world, node, &request);
}

static void write_next(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint_node *client = &world->checkpoint->nodes[node];
    FB_ASSERT(client->asked <= client->count);
    if (client->asked == client->count)
        return;
    *checkpoint_slot(world, node, slot) = client->first + client->asked++;
    write_ask(world, node, slot);
}

/* Gives the writers their equal parts and starts them. */
void checkpoint_start(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    uint32_t up = checkpoint_nodes_up(world), part = 0;
    uint32_t count = spec(world)->writers < up ? spec(world)->writers : up;
    for (uint32_t i = 0; i < world->scenario->nodes && part < count; i++) {
        if (!world->hosts[i].is_up)
            continue;
        uint64_t first = state->blocks * part / count;
        uint64_t end = state->blocks * (part + 1) / count;
        state->nodes[i] = (struct checkpoint_node){.first = first, .count = end - first};
        part++;
        world_client_timer(world, i, world_now_ns(world), checkpoint_word(WORD_START, 0));
    }
}

static void checkpoint_restore(struct world *world)
{
    if (spec(world)->readers > 0)
        restore_start(world);
}

/* Every block is acked: the worst moment to die. Victims stand next to each other, each in another
 * failure domain when there are as many. */
static void checkpoint_durable(struct world *world)
{
    uint32_t nodes = world->scenario->nodes, kills = spec(world)->kill_when_durable;
    uint32_t apart = nodes > world->scenario->network.hosts_per_leaf * kills
                         ? world->scenario->network.hosts_per_leaf
                         : 1;
    FB_ASSERT(world->checkpoint->durable_ns == 0);
    world->checkpoint->durable_ns = world_now_ns(world);
    for (uint32_t i = 0; i < nodes; i++)
        world->checkpoint->spread_bytes += (double)world->hosts[i].pulled_bytes;
    for (uint32_t i = 0; i < kills; i++)
        fault_kill(world, i * apart, spec(world)->restart_after_ns, false);
    if (!spec(world)->restores_when_drained)
        checkpoint_restore(world);
}

static const struct fb_key MANIFEST = {.high = 0x6d616e69666573, .low = 1};

/* Makes all of it visible at once. The value stands for the manifest's block. */
static void checkpoint_commit(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    uint32_t node = 0;
    FB_ASSERT(!state->is_restoring);
    while (node + 1 < world->scenario->nodes && !world->hosts[node].is_up)
        node++;
    state->is_committing = true;
    state->committer = node;
    const struct fb_request commit = {
        .kind = FB_REQUEST_COMMIT,
        .request_id = checkpoint_word(WORD_MANIFEST, 0),
        .block = {.key = MANIFEST, .object = FB_OBJECT_NONE},
        .record = {.value = {.low = state->blocks}, .size = spec(world)->state_size_bytes}};
    world_request(world, node, &commit);
}

static void checkpoint_look_up(struct world *world, uint32_t node)
{
    const struct fb_request lookup = {.kind = FB_REQUEST_LOOKUP,
                                      .request_id = checkpoint_word(WORD_MANIFEST, 0),
                                      .block = {.key = MANIFEST, .object = FB_OBJECT_NONE}};
    world_request(world, node, &lookup);
}

/* The answer to a commit or a look-up. */
static void manifest_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct checkpoint *state = world->checkpoint;
    bool is_ours = reply->record.version == 1 && reply->record.value.low == state->blocks;
    bool is_known = reply->status == FB_OK || reply->status == FB_CONFLICT;
    if (is_known && !is_ours) {
        world_fault(world, "the manifest is not the one that was committed", node);
        return;
    }
    if (!is_known) {
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           checkpoint_word(WORD_MANIFEST, 0));
        return;
    }
    if (state->is_restoring) {
        restore_node_start(world, node);
        return;
    }
    if (!state->is_committing)
        return;
    state->is_committing = false;
    checkpoint_durable(world);
}

/* False: somebody still writes. */
static bool is_written(struct world *world)
{
    const struct checkpoint *state = world->checkpoint;
    FB_ASSERT(state->acked + state->dead <= state->blocks);
    if (state->acked + state->dead < state->blocks)
        return false;
    if (world->metadata != NULL)
        checkpoint_commit(world);
    else
        checkpoint_durable(world);
    return true;
}

static void write_acked(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    FB_ASSERT(client->done < client->asked);
    FB_ASSERT(!state->is_acked[*checkpoint_slot(world, node, slot)]);
    state->is_acked[*checkpoint_slot(world, node, slot)] = 1;
    state->acked++;
    client->done++;
    world->end_ns = world_now_ns(world);
    if (client->done == client->count)
        client->ended_ns = world_now_ns(world);
    if (!is_written(world))
        write_next(world, node, slot);
}

void checkpoint_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    if (reply->request_id >> 32 == WORD_MANIFEST)
        manifest_reply(world, node, reply);
    else if (reply->request_id >> 32 != WORD_WRITE)
        restore_reply(world, node, reply);
    else if (reply->status == FB_OK)
        write_acked(world, node, (uint32_t)reply->request_id);
    else
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           reply->request_id);
}

static void node_start(struct world *world, uint32_t node)
{
    struct checkpoint *state = world->checkpoint;
    FB_ASSERT(world->hosts[node].is_up);
    state->nodes[node].begun_ns = world_now_ns(world);
    state->nodes[node].pulled_before = world->hosts[node].pulled_bytes;
    if (state->is_restoring && world->metadata != NULL)
        checkpoint_look_up(world, node);
    else if (state->is_restoring)
        restore_node_start(world, node);
    else
        for (uint32_t i = 0; i < spec(world)->window; i++)
            write_next(world, node, i);
}

void checkpoint_timer(struct world *world, uint32_t node, uint64_t detail)
{
    if (detail >> 32 == WORD_START)
        node_start(world, node);
    else if (detail >> 32 == WORD_WRITE)
        write_ask(world, node, (uint32_t)detail);
    else if (detail >> 32 != WORD_MANIFEST)
        restore_timer(world, node, detail);
    else if (world->checkpoint->is_restoring)
        checkpoint_look_up(world, node);
    else
        checkpoint_commit(world);
}

static double lost_bytes(const struct world *world)
{
    const struct checkpoint *state = world->checkpoint;
    double lost = 0;
    for (uint64_t i = 0; i < state->blocks; i++) {
        const struct fb_block block = checkpoint_block(world, i);
        if (state->is_acked[i] && !world_is_stored(world, &block))
            lost += block.size;
    }
    return lost;
}

/* The origin has one more block of it. */
void checkpoint_stored(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    state->stored++;
    state->drained_ns = world_now_ns(world);
    bool is_due = spec(world)->restores_when_drained && !state->is_restoring;
    if (is_due && state->durable_ns > 0 && lost_bytes(world) == 0)
        checkpoint_restore(world);
}

void checkpoint_committed(struct world *world)
{
    world->checkpoint->drained_ns = world_now_ns(world);
}

uint64_t checkpoint_object_blocks(const struct world *world, uint64_t object)
{
    uint64_t blocks = world->checkpoint->blocks, number = object - WORLD_WRITTEN;
    return blocks / OBJECTS + (number < blocks % OBJECTS);
}

/* What it had not written is not waited for. */
void checkpoint_node_down(struct world *world, uint32_t node)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    if (state->is_restoring) {
        restore_node_down(world, node);
        return;
    }
    FB_ASSERT(client->done <= client->asked);
    FB_ASSERT(client->asked <= client->count);
    uint64_t left = client->count - client->done;
    state->dead += left;
    client->count = client->done;
    client->asked = client->done;
    if (left > 0 && is_written(world))
        return;
    if (state->is_committing && node == state->committer)
        checkpoint_commit(world);
}

double checkpoint_progress(const struct world *world)
{
    const struct checkpoint *state = world->checkpoint;
    double phases = spec(world)->readers > 0 ? 3 : 2;
    uint64_t stored = state->stored < state->blocks ? state->stored : state->blocks;
    double written = (double)(state->acked + stored) / (double)state->blocks;
    double read =
        state->restore_ranges > 0 ? (double)state->read / (double)state->restore_ranges : 0;
    return (written + read) / phases;
}

/* The same job by formula, and with failures drawn over JOB_S. Who can lose what is not drained
 * must not begin a checkpoint before the last one is: its interval is at least the drain. Who can
 * not may give up an undrained checkpoint for a newer one. */
static void add_goodput(const struct world *world, struct fb_run *run, double stall_s,
                        double restore_s, double lost)
{
    double nodes = spec(world)->writers;
    double mttf_s = 1000 * 86400 / (spec(world)->failures_per_1000_node_days * nodes);
    double drained_s = (double)world->checkpoint->drained_ns * 1e-9;
    double interval_s = fb_goodput_interval_s(mttf_s, stall_s);
    if (lost > 0 && interval_s < drained_s)
        interval_s = drained_s;
    const struct fb_goodput goodput = {.mttf_s = mttf_s,
                                       .interval_s = interval_s,
                                       .stall_s = stall_s,
                                       .drained_s = drained_s,
                                       .restore_s = restore_s,
                                       .job_s = JOB_S,
                                       .loses = lost > 0};
    double rework_s = goodput.interval_s / 2 + restore_s + (lost > 0 ? goodput.interval_s : 0);
    double formula = goodput.interval_s / (goodput.interval_s + stall_s) * (1 - rework_s / mttf_s);
    metrics_add(run, "checkpoint_mttf_s", "s", mttf_s);
    metrics_add(run, "checkpoint_interval_s", "s", goodput.interval_s);
    metrics_add(run, "goodput_ratio", "1", formula > 0 ? formula : 0);
    metrics_add(run, "goodput_drawn_ratio", "1",
                fb_goodput_draw(&goodput, GOODPUT_DRAWS, world->seed));
}

void checkpoint_metrics(const struct world *world, struct fb_run *run)
{
    const struct checkpoint *state = world->checkpoint;
    FB_ASSERT(state->restored_ns == 0 || state->restored_ns >= state->restore_begun_ns);
    double stall_s = (double)state->durable_ns * 1e-9, lost = lost_bytes(world);
    double restore_s =
        state->restored_ns > 0 ? (double)(state->restored_ns - state->restore_begun_ns) * 1e-9 : 0;
    double port = (double)world_port_bytes_per_s(world), read = 0, span_s = 0;
    for (uint32_t i = 0; i < world->scenario->nodes && state->restored_ns > 0; i++) {
        if (state->nodes[i].read_bytes == 0)
            continue;
        const struct host *host = &world->hosts[i];
        read += (double)(host->pulled_bytes - state->nodes[i].pulled_before);
        span_s += (double)(state->nodes[i].ended_ns - state->nodes[i].begun_ns) * 1e-9;
    }
    metrics_add(run, "checkpoint_stall_s", "s", stall_s);
    metrics_add(run, "checkpoint_drained_s", "s", (double)state->drained_ns * 1e-9);
    metrics_add(run, "checkpoint_lost_bytes", "B", lost);
    metrics_add(run, "checkpoint_spread_ratio", "1",
                state->spread_bytes / (double)spec(world)->state_size_bytes);
    if (world->metadata != NULL)
        metrics_add(run, "metadata_operations", "1", (double)world_metadata_operations(world));
    if (state->restored_ns > 0) {
        metrics_add(run, "restore_s", "s", restore_s);
        metrics_add(run, "restore_nic_utilisation", "1", span_s > 0 ? read / (port * span_s) : 0);
        metrics_add(run, "restore_absent_blocks", "1", (double)state->failed_reads);
    }
    add_goodput(world, run, stall_s, restore_s, lost);
}
