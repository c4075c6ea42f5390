/* A few pages over HTTP for those who watch the daemon:
 *     /metrics   counters in Prometheus' text format     /health   200 while the loop runs
 *     /ready     200 when clients can be served, else    /         what there is
 *                503 and a line that says why: see ready.h
 * One request a connection, GET and HEAD only, a few connections at once, none kept for longer than
 * some seconds, and the oldest not for as long when others come. No TLS and no password: bind it to
 * an address that only those reach who may read. */
#ifndef FB_HW_OPS_HTTP_H
#define FB_HW_OPS_HTTP_H

#include "core/index/share.h"
#include "hw/base/settings.h"
#include "hw/base/uring.h"

/* Connections at once, and bytes of a request and of a page. */
enum {
    FB_HTTP_CONNECTIONS_MAX = 32, /* more: the oldest leaves */
    FB_HTTP_REQUEST_BYTES = 8 * 1024,
    FB_HTTP_PAGE_BYTES = 64 * 1024,
};

struct fb_http;
struct fb_report;

/* One who asks for a page. */
struct fb_http_connection {
    struct fb_http *http;
    struct fb_io io;
    int socket; /* -1: free */
    bool is_closing;
    uint32_t request_size, page_size, page_sent;
    char request[FB_HTTP_REQUEST_BYTES + 1];
    char page[FB_HTTP_PAGE_BYTES];
};

/* What the pages' server works with, and whom it asks; the caller's, as long as it is open. */
struct fb_http_context {
    const struct fb_settings *settings;
    struct fb_uring *uring;
    void (*report)(struct fb_http *http, struct fb_report *report);
    /* Others wait outside until one of those inside has had his time: a sweep sees to it. */
    void (*sweep_soon)(struct fb_http *http);
};

/* The listener, and those who ask. */
struct fb_http {
    struct fb_http_context context;
    struct fb_http_connection *connections; /* NULL: no page is served */
    struct fb_stranger strangers[FB_HTTP_CONNECTIONS_MAX];
    uint32_t connection_count;
    uint64_t pushed_out; /* for others, or because they were slow */
    int listener;
    struct fb_io accept;
};

/* Errors: error set. */
void fb_http_open(struct fb_http *http, const struct fb_http_context *context,
                  struct fb_error *error);
/* Closes all; nothing when no page is served. */
void fb_http_close(struct fb_http *http);
/* Ends those who are slow, and accepts again. To be called a few times a second. */
void fb_http_sweep(struct fb_http *http);

#endif
