/* A node's settings: one table, read by the core, the config loaders, `--help` and the reports. */
#ifndef FB_CORE_CONFIG_H
#define FB_CORE_CONFIG_H

#include "core/config_fields.h"

/* A value of each field of config_fields.h, and who the node is. */
struct fb_config {
    uint64_t node; /* this node's id */
#define FB_CONFIG_FIELD(name, unit, initial, min, max, help) uint64_t name;
    FB_CONFIG_FIELDS(FB_CONFIG_FIELD)
#undef FB_CONFIG_FIELD
};

/* What is known of a field: how people write it, its range, what it does. */
struct fb_config_entry {
    const char *name;
    enum fb_config_unit unit;
    uint32_t offset; /* of the uint64_t in struct fb_config */
    uint64_t initial, min, max;
    const char *help;
};

/* The table; *count entries, static. */
const struct fb_config_entry *fb_config_table(uint32_t *count);

/* Every field at its default, node 0. */
void fb_config_init(struct fb_config *config);

/* The preset for very large simulated clusters: small pools, 64 full-sized blocks a tier, 128
 * entries. */
void fb_config_init_scale(struct fb_config *config);

/* Bytes of each fragment of a block of that size; erasure_data > 0. */
uint32_t fb_fragment_bytes(const struct fb_config *config, uint32_t size_bytes);

/* Name of the first field that is outside its range or contradicts another; NULL: fine. */
const char *fb_config_fault(const struct fb_config *config);

#endif
