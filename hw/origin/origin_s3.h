/* Shared by the files of the S3 origin. */
#ifndef FB_HW_ORIGIN_ORIGIN_S3_H
#define FB_HW_ORIGIN_ORIGIN_S3_H

#include "hw/origin/origin_http.h"

/* AWS, "Amazon S3 multipart upload limits": parts of 5 MiB or more, but the last, and at most
 * 10,000 of them. */
enum { S3_PART_MIN = 5 << 20, S3_PARTS_MAX = 10000, S3_OBJECT_MAX_TIB = 5 };

/* The text of the first element of that name ("<Key>") between two places of an answer. false: none
 * is there, or it is too long; then text is empty. */
bool s3_element_take(const char *from, const char *end, const char *name, char *text, size_t size);
/* Where a block is until its commit. */
bool s3_block_append(struct http_request *request, uint64_t index);
/* Appends the path of the task's object to the URL. false: it does not fit. */
bool s3_name_append(struct http_request *request);

/* origin_s3_store.c: URL and headers of the request that is due of a STORE. */
bool s3_store_prepare(struct http_request *request);
/* A request of it has ended; true: the next is due, else *status is how the task ends. */
bool s3_store_advance(struct http_request *request, enum fb_status *status);
/* origin_s3_commit.c: URL and headers of the request that is due, of a COMMIT or REMOVE, and what
 * its answer leads to. */
bool s3_steps_prepare(struct http_request *request);
/* A step has ended; true: the next one is to be prepared, else *status is how the task ends. */
bool s3_steps_advance(struct http_request *request, long code, enum fb_status *status);
/* origin_s3_others.c: what could be completed over a commit. Begins; the query of the list; what is
 * next once it has come; the one that was in the way is gone. */
enum http_others_next {
    HTTP_OTHERS_LIST,
    HTTP_OTHERS_EVICT, /* the upload others.evicted */
    HTTP_OTHERS_NONE,
    HTTP_OTHERS_FAIL
};
/* A walk through the list of uploads begins. */
void s3_others_begin(struct http_request *request);
/* Appends the query of the list's next page. false: it does not fit. */
bool s3_others_append(struct http_request *request);
/* A page has come, or code says why not. */
enum http_others_next s3_others_listed(struct http_request *request, long code);
/* The upload that was in the way is gone: the walk begins anew. */
void s3_others_evicted(struct http_request *request);
/* The largest object that a commit can make of blocks of that size. */
uint64_t s3_object_max(uint64_t block_bytes);

#endif
