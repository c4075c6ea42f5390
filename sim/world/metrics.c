/* What a finished run gave: counters summed over nodes, latency percentiles, shares by reason,
 * utilisation of every resource, the workload's own figures, time series, one row a node. */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/world/world_clients.h"
#include "sim/world/origin.h"
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_ROOM = 64, NAME_MAX = 64, ENTITIES_MAX = 64 };

/* All that was added fits: the room doubles. Out of memory ends the run, whose parent says so. */
void metrics_add(struct fb_run *run, const char *name, const char *unit, double value)
{
    FB_ASSERT(name != NULL && unit != NULL);
    uint32_t count = run->metric_count;
    if (count % METRICS_ROOM == 0) {
        run->metrics =
            fb_grow(run->metrics, count + METRICS_ROOM, sizeof(*run->metrics), "metrics", NULL);
    }
    run->metrics[run->metric_count++] =
        (struct fb_metric){.name = name, .unit = unit, .value = value};
}

const char *metrics_name(const char *format, ...)
{
    static struct name {
        struct name *next;
        char text[NAME_MAX];
    } * names;
    char text[NAME_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    FB_ASSERT(length > 0 && length < NAME_MAX);
    for (const struct name *name = names; name != NULL; name = name->next) {
        if (strcmp(name->text, text) == 0)
            return name->text;
    }
    struct name *made = fb_allocate(1, sizeof(*made), "names of metrics", NULL);
    made->next = names;
    memcpy(made->text, text, sizeof(text));
    names = made;
    return made->text;
}

double metrics_quantile(const double *sorted, uint32_t count, double share)
{
    uint32_t rank = (uint32_t)ceil(share * count);
    FB_ASSERT(count > 0);
    FB_ASSERT(share > 0 && share <= 1);
    FB_ASSERT(rank <= count);
    return sorted[rank > 0 ? rank - 1 : 0];
}

void metrics_read(struct world *world, uint64_t size_bytes, bool is_hit)
{
    uint64_t now_ns = world_now_ns(world);
    world->read_bytes += size_bytes;
    fb_series_add(&world->series, FB_SERIES_READ, now_ns, (double)size_bytes);
    if (is_hit)
        fb_series_add(&world->series, FB_SERIES_HIT, now_ns, (double)size_bytes);
}

void metrics_node(const struct world *world, uint32_t node, struct fb_stats *stats)
{
    FB_ASSERT(node < world->scenario->nodes);
    const struct host *host = &world->hosts[node];
    *stats = *fb_node_stats(host->core);
    if (host->earlier != NULL)
        fb_stats_add(stats, host->earlier);
}

struct totals {
    struct fb_stats stats;
    uint64_t latency_counts[FB_HISTOGRAM_BUCKETS]; /* wider than those of stats: of all nodes */
    uint64_t latencies;
};

static void totals_collect(const struct world *world, struct totals *totals)
{
    memset(totals, 0, sizeof(*totals));
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        struct fb_stats stats;
        metrics_node(world, i, &stats);
        fb_stats_add(&totals->stats, &stats);
        for (uint32_t b = 0; b < FB_HISTOGRAM_BUCKETS; b++) {
            totals->latency_counts[b] += stats.get_latency_ns.counts[b];
            totals->latencies += stats.get_latency_ns.counts[b];
        }
    }
}

/* The latency of rank ceil(share * reads); linear inside a bucket, at most the longest. */
static double latency_quantile_ns(const struct totals *totals, double share)
{
    FB_ASSERT(totals->latencies > 0);
    double rank = ceil(share * (double)totals->latencies), below = 0;
    double longest = (double)totals->stats.get_latency_ns.max_ns;
    for (uint32_t b = 0; b < FB_HISTOGRAM_BUCKETS; b++) {
        double count = (double)totals->latency_counts[b];
        if (count > 0 && below + count >= rank) {
            double start = (double)fb_histogram_bucket_start_ns(b);
            double end = (double)fb_histogram_bucket_start_ns(b + 1);
            if (end - start <= 1)
                return start; /* such a bucket holds one value */
            return fmin(start + (end - start) * (rank - below) / count, longest);
        }
        below += count;
    }
    return 0;
}

static void latency_points(const struct totals *totals, struct fb_run *run)
{
    run->latencies = fb_allocate(FB_HISTOGRAM_BUCKETS, sizeof(*run->latencies), "latencies", NULL);
    double below = 0;
    for (uint32_t b = 0; b < FB_HISTOGRAM_BUCKETS; b++) {
        if (totals->latency_counts[b] == 0)
            continue;
        below += (double)totals->latency_counts[b];
        run->latencies[run->latency_count++] =
            (struct fb_latency_point){.latency_ns = (double)fb_histogram_bucket_start_ns(b + 1),
                                      .share = below / (double)totals->latencies};
    }
}

static void add_latencies(const struct totals *totals, struct fb_run *run)
{
    if (totals->latencies == 0)
        return;
    metrics_add(run, "get_latency_p50_ns", "ns", latency_quantile_ns(totals, 0.50));
    metrics_add(run, "get_latency_p95_ns", "ns", latency_quantile_ns(totals, 0.95));
    metrics_add(run, "get_latency_p99_ns", "ns", latency_quantile_ns(totals, 0.99));
    metrics_add(run, "get_latency_p999_ns", "ns", latency_quantile_ns(totals, 0.999));
    metrics_add(run, "get_latency_max_ns", "ns", (double)totals->stats.get_latency_ns.max_ns);
    latency_points(totals, run);
}

static void add_reasons(const struct totals *totals, struct fb_run *run)
{
    static const char *const shares[FB_REASON_COUNT] = {
        [FB_REASON_MEMORY] = "reads_share_memory",
        [FB_REASON_COALESCED] = "reads_share_coalesced",
        [FB_REASON_DEVICE] = "reads_share_device",
        [FB_REASON_PEER] = "reads_share_peer",
        [FB_REASON_REFERRAL] = "reads_share_referral",
        [FB_REASON_ORIGIN_OWNER] = "reads_share_origin_owner",
        [FB_REASON_ORIGIN_PEER] = "reads_share_origin_peer",
        [FB_REASON_ORIGIN] = "reads_share_origin",
        [FB_REASON_ABSENT] = "reads_share_absent",
        [FB_REASON_REFUSED] = "reads_share_refused",
        [FB_REASON_LOST] = "reads_share_lost",
    };
    uint64_t replies = 0;
    for (uint32_t r = 0; r < FB_REASON_COUNT; r++)
        replies += totals->stats.replies[r];
    for (uint32_t r = 0; r < FB_REASON_COUNT && replies > 0; r++)
        metrics_add(run, shares[r], "1", (double)totals->stats.replies[r] / (double)replies);
}

static void add_counters(const struct totals *totals, struct fb_run *run)
{
#define ADD_METRIC(name, unit, help) metrics_add(run, #name, unit, (double)totals->stats.name);
    FB_COUNTERS(ADD_METRIC)
#undef ADD_METRIC
}

/* Shares are of the time until the last useful work, the drain of what was written included. */
static uint64_t busy_until_ns(const struct world *world)
{
    return world->end_ns > world->stored_ns ? world->end_ns : world->stored_ns;
}

/* An account's reads and writes have limits of their own, so each has its share; the origin is as
 * busy as the busier of the two. */
static void add_origin_utilisation(const struct world *world, struct fb_run *run)
{
    const struct fb_origin_model *origin = &world->scenario->origin;
    double account_s = (double)busy_until_ns(world) * 1e-9 * origin->accounts;
    double fetched = 0, stored = 0, reads = 0, writes = 0, throttled = 0;
    double read_max = 0, write_max = 0;
    for (uint32_t i = 0; i < origin->accounts; i++) {
        reads += (double)world->accounts[i].reads;
        writes += (double)world->accounts[i].writes;
        throttled += (double)world->accounts[i].throttled;
        read_max = fmax(read_max, (double)world->accounts[i].read_bytes_max);
        write_max = fmax(write_max, (double)world->accounts[i].write_bytes_max);
        fetched += (double)world->accounts[i].fetched_bytes;
        stored += (double)world->accounts[i].stored_bytes;
    }
    double client_ns = 0, nodes_ns = (double)busy_until_ns(world) * world->scenario->nodes;
    for (uint32_t i = 0; i < world->scenario->nodes; i++)
        client_ns += (double)fb_station_busy_ns(world->hosts[i].origin);
    double read = fetched / ((double)origin->read_bytes_per_s * account_s);
    double write = stored / ((double)origin->write_bytes_per_s * account_s);
    metrics_add(run, "utilisation_origin", "1", fmax(read, write));
    metrics_add(run, "utilisation_origin_read", "1", read);
    metrics_add(run, "utilisation_origin_write", "1", write);
    metrics_add(run, "utilisation_origin_client", "1", client_ns / nodes_ns);
    metrics_add(run, "origin_reads", "1", reads);
    metrics_add(run, "origin_writes", "1", writes);
    metrics_add(run, "origin_throttled", "1", throttled);
    metrics_add(run, "origin_read_bytes_max", "B", read_max);
    metrics_add(run, "origin_write_bytes_max", "B", write_max);
    metrics_add(run, "origin_requests_max", "1", world_origin_requests_max(world));
}

/* Of all threads. */
static double processor_ns(const struct world *world, const struct host *host)
{
    return (double)host->digest_ns +
           (double)fb_station_busy_ns(host->transport) * world_transport_threads(world) +
           (double)fb_station_busy_ns(host->origin) * world_origin_threads(world);
}

static void add_utilisation(const struct world *world, struct fb_run *run)
{
    const struct fb_scenario *scenario = world->scenario;
    double elapsed_ns = (double)busy_until_ns(world), nodes = scenario->nodes;
    double port = (double)scenario->hardware.nic.rate_bytes_per_s * scenario->transport.efficiency *
                  scenario->hardware.nic.count;
    double down = 0, up = 0, drive = 0, cpu = 0, cores = 0, memory = 0, digest = 0;
    double fetched = 0, front = (double)world_front_bytes_per_s(world);
    bool has_front = scenario->hardware.front_nic.count > 0;
    if (elapsed_ns <= 0)
        return;
    for (uint32_t i = 0; i < scenario->nodes; i++) {
        const struct host *host = &world->hosts[i];
        down += (double)(host->pulled_bytes + (has_front ? 0 : host->fetched_bytes));
        fetched += (double)host->fetched_bytes;
        up += (double)host->served_bytes;
        drive += (double)fb_station_busy_ns(host->drive);
        memory += (double)fb_station_busy_ns(host->memory);
        digest += (double)host->digest_ns / world_cores(world);
        cpu += (double)fb_station_busy_ns(host->transport);
        cores += processor_ns(world, host) / scenario->hardware.cpu_cores;
    }
    add_origin_utilisation(world, run);
    metrics_add(run, "utilisation_nic_down", "1", down / (port * nodes * elapsed_ns * 1e-9));
    metrics_add(run, "utilisation_nic_up", "1", up / (port * nodes * elapsed_ns * 1e-9));
    if (has_front)
        metrics_add(run, "utilisation_front_nic_down", "1",
                    fetched / (front * nodes * elapsed_ns * 1e-9));
    metrics_add(run, "utilisation_drive", "1", drive / (nodes * elapsed_ns));
    metrics_add(run, "utilisation_memory", "1", memory / (nodes * elapsed_ns));
    metrics_add(run, "utilisation_digest", "1", digest / (nodes * elapsed_ns));
    metrics_add(run, "utilisation_cpu", "1", cpu / (nodes * elapsed_ns));
    metrics_add(run, "utilisation_cores", "1", cores / (nodes * elapsed_ns));
}

static void add_entities(const struct world *world, struct fb_run *run)
{
    uint32_t nodes = world->scenario->nodes < ENTITIES_MAX ? world->scenario->nodes : ENTITIES_MAX;
    run->entities = fb_allocate((uint64_t)nodes * 5 + 2 * world->scenario->origin.accounts + 1,
                                sizeof(*run->entities), "rows of nodes", NULL);
    for (uint32_t i = 0; i < nodes; i++) {
        const struct host *host = &world->hosts[i];
        struct fb_stats stats;
        metrics_node(world, i, &stats);
        const struct fb_entity_row rows[5] = {
            {.name = "get_bytes", .value = (double)stats.get_bytes},
            {.name = "pulled_bytes", .value = (double)host->pulled_bytes},
            {.name = "served_bytes", .value = (double)host->served_bytes},
            {.name = "fetched_bytes", .value = (double)host->fetched_bytes},
            {.name = "cpu_busy_s", .value = processor_ns(world, host) * 1e-9},
        };
        for (uint32_t r = 0; r < 5; r++) {
            struct fb_entity_row *row = &run->entities[run->entity_count++];
            *row = rows[r];
            snprintf(row->entity, sizeof(row->entity), "node %u", i);
        }
    }
    if (nodes < world->scenario->nodes && run->entities != NULL) {
        struct fb_entity_row *row = &run->entities[run->entity_count++];
        snprintf(row->entity, sizeof(row->entity), "nodes from %u on", nodes);
        row->name = "left_out";
        row->value = world->scenario->nodes - nodes;
    }
    for (uint32_t i = 0; i < world->scenario->origin.accounts && run->entities != NULL; i++) {
        struct fb_entity_row *row = &run->entities[run->entity_count++];
        snprintf(row->entity, sizeof(row->entity), "origin %u", i);
        row->name = "fetched_bytes";
        row->value = (double)world->accounts[i].fetched_bytes;
        row = &run->entities[run->entity_count++];
        snprintf(row->entity, sizeof(row->entity), "origin %u", i);
        row->name = "throttled_requests";
        row->value = (double)world->accounts[i].throttled;
    }
}

void metrics_collect(struct world *world, struct fb_run *run)
{
    struct totals *totals = fb_allocate(1, sizeof(*totals), "figures", NULL);
    if (world->end_ns == 0 || run->is_partial)
        world->end_ns = world_now_ns(world);
    totals_collect(world, totals);
    FB_ASSERT(world->end_ns <= world_now_ns(world));
    run->events = fb_engine_events(world->engine);
    run->simulated_s = (double)world->end_ns * 1e-9;
    metrics_add(run, "simulated_s", "s", run->simulated_s);
    if (world->end_ns > 0)
        metrics_add(run, "throughput_bytes_per_s", "B/s",
                    (double)world->read_bytes / run->simulated_s);
    workload_metrics(world, run);
    metrics_add(run, "oracle_checks", "1", (double)world->oracle_checks);
    add_reasons(totals, run);
    add_latencies(totals, run);
    add_utilisation(world, run);
    add_counters(totals, run);
    add_entities(world, run);
    run->series = fb_series_rows(&world->series, world->end_ns, &run->series_count);
    free(totals);
}
