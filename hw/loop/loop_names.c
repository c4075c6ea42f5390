/* The core's ops about names become calls of the metadata store and of the origin; see names.h. */
#include "core/key.h"
#include "core/panic.h"
#include "core/place/membership.h"
#include "base/clock.h"
#include "hw/loop/loop_internal.h"

#include <errno.h>
#include <string.h>

/* Those who asked for a name's attributes have them before the core hears of the record. Answers
 * overtake each other: the latest record's stay. */
static void attributes_give(struct fb_loop *loop, const struct fb_meta_task *meta)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        struct fb_name_task *task = loop->names.tasks[i];
        if (task == NULL || task->found == NULL || task->found_version > meta->record.version)
            continue;
        if (!fb_key_equal(fb_name_key(task->name, task->name_length), meta->key))
            continue;
        task->found->length = meta->attributes.length;
        memcpy(task->found->bytes, meta->attributes.bytes, meta->attributes.length);
        task->found_version = meta->record.version;
    }
}

/* What went with a PUT has nothing beside its record any more. */
static void gone_learn(struct fb_loop *loop, const struct fb_meta_gone *gone)
{
    static const struct fb_meta_attributes nothing = {.length = 0};
    struct fb_meta record = gone->name.record;
    record.version++;
    if (gone->name.length > 0)
        fb_names_known_put(&loop->names, gone->name.key, &record, &nothing);
}

static void meta_done(struct fb_meta_task *task, enum fb_status status)
{
    struct work *work = FB_CONTAINER(task, struct work, meta);
    struct fb_loop *loop = work->loop;
    FB_ASSERT(task->verb == FB_META_VERB_GET || task->verb == FB_META_VERB_PUT);
    struct fb_event event = {
        .kind = FB_EVENT_DONE,
        .done = {.op_id = work->op.op_id, .status = status, .record = task->record}};
    if (status == FB_OK || status == FB_CONFLICT || status == FB_ABSENT) {
        /* A PUT that keeps them may have read none. */
        bool is_put = task->verb == FB_META_VERB_PUT;
        bool is_read = !is_put || status != FB_OK;
        bool is_known = is_read || !task->keeps_attributes;
        fb_names_known_put(&loop->names, task->key, &task->record,
                           is_known ? &task->attributes : NULL);
        if (is_put && status == FB_OK)
            gone_learn(loop, &task->gone);
        if (is_read)
            attributes_give(loop, task);
    }
    work_event(work, &event);
}

/* The commit of a client's that a PUT is about; NULL: it is the core's own. */
static const struct fb_name_task *commit_of(struct fb_loop *loop, const struct fb_op *op)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        const struct fb_name_task *task = loop->names.tasks[i];
        bool is_it = task != NULL && task->kind == FB_REQUEST_NAME_COMMIT &&
                     fb_key_equal(task->record.value, op->record.value) &&
                     fb_key_equal(fb_name_key(task->name, task->name_length), op->block.key);
        if (is_it)
            return task;
    }
    return NULL;
}

static void put_prepare(struct work *work, const char *text, uint32_t length)
{
    struct fb_meta_task *task = &work->meta;
    FB_ASSERT(length <= FB_OBJECT_NAME_MAX);
    const struct fb_meta put = {.version = 1, .value = task->record.value};
    const struct fb_name_task *commit = commit_of(work->loop, &work->op);
    enum fb_name_state state = fb_name_read(&put).state;
    bool is_given = commit != NULL && commit->attributes != NULL;
    task->is_pending = state != FB_NAME_ORIGIN;
    task->name.length = length;
    memcpy(task->name.text, text, length);
    task->name.text[length] = '\0';
    /* It may be in its folder's list: what was there before could not be read. */
    const char *slash = memrchr(text, '/', length);
    uint32_t part = slash != NULL ? length - (uint32_t)(slash + 1 - text) : length;
    bool is_listed = state == FB_NAME_REMOVED && part <= FB_META_PART_MAX;
    task->listing = is_listed ? FB_META_LIST_TAKE : FB_META_LIST_KEEP;
    task->keeps_attributes = !is_given && state != FB_NAME_REMOVED;
    task->attributes.length = 0;
    if (is_given)
        task->attributes = *commit->attributes;
    task->gone.name.length = 0;
    if (commit != NULL && commit->gone != NULL)
        task->gone = *commit->gone;
}

static void meta_start(struct work *work)
{
    struct fb_meta_task *task = &work->meta;
    uint32_t length;
    const char *text = fb_names_text(&work->loop->names, work->op.block.key, &length);
    task->verb = work->op.kind == FB_OP_META_PUT ? FB_META_VERB_PUT : FB_META_VERB_GET;
    task->done = meta_done;
    task->key = work->op.block.key;
    task->record = work->op.record;
    if (text == NULL) {
        work_end_later(work, FB_INVALID);
        return;
    }
    if (task->verb == FB_META_VERB_PUT)
        put_prepare(work, text, length);
    fb_meta_start(&work->loop->meta, task);
}

/* The first one of the page from the op's key on; NULL: there is none. */
static const struct fb_meta_name *page_find(const struct fb_names *names, struct fb_key from)
{
    for (uint32_t i = 0; i < names->list.name_count; i++) {
        const struct fb_meta_name *name = &names->list.names[i];
        bool is_before =
            name->key.high < from.high || (name->key.high == from.high && name->key.low < from.low);
        if (!is_before)
            return name;
    }
    return NULL;
}

static void list_end(struct work *work, enum fb_status status, const struct fb_meta_name *name)
{
    struct fb_loop *loop = work->loop;
    FB_ASSERT(work->op.kind == FB_OP_META_LIST);
    struct fb_event event = {.kind = FB_EVENT_DONE,
                             .done = {.op_id = work->op.op_id, .status = status}};
    event.done.listed.wall_ns = fb_wall_ns();
    if (name != NULL) {
        event.done.listed.record = name->record;
        event.done.listed.key = name->key;
        event.done.status = name->is_bad ? FB_CORRUPT : status;
        fb_names_text_put(&loop->names, name->key, name->text, name->length);
    }
    work_event(work, &event);
}

static void listed(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, names.list);
    struct work *work = loop->listing;
    FB_ASSERT(work != NULL);
    const struct fb_meta_name *name = NULL;
    loop->listing = NULL;
    loop->names.has_page = status == FB_OK;
    if (status == FB_OK)
        name = page_find(&loop->names, work->op.block.key);
    list_end(work, status == FB_OK && name == NULL ? FB_ABSENT : status, name);
}

static void page_told(struct fb_io *io, int32_t result)
{
    struct work *work = FB_CONTAINER(io, struct work, io);
    if (result != -ECANCELED)
        list_end(work, FB_OK, page_find(&work->loop->names, work->op.block.key));
}

/* From the page that is there, unless it ends before; a new round reads a new one. */
static void list_start(struct work *work)
{
    struct fb_loop *loop = work->loop;
    struct fb_names *names = &loop->names;
    struct fb_key from = work->op.block.key;
    bool is_first = from.high == 0 && from.low == 0;
    if (names->has_page && !is_first && page_find(names, from) != NULL) {
        fb_io_init(&work->io, page_told);
        fb_uring_nothing(&loop->uring, &work->io);
        return;
    }
    FB_ASSERT(loop->listing == NULL); /* the core has one under way at a time */
    loop->listing = work;
    names->has_page = false;
    names->list.verb = FB_META_VERB_PENDING;
    names->list.done = listed;
    names->list.names_max = FB_NAME_LIST_MAX;
    names->list.key = from;
    fb_meta_start(&loop->meta, &names->list);
}

/* What the origin says of an object is of use to those that know it. */
static void origin_learn(struct fb_loop *loop, struct fb_origin_task *task, enum fb_status status)
{
    struct fb_object *known = NULL;
    if (task->verb == FB_ORIGIN_STAT && status == FB_OK)
        fb_objects_recognise(&loop->objects, &task->object);
    if (task->verb == FB_ORIGIN_COMMIT)
        known = fb_objects_find(&loop->objects, task->object.handle);
    if (known != NULL && status == FB_OK && task->object.shown != 0)
        known->shown = task->object.shown;
    if (known != NULL && fb_origin_refuses(status))
        known->refusal = status;
}

/* The block that a commit misses; size 0: it is not known which. */
static struct fb_block missing_block(const struct fb_loop *loop, const struct fb_origin_task *task)
{
    uint64_t block_size = loop->settings->core.block_size_bytes;
    if (task->verb != FB_ORIGIN_COMMIT ||
        task->missing >= fb_object_blocks(&task->object, block_size))
        return (struct fb_block){.size = 0};
    return fb_object_block(&task->object, block_size, task->missing);
}

/* Those who asked for a name hear what the origin said of it. */
static void origin_said(struct fb_loop *loop, struct fb_key key, enum fb_status status)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        struct fb_name_task *task = loop->names.tasks[i];
        if (task != NULL && fb_key_equal(fb_name_key(task->name, task->name_length), key))
            task->origin = status;
    }
}

/* Tells those who asked for a name what it leads to. */
static void origin_led(struct fb_loop *loop, struct fb_key key, const struct fb_object *object)
{
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        struct fb_name_task *task = loop->names.tasks[i];
        bool is_it = task != NULL && task->leads_to != NULL &&
                     fb_key_equal(fb_name_key(task->name, task->name_length), key);
        if (is_it)
            memcpy(task->leads_to, object->name, object->name_length + 1);
    }
}

static void origin_done(struct fb_origin_task *task, enum fb_status status)
{
    struct work *work = FB_CONTAINER(task, struct work, origin);
    struct fb_loop *loop = work->loop;
    struct fb_event event = {.kind = FB_EVENT_DONE,
                             .done = {.op_id = work->op.op_id, .status = status}};
    origin_learn(loop, task, status);
    if (task->is_alias)
        origin_led(loop, work->op.block.key, &task->object);
    if (task->verb == FB_ORIGIN_STAT)
        origin_said(loop, work->op.block.key, status);
    if (status == FB_BUSY) {
        event.done.missing = missing_block(loop, task);
    } else {
        event.done.origin.version = task->object.version;
        event.done.origin.order = task->object.order;
        event.done.origin.written = task->object.written;
        event.done.origin.size = task->object.size;
        event.done.origin.object = task->object.handle;
    }
    bool is_fault = status != FB_OK && status != FB_ABSENT && status != FB_BUSY;
    if (is_fault && task->verb != FB_ORIGIN_STAT) {
        char quoted[FB_LOG_QUOTE_MAX];
        fb_log(FB_LOG_WARNING, "commit_unfinished", "status=%s object=%s", fb_status_name(status),
               fb_log_quote(task->object.name, quoted));
    }
    work_event(work, &event);
}

/* Does nobody want more of a name than to know what it means? Then what the origin said lately will
 * do (names.valid). And do all who do want to hear where links lead? */
static void origin_manner(const struct fb_loop *loop, struct fb_key key,
                          struct fb_origin_task *stat)
{
    bool is_looked_at = false, is_changed = false, is_followed = false;
    for (uint32_t i = 0; i < FB_NAME_TASKS_MAX; i++) {
        const struct fb_name_task *task = loop->names.tasks[i];
        if (task == NULL || !fb_key_equal(fb_name_key(task->name, task->name_length), key))
            continue;
        bool is_look = task->kind == FB_REQUEST_NAME_LOOK;
        is_looked_at = is_looked_at || is_look;
        is_changed = is_changed || !is_look;
        is_followed = is_followed || (is_look && task->leads_to == NULL);
    }
    stat->may_be_seen = is_looked_at && !is_changed;
    stat->is_direct = stat->may_be_seen && !is_followed && loop->names.is_on;
}

static void origin_start(struct work *work)
{
    struct fb_loop *loop = work->loop;
    struct fb_origin_task *task = &work->origin;
    uint32_t length;
    const char *text = fb_names_text(&loop->names, work->op.block.key, &length);
    bool is_stat = work->op.kind == FB_OP_ORIGIN_STAT;
    if (text == NULL || !fb_object_name_is_fine(text, length)) {
        work_end_later(work, FB_INVALID);
        return;
    }
    task->verb = is_stat                                ? FB_ORIGIN_STAT
                 : work->op.kind == FB_OP_ORIGIN_COMMIT ? FB_ORIGIN_COMMIT
                                                        : FB_ORIGIN_REMOVE;
    task->done = origin_done;
    task->may_be_seen = false;
    task->is_direct = false;
    if (is_stat)
        origin_manner(loop, work->op.block.key, task);
    task->object = (struct fb_object){.name_length = length,
                                      .version = is_stat ? 0 : work->op.change.version,
                                      .size = is_stat ? 0 : work->op.change.size};
    memcpy(task->object.name, text, length);
    task->object.name[length] = '\0';
    fb_object_identify(&task->object);
    /* Another node, of larger blocks, or another's hand may have made the record. */
    if (task->object.size > loop->origin.object_max) {
        if (task->verb == FB_ORIGIN_COMMIT) {
            work_end_later(work, FB_TOO_LARGE);
            return;
        }
        task->object.size = 0; /* none of its blocks was stored */
    }
    task->limit = work->op.change.limit;
    task->as_version = work->op.change.shown;
    fb_origin_start(&loop->origin, task);
}

void names_start(struct work *work)
{
    enum fb_op_kind kind = (enum fb_op_kind)work->op.kind;
    const struct fb_loop *loop = work->loop;
    bool is_meta = kind == FB_OP_META_GET || kind == FB_OP_META_PUT || kind == FB_OP_META_LIST;
    bool is_change =
        kind == FB_OP_META_PUT || kind == FB_OP_ORIGIN_COMMIT || kind == FB_OP_ORIGIN_REMOVE;
    if (fb_membership_guards_op(kind) && fb_standing_is_fenced(&loop->standing))
        work_end_later(work, FB_GONE);
    else if ((is_meta && !loop->names.is_on) || (is_change && !loop->origin.can_write))
        work_end_later(work, FB_INVALID);
    else if (kind == FB_OP_META_LIST)
        list_start(work);
    else if (is_meta)
        meta_start(work);
    else
        origin_start(work);
}
