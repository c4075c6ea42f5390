/* See metric_names.h. */
#include "results/metric_names.h"

#include "base/memory.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fb_metric_headlines[] = {"epoch_1_au",
                                           "epoch_2_au",
                                           "epoch_1_s",
                                           "epoch_2_s",
                                           "epoch_1_mib_per_s_per_accelerator",
                                           "epoch_2_mib_per_s_per_accelerator",
                                           "fan_out_p50_s",
                                           "fan_out_p99_s",
                                           "fan_out_max_over_bound",
                                           "origin_over_object",
                                           "checkpoint_stall_s",
                                           "checkpoint_drained_s",
                                           "checkpoint_lost_bytes",
                                           "restore_s",
                                           "restore_nic_utilisation",
                                           "goodput_ratio",
                                           "goodput_drawn_ratio",
                                           "placement_moved_over_minimum",
                                           "placement_moved_over_fair",
                                           "placement_imbalance",
                                           "placement_imbalance_first",
                                           "placement_metadata_lookups_per_s",
                                           "placement_build_steps",
                                           "overwrite_commits",
                                           "overwrite_conflicts",
                                           "overwrite_commit_mean_s",
                                           "overwrite_read_mean_s",
                                           "prefix_hit_ratio",
                                           "ttft_saved_mean_ns",
                                           "kv_exposed_mean_ns",
                                           "request_latency_mean_ns",
                                           "throughput_bytes_per_s",
                                           "get_latency_p50_ns",
                                           "get_latency_p99_ns",
                                           "origin_fetch_bytes",
                                           "oracle_checks",
                                           NULL};

static const struct {
    const char *name, *label;
} labels[] = {
    {"accelerator_utilisation", "Accelerator utilisation (AU, by DLIO's code), mean of epochs"},
    {"epoch_1_au", "AU by DLIO's code, epoch 1 (cold)"},
    {"epoch_2_au", "AU by DLIO's code, epoch 2 (warm)"},
    {"epoch_1_s", "Duration, epoch 1 (cold)"},
    {"epoch_2_s", "Duration, epoch 2 (warm)"},
    {"epoch_1_mib_per_s_per_accelerator", "Throughput per accelerator, epoch 1"},
    {"epoch_2_mib_per_s_per_accelerator", "Throughput per accelerator, epoch 2"},
    {"mib_per_s_per_accelerator", "Throughput per accelerator"},
    {"demand_mib_per_s_per_accelerator", "Demand per accelerator at AU 100%"},
    {"throughput_bytes_per_s", "Read throughput, whole cluster"},
    {"get_latency_p50_ns", "Read latency, median"},
    {"get_latency_p95_ns", "Read latency, 95th percentile"},
    {"get_latency_p99_ns", "Read latency, 99th percentile"},
    {"get_latency_p999_ns", "Read latency, 99.9th percentile"},
    {"request_latency_mean_ns", "KV: request's latency from its arrival, mean"},
    {"request_wait_mean_ns", "KV: of it, waiting for the node's earlier requests, mean"},
    {"request_wait_max_ns", "KV: longest wait for the node's earlier requests"},
    {"requests_busy_share", "KV: share of the time that a node has a request"},
    {"fan_out_p50_s", "Fan-out: healthy readers' time, median"},
    {"fan_out_p99_s", "Fan-out: healthy readers' time, 99th percentile"},
    {"fan_out_max_s", "Fan-out: slowest healthy reader's time"},
    {"fan_out_read_max_s", "Fan-out: longest wait for a block, since asked or since a node died"},
    {"fan_out_bound_s", "Fan-out: object / NIC + log2(nodes) block times"},
    {"fan_out_max_over_bound", "Fan-out: slowest over its bound"},
    {"fan_out_unfinished", "Fan-out: readers that never ended"},
    {"origin_over_object", "Read from the origin over the object's size"},
    {"checkpoint_stall_s", "Checkpoint: stall, until durable at its level"},
    {"checkpoint_drained_s", "Checkpoint: until at the origin"},
    {"checkpoint_lost_bytes", "Checkpoint: acked bytes lost"},
    {"metadata_operations", "Operations on the metadata store"},
    {"oracle_checks", "Reads and stores the oracle checked"},
    {"checkpoint_interval_s", "Checkpoint: Young/Daly interval"},
    {"checkpoint_mttf_s", "Mean time to a failure of the job"},
    {"restore_s", "Restore"},
    {"restore_nic_utilisation", "Restore: use of readers' ports"},
    {"goodput_ratio", "Goodput at the Young/Daly interval, by formula"},
    {"goodput_drawn_ratio", "Goodput, failures drawn over 54 days"},
    {"overwrite_commits", "Overwrites: versions that were committed"},
    {"overwrite_conflicts", "Overwrites: commits refused, since another was first"},
    {"overwrite_reads", "Overwrites: objects that were looked up and read"},
    {"overwrite_absent_blocks", "Overwrites: blocks of a committed version that nobody had"},
    {"overwrite_unfinished", "Overwrites: live clients that did not end"},
    {"overwrite_commit_mean_s", "Overwrites: from look-up to acked commit, mean"},
    {"overwrite_commit_max_s", "Overwrites: from look-up to acked commit, longest"},
    {"overwrite_read_mean_s", "Overwrites: from look-up to the last block, mean"},
    {"placement_moved_over_minimum", "Placement: moved over the minimum for these loads"},
    {"placement_moved_over_fair", "Placement: moved over the minimum for equal loads"},
    {"placement_imbalance", "Placement: copies, fullest node over mean"},
    {"placement_imbalance_first", "Placement: first copies, fullest node over mean"},
    {"placement_metadata_lookups_per_s", "Placement: lookups at the metadata store"},
    {"placement_build_steps", "Placement: hashes and probes of a table's build"},
    {"prefix_hit_ratio", "Prefix hit ratio"},
    {"ttft_saved_mean_ns", "Time to first token saved, mean of all requests"},
    {"ttft_saved_memory_ns", "of it by blocks in this node's memory"},
    {"ttft_saved_device_ns", "of it by blocks on this node's drives"},
    {"ttft_saved_peer_ns", "of it by blocks of peers"},
    {"kv_exposed_mean_ns", "Pull of matched blocks that prefill waits for, mean of all requests"},
    {"kv_break_even_bytes_per_s", "Rate at which a hit takes as long as a prefill"},
    {"kv_get_bytes_per_s", "Rate at which matched blocks came"},
    {"origin_fetch_bytes", "Read from the origin"},
    {"pull_bytes", "Pulled from peers"},
    {"device_read_bytes", "Read from drives"},
    {"get_bytes", "Given to clients"},
    {"reads_share_memory", "this node's memory"},
    {"reads_share_coalesced", "joined another read"},
    {"reads_share_device", "this node's drive"},
    {"reads_share_peer", "owner's memory"},
    {"reads_share_referral", "another reader (referral)"},
    {"reads_share_origin_owner", "origin, as owner"},
    {"reads_share_origin_peer", "origin, through the owner"},
    {"reads_share_origin", "origin, past the owner"},
    {"reads_share_absent", "absent"},
    {"reads_share_refused", "refused (busy)"},
    {"utilisation_origin", "origin bandwidth"},
    {"utilisation_origin_client", "threads that speak to it"},
    {"utilisation_nic_down", "NIC, receive"},
    {"utilisation_nic_up", "NIC, send"},
    {"utilisation_front_nic_down", "NIC to the origin, receive"},
    {"utilisation_drive", "drives"},
    {"utilisation_memory", "memory copies"},
    {"utilisation_digest", "digest cores"},
    {"utilisation_cpu", "cache and transport threads"},
    {"utilisation_cores", "all of the cache's cores"},
};

const char *fb_metric_label(const char *name, char *buffer, size_t size)
{
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (strcmp(labels[i].name, name) == 0)
            return labels[i].label;
    }
    snprintf(buffer, size, "%s", name);
    for (char *at = buffer; *at != 0; at++) {
        if (*at == '_')
            *at = ' ';
    }
    return buffer;
}

bool fb_metric_is_share(const char *name, const char *unit)
{
    size_t length = strlen(name);
    bool is_au = length > 3 && strcmp(name + length - 3, "_au") == 0;
    return strcmp(unit, "1") == 0 &&
           (is_au || strstr(name, "share") != NULL || strstr(name, "ratio") != NULL ||
            strstr(name, "utilisation") != NULL);
}

static void format_count(double value, char *text)
{
    char digits[40];
    snprintf(digits, sizeof(digits), "%.0f", fabs(value));
    size_t length = strlen(digits), at = 0;
    if (value < 0)
        text[at++] = '-';
    for (size_t i = 0; i < length && at < 44; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

const char *fb_metric_format(const char *name, const char *unit, double value, char *text)
{
    if (fb_metric_is_share(name, unit))
        snprintf(text, 48, "%.2f%%", value * 100);
    else if (strcmp(unit, "B/s") == 0)
        fb_format_rate(text, value);
    else if (strcmp(unit, "B") == 0)
        fb_format_bytes(text, value);
    else if (strcmp(unit, "ns") == 0)
        fb_format_ns(text, value);
    else if (strcmp(unit, "1") == 0)
        format_count(value, text);
    else
        snprintf(text, 48, "%.4g %s", value, unit);
    return text;
}

double fb_metric_axis(const char *name, const char *unit, double largest, const char **axis_unit)
{
    static const struct {
        double step;
        const char *rate, *size;
    } steps[] = {{1e12, "TB/s", "TB"}, {1e9, "GB/s", "GB"}, {1e6, "MB/s", "MB"}};
    bool is_rate = strcmp(unit, "B/s") == 0;
    if (fb_metric_is_share(name, unit)) {
        *axis_unit = "%";
        return 100;
    }
    if (strcmp(unit, "ns") == 0) {
        *axis_unit = "ms";
        return 1e-6;
    }
    for (size_t i = 0; (is_rate || strcmp(unit, "B") == 0) && i < 3; i++) {
        if (i < 2 && largest < steps[i].step)
            continue;
        *axis_unit = is_rate ? steps[i].rate : steps[i].size;
        return 1 / steps[i].step;
    }
    *axis_unit = strcmp(unit, "1") == 0 ? "" : unit;
    return 1;
}

uint32_t fb_point_values(const struct fb_point *point, const char *name, double *values,
                         const char **unit)
{
    uint32_t count = 0;
    *unit = "";
    for (uint32_t r = 0; r < point->run_count; r++) {
        const struct fb_run *run = &point->runs[r];
        for (uint32_t m = 0; m < run->metric_count; m++) {
            if (strcmp(run->metrics[m].name, name) != 0)
                continue;
            values[count++] = run->metrics[m].value;
            *unit = run->metrics[m].unit;
            break;
        }
    }
    return count;
}

struct fb_estimate fb_point_estimate(const struct fb_point *point, const char *name,
                                     const char **unit)
{
    double *values = fb_allocate(point->run_count, sizeof(*values), "figures", NULL);
    struct fb_estimate estimate =
        fb_estimate_of(values, fb_point_values(point, name, values, unit));
    free(values);
    return estimate;
}
