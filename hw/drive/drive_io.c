/* See drive_io.h. */
#include "hw/drive/drive_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int fb_drive_io_open(const char *path)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    return file < 0 ? -errno : file;
}

void fb_drive_io_close(int file)
{
    close(file);
}

int fb_drive_io_read(int file, void *bytes, uint64_t size_bytes, uint64_t offset)
{
    for (uint64_t at = 0; at < size_bytes;) {
        ssize_t part = pread(file, (char *)bytes + at, size_bytes - at, (off_t)(offset + at));
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        at += (uint64_t)part;
    }
    return 0;
}

int fb_drive_io_write(int file, const void *bytes, uint64_t size_bytes, uint64_t offset)
{
    for (uint64_t at = 0; at < size_bytes;) {
        ssize_t part =
            pwrite(file, (const char *)bytes + at, size_bytes - at, (off_t)(offset + at));
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        at += (uint64_t)part;
    }
    return 0;
}

int fb_drive_io_sync(int file)
{
    return fsync(file) == 0 ? 0 : -errno;
}

static bool is_block_device(int file)
{
    struct stat facts;
    return fstat(file, &facts) == 0 && S_ISBLK(facts.st_mode);
}

int fb_drive_io_size(int file, uint64_t *size_bytes)
{
    struct stat facts;
    if (is_block_device(file))
        return ioctl(file, BLKGETSIZE64, size_bytes) == 0 ? 0 : -errno;
    if (fstat(file, &facts) != 0)
        return -errno;
    *size_bytes = (uint64_t)facts.st_size;
    return 0;
}

int fb_drive_io_grow(int file, uint64_t size_bytes, uint64_t *have_bytes)
{
    struct stat facts;
    struct statvfs space;
    int code = fb_drive_io_size(file, have_bytes);
    if (code != 0 || is_block_device(file))
        return code != 0 ? code : *have_bytes < size_bytes ? -ENOSPC : 0;
    if (fstat(file, &facts) != 0 || fstatvfs(file, &space) != 0)
        return -errno;
    *have_bytes = (uint64_t)facts.st_blocks * 512 + (uint64_t)space.f_bavail * space.f_frsize;
    /* Looked at first: an allocation that fails has filled the file system by then. */
    code = *have_bytes < size_bytes ? ENOSPC : posix_fallocate(file, 0, (off_t)size_bytes);
    if (code == EOPNOTSUPP || code == EINVAL)
        code = ftruncate(file, (off_t)size_bytes) == 0 ? 0 : errno;
    return -code;
}
