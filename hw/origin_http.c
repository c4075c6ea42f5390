/* The thread that runs the transfers; see origin_http.h. */
#include "hw/origin_http.h"

#include "core/key.h"
#include "core/panic.h"
#include "hw/loop_internal.h"
#include "version.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum {
    ROUNDS_MAX = 3,
    PAUSE_DOUBLINGS_MAX = 6,
    RETRY_AFTER_MAX_S = 30,
    NAP_MS_MAX = 1000,
    CONNECT_S = 5
};

static const uint64_t pause_first_ns = 100000000;

void http_header(struct http_request *request, const char *format, ...)
{
    char text[HTTP_SECRET_MAX + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct curl_slist *longer = curl_slist_append(request->headers, text);
    FB_ASSERT(longer != NULL);
    request->headers = longer;
}

bool http_url_append(struct http_request *request, const char *text)
{
    size_t used = strlen(request->url), length = strlen(text);
    if (used + length >= sizeof(request->url))
        return false;
    memcpy(request->url + used, text, length + 1);
    return true;
}

bool http_url_add(struct http_request *request, const char *text, bool keeps_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = strlen(request->url);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte) != NULL ||
                        (byte == '/' && keeps_slash);
        if (used + 4 > sizeof(request->url))
            return false;
        if (!is_plain) {
            request->url[used++] = '%';
            request->url[used++] = digits[byte >> 4];
        }
        request->url[used++] = is_plain ? *text : digits[byte & 15];
    }
    request->url[used] = '\0';
    return true;
}

static uint64_t version_of(const struct http_request *request)
{
    if (request->version[0] != '\0')
        return strtoull(request->version, NULL, 16);
    return XXH3_64bits(request->etag, strlen(request->etag));
}

enum http_found http_target_find(struct http_request *request, long code)
{
    const struct fb_origin_task *task = request->task;
    bool has_version = request->version[0] != '\0';
    request->guard[0] = '\0';
    if (code != 200)
        return HTTP_FOUND_NOTHING;
    memcpy(request->guard, request->etag, sizeof(request->guard));
    if (!has_version || version_of(request) < task->object.version)
        return HTTP_FOUND_EARLIER;
    return version_of(request) > task->object.version ? HTTP_FOUND_LATER : HTTP_FOUND_SAME;
}

void http_guard(struct http_request *request)
{
    if (request->guard[0] != '\0')
        http_header(request, "If-Match: %s", request->guard);
    else
        http_header(request, "If-None-Match: *");
}

bool http_guard_failed(long code)
{
    return code == 409 || code == 412;
}

uint64_t http_upload_size(const struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    if (task->verb == FB_ORIGIN_STORE)
        return task->bytes.size;
    return task->verb == FB_ORIGIN_COMMIT ? request->body_size : 0;
}

/* Tells the loop; the request is free for another task. */
static void request_end(struct http_request *request, enum fb_status status)
{
    struct http_origin *http = request->http;
    struct fb_origin_task *task = request->task;
    if (status == FB_OK && task->verb == FB_ORIGIN_STAT) {
        task->object.size = request->size;
        task->object.version = version_of(request);
        if (request->modified_s > 0)
            task->attributes.modified_ns = (int64_t)request->modified_s * 1000000000;
    }
    free(request->body);
    request->body = NULL;
    request->next = http->free;
    http->free = request;
    task->status = status;
    fb_offload_post(&http->loop->offload, &task->offload);
}

static size_t header_take(char *text, size_t one, size_t size, void *context)
{
    struct http_request *request = context;
    char value[HTTP_ETAG_MAX];
    const char *colon = memchr(text, ':', size * one);
    if (colon == NULL)
        return size * one;
    size_t name = (size_t)(colon - text), from = name + 1, to = size * one;
    while (from < to && (text[from] == ' ' || text[from] == '\t'))
        from++;
    while (to > from && (unsigned char)text[to - 1] <= ' ')
        to--;
    size_t length = to - from < sizeof(value) - 1 ? to - from : sizeof(value) - 1;
    memcpy(value, text + from, length);
    value[length] = '\0';
    if (name == 4 && strncasecmp(text, "etag", name) == 0)
        memcpy(request->etag, value, sizeof(value));
    bool is_azure =
        name == sizeof(HTTP_AZURE_VERSION) - 1 && strncasecmp(text, HTTP_AZURE_VERSION, name) == 0;
    bool is_s3 =
        name == sizeof(HTTP_S3_VERSION) - 1 && strncasecmp(text, HTTP_S3_VERSION, name) == 0;
    if (is_azure || is_s3)
        snprintf(request->version, sizeof(request->version), "%.16s", value);
    if (name == 11 && strncasecmp(text, "retry-after", name) == 0)
        request->retry_after_s = (uint32_t)strtoul(value, NULL, 10);
    if (name == 14 && strncasecmp(text, "content-length", name) == 0)
        request->size = strtoull(value, NULL, 10);
    if (name == 13 && strncasecmp(text, "last-modified", name) == 0)
        request->modified_s = curl_getdate(value, NULL);
    return size * one;
}

/* Is what comes the bytes that were asked for? A server may leave a range aside. */
static bool is_wanted(const struct http_request *request, long code, size_t size)
{
    const struct fb_origin_task *task = request->task;
    return (code == 206 || (code == 200 && task->offset == 0)) &&
           size <= task->bytes.size - request->moved && version_of(request) == task->object.version;
}

/* Sends what is stored, or the list of what is to be committed. */
static size_t upload_give(char *bytes, size_t one, size_t count, void *context)
{
    struct http_request *request = context;
    uint64_t room = one * count, left = http_upload_size(request) - request->body_sent;
    uint64_t part = left < room ? left : room;
    const unsigned char *from = request->task->verb == FB_ORIGIN_STORE
                                    ? request->task->bytes.at
                                    : (const unsigned char *)request->body;
    memcpy(bytes, from + request->body_sent, part);
    request->body_sent += part;
    return part;
}

static size_t body_take(char *bytes, size_t one, size_t count, void *context)
{
    struct http_request *request = context;
    struct fb_origin_task *task = request->task;
    size_t size = one * count;
    long code = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206)
        return size; /* an error's text, or an answer's without use */
    if (task->verb == FB_ORIGIN_FETCH) {
        if (!is_wanted(request, code, size))
            return 0;
        memcpy(task->bytes.at + request->moved, bytes, size);
        request->moved += size;
        return size;
    }
    if (task->verb == FB_ORIGIN_COMMIT) {
        uint64_t room = HTTP_ANSWER_MAX - 1 - request->answer_size;
        uint64_t part = size < room ? size : room;
        memcpy(request->answer + request->answer_size, bytes, part);
        request->answer_size += (uint32_t)part;
        request->answer[request->answer_size] = '\0';
    }
    if (task->verb != FB_ORIGIN_LIST)
        return size;
    if (request->body_size + size > HTTP_BODY_MAX)
        return 0;
    if (request->body == NULL)
        request->body = malloc(HTTP_BODY_MAX);
    if (request->body == NULL)
        return 0;
    memcpy(request->body + request->body_size, bytes, size);
    request->body_size += size;
    return size;
}

static void options_set(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    CURL *easy = request->easy;
    char range[64];
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "forebay/" FB_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(settings->timeout_ns / 1000000000u));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L * 1024);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    if (settings->ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (task->verb == FB_ORIGIN_STAT)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (task->verb == FB_ORIGIN_REMOVE)
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
        snprintf(range, sizeof(range), "Range: bytes=%llu-%llu", (unsigned long long)task->offset,
                 (unsigned long long)(task->offset + task->bytes.size - 1));
        http_header(request, "%s", range);
    }
}

/* One try. */
static void request_start(struct http_request *request)
{
    struct http_origin *http = request->http;
    curl_slist_free_all(request->headers);
    request->headers = NULL;
    request->tries++;
    request->moved = 0;
    request->size = 0;
    request->body_size = 0;
    request->body_sent = 0;
    request->answer_size = 0;
    request->answer[0] = '\0';
    request->retry_after_s = 0;
    request->etag[0] = '\0';
    request->modified_s = 0;
    request->version[0] = '\0';
    request->url[0] = '\0';
    options_set(request);
    if (!http->dialect->prepare(request)) {
        request_end(request, FB_INVALID);
        return;
    }
    curl_easy_setopt(request->easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)http_upload_size(request));
    curl_easy_setopt(request->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
    CURLMcode code = curl_multi_add_handle(http->multi, request->easy);
    FB_ASSERT(code == CURLM_OK);
}

static uint64_t pause_ns(struct http_request *request)
{
    struct http_origin *http = request->http;
    uint32_t doublings =
        request->tries - 1 < PAUSE_DOUBLINGS_MAX ? request->tries - 1 : PAUSE_DOUBLINGS_MAX;
    uint64_t base_ns = pause_first_ns << doublings;
    http->random = fb_mix(http->random + 1);
    uint64_t wait_ns = base_ns / 2 + http->random % base_ns;
    uint64_t asked_s =
        request->retry_after_s < RETRY_AFTER_MAX_S ? request->retry_after_s : RETRY_AFTER_MAX_S;
    return wait_ns > asked_s * 1000000000u ? wait_ns : asked_s * 1000000000u;
}

/* What an answer means; *is_temporary: trying again may help. */
static enum fb_status answer_status(const struct http_request *request, long code,
                                    bool *is_temporary)
{
    const struct fb_origin_task *task = request->task;
    *is_temporary = code == 408 || code == 429 || (code >= 500 && code != 501);
    if (task->verb == FB_ORIGIN_REMOVE &&
        (code == 200 || code == 202 || code == 204 || code == 404))
        return FB_OK;
    if (task->verb == FB_ORIGIN_STORE || task->verb == FB_ORIGIN_COMMIT) {
        if (code == 200 || code == 201)
            return FB_OK;
        if (task->verb == FB_ORIGIN_COMMIT && code == 400)
            return FB_BUSY; /* a block of the list is not there yet */
    }
    if (code == 200 || code == 206) {
        bool is_other = version_of(request) != task->object.version;
        if (task->verb != FB_ORIGIN_FETCH)
            return FB_OK;
        bool is_before = task->object.is_cached && (request->version[0] == '\0' ||
                                                    version_of(request) < task->object.version);
        if (is_other)
            return is_before ? FB_ABSENT : FB_CONFLICT;
        *is_temporary = request->moved < task->bytes.size;
        return *is_temporary ? FB_IO : FB_OK;
    }
    if (code == 404)
        return FB_ABSENT;
    if (code == 412 || code == 416)
        return FB_CONFLICT;
    return code == 429 || code == 503 ? FB_THROTTLED : FB_IO;
}

static enum fb_status transport_status(struct http_request *request, CURLcode code,
                                       bool *is_temporary)
{
    long answer = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer);
    *is_temporary = true;
    if (code == CURLE_WRITE_ERROR) { /* body_take did not want it */
        enum fb_status status = answer_status(request, answer, is_temporary);
        *is_temporary = false;
        return status == FB_OK ? FB_IO : status;
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return FB_TIMEOUT;
    bool is_refused = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    return is_refused ? FB_GONE : FB_IO;
}

static void request_log(const struct http_request *request, enum fb_status status, long answer,
                        CURLcode code)
{
    char name[FB_LOG_QUOTE_MAX];
    bool is_denied = answer == 401 || answer == 403;
    fb_log(is_denied ? FB_LOG_ERROR : FB_LOG_WARNING, is_denied ? "origin_denied" : "origin_failed",
           "status=%s http=%ld tries=%u object=%s reason=\"%s\"%s", fb_status_name(status), answer,
           request->tries, fb_log_quote(request->task->object.name, name),
           code != CURLE_OK ? curl_easy_strerror(code) : "",
           is_denied ? " remedy=\"check the credentials and their rights\"" : "");
}

/* A try has ended. */
static void request_done(struct http_request *request, CURLcode code)
{
    struct http_origin *http = request->http;
    long answer = 0;
    bool is_temporary = false;
    enum fb_status status;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer);
    if (code == CURLE_OK)
        status = answer_status(request, answer, &is_temporary);
    else
        status = transport_status(request, code, &is_temporary);
    curl_multi_remove_handle(http->multi, request->easy);
    if (status != FB_OK && is_temporary && request->tries < http->settings->tries_max) {
        request->retry_ns = loop_clock_ns() + pause_ns(request);
        request->next = http->pausing;
        http->pausing = request;
        return;
    }
    bool has_steps =
        request->task->verb == FB_ORIGIN_COMMIT || request->task->verb == FB_ORIGIN_REMOVE;
    if (has_steps && http_guard_failed(answer) && request->rounds < ROUNDS_MAX) {
        request->rounds++;
        request->step = HTTP_STEP_HEAD; /* the target has changed: it is looked at again */
        request->tries = 0;
        request_start(request);
        return;
    }
    if (has_steps && http->dialect->advance(request, answer, &status)) {
        request->tries = 0;
        request_start(request);
        return;
    }
    if (status == FB_OK && request->task->verb == FB_ORIGIN_LIST)
        status = http_list_take(request);
    if (status != FB_OK && status != FB_ABSENT && status != FB_CONFLICT && status != FB_BUSY)
        request_log(request, status, answer, code);
    request_end(request, status);
}

/* Takes tasks while there are free requests; false: the thread is to end. */
static bool tasks_take(struct http_origin *http)
{
    while (http->free != NULL) {
        pthread_mutex_lock(&http->mutex);
        bool is_stopping = http->is_stopping;
        struct fb_origin_task *task = is_stopping ? NULL : http->todo_head;
        if (task != NULL)
            http->todo_head = task->next;
        if (http->todo_head == NULL)
            http->todo_tail = NULL;
        pthread_mutex_unlock(&http->mutex);
        if (task == NULL)
            return !is_stopping;
        struct http_request *request = http->free;
        http->free = request->next;
        request->task = task;
        request->tries = 0;
        request->step = 0;
        request->rounds = 0;
        request->is_conflict = false;
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
    uint64_t now_ns = loop_clock_ns(), nap_ms = NAP_MS_MAX;
    struct http_request *left = http->pausing;
    http->pausing = NULL;
    while (left != NULL) {
        struct http_request *request = left;
        left = request->next;
        if (request->retry_ns <= now_ns) {
            request_start(request);
            continue;
        }
        uint64_t wait_ms = (request->retry_ns - now_ns) / 1000000 + 1;
        nap_ms = wait_ms < nap_ms ? wait_ms : nap_ms;
        request->next = http->pausing;
        http->pausing = request;
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
    task->next = NULL;
    pthread_mutex_lock(&http->mutex);
    if (http->todo_tail != NULL)
        http->todo_tail->next = task;
    else
        http->todo_head = task;
    http->todo_tail = task;
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
        free(request->body);
    }
    if (http->multi != NULL)
        curl_multi_cleanup(http->multi);
    free(http->requests);
    pthread_mutex_destroy(&http->mutex);
    explicit_bzero(http, sizeof(*http));
    free(http);
    curl_global_cleanup();
}

bool http_credential(const struct http_origin *http, const char *key, const char *variable,
                     char value[HTTP_SECRET_MAX], struct fb_error *error)
{
    const char *path = http->settings->credentials, *text = NULL;
    struct fb_document *document = path[0] != '\0' ? fb_document_open(path, error) : NULL;
    value[0] = '\0';
    if (path[0] == '\0') {
        text = getenv(variable);
    } else if (document != NULL) {
        struct fb_map map = fb_document_root(document, error);
        text = fb_map_text_or(&map, key, NULL);
    }
    if (text != NULL && strlen(text) >= HTTP_SECRET_MAX)
        fb_error_set(error, "%s: longer than %d bytes", path[0] != '\0' ? path : variable,
                     HTTP_SECRET_MAX - 1);
    else if (text != NULL)
        memcpy(value, text, strlen(text) + 1);
    fb_document_close(document);
    return value[0] != '\0';
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
    http->loop = origin->loop;
    http->random = loop_clock_ns();
    pthread_mutex_init(&http->mutex, NULL);
    origin->internal = http;
    origin->start = http_start;
    origin->close = http_close;
    origin->can_write = http->dialect->can_write;
    curl_global_init(CURL_GLOBAL_DEFAULT);
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
