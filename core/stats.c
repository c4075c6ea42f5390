/* Sums of counters; names of reasons and statuses, as reports and metrics show them. */
#include "core/stats.h"

#include "core/panic.h"

void fb_stats_add(struct fb_stats *sum, const struct fb_stats *part)
{
    FB_ASSERT(sum != part);
#define ADD_COUNTER(name, unit, help) sum->name += part->name;
    FB_COUNTERS(ADD_COUNTER)
#undef ADD_COUNTER
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++) {
        sum->replies[i] += part->replies[i];
        sum->reply_bytes[i] += part->reply_bytes[i];
    }
    fb_histogram_merge(&sum->get_latency_ns, &part->get_latency_ns);
    fb_histogram_merge(&sum->write_latency_ns, &part->write_latency_ns);
    FB_ASSERT(sum->steps >= part->steps);
}

const char *fb_reason_name(enum fb_reason reason)
{
    static const char *const names[FB_REASON_COUNT] = FB_REASON_NAMES;
    FB_ASSERT(reason < FB_REASON_COUNT);
    FB_ASSERT(names[reason] != 0);
    return names[reason];
}

_Bool fb_reason_is_origin(enum fb_reason reason)
{
    FB_ASSERT(reason < FB_REASON_COUNT);
    return reason == FB_REASON_ORIGIN_OWNER || reason == FB_REASON_ORIGIN_PEER ||
           reason == FB_REASON_ORIGIN;
}

const char *fb_status_name(enum fb_status status)
{
    static const char *const names[FB_STATUS_COUNT] = {
        [FB_OK] = "ok",
        [FB_BUSY] = "busy",
        [FB_ABSENT] = "absent",
        [FB_TIMEOUT] = "timeout",
        [FB_IO] = "io",
        [FB_CORRUPT] = "corrupt",
        [FB_GONE] = "gone",
        [FB_THROTTLED] = "throttled",
        [FB_INVALID] = "invalid",
        [FB_FULL] = "full",
        [FB_CONFLICT] = "conflict",
        [FB_DENIED] = "denied",
        [FB_READ_ONLY] = "read_only",
        [FB_TOO_LARGE] = "too_large",
        [FB_REFUSED] = "refused",
        [FB_LOST] = "lost",
        [FB_DEGRADED] = "degraded",
    };
    FB_ASSERT(status < FB_STATUS_COUNT);
    FB_ASSERT(names[status] != 0);
    return names[status];
}
