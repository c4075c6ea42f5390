/* One request to an origin over HTTP, and what came of it; see origin_http.h. */
#ifndef FB_HW_ORIGIN_HTTP_REQUEST_H
#define FB_HW_ORIGIN_HTTP_REQUEST_H

#include "hw/origin/origin_task.h"

#include <curl/curl.h>

/* Bounds of what is kept of a request and its answer, bytes unless it says otherwise. */
enum {
    HTTP_SECRET_MAX = 1024,
    HTTP_URL_MAX = 16 * 1024,
    HTTP_PAGE_BYTES_MAX = 32 << 20, /* of a listing's page, as the server writes it */
    HTTP_LISTING_BYTES = 4 << 20,   /* that the budget counts for what is kept of one */
    HTTP_PAGES_MAX = 8,             /* pages of listings that go on, kept for their rest */
    HTTP_ETAG_MAX = 256,
    HTTP_CODE_MAX = 64,
    HTTP_REMEDY_MAX = 256,   /* a sentence of ours, with a bucket's name or a region */
    HTTP_SENTENCE_MAX = 160, /* of a server's own, about an error */
    HTTP_REGION_MAX = 64,
    HTTP_MISSING_MAX = 64, /* more: the oldest is forgotten, and the last block looked at */
    HTTP_JOIN_BYTES_MAX = 64 << 20, /* of parts that are put together of small blocks */
    HTTP_ANSWER_MAX = 8192, /* a name of 1024 bytes, each written as six, and that of an upload */
    HTTP_BEGAN_BYTES = 64,  /* of a body, that the log may show */
    HTTP_STEP_HEAD = 0,     /* the first step of a COMMIT or REMOVE */
    HTTP_STEP_MARK = 1,     /* of a LIST: is there an object that marks the folder? */
};

/* A HEAD leaves open whether there is a bucket at all, whether an object of no bytes marks a
 * folder, and, having no body, why it was denied. */
enum http_probe { HTTP_PROBE_BUCKET, HTTP_PROBE_MARKER, HTTP_PROBE_DENIED };

struct http_origin;
struct http_listing;

/* What the headers of an answer say; see origin_http_answer.c. */
struct http_answer {
    char etag[HTTP_ETAG_MAX]; /* strong: without W/ */
    char modified[64];        /* Last-Modified, as it came */
    char version[32];         /* from the metadata, hexadecimal; empty: none */
    long http;                /* the status; 0: none came */
    char code[HTTP_CODE_MAX]; /* the server's own word for an error, and its sentence */
    char sentence[HTTP_SENTENCE_MAX];
    char region[HTTP_REGION_MAX]; /* where the bucket is, if the server says so */
    unsigned char md5[16];
    bool has_size, has_range, has_md5, has_digest, is_bad, is_folder;
    bool is_html, is_store; /* Content-Type; a header that only a store sends */
    uint64_t digest;        /* of a block's bytes, from the metadata */
    uint64_t size;          /* Content-Length */
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
    bool has_failed;                    /* one of them; it is tried again */
    bool is_digested;                   /* what is sent goes with its Content-MD5 */
    uint64_t range_offset, range_bytes; /* FETCH, STORE: what of the task's bytes this one is of */
    uint64_t moved;
    const char *root; /* "<NAME", of the element that a 200 must be; NULL: it need be none */
    bool is_foreign;  /* the answer is none of the protocol */
    char began[HTTP_BEGAN_BYTES];  /* the body */
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
    char outcome_began[HTTP_BEGAN_BYTES]; /* empty: it was no foreign answer */
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

#endif
