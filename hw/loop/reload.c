/* See reload.h. What a running daemon has built its pools, sockets and members from stays. */
#include "hw/loop/reload.h"

#include "hw/base/log.h"
#include "models/scenario/scenario_internal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct fb_reload own;

/* Parts of the settings that a restart is needed for, by the key that is named. */
static const struct part {
    const char *key;
    size_t offset, size;
} parts[] = {
#define PART(key, field) \
    { \
        key, offsetof(struct fb_settings, field), sizeof(own.settings->field) \
    }
    PART("cluster", cluster),
    PART("node", node),
    PART("listen", listen),
    PART("http", http),
    PART("tls", tls),
    PART("origin", origin),
    PART("metadata", metadata),
    PART("device.path", device_path),
    PART("client.socket", socket_path),
    PART("client.token", token_path),
    PART("client.arena", arena_bytes),
    PART("client.spin", spin_ns),
    PART("memory_budget", memory_budget_bytes),
    PART("peer_timeout", peer_timeout_ns),
    PART("pull_connections", pull_connections),
    PART("membership.endpoint", etcd_endpoint),
    PART("membership.lease", lease_ns),
    PART("membership.domain", domain),
    PART("membership.weight", weight),
    PART("record", record_path),
    PART("objects_max", objects_max),
    PART("names.valid", names_valid_ns),
    PART("workers", workers),
#undef PART
};

static bool members_differ(const struct fb_settings *before, const struct fb_settings *after)
{
    if (before->member_count != after->member_count || before->members_max != after->members_max)
        return true;
    for (uint32_t i = 0; i < before->member_count; i++) {
        const struct fb_member *old = &before->members[i].member, *new = &after->members[i].member;
        if (old->node != new->node || old->domain != new->domain || old->weight != new->weight ||
            strcmp(before->members[i].address, after->members[i].address) != 0)
            return true;
    }
    return false;
}

static void refuse(const char *key, uint32_t *refused)
{
    ++*refused;
    fb_log(FB_LOG_WARNING, "reload_refused", "key=%s remedy=restart", key);
}

/* Each key of the core's that has changed; its node is the daemon's. */
static void core_compare(const struct fb_config *before, const struct fb_config *after,
                         uint32_t *refused)
{
    uint32_t count;
    const struct fb_config_entry *table = fb_config_table(&count);
    for (uint32_t i = 0; i < count; i++) {
        char key[FB_NAME_MAX], whole[FB_NAME_MAX + 8];
        const char *old = (const char *)before + table[i].offset;
        const char *new = (const char *)after + table[i].offset;
        if (memcmp(old, new, sizeof(uint64_t)) == 0 || strcmp(table[i].name, "node") == 0)
            continue;
        fb_core_key(table[i].name, key);
        snprintf(whole, sizeof(whole), "core.%s", key);
        refuse(whole, refused);
    }
}

void fb_reload_open(const struct fb_reload *reload)
{
    own = *reload;
}

void fb_reload_run(void)
{
    struct fb_settings fresh;
    struct fb_error error = {.text = ""};
    char quoted[FB_LOG_QUOTE_MAX];
    uint32_t refused = 0;
    fb_settings_load(own.config, own.assignments, own.assignment_count, &fresh, &error);
    if (fb_error_is_set(&error)) {
        fb_log(FB_LOG_ERROR, "reload_failed", "error=%s", fb_log_quote(error.text, quoted));
        return;
    }
    for (uint32_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (memcmp((const char *)own.settings + parts[i].offset,
                   (const char *)&fresh + parts[i].offset, parts[i].size) == 0)
            continue;
        refuse(parts[i].key, &refused);
    }
    if (own.settings->are_entries_derived && fresh.are_entries_derived)
        fresh.core.memory_entries_max = own.settings->core.memory_entries_max;
    core_compare(&own.settings->core, &fresh.core, &refused);
    if (members_differ(own.settings, &fresh))
        refuse("members", &refused);
    own.settings->log_level = fresh.log_level;
    own.settings->stop_patience_ns = fresh.stop_patience_ns;
    fb_log_open((enum fb_log_level)fresh.log_level, own.settings->node);
    fb_log(FB_LOG_INFO, "reloaded", "log=%s stop_patience_s=%" PRIu64 " refused=%u",
           fb_log_level_names()[fresh.log_level], fresh.stop_patience_ns / 1000000000, refused);
    fb_settings_free(&fresh);
}
