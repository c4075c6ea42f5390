/* Placement: a cluster changes, and what each way of placing keys does is counted. Nothing is
 * simulated over time: the core's own tables before and after are compared cell by cell.
 *
 * moved: cells (a partition at a rank) that a node holds after and did not hold before, in bytes
 * of a data set that fills all partitions alike. minimum: what nodes hold more than before, summed:
 * nobody can get there by moving less. fair: the same for nodes that hold equal parts before and
 * after. Operations are hashes, scores and probes; times are measured by `forebay bench place`.
 *
 * A directory asks the metadata store where each block is, and tells it of each that moves. It is
 * given a perfect balance and the least moves, since it may put any block anywhere; what it costs
 * is asked for: a lookup for every block of a cluster that reads at its ports' rate. Guess: readers
 * do not remember answers; those that remember a share of them ask less by that share. */
#include "sim/clients/kinds.h"

#include "base/memory.h"
#include "core/panic.h"
#include "core/place/view.h"

#include <stdlib.h>

struct table {
    struct fb_view *view;
    uint32_t owners[FB_PARTITIONS][FB_RANKS_MAX];
};

struct placement {
    struct table before, after;
    uint32_t *loads_before, *loads_after, *firsts_after; /* cells by node */
    uint32_t nodes;                                      /* the larger of both */
    uint32_t alive_before, alive_after, alive_both;
    uint32_t ranks;
};

struct placement_count {
    uint64_t moved, minimum, twins; /* cells; partitions */
    uint32_t most, most_first;      /* cells of the node that has most */
};

static const struct fb_placement_change *spec(const struct world *world)
{
    return &world->scenario->workload.placement;
}

/* Is the node in the cluster, and up? Those that are lost stay listed. */
static bool is_alive(const struct fb_placement_change *change, uint32_t node, bool is_after)
{
    uint32_t nodes = is_after ? change->nodes_after : change->nodes_before;
    if (node >= nodes || !is_after)
        return node < nodes;
    uint32_t domains = (nodes + change->hosts_per_domain - 1) / change->hosts_per_domain;
    bool is_lost = change->domains_lost > 0 && node / change->hosts_per_domain == domains / 2;
    if (change->nodes_lost > 0) { /* evenly over the ids */
        uint64_t stride = nodes / change->nodes_lost;
        is_lost = is_lost || (node % stride == stride / 2 && node / stride < change->nodes_lost);
    }
    return !is_lost;
}

/* Takes those that are down off the list. */
static uint32_t members_alive(struct fb_member *members, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (members[i].is_up)
            members[kept++] = members[i];
    return kept;
}

static void table_build(struct world *world, struct table *table, bool is_after)
{
    const struct fb_placement_change *change = spec(world);
    uint32_t nodes = is_after ? change->nodes_after : change->nodes_before, missing = FB_PARTITIONS;
    uint64_t size_bytes = fb_view_size_bytes(nodes);
    struct fb_member *members = fb_allocate(nodes, sizeof(*members), "members", world->error);
    table->view = fb_allocate(1, size_bytes, "a view of the members", world->error);
    if (members == NULL || table->view == NULL) {
        free(members);
        return;
    }
    for (uint32_t i = 0; i < nodes; i++)
        members[i] = (struct fb_member){.node = i,
                                        .domain = i / change->hosts_per_domain,
                                        .weight = 1,
                                        .is_up = is_alive(change, i, is_after)};
    if (is_after && change->is_unlisted)
        nodes = members_alive(members, nodes);
    const struct fb_view_plan plan = {.version = 1,
                                      .members = members,
                                      .member_count = nodes,
                                      .ranks_count = (uint32_t)world->scenario->core.replicas,
                                      .placement = change->is_directory
                                                       ? FB_PLACEMENT_BALANCED
                                                       : (enum fb_placement)change->placement};
    if (fb_view_build_plan(table->view, size_bytes, &plan) != FB_OK) {
        fb_error_set(world->error, "workload.change: no placement for %u nodes", nodes);
        missing = 0;
    }
    for (uint32_t i = 0; i < FB_PARTITIONS; i++)
        table->owners[i][0] = FB_NONE;
    for (uint64_t i = 0; missing > 0; i++) { /* any key of each partition will do */
        const struct fb_key key = {.high = i, .low = 0};
        uint32_t *owners = table->owners[fb_view_partition(key)];
        FB_ASSERT(fb_view_partition(key) < FB_PARTITIONS);
        missing -= owners[0] == FB_NONE;
        for (uint32_t rank = 0; rank < FB_RANKS_MAX; rank++)
            owners[rank] = fb_view_owner(table->view, key, rank);
    }
    free(members);
}

void placement_open(struct world *world)
{
    const struct fb_placement_change *change = spec(world);
    struct placement *state = fb_allocate(1, sizeof(*state), "tables of owners", world->error);
    world->placement = state;
    if (state == NULL)
        return;
    state->ranks = (uint32_t)world->scenario->core.replicas;
    state->nodes =
        change->nodes_before > change->nodes_after ? change->nodes_before : change->nodes_after;
    uint64_t load_bytes = sizeof(*state->loads_before);
    state->loads_before = fb_allocate(state->nodes, load_bytes, "loads of nodes", world->error);
    state->loads_after = fb_allocate(state->nodes, load_bytes, "loads of nodes", world->error);
    state->firsts_after = fb_allocate(state->nodes, load_bytes, "loads of nodes", world->error);
    for (uint32_t i = 0; i < state->nodes; i++) {
        bool was = is_alive(change, i, false), is = is_alive(change, i, true);
        state->alive_before += was;
        state->alive_after += is;
        state->alive_both += was && is;
    }
}

void placement_close(struct world *world)
{
    struct placement *state = world->placement;
    if (state == NULL)
        return;
    free(state->before.view);
    free(state->after.view);
    free(state->loads_before);
    free(state->loads_after);
    free(state->firsts_after);
    free(state);
}

void placement_start(struct world *world)
{
    table_build(world, &world->placement->before, false);
    if (!fb_error_is_set(world->error))
        table_build(world, &world->placement->after, true);
}

/* It asks nothing of the cluster. */
void placement_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    (void)reply;
    world_fault(world, "a reply to a client that never asks", node);
}

void placement_timer(struct world *world, uint32_t node, uint64_t detail)
{
    (void)detail;
    world_fault(world, "a timer of a client that sets none", node);
}

double placement_progress(const struct world *world)
{
    return world->placement->after.view != NULL;
}

/* Counts one partition. */
static void partition_count(struct placement *state, const struct fb_placement_change *change,
                            uint32_t partition, struct placement_count *count)
{
    const uint32_t *before = state->before.owners[partition];
    const uint32_t *after = state->after.owners[partition];
    bool is_twin = false;
    FB_ASSERT(after[0] != FB_NONE);
    for (uint32_t rank = 0; rank < state->ranks; rank++) {
        bool is_held = false;
        for (uint32_t i = 0; i < state->ranks; i++) {
            is_held = is_held || before[i] == after[rank];
            is_twin = is_twin || (i < rank && after[i] / change->hosts_per_domain ==
                                                  after[rank] / change->hosts_per_domain);
        }
        if (before[rank] != FB_NONE)
            state->loads_before[before[rank]]++;
        if (after[rank] == FB_NONE)
            continue;
        FB_ASSERT(after[rank] < state->nodes);
        state->loads_after[after[rank]]++;
        count->moved += !is_held;
    }
    state->firsts_after[after[0]]++;
    count->twins += is_twin;
}

static struct placement_count placement_count(struct placement *state,
                                              const struct fb_placement_change *change)
{
    struct placement_count count = {.moved = 0};
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        partition_count(state, change, partition, &count);
    for (uint32_t i = 0; i < state->nodes; i++) {
        uint32_t before = state->loads_before[i], after = state->loads_after[i];
        count.minimum += after > before ? after - before : 0;
        count.most = after > count.most ? after : count.most;
        uint32_t first = state->firsts_after[i];
        count.most_first = first > count.most_first ? first : count.most_first;
    }
    FB_ASSERT(count.minimum <= count.moved);
    FB_ASSERT(count.moved <= (uint64_t)FB_PARTITIONS * state->ranks);
    return count;
}

/* What a directory's store is asked a second, and how much of what it can do that is. */
static void add_metadata(const struct world *world, struct fb_run *run)
{
    const struct fb_scenario *scenario = world->scenario;
    double port = (double)scenario->hardware.nic.rate_bytes_per_s * scenario->transport.efficiency *
                  scenario->hardware.nic.count;
    double asked = port * world->placement->alive_after / (double)scenario->core.block_size_bytes;
    asked = spec(world)->is_directory ? asked : 0;
    metrics_add(run, "placement_metadata_lookups_per_s", "1/s", asked);
    if (scenario->metadata.operations_per_s > 0)
        metrics_add(run, "placement_metadata_share", "1",
                    asked / (double)scenario->metadata.operations_per_s);
}

void placement_metrics(const struct world *world, struct fb_run *run)
{
    const struct fb_placement_change *change = spec(world);
    struct placement *state = world->placement;
    struct placement_count count = placement_count(state, change);
    double cells = (double)FB_PARTITIONS * state->ranks;
    uint32_t alive =
        state->alive_before > state->alive_after ? state->alive_before : state->alive_after;
    FB_ASSERT(alive > 0);
    FB_ASSERT(state->alive_both <= alive);
    double fair = cells * (alive - state->alive_both) / alive;
    double moved = change->is_directory ? fair : (double)count.moved;
    double minimum = change->is_directory ? fair : (double)count.minimum;
    double cell_bytes = (double)change->data_size_bytes / FB_PARTITIONS;
    double mean = cells / state->alive_after,
           mean_first = FB_PARTITIONS / (double)state->alive_after;
    metrics_add(run, "placement_moved_bytes", "B", moved * cell_bytes);
    metrics_add(run, "placement_minimum_bytes", "B", minimum * cell_bytes);
    metrics_add(run, "placement_moved_over_minimum", "x", minimum > 0 ? moved / minimum : 1);
    metrics_add(run, "placement_moved_over_fair", "x", fair > 0 ? moved / fair : 1);
    metrics_add(run, "placement_imbalance", "x", change->is_directory ? 1 : count.most / mean);
    metrics_add(run, "placement_imbalance_first", "x",
                change->is_directory ? 1 : count.most_first / mean_first);
    metrics_add(run, "placement_domain_twins", "1", change->is_directory ? 0 : (double)count.twins);
    metrics_add(run, "placement_lookup_probes", "1", change->is_directory ? 0 : 1);
    metrics_add(run, "placement_build_steps", "1",
                change->is_directory ? 0 : (double)fb_view_operations(state->after.view));
    add_metadata(world, run);
}
