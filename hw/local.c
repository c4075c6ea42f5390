/* See local.h. A session is one client:
 *
 *     FREE --accept--> GREETING --HELLO--> OPEN --the client goes, or breaks a rule--> CLOSING
 *     FREE <--no request at core or origin, nothing pending on the socket-----------------'
 *
 * A request takes a slot until its reply is made; the id that the core sees is session, slot and
 * the slot's generation. Replies wait in a ring as large as there are slots and leave one by one.
 * One LIST or STATUS at a time has the session's page. */
#include "hw/local.h"

#include "core/panic.h"
#include "hw/local_internal.h"
#include "hw/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void session_settle(struct local_session *session)
{
    struct fb_local *local = &session->loop->local;
    bool is_over = session->state == LOCAL_CLOSING && !session->receive.is_pending &&
                   !session->send.is_pending && session->requests_used == 0;
    if (!is_over)
        return;
    close(session->socket);
    free(session->opens);
    session->opens = NULL;
    session->state = LOCAL_FREE;
    local->session_count--;
}

static void lease_release(struct local_session *session, struct local_lease *lease)
{
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {.kind = FB_REQUEST_RELEASE, .lease = lease->core_lease}};
    lease->is_used = 0;
    lease->generation++;
    lease->next = session->lease_free;
    session->lease_free = (uint32_t)(lease - session->leases);
    session->leases_used--;
    loop_event(session->loop, &event);
}

void local_lease_end(struct local_session *session, uint64_t lease_id)
{
    uint32_t index = (uint32_t)(lease_id >> 32);
    struct local_lease *lease = index < FB_LOCAL_LEASES_MAX ? &session->leases[index] : NULL;
    if (lease != NULL && lease->is_used && lease->generation == (uint32_t)lease_id)
        lease_release(session, lease);
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
    for (uint32_t i = 0; i < FB_LOCAL_LEASES_MAX; i++) {
        if (session->leases[i].is_used)
            lease_release(session, &session->leases[i]);
    }
    for (uint32_t i = 0; i < session->open_count; i++) {
        struct fb_object *object = fb_objects_find(&loop->objects, session->opens[i]);
        FB_ASSERT(object != NULL && object->opens > 0);
        object->opens--;
    }
    session->open_count = 0;
    session_settle(session);
}

/* Sends the oldest reply that waits. */
static void session_flush(struct local_session *session)
{
    if (session->state == LOCAL_CLOSING || session->send.is_pending || session->reply_count == 0)
        return;
    const struct fb_local_reply *reply = &session->replies[session->reply_first];
    session->parts[0] =
        (struct iovec){.iov_base = (void *)(uintptr_t)reply, .iov_len = sizeof(*reply)};
    session->parts[1] = (struct iovec){.iov_base = session->page, .iov_len = reply->page_size};
    session->message =
        (struct msghdr){.msg_iov = session->parts, .msg_iovlen = reply->page_size > 0 ? 2 : 1};
    if (reply->kind == FB_LOCAL_HELLO) {
        session->message.msg_control = session->control;
        session->message.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&session->message);
        *header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(header), &session->loop->memory.file, sizeof(int));
    }
    fb_uring_send_parts(&session->loop->uring, &session->send, session->socket, &session->message);
}

static void send_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, send);
    if (session->state == LOCAL_CLOSING || result < 0) {
        local_session_end(session, NULL);
        session_settle(session);
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
    request->generation++;
    request->next = session->request_free;
    session->request_free = (uint32_t)(request - session->requests);
    session->requests_used--;
    if (session->state == LOCAL_CLOSING) {
        session_settle(session);
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

/* What is wrong with a packet; NULL: nothing. */
static const char *packet_fault(const struct local_session *session, uint32_t size)
{
    const struct fb_local_request *from = &session->incoming;
    if (size < FB_LOCAL_REQUEST_BYTES || from->name_length > FB_OBJECT_NAME_MAX ||
        size != FB_LOCAL_REQUEST_BYTES + from->name_length)
        return "a packet has the wrong size";
    if (from->version != FB_LOCAL_VERSION)
        return "the client has another protocol version: use the forebay of this daemon";
    if ((session->state == LOCAL_GREETING) != (from->kind == FB_LOCAL_HELLO))
        return "a packet has no place here";
    return NULL;
}

static void packet_handle(struct local_session *session)
{
    const struct fb_local_request *from = &session->incoming;
    if (from->kind == FB_LOCAL_RELEASE) {
        local_lease_end(session, from->lease);
        return;
    }
    if (from->kind == FB_LOCAL_CLOSE) {
        local_close_object(session, from->object);
        return;
    }
    /* Replies that wait keep their place, so that the ring never overflows. */
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
        session_settle(session);
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

static void session_open(struct fb_loop *loop, int socket)
{
    struct fb_local *local = &loop->local;
    struct local_session *session = NULL;
    for (uint32_t i = 0; i < FB_LOCAL_SESSIONS_MAX && session == NULL; i++) {
        if (local->sessions[i].state == LOCAL_FREE)
            session = &local->sessions[i];
    }
    uint64_t *opens = calloc(FB_LOCAL_OPENS_MAX, sizeof(*opens));
    if (session == NULL || opens == NULL) {
        fb_log(FB_LOG_WARNING, "client_refused", "reason=\"too many clients\"");
        free(opens);
        close(socket);
        return;
    }
    local_session_init(session, loop, socket);
    session->opens = opens;
    fb_io_init(&session->receive, receive_done);
    fb_io_init(&session->send, send_done);
    local->session_count++;
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
    session_open(loop, result);
    fb_uring_accept(&loop->uring, &loop->local.accept, loop->local.listener);
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

void fb_local_open(struct fb_local *local, struct fb_loop *loop, struct fb_error *error)
{
    enum { BACKLOG = 128, GROUP_MODE = 0660 };
    const char *path = loop->settings->socket_path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *local = (struct fb_local){.listener = -1};
    if (path[0] == '\0')
        return;
    local->sessions = calloc(FB_LOCAL_SESSIONS_MAX, sizeof(*local->sessions));
    FB_ASSERT(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (socket_is_stale(&address))
        unlink(path);
    local->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool is_fine = local->sessions != NULL && local->listener >= 0 &&
                   bind(local->listener, (struct sockaddr *)&address, sizeof(address)) == 0;
    local->is_bound = is_fine;
    is_fine = is_fine && chmod(path, GROUP_MODE) == 0 && listen(local->listener, BACKLOG) == 0;
    if (!is_fine) {
        fb_error_set(error,
                     "client.socket %s: %s: is another forebayd running, is the folder there?",
                     path, strerror(errno));
        return;
    }
    fb_io_init(&local->accept, accept_done);
    fb_uring_accept(&loop->uring, &local->accept, local->listener);
}

void fb_local_close(struct fb_local *local, const struct fb_settings *settings)
{
    for (uint32_t i = 0; local->sessions != NULL && i < FB_LOCAL_SESSIONS_MAX; i++) {
        if (local->sessions[i].state == LOCAL_FREE)
            continue;
        close(local->sessions[i].socket);
        free(local->sessions[i].opens);
    }
    if (local->listener >= 0)
        close(local->listener);
    if (local->is_bound)
        unlink(settings->socket_path);
    free(local->sessions);
    *local = (struct fb_local){.listener = -1};
}

void fb_local_sweep(struct fb_loop *loop)
{
    if (loop->local.listener >= 0 && !loop->local.accept.is_pending)
        fb_uring_accept(&loop->uring, &loop->local.accept, loop->local.listener);
}
