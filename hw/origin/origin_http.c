/* The thread that runs the transfers; see origin_http.h. */
#include "hw/origin/origin_http.h"
#include "hw/origin/http_range.h"
#include "hw/origin/http_answer.h"

#include "core/key.h"
#include "core/panic.h"
#include "base/clock.h"
#include "base/origin_client.h"
#include "hw/base/container.h"
#include "hw/base/log.h"
#include "version.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_AFTER_MAX_S = 30,
    NAP_MS_MAX = 1000,
    CONNECT_S = 5,
    /* guesses: slower than any link that is worth reading through */
    LOW_BYTES_PER_S = 4096,
    WHOLE_TIMEOUTS = 6,
    COMMIT_TIMEOUTS = 6
};

static const uint64_t whole_bytes_per_s = 256 << 10;
static const char too_long[] = "the request's URL does not fit into 16 KiB: names and words of "
                               "listings are too long";
static_assert(HTTP_URL_MAX == 16 * 1024, "the reason says so");

void http_header(struct http_request *request, const char *format, ...)
{
    char text[HTTP_URL_MAX + 64]; /* the longest names what is copied: a part of a URL */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    FB_ASSERT(length > 0 && (size_t)length < sizeof(text));
    struct curl_slist *longer = curl_slist_append(request->headers, text);
    FB_ASSERT(longer != NULL);
    request->headers = longer;
}

uint64_t http_upload_size(const struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    if (task->verb == FB_ORIGIN_STORE && request->send == NULL)
        return request->range_bytes;
    return task->verb == FB_ORIGIN_STORE || task->verb == FB_ORIGIN_COMMIT ? request->body_size : 0;
}

void http_request_free(struct http_request *request)
{
    struct http_origin *http = request->http;
    http_list_drop(request);
    EVP_MD_CTX_free(request->digest);
    request->digest = NULL;
    http->join_bytes -= request->body_room;
    request->body_room = 0;
    free(request->body);
    free(request->list);
    request->body = NULL;
    request->list = NULL;
    request->has_failed = false;
    request->task = NULL;
    request->next = http->free;
    http->free = request;
}

/* The request is free for another task; the loop is told when the task is over with it. */
static void request_end(struct http_request *request, enum fb_status status)
{
    struct http_origin *http = request->http;
    struct fb_origin_task *task = request->task;
    if (!http_range_end(request, status)) {
        http_request_free(request);
        return;
    }
    if (status == FB_OK && task->verb == FB_ORIGIN_STAT) {
        const int64_t last_s = INT64_MAX / 1000000000 - 1;
        time_t modified = curl_getdate(request->said.modified, NULL);
        task->object.size = request->said.size;
        task->object.version = http_version_of(request);
        if (modified > 0)
            task->attributes.modified_ns =
                (modified < last_s ? (int64_t)modified : last_s) * INT64_C(1000000000);
        if (request->said.version[0] != '\0')
            task->object.order = task->object.version;
        task->object.written = task->object.order;
    }
    task->is_final = status != FB_OK && status != FB_BUSY && status != FB_ABSENT;
    http_request_free(request);
    task->status = status;
    if (task->verb == FB_ORIGIN_FETCH && status != FB_OK)
        http_tried_end(http, task);
    fb_offload_post(http->origin->context.offload, &task->offload);
}

/* Sends what is stored, or the list of what is to be committed. */
static size_t upload_give(char *bytes, size_t one, size_t count, void *context)
{
    struct http_request *request = context;
    FB_ASSERT(request->body_sent <= http_upload_size(request));
    uint64_t room = one * count, left = http_upload_size(request) - request->body_sent;
    uint64_t part = left < room ? left : room;
    const unsigned char *from = request->send != NULL
                                    ? (const unsigned char *)request->send
                                    : request->task->bytes.at + request->range_offset;
    memcpy(bytes, from + request->body_sent, part);
    request->body_sent += part;
    return part;
}

static size_t header_take(char *text, size_t one, size_t size, void *context)
{
    http_header_take(context, text, one * size);
    return one * size;
}

/* Bytes of an object, of which the first ones are only taken when the answer is what was asked. */
static bool object_take(struct http_request *request, const char *bytes, size_t size, long code)
{
    struct fb_origin_task *task = request->task;
    FB_ASSERT(request->moved <= task->bytes.size);
    if (request->moved == 0 && !http_range_fits(request, code))
        return false;
    if (size > request->range_bytes - request->moved) {
        request->reason = "the answer is too long";
        return false;
    }
    if (request->moved == 0 && request->said.has_md5) {
        EVP_MD_CTX_free(request->digest);
        request->digest = EVP_MD_CTX_new();
        if (request->digest == NULL || EVP_DigestInit_ex(request->digest, EVP_md5(), NULL) != 1)
            return false;
    }
    if (request->digest != NULL)
        EVP_DigestUpdate(request->digest, bytes, size);
    memcpy(task->bytes.at + request->range_offset + request->moved, bytes, size);
    request->moved += size;
    return true;
}

static size_t body_take(char *bytes, size_t one, size_t count, void *context)
{
    struct http_request *request = context;
    size_t size = one * count, begun = strlen(request->began);
    size_t part = size < HTTP_BEGAN_BYTES - 1 - begun ? size : HTTP_BEGAN_BYTES - 1 - begun;
    long code = 0;
    memcpy(request->began + begun, bytes, part);
    request->began[begun + part] = '\0';
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &code);
    bool is_fine = code == 200 || code == 206;
    if (is_fine && request->task->verb == FB_ORIGIN_FETCH)
        return object_take(request, bytes, size, code) ? size : 0;
    if (is_fine && request->task->verb == FB_ORIGIN_LIST)
        return http_list_feed(request, bytes, size) ? size : 0;
    if (is_fine && request->sink != NULL) {
        if (size > request->sink_room - request->moved)
            return 0;
        memcpy(request->sink + request->moved, bytes, size);
        request->moved += size;
        return size;
    }
    http_answer_take(request, bytes, size);
    return size;
}

/* Time that a try may take: some time-outs, and what its bytes take at the slowest that makes
 * sense. Servers compose large objects for a while. */
static void limits_set(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    uint64_t timeout_ms = request->http->settings->timeout_ns / 1000000u;
    uint64_t silences = task->verb == FB_ORIGIN_COMMIT ? COMMIT_TIMEOUTS : 1;
    uint64_t down = task->verb == FB_ORIGIN_FETCH ? request->range_bytes : task->bytes.size;
    uint64_t bytes = http_upload_size(request) + down + request->sink_room;
    uint64_t whole_ms = timeout_ms * WHOLE_TIMEOUTS * silences + bytes * 1000u / whole_bytes_per_s;
    curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(request->easy, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_BYTES_PER_S);
    curl_easy_setopt(request->easy, CURLOPT_LOW_SPEED_TIME, (long)(timeout_ms * silences / 1000u));
    curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, (long)whole_ms);
}

static void options_set(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    CURL *easy = request->easy;
    char range[HTTP_RANGE_BYTES];
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "forebay/" FB_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    if (settings->ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    bool is_stat = task->verb == FB_ORIGIN_STAT && request->step == HTTP_STEP_HEAD;
    if (is_stat || http_marks_is_head(request))
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (task->verb == FB_ORIGIN_REMOVE || http_marks_is_removal(request))
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    if (task->verb == FB_ORIGIN_STORE || task->verb == FB_ORIGIN_COMMIT) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, upload_give);
        curl_easy_setopt(easy, CURLOPT_READDATA, request);
        /* libcurl's signature would take a header in that is not sent. */
        if (http->dialect == &http_azure)
            http_header(request, "Expect:");
    }
    if (task->verb == FB_ORIGIN_FETCH) {
        http_range_print(request, range);
        http_header(request, "Range: %s", range);
    }
}

/* One try. */
static void request_start(struct http_request *request)
{
    struct http_origin *http = request->http;
    curl_slist_free_all(request->headers);
    request->headers = NULL;
    request->tries++;
    http_range_start(request);
    request->signed_with = http->credentials_reads;
    request->moved = 0;
    request->reason = NULL;
    request->said = (struct http_answer){.size = 0};
    request->body_size = 0;
    request->body_sent = 0;
    request->answer_size = 0;
    request->answer[0] = '\0';
    request->began[0] = '\0';
    request->is_foreign = false;
    request->is_digested = false;
    request->url[0] = '\0';
    if (request->task->verb == FB_ORIGIN_LIST)
        http_list_begin(request);
    options_set(request);
    if (!http->dialect->prepare(request)) {
        request->reason = too_long;
        http_failure_log(request, FB_INVALID, CURLE_OK);
        request_end(request, FB_INVALID);
        return;
    }
    curl_easy_setopt(request->easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)http_upload_size(request));
    limits_set(request);
    curl_easy_setopt(request->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
    CURLMcode code = curl_multi_add_handle(http->multi, request->easy);
    FB_ASSERT(code == CURLM_OK);
}

static uint64_t pause_ns(struct http_request *request)
{
    struct http_origin *http = request->http;
    http->random = fb_mix(http->random + 1);
    uint64_t wait_ns = fb_origin_pause_ns(request->tries, http->random);
    uint64_t asked_s = request->said.retry_after_s < RETRY_AFTER_MAX_S ? request->said.retry_after_s
                                                                       : RETRY_AFTER_MAX_S;
    return wait_ns > asked_s * 1000000000u ? wait_ns : asked_s * 1000000000u;
}

static enum fb_status transport_status(struct http_request *request, CURLcode code,
                                       bool *is_temporary)
{
    long answer = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer);
    *is_temporary = true;
    if (code == CURLE_WRITE_ERROR) { /* body_take did not want it */
        enum fb_status status = http_answer_status(request, answer, is_temporary);
        *is_temporary = *is_temporary && request->task->verb == FB_ORIGIN_FETCH;
        return status == FB_OK ? FB_IO : status;
    }
    if (code == CURLE_PARTIAL_FILE)
        request->reason = "the answer is cut";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return FB_TIMEOUT;
    bool is_refused = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    return is_refused ? FB_GONE : FB_IO;
}

/* The next request of the same task; tries are counted anew. */
static void request_next(struct http_request *request)
{
    request->tries = 0;
    request_start(request);
}

/* Is another request due for the task? */
static bool request_goes_on(struct http_request *request, long answer, enum fb_status *status)
{
    enum fb_origin_verb verb = request->task->verb;
    bool is_again = false;
    if (verb == FB_ORIGIN_COMMIT || verb == FB_ORIGIN_REMOVE)
        return request->http->dialect->advance(request, answer, status);
    if (verb == FB_ORIGIN_STORE && request->http->dialect->store_advance != NULL)
        return request->http->dialect->store_advance(request, status);
    if (verb == FB_ORIGIN_STAT)
        return http_stat_advance(request, answer, status);
    if (verb == FB_ORIGIN_CHANGE)
        return http_marks_advance(request, answer, status);
    if (*status == FB_OK && verb == FB_ORIGIN_LIST)
        *status = http_list_end(request, &is_again);
    return is_again;
}

/* Are there other credentials than those that were refused? Another request may have read them. */
static bool has_others_by_now(struct http_request *request)
{
    (void)http_credentials_renew(request->http, false);
    return request->signed_with != request->http->credentials_reads;
}

/* A try has ended. */
static void request_done(struct http_request *request, CURLcode code)
{
    struct http_origin *http = request->http;
    long answer = 0;
    bool is_temporary = false;
    enum fb_status status;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer);
    http_answer_end(request);
    if (code == CURLE_OK)
        status = http_answer_status(request, answer, &is_temporary);
    else
        status = transport_status(request, code, &is_temporary);
    curl_multi_remove_handle(http->multi, request->easy);
    if (answer >= 200 && answer < 300 && !request->is_foreign)
        http->bucket_seen_ns = fb_clock_ns();
    if ((status == FB_DENIED && has_others_by_now(request)) ||
        (status == FB_REFUSED && http_wants_digest(request))) {
        if (request->task->verb == FB_ORIGIN_STAT)
            request->step = HTTP_STEP_HEAD;
        request_start(request);
        return;
    }
    if (status != FB_OK && is_temporary && http_range_may_try(request) &&
        !http_is_tried(http, request->task)) {
        http_range_join(request);
        request->retry_ns = http_range_retry_ns(request, fb_clock_ns() + pause_ns(request));
        request->next = http->pausing;
        http->pausing = request;
        request->has_failed = true;
        return;
    }
    if (request_goes_on(request, answer, &status)) {
        request_next(request);
        return;
    }
    if (status != FB_OK && status != FB_ABSENT && status != FB_CONFLICT && status != FB_BUSY)
        http_failure_log(request, status, code);
    request_end(request, status);
}

/* Takes tasks while there are free requests; false: the thread is to end. */
static bool tasks_take(struct http_origin *http)
{
    pthread_mutex_lock(&http->mutex);
    bool must_reload = http->must_reload;
    http->must_reload = false;
    pthread_mutex_unlock(&http->mutex);
    if (must_reload)
        (void)http_credentials_renew(http, true);
    while (http->free != NULL) {
        pthread_mutex_lock(&http->mutex);
        bool is_stopping = http->is_stopping;
        struct fb_origin_task *task = is_stopping ? NULL : http->todo_head;
        struct http_request *request = http->free;
        request->task = task;
        if (task != NULL && http_range_take(request)) /* else the rest of it stays the first */
            http->todo_head = task->next;
        if (http->todo_head == NULL)
            http->todo_tail = NULL;
        pthread_mutex_unlock(&http->mutex);
        if (task == NULL)
            return !is_stopping;
        http->free = request->next;
        request->tries = 0;
        request->step = 0;
        request->rounds = 0;
        request->has_upload = false;
        request->part = 0;
        request->loaded = 0;
        request->send = NULL;
        request->sink = NULL;
        if (task->verb == FB_ORIGIN_LIST && http_list_kept(http, task))
            request_end(request, FB_OK);
        else if (http_is_tried(http, task))
            request_end(request, FB_THROTTLED);
        else
            request_start(request);
    }
    pthread_mutex_lock(&http->mutex);
    bool is_stopping = http->is_stopping;
    pthread_mutex_unlock(&http->mutex);
    return !is_stopping;
}

/* Starts those whose pause is over; returns how long the next one still pauses. */
static int pauses_end(struct http_origin *http)
{
    uint64_t now_ns = fb_clock_ns(), nap_ms = NAP_MS_MAX;
    for (struct http_request **at = &http->pausing; *at != NULL;) {
        struct http_request *request = *at;
        if (request->retry_ns <= now_ns) {
            *at = request->next;
            request_start(request); /* others of its block may leave the list with it */
            at = &http->pausing;
            continue;
        }
        uint64_t wait_ms = (request->retry_ns - now_ns) / 1000000 + 1;
        nap_ms = wait_ms < nap_ms ? wait_ms : nap_ms;
        at = &request->next;
    }
    return (int)nap_ms;
}

static void *thread_run(void *context)
{
    struct http_origin *http = context;
    int running = 0, left = 0;
    while (tasks_take(http)) {
        int nap_ms = pauses_end(http);
        curl_multi_perform(http->multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
            struct http_request *request = NULL;
            CURLcode code = message->data.result;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
            FB_ASSERT(request != NULL && request->http == http);
            request_done(request, code);
        }
        curl_multi_poll(http->multi, NULL, 0, nap_ms, NULL);
    }
    return NULL;
}

static void task_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->done(task, task->status);
}

static void http_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    struct http_origin *http = origin->internal;
    task->offload = (struct fb_offload_task){.done = task_done};
    http_range_open(http, task);
    pthread_mutex_lock(&http->mutex);
    struct fb_origin_task **at =
        http->todo_tail != NULL ? &http->todo_tail->next : &http->todo_head;
    if (task->verb != FB_ORIGIN_FETCH) /* reads that wait are many, and hold nobody else up */
        for (at = &http->todo_head; *at != NULL && (*at)->verb != FB_ORIGIN_FETCH;)
            at = &(*at)->next;
    task->next = *at;
    *at = task;
    if (task->next == NULL)
        http->todo_tail = task;
    pthread_mutex_unlock(&http->mutex);
    curl_multi_wakeup(http->multi);
}

static void http_reload(struct fb_origin *origin)
{
    struct http_origin *http = origin->internal;
    pthread_mutex_lock(&http->mutex);
    http->must_reload = true;
    pthread_mutex_unlock(&http->mutex);
    curl_multi_wakeup(http->multi);
}

static void http_close(struct fb_origin *origin)
{
    struct http_origin *http = origin->internal;
    if (http->is_running) {
        pthread_mutex_lock(&http->mutex);
        http->is_stopping = true;
        pthread_mutex_unlock(&http->mutex);
        curl_multi_wakeup(http->multi);
        pthread_join(http->thread, NULL);
    }
    for (uint32_t i = 0; http->requests != NULL && i < http->settings->requests_max; i++) {
        struct http_request *request = &http->requests[i];
        if (request->easy != NULL)
            curl_multi_remove_handle(http->multi, request->easy);
        curl_easy_cleanup(request->easy);
        curl_slist_free_all(request->headers);
        http_list_drop(request);
        EVP_MD_CTX_free(request->digest);
        free(request->body);
        free(request->list);
        if (request->task != NULL)
            http_range_drop(request->task);
    }
    for (struct fb_origin_task *task = http->todo_head; task != NULL; task = task->next)
        http_range_drop(task);
    http_pages_free(http);
    if (http->multi != NULL)
        curl_multi_cleanup(http->multi);
    free(http->requests);
    pthread_mutex_destroy(&http->mutex);
    explicit_bzero(http, sizeof(*http));
    free(http);
    curl_global_cleanup();
}

static bool requests_open(struct http_origin *http)
{
    uint32_t count = http->settings->requests_max;
    http->multi = curl_multi_init();
    http->requests = calloc(count, sizeof(*http->requests));
    if (http->multi == NULL || http->requests == NULL)
        return false;
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)count);
    for (uint32_t i = count; i-- > 0;) {
        struct http_request *request = &http->requests[i];
        request->http = http;
        request->easy = curl_easy_init();
        if (request->easy == NULL)
            return false;
        request->next = http->free;
        http->free = request;
    }
    return true;
}

void fb_origin_http_open(struct fb_origin *origin, const struct fb_settings *settings,
                         struct fb_error *error)
{
    struct http_origin *http = calloc(1, sizeof(*http));
    FB_ASSERT(http != NULL);
    http->settings = &settings->origin;
    http->dialect = settings->origin.kind == FB_ORIGIN_S3 ? &http_s3 : &http_azure;
    http->origin = origin;
    http->random = fb_clock_ns();
    pthread_mutex_init(&http->mutex, NULL);
    origin->internal = http;
    origin->start = http_start;
    origin->close = http_close;
    origin->reload = http_reload;
    origin->can_write = http->dialect->can_write;
    origin->wants_text = true;
    origin->wants_no_controls = http->dialect->wants_no_controls;
    origin->object_max = http->dialect->object_max(settings->core.block_size_bytes);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)http_credentials_renew(http, true);
    http->dialect->credentials(http, error);
    if (fb_error_is_set(error))
        return;
    if (!requests_open(http)) {
        fb_error_set(error, "origin: out of memory for %u requests", http->settings->requests_max);
        return;
    }
    http->is_running = pthread_create(&http->thread, NULL, thread_run, http) == 0;
    if (!http->is_running)
        fb_error_set(error, "origin: cannot start its thread");
}
