/* A block is read by ranges, and stored in parts where the store has them, each a request of its
 * own (base/origin_client.h).
 *
 *     task --> requests, as they are free --> all have ended well: the block is there
 *                 |
 *                 '-- one has failed: once more, within the tries of the block; for good: the
 *                     others end at once, and the block has failed
 *
 *  1. Ranges that fail before the next try has begun are one try together, and begin the next
 *     together: a store that is asked too much refuses many at once.
 *  2. All ranges are of one object: each answer has its version, and all have the same ETag. A
 *     block of two ETags, or of a server that gives the whole for a range, is asked for once more
 *     in one request, which cannot mix. */
#include "hw/origin/origin_http.h"
#include "hw/origin/http_range.h"

#include "base/origin_client.h"
#include "core/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static bool is_block(const struct fb_origin_task *task)
{
    return task->verb == FB_ORIGIN_FETCH || task->verb == FB_ORIGIN_STORE;
}

static uint64_t part_bytes(const struct http_origin *http, const struct fb_origin_task *task)
{
    uint64_t part = http->settings->part_bytes;
    return task->verb == FB_ORIGIN_FETCH
               ? part
               : fb_origin_store_part(part, http->dialect->store_part_bytes_min);
}

void http_range_open(const struct http_origin *http, struct fb_origin_task *task)
{
    task->ranges = (struct fb_origin_ranges){.begun = 0};
    if (task->verb == FB_ORIGIN_STORE &&
        fb_origin_parts(part_bytes(http, task), task->bytes.size) > 1)
        task->ranges.stage = FB_STAGE_BEFORE;
}

void http_range_drop(struct fb_origin_task *task)
{
    free(task->ranges.upload);
    task->ranges.upload = NULL;
}

uint64_t http_range_parts(const struct http_request *request)
{
    return fb_origin_parts(part_bytes(request->http, request->task), request->task->bytes.size);
}

bool http_range_take(struct http_request *request)
{
    struct fb_origin_task *task = request->task;
    FB_ASSERT(task != NULL);
    if (!is_block(task))
        return true;
    FB_ASSERT(task->ranges.begun < task->bytes.size || task->bytes.size == 0);
    if (task->ranges.stage == FB_STAGE_BEFORE) {
        task->ranges.count = 1;
        return true;
    }
    request->range_offset = task->ranges.begun;
    request->range_bytes =
        fb_origin_part(part_bytes(request->http, task), task->bytes.size, task->ranges.begun);
    task->ranges.begun += request->range_bytes;
    task->ranges.count++;
    FB_ASSERT(task->ranges.begun <= task->bytes.size);
    return task->ranges.begun == task->bytes.size;
}

void http_range_print(const struct http_request *request, char text[HTTP_RANGE_BYTES])
{
    uint64_t first = request->task->offset + request->range_offset;
    FB_ASSERT(request->range_bytes > 0);
    FB_ASSERT(request->range_offset + request->range_bytes <= request->task->bytes.size);
    snprintf(text, HTTP_RANGE_BYTES, "bytes=%llu-%llu", (unsigned long long)first,
             (unsigned long long)(first + request->range_bytes - 1));
}

void http_range_start(struct http_request *request)
{
    if (is_block(request->task))
        request->tries = request->task->ranges.failed + 1;
}

bool http_range_agrees(struct http_request *request)
{
    struct fb_origin_task *task = request->task;
    uint64_t etag = XXH3_64bits(request->said.etag, strlen(request->said.etag)) | 1;
    bool is_same = task->ranges.etag == 0 || task->ranges.etag == etag;
    task->ranges.etag = etag;
    return is_same;
}

bool http_range_may_try(struct http_request *request)
{
    struct fb_origin_task *task = request->task;
    if (!is_block(task))
        return request->tries < request->http->settings->tries_max;
    if (request->tries > task->ranges.failed) {
        task->ranges.failed = request->tries;
        task->ranges.retry_ns = 0;
    }
    return task->ranges.failed < request->http->settings->tries_max;
}

uint64_t http_range_retry_ns(const struct http_request *request, uint64_t at_ns)
{
    struct fb_origin_task *task = request->task;
    if (!is_block(task))
        return at_ns;
    bool is_asked = request->said.retry_after_s > 0 && at_ns > task->ranges.retry_ns;
    if (task->ranges.retry_ns == 0 || is_asked)
        task->ranges.retry_ns = at_ns;
    return task->ranges.retry_ns;
}

/* The task's other requests end, without a word. */
static void others_drop(struct http_request *request)
{
    struct http_origin *http = request->http;
    for (uint32_t i = 0; i < http->settings->requests_max; i++) {
        struct http_request *other = &http->requests[i];
        if (other == request || other->task != request->task)
            continue;
        struct http_request **at = &http->pausing;
        while (*at != NULL && *at != other)
            at = &(*at)->next;
        if (*at == other)
            *at = other->next;
        else
            curl_multi_remove_handle(http->multi, other->easy);
        http_request_free(other);
    }
}

/* What of it has not begun does not begin. */
static void todo_drop(struct http_origin *http, const struct fb_origin_task *task)
{
    struct fb_origin_task *last = NULL;
    pthread_mutex_lock(&http->mutex);
    for (struct fb_origin_task **at = &http->todo_head; *at != NULL;) {
        if (*at == task) {
            *at = task->next;
            continue;
        }
        last = *at;
        at = &last->next;
    }
    http->todo_tail = last;
    pthread_mutex_unlock(&http->mutex);
}

void http_range_alone(struct http_request *request)
{
    struct fb_origin_task *task = request->task;
    if (task->ranges.begun < task->bytes.size)
        todo_drop(request->http, task);
    if (task->ranges.count > 1)
        others_drop(request);
    task->ranges.begun = task->bytes.size;
    task->ranges.count = 1;
}

void http_range_continue(struct http_request *request)
{
    struct http_origin *http = request->http;
    struct fb_origin_task *task = request->task;
    task->ranges.count = 0;
    if (http_range_take(request))
        return;
    pthread_mutex_lock(&http->mutex);
    task->next = http->todo_head;
    http->todo_head = task;
    if (http->todo_tail == NULL)
        http->todo_tail = task;
    pthread_mutex_unlock(&http->mutex);
}

bool http_range_is_last(const struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    return task->ranges.count == 1 && task->ranges.begun == task->bytes.size;
}

void http_range_join(struct http_request *request)
{
    struct fb_origin_task *task = request->task;
    if (task->verb != FB_ORIGIN_FETCH || !task->ranges.is_whole)
        return;
    http_range_alone(request);
    request->range_offset = 0;
    request->range_bytes = task->bytes.size;
    task->ranges.etag = 0;
}

bool http_range_end(struct http_request *request, enum fb_status status)
{
    struct fb_origin_task *task = request->task;
    if (!is_block(task))
        return true;
    if (status != FB_OK)
        http_range_alone(request);
    if (status == FB_OK && !http_range_is_last(request)) {
        FB_ASSERT(task->ranges.count > 0);
        task->ranges.count--;
        return false;
    }
    http_range_drop(task);
    return true;
}
