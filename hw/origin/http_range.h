/* The requests of a block, each of a range of it; see origin_http_range.c. What is neither FETCH
 * nor STORE is one request at a time. */
#ifndef FB_HW_ORIGIN_HTTP_RANGE_H
#define FB_HW_ORIGIN_HTTP_RANGE_H

#include "hw/origin/http_request.h"

/* A task begins; and what it holds is freed. */
void http_range_open(const struct http_origin *http, struct fb_origin_task *task);
void http_range_drop(struct fb_origin_task *task);
/* Of the request's block. */
uint64_t http_range_parts(const struct http_request *request);
/* The request that was before the parts becomes that of the first; others take their own. */
void http_range_continue(struct http_request *request);
/* Are all parts there but this one? */
bool http_range_is_last(const struct http_request *request);
/* The task's other requests end. */
void http_range_alone(struct http_request *request);
/* Gives the request the next range of its task; true: it is the last one. */
bool http_range_take(struct http_request *request);
/* "bytes=FIRST-LAST" of the object. */
enum { HTTP_RANGE_BYTES = 64 };
void http_range_print(const struct http_request *request, char text[HTTP_RANGE_BYTES]);
/* A try of it begins. */
void http_range_start(struct http_request *request);
/* Has the answer the ETag of the other ranges' answers? */
bool http_range_agrees(struct http_request *request);
/* A try has failed: may it be tried again? */
bool http_range_may_try(struct http_request *request);
/* When, if on its own it were at at_ns. */
uint64_t http_range_retry_ns(const struct http_request *request, uint64_t at_ns);
/* Before it is: a block that must come in one request does from now on. */
void http_range_join(struct http_request *request);
/* The request has ended so: has its task? Of one that failed, the other requests end. */
bool http_range_end(struct http_request *request, enum fb_status status);

/* origin_http_again.c */
/* Is there a fetch of the same block, another one, that has failed and is tried again? */
bool http_is_tried(const struct http_origin *http, const struct fb_origin_task *task);
/* The task has failed as often as it may: others of the same block that wait fail with it. */
void http_tried_end(struct http_origin *http, const struct fb_origin_task *task);

#endif
