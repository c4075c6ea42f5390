/* What clients ask for: each request ends in exactly one local_request_end. */
#include "core/panic.h"
#include "hw/local_internal.h"
#include "hw/loop_internal.h"
#include "hw/status.h"

#include <string.h>

enum { SESSION_SHIFT = 48, SLOT_SHIFT = 32 };

void local_session_init(struct local_session *session, struct fb_loop *loop, int socket)
{
    /* Generations go on, so that a late answer to an earlier client is known as such. */
    session->loop = loop;
    session->socket = socket;
    session->state = LOCAL_GREETING;
    session->requests_used = 0;
    session->leases_used = 0;
    session->reply_first = 0;
    session->reply_count = 0;
    session->open_count = 0;
    session->is_page_used = false;
    for (uint32_t i = 0; i < FB_LOCAL_REQUESTS_MAX; i++) {
        session->requests[i].session = session;
        session->requests[i].next = i + 1 < FB_LOCAL_REQUESTS_MAX ? i + 1 : FB_NONE;
    }
    for (uint32_t i = 0; i < FB_LOCAL_LEASES_MAX; i++)
        session->leases[i].next = i + 1 < FB_LOCAL_LEASES_MAX ? i + 1 : FB_NONE;
    session->request_free = 0;
    session->lease_free = 0;
}

static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status, .reason = FB_REASON_REFUSED};
    local_request_end(request, &reply);
}

static void hello_start(struct local_request *request)
{
    const struct fb_loop *loop = request->session->loop;
    const struct fb_local_reply reply = {.source = loop->settings->node,
                                         .size = loop->memory.bytes.size,
                                         .block_size = loop->settings->core.block_size_bytes};
    local_request_end(request, &reply);
}

static enum fb_status object_open(struct local_session *session, const struct fb_object *object)
{
    if (session->open_count == FB_LOCAL_OPENS_MAX)
        return FB_BUSY;
    struct fb_object *known = fb_objects_add(&session->loop->objects, object);
    if (known == NULL)
        return FB_BUSY;
    known->opens++;
    session->opens[session->open_count++] = object->handle;
    return FB_OK;
}

void local_close_object(struct local_session *session, uint64_t handle)
{
    for (uint32_t i = session->open_count; i-- > 0;) {
        if (session->opens[i] != handle)
            continue;
        struct fb_object *object = fb_objects_find(&session->loop->objects, handle);
        FB_ASSERT(object != NULL && object->opens > 0);
        object->opens--;
        session->opens[i] = session->opens[--session->open_count];
        return;
    }
}

/* The origin knows the object, or not. */
static void facts_done(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct local_session *session = request->session;
    struct fb_object *object = &task->object;
    if (status == FB_OK) {
        fb_object_identify(object);
        if (request->kind == FB_LOCAL_OPEN && session->state == LOCAL_OPEN)
            status = object_open(session, object);
    }
    const struct fb_local_reply reply = {.status = status,
                                         .object = object->handle,
                                         .version_of_object = object->version,
                                         .size = object->size,
                                         .block_size =
                                             session->loop->settings->core.block_size_bytes};
    local_request_end(request, &reply);
}

static void origin_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_origin_task *task = &request->origin;
    if (!fb_object_name_is_fine(from->name, from->name_length)) {
        refuse(request, FB_INVALID);
        return;
    }
    task->verb = FB_ORIGIN_STAT;
    task->done = facts_done;
    task->object.name_length = from->name_length;
    task->object.size = 0;
    task->object.version = 0;
    memcpy(task->object.name, from->name, from->name_length);
    task->object.name[from->name_length] = '\0';
    fb_origin_start(&request->session->loop->origin, task);
}

static void get_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    struct fb_loop *loop = session->loop;
    uint64_t block_size = loop->settings->core.block_size_bytes;
    const struct fb_object *object = fb_objects_find(&loop->objects, from->object);
    if (object == NULL || from->index >= fb_object_blocks(object, block_size)) {
        refuse(request, FB_INVALID);
        return;
    }
    if (session->leases_used + session->requests_used > FB_LOCAL_LEASES_MAX) {
        refuse(request, FB_BUSY);
        return;
    }
    uint64_t session_index = (uint64_t)(session - loop->local.sessions);
    uint64_t slot = (uint64_t)(request - session->requests);
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {.kind = FB_REQUEST_GET,
                    .request_id =
                        session_index << SESSION_SHIFT | slot << SLOT_SHIFT | request->generation,
                    .block = fb_object_block(object, block_size, from->index)}};
    loop_event(loop, &event);
}

static void status_start(struct local_request *request)
{
    struct local_session *session = request->session;
    if (session->is_page_used) {
        refuse(request, FB_BUSY);
        return;
    }
    session->is_page_used = true;
    const struct fb_local_reply reply = {
        .page_size = fb_status_print(session->loop, (char *)session->page, FB_LOCAL_PAGE_BYTES)};
    local_request_end(request, &reply);
}

void local_request_start(struct local_request *request, const struct fb_local_request *from)
{
    switch ((enum fb_local_kind)from->kind) {
    case FB_LOCAL_HELLO:
        hello_start(request);
        return;
    case FB_LOCAL_OPEN:
    case FB_LOCAL_STAT:
        origin_start(request, from);
        return;
    case FB_LOCAL_GET:
        get_start(request, from);
        return;
    case FB_LOCAL_STATUS:
        status_start(request);
        return;
    case FB_LOCAL_LIST:
    case FB_LOCAL_CLOSE:
    case FB_LOCAL_RELEASE:
        break;
    }
    refuse(request, FB_INVALID);
}

/* The core lends bytes: to the client, under a lease of its session. */
static uint64_t lease_take(struct local_session *session, uint64_t core_lease)
{
    FB_ASSERT(session->lease_free != FB_NONE);
    uint32_t index = session->lease_free;
    struct local_lease *lease = &session->leases[index];
    session->lease_free = lease->next;
    session->leases_used++;
    lease->core_lease = core_lease;
    lease->is_used = 1;
    return (uint64_t)index << 32 | lease->generation;
}

void fb_local_reply(struct fb_loop *loop, const struct fb_reply *reply)
{
    struct local_session *session = &loop->local.sessions[reply->request_id >> SESSION_SHIFT];
    uint32_t slot = (uint32_t)(reply->request_id >> SLOT_SHIFT) & 0xffff;
    FB_ASSERT(slot < FB_LOCAL_REQUESTS_MAX);
    struct local_request *request = &session->requests[slot];
    FB_ASSERT(request->is_used && request->generation == (uint32_t)reply->request_id);
    struct fb_local_reply answer = {.status = reply->status,
                                    .reason = reply->reason,
                                    .source = reply->source,
                                    .size = reply->span.size,
                                    .offset = reply->span.offset};
    bool is_lent = reply->status == FB_OK && request->kind == FB_LOCAL_GET;
    if (is_lent)
        answer.lease = lease_take(session, reply->lease);
    bool is_orphan = is_lent && session->state == LOCAL_CLOSING;
    if (is_orphan) /* the client went meanwhile */
        local_lease_end(session, answer.lease);
    local_request_end(request, &answer);
}
