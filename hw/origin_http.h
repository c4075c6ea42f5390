/* Origins over HTTP: S3 and Azure Blob, on libcurl. One thread of its own runs all requests, so
 * that TLS does not hold up the loop; bytes go from the socket into cache memory by one copy.
 *
 *     loop: task --> list --> thread: request --> transfer --> done, posted back to the loop
 *                                        ^            |
 *                                        '--- pause --' 408, 429, 5xx, time-outs: tries_max
 *
 *  1. At most requests_max transfers at once; connections are used again.
 *  2. Pauses double from 100 ms, with jitter, or are what the server asks for (Retry-After).
 *  3. The version of an object is what its writer has put into its metadata, else a hash of its
 *     ETag; a GET whose version is another one is CONFLICT.
 *  4. Secrets come from a file or the environment, never from the config, and are never logged. */
#ifndef FB_HW_ORIGIN_HTTP_H
#define FB_HW_ORIGIN_HTTP_H

#include "hw/origin.h"

#include <curl/curl.h>
#include <pthread.h>
#include <time.h>

enum {
    HTTP_SECRET_MAX = 1024,
    HTTP_URL_MAX = 16 * 1024,
    HTTP_BODY_MAX = 4 << 20, /* of a listing */
    HTTP_ETAG_MAX = 256,
    HTTP_ANSWER_MAX = 4096,
    HTTP_STEP_HEAD = 0, /* the first step of a COMMIT or REMOVE */
};

struct http_origin;

/* A transfer and its task. */
struct http_request {
    struct http_origin *http;
    struct fb_origin_task *task;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request *next; /* free list, or those that pause */
    uint64_t retry_ns;
    uint32_t tries;
    uint64_t moved;
    uint64_t size; /* STAT: Content-Length */
    uint32_t retry_after_s;
    time_t modified_s; /* STAT: Last-Modified; 0 or less: none */
    char etag[HTTP_ETAG_MAX];
    char version[32]; /* from the metadata, hexadecimal; empty: none */
    /* COMMIT, REMOVE: what the target's ETag was when it was looked at; empty: it was not there. */
    char guard[HTTP_ETAG_MAX];
    bool is_conflict; /* COMMIT: a later version is there */
    uint32_t rounds;  /* that it has been looked at again, having changed meanwhile */
    /* COMMIT in several requests: which comes next, what the last said, the upload's name, and
     * how much of the list of parts is in body. */
    uint32_t step, answer_size;
    uint64_t list_size;
    char answer[HTTP_ANSWER_MAX], upload[HTTP_SECRET_MAX];
    char *body; /* LIST: received; COMMIT: to be sent */
    uint64_t body_size, body_sent;
    char url[HTTP_URL_MAX];
};

/* What S3 and Azure differ in. Each fills in request->url and adds headers; false: it does not fit.
 */
struct http_dialect {
    const char *name;
    bool can_write;
    bool (*prepare)(struct http_request *request);
    void (*credentials)(struct http_origin *http, struct fb_error *error);
    /* COMMIT, REMOVE: a request of it has ended, status as it looks; true: prepare the next. */
    bool (*advance)(struct http_request *request, long code, enum fb_status *status);
};

struct http_origin {
    const struct fb_origin_settings *settings;
    const struct http_dialect *dialect;
    struct fb_loop *loop;
    CURLM *multi;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t mutex;
    struct fb_origin_task *todo_head, *todo_tail; /* under the mutex */
    bool is_stopping;                             /* under the mutex */
    struct http_request *requests, *free, *pausing;
    uint64_t random;
    /* S3: access key, secret key, session token; Azure: decoded shared key and its size, SAS. */
    char user[HTTP_SECRET_MAX], secret[HTTP_SECRET_MAX], token[HTTP_SECRET_MAX];
    uint32_t secret_size;
};

extern const struct http_dialect http_s3, http_azure;

/* Percent-encodes all but unreserved characters (RFC 3986, 2.3) and, if keeps_slash, "/"; appends
 * to url. false: it does not fit. */
bool http_url_add(struct http_request *request, const char *text, bool keeps_slash);
bool http_url_append(struct http_request *request, const char *text);

/* Bytes of the body that is sent. */
uint64_t http_upload_size(const struct http_request *request);

/* The name of the metadata with the version, as a header. */
#define HTTP_AZURE_VERSION "x-ms-meta-forebayversion"
#define HTTP_S3_VERSION "x-amz-meta-forebayversion"

/* Adds a header line. */
void http_header(struct http_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Value of a key of the credentials file, or of an environment variable when none is configured;
 * false: not there. */
bool http_credential(const struct http_origin *http, const char *key, const char *variable,
                     char value[HTTP_SECRET_MAX], struct fb_error *error);

/* The target was looked at (HEAD) before a COMMIT or REMOVE, and may change until it is done: what
 * changes it is sent with a condition, so that no later version is ever covered or removed. */
enum http_found { HTTP_FOUND_NOTHING, HTTP_FOUND_EARLIER, HTTP_FOUND_SAME, HTTP_FOUND_LATER };
enum http_found http_target_find(struct http_request *request, long code);
/* Adds the condition: If-Match or If-None-Match. */
void http_guard(struct http_request *request);
/* Did the server say that the condition does not hold? */
bool http_guard_failed(long code);

/* Fills the task's page from a listing's body. */
enum fb_status http_list_take(struct http_request *request);

#endif
