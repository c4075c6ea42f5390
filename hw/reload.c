/* See reload.h. What a running daemon has built its pools, sockets and members from stays. */
#include "hw/reload.h"

#include "hw/log.h"

#include <inttypes.h>
#include <stddef.h>
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
    PART("record", record_path),
    PART("workers", workers),
    PART("core", core),
#undef PART
};

static bool members_differ(const struct fb_settings *before, const struct fb_settings *after)
{
    if (before->member_count != after->member_count)
        return true;
    for (uint32_t i = 0; i < before->member_count; i++) {
        if (before->members[i].member.node != after->members[i].member.node ||
            strcmp(before->members[i].address, after->members[i].address) != 0)
            return true;
    }
    return false;
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
        refused++;
        fb_log(FB_LOG_WARNING, "reload_refused", "key=%s remedy=restart", parts[i].key);
    }
    if (members_differ(own.settings, &fresh)) {
        refused++;
        fb_log(FB_LOG_WARNING, "reload_refused", "key=members remedy=restart");
    }
    own.settings->log_level = fresh.log_level;
    own.settings->stop_patience_ns = fresh.stop_patience_ns;
    fb_log_open((enum fb_log_level)fresh.log_level, own.settings->node);
    fb_log(FB_LOG_INFO, "reloaded", "log=%s stop_patience_s=%" PRIu64 " refused=%u",
           fb_log_level_names()[fresh.log_level], fresh.stop_patience_ns / 1000000000, refused);
    fb_settings_free(&fresh);
}
