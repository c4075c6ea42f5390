/* The table of settings, its defaults, and what makes a config unusable. */
#include "core/config.h"

#include "core/panic.h"

#include <stdbool.h>
#include <stddef.h>

const struct fb_config_entry *fb_config_table(uint32_t *count)
{
    static const struct fb_config_entry table[] = {
#define ENTRY(field, kind, initial_value, least, most, text) \
    {.name = #field, \
     .unit = kind, \
     .offset = offsetof(struct fb_config, field), \
     .initial = initial_value, \
     .min = least, \
     .max = most, \
     .help = text},
        FB_CONFIG_FIELDS(ENTRY)
#undef ENTRY
    };
    FB_ASSERT(count != NULL);
    *count = sizeof(table) / sizeof(table[0]);
    FB_ASSERT(*count > 0);
    return table;
}

static uint64_t *config_field(struct fb_config *config, const struct fb_config_entry *entry)
{
    FB_ASSERT(entry->offset % 8 == 0);
    FB_ASSERT(entry->offset < sizeof(*config));
    return (uint64_t *)(void *)((unsigned char *)config + entry->offset);
}

void fb_config_init(struct fb_config *config)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    *config = (struct fb_config){.node = 0};
    for (uint32_t i = 0; i < count; i++)
        *config_field(config, &table[i]) = table[i].initial;
    FB_ASSERT(fb_config_fault(config) == NULL);
}

void fb_config_init_scale(struct fb_config *config)
{
    fb_config_init(config);
    config->memory_size_bytes = 64 * config->block_size_bytes;
    config->device_size_bytes = 64 * config->block_size_bytes;
    config->memory_entries_max = 128;
    config->device_entries_max = 128;
    config->fills_max = 48;
    config->waiters_max = 192;
    config->lends_max = 96;
    config->device_writes_max = 16;
    config->matches_max = 8;
    config->puts_max = 8;
    config->dirty_max = 24;
    config->gathers_max = 0;
    config->tenants_max = 0;
    config->pins_max = 0;
    config->metas_max = 2;
    config->gather_ranges_max = 0;
    FB_ASSERT(fb_config_fault(config) == NULL);
}

uint32_t fb_fragment_bytes(const struct fb_config *config, uint32_t size_bytes)
{
    enum { FRAGMENT_UNIT_BYTES = 64 };
    FB_ASSERT(config->erasure_data > 0);
    FB_ASSERT(size_bytes > 0);
    uint64_t part = (size_bytes + config->erasure_data - 1) / config->erasure_data;
    return (uint32_t)((part + FRAGMENT_UNIT_BYTES - 1) / FRAGMENT_UNIT_BYTES * FRAGMENT_UNIT_BYTES);
}

/* More copies than there are nodes that hold a block, or a code that is never used. */
static const char *copies_fault(const struct fb_config *config)
{
    FB_ASSERT(config->replicas >= 1);
    FB_ASSERT(config->write_quorum >= 1);
    if (config->erasure_data > 0)
        return "erasure_data";
    return config->write_quorum > (config->place_local ? 1 : config->replicas) ? "write_quorum"
                                                                               : NULL;
}

const char *fb_config_fault(const struct fb_config *config)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    struct fb_config copy = *config;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = *config_field(&copy, &table[i]);
        if (value < table[i].min || value > table[i].max)
            return table[i].name;
    }
    FB_ASSERT(config->block_size_bytes > 0);
    if (config->node >= FB_NONE)
        return "node";
    if (config->records > 0 && (config->names_max < 4 || config->metas_max < 2))
        return config->metas_max < 2 ? "metas_max" : "names_max";
    uint64_t chunks_max = UINT32_MAX / FB_UNITS_PER_CHUNK - 1;
    if (config->memory_size_bytes < config->block_size_bytes ||
        config->memory_size_bytes / config->block_size_bytes > chunks_max)
        return "memory_size_bytes";
    if (config->device_size_bytes / config->block_size_bytes > chunks_max)
        return "device_size_bytes";
    if (config->device_size_bytes > 0 && config->device_size_bytes < config->block_size_bytes)
        return "device_size_bytes";
    FB_ASSERT(chunks_max > 0);
    if (config->erasure_data == 0 || config->place_local || !config->use_peers)
        return copies_fault(config);
    uint64_t parity_bytes =
        config->erasure_parity * fb_fragment_bytes(config, (uint32_t)config->block_size_bytes);
    bool is_fine = config->erasure_data + config->erasure_parity <= FB_FRAGMENTS_MAX &&
                   parity_bytes <= config->block_size_bytes &&
                   config->write_quorum <= config->erasure_parity + 1;
    if (!is_fine)
        return "erasure_parity";
    /* a block is made from its fragments where others are held: mend.c */
    uint64_t pieces = 2 * (config->erasure_data + config->erasure_parity) + 2;
    if (config->memory_size_bytes < 4 * config->block_size_bytes)
        return "memory_size_bytes";
    if (config->memory_entries_max > 0 && config->memory_entries_max < pieces)
        return "memory_entries_max";
    return config->dirty_max < 2 ? "dirty_max" : NULL;
}
