/* See metrics.h. Counters end in _total and have base units, as Prometheus wants it. */
#include "hw/ops/metrics.h"

#include "base/clock.h"
#include "core/panic.h"
#include "hw/base/page.h"
#include "hw/ops/report.h"
#include "hw/ops/status.h"
#include "hw/origin/identity.h"
#include "version.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static void counter(struct fb_page *page, const char *name, const char *help, uint64_t value)
{
    fb_page_put(page,
                "# HELP forebay_%s_total %s\n# TYPE forebay_%s_total counter\n"
                "forebay_%s_total %" PRIu64 "\n",
                name, help, name, name, value);
}

static void gauge(struct fb_page *page, const char *name, const char *help, uint64_t value)
{
    fb_page_put(page, "# HELP forebay_%s %s\n# TYPE forebay_%s gauge\nforebay_%s %" PRIu64 "\n",
                name, help, name, name, value);
}

static void replies(struct fb_page *page, const struct fb_stats *stats)
{
    fb_page_put(page, "# HELP forebay_replies_total read replies by reason\n"
                      "# TYPE forebay_replies_total counter\n");
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++)
        fb_page_put(page, "forebay_replies_total{reason=\"%s\"} %" PRIu64 "\n",
                    fb_reason_name((enum fb_reason)i), stats->replies[i]);
    fb_page_put(page, "# HELP forebay_reply_bytes_total their bytes\n"
                      "# TYPE forebay_reply_bytes_total counter\n");
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++)
        fb_page_put(page, "forebay_reply_bytes_total{reason=\"%s\"} %" PRIu64 "\n",
                    fb_reason_name((enum fb_reason)i), stats->reply_bytes[i]);
}

/* One bucket an octave from 128 ns on; the sum is that of the buckets' lower ends. */
static void latency(struct fb_page *page, const char *name, const char *help,
                    const struct fb_histogram *histogram)
{
    enum { OCTAVE_FIRST = 7, OCTAVE_LAST = 36 };
    uint64_t count = 0;
    double sum_s = 0;
    uint32_t bucket = 0;
    fb_page_put(page,
                "# HELP forebay_%s_latency_seconds %s\n"
                "# TYPE forebay_%s_latency_seconds histogram\n",
                name, help, name);
    for (uint32_t octave = OCTAVE_FIRST; octave <= OCTAVE_LAST; octave++) {
        uint32_t end = fb_histogram_bucket(UINT64_C(1) << octave);
        FB_ASSERT(end <= FB_HISTOGRAM_BUCKETS);
        for (; bucket < end; bucket++) {
            count += histogram->counts[bucket];
            sum_s += (double)histogram->counts[bucket] *
                     (double)fb_histogram_bucket_start_ns(bucket) * 1e-9;
        }
        fb_page_put(page, "forebay_%s_latency_seconds_bucket{le=\"%.9g\"} %" PRIu64 "\n", name,
                    (double)(UINT64_C(1) << octave) * 1e-9, count);
    }
    for (; bucket < FB_HISTOGRAM_BUCKETS; bucket++) {
        count += histogram->counts[bucket];
        sum_s +=
            (double)histogram->counts[bucket] * (double)fb_histogram_bucket_start_ns(bucket) * 1e-9;
    }
    fb_page_put(page,
                "forebay_%s_latency_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
                "forebay_%s_latency_seconds_sum %.9g\nforebay_%s_latency_seconds_count %" PRIu64
                "\n",
                name, count, name, sum_s, name, count);
}

static void clients(struct fb_page *page, const struct fb_local *local)
{
    gauge(page, "clients", "clients of this machine", local->session_count);
    counter(page, "clients_refused", "clients that broke a rule, had no token or found no room",
            local->refused);
    counter(page, "guests_pushed_out", "clients that did not greet and made room for others",
            local->guests_pushed);
    counter(page, "opens_refused", "names not opened: the client, or all, have too many open",
            local->opens_refused);
    counter(page, "pins_refused", "pins not made: there are too many", local->pins_refused);
    counter(page, "flights_refused",
            "requests told to wait: the client, or its user, has most of those under way",
            local->flights_refused);
    counter(page, "writes_refused",
            "writes told to wait: the client, or its user, has most of what is owed to the origin",
            local->writes_refused);
    counter(page, "loans_refused", "reads told to wait: the client has most of the memory lent",
            local->loans_refused);
}

static void type_put(struct fb_page *page, const char *name, const char *type, const char *help)
{
    fb_page_put(page, "# HELP forebay_%s %s\n# TYPE forebay_%s %s\n", name, help, name, type);
}

static void usage(struct fb_page *page, const struct fb_report *report)
{
    const struct fb_object *oldest = fb_objects_owed_oldest(report->objects);
    struct fb_refused refused;
    fb_node_refused(report->node, &refused);
    gauge(page, "memory_used_bytes", "of the cache memory, taken",
          fb_node_memory_used_bytes(report->node));
    gauge(page, "device_used_bytes", "of the cache space on the drive, taken",
          fb_node_device_used_bytes(report->node));
    gauge(page, "undrained_blocks", "blocks acknowledged that may not be at the origin yet",
          fb_node_owed_blocks(report->node));
    gauge(page, "refused_blocks", "of those, blocks that the origin refuses until somebody helps",
          refused.blocks);
    type_put(page, "undrained_oldest_seconds", "gauge",
             "since when the oldest file of them is owed; 0: none is");
    fb_page_put(page, "forebay_undrained_oldest_seconds %.3f\n",
                oldest != NULL ? (double)(fb_clock_ns() - oldest->owed_ns) * 1e-9 : 0.0);
    gauge(page, "unfinished_names", "names whose commit or removal the origin does not show yet",
          fb_node_unfinished_names(report->node));
    gauge(page, "bad_names", "names that cannot be finished: see forebay lost",
          fb_node_bad_names(report->node));
    gauge(page, "draining", "1: it takes no writes of clients", report->standing->is_resting);
    gauge(page, "fenced", "1: the cluster may count this node as gone",
          fb_standing_is_fenced(report->standing));
    type_put(page, "uptime_seconds", "gauge", "since the daemon started");
    fb_page_put(page, "forebay_uptime_seconds %.3f\n",
                (double)(fb_clock_ns() - report->start_ns) * 1e-9);
}

/* One value of each tenant that has or had something. */
static void tenant_values(struct fb_page *page, const struct fb_report *report, const char *name,
                          const char *type, const char *help, size_t offset)
{
    const struct fb_local *local = report->local;
    static_assert(sizeof(struct fb_local_tenant) % sizeof(uint64_t) == 0, "each value has 64 bits");
    FB_ASSERT(offset <= sizeof(struct fb_local_tenant));
    uint32_t shown = 0;
    type_put(page, name, type, help);
    for (uint32_t i = 0; i < local->tenant_count && shown < FB_SHOWN_TENANTS_MAX; i++) {
        const struct fb_local_tenant *tenant = &local->tenants[i];
        uint64_t bytes = fb_node_tenant_bytes(report->node, i), value = bytes;
        if (bytes == 0 && tenant->reads == 0 && tenant->writes == 0)
            continue;
        if (offset < sizeof(*tenant))
            memcpy(&value, (const unsigned char *)tenant + offset, sizeof(value));
        fb_page_put(page, "forebay_%s{tenant=\"%u\"} %" PRIu64 "\n", name, i, value);
        shown++;
    }
}

static void tenants(struct fb_page *page, const struct fb_report *report)
{
    tenant_values(page, report, "tenant_memory_bytes", "gauge",
                  "of the cache memory, where tenants are told apart (core.tenants_max)",
                  sizeof(struct fb_local_tenant));
#define VALUE(field, help) \
    tenant_values(page, report, "tenant_" #field "_total", "counter", help, \
                  offsetof(struct fb_local_tenant, field));
    VALUE(reads, "blocks that this machine's clients read")
    VALUE(read_bytes, "their bytes")
    VALUE(hits, "of them, without the origin")
    VALUE(writes, "blocks that this machine's clients wrote")
    VALUE(write_bytes, "their bytes")
#undef VALUE
}

static void peer_put(void *context, const struct fb_tcp_peer *peer, bool is_suspected)
{
    bool is_up = peer->state != FB_PEER_AWAY && !is_suspected;
    fb_page_put(context, "forebay_peer_up{peer=\"%u\",state=\"%s\"} %u\n", peer->node,
                is_suspected ? "suspected" : fb_peer_state_name(peer->state), is_up);
}

static void peers(struct fb_page *page, const struct fb_report *report)
{
    uint32_t away = 0, suspected = 0;
    for (uint32_t i = 0; i < report->tcp->peer_count; i++) {
        away += report->tcp->peers[i].state == FB_PEER_AWAY;
        suspected += fb_node_suspects(report->node, report->tcp->peers[i].node);
    }
    gauge(page, "peers_away", "peers to which the last try to connect failed", away);
    gauge(page, "peers_suspected", "peers that were silent or broke off lately", suspected);
    type_put(page, "peer_up", "gauge",
             "0: it is away or suspected; those with something wrong "
             "first, others where there is room");
    (void)fb_status_peers(report, peer_put, page);
}

/* Empty: not known yet, or there is none. Members of one cluster that differ are set up wrongly. */
static void identity(struct fb_page *page, const struct fb_report *report)
{
    char origin[FB_IDENTITY_DIGITS + 1] = "", store[FB_IDENTITY_DIGITS + 1] = "";
    if (fb_identity_is_known(report->identities.origin))
        fb_identity_print(report->identities.origin, origin);
    if (fb_identity_is_known(report->identities.store))
        fb_identity_print(report->identities.store, store);
    type_put(page, "identity_info", "gauge",
             "which origin and metadata store this node belongs to");
    fb_page_put(page, "forebay_identity_info{origin=\"%s\",metadata=\"%s\"} 1\n", origin, store);
}

uint32_t fb_metrics_print(const struct fb_report *report, char *text, uint32_t size)
{
    const struct fb_settings *settings = report->settings;
    const struct fb_stats *stats = fb_node_stats(report->node);
    struct fb_page page = {.text = text, .size = size};
    fb_page_put(&page,
                "# HELP forebay_info what runs here\n# TYPE forebay_info gauge\n"
                "forebay_info{version=\"%s\",cluster=\"%s\",node=\"%u\"} 1\n",
                FB_VERSION, settings->cluster, settings->node);
#define COUNTER(name, unit, help) counter(&page, #name, help, stats->name);
    FB_COUNTERS(COUNTER)
#undef COUNTER
    replies(&page, stats);
    latency(&page, "get", "of reads, from request to reply, every reason", &stats->get_latency_ns);
    latency(&page, "write", "of durable writes, from bytes in memory to reply",
            &stats->write_latency_ns);
    usage(&page, report);
    tenants(&page, report);
    peers(&page, report);
    gauge(&page, "ready", "1: clients can be served", report->is_ready);
    identity(&page, report);
    gauge(&page, "members", "members of the cluster", report->member_count);
    gauge(
        &page, "write_quorum",
        "copies that levels replicated and device wait for; 1: they are one node's memory or drive",
        settings->core.write_quorum);
    gauge(&page, "members_left_out",
          "records of members that are not understood or find no room: see the log",
          report->members_left_out);
    gauge(&page, "peers_connected", "peers to which messages can be sent now",
          fb_tcp_connected(report->tcp));
    clients(&page, report->local);
    gauge(&page, "undrained_bytes", "bytes acknowledged that may not be at the origin yet",
          fb_node_undrained_bytes(report->node));
    gauge(&page, "memory_size_bytes", "cache memory", settings->core.memory_size_bytes);
    gauge(&page, "memory_registered_bytes",
          "of it, registered with io_uring; 0: drive I/O costs more", report->registered_bytes);
    gauge(&page, "device_size_bytes", "cache space on the drive", settings->core.device_size_bytes);
    gauge(&page, "device_failing", "1: the drive's last write or sync failed",
          report->drive->error != 0);
    gauge(&page, "device_owed_bytes", "of acknowledged blocks that the drive is to keep",
          report->headers->owed_bytes);
    counter(&page, "device_headers_mended", "damaged headers and heads made from their copies",
            report->headers->faults + report->headers->head_faults);
    counter(&page, "device_headers_cleared", "headers that could be read in no copy at the start",
            report->headers->cleared);
    counter(&page, "objects_refused", "objects for which no name was free",
            report->objects->refusals);
    counter(&page, "messages_dropped", "messages that found no connection and no room",
            report->tcp->messages_dropped);
    counter(&page, "strangers_refused", "connections that ended without the greeting of a member",
            report->tcp->strangers_refused);
    counter(&page, "pages_pushed_out", "http requests that were too slow, or made room for others",
            report->pages_pushed_out);
    counter(&page, "connections_lost", "connections that ended", report->tcp->connections_lost);
    FB_ASSERT(page.used <= size);
    return page.used;
}
