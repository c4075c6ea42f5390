/* One TCP connection: bytes in and out, frames, greeting, end.
 *
 *     CONNECTING --connected--> OPEN --connection_fail--> CLOSING --no operation pending--> FREE
 *         '------------------connection_fail-----------------^
 *
 * A receive is always pending while OPEN, so the peer's end shows at once. CLOSING waits for the
 * kernel to let go of all memory before anything is given back. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/net/tcp.h"
#include "hw/net/tcp_internal.h"
#include "hw/net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Messages of one receive, and what came with them. */
enum { BATCH_MAX = 16 };
struct batch {
    struct fb_event events[BATCH_MAX];
    struct fb_bytes offered[BATCH_MAX];
    uint32_t count;
};

static void connection_settle(struct fb_tcp_connection *connection)
{
    if (connection->state == FB_TCP_CLOSING && !connection->receive.is_pending &&
        !connection->send.is_pending)
        tcp_connection_ended(connection);
}

/* Anybody can connect and break off, and make a line of it each time. */
static void end_log(struct fb_tcp_connection *connection, const char *reason)
{
    struct fb_tcp *tcp = connection->tcp;
    const struct fb_tcp_peer *peer = fb_tcp_peer(tcp, connection->peer);
    bool is_known = connection->state == FB_TCP_CONNECTING && peer != NULL &&
                    peer->state == FB_PEER_AWAY; /* that was said: see tcp.c */
    enum fb_log_level level =
        connection->tcp->context.standing->is_stopping || is_known ? FB_LOG_DEBUG : FB_LOG_INFO;
    bool is_stranger = connection->peer == FB_NONE;
    uint64_t held;
    tcp->strangers_refused += is_stranger;
    if (!fb_log_may(is_stranger ? &tcp->refused_pace : &tcp->lost_pace, fb_clock_ns(), &held))
        return;
    if (is_stranger)
        fb_log(FB_LOG_WARNING, "connection_refused", "reason=\"%s\" not_logged=%llu", reason,
               (unsigned long long)held);
    else
        fb_log(level, "connection_lost", "peer=%u role=%s pulls=%u reason=\"%s\" not_logged=%llu",
               connection->peer,
               connection->role == FB_TCP_MESSAGES ? "messages"
               : connection->role == FB_TCP_PULLS  ? "pulls"
                                                   : "accepted",
               connection->pull_count, reason, (unsigned long long)held);
}

void connection_fail(struct fb_tcp_connection *connection, const char *reason)
{
    if (connection->state == FB_TCP_CLOSING)
        return;
    FB_ASSERT(connection->state != FB_TCP_FREE);
    end_log(connection, reason);
    struct fb_tcp_peer *peer = fb_tcp_peer(connection->tcp, connection->peer);
    if (peer != NULL && connection->role != FB_TCP_ACCEPTED)
        snprintf(peer->fault, sizeof(peer->fault), "%s", reason);
    if (connection->state == FB_TCP_CONNECTING && connection->send.is_pending)
        fb_uring_cancel(connection->tcp->context.uring, &connection->send);
    connection->state = FB_TCP_CLOSING;
    (void)shutdown(connection->socket, SHUT_RDWR); /* ends what is pending */
    connection_settle(connection);
}

unsigned char *connection_put(struct fb_tcp_connection *connection)
{
    uint32_t *size = &connection->out_size[connection->out_index];
    bool has_room =
        connection->state != FB_TCP_CLOSING && *size + FB_WIRE_FRAME_MAX <= FB_TCP_OUT_BYTES;
    return has_room ? connection->out[connection->out_index] + *size : NULL;
}

void connection_put_end(struct fb_tcp_connection *connection, uint32_t size)
{
    connection->out_size[connection->out_index] += size;
    FB_ASSERT(connection->out_size[connection->out_index] <= FB_TCP_OUT_BYTES);
    connection_due(connection);
}

void connection_due(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    if (connection->is_due)
        return;
    connection->is_due = 1;
    connection->next_due = tcp->due;
    tcp->due = connection;
}

/* The next bytes of this side; length 0: there are none. */
struct iovec connection_next(struct fb_tcp_connection *connection)
{
    struct iovec parts[2];
    if (connection->role == FB_TCP_ACCEPTED) {
        pull_parts(connection, parts);
        return parts[0].iov_len > 0 ? parts[0] : parts[1];
    }
    uint32_t sending = connection->out_index ^ 1;
    if (connection->out_size[sending] == 0) {
        sending = connection->out_index;
        connection->out_index ^= 1;
        connection->out_sent = 0;
    }
    return (struct iovec){.iov_base = connection->out[sending] + connection->out_sent,
                          .iov_len = connection->out_size[sending] - connection->out_sent};
}

/* So many of them went. */
void connection_sent(struct fb_tcp_connection *connection, uint32_t size)
{
    if (connection->role == FB_TCP_ACCEPTED) {
        pull_sent(connection, size);
        return;
    }
    uint32_t sending = connection->out_index ^ 1;
    connection->out_sent += size;
    FB_ASSERT(connection->out_sent <= connection->out_size[sending]);
    if (connection->out_sent == connection->out_size[sending])
        connection->out_size[sending] = 0;
}

/* Starts the next send, if there is something to send and none is pending. */
void connection_flush(struct fb_tcp_connection *connection)
{
    if (connection->state != FB_TCP_OPEN || connection->send.is_pending)
        return;
    if (connection->secure.session != NULL) {
        secure_flush(connection);
        return;
    }
    if (connection->role == FB_TCP_ACCEPTED) {
        pull_send(connection);
        return;
    }
    const struct iovec next = connection_next(connection);
    const struct fb_bytes bytes = {.at = next.iov_base, .size = next.iov_len};
    if (bytes.size > 0)
        fb_uring_send(connection->tcp->context.uring, &connection->send, connection->socket, bytes,
                      MSG_WAITALL);
}

void connection_greet(struct fb_tcp_connection *connection)
{
    const struct fb_settings *settings = connection->tcp->context.settings;
    unsigned char *room = connection_put(connection);
    FB_ASSERT(room != NULL);
    const struct fb_wire_hello hello = {
        .cluster = XXH3_64bits(settings->cluster, strlen(settings->cluster)),
        .block_size_bytes = settings->core.block_size_bytes,
        .target = connection->peer,
        .is_for_pulls = connection->role == FB_TCP_PULLS};
    connection_put_end(connection, fb_wire_put_hello(room, settings->node, &hello));
}

static const char *hello_fault(struct fb_tcp_connection *connection,
                               const struct fb_wire_frame *frame)
{
    struct fb_tcp *tcp = connection->tcp;
    const struct fb_settings *settings = tcp->context.settings;
    if (frame->header.kind != FB_WIRE_HELLO)
        return "the connection does not begin with a greeting";
    if (frame->hello.cluster != XXH3_64bits(settings->cluster, strlen(settings->cluster)))
        return "it belongs to another cluster";
    if (frame->header.source == settings->node)
        return "another daemon has this node's id";
    if (frame->hello.target != settings->node)
        return "it means another node: do the member lists differ?";
    if (frame->hello.block_size_bytes != settings->core.block_size_bytes)
        return "its core.block_size differs";
    if (fb_tcp_peer(tcp, frame->header.source) == NULL)
        return "it is no member";
    const struct fb_tls_session *session = connection->secure.session;
    if (session != NULL && !fb_tls_is_node(session, frame->header.source))
        return "its certificate is not that of the node that it says it is";
    connection->peer = frame->header.source;
    tcp_peer_greeted(connection);
    uint8_t version = fb_wire_version(&frame->header);
    fb_log(FB_LOG_DEBUG, "peer_greeted", "peer=%u pulls=%u version=%u", connection->peer,
           frame->hello.is_for_pulls, version);
    tcp_peer_speaks(tcp, connection->peer, version);
    return NULL;
}

/* Delivers messages that were received together; what came with an offer is there for the pull that
 * its step makes. */
static void batch_run(struct fb_tcp_connection *connection, struct batch *batch)
{
    struct fb_tcp *tcp = connection->tcp;
    struct fb_tcp_offered *offered = &tcp->offered;
    fb_node_prefetch(tcp->context.feed->node, batch->events, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct fb_message *message = &batch->events[i].message;
        bool is_offer = message->kind == FB_MESSAGE_OFFER;
        *offered = (struct fb_tcp_offered){.peer = connection->peer,
                                           .offset = is_offer ? message->offer.span.offset : 0,
                                           .bytes = batch->offered[i]};
        fb_feed_event(tcp->context.feed, &batch->events[i]);
    }
    offered->bytes.size = 0;
    batch->count = 0;
}

/* offered: the bytes behind the frame. */
static void message_add(struct fb_tcp_connection *connection, const struct fb_wire_frame *frame,
                        struct fb_bytes offered, struct batch *batch)
{
    struct fb_tcp *tcp = connection->tcp;
    bool has_object = frame->object.name_length > 0;
    bool must_run = has_object && batch->count > 0 &&
                    fb_objects_find(tcp->context.objects, frame->object.handle) == NULL;
    if (must_run) /* a new one may take the place of what nothing is owed of yet */
        batch_run(connection, batch);
    if (has_object && fb_objects_add(tcp->context.objects, &frame->object) == NULL) {
        tcp->messages_dropped++;
        return;
    }
    if (has_object && frame->message.kind != FB_MESSAGE_ASK)
        fb_objects_owe(tcp->context.objects, frame->object.handle, tcp->context.feed->now_ns);
    batch->events[batch->count] =
        (struct fb_event){.kind = FB_EVENT_MESSAGE, .message = frame->message};
    batch->offered[batch->count++] = offered;
    bool has_keys = frame->message.kind == FB_MESSAGE_MATCH_ASK; /* they are the frame's */
    if (batch->count == BATCH_MAX || has_keys)
        batch_run(connection, batch);
}

/* Handles one frame; returns what is wrong with it. */
static const char *frame_handle(struct fb_tcp_connection *connection,
                                const struct fb_wire_frame *frame, struct fb_bytes offered,
                                struct batch *batch)
{
    enum fb_wire_kind kind = frame->header.kind;
    if (connection->peer == FB_NONE)
        return hello_fault(connection, frame);
    if (frame->header.source != connection->peer)
        return "a frame names another sender";
    bool is_answer = kind == FB_WIRE_BYTES || kind == FB_WIRE_FAIL;
    if (connection->role == FB_TCP_PULLS && is_answer)
        return pull_answered(connection, &frame->header);
    if (connection->role == FB_TCP_ACCEPTED && kind == FB_WIRE_PULL)
        return pull_asked(connection, frame);
    if (connection->role == FB_TCP_ACCEPTED && kind == FB_WIRE_SUMMARY) {
        connection->tcp->context.hear(connection->tcp, connection->peer, frame);
        return NULL;
    }
    if (connection->role != FB_TCP_ACCEPTED || kind != FB_WIRE_MESSAGE)
        return "a frame has no place here";
    message_add(connection, frame, offered, batch);
    return NULL;
}

/* Bytes that belong to the frame and stand behind it. */
static uint32_t offered_bytes(const struct fb_wire_frame *frame)
{
    return frame->header.kind == FB_WIRE_MESSAGE ? (uint32_t)frame->header.value : 0;
}

/* Takes whole frames and bodies out of what was received. */
static void frames_take(struct fb_tcp_connection *connection)
{
    struct fb_wire_frame *frame = &connection->tcp->frame;
    const char *fault = NULL;
    struct batch batch;
    uint32_t at = 0;
    batch.count = 0;
    while (at < connection->in_size && fault == NULL && connection->state == FB_TCP_OPEN) {
        const unsigned char *bytes = connection->in + at;
        uint32_t size = connection->in_size - at;
        if (connection->is_body) {
            at += pull_body(connection, bytes, size);
            continue;
        }
        int32_t taken = fb_wire_take(bytes, size, frame, &fault);
        uint32_t more = taken > 0 ? offered_bytes(frame) : 0;
        if (taken == 0 || (taken > 0 && size - (uint32_t)taken < more))
            break;
        if (taken > 0) {
            const struct fb_bytes offered = {.at = connection->in + at + taken, .size = more};
            fault = frame_handle(connection, frame, offered, &batch);
            at += (uint32_t)taken + more;
        }
    }
    batch_run(connection, &batch);
    if (fault != NULL) {
        connection_fail(connection, fault);
        return;
    }
    connection->in_size -= at;
    memmove(connection->in, connection->in + at, connection->in_size);
}

struct fb_bytes connection_room(struct fb_tcp_connection *connection)
{
    struct fb_bytes room = pull_room(connection);
    connection->is_direct = room.size > 0;
    if (!connection->is_direct)
        room = (struct fb_bytes){.at = connection->in + connection->in_size,
                                 .size = FB_TCP_IN_BYTES - connection->in_size};
    FB_ASSERT(room.size > 0);
    return room;
}

void connection_receive(struct fb_tcp_connection *connection)
{
    if (connection->state != FB_TCP_OPEN)
        return;
    if (connection->secure.session != NULL) {
        secure_receive(connection);
        return;
    }
    const struct fb_bytes room = connection_room(connection);
    fb_uring_receive(connection->tcp->context.uring, &connection->receive, connection->socket, room,
                     connection->is_direct ? MSG_WAITALL : 0);
}

/* Bytes came into the room that there was. */
void connection_received(struct fb_tcp_connection *connection, uint32_t size)
{
    FB_ASSERT(size > 0);
    if (connection->is_direct) {
        pull_received(connection, size);
        return;
    }
    connection->in_size += size;
    FB_ASSERT(connection->in_size <= FB_TCP_IN_BYTES);
    frames_take(connection);
}

static void receive_done(struct fb_io *io, int32_t result)
{
    struct fb_tcp_connection *connection = FB_CONTAINER(io, struct fb_tcp_connection, receive);
    if (connection->state == FB_TCP_CLOSING) {
        connection_settle(connection);
        return;
    }
    if (result <= 0 && result != -EINTR) {
        connection_fail(connection, result == 0 ? "closed by the peer" : strerror(-result));
        return;
    }
    connection->alive_ns = connection->tcp->context.feed->now_ns;
    if (result > 0 && connection->secure.session != NULL)
        secure_received(connection, (uint32_t)result);
    else if (result > 0)
        connection_received(connection, (uint32_t)result);
    connection_receive(connection);
    connection_settle(connection);
}

static void connected(struct fb_tcp_connection *connection, int32_t result)
{
    if (result < 0) {
        connection_fail(connection, strerror(-result));
        return;
    }
    connection->state = FB_TCP_OPEN;
    connection->opened_ns = connection->tcp->context.feed->now_ns;
    connection->alive_ns = connection->tcp->context.feed->now_ns;
    fb_log(FB_LOG_DEBUG, "peer_connected", "peer=%u", connection->peer);
    connection_receive(connection);
    connection_due(connection);
}

static void send_done(struct fb_io *io, int32_t result)
{
    struct fb_tcp_connection *connection = FB_CONTAINER(io, struct fb_tcp_connection, send);
    if (connection->state == FB_TCP_CLOSING) {
        connection_settle(connection);
        return;
    }
    if (connection->state == FB_TCP_CONNECTING) {
        connected(connection, result);
        return;
    }
    if (result <= 0 && result != -EINTR) {
        connection_fail(connection, strerror(-result));
        return;
    }
    uint32_t sent = result > 0 && !connection->is_full ? (uint32_t)result : 0;
    connection->is_full = 0;
    if (connection->secure.session != NULL)
        secure_sent(connection, sent);
    else
        connection_sent(connection, sent);
    connection_due(connection);
}

struct fb_tcp_connection *connection_take(struct fb_tcp *tcp, enum fb_tcp_role role, int socket,
                                          uint32_t peer)
{
    struct fb_tcp_connection *connection = tcp->free;
    struct fb_tcp_secure secure = {.session = NULL};
    FB_ASSERT((role == FB_TCP_ACCEPTED) == (peer == FB_NONE));
    if (connection == NULL || (tcp->tls != NULL && !secure_open(&secure, tcp->tls, peer)))
        return NULL;
    tcp->free = connection->next;
    memset(connection, 0, offsetof(struct fb_tcp_connection, in));
    connection->secure = secure;
    connection->tcp = tcp;
    connection->role = role;
    connection->socket = socket;
    connection->peer = peer;
    connection->stranger = FB_NONE;
    connection->alive_ns = tcp->context.feed->now_ns;
    connection->state = role == FB_TCP_ACCEPTED ? FB_TCP_OPEN : FB_TCP_CONNECTING;
    connection->opened_ns = role == FB_TCP_ACCEPTED ? tcp->context.feed->now_ns : 0;
    fb_io_init(&connection->receive, receive_done);
    fb_io_init(&connection->send, send_done);
    return connection;
}
