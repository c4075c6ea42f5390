/* S3, path style: ENDPOINT/BUCKET/PREFIX NAME. Signed by libcurl (AWS Signature Version 4), which
 * wants path and query as they are signed: encoded, the query sorted by name.
 *
 * Blocks come from several nodes, which do not know of each other, so that each is an object of its
 * own at first; the commit makes one object of them: see origin_s3_commit.c.
 *
 * Credentials: access_key_id, secret_access_key, session_token in the credentials file, or
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Without a key requests are
 * anonymous. Source: AWS, "Authenticating Requests (AWS Signature Version 4)". */
#include "hw/origin/origin_s3.h"

#include "hw/origin/http_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool s3_element_take(const char *from, const char *end, const char *name, char *text, size_t size)
{
    const char *at = strstr(from, name);
    text[0] = '\0';
    if (at == NULL || at >= end)
        return false;
    at += strlen(name);
    const char *stop = memchr(at, '<', (size_t)(end - at));
    if (stop == NULL || (size_t)(stop - at) >= size)
        return false;
    memcpy(text, at, (size_t)(stop - at));
    text[stop - at] = '\0';
    return true;
}

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
    return is_fine && http_url_add(request, http_list_tail(request), false);
}

/* Is anything below the folder beside its mark? */
static bool marks_url(struct http_request *request)
{
    return http_url_append(request, "?list-type=2&max-keys=2&prefix=") &&
           http_url_add(request, request->http->settings->prefix, false) &&
           http_url_add(request, request->task->object.name, false) &&
           http_url_append(request, "%2F");
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

bool s3_block_append(struct http_request *request, uint64_t index)
{
    char path[96];
    snprintf(path, sizeof(path), FB_OBJECT_PARTS "/%016llx/%llu",
             (unsigned long long)request->task->object.handle, (unsigned long long)index);
    return http_url_add(request, request->http->settings->prefix, true) &&
           http_url_append(request, path);
}

bool s3_name_append(struct http_request *request)
{
    return http_url_add(request, request->http->settings->prefix, true) &&
           http_url_add(request, request->task->object.name, true) &&
           http_url_add(request, http_marks_tail(request), true);
}

static bool s3_prepare(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    char provider[FB_ORIGIN_WORD_MAX + 32], user[2 * HTTP_SECRET_MAX];
    bool is_probe = task->verb == FB_ORIGIN_STAT && request->step != HTTP_STEP_HEAD;
    bool is_marks = http_marks_is_list(request);
    bool is_list = task->verb == FB_ORIGIN_LIST || is_probe || is_marks;
    request->root = is_list ? http_s3.list_root : NULL;
    bool is_fine = http_url_append(request, settings->endpoint) && http_url_append(request, "/") &&
                   http_url_add(request, settings->bucket, false);
    if (is_list)
        is_fine = is_fine && (is_probe   ? probe_url(request)
                              : is_marks ? marks_url(request)
                                         : list_url(request));
    else
        is_fine = is_fine && http_url_append(request, "/");
    if (task->verb == FB_ORIGIN_COMMIT || task->verb == FB_ORIGIN_REMOVE)
        is_fine = is_fine && s3_steps_prepare(request);
    else if (task->verb == FB_ORIGIN_STORE)
        is_fine = is_fine && s3_store_prepare(request);
    else if (!is_list)
        is_fine = is_fine && s3_name_append(request);
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

/* AWS, "DeleteObject"; others say 200. */
static bool s3_is_removed(long code)
{
    return code == 204 || code == 200;
}

const struct http_dialect http_s3 = {.name = "s3",
                                     .list_root = "<ListBucketResult",
                                     .is_removed = s3_is_removed,
                                     .can_write = true,
                                     .store_part_bytes_min = S3_PART_MIN,
                                     .store_advance = s3_store_advance,
                                     .prepare = s3_prepare,
                                     .credentials = s3_credentials,
                                     .object_max = s3_object_max,
                                     .advance = s3_steps_advance};
