/* Other uploads to the same key, which could be completed over this one.
 *
 * A condition (If-Match) knows a target by a hash of its content: it holds for a late COMPLETE that
 * saw a version of the same bytes earlier, and an older version would take a newer one's place. So
 * of two uploads to a key one has to know of the other: once its parts are there, each aborts those
 * that began no later than it did, and looks at the target after that.
 *
 *     parts --> OTHERS: the key's uploads are listed --its own alone--> AGAIN: HEAD --> COMPLETE
 *                  ^            '--one that began no later--> EVICT --.
 *                  '--------------------------------------------------'
 *
 * Of two, the later one either finds the earlier in the list and ends it, or the earlier was
 * complete before, and the HEAD shows it. Those of one moment end each other, and are tried again.
 * When an upload began is what the server says; a first walk through the list finds this one.
 * A server that lists none, or does not let this node list them, leaves the window; so does a
 * DELETE that is late, for which there is no upload.
 * Source: AWS, "ListMultipartUploads", "AbortMultipartUpload". */
#include "hw/origin/origin_s3.h"

#include "core/panic.h"
#include "hw/base/log.h"

#include <stdio.h>
#include <string.h>

enum { LISTS_MAX = 256 };

bool s3_others_append(struct http_request *request)
{
    const struct http_others *others = &request->others;
    bool is_fine = http_url_append(request, "?encoding-type=url");
    if (others->marker[0] != '\0')
        is_fine = is_fine && http_url_append(request, "&key-marker=") &&
                  http_url_add(request, request->http->settings->prefix, false) &&
                  http_url_add(request, request->task->object.name, false);
    is_fine = is_fine && http_url_append(request, "&max-uploads=2&prefix=") &&
              http_url_add(request, request->http->settings->prefix, false) &&
              http_url_add(request, request->task->object.name, false);
    if (others->marker[0] != '\0')
        is_fine = is_fine && http_url_append(request, "&upload-id-marker=") &&
                  http_url_add(request, others->marker, false);
    return is_fine && http_url_append(request, "&uploads=");
}

/* Where the server does not encode keys as URLs do. */
static void entities_decode(char *text)
{
    static const struct {
        const char *name;
        char is;
    } entities[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    char *to = text;
    while (*text != '\0') {
        size_t length = 1;
        char is = *text;
        for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]) && length == 1; i++) {
            size_t size = strlen(entities[i].name);
            if (strncmp(text, entities[i].name, size) == 0) {
                length = size;
                is = entities[i].is;
            }
        }
        *to++ = is;
        text += length;
    }
    *to = '\0';
}

static bool is_own_key(const struct http_request *request, char *key)
{
    const char *prefix = request->http->settings->prefix;
    size_t length = strlen(prefix);
    bool is_encoded = strstr(request->answer, "<EncodingType>url<") != NULL;
    if (!is_encoded)
        entities_decode(key);
    else if (!http_percent_decode(key, true))
        return false;
    return strncmp(key, prefix, length) == 0 &&
           strcmp(key + length, request->task->object.name) == 0;
}

/* Takes one upload of the list. True: it is in the way, and others->evicted names it. */
static bool upload_take(struct http_request *request, const char *from, const char *end)
{
    struct http_others *others = &request->others;
    char key[HTTP_ANSWER_MAX], began[sizeof(others->began)];
    others->is_last_own =
        s3_element_take(from, end, "<Key>", key, sizeof(key)) && is_own_key(request, key);
    if (!others->is_last_own)
        return false;
    (void)s3_element_take(from, end, "<UploadId>", others->marker, sizeof(others->marker));
    (void)s3_element_take(from, end, "<Initiated>", began, sizeof(began));
    if (strcmp(others->marker, request->upload) == 0) {
        memcpy(others->began, began, sizeof(began));
        return false;
    }
    others->count++;
    bool is_known = others->began[0] != '\0' && began[0] != '\0' && others->marker[0] != '\0';
    if (!is_known || strcmp(began, others->began) > 0)
        return false;
    memcpy(others->evicted, others->marker, sizeof(others->evicted));
    return true;
}

/* A page of the list has come. */
static enum http_others_next page_take(struct http_request *request)
{
    struct http_others *others = &request->others;
    static const char first[] = "<Upload>", last[] = "</Upload>";
    others->is_last_own = false;
    for (const char *from = strstr(request->answer, first); from != NULL;
         from = strstr(from, first)) {
        const char *end = strstr(from, last);
        if (end == NULL) /* cut: the answer was longer than is kept */
            break;
        if (upload_take(request, from, end))
            return HTTP_OTHERS_EVICT;
        from = end;
    }
    bool is_more = strstr(request->answer, "<IsTruncated>true<") != NULL && others->is_last_own;
    if (is_more)
        return HTTP_OTHERS_LIST;
    others->marker[0] = '\0';
    bool is_again = others->count > 0 && !others->was_known && others->began[0] != '\0';
    others->count = 0;
    others->was_known = is_again;
    return is_again ? HTTP_OTHERS_LIST : HTTP_OTHERS_NONE;
}

enum http_others_next s3_others_listed(struct http_request *request, long code)
{
    struct http_others *others = &request->others;
    struct http_origin *http = request->http;
    FB_ASSERT(request->has_upload);
    if (code == 200 && request->said.code[0] == '\0')
        return ++others->lists <= LISTS_MAX ? page_take(request) : HTTP_OTHERS_FAIL;
    bool is_unknown = code == 400 || code == 403 || code == 404 || code == 405 || code == 501;
    if (!is_unknown)
        return HTTP_OTHERS_FAIL;
    if (!http->is_unlisted)
        fb_log(FB_LOG_WARNING, "origin_uploads_unlisted",
               "http=%ld reason=\"uploads to a key can't be listed: a commit that is very late may "
               "take the place of a later one with the bytes of an earlier; allow "
               "s3:ListBucketMultipartUploads\"",
               code);
    http->is_unlisted = true;
    return HTTP_OTHERS_NONE;
}

void s3_others_evicted(struct http_request *request)
{
    struct http_others *others = &request->others;
    FB_ASSERT(others->evicted[0] != '\0');
    others->evicted[0] = '\0';
    others->marker[0] = '\0';
    others->count = 0;
    others->was_known = true;
}

void s3_others_begin(struct http_request *request)
{
    request->others = (struct http_others){.lists = 0};
    FB_ASSERT(request->has_upload);
}
