/* Origins over HTTP: S3 and Azure Blob, on libcurl. One thread of its own runs all requests, so
 * that TLS does not hold up the loop; bytes go from the socket into cache memory by one copy.
 *
 *     loop: task --> list --> thread: request --> transfer --> done, posted back to the loop
 *                                        ^            |
 *                                        '--- pause --' 408, 429, 5xx, time-outs: tries_max
 *
 *  1. At most requests_max transfers at once; connections are used again. A FETCH is as many as
 *     its block has parts: see origin_http_range.c. Of what waits, FETCHes come last: the core
 *     bounds how much else there is.
 *  2. Pauses double from 100 ms, with jitter, or are what the server asks for (Retry-After). A
 *     request is tried tries_max times and no more, a block that is read in parts, too: nobody
 *     above tries a read again after that.
 *     Each try ends in time: one whose bytes come slower than 4 KiB/s for `timeout` does, and all
 *     do after some times that and what so many bytes may take.
 *  3. The version of an object is what its writer has put into its metadata, else a hash of its
 *     ETag (that a proxy has weakened: of what it was); a GET whose version is another one is
 *     CONFLICT. An object without an ETag cannot be cached: every store gives one.
 *  4. What a server says is believed when it fits what was asked: see origin_http_fit.c and
 *     origin_http_answer.c.
 *  5. Secrets come from a file or the environment, never from the config, and are never logged. The
 *     file is read again at SIGHUP, and when the server refuses and it has changed; whoever was
 *     refused with those before is asked for again with those that are there by then. */
#ifndef FB_HW_ORIGIN_ORIGIN_HTTP_H
#define FB_HW_ORIGIN_ORIGIN_HTTP_H

#include "hw/origin/origin.h"
#include "hw/origin/http_request.h"

#include <curl/curl.h>
#include <pthread.h>
#include <time.h>

struct http_page;

/* What S3 and Azure differ in. Each fills in request->url and adds headers; false: it does not fit.
 */
struct http_dialect {
    const char *name;
    const char *list_root; /* "<NAME" of the element that a listing is */
    bool can_write, wants_no_controls;
    bool has_plain_blocks; /* a block that is stored has no ETag */
    bool (*is_removed)(long code);
    uint64_t (*object_max)(uint64_t block_bytes); /* the largest that can be committed */
    bool (*prepare)(struct http_request *request);
    /* Fills in user, secret, token. Errors: error set, and what is there stays. */
    void (*credentials)(struct http_origin *http, struct fb_error *error);
    uint64_t store_part_bytes_min; /* of a block's STORE in parts; 0: it is one request */
    /* STORE: a request of it has ended, status as it looks; true: prepare the next. NULL: it is
     * one. */
    bool (*store_advance)(struct http_request *request, enum fb_status *status);
    /* COMMIT, REMOVE: a request of it has ended, status as it looks; true: prepare the next. */
    bool (*advance)(struct http_request *request, long code, enum fb_status *status);
};

struct http_origin { /* The backend, its thread, and all its requests. */
    const struct fb_origin_settings *settings;
    const struct http_dialect *dialect;
    struct fb_origin *origin;
    CURLM *multi;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t mutex;
    struct fb_origin_task *todo_head, *todo_tail; /* under the mutex */
    bool is_stopping, must_reload;                /* under the mutex */
    uint64_t bucket_seen_ns; /* an answer told that the bucket is there; 0: never */
    struct http_page *pages[HTTP_PAGES_MAX];
    /* Blocks that commits have missed: they are looked at first. */
    struct http_missing {
        uint64_t handle, index;
    } missing[HTTP_MISSING_MAX];
    uint32_t missing_next;
    uint64_t join_bytes; /* of parts that are put together */
    bool is_unlisted;    /* it has been said that uploads can't be listed */
    bool wants_digest;   /* of what is sent: the server has said so */
    uint64_t page_uses;
    bool has_marks; /* a listing had an object that is named as a folder and HTTP_MARK */
    uint64_t credentials_reads;       /* how often there were others */
    struct timespec credentials_time; /* of the file, as it was read last */
    uint64_t credentials_inode;
    struct http_request *requests, *free, *pausing;
    uint64_t random;
    /* S3: access key, secret key, session token; Azure: decoded shared key and its size, SAS. */
    char user[HTTP_SECRET_MAX], secret[HTTP_SECRET_MAX], token[HTTP_SECRET_MAX];
    uint32_t secret_size;
};

extern const struct http_dialect http_s3, http_azure; /* S3 and Azure Blob. */

/* Percent-encodes all but unreserved characters (RFC 3986, 2.3) and, if keeps_slash, "/"; appends
 * to url. false: it does not fit. */
bool http_url_add(struct http_request *request, const char *text, bool keeps_slash);
bool http_url_append(struct http_request *request, const char *text); /* Appends it as it is. */
/* In place; has_plus: a plus is a space. false: it has a zero byte, at which the text then ends. */
bool http_percent_decode(char *text, bool has_plus);

/* Bytes of the body that is sent. */
uint64_t http_upload_size(const struct http_request *request);

/* The name of the metadata with the version, as a header. */
#define HTTP_AZURE_VERSION "x-ms-meta-forebayversion"
#define HTTP_S3_VERSION "x-amz-meta-forebayversion"

/* And with the digest of a block that is an object of its own. */
#define HTTP_S3_DIGEST "x-amz-meta-forebaydigest"

/* Adds a header line. */
void http_header(struct http_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Value of a key of the credentials file, or of an environment variable when none is configured;
 * false: not there. */
bool http_credential(const struct http_origin *http, const char *key, const char *variable,
                     char value[HTTP_SECRET_MAX], struct fb_error *error);

/* origin_http_list.c: begins a listing's answer, takes its bytes (false: enough), and ends it:
 * fills the task's page. *again: the server's page was empty, the next one is to be asked for. */
void http_list_begin(struct http_request *request);
/* Takes bytes of the page. false: they are too many, or no memory. */
bool http_list_feed(struct http_request *request, const char *bytes, size_t size);
/* All has come: is it a listing? Else reason is set. */
bool http_list_fits(struct http_request *request);
/* Fills the task's page. */
enum fb_status http_list_end(struct http_request *request, bool *again);
void http_list_drop(struct http_request *request); /* Frees what has come. */
/* The rest of a page that the server gave before; false: it is not kept. */
bool http_list_kept(struct http_origin *http, struct fb_origin_task *task);
void http_pages_free(struct http_origin *http); /* Frees all pages that are kept. */
/* What a LIST asks for: names that begin with the prefix, the task's name and this. */
const char *http_list_tail(const struct http_request *request);

/* origin_http_marks.c: the objects that mark a folder are removed (FB_REMOVE_MARKS); see there. */
#define HTTP_MARK "_$folder$"
bool http_marks_is_head(const struct http_request *request);    /* Is a mark looked at? */
bool http_marks_is_list(const struct http_request *request);    /* Is the folder listed? */
bool http_marks_is_removal(const struct http_request *request); /* Is a mark removed? */
/* What follows the task's name in the step's. */
const char *http_marks_tail(const struct http_request *request);
/* A step has ended; true: the next is due. */
bool http_marks_advance(struct http_request *request, long answer, enum fb_status *status);

/* Credentials: reads them again when their file has changed; true: there are others now. */
bool http_credentials_renew(struct http_origin *http, bool is_told);

/* The request is there for another. */
void http_request_free(struct http_request *request);

#endif
