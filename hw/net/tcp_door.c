/* The way in for other nodes: the listener, and those who have connected and not greeted yet. See
 * tcp.h, 6 and 7. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/base/address.h"
#include "hw/net/tcp.h"
#include "hw/net/tcp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static const uint64_t greeting_ns_max = 5000000000;

void tcp_socket_set_up(int socket, uint64_t timeout_ns)
{
    const int yes = 1, seconds = timeout_ns < 2000000000u ? 1 : (int)(timeout_ns / 2000000000u);
    const int probes = 2;
    const unsigned timeout_ms = (unsigned)(timeout_ns / 1000000u);
    /* Each of these only makes it faster, or a dead peer known sooner. */
    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

/* A connection takes a place among the strangers. */
static void stranger_comes(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    uint32_t index = 0;
    while (tcp->strange[index] != NULL)
        index++;
    FB_ASSERT(index < FB_TCP_STRANGERS_MAX);
    tcp->strange[index] = connection;
    tcp->strangers[index] = (struct fb_stranger){.source = fb_address_source(connection->socket),
                                                 .since_ns = fb_clock_ns(),
                                                 .is_here = true};
    tcp->stranger_count++;
    connection->stranger = index;
}

void tcp_stranger_leaves(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    if (connection->stranger == FB_NONE)
        return;
    FB_ASSERT(tcp->strange[connection->stranger] == connection);
    tcp->strange[connection->stranger] = NULL;
    tcp->strangers[connection->stranger].is_here = false;
    tcp->stranger_count--;
    connection->stranger = FB_NONE;
    bool is_waiting = tcp->listener >= 0 && !tcp->accept.is_pending;
    if (is_waiting)
        fb_uring_accept(connection->tcp->context.uring, &tcp->accept, tcp->listener);
}

static void stranger_refuse(struct fb_tcp *tcp, uint32_t index, const char *reason)
{
    tcp->strangers[index].is_here = false; /* nobody leaves twice */
    connection_fail(tcp->strange[index], reason);
}

/* Accepts while there is a place; else makes one. */
static void accept_again(struct fb_tcp *tcp)
{
    if (tcp->listener < 0)
        return;
    if (tcp->stranger_count == FB_TCP_STRANGERS_MAX) {
        uint32_t leaving =
            fb_stranger_to_leave(tcp->strangers, FB_TCP_STRANGERS_MAX, fb_clock_ns());
        if (leaving != FB_NONE)
            stranger_refuse(tcp, leaving, "others want to greet");
        else
            tcp->context.sweep_soon(tcp);
    } else if (!tcp->accept.is_pending) {
        fb_uring_accept(tcp->context.uring, &tcp->accept, tcp->listener);
    }
}

static void accept_done(struct fb_io *io, int32_t result)
{
    struct fb_tcp *tcp = FB_CONTAINER(io, struct fb_tcp, accept);
    if (result == -ECANCELED)
        return;
    if (result < 0) {
        fb_log(FB_LOG_WARNING, "accept_failed", "reason=\"%s\"", strerror(-result));
        return; /* the next sweep listens again */
    }
    struct fb_tcp_connection *connection = connection_take(tcp, FB_TCP_ACCEPTED, result, FB_NONE);
    if (connection == NULL) { /* its TLS session found no memory */
        tcp->strangers_refused++;
        close(result);
    } else {
        tcp_socket_set_up(result, tcp->context.settings->peer_timeout_ns);
        /* For answers that are sent without io_uring; its operations wait all the same. */
        (void)fcntl(result, F_SETFL, O_NONBLOCK);
        stranger_comes(connection);
        connection_receive(connection);
    }
    accept_again(tcp);
}

void tcp_accept_start(struct fb_tcp *tcp)
{
    fb_io_init(&tcp->accept, accept_done);
    accept_again(tcp);
}

void tcp_strangers_sweep(struct fb_tcp *tcp)
{
    uint64_t now_ns = fb_clock_ns(), greeting_ns = tcp->context.settings->peer_timeout_ns;
    if (greeting_ns > greeting_ns_max)
        greeting_ns = greeting_ns_max;
    for (uint32_t i = 0; i < FB_TCP_STRANGERS_MAX; i++) {
        const struct fb_stranger *stranger = &tcp->strangers[i];
        if (stranger->is_here && now_ns - stranger->since_ns > greeting_ns)
            stranger_refuse(tcp, i, "no greeting in time");
    }
    accept_again(tcp);
}

void tcp_peer_greeted(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    struct fb_tcp_connection *silent = NULL;
    uint32_t share = 1 + tcp->context.settings->pull_connections, count = 0;
    FB_ASSERT(connection->peer != FB_NONE && connection->role == FB_TCP_ACCEPTED);
    tcp_stranger_leaves(connection);
    for (uint32_t i = 0; i < tcp->connection_count; i++) {
        struct fb_tcp_connection *other = &tcp->connections[i];
        if (other->state != FB_TCP_OPEN || other->role != FB_TCP_ACCEPTED ||
            other->peer != connection->peer)
            continue;
        count++;
        bool is_silent =
            other != connection && (silent == NULL || other->alive_ns < silent->alive_ns);
        if (is_silent)
            silent = other;
    }
    if (count > share && silent != NULL)
        connection_fail(silent, "the peer has newer ones");
}
