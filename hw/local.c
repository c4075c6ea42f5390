/* See local.h. A session is one client:
 *
 *     FREE --accept--> GREETING --HELLO--> OPEN --the client goes, or breaks a rule--> CLOSING
 *     FREE <--no request at core or origin, nothing pending on the socket-----------------'
 *
 * A request over the socket takes a slot until its reply is made. Replies wait in a ring as large
 * as there are slots and leave one by one. One LIST or STATUS at a time has the session's page. */
#include "hw/local.h"

#include "core/panic.h"
#include "hw/budget.h"
#include "hw/local_internal.h"
#include "hw/loop_internal.h"
#include "hw/patience.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void local_session_settle(struct local_session *session)
{
    struct fb_local *local = &session->loop->local;
    bool is_over = session->state == LOCAL_CLOSING && !session->receive.is_pending &&
                   !session->send.is_pending && session->requests_used == 0 &&
                   session->slots_used == 0;
    if (!is_over)
        return;
    close(session->socket);
    free(session->opens);
    session->opens = NULL;
    fb_mapping_close(&session->shared);
    session->ring = NULL;
    session->state = LOCAL_FREE;
    uint32_t index = (uint32_t)(session - local->sessions), at = 0;
    while (local->active[at] != index)
        at++;
    FB_ASSERT(at < local->session_count);
    local->active[at] = local->active[--local->session_count];
}

/* Gives back everything that the client holds. */
void local_session_end(struct local_session *session, const char *reason)
{
    struct fb_loop *loop = session->loop;
    if (session->state == LOCAL_CLOSING)
        return;
    if (reason != NULL)
        fb_log(FB_LOG_WARNING, "client_refused", "reason=\"%s\"", reason);
    session->state = LOCAL_CLOSING;
    (void)shutdown(session->socket, SHUT_RDWR);
    local_ring_end(session);
    for (uint32_t i = 0; i < session->open_count; i++) {
        struct fb_object *object = fb_objects_find(&loop->objects, session->opens[i]);
        FB_ASSERT(object != NULL && object->opens > 0);
        object->opens--;
    }
    session->open_count = 0;
    local_session_settle(session);
}

/* The descriptors that a client maps and rings. */
static void control_fill(struct local_session *session)
{
    const int files[FB_LOCAL_FILES] = {session->loop->memory.file, session->shared.file,
                                       session->loop->local.doorbell};
    static_assert(CMSG_SPACE(sizeof(files)) <= sizeof(session->control), "they fit");
    session->message.msg_control = session->control;
    session->message.msg_controllen = CMSG_SPACE(sizeof(files));
    struct cmsghdr *header = CMSG_FIRSTHDR(&session->message);
    *header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(files))};
    memcpy(CMSG_DATA(header), files, sizeof(files));
}

/* Sends the oldest reply that waits. */
static void session_flush(struct local_session *session)
{
    if (session->state == LOCAL_CLOSING || session->send.is_pending || session->reply_count == 0)
        return;
    struct fb_local_reply *reply = &session->replies[session->reply_first];
    session->parts[0] = (struct iovec){.iov_base = reply, .iov_len = sizeof(*reply)};
    session->parts[1] = (struct iovec){.iov_base = session->page, .iov_len = reply->page_size};
    session->message =
        (struct msghdr){.msg_iov = session->parts, .msg_iovlen = reply->page_size > 0 ? 2 : 1};
    if (reply->kind == FB_LOCAL_HELLO)
        control_fill(session);
    fb_uring_send_parts(&session->loop->uring, &session->send, session->socket, &session->message);
}

static void send_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, send);
    if (session->state == LOCAL_CLOSING || result < 0) {
        local_session_end(session, NULL);
        local_session_settle(session);
        return;
    }
    if (session->replies[session->reply_first].page_size > 0)
        session->is_page_used = false;
    session->reply_first = (session->reply_first + 1) % FB_LOCAL_REQUESTS_MAX;
    session->reply_count--;
    session_flush(session);
}

/* The request's slot is free again and its reply on its way. */
void local_request_end(struct local_request *request, const struct fb_local_reply *reply)
{
    struct local_session *session = request->session;
    uint32_t last = (session->reply_first + session->reply_count) % FB_LOCAL_REQUESTS_MAX;
    FB_ASSERT(request->is_used);
    request->is_used = 0;
    request->next = session->request_free;
    session->request_free = (uint32_t)(request - session->requests);
    session->requests_used--;
    if (session->state == LOCAL_CLOSING) {
        local_session_settle(session);
        return;
    }
    FB_ASSERT(session->reply_count < FB_LOCAL_REQUESTS_MAX);
    session->replies[last] = *reply;
    session->replies[last].version = FB_LOCAL_VERSION;
    session->replies[last].kind = request->kind;
    session->replies[last].id = request->client_id;
    session->reply_count++;
    session_flush(session);
}

/* A slot for a request that will be replied to. The caller made sure that there is one. */
static struct local_request *request_take(struct local_session *session,
                                          const struct fb_local_request *from)
{
    FB_ASSERT(session->request_free != FB_NONE);
    struct local_request *request = &session->requests[session->request_free];
    session->request_free = request->next;
    session->requests_used++;
    request->is_used = 1;
    request->client_id = from->id;
    request->kind = from->kind;
    return request;
}

/* Takes as long whatever is wrong with it. */
static bool token_is_right(const struct fb_local *local, const struct fb_local_request *from)
{
    if (local->token_length == 0)
        return true;
    return from->name_length == local->token_length &&
           CRYPTO_memcmp(from->text, local->token, local->token_length) == 0;
}

/* What is wrong with a packet; NULL: nothing. */
static const char *packet_fault(const struct local_session *session, uint32_t size)
{
    const struct fb_local_request *from = &session->incoming;
    if (size < FB_LOCAL_REQUEST_BYTES || from->name_length > FB_OBJECT_NAME_MAX ||
        from->cursor_length > FB_LOCAL_CURSOR_MAX ||
        size != FB_LOCAL_REQUEST_BYTES + from->name_length + from->cursor_length)
        return "a packet has the wrong size";
    if (from->version != FB_LOCAL_VERSION)
        return "the client has another protocol version: use the forebay of this daemon";
    if ((session->state == LOCAL_GREETING) != (from->kind == FB_LOCAL_HELLO))
        return "a packet has no place here";
    if (from->kind == FB_LOCAL_HELLO && !token_is_right(&session->loop->local, from))
        return "the client shows no token, or another than that in client.token";
    return NULL;
}

static void packet_handle(struct local_session *session)
{
    const struct fb_local_request *from = &session->incoming;
    if (from->kind == FB_LOCAL_CLOSE) {
        local_close_object(session, from->object);
        return;
    }
    /* Replies that wait keep their place, so that they never overflow. */
    if (session->requests_used + session->reply_count >= FB_LOCAL_REQUESTS_MAX) {
        local_session_end(session, "more requests at once than agreed");
        return;
    }
    session->state = LOCAL_OPEN;
    local_request_start(request_take(session, from), from);
}

static void session_receive(struct local_session *session)
{
    const struct fb_bytes room = {.at = (unsigned char *)&session->incoming,
                                  .size = sizeof(session->incoming)};
    if (session->state != LOCAL_CLOSING)
        fb_uring_receive(&session->loop->uring, &session->receive, session->socket, room,
                         MSG_TRUNC);
}

static void receive_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, receive);
    if (session->state == LOCAL_CLOSING || result <= 0) {
        local_session_end(session, NULL);
        local_session_settle(session);
        return;
    }
    const char *fault = packet_fault(session, (uint32_t)result);
    if (fault != NULL) {
        local_session_end(session, fault);
        return;
    }
    packet_handle(session);
    session_receive(session);
}

static void requests_init(struct local_session *session)
{
    for (uint32_t i = 0; i < FB_LOCAL_REQUESTS_MAX; i++) {
        session->requests[i].session = session;
        session->requests[i].next = i + 1 < FB_LOCAL_REQUESTS_MAX ? i + 1 : FB_NONE;
    }
    session->request_free = 0;
    session->requests_used = 0;
    session->reply_first = 0;
    session->reply_count = 0;
    session->open_count = 0;
    session->is_page_used = false;
}

/* A free session with ring and arena; NULL: none, or no memory. */
static struct local_session *session_take(struct fb_loop *loop)
{
    struct fb_local *local = &loop->local;
    uint32_t index = 0;
    while (index < local->sessions_max && local->sessions[index].state != LOCAL_FREE)
        index++;
    if (index == local->sessions_max)
        return NULL;
    struct local_session *session = &local->sessions[index];
    uint64_t size_bytes = FB_RING_BYTES + loop->settings->arena_bytes;
    session->opens = calloc(FB_LOCAL_OPENS_MAX, sizeof(*session->opens));
    if (session->opens == NULL ||
        fb_mapping_open(&session->shared, "forebay-client", size_bytes, false) != 0) {
        free(session->opens);
        session->opens = NULL;
        return NULL;
    }
    session->ring = (struct fb_ring *)(void *)session->shared.bytes.at;
    session->arena = (struct fb_bytes){.at = session->shared.bytes.at + FB_RING_BYTES,
                                       .size = loop->settings->arena_bytes};
    local->active[local->session_count++] = index;
    return session;
}

static void session_open(struct fb_loop *loop, int socket)
{
    struct local_session *session = session_take(loop);
    if (session == NULL) {
        fb_log(FB_LOG_WARNING, "client_refused",
               "reason=\"%u clients, and memory_budget has room for %u\"",
               loop->local.session_count, loop->local.sessions_max);
        close(socket);
        return;
    }
    session->loop = loop;
    session->socket = socket;
    session->state = LOCAL_GREETING;
    requests_init(session);
    local_ring_init(session);
    fb_io_init(&session->receive, receive_done);
    fb_io_init(&session->send, send_done);
    session_receive(session);
}

static void accept_done(struct fb_io *io, int32_t result)
{
    struct fb_loop *loop = FB_CONTAINER(io, struct fb_loop, local.accept);
    if (result == -ECANCELED)
        return;
    if (result < 0) {
        fb_log(FB_LOG_WARNING, "accept_failed", "reason=\"%s\"", strerror(-result));
        return; /* the next sweep listens again */
    }
    if (loop->is_draining)
        close(result);
    else
        session_open(loop, result);
    fb_uring_accept(&loop->uring, &loop->local.accept, loop->local.listener);
}

/* A client has rung: the loop is awake, which is all that was wanted. */
static void doorbell_done(struct fb_io *io, int32_t result)
{
    struct fb_loop *loop = FB_CONTAINER(io, struct fb_loop, local.ring);
    uint64_t count;
    if (result == -ECANCELED)
        return;
    if (read(loop->local.doorbell, &count, sizeof(count)) < 0)
        FB_ASSERT(errno == EAGAIN);
    fb_uring_poll(&loop->uring, &loop->local.ring, loop->local.doorbell);
}

/* A socket that nobody listens on is what a daemon left that was killed. */
static bool socket_is_stale(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool is_stale = probe >= 0 &&
                    connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                    errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    return is_stale;
}

static bool listener_open(struct fb_local *local, const char *path)
{
    enum { BACKLOG = 128, GROUP_MODE = 0660 };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FB_ASSERT(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct fb_patience patience = {.naps = 0};
    while (access(path, F_OK) == 0) {
        if (socket_is_stale(&address))
            unlink(path);
        else if (!fb_patience_nap(&patience))
            break;
    }
    local->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    local->is_bound = local->listener >= 0 &&
                      bind(local->listener, (struct sockaddr *)&address, sizeof(address)) == 0;
    return local->is_bound && chmod(path, GROUP_MODE) == 0 && listen(local->listener, BACKLOG) == 0;
}

void fb_local_open(struct fb_local *local, struct fb_loop *loop, struct fb_error *error)
{
    const struct fb_settings *settings = loop->settings;
    const char *path = settings->socket_path;
    *local = (struct fb_local){.listener = -1, .doorbell = -1};
    if (path[0] == '\0')
        return;
    int token =
        settings->token_path[0] != '\0' ? fb_token_read(settings->token_path, local->token) : 0;
    if (token < 0) {
        fb_error_set(error, "client.token %s: %s: give a file of %d to %d bytes",
                     settings->token_path, strerror(-token), FB_TOKEN_MIN, FB_TOKEN_MAX);
        return;
    }
    struct fb_budget budget;
    fb_budget_make(settings, &budget, error);
    if (fb_error_is_set(error))
        return;
    local->sessions_max = budget.clients_max;
    local->token_length = (uint32_t)token;
    local->sessions = calloc(FB_LOCAL_SESSIONS_MAX, sizeof(*local->sessions));
    local->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (local->sessions == NULL || local->doorbell < 0) {
        fb_error_set(error, "out of memory for clients");
        return;
    }
    if (!listener_open(local, path)) {
        fb_error_set(error,
                     "client.socket %s: %s: is another forebayd running, is the folder there?",
                     path, strerror(errno));
        return;
    }
    fb_io_init(&local->accept, accept_done);
    fb_io_init(&local->ring, doorbell_done);
    fb_uring_accept(&loop->uring, &local->accept, local->listener);
    fb_uring_poll(&loop->uring, &local->ring, local->doorbell);
}

void fb_local_close(struct fb_local *local, const struct fb_settings *settings)
{
    for (uint32_t i = 0; i < local->session_count; i++) {
        struct local_session *session = &local->sessions[local->active[i]];
        close(session->socket);
        free(session->opens);
        fb_mapping_close(&session->shared);
    }
    if (local->listener >= 0)
        close(local->listener);
    if (local->doorbell >= 0)
        close(local->doorbell);
    if (local->is_bound)
        unlink(settings->socket_path);
    free(local->sessions);
    *local = (struct fb_local){.listener = -1, .doorbell = -1};
}

bool fb_local_is_writing(struct fb_loop *loop)
{
    for (uint32_t i = 0; i < loop->local.session_count; i++) {
        const struct local_session *session = &loop->local.sessions[loop->local.active[i]];
        for (uint32_t k = 0; k < session->open_count; k++) {
            const struct fb_object *object = fb_objects_find(&loop->objects, session->opens[k]);
            if (object != NULL && object->is_written)
                return true;
        }
    }
    return false;
}

void fb_local_sweep(struct fb_loop *loop)
{
    if (loop->local.listener >= 0 && !loop->local.accept.is_pending)
        fb_uring_accept(&loop->uring, &loop->local.accept, loop->local.listener);
}
