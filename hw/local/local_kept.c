/* Changes of what is said of names beside their bytes, where the origin has no words for it and a
 * metadata store has: it is kept beside the name's record (hw/meta/kept.h).
 *
 *     READ, of what is made BEGIN --> (what the record does not tell: LOOK at the origin)
 *       ^                         --> (of what is made: READ of its folder; of a folder that goes,
 *       |                              its list) --> PUT --OK--> reply
 *       '---------CONFLICT, or not known whether it was done-----'
 *
 *  1. A PUT expects the record that was read, so nobody's change, commit or removal is lost. One
 *     that may have been done is made once more on what is there then: done twice it is the same,
 *     and what made something knows it by its version, what removed something by its absence.
 *  2. A change of a file leaves its record as it is, but for its count of changes. A commit that
 *     meets it takes what is kept over (core/name/name.c, 2).
 *  3. What has no object is in its folder's list. Its folder has a record, so that it is listed
 *     itself; the client makes one (ENOTDIR) for a folder that is there by its objects alone.
 *  4. A removal that the origin has not seen yet is waited for before the name is made anew: else
 *     what it removes would be back when that is removed. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 32 };

static void begin(struct kept_change *change);

static struct fb_local *local_of(const struct kept_change *change)
{
    return change->request->session->local;
}

static struct kept_change *change_of(const struct local_request *request)
{
    FB_ASSERT(request->kept_change != NULL);
    return request->kept_change;
}

static void end(struct kept_change *change, struct fb_local_reply reply)
{
    struct local_request *request = change->request;
    FB_ASSERT(request->kept_change == change);
    if (change->has_page && reply.page_size == 0)
        request->session->is_page_used = false;
    request->kept_change = NULL;
    free(change);
    local_request_end(request, &reply);
}

void kept_end_status(struct kept_change *change, enum fb_status status)
{
    end(change, (struct fb_local_reply){.status = status});
}

void kept_end_error(struct kept_change *change, int error)
{
    bool is_refused = error != 0 && change->request->kind != FB_LOCAL_CHANGE;
    end(change, (struct fb_local_reply){.status = is_refused ? FB_REFUSED : FB_OK,
                                        .index = (uint64_t)error});
}

void kept_again(struct kept_change *change)
{
    if (change->tries++ < TRIES_MAX)
        begin(change);
    else
        kept_end_status(change, FB_BUSY);
}

static bool is_asking(enum fb_change_kind kind)
{
    return kind == FB_CHANGE_READ_LINK || kind == FB_CHANGE_GET_EXTRA ||
           kind == FB_CHANGE_LIST_EXTRA;
}

static bool is_removal(enum fb_change_kind kind)
{
    return kind == FB_CHANGE_REMOVE || kind == FB_CHANGE_REMOVE_FOLDER;
}

bool kept_is_unsure(enum fb_status status)
{
    return status == FB_GONE || status == FB_TIMEOUT || status == FB_IO;
}

void kept_put_failed(struct kept_change *change, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    if (status == FB_CONFLICT || (kept_is_unsure(status) && change->unsure++ < KEPT_UNSURE_MAX))
        kept_again(change);
    else
        kept_end_status(change, status);
}

static void put_done(struct fb_meta_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, task);
    if (status == FB_OK) {
        fb_names_known_put(local_of(change)->context.names, task->key, &task->record,
                           &task->attributes);
        kept_end_error(change, 0);
        return;
    }
    if (status != FB_CONFLICT && change->is_make)
        change->made = change->scene.version;
    kept_put_failed(change, status);
}

void kept_put_start(struct kept_change *change, const struct fb_object *object, fb_meta_done *done)
{
    struct fb_meta_task *task = &change->task;
    FB_ASSERT(object->name_length <= FB_OBJECT_NAME_MAX);
    task->verb = FB_META_VERB_PUT;
    task->done = done;
    task->key = fb_name_key(object->name, object->name_length);
    task->name.length = object->name_length;
    memcpy(task->name.text, object->name, object->name_length + 1);
    if (fb_standing_is_fenced(local_of(change)->context.standing))
        kept_end_status(change, FB_GONE);
    else
        fb_meta_start(local_of(change)->context.meta, task);
}

/* The record, with what is kept beside it. */
static void put(struct kept_change *change)
{
    struct fb_meta_task *task = &change->task;
    const struct fb_meta *record = &change->request->name.record;
    enum fb_change_kind kind = change->request->change.kind;
    task->record = record->version > 0 && !change->is_make
                       ? *record
                       : fb_name_record(&change->facts, record->version);
    task->is_pending = change->facts.state != FB_NAME_ORIGIN;
    task->name.type = change->kept.mode & S_IFMT;
    task->attributes.length = 0;
    task->listing = change->is_make    ? FB_META_LIST_PUT
                    : is_removal(kind) ? FB_META_LIST_TAKE
                                       : FB_META_LIST_KEEP;
    task->must_be_empty = kind == FB_CHANGE_REMOVE_FOLDER;
    if (!is_removal(kind))
        fb_kept_write(&change->kept, &task->attributes);
    kept_put_start(change, &change->request->origin.object, put_done);
}

/* Is the folder one that is in its own folder's list? */
static void above_read(struct fb_name_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, above);
    const struct fb_name_facts facts = fb_name_read(&task->record);
    struct fb_kept kept;
    bool is_read = fb_kept_read(&change->above_found, &kept);
    if (status != FB_OK && status != FB_ABSENT) {
        kept_end_status(change, status);
    } else if (task->is_old || task->found_version != task->record.version) {
        kept_again(change);
    } else if (!is_read || !S_ISDIR(fb_kept_type(&kept, &facts))) {
        kept_end_error(change, ENOTDIR);
    } else {
        bool is_given = (kept.mode & S_ISGID) != 0 && change->is_make;
        change->kept.group = is_given ? kept.group : change->kept.group;
        change->kept.mode |= is_given && S_ISDIR(change->kept.mode) ? S_ISGID : 0;
        change->task.folder = fb_name_key(task->name, task->name_length);
        change->task.folder_version = task->record.version;
        change->then(change);
    }
}

void kept_above_read(struct kept_change *change, const struct fb_object *object,
                     void (*then)(struct kept_change *change))
{
    const char *slash = memrchr(object->name, '/', object->name_length);
    uint32_t above = slash != NULL ? (uint32_t)(slash - object->name) : 0;
    uint32_t part = object->name_length - above - (slash != NULL);
    change->task = (struct fb_meta_task){.verb = FB_META_VERB_PUT};
    change->then = then;
    if (part > FB_META_PART_MAX) {
        kept_end_error(change, ENAMETOOLONG);
        return;
    }
    if (above == 0) {
        then(change);
        return;
    }
    change->above = (struct fb_name_task){.kind = FB_REQUEST_NAME_READ,
                                          .done = above_read,
                                          .names = local_of(change)->context.names,
                                          .name_length = above,
                                          .name = object->name,
                                          .found = &change->above_found};
    fb_name_start(&change->above);
}

void kept_facts_make(struct kept_change *change, struct fb_name_facts *facts, bool is_first,
                     uint64_t version)
{
    if (is_first)
        facts->level = FB_LEVEL_ORIGIN; /* a tombstone says on what it said */
    facts->state = FB_NAME_ORIGIN;
    facts->node = local_of(change)->context.settings->node;
    facts->version = version;
}

static void make(struct kept_change *change)
{
    const struct fb_origin_change *wanted = &change->request->change;
    int fault = fb_kept_make(&change->kept, wanted, &change->scene);
    change->scene.type = change->kept.mode & S_IFMT;
    if (fault == 0 && wanted->kind != FB_CHANGE_MAKE)
        fault = fb_kept_change(&change->kept, wanted, &change->scene);
    if (fault != 0) {
        kept_end_error(change, fault);
        return;
    }
    kept_facts_make(change, &change->facts, change->request->name.record.version == 0,
                    change->scene.version);
    kept_above_read(change, &change->request->origin.object, put);
}

static void list_read(struct fb_meta_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, task);
    if (status != FB_OK)
        kept_end_status(change, status);
    else if (task->name_count > 0)
        kept_end_error(change, change->list_error);
    else
        change->then(change);
}

void kept_list_read(struct kept_change *change, const char *folder, uint32_t length, int error,
                    void (*then)(struct kept_change *change))
{
    change->then = then;
    change->list_error = error;
    change->task = (struct fb_meta_task){.verb = FB_META_VERB_ENTRIES,
                                         .done = list_read,
                                         .key = fb_name_key(folder, length),
                                         .names = &change->listed,
                                         .names_max = 1};
    fb_meta_start(local_of(change)->context.meta, &change->task);
}

/* It was asked for before, and not heard: is what is there what it did? */
static bool is_done(const struct kept_change *change, int fault)
{
    const struct fb_origin_change *wanted = &change->request->change;
    uint32_t key_length = (uint32_t)strlen(wanted->text), length;
    if (change->unsure == 0 || (fault != EEXIST && fault != ENODATA))
        return false;
    if (fault == ENODATA)
        return wanted->kind == FB_CHANGE_REMOVE_EXTRA;
    const unsigned char *value = fb_kept_extra(&change->kept, wanted->text, key_length, &length);
    return value != NULL && length == wanted->text_length - key_length - 1 &&
           memcmp(value, wanted->text + key_length + 1, length) == 0;
}

static void change_kept(struct kept_change *change)
{
    const struct fb_origin_change *wanted = &change->request->change;
    if (change->request->name.record.version == 0)
        change->facts = (struct fb_name_facts){.state = FB_NAME_ORIGIN,
                                               .level = FB_LEVEL_ORIGIN,
                                               .node = local_of(change)->context.settings->node,
                                               .version = FB_NAME_VERSION_NONE};
    int fault = fb_kept_change(&change->kept, wanted, &change->scene);
    if (fault != 0)
        kept_end_error(change, is_done(change, fault) ? 0 : fault);
    else
        put(change);
}

static void remove_kept(struct kept_change *change)
{
    const struct fb_object *object = &change->request->origin.object;
    bool is_folder = change->request->change.kind == FB_CHANGE_REMOVE_FOLDER;
    if (change->scene.type == S_IFREG)
        kept_end_status(change, FB_CONFLICT); /* another has made a file of it */
    else if (S_ISDIR(change->scene.type) != is_folder)
        kept_end_error(change, is_folder ? ENOTDIR : EISDIR);
    else if (is_folder)
        kept_list_read(change, object->name, object->name_length, ENOTEMPTY, put);
    else
        put(change);
}

/* What has the name is known: scene.type. */
static void decide(struct kept_change *change)
{
    const struct fb_origin_change *wanted = &change->request->change;
    uint32_t type = change->scene.type;
    if (wanted->kind == FB_CHANGE_RENAME) {
        kept_rename(change);
        return;
    }
    if (change->is_make && type != 0) {
        bool is_own = change->made != 0 && change->kept.made == change->made;
        bool is_there = wanted->kind == FB_CHANGE_SET; /* meanwhile: it is changed as it is */
        change->is_make = false;
        if (is_there)
            kept_again(change);
        else
            kept_end_error(change, is_own ? 0 : EEXIST);
    } else if (change->is_make) {
        make(change);
    } else if (type == 0) {
        bool is_done = is_removal(wanted->kind) && change->unsure > 0;
        kept_end_error(change, is_done ? 0 : ENOENT);
    } else if (is_removal(wanted->kind)) {
        remove_kept(change);
    } else {
        change_kept(change);
    }
}

/* A folder that is there by its objects alone has no record; one is made when it is changed. */
static bool is_of_folder(const struct fb_origin_change *change)
{
    return S_ISDIR(change->attributes.mode) &&
           (change->kind == FB_CHANGE_SET || change->kind == FB_CHANGE_SET_EXTRA);
}

static void origin_looked(struct fb_origin_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, origin);
    struct kept_change *change = change_of(request);
    if (status == FB_OK) {
        change->scene.type = S_IFREG;
        if (!change->is_make)
            change->scene.version = task->object.version;
        decide(change);
    } else if (status == FB_ABSENT && is_of_folder(&request->change) && !change->is_make) {
        change->is_make = true;
        kept_again(change);
    } else if (status == FB_ABSENT) {
        decide(change);
    } else {
        kept_end_status(change, status);
    }
}

static void hurried(struct fb_name_task *task, enum fb_status status)
{
    struct kept_change *change = change_of(FB_CONTAINER(task, struct local_request, name));
    kept_end_status(change, status == FB_OK ? FB_BUSY : status);
}

void kept_hurry(struct kept_change *change, const struct fb_object *object, uint64_t version)
{
    struct local_request *request = change->request;
    request->name = (struct fb_name_task){.done = hurried,
                                          .names = local_of(change)->context.names,
                                          .kind = FB_REQUEST_NAME_ASK,
                                          .name_length = object->name_length,
                                          .name = object->name,
                                          .version = version};
    fb_name_start(&request->name);
}

/* The name is removed; the origin may show it still. */
static void removed(struct kept_change *change)
{
    if (change->is_make)
        kept_hurry(change, &change->request->origin.object, change->facts.version);
    else if (change->request->change.kind == FB_CHANGE_RENAME)
        kept_rename(change);
    else
        kept_end_error(change, ENOENT);
}

static void answer(struct kept_change *change)
{
    struct local_session *session = change->request->session;
    struct fb_bytes page = {.at = session->page, .size = FB_LOCAL_PAGE_BYTES};
    uint64_t size;
    int fault = fb_kept_ask(&change->kept, &change->request->change, page, &size);
    end(change, (struct fb_local_reply){.status = FB_OK,
                                        .index = (uint64_t)fault,
                                        .page_size = fault == 0 ? (uint32_t)size : 0});
}

/* Of a record of state ORIGIN whose object is not known. A BEGIN does not wait for a slow origin,
 * this does. */
static void object_find(struct kept_change *change)
{
    struct local_request *request = change->request;
    enum fb_status said = request->name.origin;
    if (change->is_make && (said == FB_OK || said == FB_ABSENT)) {
        change->scene.type = said == FB_OK ? S_IFREG : 0;
        decide(change);
        return;
    }
    request->origin.verb = FB_ORIGIN_LOOK;
    request->origin.may_be_seen = false;
    request->origin.done = origin_looked;
    fb_origin_start(local_of(change)->context.origin, &request->origin);
}

static void recorded(struct fb_name_task *task, enum fb_status status)
{
    struct local_request *request = FB_CONTAINER(task, struct local_request, name);
    struct kept_change *change = change_of(request);
    change->facts = fb_name_read(&task->record);
    if (status != FB_OK && status != FB_ABSENT) {
        kept_end_status(change, status);
        return;
    }
    if (task->is_old || task->found_version != task->record.version) {
        if (task->is_old)
            kept_end_status(change, FB_IO); /* what is kept is not known */
        else
            kept_again(change);
        return;
    }
    if (change->facts.state == FB_NAME_BAD || !fb_kept_read(&request->kept, &change->kept)) {
        kept_end_status(change, FB_CORRUPT);
        return;
    }
    uint32_t type = fb_kept_type(&change->kept, &change->facts);
    if (type == 0 && change->kept.made != 0)
        change->kept = (struct fb_kept){.mode = 0}; /* of what is not there any more */
    change->scene.type = change->facts.state == FB_NAME_CACHED ? S_IFREG : type;
    change->scene.version = change->is_make ? task->version : change->facts.version;
    change->scene.now_ns = (int64_t)fb_wall_ns();
    if (change->facts.state == FB_NAME_REMOVED)
        removed(change);
    else if (is_asking(request->change.kind))
        answer(change);
    else if (change->scene.type != 0)
        decide(change);
    else
        object_find(change);
}

static void begin(struct kept_change *change)
{
    struct local_request *request = change->request;
    const struct fb_object *object = &request->origin.object;
    change->task = (struct fb_meta_task){.verb = FB_META_VERB_PUT};
    request->name = (struct fb_name_task){.kind = change->is_make ? FB_REQUEST_NAME_BEGIN
                                                                  : FB_REQUEST_NAME_READ,
                                          .done = recorded,
                                          .names = local_of(change)->context.names,
                                          .name_length = object->name_length,
                                          .name = object->name,
                                          .found = &request->kept};
    fb_name_start(&request->name);
}

bool local_is_kept(const struct fb_local *local)
{
    return local->context.names->is_on && local->context.origin->can_write &&
           !local->context.origin->can_change;
}

void local_kept_start(struct local_request *request, bool has_page)
{
    const struct fb_origin_change *wanted = &request->change;
    struct kept_change *change = calloc(1, sizeof(*change));
    FB_ASSERT(change != NULL);
    FB_ASSERT(request->kept_change == NULL);
    request->kept_change = change;
    change->request = request;
    change->has_page = has_page;
    change->scene.user = request->session->user;
    change->is_make = wanted->kind == FB_CHANGE_MAKE;
    bool is_known = wanted->kind != FB_CHANGE_LINK &&
                    !(change->is_make && S_ISREG(wanted->attributes.mode)) &&
                    request->origin.object.name_length > 0;
    if (is_known)
        begin(change);
    else
        kept_end_status(change, FB_INVALID);
}
