/* The node: its own file, and the files of the NIC and the drive that it names with their counts.
 */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include "models/scenario/engine_choice.h"

#include <stdio.h>

static const uint64_t second_ns = UINT64_C(1000000000);
static const uint64_t rate_max = UINT64_C(1) << 60;
static const uint64_t size_max = UINT64_C(1) << 60;

/* Opens the part `key` of a node: {component: NAME, count: FACT}. Returns the count. */
static uint32_t part_open(struct fb_component *node, const char *key, uint64_t count_min,
                          struct fb_component *part)
{
    struct fb_map map = fb_map_child(&node->map, key, true);
    struct fb_component holder = {.loader = node->loader, .map = map};
    holder.override = fb_map_child(&node->override, key, false);
    snprintf(holder.name, sizeof(holder.name), "%.40s %.20s", node->name, key);
    uint32_t count = (uint32_t)fb_fact_count(&holder, "count", count_min, 64);
    fb_component_open(node->loader, &holder.map, "component", "hardware", part);
    fb_map_close(&holder.map);
    part->override = holder.override;
    return count;
}

static void nic_load(struct fb_component *node, const char *key, struct fb_nic *nic)
{
    struct fb_component part = {.document = NULL};
    nic->count = part_open(node, key, 1, &part);
    nic->rate_bytes_per_s = fb_fact_rate(&part, "rate", 1, rate_max);
    nic->latency_ns = fb_fact_ns(&part, "latency", 0, second_ns);
    nic->work_requests_per_s = fb_fact_count(&part, "work_requests_per_s", 1, second_ns);
    fb_component_close(&part);
}

static void drive_load(struct fb_component *node, struct fb_drive *drive)
{
    struct fb_component part = {.document = NULL};
    drive->count = part_open(node, "drive", 0, &part);
    drive->size_bytes = fb_fact_bytes(&part, "size", 1, size_max);
    drive->queue_depth =
        (uint32_t)fb_fact_count(&part, "queue_depth", 1, FB_STATION_PARALLELISM_MAX);
    drive->read_latency_ns = fb_fact_ns(&part, "read_latency", 0, second_ns);
    drive->write_latency_ns = fb_fact_ns(&part, "write_latency", 0, second_ns);
    drive->read_bytes_per_s = fb_fact_rate(&part, "read_rate", 1, rate_max);
    drive->write_bytes_per_s = fb_fact_rate(&part, "write_rate", 1, rate_max);
    drive->read_operations_per_s = fb_fact_count(&part, "read_operations_per_s", 1, second_ns);
    drive->write_operations_per_s = fb_fact_count(&part, "write_operations_per_s", 1, second_ns);
    fb_component_close(&part);
}

void fb_hardware_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override)
{
    struct fb_hardware *hardware = &loader->scenario->hardware;
    struct fb_component node = {.override = fb_map_child(override, "hardware", false)};
    fb_component_open(loader, cluster, "hardware", "hardware", &node);
    snprintf(hardware->name, sizeof(hardware->name), "%s", node.name);
    hardware->accelerators = (uint32_t)fb_fact_count(&node, "accelerators", 0, 64);
    hardware->cpu_cores = (uint32_t)fb_fact_count(&node, "cpu_cores", 1, 1024);
    hardware->memory_size_bytes = fb_fact_bytes(&node, "memory_size", 1, size_max);
    hardware->memory_bytes_per_s = fb_fact_rate(&node, "memory_rate", 1, rate_max);
    hardware->core_step_ns = fb_fact_ns(&node, "core_step", 0, second_ns);
    hardware->submit_ns = fb_fact_ns(&node, "submit", 0, second_ns);
    hardware->digest_bytes_per_s = fb_fact_rate(&node, "digest_rate", 1, rate_max);
    hardware->encode_bytes_per_s = fb_fact_rate(&node, "encode_rate", 1, rate_max);
    hardware->client_read_ahead = (uint32_t)fb_fact_count(&node, "client_read_ahead", 1, 1024);
    hardware->client_retry_ns = fb_fact_ns(&node, "client_retry", 1, second_ns);
    nic_load(&node, "nic", &hardware->nic);
    if (fb_map_has(&node.map, "front_nic"))
        nic_load(&node, "front_nic", &hardware->front_nic);
    drive_load(&node, &hardware->drive);
    fb_component_close(&node);
}
