/* See run_memory.h. */
#include "cli/run/run_memory.h"

#include "base/units.h"
#include "sim/world/estimate.h"

#include <stdio.h>
#include <unistd.h>

static uint64_t machine_bytes(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void refuse(const struct fb_scenario *scenario, const struct fb_world_bytes *bytes,
                   uint64_t max_bytes, struct fb_error *error)
{
    char total[32], limit[32], nodes[32], view[32], network[32], events[32], clients[32];
    fb_error_set(error,
                 "%u nodes would take about %s of memory, more than %s: nodes' state %s, view %s, "
                 "network %s, events %s, clients %s; raise --max-memory, or lower cluster.nodes, "
                 "blocks a node (core.memory_size / block_size) or the workload's window",
                 scenario->nodes, fb_format_bytes(total, (double)bytes->total),
                 fb_format_bytes(limit, (double)max_bytes),
                 fb_format_bytes(nodes, (double)bytes->nodes),
                 fb_format_bytes(view, (double)bytes->view),
                 fb_format_bytes(network, (double)bytes->network),
                 fb_format_bytes(events, (double)bytes->events),
                 fb_format_bytes(clients, (double)bytes->clients));
}

uint32_t fb_run_memory(const struct fb_scenario *scenarios, uint32_t count, uint64_t max_bytes,
                       uint32_t jobs, struct fb_error *error)
{
    struct fb_world_bytes bytes;
    uint64_t largest = 1;
    if (max_bytes == 0)
        max_bytes = machine_bytes() / 20 * 19;
    for (uint32_t i = 0; i < count; i++) {
        fb_world_estimate(&scenarios[i], &bytes);
        if (bytes.total > max_bytes) {
            refuse(&scenarios[i], &bytes, max_bytes, error);
            return 1;
        }
        largest = bytes.total > largest ? bytes.total : largest;
    }
    uint64_t fit = max_bytes / largest;
    if (fit < jobs)
        jobs = (uint32_t)fit;
    fb_world_limit_memory(max_bytes / jobs);
    return jobs;
}
