/* See estimate.h. What is under way at once is what clients keep in flight, bounded by what nodes
 * take; per-flow and per-event sizes are those of the structures, and growth by doubling. */
#include "sim/world/estimate.h"

#include "sim/world/world_clients.h"
#include "sim/world/world_internal.h"

#include "core/place/view.h"

#include <stdio.h>
#include <unistd.h>

enum {
    PROGRAM_BYTES = 32 << 20, /* libraries and tables; measured */
    LINK_BYTES = 192,         /* of the fluid network: the link, its face, its place in the queue */
    FLOW_BYTES = 256,         /* a flow, its places in its links' lists and in the finish order */
    SIMGRID_BYTES = 4608,     /* a host, its links and zone in SimGrid; measured: 4.4 KiB */
    HEAP_BYTES = 32,          /* an event's place in the heap, half of it spare */
    KV_FLIGHT = 64,           /* blocks a KV client keeps in flight */
    CLIENT_BYTES = 128,       /* a client's record of itself */
    CLIENT_FLIGHT_BYTES = 96  /* and of what it has in flight */
};

static uint64_t memory_limit_bytes;

void fb_world_limit_memory(uint64_t size_bytes)
{
    memory_limit_bytes = size_bytes;
}

void world_check_memory(struct world *world)
{
    unsigned long long pages = 0, resident = 0;
    FILE *stream = memory_limit_bytes > 0 ? fopen("/proc/self/statm", "r") : NULL;
    if (stream == NULL)
        return;
    bool is_read = fscanf(stream, "%llu %llu", &pages, &resident) == 2;
    fclose(stream);
    uint64_t used_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    if (!is_read || used_bytes <= memory_limit_bytes)
        return;
    fb_error_set(world->error,
                 "seed %llu: stopped at %.0f%% of the work: it uses %.2f GiB, more than the %.2f "
                 "GiB of --max-memory for each run; raise it, lower --jobs, or take fewer nodes",
                 (unsigned long long)world->seed, workload_progress(world) * 100,
                 (double)used_bytes / 1073741824, (double)memory_limit_bytes / 1073741824);
    world_stop(world);
}

static bool has(const struct fb_scenario *scenario, enum fb_workload_kind kind)
{
    return scenario->workload.kinds >> kind & 1u;
}

/* Blocks that a node's clients keep in flight. */
static uint64_t flight_of(const struct fb_scenario *scenario)
{
    const struct fb_workload *workload = &scenario->workload;
    uint64_t reads = 0, writes = 0;
    if (has(scenario, FB_WORKLOAD_TRAINING))
        reads += (uint64_t)scenario->accelerators * workload->training.read_threads *
                 scenario->hardware.client_read_ahead;
    if (has(scenario, FB_WORKLOAD_KV))
        reads += KV_FLIGHT;
    if (has(scenario, FB_WORKLOAD_FAN_OUT))
        reads += workload->fanout.window;
    if (has(scenario, FB_WORKLOAD_CHECKPOINT))
        writes += workload->checkpoint.window;
    if (reads > scenario->core.fills_max)
        reads = scenario->core.fills_max;
    if (writes > scenario->core.puts_max)
        writes = scenario->core.puts_max;
    return reads + writes * scenario->core.replicas;
}

static uint64_t clients_bytes(const struct fb_scenario *scenario, uint64_t flight)
{
    const struct fb_workload *workload = &scenario->workload;
    uint64_t bytes = scenario->nodes * (CLIENT_BYTES + flight * CLIENT_FLIGHT_BYTES);
    if (has(scenario, FB_WORKLOAD_TRAINING))
        bytes += workload->training.files * 12 +
                 (uint64_t)scenario->nodes * scenario->accelerators *
                     (CLIENT_BYTES + workload->training.read_threads * CLIENT_FLIGHT_BYTES);
    if (has(scenario, FB_WORKLOAD_CHECKPOINT))
        bytes += workload->checkpoint.state_size_bytes / scenario->core.block_size_bytes * 33;
    return bytes;
}

void fb_world_estimate(const struct fb_scenario *scenario, struct fb_world_bytes *bytes)
{
    const struct fb_config *core = &scenario->core;
    uint64_t nodes = scenario->nodes, flight = flight_of(scenario);
    uint64_t chunks =
        core->memory_size_bytes / core->block_size_bytes +
        (core->device_size_bytes > 0 ? core->device_size_bytes / core->block_size_bytes : 0);
    uint64_t fronts = scenario->hardware.front_nic.count > 0 ? nodes : 0;
    uint64_t hosts = nodes + scenario->origin.accounts + fronts;
    uint64_t leaves = nodes / scenario->network.hosts_per_leaf + scenario->origin.accounts + 1;
    bool is_lmm = scenario->engine == FB_ENGINE_SIMGRID && scenario->flows == FB_FLOWS_LMM;
    *bytes = (struct fb_world_bytes){
        .nodes = nodes * (world_host_bytes(scenario) + sizeof(struct host) +
                          chunks * sizeof(struct fb_tags_chunk)),
        .view = 2 * fb_view_size_bytes(scenario->nodes) + nodes * sizeof(struct fb_member),
        .network = 2 * (hosts + leaves) * LINK_BYTES + nodes * flight * FLOW_BYTES +
                   (is_lmm ? hosts * SIMGRID_BYTES : 0),
        .events = nodes * (flight + 2) * (sizeof(struct pending) + HEAP_BYTES),
        .clients = clients_bytes(scenario, flight)};
    bytes->total = PROGRAM_BYTES + bytes->nodes + bytes->view + bytes->network + bytes->events +
                   bytes->clients;
}
