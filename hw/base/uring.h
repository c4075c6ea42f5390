/* io_uring as "start this, then call that": each operation belongs to a struct fb_io, which the
 * caller embeds in what the operation is about and which must live until its completion.
 *
 *  1. Every started operation ends in exactly one call of done, never from within the start.
 *  2. All calls come from one thread, the one that opened the ring.
 *  3. Reads and writes of registered memory use fixed buffers when the kernel let us register it.
 * Does not retry short reads and writes: done sees what the kernel answered, or -errno. */
#ifndef FB_HW_BASE_URING_H
#define FB_HW_BASE_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct fb_io;

/* result: bytes, descriptor or 0; negative: -errno. */
typedef void fb_io_done(struct fb_io *io, int32_t result);

/* Marks a struct fb_io that was made by fb_io_init. */
enum { FB_IO_MAGIC = 0x66620101 };

/* An operation, one at a time. */
struct fb_io {
    uint32_t magic;
    uint32_t is_pending;
    fb_io_done *done;
};

/* Bytes of the registered memory. */
struct fb_bytes {
    unsigned char *at;
    uint64_t size;
};

/* A ring of the kernel's, of one thread. */
struct fb_uring {
    struct io_uring ring;
    struct fb_bytes registered; /* size 0: nothing is registered */
    uint64_t slice_bytes;       /* registered buffer i begins at i * slice_bytes */
    uint64_t completions;
};

/* Makes a ring of so many entries. Errors: -errno. */
int fb_uring_open(struct fb_uring *uring, uint32_t entries);

/* Ends what is still in flight without calling done. */
void fb_uring_close(struct fb_uring *uring);

/* Registers the memory in slices of slice_bytes, at most 1 GiB each. Errors: -errno, then reads and
 * writes use ordinary buffers. */
int fb_uring_register(struct fb_uring *uring, struct fb_bytes bytes, uint64_t slice_bytes);

/* Before its first operation, and whenever another is to be called. */
void fb_io_init(struct fb_io *io, fb_io_done *done);

/* Bytes must live until done. */
void fb_uring_read(struct fb_uring *uring, struct fb_io *io, int file, struct fb_bytes bytes,
                   uint64_t offset);
/* The same, written. */
void fb_uring_write(struct fb_uring *uring, struct fb_io *io, int file, struct fb_bytes bytes,
                    uint64_t offset);
/* What was written before is on the drive (fdatasync). */
void fb_uring_sync(struct fb_uring *uring, struct fb_io *io, int file);
/* Frees room of a file, or tells a device that it is not used; its size stays. */
void fb_uring_discard(struct fb_uring *uring, struct fb_io *io, int file, uint64_t offset,
                      uint64_t size);
/* Receives some bytes, 1 at least; result 0: the other has ended. flags: of recv. */
void fb_uring_receive(struct fb_uring *uring, struct fb_io *io, int socket, struct fb_bytes bytes,
                      int flags);
/* parts: the caller's, until done. */
void fb_uring_receive_parts(struct fb_uring *uring, struct fb_io *io, int socket,
                            struct msghdr *parts, int flags);
/* Sends some of the bytes; flags: of send. Nobody gets SIGPIPE. */
void fb_uring_send(struct fb_uring *uring, struct fb_io *io, int socket, struct fb_bytes bytes,
                   int flags);
/* Sends all parts, the caller's until done. */
void fb_uring_send_parts(struct fb_uring *uring, struct fb_io *io, int socket,
                         const struct msghdr *parts);
/* Accepts one connection; result: its descriptor, closed on exec. */
void fb_uring_accept(struct fb_uring *uring, struct fb_io *io, int socket);
/* Connects; the address is the caller's until done. */
void fb_uring_connect(struct fb_uring *uring, struct fb_io *io, int socket,
                      const struct sockaddr_storage *address);

/* Ends at once: for what must be told later though it is known now. */
void fb_uring_nothing(struct fb_uring *uring, struct fb_io *io);

/* Waits until a descriptor can be read; or written. */
void fb_uring_poll(struct fb_uring *uring, struct fb_io *io, int file);
/* Waits until a descriptor can be written. */
void fb_uring_poll_write(struct fb_uring *uring, struct fb_io *io, int file);

/* Opens a path below a folder; no symbolic link may lead out of it. how: the caller's, until done.
 */
void fb_uring_open_below(struct fb_uring *uring, struct fb_io *io, int folder, const char *path,
                         struct open_how *how);
/* Facts about an open descriptor; facts: the caller's, until done. */
void fb_uring_stat(struct fb_uring *uring, struct fb_io *io, int file, struct statx *facts);
/* Closes a descriptor; nobody is told. */
void fb_uring_close_file(struct fb_uring *uring, int file);
/* The same by a thread of the kernel's: closing it may wait. */
void fb_uring_close_apart(struct fb_uring *uring, int file);

/* Ends after some time, with -ETIME; patience: the caller's, until done. */
void fb_uring_pause(struct fb_uring *uring, struct fb_io *io, struct __kernel_timespec *patience);

/* Asks the kernel to end an operation early; done is still called. */
void fb_uring_cancel(struct fb_uring *uring, struct fb_io *io);

/* Submits what was started, waits up to timeout_ns for a completion (0: not at all; UINT64_MAX:
 * without end) and calls done of all that have ended. Errors: -errno. */
int fb_uring_wait(struct fb_uring *uring, uint64_t timeout_ns);

#endif
