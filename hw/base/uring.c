/* See uring.h. user_data is the address of the operation's fb_io, whose magic is checked; 0: nobody
 * is to be told. The ring is used by one thread (SINGLE_ISSUER) and the kernel's part of the work
 * is done when that thread waits (DEFER_TASKRUN), so that it is never interrupted. */
#include "hw/base/uring.h"

#include "core/panic.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { COMPLETIONS_AT_ONCE = 64 };

int fb_uring_open(struct fb_uring *uring, uint32_t entries)
{
    memset(uring, 0, sizeof(*uring));
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
        .cq_entries = 4 * entries};
    int code = io_uring_queue_init_params(entries, &uring->ring, &parameters);
    if (code == -EINVAL) { /* before 6.1 */
        parameters =
            (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = 4 * entries};
        code = io_uring_queue_init_params(entries, &uring->ring, &parameters);
    }
    return code;
}

void fb_uring_close(struct fb_uring *uring)
{
    struct io_uring_sync_cancel_reg all = {.flags =
                                               IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY,
                                           .timeout = {.tv_sec = -1, .tv_nsec = -1}};
    (void)io_uring_register_sync_cancel(&uring->ring, &all); /* from 6.0 on */
    io_uring_queue_exit(&uring->ring);
}

int fb_uring_register(struct fb_uring *uring, struct fb_bytes bytes, uint64_t slice_bytes)
{
    enum { SLICES_MAX = 1024 };
    struct iovec slices[SLICES_MAX];
    uint32_t count = 0;
    FB_ASSERT(slice_bytes > 0);
    for (uint64_t at = 0; at < bytes.size; at += slice_bytes) {
        if (count == SLICES_MAX)
            return -E2BIG;
        uint64_t left = bytes.size - at;
        slices[count++] = (struct iovec){.iov_base = bytes.at + at,
                                         .iov_len = left < slice_bytes ? left : slice_bytes};
    }
    int code = io_uring_register_buffers(&uring->ring, slices, count);
    if (code != 0)
        return code;
    uring->registered = bytes;
    uring->slice_bytes = slice_bytes;
    return 0;
}

void fb_io_init(struct fb_io *io, fb_io_done *done)
{
    *io = (struct fb_io){.magic = FB_IO_MAGIC, .done = done};
}

static struct io_uring_sqe *entry_take(struct fb_uring *uring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
    while (entry == NULL) {
        int code = io_uring_submit(&uring->ring);
        FB_ASSERT(code >= 0 || code == -EINTR || code == -EAGAIN || code == -EBUSY);
        entry = io_uring_get_sqe(&uring->ring);
    }
    return entry;
}

static void entry_start(struct io_uring_sqe *entry, struct fb_io *io)
{
    FB_ASSERT(io->magic == FB_IO_MAGIC);
    FB_ASSERT(!io->is_pending);
    io->is_pending = 1;
    io_uring_sqe_set_data(entry, io);
}

/* Index of the registered buffer that holds all of bytes; -1: none. */
static int registered_index(const struct fb_uring *uring, struct fb_bytes bytes)
{
    const struct fb_bytes *all = &uring->registered;
    if (all->size == 0 || bytes.at < all->at || bytes.at + bytes.size > all->at + all->size)
        return -1;
    uint64_t offset = (uint64_t)(bytes.at - all->at);
    uint64_t first = offset / uring->slice_bytes;
    uint64_t last = (offset + bytes.size - 1) / uring->slice_bytes;
    return first == last ? (int)first : -1;
}

void fb_uring_read(struct fb_uring *uring, struct fb_io *io, int file, struct fb_bytes bytes,
                   uint64_t offset)
{
    struct io_uring_sqe *entry = entry_take(uring);
    int index = registered_index(uring, bytes);
    FB_ASSERT(bytes.size > 0 && bytes.size <= INT32_MAX);
    if (index >= 0)
        io_uring_prep_read_fixed(entry, file, bytes.at, (unsigned)bytes.size, offset, index);
    else
        io_uring_prep_read(entry, file, bytes.at, (unsigned)bytes.size, offset);
    entry_start(entry, io);
}

void fb_uring_write(struct fb_uring *uring, struct fb_io *io, int file, struct fb_bytes bytes,
                    uint64_t offset)
{
    struct io_uring_sqe *entry = entry_take(uring);
    int index = registered_index(uring, bytes);
    FB_ASSERT(bytes.size > 0 && bytes.size <= INT32_MAX);
    if (index >= 0)
        io_uring_prep_write_fixed(entry, file, bytes.at, (unsigned)bytes.size, offset, index);
    else
        io_uring_prep_write(entry, file, bytes.at, (unsigned)bytes.size, offset);
    entry_start(entry, io);
}

void fb_uring_sync(struct fb_uring *uring, struct fb_io *io, int file)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_fsync(entry, file, IORING_FSYNC_DATASYNC);
    entry_start(entry, io);
}

void fb_uring_discard(struct fb_uring *uring, struct fb_io *io, int file, uint64_t offset,
                      uint64_t size)
{
    enum { PUNCH_HOLE_KEEP_SIZE = 3 }; /* FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE */
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_fallocate(entry, file, PUNCH_HOLE_KEEP_SIZE, (off_t)offset, (off_t)size);
    entry_start(entry, io);
}

void fb_uring_receive(struct fb_uring *uring, struct fb_io *io, int socket, struct fb_bytes bytes,
                      int flags)
{
    struct io_uring_sqe *entry = entry_take(uring);
    FB_ASSERT(bytes.size > 0);
    io_uring_prep_recv(entry, socket, bytes.at, bytes.size, flags);
    entry_start(entry, io);
}

void fb_uring_receive_parts(struct fb_uring *uring, struct fb_io *io, int socket,
                            struct msghdr *parts, int flags)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_recvmsg(entry, socket, parts, (unsigned)flags);
    entry_start(entry, io);
}

void fb_uring_send(struct fb_uring *uring, struct fb_io *io, int socket, struct fb_bytes bytes,
                   int flags)
{
    struct io_uring_sqe *entry = entry_take(uring);
    FB_ASSERT(bytes.size > 0);
    io_uring_prep_send(entry, socket, bytes.at, bytes.size, flags | MSG_NOSIGNAL);
    entry_start(entry, io);
}

void fb_uring_send_parts(struct fb_uring *uring, struct fb_io *io, int socket,
                         const struct msghdr *parts)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_sendmsg(entry, socket, parts, MSG_NOSIGNAL | MSG_WAITALL);
    entry_start(entry, io);
}

void fb_uring_accept(struct fb_uring *uring, struct fb_io *io, int socket)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_accept(entry, socket, NULL, NULL, SOCK_CLOEXEC);
    entry_start(entry, io);
}

void fb_uring_connect(struct fb_uring *uring, struct fb_io *io, int socket,
                      const struct sockaddr_storage *address)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_connect(entry, socket, (const struct sockaddr *)address, sizeof(*address));
    entry_start(entry, io);
}

void fb_uring_nothing(struct fb_uring *uring, struct fb_io *io)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_nop(entry);
    entry_start(entry, io);
}

void fb_uring_poll(struct fb_uring *uring, struct fb_io *io, int file)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_poll_add(entry, file, POLLIN);
    entry_start(entry, io);
}

void fb_uring_poll_write(struct fb_uring *uring, struct fb_io *io, int file)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_poll_add(entry, file, POLLOUT);
    entry_start(entry, io);
}

void fb_uring_open_below(struct fb_uring *uring, struct fb_io *io, int folder, const char *path,
                         struct open_how *how)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_openat2(entry, folder, path, how);
    entry_start(entry, io);
}

void fb_uring_stat(struct fb_uring *uring, struct fb_io *io, int file, struct statx *facts)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_statx(entry, file, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
                        facts);
    entry_start(entry, io);
}

void fb_uring_pause(struct fb_uring *uring, struct fb_io *io, struct __kernel_timespec *patience)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_timeout(entry, patience, 0, 0);
    entry_start(entry, io);
}

void fb_uring_close_file(struct fb_uring *uring, int file)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_close(entry, file);
    io_uring_sqe_set_data(entry, NULL);
}

void fb_uring_close_apart(struct fb_uring *uring, int file)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_close(entry, file);
    io_uring_sqe_set_data(entry, NULL);
    entry->flags |= IOSQE_ASYNC;
}

void fb_uring_cancel(struct fb_uring *uring, struct fb_io *io)
{
    struct io_uring_sqe *entry = entry_take(uring);
    FB_ASSERT(io->magic == FB_IO_MAGIC);
    io_uring_prep_cancel(entry, io, 0);
    io_uring_sqe_set_data(entry, NULL);
}

static void completions_handle(struct fb_uring *uring)
{
    struct io_uring_cqe *entries[COMPLETIONS_AT_ONCE];
    for (;;) {
        unsigned count = io_uring_peek_batch_cqe(&uring->ring, entries, COMPLETIONS_AT_ONCE);
        if (count == 0)
            return;
        for (unsigned i = 0; i < count; i++) {
            struct fb_io *io = io_uring_cqe_get_data(entries[i]);
            if (io == NULL)
                continue;
            FB_ASSERT(io->magic == FB_IO_MAGIC);
            FB_ASSERT(io->is_pending);
            io->is_pending = 0;
            uring->completions++;
            io->done(io, entries[i]->res);
        }
        io_uring_cq_advance(&uring->ring, count);
    }
}

/* Would the kernel have anything to do for us now? */
static bool is_quiet(struct fb_uring *uring)
{
    bool has_flags = uring->ring.flags & IORING_SETUP_TASKRUN_FLAG;
    return has_flags && io_uring_sq_ready(&uring->ring) == 0 &&
           io_uring_cq_ready(&uring->ring) == 0 &&
           !(IO_URING_READ_ONCE(*uring->ring.sq.kflags) &
             (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

int fb_uring_wait(struct fb_uring *uring, uint64_t timeout_ns)
{
    struct io_uring_cqe *entry;
    int code;
    if (timeout_ns == 0 && is_quiet(uring))
        return 0;
    if (timeout_ns == 0) {
        code = io_uring_submit_and_get_events(&uring->ring);
    } else {
        struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / 1000000000u),
                                            .tv_nsec = (long long)(timeout_ns % 1000000000u)};
        code = io_uring_submit_and_wait_timeout(&uring->ring, &entry, 1,
                                                timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    }
    if (code < 0 && code != -ETIME && code != -EINTR && code != -EAGAIN && code != -EBUSY)
        return code;
    completions_handle(uring);
    return 0;
}
