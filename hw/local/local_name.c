/* What clients ask about names: open, stat, create, commit, remove. Each becomes a request to the
 * core, which decides what a name means (core/name/name.c); here are the sessions and their
 * objects. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/local/local_move.h"
#include "hw/local/share.h"
#include "hw/meta/kept_change.h"

#include <errno.h>
#include <string.h>

static void refuse(struct local_request *request, enum fb_status status)
{
    const struct fb_local_reply reply = {.status = status};
    local_request_end(request, &reply);
}

static struct fb_local *local_of(const struct local_request *request)
{
    return request->session->local;
}

/* The request's object is the one that is named, of no version yet. */
static void name_copy(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_object *object = &request->origin.object;
    *object = (struct fb_object){.name_length = from->name_length};
    memcpy(object->name, from->text, from->name_length);
    object->name[from->name_length] = '\0';
}

/* Asks the core about the name of the request's object. */
static void name_ask(struct local_request *request, enum fb_request_kind kind, fb_name_done *done)
{
    const struct fb_object *object = &request->origin.object;
    request->name.done = done;
    request->name.names = local_of(request)->context.names;
    request->name.kind = kind;
    request->name.name_length = object->name_length;
    request->name.name = object->name;
    fb_name_start(&request->name);
}

static void looked(struct fb_name_task *task, enum fb_status status);

static enum fb_status object_open(struct local_session *session, const struct fb_object *object)
{
    return session->state == LOCAL_OPEN ? local_object_open(session, object) : FB_BUSY;
}

/* The type of what has the name and no object; 0: nothing of the kind has it. */
static uint32_t kept_type(const struct local_request *request, struct fb_kept *kept)
{
    const struct fb_name_facts facts = fb_name_read(&request->name.record);
    bool is_read = local_is_kept(local_of(request)) && fb_kept_read(&request->kept, kept);
    return is_read ? fb_kept_type(kept, &facts) : 0;
}

/* Goes on to where a link leads, if the name is one; false: it is answered as it is. */
static bool link_followed(struct local_request *request)
{
    enum { LINKS_MAX = 16 };
    struct fb_object *object = &request->origin.object;
    struct fb_kept kept;
    char target[FB_OBJECT_NAME_MAX + 1];
    bool is_link = S_ISLNK(kept_type(request, &kept)) && request->level < LINKS_MAX &&
                   fb_kept_follow(&kept, object->name, target);
    if (!is_link)
        return false;
    request->level++;
    object->name_length = (uint32_t)strlen(target);
    memcpy(object->name, target, object->name_length + 1);
    request->name =
        (struct fb_name_task){.leads_to = request->change.text, .found = &request->kept};
    request->change.text[0] = '\0';
    name_ask(request, FB_REQUEST_NAME_LOOK, looked);
    return true;
}

/* OPEN and STAT. */
static void looked(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_object *object = &request->origin.object;
    const struct fb_name_facts facts = fb_name_read(&task->record);
    if (status == FB_ABSENT && task->leads_to != NULL && task->leads_to[0] != '\0') {
        object->name_length = (uint32_t)strlen(task->leads_to);
        memcpy(object->name, task->leads_to, object->name_length + 1);
        request->name = (struct fb_name_task){.leads_to = NULL};
        name_ask(request, FB_REQUEST_NAME_LOOK, looked);
        return;
    }
    if (status == FB_ABSENT && link_followed(request))
        return;
    object->size = task->size;
    object->version = task->version;
    object->is_cached = facts.state == FB_NAME_CACHED;
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
        .block_size = local_of(request)->context.settings->core.block_size_bytes,
        .state = object->is_cached,
        .level = object->is_cached ? facts.level : FB_LEVEL_ORIGIN};
    local_request_end(request, &reply);
}

/* An errno that the client is to hear as it is. */
static void refuse_as(struct local_request *request, int error)
{
    const struct fb_local_reply reply = {.status = FB_REFUSED, .index = (uint64_t)error};
    local_request_end(request, &reply);
}

/* The request is about the name that it gives; false: it is refused. */
static bool name_take(struct local_request *request, const struct fb_local_request *from,
                      enum fb_status status)
{
    bool is_fine = fb_object_name_is_fine(from->text, from->name_length);
    bool is_of_folder = from->name_length > 0 && from->text[from->name_length - 1] == '/';
    if (status == FB_OK && !is_fine && is_of_folder) {
        refuse_as(request, EISDIR);
        return false;
    }
    if (status == FB_OK && !is_fine)
        status = FB_INVALID;
    if (status != FB_OK) {
        refuse(request, status);
        return false;
    }
    name_copy(request, from);
    request->name = (struct fb_name_task){.names = local_of(request)->context.names};
    return true;
}

void local_open_start(struct local_request *request, const struct fb_local_request *from)
{
    if (!name_take(request, from, FB_OK))
        return;
    request->change.text[0] = '\0';
    request->level = 0; /* links that were followed */
    request->name.leads_to = request->change.text;
    request->name.found = &request->kept;
    name_ask(request, FB_REQUEST_NAME_LOOK, looked);
}

enum fb_status local_write_status(const struct fb_local *local)
{
    if (!local->context.origin->can_write)
        return FB_INVALID;
    if (fb_standing_refuses(local->context.standing, FB_REQUEST_NAME_BEGIN))
        return FB_GONE;
    return local->context.standing->is_draining || local->context.standing->is_resting ? FB_BUSY
                                                                                       : FB_OK;
}

static void created(struct fb_name_task *task, enum fb_status status);
static void removed(struct fb_name_task *task, enum fb_status status);

/* A name that can be no file's is not begun; one that was committed all the same can be removed. */
static void placed(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    bool is_create = request->kind == FB_LOCAL_CREATE;
    if (status == FB_OK && is_create &&
        fb_local_name_is_own(task->object.name, task->object.name_length))
        task->error = EACCES;
    if (status != FB_OK)
        refuse(request, status);
    else if (is_create && task->error != 0)
        refuse_as(request, task->error);
    else {
        request->name.found = &request->kept;
        name_ask(request, is_create ? FB_REQUEST_NAME_BEGIN : FB_REQUEST_NAME_REMOVE,
                 is_create ? created : removed);
    }
}

/* What the origin knows of a name before it is changed: of which name without links it is, and
 * whether it may be a file's. */
static void place_ask(struct local_request *request)
{
    struct fb_local *local = local_of(request);
    request->origin.error = 0;
    if (!local->context.origin->can_change) {
        placed(&request->origin, FB_OK);
        return;
    }
    request->origin.verb = FB_ORIGIN_PLACE;
    request->origin.done = placed;
    fb_origin_start(local->context.origin, &request->origin);
}

static void created(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_object *object = &request->origin.object;
    struct fb_kept kept;
    uint32_t type = status == FB_OK ? kept_type(request, &kept) : 0;
    if (status != FB_OK) {
        refuse(request, status);
        return;
    }
    if (type != 0) {
        refuse_as(request, S_ISDIR(type) ? EISDIR : S_ISLNK(type) ? ELOOP : EEXIST);
        return;
    }
    enum fb_name_state state = fb_name_read(&task->record).state;
    bool is_unheard = task->origin == FB_BUSY && request->kept.length == 0; /* a slow origin */
    object->is_new = state == FB_NAME_REMOVED ||
                     (state == FB_NAME_ORIGIN && (task->origin == FB_ABSENT || is_unheard));
    object->is_written = true;
    object->version = task->version;
    object->record_version = task->record.version;
    object->replaced_version = task->replaced;
    fb_object_identify(object);
    if (fb_objects_find(local_of(request)->context.objects, object->handle) != NULL) {
        /* Begun here before, over the same version: its blocks have these keys. */
        request->name = (struct fb_name_task){.replaced = object->version, .found = &request->kept};
        name_ask(request, FB_REQUEST_NAME_BEGIN, created);
        return;
    }
    const struct fb_local_reply reply = {
        .status = object_open(request->session, object),
        .object = object->handle,
        .version_of_object = object->version,
        .block_size = local_of(request)->context.settings->core.block_size_bytes};
    local_request_end(request, &reply);
}

/* A name that the origin cannot have is nobody's to give or take. */
void local_write_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_local *local = local_of(request);
    enum fb_status status = local_write_status(local);
    if (status == FB_OK &&
        !fb_origin_has_name(local->context.origin, from->text, from->name_length))
        refuse_as(request, EILSEQ);
    else if (name_take(request, from, status))
        place_ask(request);
}

/* Not all is at the origin yet: is that because it refuses what is missing? */
static enum fb_status wait_status(struct fb_local *local, uint64_t handle)
{
    const struct fb_object *known = fb_objects_find(local->context.objects, handle);
    return known != NULL && known->refusal != FB_OK ? known->refusal : FB_BUSY;
}

/* May a commit that was answered so have taken effect, or do so yet? BUSY: it was not asked. */
static bool is_unsure(enum fb_status status)
{
    return status != FB_CONFLICT && status != FB_INVALID && status != FB_BUSY &&
           status != FB_ABSENT;
}

static void commit_failed(struct local_request *request, struct fb_object *known,
                          enum fb_status status)
{
    struct fb_local *local = local_of(request);
    if (known != NULL && local->context.names->is_on && is_unsure(status))
        known->unsure = request->name.record;
    if (known != NULL && local_write_is_over(known))
        fb_names_abandon(local->context.names, known); /* who asked has gone meanwhile */
    if (status == FB_BUSY)
        status = wait_status(local, request->origin.object.handle);
    const struct fb_local_reply reply = {.status = status, .size = request->origin.object.size};
    local_request_end(request, &reply);
}

/* With a store the record names this version, without one the origin shows it: everybody sees it
 * from now on. */
static void committed(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_local *local = local_of(request);
    struct fb_object *object = &request->origin.object;
    struct fb_object *known = fb_objects_find(local->context.objects, object->handle);
    FB_ASSERT(known == NULL || known->commits > 0);
    if (known != NULL)
        known->commits--;
    bool is_open = known != NULL && !local_write_is_over(known);
    if (status == FB_ABSENT && request->move != NULL && is_open) {
        local_move_again(request);
        return;
    }
    local_move_end(request);
    if (status != FB_OK) {
        commit_failed(request, known, status);
        return;
    }
    object->is_written = false;
    object->is_committed = local->context.names->is_on;
    object->is_cached =
        local->context.names->is_on && fb_name_read(&task->record).state == FB_NAME_CACHED;
    if (known != NULL) {
        known->size = object->size;
        known->is_written = false;
        known->is_committed = object->is_committed;
        known->is_cached = object->is_cached;
    }
    if (object->is_cached)
        fb_names_hold(local->context.names, object);
    bool is_enough = request->level != FB_LEVEL_ORIGIN || !object->is_cached;
    const struct fb_local_reply reply = {.status = is_enough ? FB_OK : FB_BUSY,
                                         .size = object->size,
                                         .state = task->attributes != NULL};
    local_request_end(request, &reply);
}

static void asked(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    if (status == FB_BUSY)
        status = wait_status(local_of(request), request->origin.object.handle);
    const struct fb_local_reply reply = {.status = status, .size = request->origin.object.size};
    local_request_end(request, &reply);
}

/* A commit that was made, and is asked for again: the origin is waited for. */
static void commit_again(struct local_request *request)
{
    const struct fb_object *object = &request->origin.object;
    if (request->level == FB_LEVEL_ORIGIN) {
        request->name = (struct fb_name_task){.version = object->version};
        name_ask(request, FB_REQUEST_NAME_ASK, asked);
        return;
    }
    const struct fb_local_reply reply = {.status = FB_OK, .size = object->size};
    local_request_end(request, &reply);
}

/* given: beside the record; NULL: what is there stays. gone: goes with it; NULL: nothing does. */
static void commit_begin(struct local_request *request, const struct fb_meta_attributes *given,
                         const struct fb_meta_gone *gone)
{
    struct fb_local *local = local_of(request);
    struct fb_object *object =
        fb_objects_find(local->context.objects, request->origin.object.handle);
    if (object == NULL || local_write_is_over(object)) { /* closed meanwhile */
        local_move_end(request);
        refuse(request, FB_INVALID);
        return;
    }
    /* Level REPLICATED or DEVICE that was answered with fewer copies is shown as what holds, and
     * so is REPLICATED where one copy is all that is waited for. */
    bool is_one =
        request->level == FB_LEVEL_REPLICATED && local->context.settings->core.write_quorum == 1;
    bool is_less = is_one || (object->is_degraded && request->level != FB_LEVEL_ORIGIN);
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = is_less ? FB_LEVEL_MEMORY : request->level,
                                        .node = local->context.settings->node,
                                        .block_size_bytes =
                                            local->context.settings->core.block_size_bytes,
                                        .version = object->version,
                                        .size = request->origin.object.size};
    request->name = (struct fb_name_task){.record = fb_name_record(&facts, object->record_version),
                                          .replaced = object->replaced_version,
                                          .attributes = given,
                                          .gone = gone};
    object->commits++;
    name_ask(request, FB_REQUEST_NAME_COMMIT, committed);
}

/* What is kept of the name that this one is a copy of is this one's, with the times that are seen
 * of it. */
static bool source_keep(struct local_request *request)
{
    const struct fb_attributes *seen = &request->change.attributes;
    const struct fb_kept_scene scene = {.now_ns = (int64_t)fb_wall_ns(),
                                        .user = request->session->user};
    struct fb_kept kept;
    if (!fb_kept_read(&request->kept, &kept))
        return false;
    if (kept.mode == 0 || kept.made != 0)
        fb_kept_begin(&kept, seen, &scene);
    kept.times_of = request->origin.object.version;
    kept.accessed_ns = seen->accessed_ns;
    kept.modified_ns = seen->modified_ns;
    kept.changed_ns = scene.now_ns;
    fb_kept_write(&kept, &request->kept);
    return true;
}

static void source_read(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    if (status != FB_OK && status != FB_ABSENT)
        refuse(request, status);
    else if (task->is_old || !source_keep(request))
        refuse(request, task->is_old ? FB_IO : FB_CORRUPT);
    else
        commit_begin(request, &request->kept, NULL);
}

void local_commit_moved(struct local_request *request, const struct fb_meta_gone *gone)
{
    if (!local_is_kept(local_of(request))) {
        commit_begin(request, NULL, gone);
    } else if (source_keep(request)) {
        commit_begin(request, &request->kept, gone);
    } else {
        local_move_end(request);
        refuse(request, FB_CORRUPT);
    }
}

/* What a commit says beside bytes. */
static void commit_given(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_origin_change *change = &request->change;
    const struct fb_kept_scene scene = {.version = request->origin.object.version,
                                        .now_ns = (int64_t)fb_wall_ns(),
                                        .user = request->session->user};
    struct fb_kept kept;
    bool is_read = from->cursor_length > 0 && local_change_read(from, change);
    bool is_move = is_read && local_of(request)->context.names->is_on &&
                   change->kind == FB_CHANGE_RENAME && (change->flags & FB_RENAME_TAKES) != 0;
    bool is_said = from->cursor_length > 0 && local_is_kept(local_of(request));
    bool is_new = request->origin.object.is_new;
    request->kept.length = 0;
    if (is_said && !is_read) {
        refuse(request, FB_INVALID);
    } else if (is_move) {
        local_move_start(request);
    } else if (is_said && change->kind == FB_CHANGE_RENAME) {
        request->name = (struct fb_name_task){.kind = FB_REQUEST_NAME_READ,
                                              .done = source_read,
                                              .names = local_of(request)->context.names,
                                              .name_length = change->text_length,
                                              .name = change->text,
                                              .found = &request->kept};
        fb_name_start(&request->name);
    } else { /* of what had the name before it was removed past the cache nothing stays */
        if (is_said)
            fb_kept_begin(&kept, &change->attributes, &scene);
        if (is_said)
            fb_kept_write(&kept, &request->kept);
        commit_begin(request, is_new ? &request->kept : NULL, NULL);
    }
}

void local_commit_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_local *local = local_of(request);
    struct fb_object *object = fb_objects_find(local->context.objects, from->object);
    enum fb_status status = FB_OK;
    bool is_whole = local_write_covers(request->session, from->object, from->index);
    if (fb_standing_refuses(local->context.standing, FB_REQUEST_NAME_COMMIT))
        status = FB_GONE;
    if (!local->context.origin->can_write || object == NULL || from->level > FB_LEVEL_ORIGIN ||
        !is_whole)
        status = FB_INVALID;
    if (status == FB_OK && from->index > local->context.origin->object_max)
        status = FB_TOO_LARGE;
    if (status != FB_OK) {
        refuse(request, status);
        return;
    }
    request->level = from->level;
    request->origin.object = *object;
    request->origin.object.size = from->index;
    if (object->is_committed)
        commit_again(request);
    else
        commit_given(request, from);
}

/* A link, or what else has no object, goes as what is kept does. */
static void removed(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct fb_kept kept;
    uint32_t type = status == FB_ABSENT ? kept_type(request, &kept) : 0;
    if (type == 0) {
        refuse(request, status);
    } else if (S_ISDIR(type)) {
        refuse_as(request, EISDIR);
    } else {
        request->change = (struct fb_origin_change){.kind = FB_CHANGE_REMOVE};
        local_kept_start(request, false);
    }
}
