/* The metadata store: where names and manifests are. Clusters without names need none. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include <stdio.h>

void fb_metadata_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override)
{
    static const uint64_t latency_ns_max = UINT64_C(60000000000);
    struct fb_metadata *metadata = &loader->scenario->metadata;
    if (!fb_map_has(cluster, "metadata"))
        return;
    struct fb_component file = {.override = fb_map_child(override, "metadata", false)};
    fb_component_open(loader, cluster, "metadata", "metadata", &file);
    snprintf(metadata->name, sizeof(metadata->name), "%s", file.name);
    metadata->operations_per_s = fb_fact_count(&file, "operations_per_s", 1, UINT64_C(1000000000));
    metadata->read_latency_ns = fb_fact_ns(&file, "read_latency", 0, latency_ns_max);
    metadata->commit_latency_ns = fb_fact_ns(&file, "commit_latency", 0, latency_ns_max);
    fb_component_close(&file);
}
