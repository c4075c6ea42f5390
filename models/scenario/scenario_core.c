/* The cache's settings of an experiment (core_fields.c), and what hardware and workload ask of
 * them. Shorthands in blocks: memory_blocks and device_blocks. */
#include "models/scenario/scenario_internal.h"

#include "base/units.h"
#include "core/block.h"

#include <stddef.h>

/* memory_blocks: N stands for memory_size: N * block_size and memory_entries_max: N. */
static void blocks_read(struct fb_map *map, const char *const keys[3], uint64_t block_bytes,
                        uint64_t *size_bytes, uint64_t *entries_max)
{
    if (!fb_map_has(map, keys[0]))
        return;
    for (uint32_t i = 1; i < 3; i++)
        if (fb_map_has(map, keys[i]))
            fb_map_fault(map, keys[0], "contradicts %s: keep one of them", keys[i]);
    uint64_t blocks = fb_map_count(map, keys[0], 1, 1u << 26);
    *size_bytes = blocks * block_bytes;
    *entries_max = blocks;
}

/* What the user wrote when he set a size: the size, or the number of blocks. */
static const char *size_key(struct fb_map *map, const char *size, const char *blocks)
{
    return fb_map_has(map, blocks) ? blocks : size;
}

static void memory_check(const struct fb_scenario *scenario, struct fb_map *map)
{
    const struct fb_config *core = &scenario->core;
    char have[32], want[32];
    const char *key = size_key(map, "memory_size", "memory_blocks");
    if (core->memory_size_bytes < core->block_size_bytes)
        fb_map_fault(map, key, "%s is less than one block of %s: raise it, or lower block_size",
                     fb_format_bytes(want, (double)core->memory_size_bytes),
                     fb_format_bytes(have, (double)core->block_size_bytes));
    if (core->memory_size_bytes > scenario->hardware.memory_size_bytes)
        fb_map_fault(map, key,
                     "%s is more than the %s of memory of %s: lower it, or set "
                     "override.hardware.memory_size",
                     fb_format_bytes(want, (double)core->memory_size_bytes),
                     fb_format_bytes(have, (double)scenario->hardware.memory_size_bytes),
                     scenario->hardware.name);
}

static void device_check(const struct fb_scenario *scenario, struct fb_map *map)
{
    const struct fb_config *core = &scenario->core;
    const struct fb_drive *drive = &scenario->hardware.drive;
    char have[32], want[32];
    const char *key = size_key(map, "device_size", "device_blocks");
    uint64_t bytes = core->device_size_bytes;
    if (bytes > 0 && bytes < core->block_size_bytes)
        fb_map_fault(map, key,
                     "%s is less than one block of %s: raise it, or write 0 B for no "
                     "device tier",
                     fb_format_bytes(want, (double)bytes),
                     fb_format_bytes(have, (double)core->block_size_bytes));
    if ((unsigned __int128)drive->count * drive->size_bytes < bytes)
        fb_map_fault(map, key,
                     "%s is more than the %u drives of %s in %s hold: lower it, or set "
                     "override.hardware.drive.count",
                     fb_format_bytes(want, (double)bytes), drive->count,
                     fb_format_bytes(have, (double)drive->size_bytes), scenario->hardware.name);
}

static void config_check(const struct fb_scenario *scenario, struct fb_map *map)
{
    memory_check(scenario, map);
    device_check(scenario, map);
    if (fb_error_is_set(map->error))
        return;
    fb_core_check(&scenario->core, map);
}

/* Levels that no node can hold. */
static void level_check(const struct fb_scenario *scenario, struct fb_map *root)
{
    const struct fb_workload *workload = &scenario->workload;
    bool wants_drives = false;
    if (workload->kinds >> FB_WORKLOAD_CHECKPOINT & 1u)
        wants_drives = workload->checkpoint.level == FB_LEVEL_DEVICE;
    if (workload->kinds >> FB_WORKLOAD_OVERWRITE & 1u)
        wants_drives = wants_drives || workload->overwrite.level == FB_LEVEL_DEVICE;
    if (wants_drives && scenario->core.device_size_bytes == 0)
        fb_map_fault(root, "workload",
                     "level nvme wants drives, and no node has any: set core.device_size");
}

/* A KV block, or its piece of a group of layers, must fit one block of the cache, and is its
 * default size. */
static uint64_t block_size_default(struct fb_loader *loader, struct fb_map *map)
{
    const struct fb_scenario *scenario = loader->scenario;
    if (scenario->workload.kinds != 1u << FB_WORKLOAD_KV)
        return scenario->core.block_size_bytes;
    const struct fb_kv *kv = &scenario->workload.kv;
    uint64_t bytes =
        (kv->block_tokens * kv->bytes_per_token + kv->layer_groups - 1) / kv->layer_groups;
    char text[32];
    if (bytes > UINT64_C(1) << 30)
        fb_map_fault(map, NULL,
                     "a KV block of %s is more than a block can be, 1.00 GiB: lower "
                     "workload.block_tokens",
                     fb_format_bytes(text, (double)bytes));
    return bytes < 512 ? 512 : bytes;
}

/* Members of the cluster; 0: the workload says how many there are, and changes it. */
static uint32_t member_count(const struct fb_scenario *scenario)
{
    bool is_placement = scenario->workload.kinds >> FB_WORKLOAD_PLACEMENT & 1u;
    return is_placement ? 0 : scenario->nodes;
}

static void config_read(struct fb_loader *loader, struct fb_map *map,
                        char keys[FB_CORE_FIELDS_MAX][FB_NAME_MAX])
{
    static const char *const presets[] = {"default", "scale"};
    static const char *const memory[] = {"memory_blocks", "memory_size", "memory_entries_max"};
    static const char *const device[] = {"device_blocks", "device_size", "device_entries_max"};
    struct fb_config *core = &loader->scenario->core;
    if (fb_map_choice(map, "preset", presets, 2, 0) == 1)
        fb_config_init_scale(core);
    else
        fb_config_init(core);
    uint64_t kv_block_bytes = block_size_default(loader, map);
    core->block_size_bytes = kv_block_bytes;
    fb_core_fields_load(map, core, member_count(loader->scenario), keys);
    blocks_read(map, memory, core->block_size_bytes, &core->memory_size_bytes,
                &core->memory_entries_max);
    blocks_read(map, device, core->block_size_bytes, &core->device_size_bytes,
                &core->device_entries_max);
    if ((loader->scenario->workload.kinds >> FB_WORKLOAD_KV & 1u) &&
        core->block_size_bytes < kv_block_bytes)
        fb_map_fault(map, "block_size",
                     "is less than a KV block of %llu B (block_tokens * "
                     "bytes_per_token): leave it out",
                     (unsigned long long)kv_block_bytes);
}

void fb_core_load(struct fb_loader *loader, struct fb_map *root)
{
    /* The map keeps pointers to the keys until it is closed. */
    char keys[FB_CORE_FIELDS_MAX][FB_NAME_MAX];
    struct fb_map map = fb_map_child(root, "core", false);
    config_read(loader, &map, keys);
    fb_map_close(&map);
    if (!fb_error_is_set(loader->error))
        config_check(loader->scenario, &map);
    if (!fb_error_is_set(loader->error))
        level_check(loader->scenario, root);
}
