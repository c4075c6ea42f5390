/* See summary.h. Nothing goes between members unless somebody asks. */
#include "hw/ops/summary.h"

#include "core/panic.h"
#include "hw/ops/report.h"
#include "base/clock.h"

void fb_summary_make(const struct fb_report *report, struct fb_wire_summary *summary)
{
    const struct fb_stats *stats = fb_node_stats(report->node);
    const struct fb_object *oldest = fb_objects_owed_oldest(report->objects);
    *summary = (struct fb_wire_summary){
        .ready = report->is_ready,
        .fenced = fb_standing_is_fenced(report->standing),
        .draining = report->standing->is_resting || report->standing->is_draining,
        .device_failing = report->drive->error != 0,
        .uptime_ns = fb_clock_ns() - report->start_ns,
        .memory_size_bytes = report->settings->core.memory_size_bytes,
        .memory_used_bytes = fb_node_memory_used_bytes(report->node),
        .device_size_bytes = report->settings->core.device_size_bytes,
        .device_used_bytes = fb_node_device_used_bytes(report->node),
        .read_bytes = stats->get_bytes,
        .writes = stats->writes,
        .write_bytes = stats->write_bytes,
        .undrained_bytes = fb_node_undrained_bytes(report->node),
        .undrained_oldest_ns = oldest != NULL ? fb_clock_ns() - oldest->owed_ns : 0,
        .unfinished_names = fb_node_unfinished_names(report->node),
    };
    for (uint32_t i = 0; i < FB_REASON_ABSENT; i++) {
        summary->reads += stats->replies[i];
        summary->hits += fb_reason_is_origin((enum fb_reason)i) ? 0 : stats->replies[i];
    }
    FB_ASSERT(summary->hits <= summary->reads);
    for (uint32_t i = 0; i < report->tcp->peer_count; i++)
        summary->peers_away += report->tcp->peers[i].state == FB_PEER_AWAY;
}

void fb_summaries_ask(struct fb_tcp *tcp, const struct fb_report *report)
{
    struct fb_wire_summary summary;
    fb_summary_make(report, &summary);
    for (uint32_t i = 0; i < tcp->peer_count; i++)
        fb_tcp_summary_send(tcp, &tcp->peers[i], &summary, true);
}

void fb_summary_heard(struct fb_tcp *tcp, const struct fb_report *report, uint32_t node,
                      const struct fb_wire_frame *frame)
{
    struct fb_wire_summary summary;
    struct fb_tcp_peer *peer = fb_tcp_peer(tcp, node);
    FB_ASSERT(frame->header.kind == FB_WIRE_SUMMARY);
    if (peer == NULL) /* it has left meanwhile */
        return;
    peer->summary = frame->summary;
    peer->summary_ns = report->now_ns;
    if (frame->header.value == 0)
        return;
    fb_summary_make(report, &summary);
    fb_tcp_summary_send(tcp, peer, &summary, false);
}
