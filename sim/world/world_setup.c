/* Builds the world's hosts from a scenario and takes them down again. */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/generator.h"
#include "sim/world/origin.h"
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PIPES = 5 }; /* stations of a host beside its drives */

/* Of processor time: a station's bytes are ns of one thread. */
static const uint64_t SECOND_NS = 1000000000;

static struct fb_station_config drive_config(const struct fb_scenario *scenario)
{
    const struct fb_drive *drive = &scenario->hardware.drive;
    uint64_t count = drive->count > 0 ? drive->count : 1;
    uint64_t depth = drive->queue_depth * count;
    if (scenario->core.device_size_bytes == 0)
        depth = 1; /* never used */
    return (struct fb_station_config){
        .latency_ns = {drive->read_latency_ns, drive->write_latency_ns},
        .bytes_per_s = {drive->read_bytes_per_s * count, drive->write_bytes_per_s * count},
        .operations_per_s = {drive->read_operations_per_s * count,
                             drive->write_operations_per_s * count},
        .parallelism =
            (uint32_t)(depth < FB_STATION_PARALLELISM_MAX ? depth : FB_STATION_PARALLELISM_MAX)};
}

/* A station that is nothing but a pipe. */
static struct fb_station_config pipe_config(uint64_t bytes_per_s, uint64_t operations_per_s)
{
    return (struct fb_station_config){.bytes_per_s = {bytes_per_s, bytes_per_s},
                                      .operations_per_s = {operations_per_s, operations_per_s},
                                      .parallelism = 1};
}

static struct fb_station *station_open(struct world *world, struct fb_station_config config)
{
    struct fb_station *station = fb_arena_take(&world->arena, fb_station_size_bytes(&config));
    fb_station_init(station, &config);
    return station;
}

static uint64_t ports_bytes_per_s(const struct world *world, const struct fb_nic *nic)
{
    double efficiency = world->scenario->transport.efficiency;
    return (uint64_t)((double)nic->rate_bytes_per_s * efficiency * nic->count);
}

uint64_t world_port_bytes_per_s(const struct world *world)
{
    return ports_bytes_per_s(world, &world->scenario->hardware.nic);
}

uint64_t world_front_bytes_per_s(const struct world *world)
{
    return ports_bytes_per_s(world, &world->scenario->hardware.front_nic);
}

static struct fb_config host_config(const struct world *world, uint32_t index)
{
    struct fb_config config = world->scenario->core;
    config.node = index;
    return config;
}

void world_host_reset(struct world *world, uint32_t node)
{
    struct host *host = &world->hosts[node];
    FB_ASSERT(host->is_up);
    FB_ASSERT(host->core != NULL);
    struct fb_config config = host_config(world, node);
    uint64_t now_ns = world_now_ns(world);
    uint64_t seed = (world->seed * 1000003 + node) ^ (uint64_t)host->life << 48;
    host->life++;
    world_origin_forget(world, node);
    if (host->earlier == NULL)
        host->earlier = fb_allocate(1, sizeof(*host->earlier), "counters", NULL);
    fb_stats_add(host->earlier, fb_node_stats(host->core));
    fb_station_reset(host->drive, now_ns);
    fb_station_reset(host->nic, now_ns);
    fb_station_reset(host->memory, now_ns);
    fb_station_reset(host->transport, now_ns);
    fb_station_reset(host->origin, now_ns);
    fb_station_reset(host->cores, now_ns);
    if (fb_node_init(host->core, fb_node_size_bytes(&config), &config, seed) != FB_OK)
        world_fault(world, "a node that came up before does not come up again", node);
}

static void host_open(struct world *world, uint32_t index)
{
    const struct fb_scenario *scenario = world->scenario;
    const struct fb_hardware *hardware = &scenario->hardware;
    struct host *host = &world->hosts[index];
    struct fb_config config = host_config(world, index);
    uint64_t size_bytes = fb_node_size_bytes(&config);
    host->core = fb_arena_take(&world->arena, size_bytes);
    if (fb_node_init(host->core, size_bytes, &config, world->seed * 1000003 + index) != FB_OK) {
        const char *field = fb_config_fault(&config);
        fb_error_set(world->error, "core: setting %s is out of range",
                     field != NULL ? field : "(size)");
        return;
    }
    uint64_t chunks = config.memory_size_bytes / config.block_size_bytes;
    uint64_t device_chunks = config.device_size_bytes / config.block_size_bytes;
    fb_tags_open(&host->memory_tags, chunks, world->error);
    fb_tags_open(&host->device_tags, device_chunks, world->error);
    world_drive_open(world, index);
    uint64_t work_requests_per_s = hardware->nic.work_requests_per_s * hardware->nic.count;
    host->drive = station_open(world, drive_config(scenario));
    host->nic = station_open(world, pipe_config(0, work_requests_per_s));
    host->memory = station_open(world, pipe_config(hardware->memory_bytes_per_s, 0));
    host->transport =
        station_open(world, pipe_config(SECOND_NS * world_transport_threads(world), 0));
    host->origin = station_open(world, pipe_config(SECOND_NS * world_origin_threads(world), 0));
    host->cores = station_open(world, pipe_config(SECOND_NS * world_cores(world), 0));
    host->tick_ns = FB_NEVER_NS;
    host->is_up = true;
    host->is_member = true;
}

/* The view of the present members, in world->view. */
static void view_build(struct world *world)
{
    const struct fb_scenario *scenario = world->scenario;
    struct fb_member *members =
        fb_allocate(scenario->nodes, sizeof(*members), "members", world->error);
    uint64_t size_bytes = fb_view_size_bytes(scenario->nodes);
    world->view = fb_allocate(1, size_bytes, "a view of the members", world->error);
    if (members == NULL || world->view == NULL) {
        free(members);
        return;
    }
    for (uint32_t i = 0; i < scenario->nodes; i++)
        members[i] = (struct fb_member){.node = i,
                                        .domain = i / scenario->network.hosts_per_leaf,
                                        .weight = 1,
                                        .is_up = world->hosts[i].is_member};
    uint32_t ranks = (uint32_t)scenario->core.replicas;
    FB_ASSERT(ranks > 0);
    if (ranks > scenario->nodes)
        ranks = scenario->nodes;
    const struct fb_view_plan plan = {.version = ++world->view_version,
                                      .members = members,
                                      .member_count = scenario->nodes,
                                      .ranks_count = ranks,
                                      .placement = (enum fb_placement)scenario->core.placement};
    if (fb_view_build_plan(world->view, size_bytes, &plan) != FB_OK)
        fb_error_set(world->error, "cluster: no placement for %u nodes", scenario->nodes);
    free(members);
}

static void view_tell(struct world *world)
{
    FB_ASSERT(world->view != NULL);
    const struct fb_event view = {.kind = FB_EVENT_VIEW, .view = world->view};
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (world->hosts[i].is_up)
            world_event(world, i, &view);
    }
}

static bool has_member(const struct world *world)
{
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (world->hosts[i].is_member)
            return true;
    }
    return false;
}

void world_view_change(struct world *world)
{
    if (!has_member(world))
        return; /* nobody is there to be told */
    struct fb_view *old = world->view;
    view_build(world);
    if (!fb_error_is_set(world->error))
        view_tell(world);
    free(old); /* a node that is down gets the new one before it is used again (R8) */
}

struct fb_station *world_gate_open(struct world *world, uint64_t operations_per_s)
{
    const struct fb_station_config config = pipe_config(0, operations_per_s);
    struct fb_station *station =
        fb_allocate(1, fb_station_size_bytes(&config), "a gate", world->error);
    if (station != NULL)
        fb_station_init(station, &config);
    return station;
}

/* What a host takes of the arena. */
uint64_t world_host_bytes(const struct fb_scenario *scenario)
{
    const struct fb_station_config drive = drive_config(scenario), pipe = pipe_config(0, 0);
    return fb_arena_part_bytes(fb_node_size_bytes(&scenario->core)) +
           fb_arena_part_bytes(fb_station_size_bytes(&drive)) +
           PIPES * fb_arena_part_bytes(fb_station_size_bytes(&pipe));
}

void world_open(struct world *world)
{
    const struct fb_scenario *scenario = world->scenario;
    world->hosts = fb_allocate(scenario->nodes, sizeof(*world->hosts), "nodes", world->error);
    world->accounts = fb_allocate(scenario->origin.accounts, sizeof(*world->accounts),
                                  "accounts of the origin", world->error);
    world->random = fb_generator_open(world->seed);
    if (fb_error_is_set(world->error))
        return;
    for (uint32_t i = 0; i < scenario->origin.accounts; i++)
        world->accounts[i].prefixes = 1;
    world_origin_open(world);
    world_metadata_open(world);
    if (!fb_arena_open(&world->arena, scenario->nodes * world_host_bytes(scenario)))
        fb_out_of_memory(scenario->nodes, world_host_bytes(scenario), "nodes", world->error);
    for (uint32_t i = 0; i < scenario->nodes && !fb_error_is_set(world->error); i++)
        host_open(world, i);
    FB_ASSERT(fb_error_is_set(world->error) ||
              world->arena.used_bytes == scenario->nodes * world_host_bytes(scenario));
    if (!fb_error_is_set(world->error))
        view_build(world);
    if (!fb_error_is_set(world->error))
        view_tell(world);
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; world->hosts != NULL && i < world->scenario->nodes; i++) {
        free(world->hosts[i].earlier);
        fb_tags_close(&world->hosts[i].memory_tags);
        fb_tags_close(&world->hosts[i].device_tags);
        world_drive_close(world, i);
    }
    fb_arena_close(&world->arena);
    world_origin_close(world);
    for (uint32_t i = 0; i < world->pending_used; i++)
        free(world->pending[i].keys);
    world_store_close(world);
    world_metadata_close(world);
    free(world->hosts);
    free(world->accounts);
    free(world->view);
    free(world->pending);
    if (world->random != NULL)
        gsl_rng_free(world->random);
}
