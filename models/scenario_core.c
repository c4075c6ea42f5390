/* The cache's settings: the keys are the names of the core's own config table without their unit
 * suffix, since values carry units. Shorthands in blocks: memory_blocks and device_blocks. */
#include "models/scenario_internal.h"

#include "core/panic.h"
#include "models/units.h"

#include <string.h>

enum { FIELDS_MAX = 96 };

void fb_core_key(const char *field, char key[FB_NAME_MAX])
{
    static const char *const suffixes[] = {"_bytes", "_ns", "_bytes_per_s"};
    size_t length = strlen(field);
    FB_ASSERT(length < FB_NAME_MAX);
    memcpy(key, field, length + 1);
    for (uint32_t i = 0; i < 3; i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && strcmp(field + length - suffix, suffixes[i]) == 0)
            key[length - suffix] = '\0';
    }
}

static uint64_t *field_of(struct fb_config *config, const struct fb_config_entry *entry)
{
    return (uint64_t *)(void *)((unsigned char *)config + entry->offset);
}

static uint64_t policy_read(struct fb_map *map, const char *key, uint64_t fallback)
{
    const char *names[FB_POLICY_COUNT];
    for (uint32_t i = 0; i < FB_POLICY_COUNT; i++)
        names[i] = fb_policy_name((enum fb_policy)i);
    return fb_map_choice(map, key, names, FB_POLICY_COUNT, (uint32_t)fallback);
}

static uint64_t placement_read(struct fb_map *map, const char *key, uint64_t fallback)
{
    const char *names[FB_PLACEMENT_COUNT];
    for (uint32_t i = 0; i < FB_PLACEMENT_COUNT; i++)
        names[i] = fb_placement_name((enum fb_placement)i);
    return fb_map_choice(map, key, names, FB_PLACEMENT_COUNT, (uint32_t)fallback);
}

static uint64_t field_read(struct fb_map *map, const char *key, const struct fb_config_entry *entry,
                           uint64_t fallback)
{
    switch (entry->unit) {
    case FB_UNIT_COUNT:
        return fb_map_count_or(map, key, fallback, entry->min, entry->max);
    case FB_UNIT_BYTES:
        return fb_map_bytes_or(map, key, fallback, entry->min, entry->max);
    case FB_UNIT_NS:
        return fb_map_ns_or(map, key, fallback, entry->min, entry->max);
    case FB_UNIT_RATE:
        return fb_map_rate_or(map, key, fallback, entry->min, entry->max);
    case FB_UNIT_FLAG:
        return fb_map_flag_or(map, key, fallback != 0);
    case FB_UNIT_POLICY:
        return policy_read(map, key, fallback);
    case FB_UNIT_PLACEMENT:
        return placement_read(map, key, fallback);
    }
    return fallback;
}

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
    const char *fault = fb_config_fault(&scenario->core);
    if (fault != NULL) {
        char key[FB_NAME_MAX];
        fb_core_key(fault, key);
        fb_map_fault(map, NULL, "core.%s: contradicts the other settings of core", key);
    }
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

static void config_read(struct fb_loader *loader, struct fb_map *map,
                        char keys[FIELDS_MAX][FB_NAME_MAX])
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
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    FB_ASSERT(count <= FIELDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *field = field_of(core, &table[i]);
        fb_core_key(table[i].name, keys[i]);
        *field = field_read(map, keys[i], &table[i], *field);
    }
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
    char keys[FIELDS_MAX][FB_NAME_MAX];
    struct fb_map map = fb_map_child(root, "core", false);
    config_read(loader, &map, keys);
    fb_map_close(&map);
    if (!fb_error_is_set(loader->error))
        config_check(loader->scenario, &map);
}
