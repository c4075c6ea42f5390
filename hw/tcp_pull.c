/* Both sides of a pull.
 *
 * Asking: requests go out in order, answers come back in the same order; a body goes from what was
 * received together with its header into cache memory, the rest is received there directly.
 * Answering: the bytes are sent straight from cache memory, whatever they are by now: a stale read
 * is caught by the asker's digest (R5). Only the bounds are checked. */
#include "core/panic.h"
#include "hw/loop_internal.h"

#include <string.h>

/* A body is received in parts of this size, so that progress shows. */
enum { BODY_PART_BYTES = 4 << 20 };

void pull_ask(struct fb_tcp_connection *connection, struct work *work)
{
    struct fb_loop *loop = connection->loop;
    unsigned char *room = connection_put(connection);
    if (room == NULL) {
        work_end_later(work, FB_GONE);
        return;
    }
    if (connection->pull_count == 0)
        connection->alive_ns = loop->now_ns;
    work->next = NULL;
    if (connection->pull_tail != NULL)
        connection->pull_tail->next = work;
    else
        connection->pull_head = work;
    connection->pull_tail = work;
    connection->pull_count++;
    const struct fb_wire_pull pull = {.offset = work->op.source.offset, .size = work->bytes.size};
    connection_put_end(connection,
                       fb_wire_put_pull(room, loop->settings->node, work->op.op_id, &pull));
}

static struct work *pull_take(struct fb_tcp_connection *connection)
{
    struct work *work = connection->pull_head;
    FB_ASSERT(work != NULL);
    connection->pull_head = work->next;
    if (connection->pull_head == NULL)
        connection->pull_tail = NULL;
    connection->pull_count--;
    return work;
}

static void pull_end(struct fb_tcp_connection *connection, enum fb_status status)
{
    struct work *work = pull_take(connection);
    connection->is_body = 0;
    tcp_pull_next(connection);
    work_end(work, status, 0);
}

const char *pull_answered(struct fb_tcp_connection *connection, const struct fb_wire_header *header)
{
    struct work *work = connection->pull_head;
    if (work == NULL || work->op.op_id != header->id)
        return "an answer belongs to no pull";
    if (header->kind == FB_WIRE_FAIL) {
        bool is_error = header->value != FB_OK && header->value < FB_STATUS_COUNT;
        pull_end(connection, is_error ? (enum fb_status)header->value : FB_IO);
        return NULL;
    }
    if (header->value != work->bytes.size)
        return "an answer has another size than was asked for";
    work->moved = 0;
    connection->is_body = 1;
    return NULL;
}

static void body_moved(struct fb_tcp_connection *connection, uint64_t size)
{
    struct work *work = connection->pull_head;
    work->moved += size;
    FB_ASSERT(work->moved <= work->bytes.size);
    if (work->moved == work->bytes.size)
        pull_end(connection, FB_OK);
}

/* Copies the part of a body that came with other bytes; returns its size. */
uint32_t pull_body(struct fb_tcp_connection *connection, const unsigned char *bytes, uint32_t size)
{
    struct work *work = connection->pull_head;
    FB_ASSERT(connection->is_body && work != NULL);
    uint64_t left = work->bytes.size - work->moved;
    uint32_t part = size < left ? size : (uint32_t)left;
    memcpy(work->bytes.at + work->moved, bytes, part);
    body_moved(connection, part);
    return part;
}

/* Where the rest of a body belongs; size 0: no body is due. */
struct fb_bytes pull_room(const struct fb_tcp_connection *connection)
{
    const struct work *work = connection->pull_head;
    if (!connection->is_body)
        return (struct fb_bytes){.size = 0};
    FB_ASSERT(connection->in_size == 0);
    uint64_t left = work->bytes.size - work->moved;
    return (struct fb_bytes){.at = work->bytes.at + work->moved,
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
        work_end_later(pull_take(connection), FB_GONE);
}

const char *pull_asked(struct fb_tcp_connection *connection, const struct fb_wire_frame *frame)
{
    const struct fb_loop *loop = connection->loop;
    const struct fb_wire_pull *pull = &frame->pull;
    if (connection->answer_count == FB_TCP_PULLS_MAX)
        return "more pulls at once than agreed";
    bool is_sane = pull->size > 0 && pull->size <= loop->settings->core.block_size_bytes &&
                   pull->offset <= loop->memory.bytes.size &&
                   pull->size <= loop->memory.bytes.size - pull->offset;
    uint32_t last = (connection->answer_first + connection->answer_count++) % FB_TCP_PULLS_MAX;
    connection->answers[last] =
        (struct fb_tcp_answer){.id = frame->header.id, .pull = *pull, .is_refused = !is_sane};
    connection_flush(connection);
    return NULL;
}

static uint64_t answer_body_bytes(const struct fb_tcp_answer *answer)
{
    return answer->is_refused ? 0 : answer->pull.size;
}

/* What is left of the first answer: of its header, and of its body. Both empty: there is none. */
void pull_parts(struct fb_tcp_connection *connection, struct iovec parts[2])
{
    const struct fb_loop *loop = connection->loop;
    parts[0] = parts[1] = (struct iovec){.iov_len = 0};
    if (connection->answer_count == 0)
        return;
    const struct fb_tcp_answer *answer = &connection->answers[connection->answer_first];
    uint64_t body = answer_body_bytes(answer), sent = connection->answer_sent;
    if (sent == 0)
        fb_wire_put_answer(connection->answer_header,
                           answer->is_refused ? FB_WIRE_FAIL : FB_WIRE_BYTES, loop->settings->node,
                           answer->id, answer->is_refused ? FB_INVALID : body);
    uint64_t header_sent = sent < FB_WIRE_HEADER_BYTES ? sent : FB_WIRE_HEADER_BYTES;
    uint64_t body_sent = sent - header_sent;
    parts[0] = (struct iovec){.iov_base = connection->answer_header + header_sent,
                              .iov_len = FB_WIRE_HEADER_BYTES - header_sent};
    if (!answer->is_refused)
        parts[1] =
            (struct iovec){.iov_base = loop->memory.bytes.at + answer->pull.offset + body_sent,
                           .iov_len = body - body_sent};
}

/* Sends the first answer, or the rest of it. */
void pull_send(struct fb_tcp_connection *connection)
{
    if (connection->answer_count == 0)
        return;
    pull_parts(connection, connection->answer_parts);
    connection->answer_message =
        (struct msghdr){.msg_iov = connection->answer_parts, .msg_iovlen = 2};
    fb_uring_send_parts(&connection->loop->uring, &connection->send, connection->socket,
                        &connection->answer_message);
}

void pull_sent(struct fb_tcp_connection *connection, uint32_t size)
{
    FB_ASSERT(connection->answer_count > 0);
    const struct fb_tcp_answer *answer = &connection->answers[connection->answer_first];
    uint64_t whole = FB_WIRE_HEADER_BYTES + answer_body_bytes(answer);
    connection->answer_sent += size;
    FB_ASSERT(connection->answer_sent <= whole);
    if (connection->answer_sent < whole)
        return;
    connection->answer_sent = 0;
    connection->answer_first = (connection->answer_first + 1) % FB_TCP_PULLS_MAX;
    connection->answer_count--;
}
