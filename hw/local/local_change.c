/* What clients ask about names beside bytes: LOOK at whatever has a name, and CHANGE of modes,
 * owners, times, folders, links, names. The origin keeps all of it, or else the metadata store
 * (local_kept.c).
 *
 *  1. With a metadata store a name may be ahead of the origin. What needs the origin's file to be
 *     the current one (a new name, another name, times) is BUSY until the commit or removal has got
 *     there, which is hurried; what only concerns the file that will be overwritten is done at
 *     once, since a commit keeps it.
 *  2. A client that is not root may give a file to itself only, and neither make devices nor set
 *     who a program runs as. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"
#include "hw/meta/kept_change.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static struct fb_local *local_of(const struct local_request *request)
{
    return request->session->local;
}

/* The one reply; page_size: bytes of the session's page that go with it, else the page is free. */
static void answer(struct local_request *request, struct fb_local_reply reply)
{
    FB_ASSERT(request->session->is_page_used); /* request_begin took it */
    if (reply.page_size == 0)
        request->session->is_page_used = false;
    local_request_end(request, &reply);
}

static void look_up(struct local_request *request, const char *name, uint32_t length,
                    fb_name_done *done)
{
    request->name = (struct fb_name_task){.kind = FB_REQUEST_NAME_READ,
                                          .done = done,
                                          .names = local_of(request)->context.names,
                                          .name_length = length,
                                          .name = name,
                                          .found = &request->kept};
    fb_name_start(&request->name);
}

/* What the metadata store keeps of a file that is there. */
static void kept_show(struct local_request *request)
{
    struct fb_origin_task *task = &request->origin;
    struct fb_kept kept;
    if (!local_is_kept(local_of(request)))
        return;
    if (task->object.written != 0)
        task->attributes.modified_ns = (int64_t)task->object.written;
    bool is_its = fb_kept_read(&request->kept, &kept) && kept.mode != 0 && kept.made == 0;
    if (is_its)
        fb_kept_show(&kept, task->object.version, &task->attributes);
}

/* What the origin says, and the record where it is ahead. */
static void looked(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct fb_object *object = &task->object;
    const struct fb_name_facts facts = fb_name_read(&request->name.record);
    bool is_ahead = facts.state == FB_NAME_CACHED;
    if (!is_ahead && status == FB_OK)
        fb_objects_recognise(local_of(request)->context.objects, object);
    if (is_ahead && status != FB_OK)
        task->attributes = (struct fb_attributes){.mode = 0};
    if (is_ahead) {
        object->size = facts.size;
        object->version = facts.version;
        task->attributes.modified_ns = (int64_t)facts.version;
        if (task->attributes.changed_ns < task->attributes.modified_ns)
            task->attributes.changed_ns = task->attributes.modified_ns;
    } else if (status != FB_OK) {
        answer(request, (struct fb_local_reply){.status = status});
        return;
    }
    fb_object_identify(object);
    kept_show(request);
    memcpy(request->session->page, &task->attributes, sizeof(task->attributes));
    answer(request, (struct fb_local_reply){
                        .status = FB_OK,
                        .page_size = sizeof(task->attributes),
                        .object = object->handle,
                        .version_of_object = object->version,
                        .size = object->size,
                        .block_size = local_of(request)->context.settings->core.block_size_bytes,
                        .state = is_ahead,
                        .level = is_ahead ? facts.level : FB_LEVEL_ORIGIN,
                    });
}

static void origin_look(struct local_request *request)
{
    request->origin.verb = FB_ORIGIN_LOOK;
    request->origin.may_be_seen = true;
    request->origin.done = looked;
    fb_origin_start(local_of(request)->context.origin, &request->origin);
}

/* What has no object is all that its record says. false: there is no such. */
static bool kept_looked(struct local_request *request)
{
    const struct fb_name_facts facts = fb_name_read(&request->name.record);
    struct fb_object *object = &request->origin.object;
    struct fb_attributes attributes = {.mode = 0};
    struct fb_kept kept;
    uint32_t length = 0;
    bool is_read = local_is_kept(local_of(request)) && fb_kept_read(&request->kept, &kept);
    if (!is_read || fb_kept_type(&kept, &facts) == 0)
        return false;
    (void)fb_kept_extra(&kept, "", 0, &length);
    object->version = kept.made;
    object->size = length;
    fb_object_identify(object);
    fb_kept_show(&kept, kept.made, &attributes);
    memcpy(request->session->page, &attributes, sizeof(attributes));
    answer(request, (struct fb_local_reply){
                        .status = FB_OK,
                        .page_size = sizeof(attributes),
                        .object = object->handle,
                        .version_of_object = object->version,
                        .size = object->size,
                        .block_size = local_of(request)->context.settings->core.block_size_bytes,
                        .level = FB_LEVEL_ORIGIN,
                    });
    return true;
}

static void look_recorded(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    bool is_gone = fb_name_read(&task->record).state == FB_NAME_REMOVED;
    if ((status != FB_OK && status != FB_ABSENT) || is_gone)
        answer(request, (struct fb_local_reply){.status = is_gone ? FB_ABSENT : status});
    else if (fb_name_read(&task->record).state == FB_NAME_CACHED &&
             !local_of(request)->context.origin->can_change)
        looked(&request->origin, FB_ABSENT);
    else if (!kept_looked(request))
        origin_look(request);
}

/* Takes the session's page, and the name into the request's object. false: it is answered. */
static bool request_begin(struct local_request *request, const struct fb_local_request *from,
                          bool may_be_root)
{
    struct fb_object *object = &request->origin.object;
    bool is_fine = fb_object_name_is_fine(from->text, from->name_length) ||
                   (may_be_root && from->name_length == 0);
    struct fb_local_reply refusal = {.status = is_fine ? FB_BUSY : FB_INVALID};
    if (!is_fine || request->session->is_page_used) {
        local_request_end(request, &refusal);
        return false;
    }
    request->session->is_page_used = true;
    *object = (struct fb_object){.name_length = from->name_length};
    memcpy(object->name, from->text, from->name_length);
    object->name[from->name_length] = '\0';
    request->name.record = (struct fb_meta){.version = 0};
    return true;
}

void local_look_start(struct local_request *request, const struct fb_local_request *from)
{
    const struct fb_object *object = &request->origin.object;
    const struct fb_local *local = local_of(request);
    if (!request_begin(request, from, local->context.origin->can_change))
        return;
    if (local->context.names->is_on && object->name_length > 0)
        look_up(request, object->name, object->name_length, look_recorded);
    else
        origin_look(request);
}

static void changed(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    bool has_page = status == FB_OK && request->change.error == 0;
    FB_ASSERT(task->moved <= FB_LOCAL_PAGE_BYTES);
    answer(request, (struct fb_local_reply){.status = status,
                                            .index = (uint64_t)request->change.error,
                                            .page_size = has_page ? (uint32_t)task->moved : 0});
}

static void origin_change(struct local_request *request)
{
    request->origin.verb = FB_ORIGIN_CHANGE;
    request->origin.done = changed;
    request->origin.change = &request->change;
    request->origin.bytes =
        (struct fb_bytes){.at = request->session->page, .size = FB_LOCAL_PAGE_BYTES};
    fb_origin_start(local_of(request)->context.origin, &request->origin);
}

/* The origin was not as far as the record; it is to be asked again. */
static void hurried(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    answer(request, (struct fb_local_reply){.status = status == FB_OK ? FB_BUSY : status});
}

/* Is the name's record behind nothing that is still to be done? Else the request is answered. */
static bool is_settled(struct local_request *request, const char *name, uint32_t length,
                       enum fb_status status)
{
    const struct fb_name_facts facts = fb_name_read(&request->name.record);
    bool is_made = request->change.kind == FB_CHANGE_MAKE || request->change.kind == FB_CHANGE_LINK;
    bool is_new =
        is_made && (request->change.kind == FB_CHANGE_MAKE || name == request->change.text);
    if (status != FB_OK && status != FB_ABSENT) {
        answer(request, (struct fb_local_reply){.status = status});
        return false;
    }
    if (facts.state == FB_NAME_ORIGIN)
        return true;
    if (facts.state == FB_NAME_CACHED && is_new) {
        answer(request, (struct fb_local_reply){.status = FB_OK, .index = EEXIST});
        return false;
    }
    request->name = (struct fb_name_task){.done = hurried,
                                          .names = local_of(request)->context.names,
                                          .kind = FB_REQUEST_NAME_ASK,
                                          .name_length = length,
                                          .name = name,
                                          .version = facts.version};
    fb_name_start(&request->name);
    return false;
}

/* What is below a folder that moves moves with it: nothing may be on its way to where it was. */
static void source_settled(struct local_request *request)
{
    local_pending_settle(request, request->change.text, request->change.text_length, origin_change);
}

static void target_recorded(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    const struct fb_object *object = &request->origin.object;
    if (!is_settled(request, request->change.text, request->change.text_length, status))
        return;
    if (request->change.kind == FB_CHANGE_RENAME)
        local_pending_settle(request, object->name, object->name_length, source_settled);
    else
        origin_change(request);
}

static void change_recorded(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    const struct fb_object *object = &request->origin.object;
    const struct fb_origin_change *change = &request->change;
    if (!is_settled(request, object->name, object->name_length, status))
        return;
    if (change->kind == FB_CHANGE_RENAME || change->kind == FB_CHANGE_LINK)
        look_up(request, change->text, change->text_length, target_recorded);
    else if (change->kind == FB_CHANGE_REMOVE_FOLDER)
        local_pending_settle(request, object->name, object->name_length, origin_change);
    else
        origin_change(request);
}

/* May a change be done on a file that a commit will take the place of? */
static bool is_kept_by_commit(const struct fb_origin_change *change)
{
    const uint32_t times =
        FB_SET_ACCESSED | FB_SET_MODIFIED | FB_SET_ACCESSED_NOW | FB_SET_MODIFIED_NOW;
    return change->kind >= FB_CHANGE_READ_LINK ||
           (change->kind == FB_CHANGE_SET && (change->which & times) == 0);
}

static bool is_only_asking(enum fb_change_kind kind)
{
    return kind == FB_CHANGE_READ_LINK || kind == FB_CHANGE_GET_EXTRA ||
           kind == FB_CHANGE_LIST_EXTRA;
}

/* What somebody who is not root may not do for others; 0 or an errno. */
static int user_fault(const struct local_session *session, const struct fb_origin_change *change)
{
    const struct fb_attributes *wanted = &change->attributes;
    uint32_t type = wanted->mode & S_IFMT;
    bool is_make = change->kind == FB_CHANGE_MAKE;
    bool is_given = is_make || (change->which & FB_SET_OWNER) != 0;
    bool has_mode = is_make || (change->which & FB_SET_MODE) != 0;
    if (session->user == 0 || (change->kind != FB_CHANGE_SET && !is_make))
        return 0;
    if (is_given && wanted->owner != session->user)
        return EPERM;
    if (has_mode && type != S_IFDIR && (wanted->mode & (S_ISUID | S_ISGID)) != 0)
        return EPERM;
    return is_make && (type == S_IFCHR || type == S_IFBLK) ? EPERM : 0;
}

/* A name that is the mount's own is nobody's to give, nor one that the origin cannot have; 0 or an
 * errno. */
static int name_fault(const struct fb_origin *origin, const struct fb_local_request *from,
                      const struct fb_origin_change *change)
{
    bool is_target = change->kind == FB_CHANGE_RENAME || change->kind == FB_CHANGE_LINK;
    const char *name = is_target ? change->text : from->text;
    uint32_t length = is_target ? change->text_length : from->name_length;
    if (!is_target && change->kind != FB_CHANGE_MAKE)
        return 0;
    if (fb_local_name_is_own(name, length))
        return EACCES;
    return fb_origin_has_name(origin, name, length) ? 0 : EILSEQ;
}

bool local_change_read(const struct fb_local_request *from, struct fb_origin_change *change)
{
    struct fb_local_change head;
    if (from->cursor_length < sizeof(head))
        return false;
    memcpy(&head, from->text + from->name_length, sizeof(head));
    *change =
        (struct fb_origin_change){.kind = (enum fb_change_kind)head.kind,
                                  .which = head.which & FB_SET_ALL,
                                  .flags = head.flags,
                                  .attributes = head.attributes,
                                  .text_length = from->cursor_length - (uint32_t)sizeof(head)};
    memcpy(change->text, from->text + from->name_length + sizeof(head), change->text_length);
    change->text[change->text_length] = '\0';
    bool is_name = head.kind == FB_CHANGE_RENAME || head.kind == FB_CHANGE_LINK;
    return head.kind > 0 && head.kind < FB_CHANGE_COUNT &&
           (!is_name || fb_object_name_is_fine(change->text, change->text_length));
}

void local_change_start(struct local_request *request, const struct fb_local_request *from)
{
    struct fb_local *local = local_of(request);
    const struct fb_object *object = &request->origin.object;
    struct fb_origin_change *change = &request->change;
    /* Older clients do not say how what they change is seen. */
    bool is_kept = local_is_kept(local) && request->session->version >= FB_LOCAL_VERSION_KEPT;
    bool is_read = local_change_read(from, change);
    bool is_of_marks = is_read && fb_origin_has_marks(local->context.origin, change);
    bool is_possible = is_read && (local->context.origin->can_change || is_kept || is_of_marks);
    int name_is = is_read ? name_fault(local->context.origin, from, change) : 0;
    enum fb_status status = is_possible || name_is == EILSEQ ? FB_OK : FB_INVALID;
    if (status == FB_OK && !is_only_asking(change->kind))
        status = local_write_status(local);
    int fault = status == FB_OK ? user_fault(request->session, change) : 0;
    if (status == FB_OK && fault == 0)
        fault = name_is;
    const struct fb_local_reply refusal = {.status = status, .index = (uint64_t)fault};
    if (status != FB_OK || refusal.index != 0) {
        local_request_end(request, &refusal);
        return;
    }
    if (!request_begin(request, from, true))
        return;
    if (is_of_marks)
        origin_change(request);
    else if (is_kept)
        local_kept_start(request, true);
    else if (local->context.names->is_on && object->name_length > 0 && !is_kept_by_commit(change))
        look_up(request, object->name, object->name_length, change_recorded);
    else
        origin_change(request);
}
