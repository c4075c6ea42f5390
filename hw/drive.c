/* See drive.h. */
#include "hw/drive.h"

#include "hw/headers.h"
#include "hw/log.h"
#include "hw/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

uint64_t fb_drive_round(uint64_t size)
{
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Makes sure that a file or block device has room for the whole tier. */
static void room_check(int file, const struct fb_settings *settings, struct fb_error *error)
{
    struct stat facts;
    const struct fb_config *core = &settings->core;
    uint64_t want = core->device_size_bytes, have = 0;
    want += fb_headers_size_bytes(core->device_size_bytes, core->block_size_bytes);
    if (fstat(file, &facts) == 0 && S_ISBLK(facts.st_mode)) {
        if (ioctl(file, BLKGETSIZE64, &have) == 0 && have < want)
            fb_error_set(error,
                         "device.path %s holds %llu bytes, and %llu are needed with the headers: "
                         "lower core.device_size",
                         settings->device_path, (unsigned long long)have, (unsigned long long)want);
        return;
    }
    struct statvfs space;
    if (fstatvfs(file, &space) == 0)
        have = (uint64_t)facts.st_blocks * 512 + (uint64_t)space.f_bavail * space.f_frsize;
    /* Looked at first: an allocation that fails has filled the file system by then. */
    int code = have < want ? ENOSPC : posix_fallocate(file, 0, (off_t)want);
    if (code == EOPNOTSUPP || code == EINVAL)
        code = ftruncate(file, (off_t)want) == 0 ? 0 : errno;
    if (code != 0)
        fb_error_set(error,
                     "device.path %s: no room for %llu bytes: %s: lower core.device_size "
                     "or make room",
                     settings->device_path, (unsigned long long)want, strerror(code));
}

void fb_drive_open(struct fb_drive_file *drive, const struct fb_settings *settings,
                   struct fb_error *error)
{
    enum { OWNER_ONLY = 0600 };
    *drive = (struct fb_drive_file){.file = -1};
    if (settings->device_path[0] == '\0')
        return;
    int flags = O_RDWR | O_CREAT | O_CLOEXEC;
    int file = open(settings->device_path, flags | O_DIRECT, OWNER_ONLY);
    drive->is_direct = file >= 0;
    if (file < 0 && errno == EINVAL) {
        file = open(settings->device_path, flags, OWNER_ONLY);
        fb_log(FB_LOG_WARNING, "device_not_direct",
               "remedy=\"put device.path on a file system with O_DIRECT, such as ext4 or xfs\"");
    }
    if (file < 0) {
        fb_error_set(error, "device.path %s: %s: check the folder and its permissions",
                     settings->device_path, strerror(errno));
        return;
    }
    /* Two daemons on one device would destroy each other's blocks. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct fb_patience patience = {.naps = 0};
    int locked;
    do {
        locked = fcntl(file, F_OFD_SETLK, &lock);
    } while (locked != 0 && fb_patience_nap(&patience));
    if (locked != 0)
        fb_error_set(error, "device.path %s is in use by another forebayd: give each its own",
                     settings->device_path);
    else
        room_check(file, settings, error);
    drive->file = file;
    if (fb_error_is_set(error))
        fb_drive_close(drive);
}

void fb_drive_close(struct fb_drive_file *drive)
{
    if (drive->file >= 0)
        close(drive->file);
    drive->file = -1;
}
