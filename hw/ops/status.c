/* See status.h. Names are those of the core's counters, as in the simulator's reports. */
#include "hw/ops/status.h"

#include "base/clock.h"
#include "core/panic.h"
#include "hw/base/page.h"
#include "hw/ops/report.h"
#include "hw/ops/summary.h"
#include "hw/origin/identity.h"
#include "version.h"

#include <inttypes.h>
#include <string.h>

/* What the drive owes, and how it fares. */
static void drive_print(struct fb_page *page, const struct fb_report *report)
{
    const struct fb_headers *headers = report->headers;
    fb_page_put(page,
                "device_state %s\ndevice_owed_blocks %" PRIu64 "\ndevice_owed_bytes %" PRIu64
                "\ndevice_heads_mended %" PRIu64 "\ndevice_headers_mended %" PRIu64
                "\ndevice_headers_cleared %" PRIu64 "\nobjects_refused %" PRIu64 "\n",
                headers->file < 0           ? "none"
                : report->drive->error == 0 ? "fine"
                                            : fb_anchor_reason(report->drive->error),
                headers->owed_blocks, headers->owed_bytes, headers->head_faults, headers->faults,
                headers->cleared, report->objects->refusals);
}

/* Not empty buckets as "start_ns:count", so that whoever looks twice can tell what came between. */
static void latency_print(struct fb_page *page, const char *name,
                          const struct fb_histogram *histogram)
{
    fb_page_put(page, "%s_max_ns %" PRIu64 "\n%s_ns", name, histogram->max_ns, name);
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] > 0)
            fb_page_put(page, " %" PRIu64 ":%u", fb_histogram_bucket_start_ns(i),
                        histogram->counts[i]);
    }
    fb_page_put(page, "\n");
}

/* How full it is, and what is owed since when. */
static void usage_print(struct fb_page *page, const struct fb_report *report)
{
    const struct fb_object *oldest = fb_objects_owed_oldest(report->objects);
    char quoted[FB_LOG_QUOTE_MAX];
    struct fb_refused refused;
    fb_node_refused(report->node, &refused);
    fb_page_put(page, "draining %u\nrecovering %u\nfiles_written %u\nbad_names %u\n",
                report->standing->is_resting || report->standing->is_draining,
                fb_node_is_recovering(report->node), fb_local_writing(report->local),
                fb_node_bad_names(report->node));
    fb_page_put(
        page,
        "memory_used_bytes %" PRIu64 "\ndevice_used_bytes %" PRIu64
        "\nundrained_blocks %u\nundrained_oldest_ns %" PRIu64 "\nundrained_oldest_name %s\n",
        fb_node_memory_used_bytes(report->node), fb_node_device_used_bytes(report->node),
        fb_node_owed_blocks(report->node), oldest != NULL ? fb_clock_ns() - oldest->owed_ns : 0,
        fb_log_quote(oldest != NULL ? oldest->name : "", quoted));
    fb_page_put(page, "unnamed_blocks %" PRIu64 "\nunnamed_bytes %" PRIu64 "\nunnamed_name %s\n",
                report->unnamed_blocks, report->unnamed_bytes,
                fb_log_quote(report->unnamed_name, quoted));
    fb_page_put(page, "metadata_full_ns %" PRIu64 "\n",
                report->meta->full_ns > 0 ? fb_clock_ns() - report->meta->full_ns : 0);
    fb_page_put(page, "refused_blocks %u\nrefused_status %s\nrefused_ns %" PRIu64 "\n",
                refused.blocks,
                refused.blocks > 0 ? fb_status_name((enum fb_status)refused.status) : "none",
                refused.blocks > 0 ? fb_clock_ns() - refused.since_ns : 0);
}

static void tenants_print(struct fb_page *page, const struct fb_report *report)
{
    const struct fb_local *local = report->local;
    uint32_t shown = 0, left_out = 0;
    for (uint32_t i = 0; i < local->tenant_count; i++) {
        const struct fb_local_tenant *tenant = &local->tenants[i];
        uint64_t bytes = fb_node_tenant_bytes(report->node, i);
        if (bytes == 0 && tenant->reads == 0 && tenant->writes == 0)
            continue;
        left_out += shown == FB_SHOWN_TENANTS_MAX;
        if (shown == FB_SHOWN_TENANTS_MAX)
            continue;
        shown++;
        fb_page_put(page,
                    "tenant %u memory_bytes=%" PRIu64 " reads=%" PRIu64 " read_bytes=%" PRIu64
                    " hits=%" PRIu64 " writes=%" PRIu64 " write_bytes=%" PRIu64 "\n",
                    i, bytes, tenant->reads, tenant->read_bytes, tenant->hits, tenant->writes,
                    tenant->write_bytes);
    }
    fb_page_put(page, "tenants_max %" PRIu64 "\ntenants_left_out %u\n",
                report->settings->core.tenants_max, left_out);
}

uint32_t fb_status_peers(const struct fb_report *report, fb_peer_call *then, void *context)
{
    const struct fb_tcp *tcp = report->tcp;
    uint32_t shown = 0;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < tcp->peer_count && shown < FB_SHOWN_PEERS_MAX; i++) {
            const struct fb_tcp_peer *peer = &tcp->peers[i];
            bool is_suspected = fb_node_suspects(report->node, peer->node);
            bool is_wrong = is_suspected || peer->state == FB_PEER_AWAY;
            if (is_wrong != (round == 0))
                continue;
            then(context, peer, is_suspected);
            shown++;
        }
    }
    FB_ASSERT(shown <= tcp->peer_count);
    return tcp->peer_count - shown;
}

struct peers_page {
    struct fb_page *page;
    uint64_t now_ns;
};

static void peer_print(void *context, const struct fb_tcp_peer *peer, bool is_suspected)
{
    const struct peers_page *to = context;
    fb_page_put(to->page,
                "peer %u state=%s since_ns=%" PRIu64 " failures=%u suspected=%u version=%u "
                "address=%s\n",
                peer->node, fb_peer_state_name(peer->state), to->now_ns - peer->since_ns,
                peer->failures, is_suspected, peer->version, peer->text);
    if (peer->state == FB_PEER_AWAY && peer->fault[0] != '\0')
        fb_page_put(to->page, "peer_fault_%u %s\n", peer->node, peer->fault);
}

static void member_print(struct fb_page *page, uint32_t node, uint64_t heard_ns,
                         const struct fb_wire_summary *summary)
{
    char text[1024];
    struct fb_page line = {.text = text, .size = sizeof(text)};
#define FIELD(name) fb_page_put(&line, " %s=%" PRIu64, #name, summary->name);
    FB_WIRE_SUMMARY_FIELDS(FIELD)
#undef FIELD
    fb_page_put(page, "member %u heard_ns=%" PRIu64 "%s\n", node, heard_ns, text);
}

/* This node, and what others have said since somebody asked. */
static void members_print(struct fb_page *page, const struct fb_report *report)
{
    struct fb_wire_summary own;
    uint32_t shown = 1, left_out = 0;
    uint64_t now_ns = fb_clock_ns();
    fb_summary_make(report, &own);
    member_print(page, report->settings->node, 0, &own);
    for (uint32_t i = 0; i < report->tcp->peer_count; i++) {
        const struct fb_tcp_peer *peer = &report->tcp->peers[i];
        if (peer->summary_ns == 0)
            continue;
        left_out += shown == FB_SHOWN_MEMBERS_MAX;
        if (shown == FB_SHOWN_MEMBERS_MAX)
            continue;
        member_print(page, peer->node, now_ns - peer->summary_ns, &peer->summary);
        shown++;
    }
    fb_page_put(page, "summaries_left_out %u\n", left_out);
}

static void peers_print(struct fb_page *page, const struct fb_report *report)
{
    struct peers_page to = {.page = page, .now_ns = report->now_ns};
    uint32_t counts[FB_PEER_STATES] = {0};
    for (uint32_t i = 0; i < report->tcp->peer_count; i++) {
        FB_ASSERT(report->tcp->peers[i].state < FB_PEER_STATES);
        counts[report->tcp->peers[i].state]++;
    }
    for (uint32_t i = 0; i < FB_PEER_STATES; i++)
        fb_page_put(page, "peers_%s %u\n", fb_peer_state_name((enum fb_peer_state)i), counts[i]);
    fb_page_put(page, "peers_left_out %u\n", fb_status_peers(report, peer_print, &to));
}

/* Whom the bytes of this node belong to. */
static void identities_print(struct fb_page *page, const struct fb_report *report)
{
    char origin[FB_IDENTITY_DIGITS + 1], store[FB_IDENTITY_DIGITS + 1];
    fb_identity_print(report->identities.origin, origin);
    fb_identity_print(report->identities.store, store);
    fb_page_put(page, "origin_identity %s\nmetadata_identity %s\n",
                fb_identity_is_known(report->identities.origin) ? origin : "none",
                fb_identity_is_known(report->identities.store) ? store : "none");
}

uint32_t fb_status_print(const struct fb_report *report, char *text, uint32_t size)
{
    const struct fb_settings *settings = report->settings;
    const struct fb_stats *stats = fb_node_stats(report->node);
    struct fb_page page = {.text = text, .size = size};
    fb_page_put(
        &page,
        "version %s\nuptime_ns %" PRIu64 "\nblock_size_bytes %" PRIu64
        "\ncluster %s\nnode %u\nready %u\nready_reason %s\nmembers %u\nmembers_left_out %u\n"
        "write_quorum %" PRIu64 "\nfenced "
        "%u\nunfinished_names %u\npeers_connected "
        "%u\nclients %u\n"
        "memory_size_bytes %" PRIu64 "\ndevice_size_bytes %" PRIu64 "\nundrained_bytes %" PRIu64
        "\nmessages_dropped %" PRIu64 "\nconnections_lost %" PRIu64 "\n",
        FB_VERSION, fb_clock_ns() - report->start_ns, settings->core.block_size_bytes,
        settings->cluster, settings->node, report->is_ready, report->reason, report->member_count,
        report->members_left_out, settings->core.write_quorum,
        fb_standing_is_fenced(report->standing), fb_node_unfinished_names(report->node),
        fb_tcp_connected(report->tcp), report->local->session_count,
        settings->core.memory_size_bytes, settings->core.device_size_bytes,
        fb_node_undrained_bytes(report->node), report->tcp->messages_dropped,
        report->tcp->connections_lost);
#define LINE(name, unit, help) fb_page_put(&page, "%s %" PRIu64 "\n", #name, stats->name);
    FB_COUNTERS(LINE)
#undef LINE
    identities_print(&page, report);
    usage_print(&page, report);
    drive_print(&page, report);
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++)
        fb_page_put(&page, "replies_%s %" PRIu64 "\n", fb_reason_name((enum fb_reason)i),
                    stats->replies[i]);
    latency_print(&page, "get_latency", &stats->get_latency_ns);
    latency_print(&page, "write_latency", &stats->write_latency_ns);
    tenants_print(&page, report);
    peers_print(&page, report);
    members_print(&page, report);
    fb_names_lost_print(report->names, &page);
    FB_ASSERT(page.used <= size);
    return page.used;
}
