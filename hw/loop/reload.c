/* See reload.h. What a running daemon has built its pools, sockets and members from stays. */
#include "hw/loop/reload.h"

#include "hw/base/log.h"
#include "hw/base/settings_table.h"
#include "base/core_fields.h"
#include "core/panic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct fb_reload own;

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

/* Each key of the daemon's own that has changed and is not taken over. */
static void table_compare(const struct fb_settings *before, const struct fb_settings *after,
                          uint32_t *refused)
{
    uint32_t count;
    const struct fb_setting *table = fb_settings_table(&count);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_setting *row = &table[i];
        char whole[FB_NAME_MAX];
        bool is_other =
            row->is_live || strcmp(row->section, "members") == 0 || !fb_settings_knows(before, row);
        if (is_other || memcmp((const char *)before + row->offset,
                               (const char *)after + row->offset, row->size) == 0)
            continue;
        snprintf(whole, sizeof(whole), "%s%s%s", row->section, row->section[0] != '\0' ? "." : "",
                 row->key);
        refuse(whole, refused);
    }
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
    FB_ASSERT(reload->settings != NULL);
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
    FB_ASSERT(own.settings != NULL);           /* fb_reload_open comes first */
    FB_ASSERT(fresh.log_level < FB_LOG_COUNT); /* fb_settings_load has a choice of them */
    table_compare(own.settings, &fresh, &refused);
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
