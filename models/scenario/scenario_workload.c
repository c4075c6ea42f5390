/* The workload: training reads from a DLIO file with overrides, a KV trace, a fan-out read,
 * checkpoints, a change of the cluster, or names that are overwritten. */
#include "models/scenario/scenario_internal.h"

#include "core/block.h"
#include "core/place/view.h"
#include "models/dlio.h"

#include <stdio.h>
#include <string.h>

static void training_override(struct fb_map *map, struct fb_training *training)
{
    static const uint64_t count_max = UINT64_C(1) << 40;
    training->files = fb_map_count_or(map, "files", training->files, 1, FB_TRAINING_FILES_MAX);
    training->samples_per_file =
        fb_map_count_or(map, "samples_per_file", training->samples_per_file, 1, count_max);
    training->epochs = (uint32_t)fb_map_count_or(map, "epochs", training->epochs, 1, 1u << 20);
    training->batch_size =
        (uint32_t)fb_map_count_or(map, "batch_size", training->batch_size, 1, 1u << 20);
    training->read_threads =
        (uint32_t)fb_map_count_or(map, "read_threads", training->read_threads, 1, 1024);
    training->prefetch_batches =
        (uint32_t)fb_map_count_or(map, "prefetch_batches", training->prefetch_batches, 1, 65536);
    training->is_gathered = fb_map_flag_or(map, "get_batch", false);
    training->hints = (uint32_t)fb_map_count_or(map, "hints", 0, 0, 65536);
}

/* DLIO drops incomplete batches: with fewer samples than one batch each, nobody would train. */
static void training_check(const struct fb_scenario *scenario, struct fb_map *map)
{
    const struct fb_training *training = &scenario->workload.training;
    unsigned __int128 samples = (unsigned __int128)training->files * training->samples_per_file;
    uint64_t ranks = (uint64_t)scenario->nodes * scenario->accelerators;
    uint64_t needed = ranks * training->batch_size;
    if (ranks == 0) {
        fb_map_fault(map, "kind", "training needs accelerators, and the hardware has none");
        return;
    }
    if (samples >= needed)
        return;
    uint64_t files = (needed + training->samples_per_file - 1) / training->samples_per_file;
    fb_map_fault(map, "files",
                 "%llu files are less than one batch of %u samples for each of %llu "
                 "accelerators: write at least %llu",
                 (unsigned long long)training->files, training->batch_size,
                 (unsigned long long)ranks, (unsigned long long)files);
}

static void training_load(struct fb_loader *loader, struct fb_map *map)
{
    struct fb_scenario *scenario = loader->scenario;
    char path[FB_PATH_MAX];
    fb_text_copy(map, "dlio", scenario->workload_file, sizeof(scenario->workload_file));
    fb_file_find(loader, map, "dlio", "workloads", path);
    if (fb_error_is_set(loader->error))
        return;
    fb_dlio_load(path, &scenario->workload.training, loader->error);
    training_override(map, &scenario->workload.training);
    training_check(scenario, map);
}

static void kv_load(struct fb_loader *loader, struct fb_map *map)
{
    struct fb_scenario *scenario = loader->scenario;
    struct fb_kv *kv = &scenario->workload.kv;
    fb_text_copy(map, "trace", scenario->workload_file, sizeof(scenario->workload_file));
    fb_file_find(loader, map, "trace", NULL, kv->trace);
    kv->block_tokens = (uint32_t)fb_map_count_or(map, "block_tokens", 512, 1, 1u << 20);
    kv->bytes_per_token = fb_map_bytes(map, "bytes_per_token", 1, UINT64_C(1) << 30);
    kv->layer_groups = (uint32_t)fb_map_count_or(map, "layer_groups", 1, 1, FB_KV_LAYER_GROUPS_MAX);
    kv->window = (uint32_t)fb_map_count_or(map, "window", 16, 1, FB_KV_WINDOW_MAX);
    kv->speed = fb_map_number_or(map, "speed", 1, 1e-6, 1e9);
    kv->prefill_tokens_per_s = fb_map_number_or(map, "prefill_tokens_per_s", 0, 0, 1e9);
    kv->copies = (uint32_t)fb_map_count_or(map, "copies", 1, 1, 1u << 16);
    kv->copy_shift_ns = fb_map_ns_or(map, "copy_shift", 0, 0, UINT64_C(86400000000000));
    if (strcmp(fb_map_text_or(map, "requests", "all"), "all") == 0)
        kv->requests_max = 0;
    else
        kv->requests_max = fb_map_count(map, "requests", 1, UINT64_C(1) << 40);
}

static void fanout_load(struct fb_loader *loader, struct fb_map *map)
{
    struct fb_fanout *fanout = &loader->scenario->workload.fanout;
    fanout->object_size_bytes = fb_map_bytes(map, "object_size", 1, UINT64_C(1) << 50);
    fanout->window = (uint32_t)fb_map_count_or(map, "window", 16, 1, 4096);
    fanout->stagger_ns = fb_map_ns_or(map, "stagger", 0, 0, UINT64_C(86400000000000));
}

static uint32_t level_read(struct fb_map *map)
{
    static const char *const levels[] = {[FB_LEVEL_MEMORY] = "memory",
                                         [FB_LEVEL_REPLICATED] = "replicated",
                                         [FB_LEVEL_DEVICE] = "nvme",
                                         [FB_LEVEL_ORIGIN] = "origin"};
    return fb_map_choice(map, "level", levels, sizeof(levels) / sizeof(levels[0]),
                         FB_LEVEL_REPLICATED);
}

/* Bytes of a job's state: 14 a parameter unless state_size is given.
 * Source: 2 bytes of bf16 weights and 12 of fp32 optimizer state (Adam's two moments, master copy);
 * DLIO's llama3 configs give the same. */
static void checkpoint_load(struct fb_loader *loader, struct fb_map *map)
{
    struct fb_checkpoint *checkpoint = &loader->scenario->workload.checkpoint;
    uint32_t nodes = loader->scenario->nodes;
    if (fb_map_has(map, "state_size"))
        checkpoint->state_size_bytes = fb_map_bytes(map, "state_size", 1, UINT64_C(1) << 55);
    else
        checkpoint->state_size_bytes =
            14 * fb_map_count(map, "parameters", 1, UINT64_C(1000000000000000));
    checkpoint->writers = (uint32_t)fb_map_count_or(map, "writers", nodes, 1, nodes);
    checkpoint->readers = (uint32_t)fb_map_count_or(map, "readers", 0, 0, nodes);
    checkpoint->level = level_read(map);
    checkpoint->restores_when_drained = fb_map_flag_or(map, "restore_when_drained", false);
    checkpoint->window = (uint32_t)fb_map_count_or(map, "window", 32, 1, 4096);
    checkpoint->restart_after_ns =
        fb_map_ns_or(map, "restart_after", 0, 0, UINT64_C(86400000000000));
    uint32_t kills_max = checkpoint->restart_after_ns > 0 ? nodes : nodes - 1;
    checkpoint->kill_when_durable =
        (uint32_t)fb_map_count_or(map, "kill_when_durable", 0, 0, kills_max);
    checkpoint->failures_per_1000_node_days =
        fb_map_number_or(map, "failures_per_1000_node_days", 6.5, 0.001, 1e6);
}

/* "16 to 17"; "1024 less a domain", "1024 less 24": these are down but still listed; "1024 without
 * 24": these are not. Which ones: see placement.c. */
static void change_read(struct fb_map *map, struct fb_placement_change *change)
{
    const char *text = fb_map_text(map, "change");
    uint32_t nodes = 0, count = 0;
    int end = 0;
    if (text == NULL)
        return;
    size_t length = strlen(text);
    change->domains_lost = 0;
    change->nodes_lost = 0;
    change->is_unlisted = false;
    if (sscanf(text, "%7u to %7u%n", &nodes, &count, &end) == 2 && (size_t)end == length) {
        change->nodes_after = count;
    } else if (sscanf(text, "%7u less %7u%n", &nodes, &count, &end) == 2 && (size_t)end == length) {
        change->nodes_after = nodes;
        change->nodes_lost = count;
    } else if (sscanf(text, "%7u without %7u%n", &nodes, &count, &end) == 2 &&
               (size_t)end == length) {
        change->nodes_after = nodes;
        change->nodes_lost = count;
        change->is_unlisted = true;
    } else if (sscanf(text, "%7u less a domain%n", &nodes, &end) == 1 && (size_t)end == length) {
        change->nodes_after = nodes;
        change->domains_lost = 1;
    }
    change->nodes_before = nodes;
    bool is_fine = nodes >= 1 && nodes <= 1000000 && change->nodes_after >= 1 &&
                   change->nodes_after <= 1000000 && change->nodes_lost < nodes &&
                   (change->domains_lost == 0 || nodes > change->hosts_per_domain);
    if (!is_fine)
        fb_map_fault(map, "change",
                     "\"%.64s\" is no change of a cluster: write e.g. 16 to 17, 1024 less 24, 1024 "
                     "without 24, or 1024 less a domain",
                     text);
}

static void placement_load(struct fb_loader *loader, struct fb_map *map)
{
    const char *names[FB_PLACEMENT_COUNT + 1];
    struct fb_placement_change *change = &loader->scenario->workload.placement;
    for (uint32_t i = 0; i < FB_PLACEMENT_COUNT; i++)
        names[i] = fb_placement_name((enum fb_placement)i);
    names[FB_PLACEMENT_COUNT] = "directory";
    change->placement =
        fb_map_choice(map, "placement", names, FB_PLACEMENT_COUNT + 1, FB_PLACEMENT_RENDEZVOUS);
    change->is_directory = change->placement == FB_PLACEMENT_COUNT;
    change->hosts_per_domain = (uint32_t)fb_map_count_or(
        map, "hosts_per_domain", loader->scenario->network.hosts_per_leaf, 1, 65536);
    change->data_size_bytes = fb_map_bytes(map, "data_size", 1, UINT64_C(1) << 60);
    change_read(map, change);
}

static void overwrite_load(struct fb_loader *loader, struct fb_map *map)
{
    struct fb_overwrite *overwrite = &loader->scenario->workload.overwrite;
    overwrite->object_size_bytes = fb_map_bytes(map, "object_size", 1, UINT64_C(1) << 40);
    overwrite->names = (uint32_t)fb_map_count_or(map, "names", 16, 1, 4096);
    overwrite->rounds = (uint32_t)fb_map_count_or(map, "rounds", 16, 1, 4096);
    overwrite->level = level_read(map);
    overwrite->window = (uint32_t)fb_map_count_or(map, "window", 16, 1, 4096);
    if (loader->scenario->metadata.operations_per_s == 0)
        fb_map_fault(map, "kind",
                     "overwrite needs a metadata store: set cluster.metadata, e.g. to etcd");
}

static void kind_load(struct fb_loader *loader, struct fb_map *map, enum fb_workload_kind kind)
{
    loader->scenario->workload.kinds |= 1u << kind;
    switch (kind) {
    case FB_WORKLOAD_TRAINING:
        training_load(loader, map);
        break;
    case FB_WORKLOAD_KV:
        kv_load(loader, map);
        break;
    case FB_WORKLOAD_FAN_OUT:
        fanout_load(loader, map);
        break;
    case FB_WORKLOAD_CHECKPOINT:
        checkpoint_load(loader, map);
        break;
    case FB_WORKLOAD_PLACEMENT:
        placement_load(loader, map);
        break;
    case FB_WORKLOAD_OVERWRITE:
        overwrite_load(loader, map);
        break;
    case FB_WORKLOAD_KINDS:
        break;
    }
}

/* One kind with its settings, or `kind: mixed` with a map of settings for each of several. */
void fb_workload_load(struct fb_loader *loader, struct fb_map *root)
{
    static const char *const kinds[] = {
        [FB_WORKLOAD_TRAINING] = "training",   [FB_WORKLOAD_KV] = "kv",
        [FB_WORKLOAD_FAN_OUT] = "fan-out",     [FB_WORKLOAD_CHECKPOINT] = "checkpoint",
        [FB_WORKLOAD_PLACEMENT] = "placement", [FB_WORKLOAD_OVERWRITE] = "overwrite",
        [FB_WORKLOAD_KINDS] = "mixed",
    };
    struct fb_map map = fb_map_child(root, "workload", true);
    uint32_t kind = fb_map_choice(&map, "kind", kinds, FB_WORKLOAD_KINDS + 1, UINT32_MAX);
    if (kind < FB_WORKLOAD_KINDS)
        kind_load(loader, &map, (enum fb_workload_kind)kind);
    for (uint32_t i = 0; kind == FB_WORKLOAD_KINDS && i < FB_WORKLOAD_KINDS; i++) {
        if (!fb_map_has(&map, kinds[i]) || fb_error_is_set(loader->error))
            continue;
        struct fb_map child = fb_map_child(&map, kinds[i], true);
        kind_load(loader, &child, (enum fb_workload_kind)i);
        fb_map_close(&child);
    }
    if (loader->scenario->workload.kinds == 0)
        fb_map_fault(&map, "kind", "mixed needs at least one of training, kv, fan-out, checkpoint");
    fb_map_close(&map);
}
