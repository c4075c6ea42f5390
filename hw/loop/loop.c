/* See loop.h and loop_internal.h. Order of a round: what the workers ended, ticks that are due,
 * then sending what that made to peers and waiting for completions, each of which is handled at
 * once. */
#include "core/panic.h"
#include "core/place/membership.h"
#include "hw/base/clock.h"
#include "hw/loop/loop_internal.h"
#include "hw/loop/reload.h"
#include "hw/ops/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    RING_ENTRIES_MAX = 4096,
    RING_ENTRIES_MIN = 256,
    LEFT_LOGGED_MAX = 8,
    TICKS_AT_ONCE_MAX = 1000,
    SWEEPS_PER_TIMEOUT = 8
};

static const uint64_t sweep_ns_max = 250000000; /* what is recorded is written that often */
static const uint64_t slice_bytes_max = UINT64_C(1) << 30; /* of one registered buffer */

/* One step, at loop->feed.now_ns. */
static void loop_step(struct fb_loop *loop, const struct fb_event *event)
{
    struct fb_op ops[FB_STEP_OPS_MAX];
    uint32_t count = fb_node_step(loop->feed.node, loop->feed.now_ns, event, ops);
    fb_recorder_ops(&loop->recorder, loop->feed.now_ns, ops, count);
    for (uint32_t i = 0; i < count; i++)
        loop_op(loop, &ops[i]);
}

void loop_event(struct fb_loop *loop, const struct fb_event *event)
{
    loop->feed.now_ns = fb_clock_ns();
    fb_recorder_event(&loop->recorder, loop->feed.now_ns, event);
    loop_step(loop, event);
}

static void feed_event(struct fb_feed *feed, const struct fb_event *event)
{
    loop_event(FB_CONTAINER(feed, struct fb_loop, feed), event);
}

void loop_sweep_soon(struct fb_loop *loop)
{
    uint64_t soon_ns = fb_clock_ns() + fb_stranger_stay_ns / 4;
    if (soon_ns < loop->sweep_ns)
        loop->sweep_ns = soon_ns;
}

/* TICKs that are due (R2). After a long pause of the process there are many: what came over sockets
 * meanwhile has its turn in between. */
static void loop_tick(struct fb_loop *loop)
{
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    for (uint32_t i = 0;
         i < TICKS_AT_ONCE_MAX && fb_node_deadline_ns(loop->feed.node) <= fb_clock_ns(); i++)
        loop_event(loop, &tick);
}

/* Told to stop: is there still something to wait for? */
static void loop_drain(struct fb_loop *loop)
{
    if (!loop->standing.is_draining)
        return;
    bool is_left = fb_node_undrained_bytes(loop->feed.node) > 0 || fb_local_writing(loop) > 0 ||
                   fb_node_is_recovering(loop->feed.node) ||
                   fb_node_unfinished_names(loop->feed.node) > fb_node_bad_names(loop->feed.node);
    if (loop->settings->is_draining_only) /* what is owed may have been found by nobody yet */
        is_left = is_left || loop->headers.owed_blocks > 0;
    if (!is_left || loop->feed.now_ns >= loop->stop_ns)
        loop->standing.is_stopping = true;
}

static void loop_sweep(struct fb_loop *loop)
{
    loop->feed.now_ns = fb_clock_ns();
    if (loop->feed.now_ns < loop->sweep_ns)
        return;
    uint64_t interval_ns = loop->settings->peer_timeout_ns / SWEEPS_PER_TIMEOUT;
    loop->sweep_ns = loop->feed.now_ns + (interval_ns < sweep_ns_max ? interval_ns : sweep_ns_max);
    fb_tcp_sweep(&loop->tcp);
    fb_local_sweep(loop);
    fb_http_sweep(loop);
    fb_ready_sweep(loop);
    fb_meta_sweep(&loop->meta, loop->feed.now_ns);
    drive_sweep(loop);
    fb_names_sweep(&loop->names);
    fb_origin_sweep(&loop->origin);
    loop_drain(loop);
    fb_recorder_flush(&loop->recorder, loop->feed.now_ns);
}

/* The loop slept: would looking for longer have been better, or not at all? Where clients share the
 * loop's processor they write nothing while it looks. */
static void spin_learn(struct fb_loop *loop, uint64_t slept_ns)
{
    uint64_t most_ns = loop->settings->spin_ns;
    loop->spin_ns = slept_ns < most_ns / 2 ? most_ns : loop->spin_ns / 2;
}

static int loop_wait(struct fb_loop *loop, uint64_t patience_ns)
{
    uint64_t begun_ns = patience_ns > 0 ? fb_clock_ns() : 0;
    int code = fb_uring_wait(&loop->uring, patience_ns);
    fb_local_awake(loop);
    if (patience_ns > 0)
        spin_learn(loop, fb_clock_ns() - begun_ns);
    return code;
}

/* How long the loop may wait for completions; 0: there is something to do. */
static uint64_t loop_patience_ns(struct fb_loop *loop, bool was_busy)
{
    uint64_t now_ns = fb_clock_ns();
    uint64_t deadline_ns = fb_node_deadline_ns(loop->feed.node);
    if (deadline_ns > loop->sweep_ns)
        deadline_ns = loop->sweep_ns;
    if (was_busy)
        loop->busy_ns = now_ns;
    bool is_due = was_busy || deadline_ns <= now_ns || loop->offload.own.head != NULL;
    if (is_due || now_ns - loop->busy_ns < loop->spin_ns)
        return 0;
    return fb_local_may_sleep(loop) ? deadline_ns - now_ns : 0;
}

/* Errors: -errno. */
static int loop_round(struct fb_loop *loop)
{
    uint32_t done = fb_offload_finish(&loop->offload);
    loop_sweep(loop);
    loop_tick(loop);
    done += fb_local_work(loop);
    fb_tcp_flush(&loop->tcp);
    return loop_wait(loop, loop_patience_ns(loop, done > 0));
}

/* Of which objects? The first few. */
static void left_log(struct fb_loop *loop)
{
    uint32_t cursor = FB_NONE, size;
    char quoted[FB_LOG_QUOTE_MAX];
    for (uint32_t i = 0; i < LEFT_LOGGED_MAX; i++) {
        uint64_t handle = fb_node_owed_next(loop->feed.node, &cursor, &size);
        if (cursor == FB_NONE)
            return;
        const struct fb_object *object = fb_objects_find(&loop->objects, handle);
        fb_log(FB_LOG_WARNING, "left_owed", "bytes=%u version=%llu written=%d refusal=%s object=%s",
               size, object != NULL ? (unsigned long long)object->version : 0,
               object != NULL && object->is_written,
               fb_status_name(object != NULL ? object->refusal : FB_OK),
               fb_log_quote(object != NULL ? object->name : "", quoted));
    }
}

/* What is acknowledged and not at the origin, when the daemon ends. */
static void left_say(struct fb_loop *loop, struct fb_error *error)
{
    uint64_t left_bytes = fb_node_undrained_bytes(loop->feed.node);
    uint64_t owed_bytes = loop->headers.owed_bytes;
    left_log(loop);
    if (left_bytes > 0)
        fb_error_set(error,
                     "stopped with %" PRIu64 " acknowledged bytes that are not at the origin from "
                     "here (%" PRIu64
                     " are owed on device.path, and drained after the next start): "
                     "other holders drain them; raise stop_patience to wait longer",
                     left_bytes, owed_bytes);
    else if (owed_bytes > 0)
        fb_error_set(error,
                     "stopped with %" PRIu64 " bytes owed on device.path that could not be drained "
                     "in this run: start again with these settings, or see the log",
                     owed_bytes);
    else if (fb_node_unfinished_names(loop->feed.node) > 0)
        fb_error_set(error,
                     "stopped with %u names whose commits the origin does not show yet: they are "
                     "finished after the next start, or by others; forebay lost says which cannot "
                     "be",
                     fb_node_unfinished_names(loop->feed.node));
}

void fb_loop_run(struct fb_loop *loop, struct fb_error *error)
{
    loop->standing.is_draining = loop->settings->is_draining_only;
    loop->stop_ns = FB_NEVER_NS;
    while (!loop->standing.is_stopping) {
        int code = loop_round(loop);
        if (code < 0) {
            fb_error_set(error, "io_uring: %s", strerror(-code));
            return;
        }
    }
    left_say(loop, error);
}

void loop_stop(struct fb_loop *loop)
{
    loop->standing.is_stopping = loop->standing.is_draining;
    loop->standing.is_draining = true;
    loop->stop_ns = fb_clock_ns() + loop->settings->stop_patience_ns;
    loop->sweep_ns = 0; /* looks at once whether there is anything to wait for */
    const struct fb_event drain = {.kind = FB_EVENT_REQUEST, .request = {.kind = FB_REQUEST_DRAIN}};
    loop_event(loop, &drain);
}

static void signal_done(struct fb_io *io, int32_t result)
{
    struct fb_loop *loop = FB_CONTAINER(io, struct fb_loop, signal);
    struct signalfd_siginfo info;
    if (result < 0)
        return;
    bool is_read = read(loop->signal_file, &info, sizeof(info)) == sizeof(info);
    if (is_read && info.ssi_signo == SIGHUP) {
        fb_reload_run();
        fb_origin_reload(&loop->origin);
    } else if (is_read && (info.ssi_signo != SIGXCPU || !loop->standing.is_draining)) {
        fb_log(FB_LOG_INFO, "stopping", "signal=%u undrained_bytes=%llu", info.ssi_signo,
               (unsigned long long)fb_node_undrained_bytes(loop->feed.node));
        loop_stop(loop);
    }
    fb_uring_poll(&loop->uring, &loop->signal, loop->signal_file);
}

static void signal_open(struct fb_loop *loop, struct fb_error *error)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGXCPU);
    loop->signal_file = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_file < 0) {
        fb_error_set(error, "signalfd: %s", strerror(errno));
        return;
    }
    fb_io_init(&loop->signal, signal_done);
    fb_uring_poll(&loop->uring, &loop->signal, loop->signal_file);
}

/* Makes the members the node's view; the one before goes. false: no view can be made of them. */
static bool view_set(struct fb_loop *loop, const struct fb_member_settings *list, uint32_t count,
                     uint64_t version)
{
    const struct fb_settings *settings = loop->settings;
    if (count == 0)
        return false;
    uint64_t size_bytes = fb_view_size_bytes(count);
    struct fb_member *members = calloc(count, sizeof(*members));
    struct fb_view *view = aligned_alloc(8, (size_bytes + 7) / 8 * 8);
    FB_ASSERT(members != NULL && view != NULL);
    for (uint32_t i = 0; i < count; i++)
        members[i] = list[i].member;
    uint32_t ranks = settings->core.replicas < count ? (uint32_t)settings->core.replicas : count;
    const struct fb_view_plan plan = {.version = version,
                                      .members = members,
                                      .member_count = count,
                                      .ranks_count = ranks,
                                      .placement = (enum fb_placement)settings->core.placement};
    bool is_fine = fb_view_build_plan(view, size_bytes, &plan) == FB_OK;
    if (is_fine) {
        const struct fb_record_view record = {
            .version = version, .ranks_count = ranks, .member_count = count};
        const struct fb_event event = {.kind = FB_EVENT_VIEW, .view = view};
        loop->feed.now_ns = fb_clock_ns();
        fb_recorder_view(&loop->recorder, loop->feed.now_ns, &record, members);
        loop_step(loop, &event);
        loop->member_count = count;
    }
    free(members);
    free(is_fine ? loop->view : view);
    loop->view = is_fine ? view : loop->view;
    return is_fine;
}

static void members_change(struct fb_members_context *context, const struct fb_member_list *list)
{
    struct fb_loop *loop = FB_CONTAINER(context, struct fb_loop, membership);
    struct fb_error error = {.text = ""};
    fb_tcp_peers_set(&loop->tcp, list->members, list->count, &error);
    bool is_fine =
        !fb_error_is_set(&error) && view_set(loop, list->members, list->count, list->revision);
    loop->members_left_out = list->left_out;
    fb_log(is_fine ? FB_LOG_INFO : FB_LOG_ERROR, "members_changed",
           "members=%u left_out=%u reason=\"%s\"", list->count, list->left_out,
           fb_error_is_set(&error) ? error.text
           : is_fine               ? ""
                                   : "no placement can be made of them: the last one stands");
}

static void members_fence(struct fb_members_context *context, uint64_t until_ns)
{
    struct fb_loop *loop = FB_CONTAINER(context, struct fb_loop, membership);
    bool is_fenced = until_ns == 0;
    if (is_fenced && !loop->was_fenced)
        fb_log(FB_LOG_ERROR, "fenced",
               "reason=\"the lease has run out\" remedy=\"it joins again when etcd answers\"");
    if (!is_fenced && loop->was_fenced)
        fb_log(FB_LOG_INFO, "rejoined", "node=%u", loop->settings->node);
    loop->was_fenced = is_fenced;
    loop->standing.member_until_ns = until_ns;
}

static void view_open(struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_settings *settings = loop->settings;
    struct fb_member_list list = {.members = NULL};
    loop->standing.member_until_ns = UINT64_MAX;
    loop->membership = (struct fb_members_context){.settings = settings,
                                                   .offload = &loop->offload,
                                                   .change = members_change,
                                                   .fence = members_fence};
    loop->members = fb_members_open(&loop->membership, error);
    if (fb_error_is_set(error))
        return;
    if (loop->members != NULL)
        list = fb_members_first(loop->members, &loop->standing.member_until_ns);
    bool is_fine = list.members != NULL
                       ? view_set(loop, list.members, list.count, list.revision)
                       : view_set(loop, settings->members, settings->member_count, 1);
    if (!is_fine)
        fb_error_set(error, "members: no placement can be made of them");
    if (!fb_error_is_set(error))
        fb_tcp_peers_set(&loop->tcp, list.members != NULL ? list.members : settings->members,
                         list.members != NULL ? list.count : settings->member_count, error);
    loop->members_left_out = list.left_out;
    fb_member_list_free(&list);
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

static void tcp_sweep_soon(struct fb_tcp *tcp)
{
    loop_sweep_soon(FB_CONTAINER(tcp, struct fb_loop, tcp));
}

static void tcp_hear(struct fb_tcp *tcp, uint32_t node, const struct fb_wire_frame *frame)
{
    fb_summary_heard(FB_CONTAINER(tcp, struct fb_loop, tcp), node, frame);
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
        signal_open(loop, error);
    if (!fb_error_is_set(error))
        tcp_open(loop, error);
    if (!fb_error_is_set(error)) /* from now on others may come */
        view_open(loop, error);
    if (!fb_error_is_set(error))
        fb_local_open(&loop->local, loop, error);
    if (!fb_error_is_set(error))
        fb_http_open(&loop->http, loop, error);
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
