/* Chooses the backend. Without an origin every object is absent. */
#include "hw/origin.h"

#include "core/panic.h"
#include "hw/loop_internal.h"

#include <errno.h>
#include <string.h>

enum fb_status fb_origin_status(int32_t result)
{
    switch (-result) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV: /* a link that leads out of the folder */
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
           status == FB_FULL || status == FB_INVALID;
}

bool fb_origin_entry(struct fb_origin_task *task, const char *name, uint64_t size, bool is_folder)
{
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

static void none_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    FB_ASSERT(result == 0 || result == -ECANCELED);
    task->done(task, FB_ABSENT);
}

static void none_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    fb_io_init(&task->io, none_done);
    fb_uring_nothing(&origin->loop->uring, &task->io);
}

void fb_origin_open(struct fb_origin *origin, struct fb_loop *loop,
                    const struct fb_settings *settings, struct fb_error *error)
{
    *origin = (struct fb_origin){.loop = loop, .folder = -1, .start = none_start};
    switch (settings->origin.kind) {
    case FB_ORIGIN_NONE:
        return;
    case FB_ORIGIN_POSIX:
        fb_origin_posix_open(origin, settings, error);
        return;
    case FB_ORIGIN_S3:
    case FB_ORIGIN_AZURE:
        fb_origin_http_open(origin, settings, error);
        return;
    }
}

void fb_origin_close(struct fb_origin *origin)
{
    if (origin->close != NULL)
        origin->close(origin);
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

void fb_origin_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    task->loop = origin->loop;
    task->moved = 0;
    task->is_final = false;
    task->attributes = (struct fb_attributes){.mode = 0};
    FB_ASSERT(task->verb != FB_ORIGIN_CHANGE || origin->can_change);
    if (task->verb == FB_ORIGIN_LOOK && !origin->can_change)
        task->verb = FB_ORIGIN_STAT; /* objects are files */
    origin->start(origin, task);
}
