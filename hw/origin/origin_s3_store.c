/* A block is stored at S3 as an object of its own, in one PUT or, where it has several parts
 * (base/origin_client.h), by an upload of its own whose parts are sent at once:
 *
 *     BEGIN, with the digest --> PARTS, each a request --> COMPLETE
 *     any of them fails for good: the other parts end, ABORT, then say so
 *
 *  1. The commit copies the block as one part of the object's upload, however it was stored; so a
 *     cluster's nodes may have parts of different sizes.
 *  2. Parts are of S3_PART_MIN bytes or more, but the last.
 *  3. Only a daemon that dies between leaves an upload, to the bucket's lifecycle rule. */
#include "hw/origin/origin_s3.h"

#include "base/origin_client.h"
#include "core/panic.h"
#include "hw/origin/http_answer.h"
#include "hw/origin/http_range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LIST_ENTRY_BYTES = 64 + HTTP_ETAG_MAX };

struct fb_origin_upload {
    char id[HTTP_SECRET_MAX];
    enum fb_status outcome; /* of one that is aborted */
    uint64_t parts;
    char list[]; /* of an entry for each part, then of what is sent */
};

static struct fb_origin_ranges *ranges_of(const struct http_request *request)
{
    return &request->task->ranges;
}

static uint64_t part_index(const struct http_request *request)
{
    uint64_t part = fb_origin_store_part(request->http->settings->part_bytes, S3_PART_MIN);
    return request->range_offset / part;
}

/* The list of the parts, of entries that are in their places. */
static void list_join(struct http_request *request)
{
    static const char end[] = "</CompleteMultipartUpload>";
    struct fb_origin_upload *upload = ranges_of(request)->upload;
    char *text = upload->list + (upload->parts + 1) * LIST_ENTRY_BYTES;
    size_t used = (size_t)sprintf(text, "<CompleteMultipartUpload>");
    for (uint64_t i = 0; i < upload->parts; i++) {
        size_t length = strlen(upload->list + i * LIST_ENTRY_BYTES);
        memcpy(text + used, upload->list + i * LIST_ENTRY_BYTES, length);
        used += length;
    }
    memcpy(text + used, end, sizeof(end));
    request->send = text;
    request->body_size = used + sizeof(end) - 1;
}

static bool upload_append(struct http_request *request)
{
    char text[48] = "?uploadId=";
    if (ranges_of(request)->stage == FB_STAGE_PARTS)
        snprintf(text, sizeof(text),
                 "?partNumber=%llu&uploadId=", (unsigned long long)part_index(request) + 1);
    return http_url_append(request, text) &&
           http_url_add(request, ranges_of(request)->upload->id, false);
}

static void digest_add(struct http_request *request)
{
    const struct fb_bytes *bytes = &request->task->bytes;
    http_header(request, HTTP_S3_DIGEST ": %016llx",
                (unsigned long long)XXH3_64bits(bytes->at, bytes->size));
}

bool s3_store_prepare(struct http_request *request)
{
    const struct fb_origin_task *task = request->task;
    uint64_t block = task->origin->context.settings->core.block_size_bytes;
    request->send = NULL;
    request->root = NULL;
    if (!s3_block_append(request, task->offset / block))
        return false;
    switch (ranges_of(request)->stage) {
    case FB_STAGE_PLAIN:
        digest_add(request);
        http_digest_put(request, task->bytes.at, task->bytes.size);
        return true;
    case FB_STAGE_BEFORE:
        digest_add(request);
        request->root = "<InitiateMultipartUploadResult";
        request->send = "";
        curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "POST");
        return http_url_append(request, "?uploads=");
    case FB_STAGE_PARTS:
        http_digest_put(request, task->bytes.at + request->range_offset, request->range_bytes);
        return upload_append(request);
    case FB_STAGE_AFTER:
        request->root = "<CompleteMultipartUploadResult";
        list_join(request);
        curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "POST");
        return upload_append(request);
    case FB_STAGE_ABORT:
        request->send = "";
        curl_easy_setopt(request->easy, CURLOPT_UPLOAD, 0L);
        curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "DELETE");
        return upload_append(request);
    }
    return false;
}

/* The upload has a name, and room for the list of its parts. */
static bool upload_begin(struct http_request *request)
{
    const char *answer = request->answer;
    uint64_t parts = http_range_parts(request);
    FB_ASSERT(parts > 1);
    FB_ASSERT(ranges_of(request)->upload == NULL);
    uint64_t room = (2 * parts + 3) * LIST_ENTRY_BYTES;
    struct fb_origin_upload *upload = calloc(1, sizeof(*upload) + room);
    ranges_of(request)->upload = upload;
    if (upload == NULL)
        return false;
    upload->parts = parts;
    return s3_element_take(answer, answer + request->answer_size, "<UploadId>", upload->id,
                           sizeof(upload->id));
}

static bool part_add(struct http_request *request)
{
    const char *etag = request->said.etag;
    struct fb_origin_upload *upload = ranges_of(request)->upload;
    uint64_t index = part_index(request);
    FB_ASSERT(index < upload->parts);
    if (etag[0] == '\0' || strlen(etag) >= HTTP_ETAG_MAX - 64)
        return false;
    snprintf(upload->list + index * LIST_ENTRY_BYTES, LIST_ENTRY_BYTES,
             "<Part><PartNumber>%llu</PartNumber><ETag>%.*s</ETag></Part>",
             (unsigned long long)index + 1, HTTP_ETAG_MAX - 64, etag);
    return true;
}

static bool fail(struct http_request *request, enum fb_status *status)
{
    struct fb_origin_ranges *ranges = ranges_of(request);
    if (ranges->stage == FB_STAGE_BEFORE && (ranges->upload == NULL || ranges->upload->id[0] == 0))
        return false;
    ranges->upload->outcome = *status;
    http_range_alone(request);
    ranges->stage = FB_STAGE_ABORT;
    ranges->failed = 0;
    return true;
}

bool s3_store_advance(struct http_request *request, enum fb_status *status)
{
    struct fb_origin_ranges *ranges = ranges_of(request);
    if (ranges->stage == FB_STAGE_PLAIN)
        return false;
    if (ranges->stage == FB_STAGE_ABORT) {
        *status = ranges->upload->outcome;
        return false;
    }
    bool is_fine = *status == FB_OK;
    if (is_fine && ranges->stage == FB_STAGE_BEFORE)
        is_fine = upload_begin(request);
    else if (is_fine && ranges->stage == FB_STAGE_PARTS)
        is_fine = part_add(request);
    *status = is_fine || *status != FB_OK ? *status : FB_IO;
    if (!is_fine)
        return fail(request, status);
    if (ranges->stage == FB_STAGE_BEFORE) {
        ranges->failed = 0;
        ranges->stage = FB_STAGE_PARTS;
        http_range_continue(request);
        return true;
    }
    if (ranges->stage == FB_STAGE_AFTER || !http_range_is_last(request))
        return false;
    ranges->failed = 0;
    ranges->stage = FB_STAGE_AFTER;
    return true;
}
