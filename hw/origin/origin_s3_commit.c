/* One object of S3 out of its blocks, which are objects of their own; and removal.
 *
 *     HEAD the target --> LOOK at a block --> BEGIN an upload, with the version --> its parts:
 *          COPY each block as a part, within the server
 *          or READ blocks and put them together as a PART, where blocks are smaller than parts may
 *          be, or more than parts may be
 *       --> OTHERS, EVICT: end earlier uploads to the key (origin_s3_others.c), HEAD AGAIN
 *       --> COMPLETE the upload, if the target is as it was --> CHECK that it is there, whole
 *       --> delete the BLOCKS
 *     any step after BEGIN fails --> ABORT the upload, then say so
 *     an object without blocks has one PART of no bytes. REMOVE: HEAD, TARGET: deleted if not
 *     later, BLOCKS.
 *     LEFT: of many blocks it is asked at first, and now and then, whether any is left
 *
 *  1. This version is there: only its blocks go. One later than the limit is: CONFLICT; they stay.
 *  2. A commit may be tried again and again until all blocks are there: one that was missing the
 *     last time, at first the last one, is looked at before anything is begun.
 *  3. What cannot be completed is aborted, so that no parts pile up; only a daemon that dies
 *     between leaves an upload, to the bucket's lifecycle rule, as are blocks that nobody commits.
 *  4. Parts that are put together are of one size for a given object, up to JOIN_BYTES_MAX, and all
 *     that are held at once are as many bytes at most, or one.
 *  5. Blocks go when a HEAD has shown the object, of its version and size, and not before: a 200
 *     may be empty, or stand for what the server has lost. Blocks that are read are compared with
 *     the digest that they were stored with.
 * Servers that do not know conditions (If-Match) leave a window between HEAD and change. */
#include "hw/origin/origin_s3.h"

#include "hw/origin/http_answer.h"

#include "core/panic.h"
#include "hw/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step {
    STEP_HEAD = HTTP_STEP_HEAD,
    STEP_LOOK,
    STEP_BEGIN,
    STEP_COPY,
    STEP_READ,
    STEP_PART,
    STEP_OTHERS,
    STEP_EVICT,
    STEP_AGAIN,
    STEP_COMPLETE,
    STEP_CHECK,
    STEP_TARGET,
    STEP_LEFT,
    STEP_BLOCKS,
    STEP_ABORT
};

/* A record tells how many blocks there may be, perhaps another's hand wrote it: that many are
 * deleted between two looks at whether there are any. */
enum { BLOCKS_A_LOOK = 256 };
enum { LIST_ENTRY_BYTES = 64 + HTTP_ETAG_MAX, ROUNDS_MAX = 3 };

static uint64_t block_bytes(const struct fb_origin_task *task)
{
    return task->origin->context.settings->core.block_size_bytes;
}

static uint64_t block_count(const struct fb_origin_task *task)
{
    uint64_t block = block_bytes(task);
    return task->object.size / block + (task->object.size % block > 0);
}

static uint64_t rounded_up(uint64_t bytes, uint64_t block)
{
    return (bytes + block - 1) / block * block;
}

/* Are blocks parts as they are? */
static bool is_copied(const struct fb_origin_task *task)
{
    uint64_t blocks = block_count(task);
    return blocks <= 1 || (block_bytes(task) >= S3_PART_MIN && blocks <= S3_PARTS_MAX);
}

static uint64_t part_bytes(const struct fb_origin_task *task)
{
    uint64_t least = (task->object.size + S3_PARTS_MAX - 1) / S3_PARTS_MAX;
    if (is_copied(task))
        return block_bytes(task);
    return rounded_up(least > S3_PART_MIN ? least : S3_PART_MIN, block_bytes(task));
}

static uint64_t part_count(const struct fb_origin_task *task)
{
    uint64_t part = part_bytes(task);
    return task->object.size == 0 ? 1 : (task->object.size + part - 1) / part;
}

uint64_t s3_object_max(uint64_t block)
{
    uint64_t most = (uint64_t)S3_OBJECT_MAX_TIB << 40, joined = HTTP_JOIN_BYTES_MAX / block * block;
    uint64_t part = block >= S3_PART_MIN && block > joined ? block : joined;
    return part < most / S3_PARTS_MAX ? part * S3_PARTS_MAX : most;
}

/* Bytes of the part that is put together now. */
static uint64_t joined_bytes(const struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    uint64_t from = request->part * part_bytes(task), left = task->object.size - from;
    FB_ASSERT(from < task->object.size || task->object.size == 0);
    return left < part_bytes(task) ? left : part_bytes(task);
}

static uint64_t index_of_read(const struct http_request *request)
{
    return (request->part * part_bytes(request->task) + request->loaded) /
           block_bytes(request->task);
}

static void joins_end(struct http_request *request)
{
    free(request->body);
    request->body = NULL;
    request->http->join_bytes -= request->body_room;
    request->body_room = 0;
}

/* Room for a part; false: others have it all now. */
static bool joins_begin(struct http_request *request)
{
    struct http_origin *http = request->http;
    uint64_t bytes = part_bytes(request->task);
    if (http->join_bytes > 0 && http->join_bytes + bytes > HTTP_JOIN_BYTES_MAX)
        return false;
    request->body = malloc(bytes);
    if (request->body == NULL)
        return false;
    request->body_room = bytes;
    http->join_bytes += bytes;
    return true;
}

/* The header that names a block as what is to be copied. */
static void copy_source(struct http_request *request, uint64_t index)
{
    size_t used = strlen(request->url);
    bool is_fine = http_url_append(request, "/") &&
                   http_url_add(request, request->http->settings->bucket, false) &&
                   http_url_append(request, "/") && s3_block_append(request, index);
    FB_ASSERT(is_fine); /* names and settings have their bounds, and the URL room for twice these */
    http_header(request, "x-amz-copy-source: %s", request->url + used);
    request->url[used] = '\0';
}

static bool is_upload(enum step step)
{
    return step == STEP_COPY || step == STEP_PART || step == STEP_COMPLETE || step == STEP_BEGIN;
}

/* What the step sends, and by which method. */
static void method_set(struct http_request *request, enum step step)
{
    bool is_head =
        step == STEP_HEAD || step == STEP_LOOK || step == STEP_AGAIN || step == STEP_CHECK;
    bool is_post = step == STEP_BEGIN || step == STEP_COMPLETE;
    bool is_delete =
        step == STEP_TARGET || step == STEP_BLOCKS || step == STEP_ABORT || step == STEP_EVICT;
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_UPLOAD, is_upload(step) ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_NOBODY, is_head ? 1L : 0L);
    if (step == STEP_READ || step == STEP_OTHERS || step == STEP_LEFT)
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_post ? "POST" : is_delete ? "DELETE" : NULL);
    request->body_size = 0;
    request->sink = NULL;
    if (step == STEP_COMPLETE) {
        request->send = request->list;
        request->body_size = request->list_size;
    } else if (step == STEP_PART) {
        request->send = request->body;
        request->body_size = joined_bytes(request);
    } else if (step == STEP_READ) {
        request->sink = request->body + request->loaded;
        request->sink_room = joined_bytes(request) - request->loaded;
        request->sink_room = request->sink_room < block_bytes(request->task)
                                 ? request->sink_room
                                 : block_bytes(request->task);
    }
}

/* The query of a request about the upload. */
static bool upload_append(struct http_request *request, enum step step)
{
    char part[48];
    snprintf(part, sizeof(part),
             "?partNumber=%llu&uploadId=", (unsigned long long)request->part + 1);
    bool is_part = step == STEP_COPY || step == STEP_PART;
    return http_url_append(request, is_part ? part : "?uploadId=") &&
           http_url_add(request, step == STEP_EVICT ? request->others.evicted : request->upload,
                        false);
}

/* One of the blocks that are left. */
static bool left_append(struct http_request *request)
{
    char path[96];
    snprintf(path, sizeof(path), FB_OBJECT_PARTS "%%2F%016llx%%2F",
             (unsigned long long)request->task->object.handle);
    return http_url_append(request, "?list-type=2&max-keys=1&prefix=") &&
           http_url_add(request, request->http->settings->prefix, false) &&
           http_url_append(request, path);
}

/* The element that the answer to a step is. Source: AWS, "Amazon S3 API Reference". */
static const char *root_of(enum step step)
{
    return step == STEP_BEGIN      ? "<InitiateMultipartUploadResult"
           : step == STEP_COPY     ? "<CopyPartResult"
           : step == STEP_COMPLETE ? "<CompleteMultipartUploadResult"
           : step == STEP_OTHERS   ? "<ListMultipartUploadsResult"
           : step == STEP_LEFT     ? http_s3.list_root
                                   : NULL;
}

bool s3_steps_prepare(struct http_request *request)
{
    enum step step = (enum step)request->step;
    method_set(request, step);
    request->root = root_of(step);
    if (step == STEP_LEFT)
        return left_append(request);
    if (step == STEP_LOOK || step == STEP_BLOCKS)
        return s3_block_append(request, request->part);
    if (step == STEP_READ)
        return s3_block_append(request, index_of_read(request));
    if (step == STEP_OTHERS)
        return s3_others_append(request);
    if (!s3_name_append(request))
        return false;
    if (step == STEP_COMPLETE || step == STEP_TARGET)
        http_guard(request);
    if (step == STEP_BEGIN)
        http_header(request, HTTP_S3_VERSION ": %016llx",
                    (unsigned long long)request->task->as_version);
    if (step == STEP_BEGIN)
        return http_url_append(request, "?uploads=");
    if (step == STEP_COPY)
        copy_source(request, request->part);
    if (step == STEP_PART)
        http_digest_put(request, request->body, request->body_size);
    bool is_about_upload = step == STEP_COPY || step == STEP_PART || step == STEP_COMPLETE ||
                           step == STEP_ABORT || step == STEP_EVICT;
    return !is_about_upload || upload_append(request, step);
}

static bool answer_take(const struct http_request *request, const char *name, char *text,
                        size_t size)
{
    const char *answer = request->answer;
    return s3_element_take(answer, answer + request->answer_size, name, text, size);
}

static bool list_add(struct http_request *request, const char *text)
{
    size_t room = (part_count(request->task) + 1) * LIST_ENTRY_BYTES, length = strlen(text);
    if (request->list_size + length >= room)
        return false;
    memcpy(request->list + request->list_size, text, length);
    request->list_size += length;
    return true;
}

/* The upload has begun: its name, and room for the list of its parts. */
static bool upload_begin(struct http_request *request)
{
    free(request->list);
    request->list = malloc((part_count(request->task) + 1) * LIST_ENTRY_BYTES);
    request->list_size = 0;
    request->has_upload =
        answer_take(request, "<UploadId>", request->upload, sizeof(request->upload));
    return request->list != NULL && request->has_upload &&
           list_add(request, "<CompleteMultipartUpload>");
}

static bool part_add(struct http_request *request)
{
    char etag[HTTP_ETAG_MAX - 64], text[LIST_ENTRY_BYTES];
    bool is_copy = request->step == STEP_COPY;
    if (!is_copy && (request->said.etag[0] == '\0' || strlen(request->said.etag) >= sizeof(etag)))
        return false;
    if (!is_copy)
        memcpy(etag, request->said.etag, strlen(request->said.etag) + 1);
    else if (!answer_take(request, "<ETag>", etag, sizeof(etag)))
        return false;
    request->part++;
    snprintf(text, sizeof(text), "<Part><PartNumber>%llu</PartNumber><ETag>%s</ETag></Part>",
             (unsigned long long)request->part, etag);
    bool is_last = request->part == part_count(request->task);
    return list_add(request, text) && (!is_last || list_add(request, "</CompleteMultipartUpload>"));
}

/* The task is over with this status, once its upload is aborted. */
static bool fail(struct http_request *request, enum fb_status *status, enum fb_status outcome)
{
    joins_end(request);
    *status = outcome;
    request->outcome = outcome;
    request->outcome_reason = request->reason;
    memcpy(request->outcome_began, request->is_foreign ? request->began : "",
           request->is_foreign ? sizeof(request->began) : 1);
    request->head = request->said; /* the log is to have this one's code */
    request->step = STEP_ABORT;
    return request->has_upload;
}

/* The same as the answer says; one that says nothing of the upload is BUSY: all of it once more. */
static bool fail_as(struct http_request *request, enum fb_status *status, enum fb_status outcome)
{
    bool is_telling = outcome != FB_OK && outcome != FB_ABSENT && outcome != FB_CONFLICT;
    return fail(request, status, is_telling ? outcome : FB_BUSY);
}

/* The next block goes, or is it asked first whether there are any? false: it was the last one. */
static bool blocks_next(struct http_request *request, bool is_looked)
{
    uint64_t left = block_count(request->task) - request->part;
    bool is_due = request->part % BLOCKS_A_LOOK == 0 && left > BLOCKS_A_LOOK;
    request->step = is_due && !is_looked ? STEP_LEFT : STEP_BLOCKS;
    return left > 0;
}

/* Does the server say that no block is left? */
static bool is_none_left(const struct http_request *request, long code)
{
    return code == 200 && strstr(request->answer, "<ListBucketResult") != NULL &&
           strstr(request->answer, "</ListBucketResult>") != NULL &&
           strstr(request->answer, "<Contents>") == NULL;
}

/* What is left to do is to delete the blocks, but for those that another commit makes use of. */
static bool blocks_end(struct http_request *request, enum fb_status *status, enum fb_status outcome)
{
    joins_end(request);
    request->has_upload = false;
    *status = outcome;
    request->outcome = outcome;
    request->part = 0;
    bool is_kept = request->task->verb == FB_ORIGIN_COMMIT &&
                   request->task->as_version != request->task->object.version;
    return blocks_next(request, false) && !is_kept;
}

/* The target was looked at: what is next? */
static bool head_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct fb_origin_task *task = request->task;
    bool is_remove = task->verb == FB_ORIGIN_REMOVE;
    enum http_found found = http_target_find(request, code);
    if (code != 200 && code != 404)
        return false;
    if (is_remove && (found == HTTP_FOUND_NOTHING || found == HTTP_FOUND_LATER))
        return blocks_end(request, status, FB_OK);
    request->step = STEP_TARGET;
    if (is_remove)
        return true;
    if (found == HTTP_FOUND_SAME && request->said.size == task->object.size)
        return blocks_end(request, status, FB_OK);
    if (found == HTTP_FOUND_LATER) {
        *status = FB_CONFLICT;
        return false;
    }
    bool is_empty = block_count(task) == 0;
    request->step = is_empty ? STEP_BEGIN : STEP_LOOK;
    request->part = is_empty ? 0 : http_missing_find(request);
    return true;
}

/* A block is there, or not. */
static bool look_advance(struct http_request *request, long code, enum fb_status *status)
{
    if (code == 404) {
        request->task->missing = request->part;
        *status = FB_BUSY;
        return false;
    }
    request->step = STEP_BEGIN;
    request->part = 0;
    return code == 200;
}

/* An answer of the upload's that is no success. A block that is not there is looked at first the
 * next time; a target that has changed is looked at again. */
static bool upload_failed(struct http_request *request, long code, enum fb_status *status)
{
    enum step step = (enum step)request->step;
    enum fb_status outcome = *status;
    if (code == 200 && outcome == FB_OK)
        outcome = FB_IO;
    if (http_guard_failed(request, code) && step == STEP_COMPLETE)
        outcome = FB_BUSY;
    if (code == 404 && outcome != FB_REFUSED && step != STEP_BEGIN) {
        if (step == STEP_COPY || step == STEP_READ)
            request->task->missing = step == STEP_COPY ? request->part : index_of_read(request);
        if (request->task->missing != UINT64_MAX)
            http_missing_put(request, request->task->missing);
        outcome = FB_BUSY;
    }
    return fail_as(request, status, outcome);
}

/* Is the object as it was to be? A server that drops metadata is believed when another one than
 * before is there. */
static bool check_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct http_answer *said = &request->said;
    bool is_whole = code == 200 && said->has_size && said->size == request->task->object.size;
    bool is_other = said->version[0] == '\0' && strcmp(said->etag, request->guard) != 0;
    bool is_same = is_whole && http_target_find(request, code) == HTTP_FOUND_SAME;
    if (is_same || (is_whole && is_other))
        return blocks_end(request, status, FB_OK);
    if (code != 200 && *status != FB_ABSENT)
        return fail(request, status, *status);
    char name[FB_LOG_QUOTE_MAX];
    fb_log(
        FB_LOG_WARNING, "origin_failed",
        "status=busy http=%ld object=%s reason=\"the server said that the upload is complete, and "
        "the object is not there, or has another size\"",
        code, fb_log_quote(request->task->object.name, name));
    return fail(request, status, FB_BUSY); /* all of it once more */
}

/* A part is there, or all are: what is next? */
static void part_advance(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    bool is_over = request->part == part_count(task), is_empty = task->object.size == 0;
    bool is_full = !is_over && (is_empty || request->loaded == joined_bytes(request));
    request->step = is_over                        ? STEP_OTHERS
                    : is_copied(task) && !is_empty ? STEP_COPY
                    : is_full                      ? STEP_PART
                                                   : STEP_READ;
    if (is_over)
        s3_others_begin(request);
}

static bool upload_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct fb_origin_task *task = request->task;
    bool is_good = code == 200 && request->said.code[0] == '\0';
    enum step step = (enum step)request->step;
    if (step == STEP_BEGIN) {
        is_good = is_good && upload_begin(request);
        if (is_good && !is_copied(task) && !joins_begin(request))
            return fail(request, status, FB_BUSY);
        request->loaded = 0;
    } else if (step == STEP_READ) {
        is_good = is_good && *status == FB_OK;
        request->loaded += is_good ? request->sink_room : 0;
    } else if (step == STEP_COPY || step == STEP_PART) {
        is_good = is_good && part_add(request);
        request->loaded = 0;
    }
    if (!is_good)
        return upload_failed(request, code, status);
    *status = FB_OK;
    if (request->step == STEP_COMPLETE) {
        request->step = STEP_CHECK;
        return true;
    }
    part_advance(request);
    return true;
}

/* Nobody else's upload is to come over this one. */
static bool others_advance(struct http_request *request, long code, enum fb_status *status)
{
    if (request->step == STEP_EVICT) {
        bool is_gone = code == 204 || code == 200 || code == 404;
        s3_others_evicted(request);
        request->step = STEP_OTHERS;
        return is_gone || fail_as(request, status, *status);
    }
    switch (s3_others_listed(request, code)) {
    case HTTP_OTHERS_LIST:
        return true;
    case HTTP_OTHERS_EVICT:
        request->step = STEP_EVICT;
        return true;
    case HTTP_OTHERS_NONE:
        request->step = STEP_AGAIN;
        return true;
    case HTTP_OTHERS_FAIL:
        break;
    }
    return fail_as(request, status, *status);
}

/* The target as it is now that no earlier upload can change it. */
static bool again_advance(struct http_request *request, long code, enum fb_status *status)
{
    enum http_found found = http_target_find(request, code);
    if (code != 200 && code != 404)
        return fail_as(request, status, *status);
    bool is_done = found == HTTP_FOUND_SAME && request->said.size == request->task->object.size;
    if (is_done || found == HTTP_FOUND_LATER) /* it is looked at from the first */
        return fail(request, status, FB_BUSY);
    request->step = STEP_COMPLETE;
    return true;
}

bool s3_steps_advance(struct http_request *request, long code, enum fb_status *status)
{
    bool is_past = request->step > STEP_TARGET; /* what is left is a matter of room only */
    if (request->is_foreign && !is_past)
        return fail(request, status, FB_IO);
    switch ((enum step)request->step) {
    case STEP_HEAD:
        return head_advance(request, code, status);
    case STEP_LOOK:
        return look_advance(request, code, status);
    case STEP_BEGIN:
    case STEP_COPY:
    case STEP_READ:
    case STEP_PART:
    case STEP_COMPLETE:
        return upload_advance(request, code, status);
    case STEP_OTHERS:
    case STEP_EVICT:
        return others_advance(request, code, status);
    case STEP_AGAIN:
        return again_advance(request, code, status);
    case STEP_CHECK:
        return check_advance(request, code, status);
    case STEP_TARGET:
        if (http_guard_failed(request, code) && request->rounds++ < ROUNDS_MAX) {
            request->step = STEP_HEAD; /* it has changed: it is looked at again */
            return true;
        }
        if (http_guard_failed(request, code))
            *status = FB_BUSY;
        return *status == FB_OK && blocks_end(request, status, FB_OK);
    case STEP_BLOCKS: /* a block that stays is a matter of room only */
        *status = request->outcome;
        request->part++;
        return blocks_next(request, false);
    case STEP_LEFT:
        *status = request->outcome;
        return !is_none_left(request, code) && blocks_next(request, true);
    case STEP_ABORT:
        request->has_upload = false;
        request->said = request->head;
        request->reason = request->outcome_reason;
        memcpy(request->began, request->outcome_began, sizeof(request->began));
        request->is_foreign = request->began[0] != '\0';
        *status = request->outcome;
        return false;
    }
    FB_ASSERT(false);
    return false;
}
