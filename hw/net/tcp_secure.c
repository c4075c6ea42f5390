/* A connection's bytes under TLS; see fb_tcp_secure. Plaintext is encrypted when the last
 * ciphertext has left, so a connection holds at most FB_TCP_SECURE_BYTES of it; the connection
 * counts it as sent from then on. */
#include "core/panic.h"
#include "hw/net/tcp.h"
#include "hw/net/tcp_internal.h"
#include "hw/net/tls.h"

#include <stdlib.h>

enum {
    RECORD_BYTES = 16 * 1024,   /* the most that TLS encrypts at once: RFC 8446, section 5.1 */
    RECORD_OVERHEAD_BYTES = 64, /* and what that adds, at most: header, type and tag are 22 */
};

bool secure_open(struct fb_tcp_secure *secure, struct fb_tls *tls, uint32_t peer)
{
    *secure = (struct fb_tcp_secure){.session = fb_tls_session_open(tls, peer),
                                     .in = malloc(FB_TCP_SECURE_BYTES),
                                     .out = malloc(FB_TCP_SECURE_BYTES)};
    if (secure->session != NULL && secure->in != NULL && secure->out != NULL)
        return true;
    secure_close(secure);
    return false;
}

void secure_close(struct fb_tcp_secure *secure)
{
    fb_tls_session_close(secure->session);
    free(secure->in);
    free(secure->out);
    *secure = (struct fb_tcp_secure){.session = NULL};
}

void secure_receive(struct fb_tcp_connection *connection)
{
    const struct fb_bytes room = {.at = connection->secure.in, .size = FB_TCP_SECURE_BYTES};
    fb_uring_receive(connection->tcp->context.uring, &connection->receive, connection->socket, room,
                     0);
}

void secure_received(struct fb_tcp_connection *connection, uint32_t size)
{
    struct fb_tls_session *session = connection->secure.session;
    FB_ASSERT(size <= FB_TCP_SECURE_BYTES);
    int32_t got = fb_tls_feed(session, connection->secure.in, size) ? 1 : -1;
    while (got > 0 && connection->state == FB_TCP_OPEN) {
        struct fb_bytes room = connection_room(connection);
        uint32_t most = room.size < RECORD_BYTES ? (uint32_t)room.size : RECORD_BYTES;
        got = fb_tls_read(session, room.at, most);
        if (got > 0)
            connection_received(connection, (uint32_t)got);
    }
    secure_flush(connection); /* the handshake's next bytes, or an alert that says why not */
    if (got < 0)
        connection_fail(connection, fb_tls_reason(session));
}

/* Encrypts what is to be sent, as far as there is room. */
static bool plaintext_take(struct fb_tcp_connection *connection, uint32_t room_bytes)
{
    struct iovec part = connection_next(connection);
    while (part.iov_len > 0 && room_bytes >= RECORD_BYTES + RECORD_OVERHEAD_BYTES) {
        uint32_t size = part.iov_len < RECORD_BYTES ? (uint32_t)part.iov_len : RECORD_BYTES;
        if (!fb_tls_write(connection->secure.session, part.iov_base, size))
            return false;
        room_bytes -= size + RECORD_OVERHEAD_BYTES;
        connection_sent(connection, size);
        part = connection_next(connection);
    }
    return true;
}

void secure_flush(struct fb_tcp_connection *connection)
{
    struct fb_tcp_secure *secure = &connection->secure;
    if (connection->state != FB_TCP_OPEN || connection->send.is_pending)
        return;
    if (secure->out_sent == secure->out_size) {
        secure->out_sent = 0;
        bool is_fine =
            !fb_tls_is_ready(secure->session) || plaintext_take(connection, FB_TCP_SECURE_BYTES);
        secure->out_size = fb_tls_take(secure->session, secure->out, FB_TCP_SECURE_BYTES);
        if (!is_fine) {
            connection_fail(connection, fb_tls_reason(secure->session));
            return;
        }
    }
    const struct fb_bytes bytes = {.at = secure->out + secure->out_sent,
                                   .size = secure->out_size - secure->out_sent};
    if (bytes.size > 0)
        fb_uring_send(connection->tcp->context.uring, &connection->send, connection->socket, bytes,
                      MSG_WAITALL);
}

void secure_sent(struct fb_tcp_connection *connection, uint32_t size)
{
    connection->secure.out_sent += size;
    FB_ASSERT(connection->secure.out_sent <= connection->secure.out_size);
}
