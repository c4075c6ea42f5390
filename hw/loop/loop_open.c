/* Opens and closes what a loop has, in an order in which each finds what it stands on, and fills in
 * whom each tells. See loop.h. */
#include "core/panic.h"
#include "hw/loop/budget.h"
#include "base/clock.h"
#include "hw/loop/loop.h"
#include "hw/loop/loop_internal.h"
#include "hw/ops/report.h"
#include "hw/ops/status.h"
#include "hw/ops/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RING_ENTRIES_MAX = 4096, RING_ENTRIES_MIN = 256 };
static_assert((RING_ENTRIES_MAX & (RING_ENTRIES_MAX - 1)) == 0 &&
                  (RING_ENTRIES_MIN & (RING_ENTRIES_MIN - 1)) == 0,
              "a ring has a power of two of them");

static const uint64_t slice_bytes_max = UINT64_C(1) << 30; /* of one registered buffer */

static void feed_event(struct fb_feed *feed, const struct fb_event *event)
{
    loop_event(FB_CONTAINER(feed, struct fb_loop, feed), event);
}

static void node_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_config *config = &loop->settings->core;
    uint64_t size_bytes = fb_node_size_bytes(config), seed = 0;
    loop->feed.node = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    if (loop->feed.node == NULL) {
        fb_error_set(error, "out of memory for %llu bytes of state",
                     (unsigned long long)size_bytes);
        return;
    }
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = fb_clock_ns();
    if (fb_node_init(loop->feed.node, size_bytes, config, seed) != FB_OK)
        fb_error_set(error, "core: its settings contradict each other");
    loop->objects.node = loop->feed.node;
    if (!fb_error_is_set(error))
        fb_recorder_open(&loop->recorder, &loop->uring, loop->settings, seed, error);
}

uint32_t loop_works_count(const struct fb_config *config)
{
    uint64_t count = config->fills_max * FB_ATTEMPTS_MAX + config->device_writes_max +
                     config->drains_max + config->metas_max + config->names_max +
                     2; /* the scan, the list of unfinished names */
    FB_ASSERT(count + config->puts_max <= UINT32_MAX);
    return (uint32_t)(count + (config->erasure_data > 0 ? config->puts_max : 0));
}

static void works_open(struct fb_loop *loop, struct fb_error *error)
{
    loop->work_count = loop_works_count(&loop->settings->core);
    loop->works = calloc(loop->work_count, sizeof(*loop->works));
    if (loop->works == NULL) {
        fb_error_set(error, "out of memory for %u operations", loop->work_count);
        return;
    }
    for (uint32_t i = loop->work_count; i-- > 0;) {
        loop->works[i].loop = loop;
        loop->works[i].next = loop->work_free;
        loop->work_free = &loop->works[i];
    }
    FB_ASSERT(loop->work_free == loop->works);
}

/* As much of it as may be had without asking the operator. */
static void limit_raise(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
}

static unsigned long long locked_bytes_max(void)
{
    struct rlimit limit = {.rlim_cur = 0};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return limit.rlim_cur;
}

/* The cache memory; registered with the ring where the limit on locked memory allows. Where it does
 * not, all works, but the kernel looks up the pages of each read and write of the drive. */
static void memory_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_config *config = &loop->settings->core;
    uint64_t block = config->block_size_bytes;
    FB_ASSERT(block > 0);
    uint64_t size_bytes = config->memory_size_bytes / block * block;
    int code = fb_mapping_open(&loop->memory, "forebay-cache", size_bytes, true);
    if (code != 0) {
        fb_error_set(error, "core.memory_size: cannot map %llu bytes: %s: lower it",
                     (unsigned long long)size_bytes, strerror(-code));
        return;
    }
    code = fb_uring_register(&loop->uring, loop->memory.bytes, slice_bytes_max / block * block);
    if (code != 0)
        fb_log(FB_LOG_WARNING, "memory_not_registered",
               "reason=\"%s\" size=%llu limit=%llu ring_entries=%u effect=\"reads and writes of "
               "the drive cost more "
               "processor time\" remedy=\"raise the limit on locked memory "
               "(LimitMEMLOCK=infinity, ulimit -l)\"",
               strerror(-code), (unsigned long long)size_bytes, locked_bytes_max(),
               loop->uring.ring.sq.ring_entries);
}

static void headers_open(struct fb_loop *loop, struct fb_error *error)
{
    fb_headers_open(&loop->headers, loop->settings, error);
    if (fb_error_is_set(error) || loop->headers.file < 0)
        return;
    const struct fb_headers *headers = &loop->headers;
    if (!fb_drive_is_same(&loop->drive, headers->file))
        fb_error_set(error, "device.path %s was replaced while it was opened",
                     loop->settings->device_path);
    uint64_t faults = headers->head_faults + headers->faults;
    fb_log(faults + headers->cleared > 0 ? FB_LOG_WARNING : FB_LOG_INFO, "headers_open",
           "new=%d owed_blocks=%" PRIu64 " owed_bytes=%" PRIu64 " heads_mended=%" PRIu64
           " headers_mended=%" PRIu64 " headers_cleared=%" PRIu64,
           headers->is_new, headers->owed_blocks, headers->owed_bytes, headers->head_faults,
           headers->faults, headers->cleared);
    if (headers->discarded_blocks > 0)
        fb_log(FB_LOG_ERROR, "owed_discarded",
               "path=%s blocks=%" PRIu64 " bytes=%" PRIu64 " reason=\"--discard-owed\"",
               loop->settings->device_path, headers->discarded_blocks, headers->discarded_bytes);
}

/* A ring counts as locked memory, too: a smaller one is better than none. */
static void ring_open(struct fb_loop *loop, struct fb_error *error)
{
    int code = -ENOMEM;
    for (uint32_t entries = RING_ENTRIES_MAX; code == -ENOMEM && entries >= RING_ENTRIES_MIN;
         entries /= 2)
        code = fb_uring_open(&loop->uring, entries);
    loop->has_ring = code == 0;
    if (code == -ENOMEM)
        fb_error_set(error,
                     "io_uring: no room for it within the limit on locked memory of %llu bytes: "
                     "raise it (LimitMEMLOCK=infinity, ulimit -l)",
                     locked_bytes_max());
    else if (code != 0)
        fb_error_set(error, "io_uring: %s: a kernel from 5.19 on with io_uring enabled is needed",
                     strerror(-code));
}

static void origin_collect(struct fb_origin *origin, const struct fb_object *object)
{
    fb_names_collect(&FB_CONTAINER(origin, struct fb_loop, origin)->names, object);
}

static void origin_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_origin_context context = {.settings = loop->settings,
                                              .uring = &loop->uring,
                                              .offload = &loop->offload,
                                              .collect = origin_collect};
    fb_origin_open(&loop->origin, &context, error);
}

static void names_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_names_context context = {
        .settings = loop->settings, .objects = &loop->objects, .feed = &loop->feed};
    fb_names_open(&loop->names, &context, error);
}

static void loop_report(struct fb_loop *loop, struct fb_report *report)
{
    *report = (struct fb_report){.settings = loop->settings,
                                 .node = loop->feed.node,
                                 .standing = &loop->standing,
                                 .objects = &loop->objects,
                                 .tcp = &loop->tcp,
                                 .local = &loop->local,
                                 .meta = &loop->meta,
                                 .names = &loop->names,
                                 .drive = &loop->drive,
                                 .headers = &loop->headers,
                                 .now_ns = loop->feed.now_ns,
                                 .start_ns = loop->start_ns,
                                 .registered_bytes = loop->uring.registered.size,
                                 .unnamed_blocks = loop->unnamed.blocks,
                                 .unnamed_bytes = loop->unnamed.bytes,
                                 .unnamed_name = loop->unnamed.name,
                                 .pages_pushed_out = loop->http.pushed_out,
                                 .member_count = loop->member_count,
                                 .members_left_out = loop->members_left_out};
    if (loop->belonging.step == FB_BELONGING_DONE)
        report->identities = loop->belonging.found;
    report->is_ready = fb_ready_is(&loop->ready, report->reason);
}

static void tcp_sweep_soon(struct fb_tcp *tcp)
{
    loop_sweep_soon(FB_CONTAINER(tcp, struct fb_loop, tcp));
}

static void tcp_hear(struct fb_tcp *tcp, uint32_t node, const struct fb_wire_frame *frame)
{
    struct fb_report report;
    loop_report(FB_CONTAINER(tcp, struct fb_loop, tcp), &report);
    fb_summary_heard(tcp, &report, node, frame);
}

static void tcp_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_tcp_context context = {.settings = loop->settings,
                                           .uring = &loop->uring,
                                           .memory = &loop->memory,
                                           .objects = &loop->objects,
                                           .feed = &loop->feed,
                                           .standing = &loop->standing,
                                           .sweep_soon = tcp_sweep_soon,
                                           .hear = tcp_hear};
    fb_tcp_open(&loop->tcp, &context, error);
}

static void local_sweep_soon(struct fb_local *local)
{
    loop_sweep_soon(FB_CONTAINER(local, struct fb_loop, local));
}

static uint32_t local_status(struct fb_local *local, bool asks_others, char *text, uint32_t size)
{
    struct fb_loop *loop = FB_CONTAINER(local, struct fb_loop, local);
    struct fb_report report;
    loop_report(loop, &report);
    if (asks_others)
        fb_summaries_ask(&loop->tcp, &report);
    return fb_status_print(&report, text, size);
}

static void local_drain(struct fb_local *local, enum fb_local_drain wish)
{
    struct fb_loop *loop = FB_CONTAINER(local, struct fb_loop, local);
    loop->standing.is_resting = wish != FB_LOCAL_DRAIN_END;
    if (wish == FB_LOCAL_DRAIN_LEAVE && !loop->standing.is_draining)
        loop_stop(loop);
}

static void local_open(struct fb_loop *loop, struct fb_error *error)
{
    struct fb_budget budget = {.clients_max = 0};
    struct fb_local_context context = {.settings = loop->settings,
                                       .uring = &loop->uring,
                                       .memory = &loop->memory,
                                       .objects = &loop->objects,
                                       .feed = &loop->feed,
                                       .standing = &loop->standing,
                                       .origin = &loop->origin,
                                       .meta = &loop->meta,
                                       .names = &loop->names,
                                       .sweep_soon = local_sweep_soon,
                                       .status = local_status,
                                       .drain = local_drain};
    bool has_clients = loop->settings->socket_path[0] != '\0';
    if (has_clients)
        fb_budget_make(loop->settings, &budget, error);
    if (has_clients && !fb_error_is_set(error))
        fb_budget_bound(&budget, loop->settings, error);
    if (fb_error_is_set(error))
        return;
    context.sessions_max = budget.clients_max;
    context.bound = budget.bound;
    fb_local_open(&loop->local, &context, error);
}

static void http_sweep_soon(struct fb_http *http)
{
    loop_sweep_soon(FB_CONTAINER(http, struct fb_loop, http));
}

static void http_report(struct fb_http *http, struct fb_report *report)
{
    loop_report(FB_CONTAINER(http, struct fb_loop, http), report);
}

static void http_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_http_context context = {.settings = loop->settings,
                                            .uring = &loop->uring,
                                            .report = http_report,
                                            .sweep_soon = http_sweep_soon};
    fb_http_open(&loop->http, &context, error);
}

static void parts_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_settings *settings = loop->settings;
    ring_open(loop, error);
    if (!fb_error_is_set(error))
        memory_open(loop, error);
    if (!fb_error_is_set(error) && !fb_objects_open(&loop->objects, settings->objects_max))
        fb_error_set(error, "out of memory for %u objects", settings->objects_max);
    if (!fb_error_is_set(error) &&
        fb_offload_open(&loop->offload, &loop->uring, settings->workers) != 0)
        fb_error_set(error, "workers: cannot start %u threads", settings->workers);
    if (!fb_error_is_set(error))
        works_open(loop, error);
    if (!fb_error_is_set(error))
        node_open(loop, error);
    if (!fb_error_is_set(error))
        fb_drive_open(&loop->drive, settings, error);
    if (!fb_error_is_set(error))
        headers_open(loop, error);
    if (!fb_error_is_set(error))
        origin_open(loop, error);
    if (!fb_error_is_set(error))
        fb_meta_open(&loop->meta, &loop->uring, settings, error);
    if (!fb_error_is_set(error))
        names_open(loop, error);
    if (!fb_error_is_set(error))
        fb_belonging_open(loop, error);
    if (!fb_error_is_set(error))
        loop_signals_open(loop, error);
    if (!fb_error_is_set(error))
        tcp_open(loop, error);
    if (!fb_error_is_set(error)) /* from now on others may come */
        loop_members_open(loop, error);
    if (!fb_error_is_set(error))
        local_open(loop, error);
    if (!fb_error_is_set(error))
        http_open(loop, error);
}

struct fb_loop *fb_loop_open(const struct fb_settings *settings, struct fb_error *error)
{
    struct fb_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        fb_error_set(error, "out of memory");
        return NULL;
    }
    loop->settings = settings;
    loop->feed.event = feed_event;
    loop->ready.context = (struct fb_ready_context){.settings = settings,
                                                    .feed = &loop->feed,
                                                    .standing = &loop->standing,
                                                    .drive = &loop->drive,
                                                    .names = &loop->names,
                                                    .origin = &loop->origin,
                                                    .meta = &loop->meta};
    loop->memory.file = -1;
    loop->drive.file = -1;
    loop->headers.file = -1;
    loop->recorder.file = -1;
    loop->tcp.listener = -1;
    loop->local.listener = -1;
    loop->http.listener = -1;
    loop->signal_file = -1;
    loop->spin_ns = settings->spin_ns;
    loop->feed.now_ns = fb_clock_ns();
    loop->start_ns = loop->feed.now_ns;
    limit_raise(RLIMIT_NOFILE);
    limit_raise(RLIMIT_MEMLOCK);
    parts_open(loop, error);
    if (fb_error_is_set(error)) {
        fb_loop_close(loop);
        return NULL;
    }
    return loop;
}

void fb_loop_close(struct fb_loop *loop)
{
    fb_members_close(loop->members);
    fb_origin_close(&loop->origin); /* its thread hands over to offload's */
    fb_offload_close(&loop->offload);
    fb_meta_close(&loop->meta);
    fb_recorder_close(&loop->recorder);
    if (loop->has_ring)
        fb_uring_close(&loop->uring); /* waits for what is in flight */
    fb_http_close(&loop->http);
    fb_local_close(&loop->local, loop->settings);
    fb_tcp_close(&loop->tcp);
    fb_headers_close(&loop->headers);
    fb_drive_close(&loop->drive);
    if (loop->signal_file >= 0)
        close(loop->signal_file);
    fb_objects_close(&loop->objects);
    fb_names_close(&loop->names);
    fb_mapping_close(&loop->memory);
    free(loop->works);
    free(loop->feed.node);
    free(loop->view);
    free(loop);
}
