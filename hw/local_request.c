/* What clients ask over the socket: each request ends in exactly one local_request_end. */
#include "core/panic.h"
#include "hw/local_internal.h"
#include "hw/loop_internal.h"
#include "hw/status.h"

#include <string.h>
#include <time.h>

static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status};
    local_request_end(request, &reply);
}

static void hello_start(struct local_request *request)
{
    const struct fb_loop *loop = request->session->loop;
    const struct fb_local_reply reply = {.source = loop->settings->node,
                                         .size = loop->memory.bytes.size,
                                         .block_size = loop->settings->core.block_size_bytes,
                                         .index = loop->settings->arena_bytes};
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

/* A new version of a name: the time, which the origin keeps as the object's time of change. */
static void create_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    struct fb_object *object = &request->origin.object;
    struct timespec now;
    if (session->loop->is_draining) {
        refuse(request, FB_BUSY);
        return;
    }
    if (!session->loop->origin.can_write ||
        !fb_object_name_is_fine(from->text, from->name_length)) {
        refuse(request, FB_INVALID);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    object->size = 0;
    object->is_written = true;
    object->version = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    object->name_length = from->name_length;
    memcpy(object->name, from->text, from->name_length);
    object->name[from->name_length] = '\0';
    fb_object_identify(object);
    const struct fb_local_reply reply = {.status = object_open(session, object),
                                         .object = object->handle,
                                         .version_of_object = object->version,
                                         .block_size =
                                             session->loop->settings->core.block_size_bytes};
    local_request_end(request, &reply);
}

static void commit_done(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct fb_loop *loop = request->session->loop;
    task->object.is_written = false;
    if (status == FB_OK)
        (void)fb_objects_add(&loop->objects, &task->object); /* learns the size */
    const struct fb_local_reply reply = {.status = status, .size = task->object.size};
    local_request_end(request, &reply);
}

static void commit_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_loop *loop = request->session->loop;
    const struct fb_object *object = fb_objects_find(&loop->objects, from->object);
    if (object == NULL || !loop->origin.can_write) {
        refuse(request, FB_INVALID);
        return;
    }
    request->origin.verb = FB_ORIGIN_COMMIT;
    request->origin.done = commit_done;
    request->origin.object = *object;
    request->origin.object.size = from->index;
    fb_origin_start(&loop->origin, &request->origin);
}

static void list_done(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct local_session *session = request->session;
    struct fb_local_reply reply = {.status = status};
    if (status == FB_OK) {
        size_t cursor_length = strlen(task->cursor.text);
        memcpy(session->page + task->moved, task->cursor.text, cursor_length);
        reply.cursor_length = (uint32_t)cursor_length;
        reply.page_size = (uint32_t)(task->moved + cursor_length);
        reply.index = task->cursor.skip;
    }
    if (reply.page_size == 0)
        session->is_page_used = false;
    local_request_end(request, &reply);
}

/* OPEN, STAT and LIST: all of them name something of the origin. */
static void origin_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    struct fb_origin_task *task = &request->origin;
    bool is_list = request->kind == FB_LOCAL_LIST;
    bool is_root = is_list && from->name_length == 0;
    if (!is_root && !fb_object_name_is_fine(from->text, from->name_length)) {
        refuse(request, FB_INVALID);
        return;
    }
    if (is_list && session->is_page_used) {
        refuse(request, FB_BUSY);
        return;
    }
    session->is_page_used = session->is_page_used || is_list;
    task->verb = is_list ? FB_ORIGIN_LIST : FB_ORIGIN_STAT;
    task->done = is_list ? list_done : facts_done;
    task->bytes = (struct fb_bytes){.at = session->page, .size = FB_LOCAL_PAGE_BYTES};
    task->cursor.skip = from->index;
    memcpy(task->cursor.text, from->text + from->name_length, from->cursor_length);
    task->cursor.text[from->cursor_length] = '\0';
    task->object.name_length = from->name_length;
    task->object.size = 0;
    task->object.is_written = false;
    task->object.version = 0;
    memcpy(task->object.name, from->text, from->name_length);
    task->object.name[from->name_length] = '\0';
    fb_origin_start(&session->loop->origin, task);
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
    case FB_LOCAL_LIST:
        origin_start(request, from);
        return;
    case FB_LOCAL_STATUS:
        status_start(request);
        return;
    case FB_LOCAL_CREATE:
        create_start(request, from);
        return;
    case FB_LOCAL_COMMIT:
        commit_start(request, from);
        return;
    case FB_LOCAL_CLOSE:
        break;
    }
    refuse(request, FB_INVALID);
}
