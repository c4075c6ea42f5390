/* Origins over HTTP: S3 and Azure Blob, on libcurl. One thread of its own runs all requests, so
 * that TLS does not hold up the loop; bytes go from the socket into cache memory by one copy.
 *
 *     loop: task --> list --> thread: request --> transfer --> done, posted back to the loop
 *                                        ^            |
 *                                        '--- pause --' 408, 429, 5xx, time-outs: tries_max
 *
 *  1. At most requests_max transfers at once; connections are used again.
 *  2. Pauses double from 100 ms, with jitter, or are what the server asks for (Retry-After). A
 *     request is tried tries_max times and no more: nobody above tries a read again after that.
 *     Each try ends in time: one whose bytes come slower than 4 KiB/s for `timeout` does, and all
 *     do after some times that and what so many bytes may take.
 *  3. The version of an object is what its writer has put into its metadata, else a hash of its
 *     ETag (that a proxy has weakened: of what it was), else of its Last-Modified; a GET whose
 *     version is another one is CONFLICT. An object with none of them cannot be cached: REFUSED.
 *  4. What a server says is believed when it fits what was asked: see origin_http_answer.c.
 *  5. Secrets come from a file or the environment, never from the config, and are never logged. The
 *     file is read again at SIGHUP, and when the server refuses and it has changed; whoever was
 *     refused with those before is asked for again with those that are there by then. */
#ifndef FB_HW_ORIGIN_ORIGIN_HTTP_H
#define FB_HW_ORIGIN_ORIGIN_HTTP_H

#include "hw/origin/origin.h"

#include <curl/curl.h>
#include <pthread.h>
#include <time.h>

enum {
    HTTP_SECRET_MAX = 1024,
    HTTP_URL_MAX = 16 * 1024,
    HTTP_PAGE_BYTES_MAX = 32 << 20, /* of a listing's page, as the server writes it */
    HTTP_LISTING_BYTES = 4 << 20,   /* that the budget counts for what is kept of one */
    HTTP_PAGES_MAX = 8,             /* pages of listings that go on, kept for their rest */
    HTTP_ETAG_MAX = 256,
    HTTP_CODE_MAX = 64,
    HTTP_REMEDY_MAX = 160, /* a sentence of ours */
    HTTP_MISSING_MAX = 64, /* more: the oldest is forgotten, and the last block looked at */
    HTTP_JOIN_BYTES_MAX = 64 << 20, /* of parts that are put together of small blocks */
    HTTP_ANSWER_MAX = 8192, /* a name of 1024 bytes, each written as six, and that of an upload */
    HTTP_STEP_HEAD = 0,     /* the first step of a COMMIT or REMOVE */
    HTTP_STEP_MARK = 1,     /* of a LIST: is there an object that marks the folder? */
};

/* A HEAD leaves open whether there is a bucket at all, whether an object of no bytes marks a
 * folder, and, having no body, why it was denied. */
enum http_probe { HTTP_PROBE_BUCKET, HTTP_PROBE_MARKER, HTTP_PROBE_DENIED };

struct http_origin;
struct http_page;
struct http_listing;

/* What the headers of an answer say; see origin_http_answer.c. */
struct http_answer {
    char etag[HTTP_ETAG_MAX]; /* strong: without W/ */
    char modified[64];        /* Last-Modified, as it came */
    char version[32];         /* from the metadata, hexadecimal; empty: none */
    char code[HTTP_CODE_MAX]; /* the server's own word for an error */
    unsigned char md5[16];
    bool has_size, has_range, has_md5, has_digest, is_bad, is_folder;
    uint64_t digest;                               /* of a block's bytes, from the metadata */
    uint64_t size;                                 /* Content-Length */
    uint64_t range_first, range_last, range_total; /* Content-Range; total UINT64_MAX: not said */
    uint32_t retry_after_s;
    int64_t date_s; /* the server's clock; 0: not said */
};

/* S3: other uploads to a commit's key; see origin_s3_others.c. */
struct http_others {
    char began[64]; /* this one, as the server says; empty: not known yet */
    char marker[HTTP_SECRET_MAX], evicted[HTTP_SECRET_MAX]; /* names of uploads; empty: none */
    uint32_t lists, count; /* lists asked for; others seen in this walk */
    bool is_last_own;      /* of the last page's last upload: it is to this key */
    bool was_known;        /* began, when this walk began */
};

/* A transfer and its task. */
struct http_request {
    struct http_origin *http;
    struct fb_origin_task *task;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request *next; /* free list, or those that pause */
    uint64_t retry_ns;
    uint32_t tries;
    bool has_failed; /* one of them; it is tried again */
    uint64_t moved;
    const char *reason;            /* what is wrong with the answer; NULL: nothing */
    uint64_t signed_with;          /* credentials_reads when the try began */
    enum http_probe probe;         /* STAT: what the listing is for that follows its HEAD */
    struct http_answer said, head; /* head: STAT: of the HEAD, while a listing follows */
    struct http_listing *listing;  /* LIST: what has come so far */
    void *digest;                  /* of the bytes, when Content-MD5 is to be compared */
    /* COMMIT, REMOVE: what the target's ETag was when it was looked at; empty: it was not there. */
    char guard[HTTP_ETAG_MAX];
    uint32_t rounds; /* that it has been looked at again, having changed meanwhile */
    /* COMMIT in several requests: which comes next, what the last said, the upload's name and the
     * list of its parts, which part (or block) is next, and how it ends once that is cleaned up. */
    uint32_t step, answer_size;
    bool has_upload;
    enum fb_status outcome;
    const char *outcome_reason;
    uint64_t part, loaded; /* loaded: bytes of the part that is put together in body */
    char answer[HTTP_ANSWER_MAX], upload[HTTP_SECRET_MAX];
    struct http_others others;
    char *list;
    uint64_t list_size;
    char *body;
    uint64_t body_room; /* counted among join_bytes */
    const char *send;   /* COMMIT: what is sent of body_size bytes: the body or the list */
    uint64_t body_size, body_sent;
    char *sink; /* COMMIT: where what comes is put; NULL: it is an answer */
    uint64_t sink_room;
    char url[HTTP_URL_MAX];
};

/* What S3 and Azure differ in. Each fills in request->url and adds headers; false: it does not fit.
 */
struct http_dialect {
    const char *name;
    bool can_write, wants_no_controls;
    uint64_t (*object_max)(uint64_t block_bytes); /* the largest that can be committed */
    bool (*prepare)(struct http_request *request);
    /* Fills in user, secret, token. Errors: error set, and what is there stays. */
    void (*credentials)(struct http_origin *http, struct fb_error *error);
    /* COMMIT, REMOVE: a request of it has ended, status as it looks; true: prepare the next. */
    bool (*advance)(struct http_request *request, long code, enum fb_status *status);
};

struct http_origin {
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

extern const struct http_dialect http_s3, http_azure;

/* Percent-encodes all but unreserved characters (RFC 3986, 2.3) and, if keeps_slash, "/"; appends
 * to url. false: it does not fit. */
bool http_url_add(struct http_request *request, const char *text, bool keeps_slash);
bool http_url_append(struct http_request *request, const char *text);
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

/* origin_http_answer.c: what a server said, and what that means. */
/* A header's line, and bytes of the body of an answer that is no object's. */
void http_header_take(struct http_request *request, const char *line, size_t size);
void http_answer_take(struct http_request *request, const char *bytes, size_t size);
/* An answer to a FETCH, before its first byte: is it what was asked for? Else reason is set. */
bool http_range_fits(struct http_request *request, long code);
/* What a whole answer means; *is_temporary: trying again may help. */
enum fb_status http_answer_status(struct http_request *request, long code, bool *is_temporary);
/* Of an answer that is an error. */
enum fb_status http_error_status(const struct http_request *request, long code);
/* Which block of the task's object a commit has missed last; else its last one. */
uint64_t http_missing_find(const struct http_request *request);
void http_missing_put(struct http_request *request, uint64_t index);
/* What a log says of a refusal: what is to be done about it. */
void http_remedy_print(const struct http_request *request, char *text, size_t size);
/* A STAT's request has ended: is a listing to follow its HEAD? See enum http_probe. */
bool http_stat_advance(struct http_request *request, long answer, enum fb_status *status);
/* The answer is over: what its body adds to what its headers say. */
void http_answer_end(struct http_request *request);
uint64_t http_version_of(const struct http_request *request);
bool http_has_version(const struct http_request *request);

/* The target was looked at (HEAD) before a COMMIT or REMOVE, and may change until it is done: what
 * changes it is sent with a condition, so that no later version is ever covered or removed. */
enum http_found { HTTP_FOUND_NOTHING, HTTP_FOUND_EARLIER, HTTP_FOUND_SAME, HTTP_FOUND_LATER };
enum http_found http_target_find(struct http_request *request, long code);
/* Adds the condition: If-Match or If-None-Match. */
void http_guard(struct http_request *request);
/* Did the server say that the condition does not hold? */
bool http_guard_failed(const struct http_request *request, long code);

/* origin_http_list.c: begins a listing's answer, takes its bytes (false: enough), and ends it:
 * fills the task's page. *again: the server's page was empty, the next one is to be asked for. */
void http_list_begin(struct http_request *request);
bool http_list_feed(struct http_request *request, const char *bytes, size_t size);
enum fb_status http_list_end(struct http_request *request, bool *again);
void http_list_drop(struct http_request *request);
/* The rest of a page that the server gave before; false: it is not kept. */
bool http_list_kept(struct http_origin *http, struct fb_origin_task *task);
void http_pages_free(struct http_origin *http);
/* What a LIST asks for: names that begin with the prefix, the task's name and this. */
const char *http_list_tail(const struct http_request *request);

/* origin_http_marks.c: the objects that mark a folder are removed (FB_REMOVE_MARKS); see there. */
#define HTTP_MARK "_$folder$"
bool http_marks_is_head(const struct http_request *request);
bool http_marks_is_list(const struct http_request *request);
bool http_marks_is_removal(const struct http_request *request);
/* What follows the task's name in the step's. */
const char *http_marks_tail(const struct http_request *request);
bool http_marks_advance(struct http_request *request, long answer, enum fb_status *status);

/* Credentials: reads them again when their file has changed; true: there are others now. */
bool http_credentials_renew(struct http_origin *http, bool is_told);

/* origin_http_again.c */
/* Is there a fetch of the same block, another one, that has failed and is tried again? */
bool http_is_tried(const struct http_origin *http, const struct fb_origin_task *task);
/* The task has failed as often as it may: others of the same block that wait fail with it. */
void http_tried_end(struct http_origin *http, const struct fb_origin_task *task);

#endif
