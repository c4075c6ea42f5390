/* S3, path style: ENDPOINT/BUCKET/PREFIX NAME. Signed by libcurl (AWS Signature Version 4), which
 * wants path and query as they are signed: encoded, the query sorted by name.
 *
 * Blocks come from several nodes, which do not know of each other, so that each is an object of its
 * own at first; the commit makes one object of them, by copies within the server:
 *
 *     HEAD the target -> begin an upload, with the version -> copy each block as a part
 *       -> complete the upload, if the target is as it was -> delete each block
 *
 * This version is there: done. One later than the limit is: CONFLICT, and its blocks stay. No
 * block: an empty object is put. Removing: HEAD, delete the target if it is not later, delete each
 * block. Servers that do not know conditions (If-Match) leave a window between HEAD and change. AWS
 * wants parts of 5 MiB or more, but the last; other servers take any. An upload that fails is left
 * to the bucket's lifecycle rule, as are blocks that nobody commits, or that come after their
 * object's end.
 *
 * Credentials: access_key_id, secret_access_key, session_token in the credentials file, or
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Without a key requests are
 * anonymous. Source: AWS, "Authenticating Requests (AWS Signature Version 4)". */
#include "hw/origin_http.h"

#include "hw/loop_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool list_url(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    const char *cursor = task->cursor.text;
    bool is_fine = http_url_append(request, "?");
    if (cursor[0] != '\0')
        is_fine = is_fine && http_url_append(request, "continuation-token=") &&
                  http_url_add(request, cursor, false) && http_url_append(request, "&");
    is_fine = is_fine &&
              http_url_append(request, "delimiter=%2F&encoding-type=url&list-type=2&prefix=") &&
              http_url_add(request, request->http->settings->prefix, false) &&
              http_url_add(request, task->object.name, false);
    return is_fine && (task->object.name_length == 0 || http_url_append(request, "%2F"));
}

/* What a HEAD is followed by: does the bucket exist, or is anything below this name? */
static bool probe_url(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    bool is_fine = http_url_append(request, "?delimiter=%2F&list-type=2&max-keys=1&prefix=");
    if (request->probe == HTTP_PROBE_BUCKET)
        return is_fine;
    return is_fine && http_url_add(request, request->http->settings->prefix, false) &&
           http_url_add(request, task->object.name, false) && http_url_append(request, "%2F");
}

enum { PART_MIN = 5 << 20 };
enum { STEP_TARGET = 1, STEP_BEGIN = 1, STEP_PARTS, LIST_ENTRY_BYTES = 64 + HTTP_ETAG_MAX };

static uint64_t block_bytes(const struct fb_origin_task *task)
{
    return task->loop->settings->core.block_size_bytes;
}

static uint32_t block_count(const struct fb_origin_task *task)
{
    uint64_t block = block_bytes(task);
    return (uint32_t)(task->object.size / block + (task->object.size % block > 0));
}

/* Steps of a commit: with a single request in place of an upload when there is no block. */
static uint32_t parts_end(uint32_t blocks)
{
    return STEP_PARTS + blocks;
}

static uint32_t deletes_begin(const struct fb_origin_task *task)
{
    uint32_t blocks = block_count(task);
    if (task->verb == FB_ORIGIN_REMOVE)
        return STEP_TARGET + 1;
    return blocks > 0 ? parts_end(blocks) + 1 : STEP_PARTS;
}

/* Where a block is until the commit. */
static bool block_append(struct http_request *request, uint64_t index)
{
    char path[96];
    snprintf(path, sizeof(path), FB_OBJECT_PARTS "/%016llx/%llu",
             (unsigned long long)request->task->object.handle, (unsigned long long)index);
    return http_url_add(request, request->http->settings->prefix, true) &&
           http_url_append(request, path);
}

/* The header that names a block as what is to be copied. */
static void copy_source(struct http_request *request, uint32_t index)
{
    size_t used = strlen(request->url);
    bool is_fine = http_url_append(request, "/") &&
                   http_url_add(request, request->http->settings->bucket, false) &&
                   http_url_append(request, "/") && block_append(request, index);
    if (is_fine)
        http_header(request, "x-amz-copy-source: %s", request->url + used);
    request->url[used] = '\0';
}

static void version_header(struct http_request *request)
{
    http_header(request, HTTP_S3_VERSION ": %016llx",
                (unsigned long long)request->task->as_version);
}

static bool name_append(struct http_request *request)
{
    return http_url_add(request, request->http->settings->prefix, true) &&
           http_url_add(request, request->task->object.name, true);
}

/* HEAD of the target, or DELETE of it or of a block: what needs no body; all begin at the bucket's
 * slash. */
static bool plain_prepare(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    uint32_t step = request->step, deletes = deletes_begin(task);
    curl_easy_setopt(request->easy, CURLOPT_UPLOAD, 0L);
    curl_easy_setopt(request->easy, CURLOPT_NOBODY, step == HTTP_STEP_HEAD ? 1L : 0L);
    curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST,
                     step == HTTP_STEP_HEAD ? NULL : "DELETE");
    if (step >= deletes)
        return block_append(request, step - deletes);
    if (step != HTTP_STEP_HEAD)
        http_guard(request);
    return name_append(request);
}

/* The upload: begun, a part copied, or completed. */
static bool upload_prepare(struct http_request *request)
{
    uint32_t blocks = block_count(request->task), step = request->step;
    char part[48];
    bool is_last = step == parts_end(blocks) || blocks == 0;
    if (!name_append(request))
        return false;
    if (is_last)
        http_guard(request);
    if (step == STEP_BEGIN)
        version_header(request);
    if (blocks == 0)
        return true;
    if (is_last || step == STEP_BEGIN)
        curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "POST");
    if (step == STEP_BEGIN)
        return http_url_append(request, "?uploads=");
    snprintf(part, sizeof(part), "?partNumber=%u&uploadId=", step - STEP_PARTS + 1);
    if (is_last)
        request->body_size = request->list_size;
    else
        copy_source(request, step - STEP_PARTS);
    return http_url_append(request, is_last ? "?uploadId=" : part) &&
           http_url_add(request, request->upload, false);
}

/* URL and headers of the request that is due. */
static bool steps_prepare(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    bool is_plain = task->verb == FB_ORIGIN_REMOVE || request->step == HTTP_STEP_HEAD ||
                    request->step >= deletes_begin(task);
    return is_plain ? plain_prepare(request) : upload_prepare(request);
}

/* The text of an element of the answer; false: it is not there, or too long. */
static bool answer_take(const struct http_request *request, const char *name, char *text,
                        size_t size)
{
    const char *from = strstr(request->answer, name);
    from = from != NULL ? from + strlen(name) : NULL;
    const char *end = from != NULL ? strchr(from, '<') : NULL;
    if (end == NULL || (size_t)(end - from) >= size)
        return false;
    memcpy(text, from, (size_t)(end - from));
    text[end - from] = '\0';
    return true;
}

static bool list_add(struct http_request *request, const char *text)
{
    size_t room = (size_t)block_count(request->task) * LIST_ENTRY_BYTES + LIST_ENTRY_BYTES;
    size_t length = strlen(text);
    if (request->list_size + length >= room)
        return false;
    memcpy(request->body + request->list_size, text, length);
    request->list_size += length;
    return true;
}

/* The upload has begun: its name, and room for the list of its parts. */
static bool upload_begin(struct http_request *request)
{
    free(request->body);
    request->body =
        malloc((size_t)block_count(request->task) * LIST_ENTRY_BYTES + LIST_ENTRY_BYTES);
    request->list_size = 0;
    return request->body != NULL &&
           answer_take(request, "<UploadId>", request->upload, sizeof(request->upload)) &&
           list_add(request, "<CompleteMultipartUpload>");
}

static bool part_add(struct http_request *request)
{
    char etag[HTTP_ETAG_MAX - 64], text[LIST_ENTRY_BYTES];
    uint32_t number = request->step - STEP_PARTS; /* the step is the next one already */
    if (!answer_take(request, "<ETag>", etag, sizeof(etag)))
        return false;
    snprintf(text, sizeof(text), "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", number,
             etag);
    bool is_last = number == block_count(request->task);
    return list_add(request, text) && (!is_last || list_add(request, "</CompleteMultipartUpload>"));
}

/* The target was looked at: what is next? */
static bool head_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct fb_origin_task *task = request->task;
    bool is_remove = task->verb == FB_ORIGIN_REMOVE;
    enum http_found found = http_target_find(request, code);
    if (code != 200 && code != 404)
        return false;
    *status = FB_OK;
    bool is_there =
        found == HTTP_FOUND_SAME && (is_remove || request->said.size == task->object.size);
    if (is_there && !is_remove)
        return false;
    if (found == HTTP_FOUND_LATER && !is_remove) {
        *status = FB_CONFLICT;
        return false;
    }
    if (found == HTTP_FOUND_LATER || found == HTTP_FOUND_NOTHING)
        request->step = is_remove ? deletes_begin(task) : request->step; /* its blocks are left */
    return request->step < deletes_begin(task) + block_count(task);
}

/* A request of the upload has ended. */
static bool upload_advance(struct http_request *request, uint32_t step, long code,
                           enum fb_status *status)
{
    uint32_t blocks = block_count(request->task);
    bool is_good = code == 200 && request->said.code[0] == '\0';
    if (is_good && step == STEP_BEGIN && blocks > 0)
        is_good = upload_begin(request);
    else if (is_good && step >= STEP_PARTS && step < parts_end(blocks))
        is_good = part_add(request);
    if (!is_good && code == 400 && step == parts_end(blocks) &&
        block_bytes(request->task) < PART_MIN)
        fb_log(FB_LOG_ERROR, "parts_too_small",
               "remedy=\"this server wants parts of 5 MiB: set core.block_size to 8 MiB\"");
    if (!is_good) {
        bool is_missing = code == 404 && step < parts_end(blocks);
        bool is_again = is_missing || http_guard_failed(request, code);
        *status = is_again ? FB_BUSY : *status == FB_OK || code == 400 ? FB_IO : *status;
        return false;
    }
    *status = FB_OK;
    bool is_kept = request->task->as_version != request->task->object.version;
    return request->step < deletes_begin(request->task) + (is_kept ? 0 : blocks);
}

static bool steps_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct fb_origin_task *task = request->task;
    uint32_t end = deletes_begin(task) + block_count(task), step = request->step++;
    if (step >= deletes_begin(task)) { /* a block that stays is a matter of room only */
        *status = FB_OK;
        return request->step < end;
    }
    if (step == HTTP_STEP_HEAD)
        return head_advance(request, code, status);
    if (task->verb == FB_ORIGIN_COMMIT)
        return upload_advance(request, step, code, status);
    if (http_guard_failed(request, code))
        *status = FB_BUSY; /* it has changed: to be looked at again */
    return *status == FB_OK && request->step < end;
}

static bool s3_prepare(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    char provider[FB_ORIGIN_WORD_MAX + 32], user[2 * HTTP_SECRET_MAX];
    bool is_probe = task->verb == FB_ORIGIN_STAT && request->step != HTTP_STEP_HEAD;
    bool is_list = task->verb == FB_ORIGIN_LIST || is_probe;
    bool is_fine = http_url_append(request, settings->endpoint) && http_url_append(request, "/") &&
                   http_url_add(request, settings->bucket, false);
    if (is_list)
        is_fine = is_fine && (is_probe ? probe_url(request) : list_url(request));
    else
        is_fine = is_fine && http_url_append(request, "/");
    if (task->verb == FB_ORIGIN_COMMIT || task->verb == FB_ORIGIN_REMOVE)
        is_fine = is_fine && steps_prepare(request);
    else if (task->verb == FB_ORIGIN_STORE)
        is_fine = is_fine && block_append(request, task->offset / block_bytes(task));
    else if (!is_list)
        is_fine = is_fine && name_append(request);
    if (!is_fine || http->user[0] == '\0')
        return is_fine;
    snprintf(provider, sizeof(provider), "aws:amz:%s:s3",
             settings->region[0] != '\0' ? settings->region : "us-east-1");
    snprintf(user, sizeof(user), "%s:%s", http->user, http->secret);
    curl_easy_setopt(request->easy, CURLOPT_AWS_SIGV4, provider);
    curl_easy_setopt(request->easy, CURLOPT_USERPWD, user);
    explicit_bzero(user, sizeof(user));
    http_header(request, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    if (http->token[0] != '\0')
        http_header(request, "x-amz-security-token: %s", http->token);
    return true;
}

static void s3_credentials(struct http_origin *http, struct fb_error *error)
{
    bool has_user = http_credential(http, "access_key_id", "AWS_ACCESS_KEY_ID", http->user, error);
    bool has_secret =
        http_credential(http, "secret_access_key", "AWS_SECRET_ACCESS_KEY", http->secret, error);
    http_credential(http, "session_token", "AWS_SESSION_TOKEN", http->token, error);
    if (has_user != has_secret)
        fb_error_set(error, "origin: an access key without its secret, or a secret without its "
                            "key: give both or none");
}

const struct http_dialect http_s3 = {.name = "s3",
                                     .can_write = true,
                                     .prepare = s3_prepare,
                                     .credentials = s3_credentials,
                                     .advance = steps_advance};
