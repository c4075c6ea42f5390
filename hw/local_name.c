/* What clients ask about names: open, stat, create, commit, remove. With a metadata store a name's
 * record says what it means (names.h); without one the origin does. */
#include "core/panic.h"
#include "hw/local_internal.h"
#include "hw/loop_internal.h"

#include <string.h>

static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status};
    local_request_end(request, &reply);
}

static struct fb_loop *loop_of(const struct local_request *request)
{
    return request->session->loop;
}

/* The request's object is the one that is named, of no version yet. */
static void name_copy(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_object *object = &request->origin.object;
    *object = (struct fb_object){.name_length = from->name_length};
    memcpy(object->name, from->text, from->name_length);
    object->name[from->name_length] = '\0';
}

static void look_up(struct local_request *request, fb_name_done *done)
{
    const struct fb_object *object = &request->origin.object;
    request->name = (struct fb_name_task){.done = done,
                                          .loop = loop_of(request),
                                          .name_length = object->name_length,
                                          .name = object->name};
    fb_name_look_up(&request->name);
}

/* The request is about the name that it gives. false: there is no store to look it up in. */
static bool name_start(struct local_request *request, const struct fb_local_request *from,
                       fb_name_done *done)
{
    name_copy(request, from);
    request->name.record = (struct fb_meta){.version = 0};
    if (loop_of(request)->names.is_on)
        look_up(request, done);
    return loop_of(request)->names.is_on;
}

static enum fb_status object_open(struct local_session *session, const struct fb_object *object)
{
    if (session->open_count == FB_LOCAL_OPENS_MAX || session->state != LOCAL_OPEN)
        return FB_BUSY;
    struct fb_object *known = fb_objects_add(&session->loop->objects, object);
    if (known == NULL)
        return FB_BUSY;
    known->opens++;
    session->opens[session->open_count++] = object->handle;
    return FB_OK;
}

/* OPEN and STAT: the request's object is what the name means. */
static void found(struct local_request *request, enum fb_status status)
{
    struct fb_object *object = &request->origin.object;
    const struct fb_name_facts facts = fb_name_read(&request->name.record);
    if (status == FB_OK) {
        fb_object_identify(object);
        if (request->kind == FB_LOCAL_OPEN)
            status = object_open(request->session, object);
    }
    const struct fb_local_reply reply = {
        .status = status,
        .object = object->handle,
        .version_of_object = object->version,
        .size = object->size,
        .block_size = loop_of(request)->settings->core.block_size_bytes,
        .state = object->is_cached,
        .level = object->is_cached ? facts.level : FB_LEVEL_ORIGIN};
    local_request_end(request, &reply);
}

static void origin_found(struct fb_origin_task *task, enum fb_status status)
{
    if (status == FB_OK)
        fb_objects_recognise(&task->loop->objects, &task->object);
    found(FB_CONTAINER(task, struct local_request, origin), status);
}

static void origin_ask(struct local_request *request, fb_origin_done *done)
{
    request->origin.verb = FB_ORIGIN_STAT;
    request->origin.done = done;
    fb_origin_start(&loop_of(request)->origin, &request->origin);
}

static void record_found(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_object *object = &request->origin.object;
    const struct fb_name_facts facts = fb_name_read(&task->record);
    if (status != FB_OK && status != FB_ABSENT) {
        refuse(request, status);
        return;
    }
    switch (facts.state) {
    case FB_NAME_ORIGIN:
        origin_ask(request, origin_found);
        return;
    case FB_NAME_CACHED:
        object->size = facts.size;
        object->version = facts.version;
        object->is_cached = true;
        found(request, FB_OK);
        return;
    case FB_NAME_REMOVED:
        break;
    }
    refuse(request, FB_ABSENT);
}

void local_open_start(struct local_request *request, const struct fb_local_request *from)
{
    if (!fb_object_name_is_fine(from->text, from->name_length)) {
        refuse(request, FB_INVALID);
        return;
    }
    if (!name_start(request, from, record_found))
        origin_ask(request, origin_found);
}

enum fb_status local_write_status(const struct fb_loop *loop)
{
    return !loop->origin.can_write ? FB_INVALID
           : loop->is_fenced       ? FB_GONE
           : loop->is_draining     ? FB_BUSY
                                   : FB_OK;
}

/* A new version of a name: the time, which the origin keeps as the object's time of change. */
static void created(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_object *object = &request->origin.object;
    uint64_t now_ns = loop_wall_ns(), replaced = fb_name_read(&task->record).version;
    if (status != FB_OK && status != FB_ABSENT) {
        refuse(request, status);
        return;
    }
    object->is_written = true;
    object->version = now_ns > replaced ? now_ns : replaced + 1;
    object->record_version = task->record.version;
    object->replaced_version = replaced;
    fb_object_identify(object);
    const struct fb_local_reply reply = {.status = object_open(request->session, object),
                                         .object = object->handle,
                                         .version_of_object = object->version,
                                         .block_size =
                                             loop_of(request)->settings->core.block_size_bytes};
    local_request_end(request, &reply);
}

void local_create_start(struct local_request *request, const struct fb_local_request *from)
{
    enum fb_status status = local_write_status(loop_of(request));
    if (status == FB_OK && !fb_object_name_is_fine(from->text, from->name_length))
        status = FB_INVALID;
    if (status != FB_OK) {
        refuse(request, status);
        return;
    }
    if (!name_start(request, from, created))
        created(&request->name, FB_OK);
}

/* Not all is at the origin yet: is that because it refuses what is missing? */
static enum fb_status wait_status(struct fb_loop *loop, uint64_t handle)
{
    const struct fb_object *known = fb_objects_find(&loop->objects, handle);
    return known != NULL && known->refusal != FB_OK ? known->refusal : FB_BUSY;
}

/* Without a store: the origin shows it, or not all blocks are there yet. */
static void origin_committed(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct fb_objects *objects = &loop_of(request)->objects;
    struct fb_object *known = fb_objects_find(objects, task->object.handle);
    task->object.is_written = false;
    if (status == FB_OK && known != NULL) {
        known->is_written = false;
        (void)fb_objects_add(objects, &task->object); /* learns size, and what is shown */
    }
    if (status == FB_BUSY)
        status = wait_status(loop_of(request), task->object.handle);
    const struct fb_local_reply reply = {.status = status, .size = task->object.size};
    local_request_end(request, &reply);
}

/* The record names this version: everybody sees it from now on. */
static void committed(struct local_request *request)
{
    struct fb_loop *loop = loop_of(request);
    struct fb_object *object = &request->origin.object;
    struct fb_object *known = fb_objects_find(&loop->objects, object->handle);
    object->is_written = false;
    object->is_committed = true;
    object->is_cached = fb_name_read(&request->name.record).state == FB_NAME_CACHED;
    if (known != NULL) {
        known->size = object->size;
        known->is_written = false;
        known->is_committed = true;
        known->is_cached = object->is_cached;
    }
    if (object->is_cached)
        fb_name_finish(loop, object, &request->name.record);
    bool is_enough = request->level != FB_LEVEL_ORIGIN || !object->is_cached;
    const struct fb_local_reply reply = {.status = is_enough ? FB_OK : FB_BUSY,
                                         .size = object->size};
    local_request_end(request, &reply);
}

static void record_committed(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    const struct fb_object *object = &request->origin.object;
    const struct fb_name_facts now = fb_name_read(&task->record);
    bool is_ours = now.version == object->version && now.state != FB_NAME_REMOVED;
    bool is_same = now.version == object->replaced_version && now.state == FB_NAME_ORIGIN;
    if (status == FB_OK || (status == FB_CONFLICT && is_ours)) {
        committed(request);
        return;
    }
    if (status == FB_CONFLICT && is_same) { /* what is replaced has reached the origin meanwhile */
        task->record = fb_name_record(&request->facts, task->record.version);
        fb_name_commit(task);
        return;
    }
    refuse(request, status);
}

static void record_commit(struct local_request *request)
{
    const struct fb_loop *loop = loop_of(request);
    const struct fb_object *object = &request->origin.object;
    request->facts =
        (struct fb_name_facts){.state = FB_NAME_CACHED,
                               .level = request->level,
                               .node = loop->settings->node,
                               .block_size_bytes = loop->settings->core.block_size_bytes,
                               .version = object->version,
                               .size = object->size};
    request->name =
        (struct fb_name_task){.done = record_committed,
                              .loop = request->session->loop,
                              .name_length = object->name_length,
                              .name = object->name,
                              .record = fb_name_record(&request->facts, object->record_version)};
    fb_name_commit(&request->name);
}

void local_commit_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_loop *loop = loop_of(request);
    const struct fb_object *object = fb_objects_find(&loop->objects, from->object);
    enum fb_status status = !loop->origin.can_write ? FB_INVALID
                            : loop->is_fenced       ? FB_GONE
                                                    : FB_OK;
    if (object == NULL || from->level > FB_LEVEL_ORIGIN)
        status = FB_INVALID;
    if (status != FB_OK) {
        refuse(request, status);
        return;
    }
    request->level = from->level;
    request->origin.object = *object;
    request->origin.object.size = from->index;
    if (!loop->names.is_on) {
        request->origin.verb = FB_ORIGIN_COMMIT;
        request->origin.done = origin_committed;
        fb_origin_start(&loop->origin, &request->origin);
    } else if (object->is_committed) {
        bool is_left = from->level == FB_LEVEL_ORIGIN &&
                       fb_name_is_unfinished(loop, request->origin.object.handle);
        enum fb_status wait = wait_status(loop, request->origin.object.handle);
        const struct fb_local_reply reply = {.status = is_left ? wait : FB_OK, .size = from->index};
        local_request_end(request, &reply);
    } else {
        record_commit(request);
    }
}

static void origin_removed(struct fb_origin_task *task, enum fb_status status)
{
    refuse(FB_CONTAINER(task, struct local_request, origin), status);
}

static void record_removed(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    if (status == FB_OK)
        fb_name_finish(task->loop, &request->origin.object, &task->record);
    refuse(request, status);
}

/* What the origin has is known: its version is among those that are to go. */
static void remove_found(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct fb_object *object = &task->object;
    struct fb_name_facts facts = fb_name_read(&request->name.record);
    uint64_t last = facts.version > object->order ? facts.version : object->order;
    uint64_t now_ns = loop_wall_ns();
    bool is_there = facts.state == FB_NAME_CACHED || status == FB_OK;
    if (!is_there) {
        refuse(request, status);
        return;
    }
    object->version = now_ns > last ? now_ns : last + 1;
    object->size = 0;
    fb_object_identify(object);
    facts.state = FB_NAME_REMOVED;
    facts.level = FB_LEVEL_COUNT;
    facts.version = object->version;
    facts.size = 0;
    facts.node = loop_of(request)->settings->node;
    request->name.done = record_removed;
    request->name.record = fb_name_record(&facts, request->name.record.version);
    fb_name_commit(&request->name);
}

static void remove_looked(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    bool is_gone = fb_name_read(&task->record).state == FB_NAME_REMOVED;
    if ((status != FB_OK && status != FB_ABSENT) || is_gone)
        refuse(request, is_gone ? FB_ABSENT : status);
    else
        origin_ask(request, remove_found);
}

void local_remove_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_loop *loop = loop_of(request);
    enum fb_status status = local_write_status(loop);
    if (status == FB_OK && !fb_object_name_is_fine(from->text, from->name_length))
        status = FB_INVALID;
    if (status != FB_OK) {
        refuse(request, status);
        return;
    }
    if (name_start(request, from, remove_looked))
        return;
    request->origin.object.version = UINT64_MAX;
    request->origin.verb = FB_ORIGIN_REMOVE;
    request->origin.done = origin_removed;
    fb_origin_start(&loop->origin, &request->origin);
}
