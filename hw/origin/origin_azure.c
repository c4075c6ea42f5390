/* Azure Blob: ENDPOINT/CONTAINER/PREFIX NAME; ENDPOINT is https://ACCOUNT.blob.core.windows.net
 * or, for an emulator, ends in the account. Signed with the account's shared key, or by a shared
 * access signature (SAS) in the query; without either requests are anonymous.
 *
 * An object is written as blocks in any order (Put Block), which become its content when their list
 * is put; until then it is as it was. Before that, and before it is removed, the blob is looked at
 * (HEAD): it is put and removed only if it is as it was then, and no later version. Blocks that are
 * in no list go by themselves, after a week.
 *
 * Credentials: account_key or sas_token in the credentials file, or AZURE_STORAGE_KEY,
 * AZURE_STORAGE_SAS_TOKEN. Source: Azure, "Authorize with Shared Key", version 2015-02-21 and
 * later; "List Blobs". */
#include "hw/origin/origin_http.h"
#include "hw/origin/http_range.h"
#include "hw/origin/http_answer.h"

#include "core/panic.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Azure, "Scalability targets for Blob storage": blocks of one blob. */
enum { SIGNED_MAX = 2 * HTTP_URL_MAX, ROUNDS_MAX = 3, BLOCKS_MAX = 50000 };

static const char version[] = "2021-12-02";

static bool list_url(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    const char *cursor = task->cursor.text;
    bool is_fine = http_url_append(request, "?comp=list&delimiter=%2F&restype=container&prefix=") &&
                   http_url_add(request, request->http->settings->prefix, false) &&
                   http_url_add(request, task->object.name, false) &&
                   http_url_add(request, http_list_tail(request), false);
    if (cursor[0] != '\0')
        is_fine =
            is_fine && http_url_append(request, "&marker=") && http_url_add(request, cursor, false);
    return is_fine;
}

/* What a HEAD is followed by: does the container exist, or is anything below this name? */
static bool probe_url(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    bool is_fine =
        http_url_append(request, "?comp=list&delimiter=%2F&maxresults=1&restype=container&prefix=");
    if (request->probe == HTTP_PROBE_BUCKET)
        return is_fine;
    return is_fine && http_url_add(request, request->http->settings->prefix, false) &&
           http_url_add(request, task->object.name, false) && http_url_append(request, "%2F");
}

/* Is anything below the folder beside its mark? */
static bool marks_url(struct http_request *request)
{
    return http_url_append(request, "?comp=list&maxresults=2&restype=container&prefix=") &&
           http_url_add(request, request->http->settings->prefix, false) &&
           http_url_add(request, request->task->object.name, false) &&
           http_url_append(request, "%2F");
}

static bool is_probe(const struct http_request *request)
{
    return request->task->verb == FB_ORIGIN_STAT && request->step != HTTP_STEP_HEAD;
}

/* The path of a URL, as it is sent. */
static const char *url_path(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    return path != NULL ? path : "/";
}

/* A block's id: version and index, as base64 of one length. */
static void block_id(const struct fb_origin_task *task, uint64_t offset, char id[64])
{
    char text[40];
    uint64_t index = offset / task->origin->context.settings->core.block_size_bytes;
    snprintf(text, sizeof(text), "%016llx-%012llu", (unsigned long long)task->object.version,
             (unsigned long long)index);
    EVP_EncodeBlock((unsigned char *)id, (const unsigned char *)text, (int)strlen(text));
}

/* The list of all blocks of the object, to be sent; false: out of memory. */
static bool block_list(struct http_request *request)
{
    enum { ENTRY_BYTES = 96, FRAME_BYTES = 128 };
    const struct fb_origin_task *task = request->task;
    uint64_t size = task->object.size,
             block = task->origin->context.settings->core.block_size_bytes;
    uint64_t room = (size / block + 1) * ENTRY_BYTES + FRAME_BYTES;
    char id[64];
    free(request->body);
    request->body = malloc(room);
    if (request->body == NULL)
        return false;
    int used =
        snprintf(request->body, room, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (uint64_t offset = 0; offset < size; offset += block) {
        block_id(task, offset, id);
        used += snprintf(request->body + used, room - (uint64_t)used, "<Latest>%s</Latest>", id);
    }
    used += snprintf(request->body + used, room - (uint64_t)used, "</BlockList>");
    request->body_size = (uint64_t)used;
    request->send = request->body;
    return true;
}

/* What a write adds to the URL and the headers. */
static bool write_prepare(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    char id[64];
    if (task->verb == FB_ORIGIN_STORE) {
        block_id(task, task->offset, id);
        return http_url_append(request, "?blockid=") && http_url_add(request, id, false) &&
               http_url_append(request, "&comp=block");
    }
    http_guard(request);
    http_header(request, HTTP_AZURE_VERSION ": %016llx", (unsigned long long)task->as_version);
    return http_url_append(request, "?comp=blocklist") && block_list(request);
}

/* The canonical resource's query: names in order, values decoded. */
static int query_sign(const struct http_request *request, char *text, size_t size)
{
    const struct fb_origin_task *task = request->task;
    const char *cursor = task->cursor.text;
    char id[64];
    if (task->verb == FB_ORIGIN_STORE) {
        block_id(task, task->offset, id);
        return snprintf(text, size, "\nblockid:%s\ncomp:block", id);
    }
    if (task->verb == FB_ORIGIN_COMMIT && request->step != HTTP_STEP_HEAD)
        return snprintf(text, size, "\ncomp:blocklist");
    if (is_probe(request))
        return snprintf(text, size,
                        "\ncomp:list\ndelimiter:/\nmaxresults:1\nprefix:%s%s%s\nrestype:container",
                        request->probe == HTTP_PROBE_BUCKET ? "" : request->http->settings->prefix,
                        request->probe == HTTP_PROBE_BUCKET ? "" : task->object.name,
                        request->probe == HTTP_PROBE_BUCKET ? "" : "/");
    if (http_marks_is_list(request))
        return snprintf(text, size, "\ncomp:list\nmaxresults:2\nprefix:%s%s/\nrestype:container",
                        request->http->settings->prefix, task->object.name);
    if (task->verb != FB_ORIGIN_LIST)
        return 0;
    return snprintf(text, size, "\ncomp:list\ndelimiter:/%s%s\nprefix:%s%s%s\nrestype:container",
                    cursor[0] != '\0' ? "\nmarker:" : "", cursor, request->http->settings->prefix,
                    task->object.name, http_list_tail(request));
}

/* A commit or removal begins with a look at the target. */
static bool is_head(const struct http_request *request)
{
    enum fb_origin_verb verb = request->task->verb;
    bool has_steps = verb == FB_ORIGIN_COMMIT || verb == FB_ORIGIN_REMOVE;
    return ((verb == FB_ORIGIN_STAT || has_steps) && request->step == HTTP_STEP_HEAD) ||
           http_marks_is_head(request);
}

static const char *method_of(const struct http_request *request)
{
    enum fb_origin_verb verb = request->task->verb;
    return is_head(request)                                             ? "HEAD"
           : verb == FB_ORIGIN_STORE || verb == FB_ORIGIN_COMMIT        ? "PUT"
           : verb == FB_ORIGIN_REMOVE || http_marks_is_removal(request) ? "DELETE"
                                                                        : "GET";
}

/* What is signed; false: it does not fit. */
static bool text_sign(const struct http_request *request, const char *date, char text[SIGNED_MAX])
{
    const struct fb_origin_settings *settings = request->http->settings;
    const struct fb_origin_task *task = request->task;
    char range[HTTP_RANGE_BYTES] = "", upload[32] = "", object_version[64] = "";
    bool has_steps = task->verb == FB_ORIGIN_COMMIT || task->verb == FB_ORIGIN_REMOVE;
    bool has_guard = has_steps && request->step != HTTP_STEP_HEAD;
    char query[2 * FB_SETTINGS_PATH_MAX + FB_OBJECT_NAME_MAX + FB_LOCAL_CURSOR_MAX + 128] = "";
    const char *path = url_path(request->url);
    if (task->verb == FB_ORIGIN_FETCH)
        http_range_print(request, range);
    if (http_upload_size(request) > 0)
        snprintf(upload, sizeof(upload), "%llu", (unsigned long long)http_upload_size(request));
    if (task->verb == FB_ORIGIN_COMMIT && has_guard)
        snprintf(object_version, sizeof(object_version), HTTP_AZURE_VERSION ":%016llx\n",
                 (unsigned long long)task->as_version);
    if (query_sign(request, query, sizeof(query)) >= (int)sizeof(query))
        return false;
    /* Standard headers, of which only Content-Length, If-Match, If-None-Match and Range are ever
     * set, then ours. */
    int length =
        snprintf(text, SIGNED_MAX,
                 "%s\n\n\n%s\n\n\n\n\n%s\n%s\n\n%s\nx-ms-date:%s\n%sx-ms-version:%s\n/%s%.*s%s",
                 method_of(request), upload, has_guard ? request->guard : "",
                 has_guard && request->guard[0] == '\0' ? "*" : "", range, date, object_version,
                 version, settings->account, (int)strcspn(path, "?"), path, query);
    return length > 0 && length < SIGNED_MAX;
}

static bool shared_key_sign(struct http_request *request)
{
    const struct http_origin *http = request->http;
    unsigned char mac[EVP_MAX_MD_SIZE], signature[2 * EVP_MAX_MD_SIZE];
    unsigned mac_size = 0;
    char date[64], text[SIGNED_MAX];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (!text_sign(request, date, text))
        return false;
    HMAC(EVP_sha256(), http->secret, (int)http->secret_size, (const unsigned char *)text,
         strlen(text), mac, &mac_size);
    EVP_EncodeBlock(signature, mac, (int)mac_size);
    http_header(request, "x-ms-date: %s", date);
    http_header(request, "Authorization: SharedKey %s:%s", http->settings->account,
                (const char *)signature);
    return true;
}

static void head_prepare(struct http_request *request)
{
    curl_easy_setopt(request->easy, CURLOPT_UPLOAD, 0L);
    curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(request->easy, CURLOPT_NOBODY, 1L);
}

/* After the look at the target: is there anything left to do? */
static bool azure_advance(struct http_request *request, long code, enum fb_status *status)
{
    const struct fb_origin_task *task = request->task;
    bool is_remove = task->verb == FB_ORIGIN_REMOVE;
    if (request->is_foreign)
        return false;
    if (request->step++ != HTTP_STEP_HEAD) {
        bool is_changed = http_guard_failed(request, code);
        request->step = is_changed ? HTTP_STEP_HEAD : request->step; /* it is looked at again */
        *status = is_changed ? FB_BUSY : *status;
        return is_changed && request->rounds++ < ROUNDS_MAX;
    }
    enum http_found found = http_target_find(request, code);
    if (code != 200 && code != 404)
        return false;
    *status = found == HTTP_FOUND_LATER && !is_remove ? FB_CONFLICT : FB_OK;
    if (is_remove)
        return found == HTTP_FOUND_EARLIER || found == HTTP_FOUND_SAME;
    bool is_there = found == HTTP_FOUND_SAME && request->said.size == task->object.size;
    return !is_there && found != HTTP_FOUND_LATER;
}

static bool azure_prepare(struct http_request *request)
{
    const struct http_origin *http = request->http;
    const struct fb_origin_settings *settings = http->settings;
    const struct fb_origin_task *task = request->task;
    bool is_marks = http_marks_is_list(request);
    bool is_list = task->verb == FB_ORIGIN_LIST || is_probe(request) || is_marks;
    request->root = is_list ? http_azure.list_root : NULL;
    bool is_fine = http_url_append(request, settings->endpoint) && http_url_append(request, "/") &&
                   http_url_add(request, settings->bucket, false);
    if (is_list)
        is_fine = is_fine && (is_marks            ? marks_url(request)
                              : is_probe(request) ? probe_url(request)
                                                  : list_url(request));
    else
        is_fine = is_fine && http_url_append(request, "/") &&
                  http_url_add(request, settings->prefix, true) &&
                  http_url_add(request, task->object.name, true) &&
                  http_url_add(request, http_marks_tail(request), true);
    bool is_write =
        !is_head(request) && (task->verb == FB_ORIGIN_STORE || task->verb == FB_ORIGIN_COMMIT);
    if (is_write)
        is_fine = is_fine && write_prepare(request);
    else if (is_head(request))
        head_prepare(request);
    else if (task->verb == FB_ORIGIN_REMOVE)
        http_guard(request);
    http_header(request, "x-ms-version: %s", version);
    if (is_fine && http->token[0] != '\0')
        return http_url_append(request, is_list || is_write ? "&" : "?") &&
               http_url_append(request, http->token);
    if (is_fine && http->secret_size > 0)
        return shared_key_sign(request);
    return is_fine;
}

/* The key is base64; what is signed with are its bytes. */
static void key_decode(struct http_origin *http, const char *text, struct fb_error *error)
{
    size_t length = strlen(text), padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    int size = length % 4 == 0 && length / 4 * 3 < HTTP_SECRET_MAX
                   ? EVP_DecodeBlock((unsigned char *)http->secret, (const unsigned char *)text,
                                     (int)length)
                   : -1;
    if (size < (int)padding) {
        fb_error_set(error, "origin: the account key is no base64: copy it as the portal shows it");
        return;
    }
    http->secret_size = (uint32_t)size - (uint32_t)padding;
}

static void azure_credentials(struct http_origin *http, struct fb_error *error)
{
    char key[HTTP_SECRET_MAX];
    bool has_key = http_credential(http, "account_key", "AZURE_STORAGE_KEY", key, error);
    bool has_token =
        http_credential(http, "sas_token", "AZURE_STORAGE_SAS_TOKEN", http->token, error);
    if (has_token && http->token[0] == '?')
        memmove(http->token, http->token + 1, strlen(http->token));
    if (has_key)
        key_decode(http, key, error);
    if (has_key && http->settings->account[0] == '\0')
        fb_error_set(error, "origin.account is missing: a shared key is used with its account");
    explicit_bzero(key, sizeof(key));
}

/* Blocks are at most 1 GiB here, and Azure's 4,000 MiB. */
static uint64_t azure_object_max(uint64_t block_bytes)
{
    return block_bytes * BLOCKS_MAX;
}

/* Azure, "Delete Blob". */
static bool azure_is_removed(long code)
{
    return code == 202;
}

const struct http_dialect http_azure = {.name = "azure",
                                        .list_root = "<EnumerationResults",
                                        .has_plain_blocks = true,
                                        .is_removed = azure_is_removed,
                                        .can_write = true,
                                        .wants_no_controls = true,
                                        .prepare = azure_prepare,
                                        .credentials = azure_credentials,
                                        .object_max = azure_object_max,
                                        .advance = azure_advance};
