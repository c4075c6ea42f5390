/* Ops on the node's drive.
 *
 *     WRITE --bytes written; owed: its name synced at the same time--> its header
 *           its header --owed--> waits for a sync --> DONE
 *                '--not owed--> DONE
 *
 * One sync at a time: those that wait for one are done by the next that begins after them. A sync
 * that fails fails all of them, which several at once could not promise: the kernel tells of a page
 * that could not be written once, to whichever asks first. A sync of a file that its path does not
 * name any more has failed: the next start would not find it. */
#include "core/panic.h"
#include "hw/loop/loop_internal.h"

#include <errno.h>
#include <string.h>

enum { DRIVE_BYTES = 1, DRIVE_NAME = 2 };

static const uint64_t look_pause_ns = 500000000;

static void drive_sync_begin(struct fb_loop *loop);
static void write_done(struct work *work);
static void bytes_start(struct work *work);

static enum fb_status drive_status(int32_t result)
{
    return result == -ENOSPC || result == -EFBIG   ? FB_FULL
           : result == -ENODEV || result == -ENXIO ? FB_GONE
                                                   : FB_IO;
}

/* What the operator is told: the first failure, and the first success after it. */
static void drive_note(struct fb_loop *loop, const char *what, uint64_t offset, int32_t result)
{
    struct fb_drive_file *drive = &loop->drive;
    bool was_failing = drive->error != 0, is_read = strcmp(what, "read") == 0;
    if (result < 0) {
        drive->errors++;
        drive->error = is_read ? drive->error : -result;
        fb_log(FB_LOG_WARNING, "device_error", "op=%s offset=%llu reason=\"%s\"", what,
               (unsigned long long)offset, strerror(-result));
    } else if (!is_read) {
        drive->error = fb_anchor_fault(&drive->anchor);
    }
    if (drive->error != 0 && !was_failing)
        fb_log(FB_LOG_ERROR, "device_failing",
               "path=%s reason=\"%s\" effect=\"writes of level device are refused\"",
               loop->settings->device_path, fb_anchor_reason(drive->error));
    if (drive->error == 0 && was_failing)
        fb_log(FB_LOG_INFO, "device_works_again", "path=%s", loop->settings->device_path);
}

/* One of the two that a write waits for before its header has ended. */
static void write_part_done(struct work *work, uint32_t part, enum fb_status status)
{
    FB_ASSERT(work->drive_open & part);
    work->drive_open &= ~part;
    if (status != FB_OK)
        work->status = status;
    if (work->drive_open != 0)
        return;
    if (work->status == FB_OK)
        write_done(work);
    else
        work_end(work, work->status, 0);
}

static void drive_synced(struct fb_io *io, int32_t result)
{
    struct fb_loop *loop = FB_CONTAINER(io, struct fb_loop, sync);
    struct work *done = loop->sync_flying;
    if (result == -ECANCELED)
        return;
    int moved = fb_anchor_look(&loop->drive.anchor);
    if (result >= 0 && moved != 0)
        result = -moved;
    enum fb_status status = result < 0 ? drive_status(result) : FB_OK;
    FB_ASSERT(done != NULL);
    loop->sync_flying = NULL;
    drive_note(loop, "sync", 0, result);
    if (loop->sync_waiting != NULL)
        drive_sync_begin(loop);
    while (done != NULL) {
        struct work *next = done->next;
        if (done->drive_open & DRIVE_NAME)
            write_part_done(done, DRIVE_NAME, status);
        else
            work_end(done, status, 0);
        done = next;
    }
}

static void drive_sync_begin(struct fb_loop *loop)
{
    FB_ASSERT(loop->sync_flying == NULL && loop->sync_waiting != NULL);
    loop->sync_flying = loop->sync_waiting;
    loop->sync_waiting = NULL;
    fb_io_init(&loop->sync, drive_synced);
    fb_uring_sync(&loop->uring, &loop->sync, loop->drive.file);
}

static void drive_sync(struct work *work)
{
    struct fb_loop *loop = work->loop;
    work->next = loop->sync_waiting;
    loop->sync_waiting = work;
    if (loop->sync_flying == NULL)
        drive_sync_begin(loop);
}

/* The block is on the drive: its header follows, and when it is owed, is made to last. */
static void write_done(struct work *work)
{
    struct fb_loop *loop = work->loop;
    FB_ASSERT(work->op.kind == FB_OP_WRITE);
    const struct fb_header header = fb_header_of_write(&work->op);
    bool is_owed = header.state == FB_HEADER_OWED;
    enum fb_status status = fb_headers_put(&loop->headers, &header);
    if (status != FB_OK || !is_owed)
        drive_note(loop, "header", header.position, status != FB_OK ? -EIO : 0);
    if (is_owed && status == FB_OK)
        drive_sync(work);
    else
        work_end(work, is_owed ? status : FB_OK, 0);
}

static void drive_done(struct fb_io *io, int32_t result)
{
    struct work *work = FB_CONTAINER(io, struct work, io);
    bool is_read = work->op.kind == FB_OP_READ, is_write = work->op.kind == FB_OP_WRITE;
    if (result == -EINTR || result == -EAGAIN) {
        bytes_start(work);
        return;
    }
    work->moved += result > 0 ? (uint64_t)result : 0;
    bool is_whole = !(is_read || is_write) || work->moved >= work->op.span.size;
    if (result == 0 && !is_whole)
        result = -EIO; /* the device is shorter than it was */
    if (result < 0)
        drive_note(work->loop, is_read ? "read" : "write", work->op.source.offset, result);
    enum fb_status status = result < 0 ? drive_status(result) : FB_OK;
    if (status == FB_OK && !is_whole)
        bytes_start(work);
    else if (is_write)
        write_part_done(work, DRIVE_BYTES, status);
    else
        work_end(work, status, 0);
}

/* The op's memory and device spans, whole pages; after a short transfer the rest of them. */
static void bytes_start(struct work *work)
{
    struct fb_loop *loop = work->loop;
    uint64_t size = fb_drive_round(work->op.span.size);
    FB_ASSERT(work->moved <= size);
    const struct fb_bytes part = {.at = work->bytes.at + work->moved, .size = size - work->moved};
    uint64_t offset = loop->headers.layout.space + work->op.source.offset;
    fb_io_init(&work->io, drive_done);
    if (work->op.kind == FB_OP_READ)
        fb_uring_read(&loop->uring, &work->io, loop->drive.file, part, offset + work->moved);
    else if (work->op.kind == FB_OP_WRITE)
        fb_uring_write(&loop->uring, &work->io, loop->drive.file, part, offset + work->moved);
    else
        fb_uring_discard(&loop->uring, &work->io, loop->drive.file, offset, size);
}

/* A block that will be owed is not written without the name that it is stored under. */
static void name_start(struct work *work)
{
    struct fb_loop *loop = work->loop;
    const struct fb_object *object = fb_objects_find(&loop->objects, work->op.block.object);
    work->status = object == NULL
                       ? FB_IO
                       : fb_headers_name_put(&loop->headers, work->op.source.offset, object);
    if (work->status != FB_OK)
        return;
    work->drive_open |= DRIVE_NAME;
    drive_sync(work);
}

void drive_start(struct work *work)
{
    bool is_write = work->op.kind == FB_OP_WRITE;
    work->drive_open = is_write ? DRIVE_BYTES : 0;
    work->status = FB_OK;
    if (is_write && work->op.header_state == FB_HEADER_OWED)
        name_start(work);
    if (work->op.kind == FB_OP_FLUSH)
        drive_sync(work);
    else
        bytes_start(work);
}

/* An owed block is handed over with its object's name. Where all names are taken by objects that
 * clients have open or that are owed, it waits for one of them. */
static void scan_done(struct fb_io *io, int32_t result)
{
    struct work *work = FB_CONTAINER(io, struct work, io);
    struct fb_loop *loop = work->loop;
    struct fb_event event = {.kind = FB_EVENT_DONE, .done = {.op_id = work->op.op_id}};
    struct fb_object object;
    if (result == -ECANCELED)
        return;
    FB_ASSERT(work->op.kind == FB_OP_SCAN);
    fb_headers_scan(&loop->headers, work->op.source.offset, &event.done);
    const struct fb_header *header = &event.done.header;
    if (event.done.status == FB_OK && header->state == FB_HEADER_OWED) {
        if (fb_headers_name(&loop->headers, header, &object) != FB_HEADER_NAME_FINE)
            fb_log(FB_LOG_ERROR, "name_lost", "object=%llx offset=%llu",
                   (unsigned long long)header->object, (unsigned long long)header->offset);
        else if (fb_objects_add(&loop->objects, &object) == NULL)
            event.done.status = FB_BUSY;
        else
            fb_objects_owe(&loop->objects, object.handle, loop->feed.now_ns);
    }
    work_free(work);
    loop_event(loop, &event);
}

void drive_sweep(struct fb_loop *loop)
{
    struct fb_drive_file *drive = &loop->drive;
    int before = fb_anchor_fault(&drive->anchor);
    if (drive->file < 0 || loop->feed.now_ns < drive->look_ns)
        return;
    drive->look_ns = loop->feed.now_ns + look_pause_ns;
    int fault = fb_anchor_look(&drive->anchor);
    if (fault != 0)
        drive->error = fault;
    else if (before != 0)
        drive->error = 0;
}

void drive_scan(struct work *work)
{
    fb_io_init(&work->io, scan_done);
    fb_uring_nothing(&work->loop->uring, &work->io);
}
