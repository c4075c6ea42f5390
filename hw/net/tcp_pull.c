/* Both sides of a pull.
 *
 * Asking: requests go out in order, answers come back in the same order; a body goes from what was
 * received together with its header into cache memory, the rest is received there directly.
 * Answering: the bytes are sent straight from cache memory, whatever they are by now: a stale read
 * is caught by the asker's digest (R5). Only the bounds are checked. Small answers leave together,
 * large ones without being copied. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/net/tcp.h"
#include "hw/net/tcp_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>

enum {
    BODY_PART_BYTES = 4 << 20,  /* a body is received in such parts, so that progress shows */
    AT_ONCE_BYTES = 256 << 10,  /* of answers that leave together */
    SPLICE_BYTES_MAX = 4 << 20, /* of one round, as others want their turn */
    /* A copy costs less below that. guess: 16 KiB to 128 KiB; tests/bench would measure it. */
    SPLICE_BYTES_MIN = 64 << 10,
};

static void later_done(struct fb_io *io, int32_t result)
{
    struct fb_tcp_pull *wanted = FB_CONTAINER(io, struct fb_tcp_pull, io);
    if (result != -ECANCELED)
        wanted->done(wanted, wanted->status);
}

void pull_end_later(struct fb_tcp *tcp, struct fb_tcp_pull *wanted, enum fb_status status)
{
    wanted->status = status;
    fb_io_init(&wanted->io, later_done);
    fb_uring_nothing(tcp->context.uring, &wanted->io);
}

void pull_ask(struct fb_tcp_connection *connection, struct fb_tcp_pull *wanted)
{
    struct fb_tcp *tcp = connection->tcp;
    unsigned char *room = connection_put(connection);
    if (room == NULL) {
        pull_end_later(tcp, wanted, FB_GONE);
        return;
    }
    if (connection->pull_count == 0)
        connection->alive_ns = tcp->context.feed->now_ns;
    wanted->next = NULL;
    if (connection->pull_tail != NULL)
        connection->pull_tail->next = wanted;
    else
        connection->pull_head = wanted;
    connection->pull_tail = wanted;
    connection->pull_count++;
    const struct fb_wire_pull pull = {.offset = wanted->source.offset, .size = wanted->bytes.size};
    connection_put_end(connection,
                       fb_wire_put_pull(room, tcp->context.settings->node, wanted->id, &pull));
}

static struct fb_tcp_pull *pull_take(struct fb_tcp_connection *connection)
{
    struct fb_tcp_pull *wanted = connection->pull_head;
    FB_ASSERT(wanted != NULL);
    connection->pull_head = wanted->next;
    if (connection->pull_head == NULL)
        connection->pull_tail = NULL;
    connection->pull_count--;
    return wanted;
}

static void pull_end(struct fb_tcp_connection *connection, enum fb_status status)
{
    struct fb_tcp_pull *wanted = pull_take(connection);
    connection->is_body = 0;
    tcp_pull_next(connection);
    wanted->done(wanted, status);
}

const char *pull_answered(struct fb_tcp_connection *connection, const struct fb_wire_header *header)
{
    struct fb_tcp_pull *wanted = connection->pull_head;
    if (wanted == NULL || wanted->id != header->id)
        return "an answer belongs to no pull";
    if (header->kind == FB_WIRE_FAIL) {
        bool is_error = header->value != FB_OK && header->value < FB_STATUS_COUNT;
        pull_end(connection, is_error ? (enum fb_status)header->value : FB_IO);
        return NULL;
    }
    if (header->value != wanted->bytes.size)
        return "an answer has another size than was asked for";
    wanted->moved = 0;
    connection->is_body = 1;
    return NULL;
}

static void body_moved(struct fb_tcp_connection *connection, uint64_t size)
{
    struct fb_tcp_pull *wanted = connection->pull_head;
    wanted->moved += size;
    FB_ASSERT(wanted->moved <= wanted->bytes.size);
    if (wanted->moved == wanted->bytes.size)
        pull_end(connection, FB_OK);
}

/* Copies the part of a body that came with other bytes; returns its size. */
uint32_t pull_body(struct fb_tcp_connection *connection, const unsigned char *bytes, uint32_t size)
{
    struct fb_tcp_pull *wanted = connection->pull_head;
    FB_ASSERT(connection->is_body && wanted != NULL);
    uint64_t left = wanted->bytes.size - wanted->moved;
    uint32_t part = size < left ? size : (uint32_t)left;
    memcpy(wanted->bytes.at + wanted->moved, bytes, part);
    body_moved(connection, part);
    return part;
}

/* Where the rest of a body belongs; size 0: no body is due. */
struct fb_bytes pull_room(const struct fb_tcp_connection *connection)
{
    const struct fb_tcp_pull *wanted = connection->pull_head;
    if (!connection->is_body)
        return (struct fb_bytes){.size = 0};
    FB_ASSERT(connection->in_size == 0);
    uint64_t left = wanted->bytes.size - wanted->moved;
    return (struct fb_bytes){.at = wanted->bytes.at + wanted->moved,
                             .size = left < BODY_PART_BYTES ? left : BODY_PART_BYTES};
}

void pull_received(struct fb_tcp_connection *connection, uint32_t size)
{
    FB_ASSERT(connection->is_body);
    body_moved(connection, size);
}

/* The connection is at its end and the kernel writes no more. */
void pull_lost(struct fb_tcp_connection *connection)
{
    FB_ASSERT(!connection->receive.is_pending);
    while (connection->pull_head != NULL)
        pull_end_later(connection->tcp, pull_take(connection), FB_GONE);
}

const char *pull_asked(struct fb_tcp_connection *connection, const struct fb_wire_frame *frame)
{
    const struct fb_tcp *tcp = connection->tcp;
    const struct fb_wire_pull *pull = &frame->pull;
    if (connection->answer_count == FB_TCP_PULLS_MAX)
        return "more pulls at once than agreed";
    bool is_sane = pull->size > 0 && pull->size <= tcp->context.settings->core.block_size_bytes &&
                   pull->offset <= tcp->context.memory->bytes.size &&
                   pull->size <= tcp->context.memory->bytes.size - pull->offset;
    uint32_t last = (connection->answer_first + connection->answer_count++) % FB_TCP_PULLS_MAX;
    struct fb_tcp_answer *answer = &connection->answers[last];
    *answer = (struct fb_tcp_answer){.pull = *pull, .is_refused = !is_sane};
    fb_wire_put_answer(answer->header, is_sane ? FB_WIRE_BYTES : FB_WIRE_FAIL,
                       tcp->context.settings->node, frame->header.id,
                       is_sane ? pull->size : FB_INVALID);
    connection_due(connection);
    return NULL;
}

static uint64_t answer_body_bytes(const struct fb_tcp_answer *answer)
{
    return answer->is_refused ? 0 : answer->pull.size;
}

/* What is left of an answer of which `sent` bytes went: of its header, and of its body. */
static void answer_parts(const struct fb_tcp *tcp, struct fb_tcp_answer *answer, uint64_t sent,
                         struct iovec parts[2])
{
    uint64_t header_sent = sent < FB_WIRE_HEADER_BYTES ? sent : FB_WIRE_HEADER_BYTES;
    uint64_t body_sent = sent - header_sent;
    parts[0] = (struct iovec){.iov_base = answer->header + header_sent,
                              .iov_len = FB_WIRE_HEADER_BYTES - header_sent};
    parts[1] = (struct iovec){.iov_len = 0};
    if (!answer->is_refused)
        parts[1] = (struct iovec){.iov_base = tcp->context.memory->bytes.at + answer->pull.offset +
                                              body_sent,
                                  .iov_len = answer->pull.size - body_sent};
}

/* What is left of the first answer. Both empty: there is none. */
void pull_parts(struct fb_tcp_connection *connection, struct iovec parts[2])
{
    parts[0] = parts[1] = (struct iovec){.iov_len = 0};
    if (connection->answer_count > 0)
        answer_parts(connection->tcp, &connection->answers[connection->answer_first],
                     connection->answer_sent, parts);
}

/* Sends answers, as many small ones as go together. */
static void answers_send(struct fb_tcp_connection *connection)
{
    struct iovec *parts = connection->answer_parts;
    uint64_t size = 0;
    uint32_t count = 0;
    while (count < connection->answer_count && count < FB_TCP_ANSWERS_AT_ONCE) {
        uint32_t at = (connection->answer_first + count) % FB_TCP_PULLS_MAX;
        struct fb_tcp_answer *answer = &connection->answers[at];
        size += answer_body_bytes(answer);
        if (count > 0 && size > AT_ONCE_BYTES)
            break;
        answer_parts(connection->tcp, answer, count == 0 ? connection->answer_sent : 0,
                     &parts[2 * count]);
        count++;
    }
    connection->answer_message = (struct msghdr){.msg_iov = parts, .msg_iovlen = 2 * count};
    fb_uring_send_parts(connection->tcp->context.uring, &connection->send, connection->socket,
                        &connection->answer_message);
}

/* Sends a part of the first answer at once, its body from the cache's file, which the kernel does
 * without a copy: also on the loopback, where MSG_ZEROCOPY copies. What is sent is the memory as it
 * is when it leaves, which R5 allows for. Returns its size. Errors: -errno. */
static int64_t splice_send(struct fb_tcp_connection *connection)
{
    const struct fb_tcp *tcp = connection->tcp;
    struct iovec parts[2];
    pull_parts(connection, parts);
    ssize_t sent;
    if (parts[0].iov_len > 0) {
        sent = send(connection->socket, parts[0].iov_base, parts[0].iov_len,
                    MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
    } else {
        off_t offset = (unsigned char *)parts[1].iov_base - tcp->context.memory->bytes.at;
        sent = sendfile(connection->socket, tcp->context.memory->file, &offset, parts[1].iov_len);
    }
    return sent >= 0 ? sent : -errno;
}

static bool is_spliced(const struct fb_tcp_connection *connection)
{
    const struct fb_tcp_answer *answer = &connection->answers[connection->answer_first];
    return connection->answer_count > 0 && !connection->tcp->has_no_splice &&
           answer_body_bytes(answer) >= SPLICE_BYTES_MIN;
}

/* Sends large answers, until a small one is the first or the kernel takes no more; false: then
 * there is nothing more to be sent now. */
static bool large_send(struct fb_tcp_connection *connection)
{
    struct fb_tcp *tcp = connection->tcp;
    int64_t sent = 1;
    for (uint64_t all = 0; is_spliced(connection) && all < SPLICE_BYTES_MAX;
         all += (uint64_t)sent) {
        sent = splice_send(connection);
        if (sent <= 0)
            break;
        pull_sent(connection, (uint32_t)sent);
    }
    if (!is_spliced(connection))
        return true;
    if (sent == -EINVAL || sent == -ENOSYS) { /* huge pages that were set aside */
        tcp->has_no_splice = true;
        return true;
    }
    if (sent > 0 || sent == -EAGAIN || sent == -EINTR) {
        connection->is_full = 1;
        fb_uring_poll_write(tcp->context.uring, &connection->send, connection->socket);
        return false;
    }
    connection_fail(connection, sent == 0 ? "its memory has shrunk" : strerror((int)-sent));
    return false;
}

void pull_send(struct fb_tcp_connection *connection)
{
    if (large_send(connection) && connection->answer_count > 0)
        answers_send(connection);
}

void pull_sent(struct fb_tcp_connection *connection, uint32_t size)
{
    connection->answer_sent += size;
    while (connection->answer_count > 0) {
        const struct fb_tcp_answer *answer = &connection->answers[connection->answer_first];
        uint64_t whole = FB_WIRE_HEADER_BYTES + answer_body_bytes(answer);
        if (connection->answer_sent < whole)
            return;
        connection->answer_sent -= whole;
        connection->answer_first = (connection->answer_first + 1) % FB_TCP_PULLS_MAX;
        connection->answer_count--;
    }
    FB_ASSERT(connection->answer_sent == 0);
}
