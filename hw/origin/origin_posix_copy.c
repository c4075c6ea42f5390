/* Bytes from file to file: shared extents where the file system can, moved by the kernel where it
 * will, else read and written: between file systems of several kinds it says EXDEV. */
#include "core/panic.h"
#include "hw/origin/origin_posix.h"

#include <errno.h>
#include <unistd.h>

enum { STEP_BYTES = 64 * 1024 };

int posix_write(int file, struct fb_bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.at, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        bytes.at += written;
        bytes.size -= (uint64_t)written;
    }
    return 0;
}

static int copy_plain(int from, int to, uint64_t size)
{
    unsigned char bytes[STEP_BYTES];
    int code = 0;
    while (code == 0 && size > 0) {
        ssize_t count = read(from, bytes, size < sizeof(bytes) ? (size_t)size : sizeof(bytes));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? -errno : -EIO; /* it is shorter than it was */
        code = posix_write(to, (struct fb_bytes){.at = bytes, .size = (uint64_t)count});
        size -= (uint64_t)count;
    }
    return code;
}

int posix_copy(int from, int to, uint64_t size)
{
    FB_ASSERT(from >= 0 && to >= 0);
    while (size > 0) {
        ssize_t copied = copy_file_range(from, NULL, to, NULL, size, 0);
        bool is_unable = copied == 0 || (copied < 0 && (errno == EXDEV || errno == EINVAL ||
                                                        errno == ENOSYS || errno == EOPNOTSUPP));
        if (copied < 0 && errno == EINTR)
            continue;
        if (is_unable)
            return copy_plain(from, to, size);
        if (copied < 0)
            return -errno;
        size -= (uint64_t)copied;
    }
    return 0;
}
