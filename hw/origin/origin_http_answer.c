/* What an S3 or Azure server said, and what that means. The server may be anything that somebody
 * configured, with proxies before it, so nothing is taken that does not fit what was asked:
 *
 *  1. A part of an object is 206 with the range that was asked for, of an object of the size that
 *     is known, or, when the whole object was asked for, a store's 200; of that length, no byte
 *     less or more, and with the digest that the server itself gives (Content-MD5). It is an answer
 *     of the protocol at all: see origin_http_fit.c.
 *  2. Sizes and ranges are plain numbers; a header that is none makes the answer bad.
 *  3. An error is told by the server's own code (<Code>, x-ms-error-code), which is logged: what is
 *     refused for good is not asked for again (core/io.h, R16).
 *  4. A weak ETag is taken for the strong one: proxies weaken what they pass on. */
#include "base/clock.h"
#include "hw/origin/http_answer.h"

#include "hw/origin/origin_http.h"
#include "hw/origin/http_range.h"
#include "core/panic.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

/* More than any store holds in one object. */
static const uint64_t size_max = UINT64_C(1) << 52;
/* One more request for names that are not there, at most so often. */
static const uint64_t bucket_known_ns = 2000000000;

uint64_t http_version_of(const struct http_request *request)
{
    const struct http_answer *said = &request->said;
    if (said->version[0] != '\0')
        return strtoull(said->version, NULL, 16);
    return XXH3_64bits(said->etag, strlen(said->etag));
}

/* A plain decimal number below size_max; false: it is none. */
static bool number_read(const char **text, uint64_t *number)
{
    const char *at = *text;
    *number = 0;
    for (; *at >= '0' && *at <= '9' && *number < size_max; at++)
        *number = *number * 10 + (uint64_t)(*at - '0');
    bool is_number = at > *text && *number < size_max;
    *text = at;
    return is_number;
}

/* "bytes FIRST-LAST/TOTAL", TOTAL may be "*". */
static void range_read(struct http_answer *said, const char *text)
{
    bool is_fine = strncasecmp(text, "bytes ", 6) == 0;
    text += is_fine ? 6 : 0;
    is_fine = is_fine && number_read(&text, &said->range_first) && *text++ == '-' &&
              number_read(&text, &said->range_last) && *text++ == '/';
    said->range_total = UINT64_MAX;
    if (is_fine && strcmp(text, "*") != 0)
        is_fine = number_read(&text, &said->range_total) && *text == '\0';
    said->has_range = is_fine;
    said->is_bad = said->is_bad || !is_fine;
}

static void md5_read(struct http_answer *said, const char *text)
{
    unsigned char bytes[20];
    size_t length = strlen(text);
    said->has_md5 = length == 24 && EVP_DecodeBlock(bytes, (const unsigned char *)text, 24) == 18;
    if (said->has_md5)
        memcpy(said->md5, bytes, sizeof(said->md5));
}

/* A server's word for an error: letters and digits. */
static void code_read(struct http_answer *said, const char *text, size_t length)
{
    size_t kept = 0;
    size_t most = length < sizeof(said->code) - 1 ? length : sizeof(said->code) - 1;
    while (kept < most && strchr("<>\"' \r\n", text[kept]) == NULL &&
           (unsigned char)text[kept] > ' ') {
        said->code[kept] = text[kept];
        kept++;
    }
    said->code[kept] = '\0';
}

/* The version that a commit has left with the object; anybody may have left another word. */
static void version_read(struct http_answer *said, const char *text)
{
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    bool is_version = digits > 0 && digits < sizeof(said->version) && text[digits] == '\0' &&
                      strtoull(text, NULL, 16) != 0;
    snprintf(said->version, sizeof(said->version), "%s", is_version ? text : "");
}

/* What a store has left with a block; anybody may have left another word. */
static void digest_read(struct http_answer *said, const char *text)
{
    size_t digits = strspn(text, "0123456789abcdef");
    said->has_digest = digits == 16 && text[digits] == '\0';
    said->digest = said->has_digest ? strtoull(text, NULL, 16) : 0;
}

static void value_take(struct http_answer *said, const char *name, const char *value)
{
    const char *at = value;
    bool is_version =
        strcasecmp(name, HTTP_AZURE_VERSION) == 0 || strcasecmp(name, HTTP_S3_VERSION) == 0;
    if (strcasecmp(name, "etag") == 0)
        snprintf(said->etag, sizeof(said->etag), "%s",
                 strncmp(value, "W/", 2) == 0 ? value + 2 : value);
    else if (strcasecmp(name, "last-modified") == 0)
        snprintf(said->modified, sizeof(said->modified), "%.63s", value);
    else if (is_version)
        version_read(said, value);
    else if (strcasecmp(name, HTTP_S3_DIGEST) == 0)
        digest_read(said, value);
    else if (strcasecmp(name, "date") == 0)
        said->date_s = (int64_t)curl_getdate(value, NULL);
    else if (strcasecmp(name, "retry-after") == 0)
        said->retry_after_s = (uint32_t)strtoul(value, NULL, 10);
    else if (strcasecmp(name, "content-range") == 0)
        range_read(said, value);
    else if (strcasecmp(name, "content-md5") == 0)
        md5_read(said, value);
    else if (strcasecmp(name, "x-ms-error-code") == 0)
        code_read(said, value, strlen(value));
    else if (strcasecmp(name, "x-amz-meta-hdi_isfolder") == 0 ||
             strcasecmp(name, "x-ms-meta-hdi_isfolder") == 0)
        said->is_folder = strcasecmp(value, "true") == 0;
    if (strcasecmp(name, "x-amz-bucket-region") == 0)
        snprintf(said->region, sizeof(said->region), "%.63s", value);
    if (strcasecmp(name, "content-type") == 0)
        said->is_html = strncasecmp(value, "text/html", 9) == 0 ||
                        strncasecmp(value, "application/xhtml", 17) == 0;
    if (strncasecmp(name, "x-amz-", 6) == 0 || strncasecmp(name, "x-ms-", 5) == 0 ||
        strncasecmp(name, "x-goog-", 7) == 0)
        said->is_store = true;
    if (strcasecmp(name, "content-length") == 0) {
        said->has_size = number_read(&at, &said->size) && *at == '\0';
        said->is_bad = said->is_bad || !said->has_size;
    }
}

void http_header_take(struct http_request *request, const char *line, size_t size)
{
    char name[64], value[HTTP_ETAG_MAX];
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
        request->said = (struct http_answer){.size = 0}; /* after a 100, another answer begins */
    const char *colon = memchr(line, ':', size);
    if (colon == NULL || (size_t)(colon - line) >= sizeof(name))
        return;
    size_t from = (size_t)(colon - line), to = size;
    memcpy(name, line, from);
    name[from++] = '\0';
    while (from < to && (line[from] == ' ' || line[from] == '\t'))
        from++;
    while (to > from && (unsigned char)line[to - 1] <= ' ')
        to--;
    size_t length = to - from < sizeof(value) - 1 ? to - from : sizeof(value) - 1;
    memcpy(value, line + from, length);
    value[length] = '\0';
    value_take(&request->said, name, value);
    /* Two versions may begin alike. */
    if (length < to - from && strcasecmp(name, "etag") == 0)
        request->said.is_bad = true;
}

void http_answer_take(struct http_request *request, const char *bytes, size_t size)
{
    uint64_t room = HTTP_ANSWER_MAX - 1 - request->answer_size;
    uint64_t part = size < room ? size : room;
    memcpy(request->answer + request->answer_size, bytes, part);
    request->answer_size += (uint32_t)part;
    request->answer[request->answer_size] = '\0';
}

/* The first line of an element's text, cut where it is longer; empty: there is none. */
static void element_read(const struct http_request *request, const char *element, char *text,
                         size_t size)
{
    const char *found = strstr(request->answer, element);
    const char *from = found != NULL ? found + strlen(element) : "";
    snprintf(text, size, "%.*s", (int)strcspn(from, "<\r\n"), from);
}

void http_answer_end(struct http_request *request)
{
    struct http_answer *said = &request->said;
    char code[HTTP_CODE_MAX];
    element_read(request, "<Code>", code, sizeof(code));
    if (said->code[0] == '\0')
        code_read(said, code, strlen(code));
    element_read(request, "<Message>", said->sentence, sizeof(said->sentence));
    if (said->region[0] == '\0')
        element_read(request, "<Region>", said->region, sizeof(said->region));
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &said->http);
}

static bool is_other_version(const struct http_request *request)
{
    return http_version_of(request) != request->task->object.version;
}

bool http_range_fits(struct http_request *request, long code)
{
    const struct fb_origin_task *task = request->task;
    const struct http_answer *said = &request->said;
    uint64_t first = task->offset + request->range_offset, last = first + request->range_bytes - 1;
    bool is_whole = first == 0 && request->range_bytes == task->object.size;
    request->reason = NULL;
    if (code != 200 && code != 206)
        return true;
    if (!http_answer_fits(request, code))
        return false;
    if (is_other_version(request))
        request->reason = "the object is another version";
    else if (said->is_bad)
        request->reason = "a header of the answer is too long, or no number";
    else if (code == 200 && (!is_whole || !said->is_store))
        request->reason = "the server leaves the range aside";
    else if (said->has_range && (said->range_first != first || said->range_last != last))
        request->reason = "the answer is another range";
    else if (said->has_range && said->range_total != UINT64_MAX &&
             said->range_total != task->object.size)
        request->reason = "the object has another size";
    else if (said->has_size && said->size != request->range_bytes)
        request->reason = "the answer has another length";
    return request->reason == NULL;
}

/* Somebody holds the blob, or it may not be changed. */
static bool is_held(const struct http_request *request)
{
    static const char *const words[] = {"LeaseIdMissing",
                                        "LeaseIdMismatchWithBlobOperation",
                                        "LeaseLost",
                                        "BlobImmutableDueToPolicy",
                                        "BlobImmutableDueToLegalHold",
                                        "BlobIsArchived",
                                        "BlobBeingRehydrated",
                                        "SnapshotsPresent",
                                        "BlobHasSnapshots",
                                        "InvalidBlobType",
                                        "InvalidObjectState",
                                        "ObjectLocked",
                                        NULL};
    return http_is_one_of(request->said.code, words);
}

static bool has_no_room(const struct http_request *request, long code)
{
    static const char *const words[] = {"QuotaExceeded",
                                        "XMinioAdminBucketQuotaExceeded",
                                        "XMinioStorageFull",
                                        "InsufficientCapacity",
                                        "AccountLimitExceeded",
                                        "StorageFull",
                                        NULL};
    return code == 507 || http_is_one_of(request->said.code, words);
}

/* A commit's: a block or the upload is not there, and may be put there again. */
static bool has_no_part(const struct http_request *request)
{
    static const char *const words[] = {
        "InvalidBlockList", "InvalidBlockId", "InvalidPart", "NoSuchUpload",
        "NoSuchKey",        "IncompleteBody", NULL};
    return request->said.code[0] == '\0' || http_is_one_of(request->said.code, words);
}

/* They are others by now, or will be; stores say so under 400, too. A HEAD has no word: there a 400
 * may be that. */
static bool is_for_credentials(const struct http_request *request, long code)
{
    static const char *const words[] = {"ExpiredToken",         "InvalidToken",
                                        "TokenRefreshRequired", "InvalidAccessKeyId",
                                        "InvalidSecurity",      "SignatureDoesNotMatch",
                                        "AuthenticationFailed", "InvalidAuthenticationInfo",
                                        "RequestTimeTooSkewed", NULL};
    char *method = NULL;
    curl_easy_getinfo(request->easy, CURLINFO_EFFECTIVE_METHOD, &method);
    bool is_silent = request->said.code[0] == '\0' && method != NULL && strcmp(method, "HEAD") == 0;
    return code == 401 || code == 403 || (code == 400 && is_silent) ||
           http_is_one_of(request->said.code, words);
}

/* Words of a store that is asked too much, or was not heard out; it says 400 and 409 with some. */
static bool is_passing(const struct http_request *request)
{
    static const char *const words[] = {
        "RequestTimeout",     "IncompleteBody",      "SlowDown",
        "SlowDownRead",       "SlowDownWrite",       "RequestThrottled",
        "ServiceUnavailable", "InternalError",       "InternalServerError",
        "ServerBusy",         "OperationTimedOut",   "Throttling",
        "OperationAborted",   "ThrottlingException", "RequestLimitExceeded",
        "BadDigest",          "TooManyRequests",     NULL};
    return http_is_one_of(request->said.code, words);
}

bool http_guard_failed(const struct http_request *request, long code)
{
    return (code == 409 || code == 412) && !is_held(request) && !http_has_no_bucket(request);
}

enum fb_status http_error_status(const struct http_request *request, long code)
{
    bool is_commit = request->task->verb == FB_ORIGIN_COMMIT;
    if (has_no_room(request, code))
        return FB_FULL;
    if (http_has_no_bucket(request))
        return FB_REFUSED;
    if (is_for_credentials(request, code) || is_held(request))
        return FB_DENIED;
    if (code == 404)
        return FB_ABSENT;
    if ((code == 412 || code == 416 || code == 409) && !is_passing(request))
        return FB_CONFLICT;
    if (code == 429 || code == 503)
        return FB_THROTTLED;
    if (is_commit && code == 400 && has_no_part(request))
        return FB_BUSY;
    if (is_passing(request) && code < 500)
        return FB_THROTTLED;
    bool is_ours = (code >= 300 && code < 500 && code != 408) || code == 501;
    return is_ours ? FB_REFUSED : FB_IO;
}

static enum fb_status fetch_status(struct http_request *request, long code, bool *is_temporary)
{
    struct fb_origin_task *task = request->task;
    const struct fb_object *object = &task->object;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    *is_temporary = false;
    if (!http_range_fits(request, code)) {
        bool is_before = object->is_cached && (request->said.version[0] == '\0' ||
                                               http_version_of(request) < object->version);
        if (is_other_version(request))
            return is_before ? FB_ABSENT : FB_CONFLICT;
        bool is_all = code == 200 && request->said.is_store && task->offset == 0 &&
                      task->bytes.size == object->size;
        task->ranges.is_whole = is_all && request->range_bytes < task->bytes.size;
        *is_temporary = code == 206 || task->ranges.is_whole;
        return FB_IO;
    }
    *is_temporary = true;
    if (request->moved < request->range_bytes) {
        request->reason = "the answer is cut";
        return FB_IO;
    }
    if (request->digest != NULL &&
        (EVP_DigestFinal_ex(request->digest, digest, &size) != 1 ||
         memcmp(digest, request->said.md5, sizeof(request->said.md5)) != 0)) {
        request->reason = "the bytes do not match their Content-MD5";
        return FB_CORRUPT;
    }
    if (!http_range_agrees(request)) {
        request->reason = "the ranges of the block have two ETags";
        task->ranges.is_whole = true;
        return FB_BUSY;
    }
    return FB_OK;
}

static enum fb_status stat_status(struct http_request *request)
{
    if (request->said.is_bad || !request->said.has_size)
        request->reason = "the object has no size, or an ETag, that can be";
    return request->reason != NULL ? FB_REFUSED : request->said.is_folder ? FB_ABSENT : FB_OK;
}

/* What an answer's code stands for: a commit's 200 is sent before its end is known, and one with an
 * error in it is none. Source: AWS, "CompleteMultipartUpload". */
static long code_meant(const struct http_request *request, long code)
{
    bool is_late =
        code == 200 && request->task->verb == FB_ORIGIN_COMMIT && request->said.code[0] != '\0';
    if (!is_late)
        return code;
    return is_passing(request) ? 503 : 400;
}

/* COMMIT: are the bytes of a block those that were stored, all of them? */
static bool block_fits(struct http_request *request)
{
    const struct http_answer *said = &request->said;
    bool is_whole = request->moved == request->sink_room;
    bool is_same = is_whole && (!said->has_digest ||
                                XXH3_64bits(request->sink, request->moved) == said->digest);
    if (!is_same)
        request->reason = is_whole ? "a block's bytes do not match the digest that it was stored "
                                     "with"
                                   : "a block is not as long as it was stored";
    return is_same;
}

enum fb_status http_answer_status(struct http_request *request, long code, bool *is_temporary)
{
    enum fb_origin_verb verb = request->task->verb;
    request->is_foreign = !http_answer_fits(request, code);
    *is_temporary = true;
    if (request->is_foreign)
        return FB_IO;
    code = code_meant(request, code);
    *is_temporary = code == 408 || code == 429 || (code >= 500 && code != 501 && code != 507) ||
                    is_passing(request);
    if ((verb == FB_ORIGIN_REMOVE || verb == FB_ORIGIN_CHANGE) &&
        (code == 200 || code == 202 || code == 204 ||
         (code == 404 && !http_has_no_bucket(request))))
        return FB_OK;
    if (verb == FB_ORIGIN_FETCH && (code == 200 || code == 206))
        return fetch_status(request, code, is_temporary);
    if (verb == FB_ORIGIN_STAT && code == 200 && request->step == HTTP_STEP_HEAD)
        return stat_status(request);
    if (verb == FB_ORIGIN_COMMIT && code == 200 && request->sink != NULL && !block_fits(request)) {
        *is_temporary = true;
        return FB_CORRUPT;
    }
    bool is_written = (verb == FB_ORIGIN_STORE || verb == FB_ORIGIN_COMMIT) && code == 201;
    if (code == 200 || is_written)
        return FB_OK;
    enum fb_status status = http_error_status(request, code);
    *is_temporary = *is_temporary && status != FB_FULL;
    if (status == FB_ABSENT && verb == FB_ORIGIN_STORE)
        status = FB_IO;
    return status;
}

/* The listing that followed a STAT's HEAD has ended. */
static void probe_end(struct http_request *request, long answer, enum fb_status *status)
{
    bool is_found = strstr(request->answer, "<Contents>") != NULL ||
                    strstr(request->answer, "<CommonPrefixes>") != NULL ||
                    strstr(request->answer, "<Blob>") != NULL ||
                    strstr(request->answer, "<BlobPrefix>") != NULL;
    bool is_told = answer == 200 || answer == 401 || answer == 403 || answer == 404;
    switch (request->probe) {
    case HTTP_PROBE_BUCKET:
        if (is_told && *status != FB_REFUSED)
            *status = FB_ABSENT;
        return;
    case HTTP_PROBE_DENIED: /* it may have another word than the HEAD's silence was taken for */
        if (*status == FB_OK || *status == FB_ABSENT) {
            *status = FB_DENIED;
            request->said = request->head;
        }
        return;
    case HTTP_PROBE_MARKER:
        *status = answer == 200 && is_found ? FB_ABSENT : FB_OK;
        request->said = request->head;
        return;
    }
}

bool http_stat_advance(struct http_request *request, long answer, enum fb_status *status)
{
    const struct http_origin *http = request->http;
    const struct http_answer *said = &request->said;
    if (request->is_foreign)
        return false;
    uint64_t now_ns = fb_clock_ns();
    bool is_known = http->bucket_seen_ns > 0 && now_ns - http->bucket_seen_ns < bucket_known_ns;
    bool is_silent = said->code[0] == '\0';
    if (request->step != HTTP_STEP_HEAD) {
        probe_end(request, answer, status);
        return false;
    }
    bool is_absent = answer == 404 && !is_known && is_silent;
    bool is_denied = *status == FB_DENIED && is_silent;
    bool is_marker = *status == FB_OK && said->size == 0 && said->version[0] == '\0';
    request->probe = is_absent   ? HTTP_PROBE_BUCKET
                     : is_denied ? HTTP_PROBE_DENIED
                                 : HTTP_PROBE_MARKER;
    request->head = *said;
    request->step++;
    return is_absent || is_denied || is_marker;
}

uint64_t http_missing_find(const struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_object *object = &request->task->object;
    uint64_t block = http->origin->context.settings->core.block_size_bytes;
    uint64_t blocks = fb_object_blocks(object, block);
    for (uint32_t i = 0; i < HTTP_MISSING_MAX; i++) {
        if (http->missing[i].handle == object->handle && http->missing[i].index < blocks)
            return http->missing[i].index;
    }
    return blocks > 0 ? blocks - 1 : 0;
}

void http_missing_put(struct http_request *request, uint64_t index)
{
    struct http_origin *http = request->http;
    uint64_t handle = request->task->object.handle;
    uint32_t slot = 0;
    while (slot < HTTP_MISSING_MAX && http->missing[slot].handle != handle)
        slot++;
    if (slot == HTTP_MISSING_MAX)
        slot = http->missing_next++ % HTTP_MISSING_MAX;
    http->missing[slot] = (struct http_missing){.handle = handle, .index = index};
}

enum http_found http_target_find(struct http_request *request, long code)
{
    const struct fb_origin_task *task = request->task;
    const struct http_answer *said = &request->said;
    request->guard[0] = '\0';
    if (code != 200)
        return HTTP_FOUND_NOTHING;
    memcpy(request->guard, said->etag, sizeof(request->guard));
    bool has_version = said->version[0] != '\0';
    uint64_t order = has_version ? http_version_of(request) : 0;
    bool is_later = order > task->limit || task->limit == 0;
    request->task->object.order = order;
    if (has_version && order == task->as_version)
        return HTTP_FOUND_SAME;
    bool is_other = task->verb == FB_ORIGIN_REMOVE && task->as_version != 0;
    return is_later || is_other ? HTTP_FOUND_LATER : HTTP_FOUND_EARLIER;
}

void http_guard(struct http_request *request)
{
    if (request->guard[0] != '\0')
        http_header(request, "If-Match: %s", request->guard);
    else
        http_header(request, "If-None-Match: *");
}
