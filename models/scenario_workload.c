/* The workload: training reads from a DLIO file with overrides, a KV trace, or a fan-out read. */
#include "models/scenario_internal.h"

#include "models/dlio.h"

#include <stdio.h>
#include <string.h>

static void training_override(struct fb_map *map, struct fb_training *training)
{
    static const uint64_t count_max = UINT64_C(1) << 40;
    training->files = fb_map_count_or(map, "files", training->files, 1, count_max);
    training->samples_per_file =
        fb_map_count_or(map, "samples_per_file", training->samples_per_file, 1, count_max);
    training->epochs = (uint32_t)fb_map_count_or(map, "epochs", training->epochs, 1, 1u << 20);
    training->batch_size =
        (uint32_t)fb_map_count_or(map, "batch_size", training->batch_size, 1, 1u << 20);
    training->read_threads =
        (uint32_t)fb_map_count_or(map, "read_threads", training->read_threads, 1, 1024);
    training->prefetch_batches =
        (uint32_t)fb_map_count_or(map, "prefetch_batches", training->prefetch_batches, 1, 65536);
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
    kv->speed = fb_map_number_or(map, "speed", 1, 1e-6, 1e9);
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

void fb_workload_load(struct fb_loader *loader, struct fb_map *root)
{
    static const char *const kinds[] = {
        [FB_WORKLOAD_TRAINING] = "training",
        [FB_WORKLOAD_KV] = "kv",
        [FB_WORKLOAD_FAN_OUT] = "fan-out",
    };
    struct fb_workload *workload = &loader->scenario->workload;
    struct fb_map map = fb_map_child(root, "workload", true);
    workload->kind = (enum fb_workload_kind)fb_map_choice(&map, "kind", kinds, 3, UINT32_MAX);
    switch (workload->kind) {
    case FB_WORKLOAD_TRAINING:
        training_load(loader, &map);
        break;
    case FB_WORKLOAD_KV:
        kv_load(loader, &map);
        break;
    case FB_WORKLOAD_FAN_OUT:
        fanout_load(loader, &map);
        break;
    }
    fb_map_close(&map);
}
