/* The origin: the blob store or file system that holds the data behind the cache. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include <stdio.h>

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
    origin->requests_per_s = fb_fact_count(&file, "requests_per_s", 1, UINT64_C(1000000000));
    origin->stream_bytes_per_s = fb_fact_rate(&file, "stream_rate", 1, rate_max);
    origin->part_bytes = fb_fact_bytes(&file, "part_size", 1, UINT64_C(1) << 40);
    origin->requests_max = (uint32_t)fb_fact_count(&file, "requests_max", 1, 1u << 30);
    origin->client_threads = (uint32_t)fb_fact_count(&file, "client_threads", 1, 1024);
    origin->client_request_ns = fb_fact_ns(&file, "client_request", 0, cost_ns_max);
    origin->client_read_mebibyte_ns = fb_fact_ns(&file, "client_read_mebibyte", 0, cost_ns_max);
    origin->client_write_mebibyte_ns = fb_fact_ns(&file, "client_write_mebibyte", 0, cost_ns_max);
    fb_component_close(&file);
}
