/* The network between nodes: leaves, and a core above them. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include "models/scenario/engine_choice.h"

#include <stdio.h>

void fb_network_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override)
{
    static const uint64_t latency_ns_max = UINT64_C(1000000000);
    struct fb_network *network = &loader->scenario->network;
    struct fb_component file = {.override = fb_map_child(override, "network", false)};
    fb_component_open(loader, cluster, "network", "networks", &file);
    snprintf(network->name, sizeof(network->name), "%s", file.name);
    network->hosts_per_leaf = (uint32_t)fb_fact_count(&file, "hosts_per_leaf", 1, 65536);
    network->leaves_max = (uint32_t)fb_fact_count(&file, "leaves_max", 1, 65536);
    network->oversubscription = fb_fact_number(&file, "oversubscription", 1, 64);
    network->leaf_latency_ns = fb_fact_ns(&file, "leaf_latency", 0, latency_ns_max);
    network->core_latency_ns = fb_fact_ns(&file, "core_latency", 0, latency_ns_max);
    network->port_queue_ns = fb_fact_ns(&file, "port_queue", 0, latency_ns_max);
    if (network->port_queue_ns > 0 && loader->scenario->flows == FB_FLOWS_LMM)
        fb_map_fault(cluster, "network",
                     "%s has a port_queue, which only the fluid network knows: set "
                     "simulation.network to fluid",
                     network->name);
    fb_component_close(&file);
}
