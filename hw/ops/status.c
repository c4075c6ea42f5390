/* See status.h. Names are those of the core's counters, as in the simulator's reports. */
#include "hw/ops/status.h"

#include "hw/loop/loop_internal.h"
#include "hw/base/page.h"

#include <inttypes.h>
#include <string.h>

/* What the drive owes, and how it fares. */
static void drive_print(struct fb_page *page, const struct fb_loop *loop)
{
    const struct fb_headers *headers = &loop->headers;
    fb_page_put(page,
                "device_state %s\ndevice_owed_blocks %" PRIu64 "\ndevice_owed_bytes %" PRIu64
                "\ndevice_heads_mended %" PRIu64 "\ndevice_headers_mended %" PRIu64
                "\ndevice_headers_cleared %" PRIu64 "\nobjects_refused %" PRIu64 "\n",
                headers->file < 0        ? "none"
                : loop->drive.error == 0 ? "fine"
                                         : strerror(loop->drive.error),
                headers->owed_blocks, headers->owed_bytes, headers->head_faults, headers->faults,
                headers->cleared, loop->objects.refusals);
}

uint32_t fb_status_print(const struct fb_loop *loop, char *text, uint32_t size)
{
    const struct fb_settings *settings = loop->settings;
    const struct fb_stats *stats = fb_node_stats(loop->node);
    struct fb_page page = {.text = text, .size = size};
    char reason[FB_READY_TEXT_MAX];
    bool is_ready = fb_ready_is(loop, reason);
    fb_page_put(&page,
                "cluster %s\nnode %u\nready %u\nready_reason %s\nmembers %u\nfenced "
                "%u\nunfinished_names %u\npeers_connected "
                "%u\nclients %u\n"
                "memory_size_bytes %" PRIu64 "\ndevice_size_bytes %" PRIu64
                "\nundrained_bytes %" PRIu64 "\nmessages_dropped %" PRIu64
                "\nconnections_lost %" PRIu64 "\n",
                settings->cluster, settings->node, is_ready, reason, loop->member_count,
                loop->is_fenced, fb_node_unfinished_names(loop->node), fb_tcp_connected(&loop->tcp),
                loop->local.session_count, settings->core.memory_size_bytes,
                settings->core.device_size_bytes, fb_node_undrained_bytes(loop->node),
                loop->tcp.messages_dropped, loop->tcp.connections_lost);
#define LINE(name, unit, help) fb_page_put(&page, "%s %" PRIu64 "\n", #name, stats->name);
    FB_COUNTERS(LINE)
#undef LINE
    drive_print(&page, loop);
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++)
        fb_page_put(&page, "replies_%s %" PRIu64 "\n", fb_reason_name((enum fb_reason)i),
                    stats->replies[i]);
    fb_names_lost_print(loop, &page);
    return page.used;
}
