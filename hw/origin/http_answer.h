/* What a server said, and what that means; see origin_http_answer.c. */
#ifndef FB_HW_ORIGIN_HTTP_ANSWER_H
#define FB_HW_ORIGIN_HTTP_ANSWER_H

#include "hw/origin/http_request.h"

/* A header's line, and bytes of the body of an answer that is no object's. */
void http_header_take(struct http_request *request, const char *line, size_t size);
void http_answer_take(struct http_request *request, const char *bytes, size_t size);
/* An answer to a FETCH, before its first byte: is it what was asked for? Else reason is set. */
bool http_range_fits(struct http_request *request, long code);
/* origin_http_fit.c. Is it an answer of the protocol to what was asked? Else reason is set. */
bool http_answer_fits(struct http_request *request, long code);
/* What a whole answer means; *is_temporary: trying again may help. */
enum fb_status http_answer_status(struct http_request *request, long code, bool *is_temporary);
/* Of an answer that is an error. */
enum fb_status http_error_status(const struct http_request *request, long code);
/* Which block of the task's object a commit has missed last; else its last one. */
uint64_t http_missing_find(const struct http_request *request);
void http_missing_put(struct http_request *request, uint64_t index);
/* origin_http_refusal.c. Is it one of the words, of which the last is NULL? */
bool http_is_one_of(const char *word, const char *const *words);
/* Not the object is missing, but where it would be. */
bool http_has_no_bucket(const struct http_request *request);
/* Does the server want what is sent with a digest? Then it gets one from now on, and the request
 * is to be sent again. */
bool http_wants_digest(struct http_request *request);
/* Adds it, if it is wanted. */
void http_digest_put(struct http_request *request, const void *bytes, size_t size);
/* Logs how a task has failed, in the server's own words, and what is to be done about it. */
void http_failure_log(const struct http_request *request, enum fb_status status, CURLcode code);
/* A STAT's request has ended: is a listing to follow its HEAD? See enum http_probe. */
bool http_stat_advance(struct http_request *request, long answer, enum fb_status *status);
/* The answer is over: what its body adds to what its headers say. */
void http_answer_end(struct http_request *request);
uint64_t http_version_of(const struct http_request *request);

/* The target was looked at (HEAD) before a COMMIT or REMOVE, and may change until it is done: what
 * changes it is sent with a condition, so that no later version is ever covered or removed. */
enum http_found { HTTP_FOUND_NOTHING, HTTP_FOUND_EARLIER, HTTP_FOUND_SAME, HTTP_FOUND_LATER };
enum http_found http_target_find(struct http_request *request, long code);
/* Adds the condition: If-Match or If-None-Match. */
void http_guard(struct http_request *request);
/* Did the server say that the condition does not hold? */
bool http_guard_failed(const struct http_request *request, long code);

#endif
