/* The transport between nodes: what it costs, and what it makes of their ports. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include <stdio.h>

static void costs_load(struct fb_component *file, struct fb_transport_model *transport)
{
    static const uint64_t cost_ns_max = UINT64_C(1000000000);
    static const double copies_most = 16;
    transport->send_message_ns = fb_fact_ns(file, "send_message", 0, cost_ns_max);
    transport->receive_message_ns = fb_fact_ns(file, "receive_message", 0, cost_ns_max);
    transport->send_mebibyte_ns = fb_fact_ns(file, "send_mebibyte", 0, cost_ns_max);
    transport->receive_mebibyte_ns = fb_fact_ns(file, "receive_mebibyte", 0, cost_ns_max);
    transport->send_copies = fb_fact_number(file, "send_copies", 0, copies_most);
    transport->receive_copies = fb_fact_number(file, "receive_copies", 0, copies_most);
}

void fb_transport_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override)
{
    static const uint64_t second_ns = UINT64_C(1000000000), size_max = UINT64_C(1) << 31;
    struct fb_transport_model *transport = &loader->scenario->transport;
    struct fb_component file = {.override = fb_map_child(override, "transport", false)};
    loader->fallback = "tcp"; /* what this build's daemons speak */
    fb_component_open(loader, cluster, "transport", "transports", &file);
    loader->fallback = NULL;
    snprintf(transport->name, sizeof(transport->name), "%s", file.name);
    transport->is_built = fb_map_flag_or(&file.map, "is_built", false);
    transport->is_one_sided = fb_fact_flag(&file, "is_one_sided");
    transport->is_striped = fb_fact_flag(&file, "is_striped");
    transport->threads = (uint32_t)fb_fact_count(&file, "threads", 1, 1024);
    costs_load(&file, transport);
    transport->efficiency = fb_fact_number(&file, "efficiency", 0.01, 1);
    transport->latency_ns = fb_fact_ns(&file, "latency", 0, second_ns);
    transport->header_bytes = fb_fact_bytes(&file, "header_size", 0, 65536);
    transport->message_bytes_max = fb_fact_bytes(&file, "message_size_max", 256, size_max);
    transport->piece_bytes = fb_fact_bytes(&file, "piece_size", 1, size_max);
    transport->gone_ns = fb_fact_ns(&file, "gone", 0, 600 * second_ns);
    fb_component_close(&file);
}
