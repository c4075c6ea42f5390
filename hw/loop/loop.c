/* See loop.h and loop_internal.h. Order of a round: what the workers ended, ticks that are due,
 * then sending what that made to peers and waiting for completions, each of which is handled at
 * once. */
#include "base/clock.h"
#include "core/panic.h"
#include "hw/loop/loop.h"
#include "hw/loop/loop_internal.h"
#include "hw/loop/reload.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { LEFT_LOGGED_MAX = 8, TICKS_AT_ONCE_MAX = 1000, SWEEPS_PER_TIMEOUT = 8 };

static const uint64_t sweep_ns_max = 250000000; /* what is recorded is written that often */

void loop_step(struct fb_loop *loop, const struct fb_event *event)
{
    struct fb_op ops[FB_STEP_OPS_MAX];
    uint32_t count = fb_node_step(loop->feed.node, loop->feed.now_ns, event, ops);
    FB_ASSERT(count <= FB_STEP_OPS_MAX);
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

/* Told to stop, and there is nothing to wait for any more. */
static bool loop_is_over(const struct fb_loop *loop)
{
    if (!loop->standing.is_draining)
        return false;
    bool is_left = fb_node_undrained_bytes(loop->feed.node) > 0 ||
                   fb_local_writing(&loop->local) > 0 || fb_node_is_recovering(loop->feed.node) ||
                   fb_node_unfinished_names(loop->feed.node) > fb_node_bad_names(loop->feed.node);
    if (loop->settings->is_draining_only) /* what is owed may have been found by nobody yet */
        is_left = is_left || loop->headers.owed_blocks > 0;
    return !is_left || loop->feed.now_ns >= loop->stop_ns;
}

static void loop_sweep(struct fb_loop *loop)
{
    loop->feed.now_ns = fb_clock_ns();
    if (loop->feed.now_ns < loop->sweep_ns)
        return;
    uint64_t interval_ns = loop->settings->peer_timeout_ns / SWEEPS_PER_TIMEOUT;
    loop->sweep_ns = loop->feed.now_ns + (interval_ns < sweep_ns_max ? interval_ns : sweep_ns_max);
    fb_tcp_sweep(&loop->tcp);
    fb_local_sweep(&loop->local);
    fb_http_sweep(&loop->http);
    fb_belonging_sweep(loop);
    fb_unnamed_sweep(loop);
    fb_ready_sweep(&loop->ready);
    fb_meta_sweep(&loop->meta, loop->feed.now_ns);
    drive_sweep(loop);
    fb_names_sweep(&loop->names);
    fb_origin_sweep(&loop->origin);
    loop->may_end = loop_is_over(loop);
    fb_recorder_flush(&loop->recorder, loop->feed.now_ns);
}

/* The loop slept: would looking for longer have been better, or not at all? Where clients share the
 * loop's processor they write nothing while it looks. */
static void spin_learn(struct fb_loop *loop, uint64_t slept_ns)
{
    uint64_t most_ns = loop->settings->spin_ns;
    FB_ASSERT(loop->spin_ns <= most_ns);
    loop->spin_ns = slept_ns < most_ns / 2 ? most_ns : loop->spin_ns / 2;
}

static int loop_wait(struct fb_loop *loop, uint64_t patience_ns)
{
    uint64_t begun_ns = patience_ns > 0 ? fb_clock_ns() : 0;
    int code = fb_uring_wait(&loop->uring, patience_ns);
    fb_local_awake(&loop->local);
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
    FB_ASSERT(deadline_ns > now_ns);
    return fb_local_may_sleep(&loop->local) ? deadline_ns - now_ns : 0;
}

/* Errors: -errno. */
static int loop_round(struct fb_loop *loop)
{
    uint32_t done = fb_offload_finish(&loop->offload);
    loop_sweep(loop);
    loop_tick(loop);
    done += fb_local_work(&loop->local);
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
    FB_ASSERT(loop->has_ring);
    loop->standing.is_draining = loop->settings->is_draining_only;
    loop->stop_ns = FB_NEVER_NS;
    do {
        loop->may_end = false;
        int code = loop_round(loop);
        if (code < 0) {
            fb_error_set(error, "io_uring: %s", strerror(-code));
            return;
        }
    } while (!loop->standing.is_stopping && (!loop->may_end || !loop_is_over(loop)));
    loop->standing.is_stopping = true;
    fb_belonging_end(loop, error);
    if (!fb_error_is_set(error))
        left_say(loop, error);
}

void loop_stop(struct fb_loop *loop)
{
    uint64_t patience_ns = loop->standing.is_draining ? 0 : loop->settings->stop_patience_ns;
    loop->standing.is_draining = true;
    loop->stop_ns = fb_clock_ns() + patience_ns; /* told twice: no more */
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

void loop_signals_open(struct fb_loop *loop, struct fb_error *error)
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
