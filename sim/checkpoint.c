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
 * blocks: writer w has the w-th of `writers` equal parts, reader r reads the r-th of `readers`. The
 * run ends when nobody has anything left to drain: what was acked and is not at the origin then is
 * lost, a reader's stray copy notwithstanding.
 * Goodput. Source: Young 1974 and Daly 2006 for the interval sqrt(2 * MTTF * stall); MTTF from
 * failures per node-day; a failure costs half an interval and the restore, and another whole
 * interval when acked bytes were lost with it. */
#include "sim/world_internal.h"

#include "core/key.h"
#include "sim/goodput.h"

#include <math.h>
#include <stdlib.h>

enum { RETRY_NS = 1000000 }; /* guess: a client's pause after BUSY */
enum { GOODPUT_DRAWS = 100 };

/* A long run as published: 54 days. Source: Llama 3, 2024 (419 interruptions on 16,384 GPUs). */
static const double JOB_S = 54 * 86400.0;

enum { TIMER_START, TIMER_RETRY, TIMER_COPIED, TIMER_MANIFEST };

struct checkpoint_node {
    uint64_t first, count; /* blocks of the phase */
    uint64_t asked, done;
    uint64_t begun_ns, ended_ns;
    uint64_t read_bytes;
    uint64_t pulled_before; /* by its node, before it began to read */
    uint32_t in_flight;
};

struct checkpoint {
    uint64_t blocks;
    uint32_t window;
    bool is_restoring, is_over, is_committing;
    uint32_t committer;
    struct checkpoint_node *nodes;
    uint64_t *slots; /* window a node: block, or later its lease */
    uint8_t *is_acked;
    uint64_t acked, stored, read, dead;
    uint64_t durable_ns, drained_ns, restored_ns, restore_begun_ns;
    uint64_t failed_reads;
    double spread_bytes; /* between nodes, until durable */
};

static const struct fb_checkpoint *spec(const struct world *world)
{
    return &world->scenario->workload.checkpoint;
}

static struct fb_block checkpoint_block(const struct world *world, uint64_t number)
{
    uint64_t block = world->scenario->core.block_size_bytes;
    uint64_t left = spec(world)->state_size_bytes - number * block;
    return (struct fb_block){.key = {.high = fb_mix(fb_mix(WORLD_WRITTEN) + number), .low = 1},
                             .object = WORLD_WRITTEN + number % 1024,
                             .offset = number * block,
                             .size = (uint32_t)(left < block ? left : block)};
}

void checkpoint_open(struct world *world)
{
    struct checkpoint *state = calloc(1, sizeof(*state));
    uint64_t block = world->scenario->core.block_size_bytes;
    uint32_t nodes = world->scenario->nodes;
    world->checkpoint = state;
    state->blocks = (spec(world)->state_size_bytes + block - 1) / block;
    state->window = spec(world)->window;
    state->nodes = calloc(nodes, sizeof(*state->nodes));
    state->slots = calloc((size_t)nodes * state->window, sizeof(*state->slots));
    state->is_acked = calloc(state->blocks, 1);
    if (state->nodes == NULL || state->slots == NULL || state->is_acked == NULL)
        fb_error_set(world->error, "out of memory for %llu blocks of a checkpoint",
                     (unsigned long long)state->blocks);
}

void checkpoint_close(struct world *world)
{
    if (world->checkpoint == NULL)
        return;
    free(world->checkpoint->nodes);
    free(world->checkpoint->slots);
    free(world->checkpoint->is_acked);
    free(world->checkpoint);
}

static uint64_t *slot_of(const struct world *world, uint32_t node, uint32_t slot)
{
    return &world->checkpoint->slots[(size_t)node * world->checkpoint->window + slot];
}

static void checkpoint_ask(struct world *world, uint32_t node, uint32_t slot)
{
    const struct fb_block block = checkpoint_block(world, *slot_of(world, node, slot));
    const struct fb_request request = {
        .kind = world->checkpoint->is_restoring ? FB_REQUEST_GET : FB_REQUEST_WRITE,
        .request_id = slot,
        .level = spec(world)->level,
        .block = block,
        .span = {.region = FB_REGION_CLIENT, .peer = node, .size = block.size}};
    world_request(world, node, &request);
}

static void checkpoint_next(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint_node *client = &world->checkpoint->nodes[node];
    if (client->asked == client->count)
        return;
    *slot_of(world, node, slot) = client->first + client->asked++;
    client->in_flight++;
    checkpoint_ask(world, node, slot);
}

static void client_start(struct world *world, uint32_t node)
{
    for (uint32_t i = 0; i < world->checkpoint->window; i++)
        checkpoint_next(world, node, i);
}

/* Gives `count` nodes their equal parts and starts them. */
static void checkpoint_share(struct world *world, uint32_t count)
{
    struct checkpoint *state = world->checkpoint;
    uint64_t now_ns = world_now_ns(world);
    uint32_t up = 0, part = 0;
    for (uint32_t i = 0; i < world->scenario->nodes; i++)
        up += world->hosts[i].is_up;
    count = count < up ? count : up;
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (!world->hosts[i].is_up || part == count)
            continue;
        uint64_t first = state->blocks * part / count;
        uint64_t end = state->blocks * (part + 1) / count;
        state->nodes[i] = (struct checkpoint_node){.first = first, .count = end - first};
        part++;
        world_client_timer(world, i, now_ns, (uint64_t)TIMER_START << 32);
    }
}

void checkpoint_start(struct world *world)
{
    checkpoint_share(world, spec(world)->writers);
}

static void checkpoint_restore(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    state->is_restoring = true;
    state->restore_begun_ns = world_now_ns(world);
    if (spec(world)->readers > 0)
        checkpoint_share(world, spec(world)->readers);
    else
        state->is_over = true;
}

/* Every block is acked: the worst moment to die. Victims stand next to each other, each in another
 * failure domain when there are as many. */
static void checkpoint_durable(struct world *world)
{
    uint32_t nodes = world->scenario->nodes, kills = spec(world)->kill_when_durable;
    uint32_t apart = nodes > world->scenario->network.hosts_per_leaf * kills
                         ? world->scenario->network.hosts_per_leaf
                         : 1;
    world->checkpoint->durable_ns = world_now_ns(world);
    for (uint32_t i = 0; i < nodes; i++)
        world->checkpoint->spread_bytes += (double)world->hosts[i].pulled_bytes;
    for (uint32_t i = 0; i < kills; i++)
        fault_kill(world, i * apart, 0);
    if (!spec(world)->restores_when_drained)
        checkpoint_restore(world);
}

static const struct fb_key MANIFEST = {.high = 0x6d616e69666573, .low = 1};

/* Makes all of it visible at once. The value stands for the manifest's block. */
static void checkpoint_commit(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    uint32_t node = 0;
    while (node + 1 < world->scenario->nodes && !world->hosts[node].is_up)
        node++;
    state->is_committing = true;
    state->committer = node;
    const struct fb_request commit = {
        .kind = FB_REQUEST_COMMIT,
        .request_id = state->window,
        .block = {.key = MANIFEST, .object = FB_OBJECT_NONE},
        .record = {.value = {.low = state->blocks}, .size = spec(world)->state_size_bytes}};
    world_request(world, node, &commit);
}

static void checkpoint_look_up(struct world *world, uint32_t node)
{
    const struct fb_request lookup = {.kind = FB_REQUEST_LOOKUP,
                                      .request_id = world->checkpoint->window,
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
        world_client_timer(world, node, world_now_ns(world) + RETRY_NS,
                           (uint64_t)TIMER_MANIFEST << 32);
        return;
    }
    if (state->is_restoring) {
        client_start(world, node);
        return;
    }
    if (!state->is_committing)
        return;
    state->is_committing = false;
    checkpoint_durable(world);
}

static void write_acked(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    state->is_acked[*slot_of(world, node, slot)] = 1;
    state->acked++;
    client->done++;
    client->in_flight--;
    world->end_ns = world_now_ns(world);
    if (client->done == client->count)
        client->ended_ns = world_now_ns(world);
    bool is_last = state->acked + state->dead == state->blocks;
    if (is_last && world->metadata != NULL)
        checkpoint_commit(world);
    else if (is_last)
        checkpoint_durable(world);
    else
        checkpoint_next(world, node, slot);
}

static void read_ended(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    client->done++;
    client->in_flight--;
    state->read++;
    world->end_ns = world_now_ns(world);
    if (client->done == client->count)
        client->ended_ns = world_now_ns(world);
    if (state->read == state->blocks) {
        state->restored_ns = world_now_ns(world);
        state->is_over = true;
    }
    checkpoint_next(world, node, slot);
}

void checkpoint_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct checkpoint *state = world->checkpoint;
    uint32_t slot = (uint32_t)reply->request_id;
    if (slot == state->window) {
        manifest_reply(world, node, reply);
        return;
    }
    if (reply->status == FB_ABSENT && state->is_restoring) {
        state->failed_reads++;
        read_ended(world, node, slot); /* lost, or not at the origin yet */
        return;
    }
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + RETRY_NS,
                           (uint64_t)TIMER_RETRY << 32 | slot);
        return;
    }
    if (!state->is_restoring) {
        write_acked(world, node, slot);
        return;
    }
    const struct fb_block block = checkpoint_block(world, *slot_of(world, node, slot));
    if (!world_check_bytes(world, node, &reply->span, &block))
        return;
    state->nodes[node].read_bytes += block.size;
    *slot_of(world, node, slot) = reply->lease;
    world_client_timer(world, node, world_copy(world, node, block.size),
                       (uint64_t)TIMER_COPIED << 32 | slot);
}

void checkpoint_timer(struct world *world, uint32_t node, uint64_t detail)
{
    uint32_t slot = (uint32_t)detail;
    if (detail >> 32 == TIMER_RETRY) {
        checkpoint_ask(world, node, slot);
    } else if (detail >> 32 == TIMER_COPIED) {
        const struct fb_request release = {.kind = FB_REQUEST_RELEASE,
                                           .lease = *slot_of(world, node, slot)};
        world_request(world, node, &release);
        read_ended(world, node, slot);
    } else if (detail >> 32 == TIMER_MANIFEST) {
        if (world->checkpoint->is_restoring)
            checkpoint_look_up(world, node);
        else
            checkpoint_commit(world);
    } else {
        world->checkpoint->nodes[node].begun_ns = world_now_ns(world);
        world->checkpoint->nodes[node].pulled_before = world->hosts[node].pulled_bytes;
        if (world->checkpoint->is_restoring && world->metadata != NULL)
            checkpoint_look_up(world, node);
        else
            client_start(world, node);
    }
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
    world->kind = FB_WORKLOAD_CHECKPOINT; /* the origin calls, not the table of clients */
    state->stored++;
    state->drained_ns = world_now_ns(world);
    bool is_due = spec(world)->restores_when_drained && !state->is_restoring;
    if (is_due && state->durable_ns > 0 && lost_bytes(world) == 0)
        checkpoint_restore(world);
}

/* What it had not written or read is not waited for. */
void checkpoint_node_down(struct world *world, uint32_t node)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    uint64_t left = client->count - client->done;
    if (state->is_restoring)
        state->read += left;
    else
        state->dead += left;
    client->count = client->done;
    client->asked = client->done;
    if (state->is_committing && node == state->committer)
        checkpoint_commit(world);
}

double checkpoint_progress(const struct world *world)
{
    const struct checkpoint *state = world->checkpoint;
    double phases = spec(world)->readers > 0 ? 3 : 2;
    return (double)(state->acked + state->read +
                    (state->stored < state->blocks ? state->stored : state->blocks)) /
           (phases * (double)state->blocks);
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
