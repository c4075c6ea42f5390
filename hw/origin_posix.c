/* A folder as blob store: names are paths below it. The version is the time of change, so that
 * every node that mounts the same file system sees the same one.
 *
 *     OPEN --> STAT --> READ ... READ --> done, file closed
 *      |         '--version differs--.        ^
 *      '--absent--> PART (a block that is stored, of an object that is not committed yet)
 *
 * Opening is RESOLVE_BENEATH: neither ".." nor a symbolic link leads out of the folder. */
#include "hw/origin.h"

#include "core/key.h"
#include "core/panic.h"
#include "hw/loop_internal.h"
#include "hw/origin_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum stage { STAGE_OPEN, STAGE_STAT, STAGE_PART, STAGE_READ };

static uint64_t version_of(const struct statx *facts)
{
    return (uint64_t)facts->stx_mtime.tv_sec * 1000000000u + facts->stx_mtime.tv_nsec;
}

static void task_end(struct fb_origin_task *task, enum fb_status status)
{
    if (task->file >= 0)
        fb_uring_close_file(&task->loop->uring, task->file);
    task->file = -1;
    task->done(task, status);
}

static void task_read(struct fb_origin_task *task)
{
    enum { READ_BYTES_MAX = 1 << 30 };
    uint64_t left = task->bytes.size - task->moved;
    const struct fb_bytes part = {.at = task->bytes.at + task->moved,
                                  .size = left < READ_BYTES_MAX ? left : READ_BYTES_MAX};
    task->stage = STAGE_READ;
    fb_uring_read(&task->loop->uring, &task->io, task->file, part, task->file_offset + task->moved);
}

/* The object is not there, or another version: perhaps the block is. status: what else to say. */
static void task_part(struct fb_origin_task *task, enum fb_status status)
{
    if (task->verb != FB_ORIGIN_FETCH) {
        task_end(task, status);
        return;
    }
    if (task->file >= 0)
        fb_uring_close_file(&task->loop->uring, task->file);
    task->file = -1;
    task->stage = STAGE_PART;
    task->status = status;
    task->file_offset = 0;
    fb_origin_posix_part(task, task->part);
    fb_uring_open_below(&task->loop->uring, &task->io, task->loop->origin.folder, task->part,
                        &task->how);
}

/* The facts are there: what is asked for, or what was asked for still? */
static void task_facts(struct fb_origin_task *task)
{
    const struct statx *facts = &task->facts;
    if (!S_ISREG(facts->stx_mode)) {
        task_part(task, FB_ABSENT);
        return;
    }
    if (task->verb == FB_ORIGIN_STAT) {
        task->object.size = facts->stx_size;
        task->object.version = version_of(facts);
        task_end(task, FB_OK);
        return;
    }
    uint64_t version = version_of(facts);
    bool is_before = task->object.is_cached && version < task->object.version;
    if (task->object.size != facts->stx_size || task->object.version != version)
        task_part(task, is_before ? FB_ABSENT : FB_CONFLICT);
    else
        task_read(task);
}

static void task_moved(struct fb_origin_task *task, int32_t result)
{
    if (result == 0) {
        task_end(task, FB_CONFLICT); /* it became shorter meanwhile */
        return;
    }
    task->moved += (uint64_t)result;
    if (task->moved < task->bytes.size)
        task_read(task);
    else
        task_end(task, FB_OK);
}

static void task_open(struct fb_origin_task *task)
{
    struct fb_loop *loop = task->loop;
    task->stage = STAGE_OPEN;
    task->file_offset = task->offset;
    task->how = (struct open_how){.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    fb_uring_open_below(&loop->uring, &task->io, loop->origin.folder, task->object.name,
                        &task->how);
}

static void task_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    if (result == -EINTR && task->stage == STAGE_READ) {
        task_read(task);
        return;
    }
    if (result < 0 && task->stage == STAGE_OPEN && fb_origin_status(result) == FB_ABSENT) {
        task_part(task, FB_ABSENT);
        return;
    }
    if (result == -ENOENT && task->stage == STAGE_PART && !task->is_second) {
        task->is_second = true; /* it may have been committed between the two looks */
        task_open(task);
        return;
    }
    if (result < 0) {
        task_end(task, task->stage == STAGE_PART ? task->status : fb_origin_status(result));
        return;
    }
    switch ((enum stage)task->stage) {
    case STAGE_OPEN:
        task->file = result;
        task->stage = STAGE_STAT;
        fb_uring_stat(&task->loop->uring, &task->io, task->file, &task->facts);
        return;
    case STAGE_STAT:
        task_facts(task);
        return;
    case STAGE_PART:
        task->file = result;
        task_read(task);
        return;
    case STAGE_READ:
        task_moved(task, result);
        return;
    }
}

static void posix_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    if (task->verb == FB_ORIGIN_LIST) {
        fb_origin_posix_list(task);
        return;
    }
    if (task->verb != FB_ORIGIN_FETCH && task->verb != FB_ORIGIN_STAT) {
        fb_origin_posix_write(task);
        return;
    }
    FB_ASSERT(fb_object_name_is_fine(task->object.name, task->object.name_length));
    fb_io_init(&task->io, task_done);
    task->file = -1;
    task->is_second = false;
    FB_ASSERT(task->loop == origin->loop);
    task_open(task);
}

static void posix_close(struct fb_origin *origin)
{
    close(origin->folder);
}

void fb_origin_posix_open(struct fb_origin *origin, const struct fb_settings *settings,
                          struct fb_error *error)
{
    origin->folder = open(settings->origin.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (origin->folder < 0) {
        fb_error_set(error, "origin.path %s: %s: make the folder, or mount what should be there",
                     settings->origin.path, strerror(errno));
        return;
    }
    origin->start = posix_start;
    origin->close = posix_close;
    origin->can_write = true;
}
