/* Another name for what has no object: a link, an empty folder, a FIFO. Files are copied by the
 * client, as are folders that have something in them.
 *
 *     source known --> (a folder: its list) --> BEGIN of the target --> (its list) --> its folder
 *        ^                                         --> PUT of the target, by which the source goes
 *        '------CONFLICT, ABSENT, or not known whether it was done: READ of the target------'
 *
 *  1. Both change at once or neither does (meta.h, 8): whoever looks finds one name, and of two who
 *     rename one thing one hears ENOENT, whose target is what it was.
 *  2. What may have been done knows its own target by its version (moved).
 *  3. A folder that gets something meanwhile stays, and so does the target: EXDEV. */
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_kept.h"

#include "core/panic.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>

static void target_put(struct fb_meta_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, task);
    if (status == FB_OK) {
        kept_end_error(change, 0);
        return;
    }
    if (kept_is_unsure(status) && change->unsure < KEPT_UNSURE_MAX)
        change->moved[change->unsure] = change->target_name.version;
    kept_put_failed(change, status == FB_ABSENT ? FB_CONFLICT : status);
}

/* The source goes, as a removal would have it. */
static void source_take(const struct kept_change *change, struct fb_meta_gone *gone)
{
    const struct fb_object *object = &change->request->origin.object;
    *gone = (struct fb_meta_gone){.must_be_empty = S_ISDIR(change->scene.type)};
    gone->name.key = fb_name_key(object->name, object->name_length);
    gone->name.record = change->request->name.record;
    gone->name.length = object->name_length;
    memcpy(gone->name.text, object->name, object->name_length + 1);
}

static void target_write(struct kept_change *change)
{
    struct fb_meta_task *task = &change->task;
    const struct fb_meta *record = &change->target_name.record;
    struct fb_name_facts facts = fb_name_read(record);
    kept_facts_make(change, &facts, record->version == 0, change->target_name.version);
    change->kept.made = facts.version;
    change->kept.times_of = facts.version;
    change->kept.changed_ns = change->scene.now_ns;
    task->record = fb_name_record(&facts, record->version);
    task->listing = FB_META_LIST_PUT;
    task->must_be_empty = S_ISDIR(change->target_type);
    task->name.type = change->kept.mode & S_IFMT;
    fb_kept_write(&change->kept, &task->attributes);
    source_take(change, &task->gone);
    kept_put_start(change, &change->target.object, target_put);
}

static void target_find(struct kept_change *change)
{
    kept_above_read(change, &change->target.object, target_write);
}

/* May the source take its place? 0, or an errno. */
static int target_fault(const struct kept_change *change)
{
    uint32_t type = change->target_type;
    bool is_folder = S_ISDIR(change->scene.type);
    if (type == 0)
        return 0;
    if ((change->request->change.flags & RENAME_NOREPLACE) != 0)
        return EEXIST;
    if (S_ISDIR(type) != is_folder)
        return is_folder ? ENOTDIR : EISDIR;
    return S_ISREG(type) ? EEXIST : 0; /* an object: the client removes it */
}

/* What has the target's name is known. */
static void target_decide(struct kept_change *change, bool is_file)
{
    const struct fb_name_facts facts = fb_name_read(&change->target_name.record);
    const struct fb_object *target = &change->target.object;
    struct fb_kept kept;
    if (!fb_kept_read(&change->target_found, &kept)) {
        kept_end_status(change, FB_CORRUPT);
        return;
    }
    uint32_t type = fb_kept_type(&kept, &facts);
    change->target_type = type != 0 ? type : is_file ? S_IFREG : 0;
    int fault = target_fault(change);
    if (fault != 0)
        kept_end_error(change, fault);
    else if (S_ISDIR(type))
        kept_list_read(change, target->name, target->name_length, ENOTEMPTY, target_find);
    else
        target_find(change);
}

/* The origin was slow: it is waited for. */
static void target_looked(struct fb_origin_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, target);
    if (status == FB_OK || status == FB_ABSENT)
        target_decide(change, status == FB_OK);
    else
        kept_end_status(change, status);
}

static void target_read(struct fb_name_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, target_name);
    const struct fb_name_facts facts = fb_name_read(&task->record);
    bool is_heard = task->origin == FB_OK || task->origin == FB_ABSENT;
    if (status != FB_OK) {
        kept_end_status(change, status);
    } else if (task->is_old || task->found_version != task->record.version) {
        kept_again(change);
    } else if (facts.state == FB_NAME_REMOVED) {
        kept_hurry(change, &change->target.object, facts.version);
    } else if (facts.state == FB_NAME_CACHED || is_heard) {
        target_decide(change, facts.state == FB_NAME_CACHED || task->origin == FB_OK);
    } else {
        change->target.verb = FB_ORIGIN_LOOK;
        change->target.done = target_looked;
        fb_origin_start(change->request->session->local->context.origin, &change->target);
    }
}

static void target_begin(struct kept_change *change)
{
    const struct fb_origin_change *wanted = &change->request->change;
    struct fb_object *target = &change->target.object;
    *target = (struct fb_object){.name_length = wanted->text_length};
    memcpy(target->name, wanted->text, wanted->text_length + 1);
    change->target_name =
        (struct fb_name_task){.kind = FB_REQUEST_NAME_BEGIN,
                              .done = target_read,
                              .names = change->request->session->local->context.names,
                              .name_length = target->name_length,
                              .name = target->name,
                              .found = &change->target_found};
    fb_name_start(&change->target_name);
}

/* A folder has no place in itself. */
static bool is_below_itself(const struct kept_change *change)
{
    const struct fb_object *object = &change->request->origin.object;
    const struct fb_origin_change *wanted = &change->request->change;
    return wanted->text_length > object->name_length && wanted->text[object->name_length] == '/' &&
           memcmp(wanted->text, object->name, object->name_length) == 0;
}

static void source_decide(struct kept_change *change)
{
    const struct fb_object *object = &change->request->origin.object;
    if (change->scene.type == 0)
        kept_end_error(change, ENOENT);
    else if (S_ISREG(change->scene.type) ||
             (change->request->change.flags & ~(uint32_t)RENAME_NOREPLACE) != 0)
        kept_end_status(change, FB_INVALID);
    else if (is_below_itself(change))
        kept_end_error(change, EINVAL);
    else if (S_ISDIR(change->scene.type))
        kept_list_read(change, object->name, object->name_length, EXDEV, target_begin);
    else
        target_begin(change);
}

/* Is the target what a PUT of unknown end was to make of it? */
static void target_reread(struct fb_name_task *task, enum fb_status status)
{
    struct kept_change *change = FB_CONTAINER(task, struct kept_change, target_name);
    const struct fb_name_facts facts = fb_name_read(&task->record);
    struct fb_kept kept;
    bool is_done = false;
    if ((status != FB_OK && status != FB_ABSENT) || task->is_old) {
        kept_end_status(change, task->is_old ? FB_IO : status);
        return;
    }
    bool is_there = fb_kept_read(&change->target_found, &kept) && fb_kept_type(&kept, &facts) != 0;
    for (uint32_t i = 0; i < KEPT_UNSURE_MAX; i++)
        is_done = is_done || (is_there && kept.made == change->moved[i]);
    if (is_done)
        kept_end_error(change, 0);
    else
        source_decide(change);
}

void kept_rename(struct kept_change *change)
{
    const struct fb_origin_change *wanted = &change->request->change;
    FB_ASSERT(wanted->text_length <= FB_OBJECT_NAME_MAX);
    if (change->unsure == 0) {
        source_decide(change);
        return;
    }
    change->target_name =
        (struct fb_name_task){.kind = FB_REQUEST_NAME_READ,
                              .done = target_reread,
                              .names = change->request->session->local->context.names,
                              .name_length = wanted->text_length,
                              .name = wanted->text,
                              .found = &change->target_found};
    fb_name_start(&change->target_name);
}
