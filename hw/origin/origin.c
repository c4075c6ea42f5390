/* Chooses the backend. Without an origin every object is absent. */
#include "hw/origin/origin.h"

#include "base/character.h"
#include "client/protocol/page.h"
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"

#include <errno.h>
#include <string.h>

enum { POSIX_THREADS = 4 };

enum fb_status fb_origin_status(int32_t result)
{
    switch (-result) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV: /* a link that leads out of the folder */
    case ENXIO: /* a socket, or a device that is not there: what is no file is not there */
    case ENODEV:
        return FB_ABSENT;
    case EACCES:
    case EPERM:
        return FB_DENIED;
    case EROFS:
        return FB_READ_ONLY;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return FB_BUSY;
    case ESTALE:
        return FB_CONFLICT;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return FB_FULL;
    default:
        return FB_IO;
    }
}

bool fb_origin_refuses(enum fb_status status)
{
    return status == FB_DENIED || status == FB_READ_ONLY || status == FB_REFUSED ||
           status == FB_TOO_LARGE || status == FB_FULL || status == FB_INVALID;
}

bool fb_origin_has_name(const struct fb_origin *origin, const char *name, uint32_t length)
{
    const unsigned char *text = (const unsigned char *)name;
    for (size_t at = 0, size; at < length; at += size) {
        size = origin->wants_text ? fb_character_bytes(text + at, length - at) : 1;
        bool is_control = text[at] < ' ' || text[at] == 127;
        if (size == 0 || (is_control && origin->wants_no_controls))
            return false;
    }
    return true;
}

bool fb_origin_has_marks(const struct fb_origin *origin, const struct fb_origin_change *change)
{
    return origin->can_write && !origin->can_change && change->kind == FB_CHANGE_REMOVE_FOLDER &&
           (change->flags & FB_REMOVE_MARKS) != 0;
}

bool fb_origin_entry(struct fb_origin_task *task, const char *name, uint64_t size, bool is_folder)
{
    FB_ASSERT(task->moved <= task->bytes.size);
    uint32_t length = (uint32_t)strlen(name), bytes = fb_local_entry_bytes(length);
    if (bytes > task->bytes.size - task->moved)
        return false;
    const struct fb_local_entry entry = {.size = size,
                                         .name_length = length,
                                         .kind = is_folder ? FB_LOCAL_ENTRY_FOLDER
                                                           : FB_LOCAL_ENTRY_FILE};
    unsigned char *at = task->bytes.at + task->moved;
    memset(at, 0, bytes);
    memcpy(at, &entry, sizeof(entry));
    memcpy(at + sizeof(entry), name, length);
    task->moved += bytes;
    return true;
}

/* The folder is another one, or gone: it says nothing of any name, neither that it is not there. */
static void moved_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    FB_ASSERT(result == 0 || result == -ECANCELED);
    if (task->verb == FB_ORIGIN_CHANGE)
        task->change->error = EIO;
    task->done(task, task->verb == FB_ORIGIN_CHANGE ? FB_OK : FB_REFUSED);
}

static void none_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    FB_ASSERT(result == 0 || result == -ECANCELED);
    task->done(task, FB_ABSENT);
}

static void none_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    fb_io_init(&task->io, none_done);
    fb_uring_nothing(origin->context.uring, &task->io);
}

void fb_origin_open(struct fb_origin *origin, const struct fb_origin_context *context,
                    struct fb_error *error)
{
    const struct fb_settings *settings = context->settings;
    *origin = (struct fb_origin){.context = *context, .folder = -1, .start = none_start};
    origin->has_records = settings->metadata.kind != FB_METADATA_NONE;
    if (!fb_seen_open(&origin->seen, settings->names_valid_ns, settings->objects_max)) {
        fb_error_set(error, "out of memory for %u names", settings->objects_max);
        return;
    }
    if (settings->origin.kind == FB_ORIGIN_POSIX &&
        fb_offload_open(&origin->calls, context->uring, POSIX_THREADS) != 0) {
        fb_error_set(error, "origin: cannot start %d threads", POSIX_THREADS);
        return;
    }
    switch (settings->origin.kind) {
    case FB_ORIGIN_NONE:
        return;
    case FB_ORIGIN_POSIX:
        fb_origin_posix_open(origin, settings, error);
        break;
    case FB_ORIGIN_S3:
    case FB_ORIGIN_AZURE:
        fb_origin_http_open(origin, settings, error);
        break;
    }
    uint64_t most = settings->core.block_size_bytes * FB_NAME_BLOCKS_MAX;
    if (origin->object_max > most)
        origin->object_max = most;
}

void fb_origin_close(struct fb_origin *origin)
{
    fb_offload_close(&origin->calls);
    if (origin->close != NULL)
        origin->close(origin);
    fb_seen_close(&origin->seen);
}

void fb_origin_sweep(struct fb_origin *origin)
{
    if (origin->sweep != NULL)
        origin->sweep(origin);
}

void fb_origin_reload(struct fb_origin *origin)
{
    if (origin->reload != NULL)
        origin->reload(origin);
}

static void told(struct fb_origin_task *task, enum fb_status status)
{
    FB_ASSERT(task->told != NULL); /* seen_start kept it */
    task->done = task->told;
    task->done(task, status);
}

/* What was asked for is known for a while. */
static void asked_done(struct fb_origin_task *task, enum fb_status status)
{
    if (status == FB_OK)
        fb_seen_put(&task->origin->seen, &task->object, &task->attributes,
                    task->verb == FB_ORIGIN_LOOK, fb_clock_ns());
    told(task, status);
}

/* What a name meant, it may not mean any more. */
static void forget(struct fb_origin_task *task)
{
    struct fb_seen *seen = &task->origin->seen;
    bool is_of_more = task->verb == FB_ORIGIN_CHANGE && (task->change->kind == FB_CHANGE_RENAME ||
                                                         task->change->kind == FB_CHANGE_LINK);
    if (is_of_more)
        fb_seen_forget_all(seen);
    else
        fb_seen_forget(seen, task->object.name, task->object.name_length);
}

static void changed_done(struct fb_origin_task *task, enum fb_status status)
{
    bool is_fetched = task->verb == FB_ORIGIN_FETCH && status != FB_CONFLICT;
    if (!is_fetched)
        forget(task);
    told(task, status);
}

static void seen_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    task->done(task, result == 0 ? FB_OK : FB_IO);
}

/* With names.valid: keeps what is asked for, and forgets what changes, when that is so: at its
 * beginning, and at its end, since it may have been asked for between. true: it is known. */
static bool seen_start(struct fb_origin_task *task)
{
    struct fb_origin *origin = task->origin;
    bool is_asking = task->verb == FB_ORIGIN_STAT || task->verb == FB_ORIGIN_LOOK;
    bool is_change = task->verb == FB_ORIGIN_COMMIT || task->verb == FB_ORIGIN_REMOVE ||
                     task->verb == FB_ORIGIN_CHANGE;
    if (origin->seen.valid_ns == 0 || (is_asking && !task->may_be_seen))
        return false;
    if (is_asking && fb_seen_find(&origin->seen, &task->object, &task->attributes,
                                  task->verb == FB_ORIGIN_LOOK, fb_clock_ns())) {
        fb_io_init(&task->io, seen_done);
        fb_uring_nothing(origin->context.uring, &task->io);
        return true;
    }
    if (is_change)
        forget(task);
    if (is_asking || is_change || task->verb == FB_ORIGIN_FETCH) {
        task->told = task->done;
        task->done = is_asking ? asked_done : changed_done;
    }
    return false;
}

static void task_begin(struct fb_origin *origin, struct fb_origin_task *task)
{
    const struct fb_object *object = &task->object;
    bool is_asking = task->verb == FB_ORIGIN_STAT || task->verb == FB_ORIGIN_LOOK ||
                     task->verb == FB_ORIGIN_LIST;
    if (fb_anchor_fault(&origin->anchor) != 0) {
        fb_io_init(&task->io, moved_done);
        fb_uring_nothing(task->origin->context.uring, &task->io);
    } else if (is_asking && !fb_origin_has_name(origin, object->name, object->name_length)) {
        none_start(origin, task);
    } else if (!seen_start(task)) {
        origin->start(origin, task);
    }
}

static struct fb_origin_task *held_take(struct fb_origin *origin)
{
    struct fb_origin_task *first = origin->held_head;
    origin->held_head = origin->held_tail = NULL;
    return first;
}

void fb_origin_release(struct fb_origin *origin)
{
    origin->is_held = false;
    for (struct fb_origin_task *task = held_take(origin), *next; task != NULL; task = next) {
        next = task->next;
        task_begin(origin, task);
    }
}

void fb_origin_held_end(struct fb_origin *origin, enum fb_status status)
{
    for (struct fb_origin_task *task = held_take(origin), *next; task != NULL; task = next) {
        next = task->next;
        task->is_final = true; /* it was asked for as often as others are */
        if (task->verb == FB_ORIGIN_CHANGE)
            task->change->error = EIO;
        task->done(task, task->verb == FB_ORIGIN_CHANGE ? FB_OK : status);
    }
}

void fb_origin_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    FB_ASSERT(task->done != NULL);
    task->origin = origin;
    task->moved = 0;
    task->is_final = false;
    task->is_alias = false;
    task->stands = false;
    task->error = 0;
    task->missing = UINT64_MAX;
    task->attributes = (struct fb_attributes){.mode = 0};
    bool is_of_folders = task->verb == FB_ORIGIN_CHANGE || task->verb == FB_ORIGIN_PLACE;
    bool is_of_marks = task->verb == FB_ORIGIN_CHANGE && fb_origin_has_marks(origin, task->change);
    FB_ASSERT(!is_of_folders || origin->can_change || is_of_marks);
    if (task->verb == FB_ORIGIN_LOOK && !origin->can_change)
        task->verb = FB_ORIGIN_STAT; /* objects are files */
    if (!origin->is_held || task->passes_hold) {
        task_begin(origin, task);
        return;
    }
    FB_ASSERT((origin->held_head == NULL) == (origin->held_tail == NULL));
    task->next = NULL;
    if (origin->held_tail != NULL)
        origin->held_tail->next = task;
    else
        origin->held_head = task;
    origin->held_tail = task;
}
