/* The KV trace: request i belongs to node i mod nodes; a node handles its own in order: match, get
 * what matched, put the rest. As in sim/clients/kv.c; the pieces of a request that are in flight at
 * once are that many threads here, since the library's KV calls wait. */
#include "tests/cluster/play.h"

#include "models/trace/trace_file.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct kv_request {
    const struct forebay_key *keys;
    uint32_t count, matched;
    uint32_t size_bytes;
    atomic_uint next, absent;
};

struct kv_thread {
    struct forebay_client *client;
    struct kv_request *request;
    uint64_t *bytes;
    pthread_t thread;
};

/* As in sim/clients/kv.c. */
static uint32_t group_start(uint32_t i)
{
    uint32_t start = 0;
    for (uint32_t next = 2; next <= i; next *= 4)
        start = next;
    return start;
}

static void pause_after_busy(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

static void block_put(struct kv_thread *thread, uint32_t i)
{
    const struct kv_request *request = thread->request;
    int code;
    play_fill(thread->bytes, request->size_bytes, request->keys[i].low, 0);
    while ((code = forebay_kv_put(thread->client, request->keys[i], thread->bytes,
                                  request->size_bytes)) == -EBUSY ||
           code == -ENOSPC)
        pause_after_busy();
    if (code != 0)
        play_fail("kv_put", code);
}

/* A block that was evicted since the match is put again. */
static void block_move(struct kv_thread *thread, uint32_t i)
{
    struct kv_request *request = thread->request;
    int code = -ENOENT;
    if (i < request->matched)
        while ((code = forebay_kv_get(thread->client, request->keys[i], thread->bytes,
                                      request->size_bytes)) == -EBUSY)
            pause_after_busy();
    if (code == 0)
        play_check(thread->bytes, request->size_bytes, request->keys[i].low, 0);
    else if (code != -ENOENT)
        play_fail("kv_get", code);
    else
        block_put(thread, i);
}

static void *thread_run(void *context)
{
    struct kv_thread *thread = context;
    for (;;) {
        uint32_t i = atomic_fetch_add(&thread->request->next, 1);
        if (i >= thread->request->count)
            return NULL;
        block_move(thread, i);
    }
}

static uint32_t request_play(struct play *play, struct kv_thread *threads,
                             struct kv_request *request)
{
    int matched;
    while ((matched = forebay_kv_match(play->client, request->keys, request->count)) == -EBUSY)
        pause_after_busy();
    if (matched < 0)
        play_fail("kv_match", matched);
    request->matched = (uint32_t)matched;
    uint32_t window = play->scenario->workload.kv.window;
    for (uint32_t i = 0; i < window; i++) {
        threads[i].request = request;
        int code = pthread_create(&threads[i].thread, NULL, thread_run, &threads[i]);
        if (code != 0)
            play_fail("thread", -code);
    }
    for (uint32_t i = 0; i < window; i++)
        pthread_join(threads[i].thread, NULL);
    return request->matched;
}

static void threads_open(struct play *play, struct kv_thread *threads)
{
    for (uint32_t i = 0; i < play->scenario->workload.kv.window; i++) {
        int code = forebay_client_open(play->socket, &threads[i].client);
        threads[i].bytes = play_allocate(play->scenario->core.block_size_bytes);
        if (code != 0)
            play_fail(play->socket, code);
    }
}

static void arrival_wait(const struct play *play, const struct fb_trace_request *request)
{
    double after_ns = (double)request->arrival_ns / play->scenario->workload.kv.speed;
    uint64_t at_ns = play->start_ns + (uint64_t)after_ns;
    const struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000),
                                .tv_nsec = (long)(at_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

void play_kv(struct play *play)
{
    const struct fb_kv *spec = &play->scenario->workload.kv;
    struct fb_trace_file trace;
    struct fb_error error = {.text = ""};
    struct kv_thread threads[FB_KV_WINDOW_MAX] = {{.client = NULL}};
    struct forebay_key keys[FB_MATCH_KEYS_MAX];
    uint64_t references = 0, hits = 0;
    fb_trace_file_load(spec->trace, &trace, &error);
    if (fb_error_is_set(&error))
        play_fail(error.text, -EINVAL);
    uint64_t count = trace.request_count;
    if (spec->requests_max > 0 && spec->requests_max < count)
        count = spec->requests_max;
    threads_open(play, threads);
    for (uint64_t i = play->node; i < count; i += play->scenario->nodes) {
        const struct fb_trace_request *line = &trace.requests[i];
        const uint64_t *blocks = trace.blocks + line->first;
        for (uint32_t k = 0; k < line->block_count; k++)
            keys[k] = (struct forebay_key){.high = fb_mix(blocks[group_start(k)] + 1),
                                           .low = fb_mix(blocks[k] + 2)};
        struct kv_request request = {.keys = keys,
                                     .count = line->block_count,
                                     .size_bytes = (uint32_t)play->scenario->core.block_size_bytes};
        arrival_wait(play, line);
        references += line->block_count;
        hits += request_play(play, threads, &request);
    }
    printf("{\"kv_s\": %.6f, \"references\": %" PRIu64 ", \"hits\": %" PRIu64 "}\n",
           (double)(play_now_ns() - play->start_ns) * 1e-9, references, hits);
    for (uint32_t i = 0; i < spec->window; i++) {
        forebay_client_close(threads[i].client);
        free(threads[i].bytes);
    }
    fb_trace_file_free(&trace);
}
