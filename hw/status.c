/* See status.h. Names are those of the core's counters, as in the simulator's reports. */
#include "hw/status.h"

#include "hw/loop_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct page {
    char *text;
    uint32_t size, used;
};

static void line(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(page->text + page->used, page->size - page->used, format, arguments);
    va_end(arguments);
    if (length > 0 && (uint32_t)length < page->size - page->used)
        page->used += (uint32_t)length;
}

uint32_t fb_status_print(const struct fb_loop *loop, char *text, uint32_t size)
{
    const struct fb_settings *settings = loop->settings;
    const struct fb_stats *stats = fb_node_stats(loop->node);
    struct page page = {.text = text, .size = size};
    line(&page, "cluster %s\nnode %u\nmembers %u\npeers_connected %u\nclients %u\n",
         settings->cluster, settings->node, settings->member_count, fb_tcp_connected(&loop->tcp),
         loop->local.session_count);
    line(&page, "memory_size_bytes %" PRIu64 "\ndevice_size_bytes %" PRIu64 "\n",
         settings->core.memory_size_bytes, settings->core.device_size_bytes);
    line(&page, "messages_dropped %" PRIu64 "\nconnections_lost %" PRIu64 "\n",
         loop->tcp.messages_dropped, loop->tcp.connections_lost);
#define LINE(name, unit, help) line(&page, "%s %" PRIu64 "\n", #name, stats->name);
    FB_COUNTERS(LINE)
#undef LINE
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++)
        line(&page, "replies_%s %" PRIu64 "\n", fb_reason_name((enum fb_reason)i),
             stats->replies[i]);
    return page.used;
}
