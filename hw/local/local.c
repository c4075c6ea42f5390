/* See local.h. A session is one client:
 *
 *     FREE --a guest has greeted (local_door.c)--> OPEN --it goes, or breaks a rule--> CLOSING
 *     FREE <--no request at core or origin, nothing pending on socket and doorbell--------'
 *
 * A request over the socket takes a slot until its reply is made. Replies wait in a ring as large
 * as there are slots and leave one by one. One LIST or STATUS at a time has the session's page. */
#include "hw/local/local.h"

#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local_internal.h"
#include "hw/local/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

void local_session_settle(struct local_session *session)
{
    struct fb_local *local = session->local;
    bool is_over = session->state == LOCAL_CLOSING && !session->receive.is_pending &&
                   !session->send.is_pending && !session->bell.is_pending &&
                   session->requests_used == 0 && session->slots_used == 0;
    if (!is_over)
        return;
    fb_uring_close_apart(session->local->context.uring, session->socket);
    close(session->doorbell);
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
    struct fb_local *local = session->local;
    if (session->state == LOCAL_CLOSING)
        return;
    if (reason != NULL)
        fb_log(FB_LOG_WARNING, "client_refused", "reason=\"%s\"", reason);
    session->state = LOCAL_CLOSING;
    (void)shutdown(session->socket, SHUT_RDWR);
    if (session->bell.is_pending)
        fb_uring_cancel(local->context.uring, &session->bell);
    local_ring_end(session);
    for (uint32_t i = 0; i < session->open_count; i++)
        local_object_close(session, session->opens[i]);
    session->open_count = 0;
    local_session_settle(session);
}

/* The descriptors that a client maps and rings. */
static void control_fill(struct local_session *session)
{
    const int files[FB_LOCAL_FILES] = {session->local->context.memory->file, session->shared.file,
                                       session->doorbell};
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
    FB_ASSERT(reply->page_size <= sizeof(session->page));
    session->parts[0] = (struct iovec){.iov_base = reply, .iov_len = sizeof(*reply)};
    session->parts[1] = (struct iovec){.iov_base = session->page, .iov_len = reply->page_size};
    session->message =
        (struct msghdr){.msg_iov = session->parts, .msg_iovlen = reply->page_size > 0 ? 2 : 1};
    if (reply->kind == FB_LOCAL_HELLO)
        control_fill(session);
    fb_uring_send_parts(session->local->context.uring, &session->send, session->socket,
                        &session->message);
}

static void send_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, send);
    if (session->state == LOCAL_CLOSING || result < 0) {
        local_session_end(session, NULL);
        local_session_settle(session);
        return;
    }
    FB_ASSERT(session->reply_count > 0);
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
    FB_ASSERT(session->requests_used > 0);
    request->is_used = 0;
    request->next = session->request_free;
    session->request_free = (uint32_t)(request - session->requests);
    session->requests_used--;
    local_land(session, LOCAL_ASKS);
    if (session->state == LOCAL_CLOSING) {
        local_session_settle(session);
        return;
    }
    FB_ASSERT(session->reply_count < FB_LOCAL_REQUESTS_MAX);
    session->replies[last] = *reply;
    session->replies[last].version = session->version;
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
    local_fly(session, LOCAL_ASKS);
    request->is_used = 1;
    request->client_id = from->id;
    request->kind = from->kind;
    return request;
}

static void packet_handle(struct local_session *session)
{
    const struct fb_local_request *from = &session->inbox.packet;
    if (from->kind == FB_LOCAL_CLOSE) {
        local_close_object(session, from->object);
        return;
    }
    /* Replies that wait keep their place, so that they never overflow. */
    if (session->requests_used + session->reply_count >= FB_LOCAL_REQUESTS_MAX) {
        local_session_end(session, "more requests at once than agreed");
        return;
    }
    bool may_begin = local_may_fly(session, LOCAL_ASKS);
    struct local_request *request = request_take(session, from);
    if (!may_begin)
        local_request_end(request, &(struct fb_local_reply){.status = FB_BUSY});
    else if (from->name_length <= FB_OBJECT_NAME_MAX && from->cursor_length <= FB_LOCAL_CURSOR_MAX)
        local_request_start(request, from);
    else /* what did not fit was cut off: nobody looks at the text */
        local_request_end(request, &(struct fb_local_reply){.status = FB_INVALID});
}

static void session_receive(struct local_session *session)
{
    if (session->state != LOCAL_CLOSING)
        local_inbox_receive(session->local->context.uring, &session->receive, session->socket,
                            &session->inbox);
}

static void bell_wait(struct local_session *session)
{
    const struct fb_bytes room = {.at = (unsigned char *)&session->bell_count,
                                  .size = sizeof(session->bell_count)};
    fb_uring_read(session->local->context.uring, &session->bell, session->doorbell, room, 0);
}

static void receive_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, receive);
    const char *fault = NULL;
    if (result > 0)
        fault = local_inbox_fault(session->local->context.uring, &session->inbox, (uint32_t)result);
    if (fault == NULL && result > 0 && session->inbox.packet.kind == FB_LOCAL_HELLO)
        fault = "a second greeting";
    if (session->state == LOCAL_CLOSING || result <= 0 || fault != NULL) {
        local_session_end(session, session->state == LOCAL_CLOSING ? NULL : fault);
        local_session_settle(session);
        return;
    }
    packet_handle(session);
    session_receive(session);
}

/* The client has rung: the loop is awake, which is all that was wanted. Whatever the client makes
 * of its end, which is the same open file: the read is the kernel's business, not this thread's. */
static void bell_done(struct fb_io *io, int32_t result)
{
    struct local_session *session = FB_CONTAINER(io, struct local_session, bell);
    if (session->state != LOCAL_CLOSING && result == sizeof(session->bell_count)) {
        bell_wait(session);
        return;
    }
    local_session_end(session, "the client broke its doorbell");
    local_session_settle(session);
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
    session->write_count = 0;
    session->lent_bytes = 0;
    session->owed = (struct local_owed){.counted_ns = 0};
    session->is_page_used = false;
}

/* Ring, arena and doorbell; false: no memory. */
static bool session_make(struct local_session *session, uint64_t arena_bytes)
{
    session->doorbell = eventfd(0, EFD_CLOEXEC);
    session->opens = calloc(FB_LOCAL_OPENS_MAX, sizeof(*session->opens));
    bool is_fine = session->doorbell >= 0 && session->opens != NULL &&
                   fb_mapping_open(&session->shared, "forebay-client", FB_RING_BYTES + arena_bytes,
                                   false) == 0;
    if (!is_fine) {
        free(session->opens);
        session->opens = NULL;
        if (session->doorbell >= 0)
            close(session->doorbell);
        return false;
    }
    session->ring = (struct fb_ring *)(void *)session->shared.bytes.at;
    session->arena =
        (struct fb_bytes){.at = session->shared.bytes.at + FB_RING_BYTES, .size = arena_bytes};
    return true;
}

/* The newest version that both speak. */
static uint32_t local_version(const struct fb_local_request *hello)
{
    uint32_t newest = hello->speaks > hello->version ? hello->speaks : hello->version;
    FB_ASSERT(hello->version >= FB_LOCAL_VERSION_MIN && hello->version <= FB_LOCAL_VERSION);
    return newest < FB_LOCAL_VERSION ? newest : FB_LOCAL_VERSION;
}

bool local_session_open(const struct local_guest *guest)
{
    struct fb_local *local = guest->local;
    uint32_t index = 0;
    while (index < local->context.sessions_max && local->sessions[index].state != LOCAL_FREE)
        index++;
    FB_ASSERT(index < local->context.sessions_max); /* the guest was told whether there is room */
    struct local_session *session = &local->sessions[index];
    if (!session_make(session, local->context.settings->arena_bytes))
        return false;
    local->active[local->session_count++] = index;
    session->local = local;
    session->socket = guest->socket;
    session->version = local_version(&guest->inbox.packet);
    session->user = guest->user;
    session->process = guest->process;
    session->number = ++local->sessions_begun;
    session->state = LOCAL_OPEN;
    requests_init(session);
    local_ring_init(session);
    fb_io_init(&session->receive, receive_done);
    fb_io_init(&session->send, send_done);
    fb_io_init(&session->bell, bell_done);
    bell_wait(session);
    local_request_start(request_take(session, &guest->inbox.packet), &guest->inbox.packet);
    session_receive(session);
    return true;
}

/* Bytes of the token, 0: none is wanted. Errors: -errno, and error set. */
static int token_read(const struct fb_settings *settings, char token[FB_TOKEN_MAX],
                      struct fb_error *error)
{
    int length = settings->token_path[0] != '\0' ? fb_token_read(settings->token_path, token) : 0;
    if (length < 0)
        fb_error_set(error, "client.token %s: %s: give a file of %d to %d bytes",
                     settings->token_path, strerror(-length), FB_TOKEN_MIN, FB_TOKEN_MAX);
    return length;
}

/* Why the socket cannot be bound. */
static void door_fault(const char *path, int code, struct fb_error *error)
{
    if (code == -EEXIST)
        fb_error_set(error, "client.socket %s: it is there and no socket: it stays; name another",
                     path);
    else if (code != 0)
        fb_error_set(error,
                     "client.socket %s: %s: is another forebayd running, is the folder there?",
                     path, strerror(-code));
}

void fb_local_try(const struct fb_settings *settings, bool *is_busy, struct fb_error *error)
{
    char token[FB_TOKEN_MAX];
    *is_busy = false;
    if (settings->socket_path[0] == '\0' || token_read(settings, token, error) < 0)
        return;
    int code = local_door_try(settings->socket_path);
    *is_busy = code == -EADDRINUSE;
    door_fault(settings->socket_path, code, error);
}

void fb_local_open(struct fb_local *local, const struct fb_local_context *context,
                   struct fb_error *error)
{
    const struct fb_settings *settings = context->settings;
    const char *path = settings->socket_path;
    *local = (struct fb_local){.context = *context, .listener = -1};
    if (path[0] == '\0')
        return;
    int token = token_read(settings, local->token, error);
    if (token < 0)
        return;
    local->token_length = (uint32_t)token;
    local->sessions = calloc(FB_LOCAL_SESSIONS_MAX, sizeof(*local->sessions));
    local->guests = calloc(FB_LOCAL_GUESTS_MAX, sizeof(*local->guests));
    local->pins = calloc(settings->core.pins_max + 1, sizeof(*local->pins));
    local->pins_of_one = local_pins_of_one(settings->core.pins_max);
    local->tenant_count = settings->core.tenants_max > 0 ? (uint32_t)settings->core.tenants_max : 1;
    local->tenants = calloc(local->tenant_count, sizeof(*local->tenants));
    if (local->sessions == NULL || local->guests == NULL || local->pins == NULL ||
        local->tenants == NULL) {
        fb_error_set(error, "out of memory for clients");
        return;
    }
    int code = local_door_open(local);
    door_fault(path, code, error);
}

void fb_local_close(struct fb_local *local, const struct fb_settings *settings)
{
    for (uint32_t i = 0; i < local->session_count; i++) {
        struct local_session *session = &local->sessions[local->active[i]];
        close(session->socket);
        close(session->doorbell);
        for (uint32_t k = 0; k < session->write_count; k++)
            free(session->writes[k].runs);
        free(session->opens);
        fb_mapping_close(&session->shared);
    }
    local_door_close(local, settings->socket_path);
    free(local->guests);
    free(local->pins);
    free(local->tenants);
    free(local->sessions);
    *local = (struct fb_local){.listener = -1};
}

uint32_t fb_local_writing(const struct fb_local *local)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < local->session_count; i++) {
        const struct local_session *session = &local->sessions[local->active[i]];
        for (uint32_t k = 0; k < session->open_count; k++) {
            const struct fb_object *object =
                fb_objects_look(local->context.objects, session->opens[k]);
            count += object != NULL && object->is_written;
        }
    }
    return count;
}

void fb_local_sweep(struct fb_local *local)
{
    local_door_sweep(local);
}
