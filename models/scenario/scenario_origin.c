/* The origin: the blob store or file system that holds the data behind the cache. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include <stdio.h>

/* What it answers 503 above. */
static void limits_load(struct fb_component *file, struct fb_origin_model *origin)
{
    static const uint64_t per_s_max = 1000000000, ns_max = UINT64_C(86400000000000);
    origin->requests_max = (uint32_t)fb_fact_count(file, "requests_max", 1, 1u << 30);
    origin->requests_per_s = fb_fact_count(file, "requests_per_s", 0, per_s_max);
    origin->object_requests_per_s = fb_fact_count(file, "object_requests_per_s", 0, per_s_max);
    origin->prefix_reads_per_s = fb_fact_count(file, "prefix_reads_per_s", 0, per_s_max);
    origin->prefix_writes_per_s = fb_fact_count(file, "prefix_writes_per_s", 0, per_s_max);
    origin->prefix_split_ns = fb_fact_ns(file, "prefix_split", 1, ns_max);
    origin->rate_window_ns = fb_fact_ns(file, "rate_window", 0, ns_max);
}

void fb_origin_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override)
{
    static const uint64_t latency_ns_max = UINT64_C(60000000000),
                          cost_ns_max = UINT64_C(1000000000);
    static const uint64_t rate_max = UINT64_C(1) << 60;
    struct fb_origin_model *origin = &loader->scenario->origin;
    struct fb_component file = {.override = fb_map_child(override, "origin", false)};
    fb_component_open(loader, cluster, "origin", "origins", &file);
    snprintf(origin->name, sizeof(origin->name), "%s", file.name);
    origin->accounts = (uint32_t)fb_fact_count(&file, "accounts", 1, 100000);
    origin->latency_ns = fb_fact_ns(&file, "latency", 0, latency_ns_max);
    origin->latency_sigma = fb_fact_number(&file, "latency_sigma", 0, 4);
    origin->read_bytes_per_s = fb_fact_rate(&file, "read_rate", 1, rate_max);
    origin->write_bytes_per_s = fb_fact_rate(&file, "write_rate", 1, rate_max);
    origin->stream_bytes_per_s = fb_fact_rate(&file, "stream_rate", 1, rate_max);
    limits_load(&file, origin);
    origin->store_part_bytes_min =
        fb_fact_bytes(&file, "store_part_min", 0, FB_ORIGIN_PART_BYTES_MAX);
    origin->commit_requests = fb_fact_count(&file, "commit_requests", 0, 1000);
    origin->commit_block_requests = fb_fact_count(&file, "commit_block_requests", 0, 1000);
    origin->client_threads = (uint32_t)fb_fact_count(&file, "client_threads", 1, 1024);
    origin->client_request_ns = fb_fact_ns(&file, "client_request", 0, cost_ns_max);
    origin->client_read_mebibyte_ns = fb_fact_ns(&file, "client_read_mebibyte", 0, cost_ns_max);
    origin->client_write_mebibyte_ns = fb_fact_ns(&file, "client_write_mebibyte", 0, cost_ns_max);
    fb_component_close(&file);
}

void fb_origin_client_load(struct fb_loader *loader, struct fb_map *root)
{
    struct fb_origin_client *client = &loader->scenario->origin_client;
    struct fb_map map = fb_map_child(root, "origin", false);
    fb_origin_client_read(&map, client);
    fb_map_close(&map);
}
