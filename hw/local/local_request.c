/* What clients ask over the socket: each request ends in exactly one local_request_end. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/local/share.h"

#include <string.h>
#include <unistd.h>

/* Answers with a status alone. */
static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status};
    local_request_end(request, &reply);
}

static void hello_start(struct local_request *request)
{
    const struct fb_local *local = request->session->local;
    const struct fb_local_reply reply = {
        .source = local->context.settings->node,
        .version_of_object = local->context.settings->names_valid_ns,
        .size = local->context.memory->bytes.size,
        .block_size = local->context.settings->core.block_size_bytes,
        .state = local_is_kept(local),
        .level = local->context.names->is_on,
        .index = local->context.settings->arena_bytes};
    local_request_end(request, &reply);
}

void local_close_object(struct local_session *session, uint64_t handle)
{
    for (uint32_t i = session->open_count; i-- > 0;) {
        if (session->opens[i] != handle)
            continue;
        local_object_close(session, handle);
        session->opens[i] = session->opens[--session->open_count];
        return;
    }
}

static void list_done(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct local_session *session = request->session;
    struct fb_local_reply reply = {.status = status};
    FB_ASSERT(session->is_page_used);
    FB_ASSERT(task->moved <= FB_LOCAL_PAGE_BYTES);
    if (status == FB_OK) {
        size_t cursor_length = strlen(task->cursor.text);
        memcpy(session->page + task->moved, task->cursor.text, cursor_length);
        reply.cursor_length = (uint32_t)cursor_length;
        reply.page_size = (uint32_t)(task->moved + cursor_length);
        reply.index = task->cursor.skip;
        reply.state = (task->stands ? FB_LOCAL_LIST_STANDS : 0) |
                      (session->local->context.origin->can_change ? 0 : FB_LOCAL_LIST_KEYED);
    }
    if (reply.page_size == 0)
        session->is_page_used = false;
    local_request_end(request, &reply);
}

static void list_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    struct fb_origin_task *task = &request->origin;
    if (from->name_length > 0 && !fb_object_name_is_fine(from->text, from->name_length)) {
        refuse(request, FB_INVALID);
        return;
    }
    if (session->is_page_used) {
        refuse(request, FB_BUSY);
        return;
    }
    session->is_page_used = true;
    task->verb = FB_ORIGIN_LIST;
    task->is_plain = from->kind == FB_LOCAL_LIST_PLAIN;
    task->done = list_done;
    task->bytes = (struct fb_bytes){.at = session->page, .size = FB_LOCAL_PAGE_BYTES};
    task->cursor.skip = from->index;
    task->cursor.text = session->cursor;
    memcpy(task->cursor.text, from->text + from->name_length, from->cursor_length);
    task->cursor.text[from->cursor_length] = '\0';
    task->object = (struct fb_object){.name_length = from->name_length};
    memcpy(task->object.name, from->text, from->name_length);
    task->object.name[from->name_length] = '\0';
    fb_origin_start(session->local->context.origin, task);
}

static void status_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    if (session->is_page_used) {
        refuse(request, FB_BUSY);
        return;
    }
    session->is_page_used = true;
    const struct fb_local_context *context = &session->local->context;
    const struct fb_local_reply reply = {
        .page_size = context->status(session->local, from->index == 1, (char *)session->page,
                                     FB_LOCAL_PAGE_BYTES)};
    local_request_end(request, &reply);
}

/* An operator drains this node, lets it write again, or ends it. */
static void drain_start(struct local_request *request, const struct fb_local_request *from)
{
    static const char *const names[FB_LOCAL_DRAINS] = {"end", "begin", "leave"};
    struct local_session *session = request->session;
    struct fb_local *local = session->local;
    bool may = session->user == 0 || session->user == geteuid();
    if (from->index >= FB_LOCAL_DRAINS || !may) {
        refuse(request, may ? FB_INVALID : FB_DENIED);
        return;
    }
    fb_log(FB_LOG_INFO, "drain", "wish=%s user=%u process=%u undrained_bytes=%llu",
           names[from->index], session->user, session->process,
           (unsigned long long)fb_node_undrained_bytes(local->context.feed->node));
    local->context.drain(local, (enum fb_local_drain)from->index);
    refuse(request, FB_OK);
}

void local_request_start(struct local_request *request, const struct fb_local_request *from)
{
    switch ((enum fb_local_kind)from->kind) {
    case FB_LOCAL_HELLO:
        hello_start(request);
        return;
    case FB_LOCAL_OPEN:
    case FB_LOCAL_STAT:
        local_open_start(request, from);
        return;
    case FB_LOCAL_LIST:
    case FB_LOCAL_LIST_PLAIN:
        list_start(request, from);
        return;
    case FB_LOCAL_STATUS:
        status_start(request, from);
        return;
    case FB_LOCAL_DRAIN:
        drain_start(request, from);
        return;
    case FB_LOCAL_CREATE:
    case FB_LOCAL_REMOVE:
        local_write_start(request, from);
        return;
    case FB_LOCAL_COMMIT:
        local_commit_start(request, from);
        return;
    case FB_LOCAL_PENDING:
        local_pending_start(request, from);
        return;
    case FB_LOCAL_ENTRIES:
        local_entries_start(request, from);
        return;
    case FB_LOCAL_EXPLAIN:
    case FB_LOCAL_EXPLAIN_KEY:
        local_explain_start(request, from);
        return;
    case FB_LOCAL_LOOK:
        local_look_start(request, from);
        return;
    case FB_LOCAL_CHANGE:
        local_change_start(request, from);
        return;
    case FB_LOCAL_CLOSE:
        break;
    }
    refuse(request, FB_INVALID);
}
