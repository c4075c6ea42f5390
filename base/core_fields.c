/* The core's settings as files write them: the keys are the names of the core's own config table
 * without their unit suffix, since values carry units. Experiments and the daemon share them.
 *
 * What depends on the cluster: `replicas` is 2 unless it is written, or as many as there are
 * members; `write_quorum` is 2 unless it is written, or as many copies as there can be; `all` is
 * all of them. What is written is never lowered: more than can be is an error. */
#include "base/core_fields.h"

#include "base/units.h"
#include "core/index/cache.h"
#include "core/panic.h"
#include "core/place/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BOUND_TEXT_MAX = 256 };

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
    static const char *const consents[] = {"refuse", "allow"};
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
    case FB_UNIT_CONSENT:
        return fb_map_choice(map, key, consents, 2, (uint32_t)fallback);
    }
    return fallback;
}

/* Copies of a block that its writer may wait for. */
static uint64_t copies_max(const struct fb_config *core)
{
    if (core->place_local)
        return 1;
    return core->erasure_data > 0 ? core->erasure_parity + 1 : core->replicas;
}

/* A code's fragments on fewer nodes than there are of them: a death takes several. */
static bool is_code_vain(const struct fb_config *core, uint32_t members)
{
    uint64_t count = core->erasure_data + core->erasure_parity;
    return core->erasure_data > 0 && members > 0 &&
           (core->write_quorum - 1) * ((count + members - 1) / members) > core->erasure_parity;
}

static void copies_load(struct fb_map *map, struct fb_config *core, uint32_t members)
{
    bool is_known = members > 0, has_replicas = fb_map_has(map, "replicas");
    if (is_known && !has_replicas && core->replicas > members)
        core->replicas = members;
    if (is_known && core->replicas > members)
        fb_map_fault(map, "replicas",
                     "%u owners of a block are more than the %u members of the cluster: lower it, "
                     "or add members",
                     (uint32_t)core->replicas, members);
    uint64_t most = copies_max(core);
    bool is_all = strcmp(fb_map_text_or(map, "write_quorum", ""), "all") == 0;
    bool is_lowered = !fb_map_has(map, "write_quorum") && core->write_quorum > most;
    if (is_all || is_lowered)
        core->write_quorum = most;
    const char *remedy = core->erasure_data > 0 ? "raise erasure_parity" : "raise replicas";
    if (core->write_quorum > most)
        fb_map_fault(map, "write_quorum",
                     "%u copies are waited for, and there are never more than %u: lower it, or %s",
                     (uint32_t)core->write_quorum, (uint32_t)most,
                     core->place_local ? "leave out place_local" : remedy);
    if (!fb_error_is_set(map->error) && is_code_vain(core, members))
        fb_map_fault(map, "erasure_data",
                     "%u fragments on %u members do not outlast %u deaths: add members, or lower "
                     "write_quorum",
                     (uint32_t)(core->erasure_data + core->erasure_parity), members,
                     (uint32_t)core->write_quorum - 1);
}

void fb_core_fields_load(struct fb_map *map, struct fb_config *core, uint32_t members,
                         char keys[FB_CORE_FIELDS_MAX][FB_NAME_MAX])
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    FB_ASSERT(count <= FB_CORE_FIELDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t *field = field_of(core, &table[i]);
        fb_core_key(table[i].name, keys[i]);
        bool is_all =
            field == &core->write_quorum && strcmp(fb_map_text_or(map, keys[i], ""), "all") == 0;
        if (!is_all)
            *field = field_read(map, keys[i], &table[i], *field);
    }
    if (!fb_error_is_set(map->error))
        copies_load(map, core, members);
}

/* What a field that contradicts others must be; false: no sentence is known. */
static bool bound_text(const struct fb_config *core, const char *field, char text[BOUND_TEXT_MAX])
{
    char block[32], least[32];
    uint64_t pieces = 2 * (core->erasure_data + core->erasure_parity) + 2;
    bool is_code = core->erasure_data > 0 && !core->place_local && core->use_peers;
    uint64_t blocks = is_code && strcmp(field, "memory_size_bytes") == 0 ? 4 : 1;
    fb_format_bytes(block, (double)core->block_size_bytes);
    fb_format_bytes(least, (double)(blocks * core->block_size_bytes));
    if (strcmp(field, "memory_size_bytes") == 0 || strcmp(field, "device_size_bytes") == 0)
        snprintf(text, BOUND_TEXT_MAX,
                 "is at least %s with core.block_size of %s%s, and at most %u such blocks", least,
                 block, blocks > 1 ? " and an erasure code" : "",
                 UINT32_MAX / FB_UNITS_PER_CHUNK - 1);
    else if (strcmp(field, "memory_entries_max") == 0)
        snprintf(text, BOUND_TEXT_MAX, "is at least %" PRIu64 " with these fragments", pieces);
    else if (strcmp(field, "erasure_parity") == 0)
        snprintf(text, BOUND_TEXT_MAX,
                 "is at least write_quorum - 1, which is %" PRIu64
                 ", with erasure_data at most %d, and its fragments at most a block",
                 core->write_quorum - 1, FB_FRAGMENTS_MAX);
    else if (strcmp(field, "erasure_data") == 0)
        snprintf(text, BOUND_TEXT_MAX, "is 0 with place_local, or without use_peers");
    else if (strcmp(field, "dirty_max") == 0)
        snprintf(text, BOUND_TEXT_MAX, "is at least 2 with an erasure code");
    else
        return false;
    return true;
}

void fb_core_check(const struct fb_config *core, struct fb_map *map)
{
    const char *fault = fb_config_fault(core);
    char key[FB_NAME_MAX], text[BOUND_TEXT_MAX];
    if (fault == NULL)
        return;
    fb_core_key(fault, key);
    if (bound_text(core, fault, text))
        fb_map_fault(map, NULL, "core.%s: %s", key, text);
    else
        fb_map_fault(map, NULL, "core.%s: contradicts the other settings of core", key);
}
