/* See drive.h. */
#include "hw/drive/drive.h"

#include "hw/base/log.h"
#include "hw/base/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

uint64_t fb_drive_round(uint64_t size)
{
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Looked at before it is opened, which changes the state of some devices. */
static void kind_check(const struct fb_settings *settings, bool *is_block, struct fb_error *error)
{
    struct stat facts;
    *is_block = false;
    if (stat(settings->device_path, &facts) != 0)
        return; /* opening it says why, or makes it */
    *is_block = S_ISBLK(facts.st_mode);
    if (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode))
        fb_error_set(error, "device.path %s is a %s: name a file or a block device",
                     settings->device_path,
                     S_ISDIR(facts.st_mode)    ? "folder"
                     : S_ISFIFO(facts.st_mode) ? "FIFO"
                     : S_ISSOCK(facts.st_mode) ? "socket"
                                               : "character device");
}

static void open_fault(const struct fb_settings *settings, bool is_block, int code,
                       struct fb_error *error)
{
    if (is_block && code == EBUSY)
        fb_error_set(error,
                     "device.path %s is in use: it is mounted, or held by another program: give "
                     "the daemon a device of its own",
                     settings->device_path);
    else
        fb_error_set(error, "device.path %s: %s: check the folder and its permissions",
                     settings->device_path, strerror(code));
}

/* Two daemons on one device would destroy each other's blocks. */
static void lock_take(int file, const struct fb_settings *settings, struct fb_error *error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct fb_patience patience = {.naps = 0};
    int locked;
    do {
        locked = fcntl(file, F_OFD_SETLK, &lock);
    } while (locked != 0 && (errno == EAGAIN || errno == EACCES) && fb_patience_nap(&patience));
    if (locked == 0)
        return;
    if (errno == EAGAIN || errno == EACCES)
        fb_error_set(error, "device.path %s is in use by another forebayd: give each its own",
                     settings->device_path);
    else
        fb_error_set(error, "device.path %s cannot be locked: %s", settings->device_path,
                     strerror(errno));
}

void fb_drive_open(struct fb_drive_file *drive, const struct fb_settings *settings,
                   struct fb_error *error)
{
    enum { OWNER_ONLY = 0600 };
    bool is_block = false;
    *drive = (struct fb_drive_file){.file = -1};
    if (settings->device_path[0] == '\0')
        return;
    kind_check(settings, &is_block, error);
    if (fb_error_is_set(error))
        return;
    /* O_EXCL on a block device: nobody has mounted it. */
    int flags = O_RDWR | O_CLOEXEC | (is_block ? O_EXCL : O_CREAT);
    int file = open(settings->device_path, flags | O_DIRECT, OWNER_ONLY);
    drive->is_direct = file >= 0;
    if (file < 0 && errno == EINVAL) {
        file = open(settings->device_path, flags, OWNER_ONLY);
        fb_log(FB_LOG_WARNING, "device_not_direct",
               "remedy=\"put device.path on a file system with O_DIRECT, such as ext4 or xfs\"");
    }
    if (file < 0) {
        open_fault(settings, is_block, errno, error);
        return;
    }
    lock_take(file, settings, error);
    drive->file = file;
    fb_anchor_set(&drive->anchor, "device.path", settings->device_path, file);
    if (fb_error_is_set(error))
        fb_drive_close(drive);
}

bool fb_drive_try(const struct fb_settings *settings, bool *is_busy, struct fb_error *error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool is_block = false;
    *is_busy = false;
    kind_check(settings, &is_block, error);
    if (fb_error_is_set(error))
        return false;
    int file = open(settings->device_path, O_RDWR | O_CLOEXEC | (is_block ? O_EXCL : 0));
    if (file < 0 && errno != ENOENT) {
        *is_busy = is_block && errno == EBUSY;
        open_fault(settings, is_block, errno, error);
    }
    if (file < 0)
        return false;
    *is_busy = fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(file);
    return true;
}

bool fb_drive_is_same(const struct fb_drive_file *drive, int file)
{
    struct stat one, other;
    return fstat(drive->file, &one) == 0 && fstat(file, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

void fb_drive_close(struct fb_drive_file *drive)
{
    if (drive->file >= 0)
        close(drive->file);
    drive->anchor.setting = NULL;
    drive->file = -1;
}
