/* See http.h. A connection: receive until the empty line, make the page, send it, close. Whoever
 * takes the last place makes the oldest of the host that has most of them leave. */
#include "hw/ops/http.h"

#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/base/address.h"
#include "hw/ops/metrics.h"
#include "hw/ops/report.h"
#include "hw/base/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t patience_ns = 5000000000;

static void page_close(struct fb_http_connection *connection)
{
    struct fb_http *http = connection->http;
    FB_ASSERT(connection->socket >= 0);
    FB_ASSERT(http->connection_count > 0);
    close(connection->socket);
    connection->socket = -1;
    http->strangers[connection - http->connections].is_here = false;
    http->connection_count--;
    if (!http->accept.is_pending)
        fb_uring_accept(connection->http->context.uring, &http->accept, http->listener);
}

/* Ends what is pending, which closes it. */
static void page_leave(struct fb_http_connection *connection)
{
    struct fb_http *http = connection->http;
    FB_ASSERT(connection->socket >= 0);
    connection->is_closing = true;
    http->strangers[connection - http->connections].is_here = false; /* nobody leaves twice */
    http->pushed_out++;
    (void)shutdown(connection->socket, SHUT_RDWR);
}

/* Puts a whole answer into the connection's page. */
static void page_make(struct fb_http_connection *connection, const char *status, const char *body,
                      uint32_t body_size)
{
    struct fb_page page = {.text = connection->page, .size = FB_HTTP_PAGE_BYTES};
    bool is_head = strncmp(connection->request, "HEAD ", 5) == 0;
    fb_page_put(&page,
                "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                "Content-Length: %u\r\nConnection: close\r\n\r\n",
                status, body_size);
    if (!is_head && body_size <= page.size - page.used) {
        memcpy(page.text + page.used, body, body_size);
        page.used += body_size;
    }
    FB_ASSERT(page.used <= FB_HTTP_PAGE_BYTES);
    connection->page_size = page.used;
}

static bool path_is(const struct fb_http_connection *connection, const char *path)
{
    const char *at = strchr(connection->request, ' ');
    size_t length = strlen(path);
    FB_ASSERT(at != NULL);
    return strncmp(at + 1, path, length) == 0 && strchr(" ?\r\n", at[1 + length]) != NULL;
}

static void text_make(struct fb_http_connection *connection, const char *status, const char *text)
{
    page_make(connection, status, text, (uint32_t)strlen(text));
}

static void ready_make(struct fb_http_connection *connection)
{
    struct fb_report report;
    char line[FB_READY_TEXT_MAX + 1];
    connection->http->context.report(connection->http, &report);
    snprintf(line, sizeof(line), "%s\n", report.reason);
    text_make(connection, report.is_ready ? "200 OK" : "503 Service Unavailable", line);
}

static void metrics_make(struct fb_http_connection *connection)
{
    static char metrics[FB_HTTP_PAGE_BYTES - 1024];
    struct fb_report report;
    connection->http->context.report(connection->http, &report);
    page_make(connection, "200 OK", metrics, fb_metrics_print(&report, metrics, sizeof(metrics)));
}

static void answer_make(struct fb_http_connection *connection)
{
    bool is_read = strncmp(connection->request, "GET ", 4) == 0 ||
                   strncmp(connection->request, "HEAD ", 5) == 0;
    if (!is_read)
        text_make(connection, "405 Method Not Allowed", "only GET and HEAD\n");
    else if (path_is(connection, "/metrics"))
        metrics_make(connection);
    else if (path_is(connection, "/health"))
        text_make(connection, "200 OK", "alive\n");
    else if (path_is(connection, "/ready"))
        ready_make(connection);
    else if (path_is(connection, "/"))
        text_make(connection, "200 OK", "/metrics /health /ready\n");
    else
        text_make(connection, "404 Not Found", "there are /metrics, /health and /ready\n");
}

static void page_send(struct fb_http_connection *connection)
{
    FB_ASSERT(connection->page_sent < connection->page_size);
    const struct fb_bytes rest = {.at = (unsigned char *)connection->page + connection->page_sent,
                                  .size = connection->page_size - connection->page_sent};
    fb_uring_send(connection->http->context.uring, &connection->io, connection->socket, rest, 0);
}

static void send_done(struct fb_io *io, int32_t result)
{
    struct fb_http_connection *connection = FB_CONTAINER(io, struct fb_http_connection, io);
    connection->page_sent += result > 0 ? (uint32_t)result : 0;
    if (result <= 0 || connection->is_closing || connection->page_sent == connection->page_size)
        page_close(connection);
    else
        page_send(connection);
}

static void page_receive(struct fb_http_connection *connection)
{
    const struct fb_bytes room = {.at = (unsigned char *)connection->request +
                                        connection->request_size,
                                  .size = FB_HTTP_REQUEST_BYTES - connection->request_size};
    fb_uring_receive(connection->http->context.uring, &connection->io, connection->socket, room, 0);
}

static void receive_done(struct fb_io *io, int32_t result)
{
    struct fb_http_connection *connection = FB_CONTAINER(io, struct fb_http_connection, io);
    if (result <= 0 || connection->is_closing) {
        page_close(connection);
        return;
    }
    connection->request_size += (uint32_t)result;
    connection->request[connection->request_size] = '\0';
    bool is_whole = strstr(connection->request, "\r\n\r\n") != NULL ||
                    strstr(connection->request, "\n\n") != NULL;
    if (!is_whole && connection->request_size < FB_HTTP_REQUEST_BYTES) {
        page_receive(connection);
        return;
    }
    if (is_whole && strchr(connection->request, ' ') != NULL)
        answer_make(connection);
    else
        text_make(connection, "400 Bad Request", "no request\n");
    fb_io_init(&connection->io, send_done);
    page_send(connection);
}

static void page_begin(struct fb_http *http, int socket)
{
    uint32_t index = 0;
    while (http->connections[index].socket >= 0)
        index++;
    FB_ASSERT(index < FB_HTTP_CONNECTIONS_MAX);
    struct fb_http_connection *connection = &http->connections[index];
    connection->http = http;
    connection->socket = socket;
    connection->is_closing = false;
    connection->request_size = 0;
    connection->page_sent = 0;
    http->strangers[index] = (struct fb_stranger){
        .source = fb_address_source(socket), .since_ns = fb_clock_ns(), .is_here = true};
    http->connection_count++;
    fb_io_init(&connection->io, receive_done);
    page_receive(connection);
}

/* Accepts while there is a place; else makes one. */
static void accept_again(struct fb_http *http)
{
    if (http->connection_count == FB_HTTP_CONNECTIONS_MAX) {
        uint32_t leaving =
            fb_stranger_to_leave(http->strangers, FB_HTTP_CONNECTIONS_MAX, fb_clock_ns());
        if (leaving != FB_NONE)
            page_leave(&http->connections[leaving]);
        else
            http->context.sweep_soon(http);
    } else if (!http->accept.is_pending) {
        fb_uring_accept(http->context.uring, &http->accept, http->listener);
    }
}

static void accept_done(struct fb_io *io, int32_t result)
{
    struct fb_http *http = FB_CONTAINER(io, struct fb_http, accept);
    if (result < 0)
        return; /* the next sweep listens again */
    page_begin(http, result);
    accept_again(http);
}

void fb_http_open(struct fb_http *http, const struct fb_http_context *context,
                  struct fb_error *error)
{
    const char *text = context->settings->http;
    *http = (struct fb_http){.context = *context, .listener = -1};
    if (text[0] == '\0')
        return;
    http->connections = calloc(FB_HTTP_CONNECTIONS_MAX, sizeof(*http->connections));
    if (http->connections == NULL) {
        fb_error_set(error, "out of memory for http");
        return;
    }
    for (uint32_t i = 0; i < FB_HTTP_CONNECTIONS_MAX; i++)
        http->connections[i].socket = -1;
    http->listener = fb_address_listen("http", text, error);
    if (fb_error_is_set(error))
        return;
    fb_io_init(&http->accept, accept_done);
    fb_uring_accept(http->context.uring, &http->accept, http->listener);
}

void fb_http_close(struct fb_http *http)
{
    for (uint32_t i = 0; http->connections != NULL && i < FB_HTTP_CONNECTIONS_MAX; i++) {
        if (http->connections[i].socket >= 0)
            close(http->connections[i].socket);
    }
    if (http->listener >= 0)
        close(http->listener);
    free(http->connections);
    *http = (struct fb_http){.listener = -1};
}

void fb_http_sweep(struct fb_http *http)
{
    if (http->connections == NULL)
        return;
    for (uint32_t i = 0; i < FB_HTTP_CONNECTIONS_MAX; i++) {
        const struct fb_stranger *stranger = &http->strangers[i];
        if (stranger->is_here && fb_clock_ns() - stranger->since_ns > patience_ns)
            page_leave(&http->connections[i]);
    }
    accept_again(http);
}
