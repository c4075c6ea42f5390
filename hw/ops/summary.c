/* See summary.h. Nothing goes between members unless somebody asks. */
#include "hw/ops/summary.h"

#include "core/panic.h"
#include "hw/base/clock.h"
#include "hw/loop/loop_internal.h"

void fb_summary_make(const struct fb_loop *loop, struct fb_wire_summary *summary)
{
    const struct fb_stats *stats = fb_node_stats(loop->feed.node);
    const struct fb_object *oldest = fb_objects_owed_oldest(&loop->objects);
    char reason[FB_READY_TEXT_MAX];
    *summary = (struct fb_wire_summary){
        .ready = fb_ready_is(loop, reason),
        .fenced = fb_standing_is_fenced(&loop->standing),
        .draining = loop->standing.is_resting || loop->standing.is_draining,
        .device_failing = loop->drive.error != 0,
        .uptime_ns = fb_clock_ns() - loop->start_ns,
        .memory_size_bytes = loop->settings->core.memory_size_bytes,
        .memory_used_bytes = fb_node_memory_used_bytes(loop->feed.node),
        .device_size_bytes = loop->settings->core.device_size_bytes,
        .device_used_bytes = fb_node_device_used_bytes(loop->feed.node),
        .read_bytes = stats->get_bytes,
        .writes = stats->writes,
        .write_bytes = stats->write_bytes,
        .undrained_bytes = fb_node_undrained_bytes(loop->feed.node),
        .undrained_oldest_ns = oldest != NULL ? fb_clock_ns() - oldest->owed_ns : 0,
        .unfinished_names = fb_node_unfinished_names(loop->feed.node),
    };
    for (uint32_t i = 0; i < FB_REASON_ABSENT; i++) {
        summary->reads += stats->replies[i];
        summary->hits += fb_reason_is_origin((enum fb_reason)i) ? 0 : stats->replies[i];
    }
    for (uint32_t i = 0; i < loop->tcp.peer_count; i++)
        summary->peers_away += loop->tcp.peers[i].state == FB_PEER_AWAY;
}

void fb_summaries_ask(struct fb_loop *loop)
{
    struct fb_wire_summary summary;
    fb_summary_make(loop, &summary);
    for (uint32_t i = 0; i < loop->tcp.peer_count; i++)
        fb_tcp_summary_send(&loop->tcp, &loop->tcp.peers[i], &summary, true);
}

void fb_summary_heard(struct fb_loop *loop, uint32_t node, const struct fb_wire_frame *frame)
{
    struct fb_wire_summary summary;
    struct fb_tcp_peer *peer = fb_tcp_peer(&loop->tcp, node);
    FB_ASSERT(frame->header.kind == FB_WIRE_SUMMARY);
    if (peer == NULL) /* it has left meanwhile */
        return;
    peer->summary = frame->summary;
    peer->summary_ns = loop->feed.now_ns;
    if (frame->header.value == 0)
        return;
    fb_summary_make(loop, &summary);
    fb_tcp_summary_send(&loop->tcp, peer, &summary, false);
}
