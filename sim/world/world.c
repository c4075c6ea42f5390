/* The world's loop: events reach nodes, nodes give ops, ops become work on engine and stations.
 *
 * CPU time: the core of a node is one thread. An event that arrives at t is handled at
 * start = max(t, thread free); the step costs core_step_ns, each op submit_ns or what its message
 * costs (transport.c), and the ops begin when that time is over. The step runs with now = start at
 * once: nothing that arrives in between can come before it, since the thread is first come, first
 * served.
 *
 * Determinism: the engine delivers by (date, cookie); cookies are (node, pending index), and
 * pending indexes are given out in the order of the run. Every event and op is hashed. */
#include "base/clock.h"
#include "base/memory.h"
#include "sim/world/world.h"
#include "sim/world/world_clients.h"
#include "sim/world/origin.h"
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"

#include "base/progress.h"
#include "core/panic.h"
#include "core/trace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { STEPS_AT_ONCE_MAX = 1000000 }; /* TICKs in a row before a node counts as stuck */

uint64_t world_now_ns(const struct world *world)
{
    return fb_engine_now_ns(world->engine);
}

void world_stop(struct world *world)
{
    world->is_stopped = true;
    fb_engine_stop(world->engine);
}

/* The oracle saw something that must never be: the run has failed. */
void world_fault(struct world *world, const char *text, uint32_t node)
{
    fb_error_set(world->error, "oracle: node %u at %.9f s, seed %llu: %s", node,
                 (double)world_now_ns(world) * 1e-9, (unsigned long long)world->seed, text);
    world_stop(world);
}

/* More room, not touched before it is used: what a run never needs costs no memory. */
static void pending_grow(struct world *world)
{
    uint32_t count = world->pending_count > 0 ? world->pending_count * 2 : 1024;
    FB_ASSERT(count > world->pending_count);
    world->pending =
        fb_grow(world->pending, count, sizeof(*world->pending), "pending events", NULL);
    world->pending_count = count;
}

uint32_t world_pending(struct world *world, enum pending_kind kind, uint32_t node)
{
    FB_ASSERT(node < world->scenario->nodes);
    uint32_t index = world->pending_free;
    if (index == FB_NONE && world->pending_used == world->pending_count)
        pending_grow(world);
    if (index == FB_NONE)
        index = world->pending_used++;
    else
        world->pending_free = world->pending[index].next_free;
    FB_ASSERT(index < world->pending_used);
    struct pending *pending = &world->pending[index];
    pending->kind = kind;
    pending->node = node;
    pending->life = world->hosts[node].life;
    pending->keys = NULL;
    return index;
}

static void pending_free(struct world *world, uint32_t index)
{
    FB_ASSERT(index < world->pending_used);
    free(world->pending[index].keys);
    world->pending[index].keys = NULL;
    world->pending[index].next_free = world->pending_free;
    world->pending_free = index;
}

void world_timer(struct world *world, uint64_t at_ns, uint32_t index)
{
    FB_ASSERT(index < world->pending_used);
    uint64_t cookie = (uint64_t)world->pending[index].node << 32 | index;
    fb_engine_timer(world->engine, at_ns, cookie);
}

void world_client_timer(struct world *world, uint32_t node, uint64_t at_ns, uint64_t detail)
{
    uint32_t index = world_pending(world, PENDING_CLIENT, node);
    world->pending[index].detail = workload_tag(world, detail);
    world_timer(world, at_ns, index);
}

static void world_hash(struct world *world, const struct fb_trace_record *record)
{
    XXH3_64bits_update(world->hash, record, sizeof(*record));
}

/* One step of a node's core, charged to its thread; the ops begin when the thread is free again. */
static void world_step(struct world *world, uint32_t node, const struct fb_event *event)
{
    const struct fb_hardware *hardware = &world->scenario->hardware;
    struct host *host = &world->hosts[node];
    struct fb_op ops[FB_STEP_OPS_MAX];
    struct fb_trace_record record;
    uint64_t now_ns = world_now_ns(world);
    uint64_t start_ns = host->cpu_free_ns > now_ns ? host->cpu_free_ns : now_ns;
    fb_trace_event(&record, start_ns, node, event);
    world_hash(world, &record);
    uint32_t count = fb_node_step(host->core, start_ns, event, ops);
    FB_ASSERT(count <= FB_STEP_OPS_MAX);
    uint64_t cost_ns = hardware->core_step_ns + world_event_cost_ns(world, event);
    for (uint32_t i = 0; i < count; i++)
        cost_ns += world_op_cost_ns(world, node, &ops[i]);
    host->cpu_free_ns = start_ns + cost_ns;
    (void)world_transport_take(world, node, cost_ns);
    world->events++;
    for (uint32_t i = 0; i < count; i++) {
        fb_trace_op(&record, host->cpu_free_ns, node, &ops[i]);
        world_hash(world, &record);
        world_op(world, node, host->cpu_free_ns, &ops[i]);
    }
}

/* Schedules the node's next TICK, unless an earlier one is scheduled already. */
static void world_schedule_tick(struct world *world, uint32_t node)
{
    struct host *host = &world->hosts[node];
    uint64_t deadline_ns = fb_node_deadline_ns(host->core);
    if (deadline_ns >= host->tick_ns)
        return;
    host->tick_ns = deadline_ns;
    world_timer(world, deadline_ns, world_pending(world, PENDING_TICK, node));
}

/* Gives an event to a node, then every TICK that is due at once (R2). */
void world_event(struct world *world, uint32_t node, const struct fb_event *event)
{
    struct host *host = &world->hosts[node];
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    world_step(world, node, event);
    for (uint32_t i = 0; fb_node_deadline_ns(host->core) <= host->cpu_free_ns; i++) {
        world_step(world, node, &tick);
        if (i == STEPS_AT_ONCE_MAX) {
            world_fault(world, "a node asks for TICK without end", node);
            return;
        }
    }
    world_schedule_tick(world, node);
}

void world_request(struct world *world, uint32_t node, const struct fb_request *request)
{
    struct fb_event event = {.kind = FB_EVENT_REQUEST, .request = *request};
    event.request.request_id = workload_tag(world, request->request_id);
    world_event(world, node, &event);
}

static void world_tick(struct world *world, uint32_t node)
{
    struct host *host = &world->hosts[node];
    FB_ASSERT(host->is_up);
    if (world_now_ns(world) < host->tick_ns)
        return; /* an earlier TICK took its place */
    host->tick_ns = FB_NEVER_NS;
    if (fb_node_deadline_ns(host->core) > world_now_ns(world)) {
        world_schedule_tick(world, node);
        return;
    }
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    world_event(world, node, &tick);
}

static void world_poll(struct world *world)
{
    double share = workload_progress(world);
    fb_progress_update(world->progress_from + (world->progress_to - world->progress_from) * share);
    if (world->polls++ % 16 == 0)
        world_check_memory(world);
    if (world->should_stop != NULL && *world->should_stop)
        world_stop(world);
}

/* What was meant for a node that has died since. Flows end all the same: others count on it. */
static bool is_of_another_life(const struct world *world, const struct pending *pending)
{
    const struct host *host = &world->hosts[pending->node];
    switch ((enum pending_kind)pending->kind) {
    case PENDING_EVENT:
    case PENDING_TICK:
    case PENDING_REPLY:
    case PENDING_CLIENT:
        return !host->is_up || pending->life != host->life;
    case PENDING_PULL_START:
    case PENDING_PULL_FLOW:
    case PENDING_REQUEST_ARRIVE:
    case PENDING_REQUEST_START:
    case PENDING_REQUEST_FLOW:
    case PENDING_REQUEST_ENDED:
    case PENDING_REQUEST_AGAIN:
    case PENDING_METADATA:
    case PENDING_FAULT:
        break;
    }
    return false;
}

static void world_deliver(void *context, uint64_t cookie, enum fb_status status)
{
    struct world *world = context;
    uint32_t index = (uint32_t)cookie;
    FB_ASSERT(index < world->pending_used);
    FB_ASSERT(world->pending[index].node == cookie >> 32);
    if (fb_engine_events(world->engine) % 1024 == 0)
        world_poll(world);
    if (world->is_stopped) {
        pending_free(world, index);
        return;
    }
    struct pending pending = world->pending[index];
    if (is_of_another_life(world, &pending)) {
        pending_free(world, index);
        return;
    }
    switch ((enum pending_kind)pending.kind) {
    case PENDING_PULL_START:
        world_pull_start(world, index);
        return;
    case PENDING_PULL_FLOW:
        world_pull_end(world, index, status);
        break;
    case PENDING_REQUEST_ARRIVE:
    case PENDING_REQUEST_START:
    case PENDING_REQUEST_FLOW:
    case PENDING_REQUEST_ENDED:
    case PENDING_REQUEST_AGAIN:
        if (!world_origin_step(world, index, status))
            return;
        break;
    case PENDING_METADATA:
        world_metadata_arrive(world, index);
        return;
    case PENDING_EVENT:
        world_event(world, pending.node, &pending.event);
        break;
    case PENDING_TICK:
        world_tick(world, pending.node);
        break;
    case PENDING_REPLY:
        workload_reply(world, pending.node, &pending.reply);
        break;
    case PENDING_CLIENT:
        workload_timer(world, pending.node, pending.detail);
        break;
    case PENDING_FAULT:
        fault_step(world, pending.node, pending.detail);
        break;
    }
    pending_free(world, index);
}

/* TCP gives of two flows that share a port the one with half of the round trip twice as much. Where
 * ports queue, a round trip is mostly queues: two between peers, one on the way to the origin.
 * Source: Mathis, Semke, Mahdavi, Ott, The macroscopic behavior of the TCP congestion avoidance
 * algorithm, CCR 1997: rate ~ 1 / RTT. */
static uint32_t origin_flow_weight(const struct fb_scenario *scenario)
{
    return scenario->network.port_queue_ns > 0 ? 2 : 1;
}

/* A request to the origin is one connection's, and so one port's, whatever goes between nodes. */
static uint64_t origin_flow_bytes_per_s(const struct world *world)
{
    const struct fb_hardware *hardware = &world->scenario->hardware;
    bool is_own = hardware->front_nic.count > 0;
    uint64_t ports = is_own ? world_front_bytes_per_s(world) : world_port_bytes_per_s(world);
    uint64_t port = ports / (is_own ? hardware->front_nic.count : hardware->nic.count);
    uint64_t stream = world->scenario->origin.stream_bytes_per_s;
    FB_ASSERT(port > 0);
    return stream < port ? stream : port;
}

/* Nodes, then accounts, then the nodes' ports to the origin, where they are others. */
static void hosts_fill(const struct world *world, struct fb_engine_host *hosts)
{
    const struct fb_scenario *scenario = world->scenario;
    uint32_t per_leaf = scenario->network.hosts_per_leaf, nodes = scenario->nodes;
    uint32_t leaves = (nodes + per_leaf - 1) / per_leaf, accounts = scenario->origin.accounts;
    uint64_t port = world_port_bytes_per_s(world), front = world_front_bytes_per_s(world);
    bool is_bound = scenario->hardware.nic.count > 1 && !scenario->transport.is_striped;
    uint64_t flow = is_bound ? port / scenario->hardware.nic.count : 0;
    uint64_t stream = origin_flow_bytes_per_s(world);
    for (uint32_t i = 0; i < nodes; i++)
        hosts[i] = (struct fb_engine_host){.leaf = i / per_leaf,
                                           .up_bytes_per_s = port,
                                           .down_bytes_per_s = port,
                                           .flow_bytes_per_s = flow};
    for (uint32_t i = 0; i < accounts; i++)
        hosts[nodes + i] =
            (struct fb_engine_host){.leaf = leaves + i,
                                    .up_bytes_per_s = scenario->origin.read_bytes_per_s,
                                    .down_bytes_per_s = scenario->origin.write_bytes_per_s,
                                    .flow_bytes_per_s = stream,
                                    .flow_down_bytes_per_s = stream,
                                    .flow_weight = origin_flow_weight(scenario)};
    for (uint32_t i = 0; world_front(world, i) != i && i < nodes; i++) /* no leaf binds there */
        hosts[world_front(world, i)] = (struct fb_engine_host){
            .leaf = leaves, .up_bytes_per_s = front, .down_bytes_per_s = front};
}

static bool world_open_engine(struct world *world)
{
    const struct fb_scenario *scenario = world->scenario;
    char text[256] = "";
    uint32_t per_leaf = scenario->network.hosts_per_leaf, accounts = scenario->origin.accounts;
    uint32_t leaves = (scenario->nodes + per_leaf - 1) / per_leaf;
    uint32_t fronts = world_front(world, 0) != 0 ? scenario->nodes : 0;
    uint32_t count = scenario->nodes + accounts + fronts;
    struct fb_engine_host *hosts = fb_allocate(count, sizeof(*hosts), "the network", NULL);
    struct fb_engine_leaf *leaf =
        fb_allocate(leaves + accounts, sizeof(*leaf), "the network", NULL);
    uint64_t uplink = (uint64_t)((double)world_port_bytes_per_s(world) * per_leaf /
                                 scenario->network.oversubscription);
    bool is_blocking = scenario->network.oversubscription > 1;
    hosts_fill(world, hosts);
    for (uint32_t i = 0; i < leaves && is_blocking; i++)
        leaf[i] = (struct fb_engine_leaf){.up_bytes_per_s = uplink, .down_bytes_per_s = uplink};
    const struct fb_engine_network network = {
        .hosts = hosts, .leaves = leaf, .host_count = count, .leaf_count = leaves + accounts};
    world->engine =
        fb_engine_open((enum fb_engine_kind)scenario->engine, (enum fb_engine_flows)scenario->flows,
                       &network, world_deliver, world, text, sizeof(text));
    if (world->engine == NULL)
        fb_error_set(world->error, "%s", text);
    free(hosts);
    free(leaf);
    return world->engine != NULL;
}

/* After the last event every node must be idle: nothing leaked (oracle). */
static void world_check_end(struct world *world)
{
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (!world->hosts[i].is_up)
            continue;
        fb_node_check(world->hosts[i].core);
        if (!fb_node_is_idle(world->hosts[i].core)) {
            world_fault(world, "work, a loan or a pin is left after the last event", i);
            return;
        }
    }
}

static double timeval_s(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* What the process took; a run has one of its own. */
static void usage_note(struct fb_run *run)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    run->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    run->processor_s = timeval_s(usage.ru_utime) + timeval_s(usage.ru_stime);
}

void fb_world_run(const struct fb_scenario *scenario, uint64_t seed,
                  const volatile int *should_stop, double progress_from, double progress_to,
                  struct fb_run *run, struct fb_error *error)
{
    FB_ASSERT(progress_from <= progress_to);
    struct world world = {.scenario = scenario,
                          .seed = seed,
                          .should_stop = should_stop,
                          .progress_from = progress_from,
                          .progress_to = progress_to,
                          .pending_free = FB_NONE,
                          .error = error};
    double started_s = fb_clock_s();
    memset(run, 0, sizeof(*run));
    run->seed = seed;
    world.hash = XXH3_createState();
    XXH3_64bits_reset(world.hash);
    fb_series_init(&world.series);
    if (world_open_engine(&world)) {
        world_open(&world);
        workload_open(&world);
        run->start_s = fb_clock_s() - started_s;
        if (!fb_error_is_set(error)) {
            fault_start(&world);
            workload_start(&world);
            fb_engine_run(world.engine);
        }
        if (!world.is_stopped && !fb_error_is_set(error))
            world_check_end(&world);
        run->wall_s = fb_clock_s() - started_s;
        usage_note(run);
        run->is_partial = world.is_stopped;
        run->determinism_hash = XXH3_64bits_digest(world.hash);
        if (!fb_error_is_set(error))
            metrics_collect(&world, run);
        workload_close(&world);
        world_close(&world);
        fb_engine_close(world.engine);
    }
    XXH3_freeState(world.hash);
    fb_progress_update(progress_to);
}
