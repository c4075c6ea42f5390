/* The files of a calibration, in the form of models/. A value that was not measured is a definition
 * or a guess, and says so. */
#include "cli/bench/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

struct target {
    const char *folder, *command;
    FILE *file;
    struct fb_error *error;
};

static void target_open(struct target *target, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof(path), "%.900s/%s.yaml", target->folder, name);
    target->file = fopen(path, "we");
    if (target->file == NULL) {
        if (!fb_error_is_set(target->error))
            fb_error_set(target->error, "%s: %s: name a folder that can be written by --out", path,
                         strerror(errno));
        return;
    }
    fprintf(target->file, "# %s\n# Written by %s.\nschema_version: 1\nname: %s\n", text,
            target->command, name);
}

static void target_close(struct target *target)
{
    if (target->file == NULL)
        return;
    bool is_fine = ferror(target->file) == 0;
    is_fine = fclose(target->file) == 0 && is_fine;
    if (!is_fine && !fb_error_is_set(target->error))
        fb_error_set(target->error, "%s: cannot be written whole: is it full?", target->folder);
}

/* unit: "" or with its space. */
static void number(struct target *target, const char *key, uint64_t value, const char *unit)
{
    if (target->file != NULL)
        fprintf(target->file, "%s:\n  value: %" PRIu64 "%s\n", key, value, unit);
}

static void measured(struct target *target, const char *how)
{
    if (target->file != NULL)
        fprintf(target->file, "  source: \"measured: %s\"\n", how);
}

static void defined(struct target *target, const char *why)
{
    if (target->file != NULL)
        fprintf(target->file, "  source: \"definition of this file: %s\"\n", why);
}

static void component(struct target *target, const char *key, uint32_t count)
{
    if (target->file != NULL)
        fprintf(target->file,
                "%s:\n  component: %s.yaml\n  count:\n    value: %u\n    source: "
                "\"definition of this file: one was measured\"\n",
                key, key, count);
}

static void hardware_write(struct target *target, const struct fb_calibration *calibration)
{
    const struct fb_offload_rates *offload = &calibration->offload;
    uint64_t encode_rate = offload->encode_bytes_per_s > 0 ? offload->encode_bytes_per_s
                                                           : offload->digest_bytes_per_s / 2;
    struct sysinfo system;
    sysinfo(&system);
    target_open(target, "hardware", "This machine as a node of a cluster.");
    number(target, "accelerators", 0, "");
    defined(target, "none were looked for");
    number(target, "memory_size", (uint64_t)system.totalram * system.mem_unit, " B");
    measured(target, "sysinfo");
    number(target, "memory_rate", calibration->offload.copy_bytes_per_s, " B/s");
    measured(target, "memcpy of 4 MiB by one core, median of 65");
    number(target, "cpu_cores", (uint64_t)get_nprocs(), "");
    measured(target, "processors online; several daemons on one machine share them");
    number(target, "core_step", calibration->core_step_ns, " ns");
    measured(target, "median of the steps of a hit and a miss, as forebay bench step");
    number(target, "submit", calibration->network.message_cpu_ns, " ns");
    measured(target, "processor time for a message of 64 bytes over TCP; io_uring takes less");
    number(target, "digest_rate", calibration->offload.digest_bytes_per_s, " B/s");
    measured(target, "XXH3 of 4 MiB by one core, median of 65");
    number(target, "encode_rate", encode_rate, " B/s");
    if (offload->encode_bytes_per_s > 0)
        measured(target, "Reed-Solomon 4+2 of 4 MiB by one core, median of 65");
    else
        defined(target, "half of the digest's: this build has no ISA-L");
    number(target, "client_read_ahead", 4, "");
    defined(target, "a client's setting");
    number(target, "client_retry", 1000000, " ns");
    defined(target, "a client's setting");
    component(target, "nic", 1);
    component(target, "drive", 1);
    target_close(target);
}

static void nic_write(struct target *target, const struct fb_network_path *network)
{
    target_open(target, "nic", "TCP between two nodes.");
    number(target, "rate", network->bytes_per_s, " B/s");
    measured(target, "received in 1.7 s over eight TCP connections");
    number(target, "latency", network->round_trip_ns / 2, " ns");
    measured(target, "half of the median round trip of 64 bytes; switches included");
    number(target, "work_requests_per_s", network->messages_per_s, "");
    measured(target, "messages of 64 bytes answered, 16 in flight");
    target_close(target);
    target_open(target, "network", "What is between the nodes.");
    number(target, "hosts_per_leaf", 1, "");
    defined(target, "each node is a failure domain of its own, as members of a config are");
    number(target, "leaves_max", 4096, "");
    defined(target, "no limit was looked for");
    number(target, "oversubscription", 1, "");
    defined(target, "one pair of nodes was measured");
    number(target, "leaf_latency", 0, " ns");
    defined(target, "it is part of the nic's");
    number(target, "core_latency", 0, " ns");
    defined(target, "it is part of the nic's");
    number(target, "port_queue", network->queue_ns, " ns");
    measured(target, "median round trip of 64 bytes beside bulk that comes in over eight other "
                     "connections, less the round trip alone");
    target_close(target);
}

static void flag(struct target *target, const char *key, bool value, const char *why)
{
    if (target->file != NULL)
        fprintf(target->file, "%s:\n  value: %s\n", key, value ? "true" : "false");
    defined(target, why);
}

static void answers_note(struct target *target, const struct fb_answer_cost *cost)
{
    if (target->file == NULL)
        return;
    fprintf(target->file, "notes: \"processor time of an answer by size, receiver/sender:");
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS; i++)
        fprintf(target->file, " %" PRIu64 " B %" PRIu64 "/%" PRIu64 " ns",
                fb_calibrate_answer_bytes[i], cost->cpu_ns[0][i], cost->cpu_ns[1][i]);
    fprintf(target->file, "\"\nis_built: true\n");
}

/* The sum of a request's and an answer's cost is known, at each end: each is taken for a quarter of
 * both. */
static void transport_write(struct target *target, const struct fb_answer_cost *cost)
{
    static const char messages[] =
        "the line through answers of 64 B to 16 MiB over TCP, at size 0: a quarter of both ends'; "
        "by plain sockets: the daemon's loop is core_step and more";
    uint64_t message_ns = (cost->message_ns[0] + cost->message_ns[1]) / 4;
    target_open(target, "transport", "TCP between two processes, as the daemon uses it.");
    answers_note(target, cost);
    flag(target, "is_one_sided", false, "TCP");
    flag(target, "is_striped", false, "a pull is one connection's");
    number(target, "threads", 1, "");
    defined(target, "the daemon's loop");
    number(target, "send_message", message_ns, " ns");
    measured(target, messages);
    number(target, "receive_message", message_ns, " ns");
    measured(target, messages);
    number(target, "send_mebibyte", cost->mebibyte_ns[1], " ns");
    measured(target, "the slope of that line at the sender, sendfile from 64 KiB on");
    number(target, "receive_mebibyte", cost->mebibyte_ns[0], " ns");
    measured(target, "the slope of that line at the receiver");
    number(target, "send_copies", 0, "");
    defined(target, "sendfile");
    number(target, "receive_copies", 1, "");
    defined(target, "the kernel's copy");
    number(target, "efficiency", 1, "");
    defined(target, "the nic's rate is that of the stream's bytes");
    number(target, "latency", 0, " ns");
    defined(target, "it is part of the nic's");
    number(target, "header_size", 48, " B");
    defined(target, "the daemon's frame");
    number(target, "message_size_max", UINT64_C(1) << 30, " B");
    defined(target, "TCP has no messages");
    number(target, "piece_size", UINT64_C(1) << 20, " B");
    defined(target, "what one receive takes out of a socket, at most");
    number(target, "gone", UINT64_C(10000000000), " ns");
    defined(target, "the daemon's peer_timeout");
    target_close(target);
}

static void curve_note(struct target *target, const struct fb_drive_curve *curve)
{
    if (target->file == NULL)
        return;
    fprintf(target->file, "notes: \"%s; B/s by size of operation, %u in flight, read/write:",
            curve->is_direct ? "O_DIRECT" : "page cache, no O_DIRECT here", curve->depth);
    for (uint32_t i = 0; i < FB_CALIBRATE_SIZES; i++)
        fprintf(target->file, " %u KiB %" PRIu64 "/%" PRIu64, 4u << 2 * i, curve->bytes_per_s[0][i],
                curve->bytes_per_s[1][i]);
    fprintf(target->file, "\"\n");
}

static void drive_write(struct target *target, const struct fb_drive_curve *curve)
{
    enum { LARGEST = FB_CALIBRATE_SIZES - 1 };
    target_open(target, "drive", "A file on this machine through io_uring.");
    curve_note(target, curve);
    number(target, "size", curve->size_bytes, " B");
    defined(target, "the file that was measured");
    number(target, "read_rate", curve->bytes_per_s[0][LARGEST], " B/s");
    measured(target, "1 MiB reads, 32 in flight");
    number(target, "write_rate", curve->bytes_per_s[1][LARGEST], " B/s");
    measured(target, "1 MiB writes, 32 in flight");
    number(target, "read_operations_per_s", curve->bytes_per_s[0][0] / 4096 + 1, "");
    measured(target, "4 KiB reads, 32 in flight");
    number(target, "write_operations_per_s", curve->bytes_per_s[1][0] / 4096 + 1, "");
    measured(target, "4 KiB writes, 32 in flight");
    number(target, "read_latency", curve->latency_ns[0], " ns");
    measured(target, "4 KiB reads, one at a time, median");
    number(target, "write_latency", curve->latency_ns[1], " ns");
    measured(target, "4 KiB writes, one at a time, median");
    number(target, "queue_depth", curve->depth, "");
    defined(target, "as many were in flight");
    target_close(target);
}

/* What was not looked for is taken for none. */
static void limits_write(struct target *target)
{
    static const char *const none[] = {"object_requests_per_s", "prefix_reads_per_s",
                                       "prefix_writes_per_s", "commit_requests",
                                       "commit_block_requests"};
    for (uint32_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        number(target, none[i], 0, "");
        defined(target, "no limit was looked for");
    }
    number(target, "prefix_split", 1000000000, " ns");
    defined(target, "no limit was looked for");
    number(target, "rate_window", 1000000000, " ns");
    defined(target, "no limit was looked for");
    number(target, "store_part_min", 0, " B");
    defined(target, "a block is stored in one request");
}

static void origin_write(struct target *target, const struct fb_origin_path *origin)
{
    target_open(target, "origin", "The origin as two daemons of this machine saw it.");
    number(target, "accounts", 1, "");
    defined(target, "one server");
    number(target, "requests_per_s", origin->requests_per_s, "");
    measured(target, "32 reads of 4 KiB at once");
    number(target, "read_rate", origin->read_bytes_per_s, " B/s");
    measured(target, "16 blocks at once");
    number(target, "write_rate", origin->write_bytes_per_s, " B/s");
    measured(target, "a file of 24 blocks, until it is committed");
    number(target, "latency", origin->latency_ns, " ns");
    measured(target, "32 reads of 4 KiB one by one, median");
    if (target->file != NULL)
        fprintf(target->file, "latency_sigma:\n  value: %.3f\n", origin->latency_sigma);
    measured(target, "ln(p84 / p50) of the same");
    number(target, "stream_rate", origin->stream_bytes_per_s, " B/s");
    measured(target, "8 blocks one by one, median less the latency; origin.part_size is 0 B");
    number(target, "requests_max", 4096, "");
    defined(target, "no limit was looked for");
    limits_write(target);
    number(target, "client_threads", 1, "");
    defined(target, "the daemon's");
    number(target, "client_request", 0, " ns");
    defined(target, "it is part of the latency and of the rates");
    number(target, "client_read_mebibyte", 0, " ns");
    defined(target, "it is part of the rates");
    number(target, "client_write_mebibyte", 0, " ns");
    defined(target, "it is part of the rates");
    target_close(target);
}

void fb_calibration_write(const struct fb_calibration *calibration, const char *folder,
                          struct fb_error *error)
{
    enum { MODE = 0777 };
    struct target target = {.folder = folder, .command = calibration->command, .error = error};
    if (mkdir(folder, MODE) != 0 && errno != EEXIST) {
        fb_error_set(error, "--out %s: %s", folder, strerror(errno));
        return;
    }
    hardware_write(&target, calibration);
    nic_write(&target, &calibration->network);
    transport_write(&target, &calibration->network.answer);
    drive_write(&target, &calibration->drive);
    if (calibration->has_origin)
        origin_write(&target, &calibration->origin);
}
