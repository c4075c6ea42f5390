/* A file of several names stays one: a commit replaces its bytes where they are. While that goes on
 * the old version is gone and the new one is not there, so whoever dies in it leaves a mark:
 *
 *     .forebay-parts/rewrite.INODE/  whole    the new version: bytes, size, time of change
 *                                    target   another name of the file
 *                                    name     the name that was committed
 *
 *     MARK, room is reserved --> COPY from whole --> size, time, synced --> UNMARK
 *
 *  1. `whole` is there before the first byte is replaced, synced with its folder, until the last
 *     is. While it is there the file is neither version: our own reads, commits and removals of a
 *     file of several names look for it first, and copy it once more. That can be repeated, and
 *     done by any daemon; the lock of the inode keeps them apart.
 *  2. `target` reaches the file whatever becomes of its names, and keeps it one of several, so that
 *     it is looked for. Where links do not reach (another file system) `name` does, if it is that
 *     inode still.
 *  3. No room is told before the first byte: then the file keeps its version and time. What fails
 *     later stays marked, is BUSY to all, and is tried again, also by collectors and at a start.
 *  4. What is copied once more covers what a stranger wrote into the torn file since. */
#include "core/panic.h"
#include "hw/base/log.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MARK_START "rewrite."

enum { PRIVATE_FOLDER = 0700, PRIVATE_FILE = 0600, SECTOR_BYTES = 512 };

/* guess: longer than a second look takes, shorter than a program gives up. */
static const uint64_t settle_patience_ns = 300000000, mend_patience_ns = UINT64_C(3000000000);

static uint64_t key_of(const struct posix_origin *posix, uint64_t inode)
{
    return posix->has_inodes ? inode : 0;
}

static void mark_name(uint64_t key, char name[POSIX_OWN_BYTES])
{
    snprintf(name, POSIX_OWN_BYTES, MARK_START "%016" PRIx64, key);
}

void posix_rewrite_path(const struct posix_origin *posix, const struct statx *facts, char *path)
{
    snprintf(path, 64, FB_OBJECT_PARTS "/" MARK_START "%016" PRIx64 "/whole",
             key_of(posix, facts->stx_ino));
}

/* `whole` goes for good before what it is done with. Errors: -errno. */
static int mark_drop(int parts, uint64_t key, int mark)
{
    char name[POSIX_OWN_BYTES];
    mark_name(key, name);
    unlinkat(mark, "target", 0);
    unlinkat(mark, "whole", 0);
    int code = posix_folder_sync(mark);
    if (code != 0)
        return code;
    unlinkat(mark, "name", 0);
    unlinkat(parts, name, AT_REMOVEDIR);
    return 0;
}

static int text_put(int folder, const char *text)
{
    int file =
        openat(folder, "name", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, PRIVATE_FILE);
    if (file < 0)
        return -errno;
    struct fb_bytes bytes = {.at = (unsigned char *)(uintptr_t)text, .size = strlen(text)};
    int code = posix_write(file, bytes);
    if (code == 0 && fsync(file) != 0)
        code = -errno;
    close(file);
    return code;
}

/* Another name for the very file; without, its own will do. */
static void target_link(const struct posix_rewrite *rewrite, int mark, const struct stat *target)
{
    struct stat facts;
    unlinkat(mark, "target", 0);
    bool is_linked = linkat(rewrite->folder, rewrite->base, mark, "target", 0) == 0;
    bool is_same = is_linked && fstatat(mark, "target", &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
                   facts.st_ino == target->st_ino && facts.st_dev == target->st_dev;
    if (is_linked && !is_same)
        unlinkat(mark, "target", 0);
}

/* From here on the file is torn. Returns the mark's folder. Errors: -errno. */
static int mark_put(int parts, uint64_t key, const struct posix_rewrite *rewrite,
                    const struct stat *target)
{
    char name[POSIX_OWN_BYTES];
    mark_name(key, name);
    if (mkdirat(parts, name, PRIVATE_FOLDER) != 0 && errno != EEXIST)
        return -errno;
    int mark = posix_own_open(parts, name);
    int code = mark < 0 ? mark : text_put(mark, rewrite->object->name);
    if (code == 0)
        target_link(rewrite, mark, target);
    if (code == 0 && (fsync(mark) != 0 || fsync(parts) != 0))
        code = -errno;
    if (code == 0 && renameat(rewrite->blocks, rewrite->from, mark, "whole") != 0)
        code = -errno;
    if (code == 0 && fsync(mark) != 0)
        code = -errno;
    if (code != 0 && mark >= 0) {
        (void)mark_drop(parts, key, mark);
        close(mark);
    }
    return code != 0 ? code : mark;
}

/* Room for all of it, where the file system can say so before; else what it says is free. */
static int room_take(int target, const struct stat *facts, uint64_t size)
{
    struct statvfs space;
    if (size == 0 || fallocate(target, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0)
        return 0;
    int code = -errno;
    if (code != -EOPNOTSUPP && code != -ENOSYS) {
        (void)fallocate(target, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, facts->st_size,
                        (off_t)size);
        return code;
    }
    uint64_t has = (uint64_t)facts->st_blocks * SECTOR_BYTES;
    bool is_short = size > has && fstatvfs(target, &space) == 0 && space.f_blocks > 0 &&
                    (uint64_t)space.f_bavail * space.f_frsize < size - has;
    return is_short ? -ENOSPC : 0;
}

static int bytes_replace(int whole, int target)
{
    struct stat facts;
    if (fstat(whole, &facts) != 0 || lseek(whole, 0, SEEK_SET) != 0 ||
        lseek(target, 0, SEEK_SET) != 0)
        return -errno;
    int code = posix_copy(whole, target, (uint64_t)facts.st_size);
    const struct timespec times[2] = {facts.st_atim, facts.st_mtim};
    if (code == 0 && (ftruncate(target, facts.st_size) != 0 || futimens(target, times) != 0 ||
                      fsync(target) != 0))
        code = -errno;
    return code;
}

/* By its name, if that is the inode still. Errors: -errno; -ENOENT: it is not. */
static int target_by_name(struct posix_origin *posix, int mark, uint64_t key)
{
    char name[FB_OBJECT_NAME_MAX + 1] = "";
    struct stat facts;
    int file = openat(mark, "name", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = file >= 0 ? read(file, name, sizeof(name) - 1) : -1;
    if (file >= 0)
        close(file);
    if (length <= 0 || !fb_object_name_is_fine(name, (uint32_t)length))
        return -ENOENT;
    int folder = posix_parent_open(posix->root, name);
    if (folder < 0)
        return folder;
    int target =
        openat(folder, posix_base_of(name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int code = target < 0 || fstat(target, &facts) != 0 ? -errno : 0;
    close(folder);
    if (code == 0 && (!S_ISREG(facts.st_mode) || key_of(posix, facts.st_ino) != key))
        code = -ENOENT;
    if (code != 0 && target >= 0)
        close(target);
    return code != 0 ? code : target;
}

/* The inode is locked. A file that is not there any more needs nothing. */
static int mark_finish(struct posix_origin *posix, int parts, uint64_t key)
{
    char name[POSIX_OWN_BYTES];
    mark_name(key, name);
    int mark = posix_own_open(parts, name);
    if (mark < 0)
        return mark == -ENOENT ? 0 : mark;
    int whole = openat(mark, "whole", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_begun = whole >= 0 || errno != ENOENT;
    int target = is_begun ? openat(mark, "target", O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (is_begun && target < 0)
        target = errno == ENOENT ? target_by_name(posix, mark, key) : -errno;
    bool is_over = !is_begun || target == -ENOENT || target == -ENOTDIR;
    int code = is_over ? 0 : target < 0 ? target : whole < 0 ? -EIO : bytes_replace(whole, target);
    if (code == 0)
        code = mark_drop(parts, key, mark);
    if (whole >= 0)
        close(whole);
    if (target >= 0)
        close(target);
    close(mark);
    if (code != 0)
        fb_log(FB_LOG_WARNING, "origin_rewrite_unfinished", "inode=%" PRIu64 " reason=\"%s\"", key,
               strerror(-code));
    else if (is_begun)
        fb_log(FB_LOG_INFO, "origin_rewrite_finished", "inode=%" PRIu64, key);
    return code == 0 ? 0 : -EAGAIN;
}

/* Locks the inode, and finishes what is begun with it. */
static int key_mend(struct posix_origin *posix, int parts, uint64_t key,
                    const struct posix_patience *patience)
{
    int lock = posix_lock_open(posix);
    int code = lock < 0 ? lock : posix_lock_inode(posix, lock, key, patience);
    if (code == 0)
        code = mark_finish(posix, parts, key);
    if (lock >= 0)
        close(lock);
    return code;
}

static int inode_mend(struct posix_origin *posix, uint64_t key,
                      const struct posix_patience *patience)
{
    int parts = posix_parts_open(posix, false);
    if (parts < 0)
        return parts == -ENOENT ? 0 : parts;
    int code = key_mend(posix, parts, key, patience);
    close(parts);
    return code;
}

int posix_rewrite_settle(struct posix_origin *posix, int folder, const char *base)
{
    struct statx facts;
    const struct posix_patience patience = {.name = base, .ns = settle_patience_ns};
    bool is_shared =
        posix_facts(folder, base, &facts) && S_ISREG(facts.stx_mode) && facts.stx_nlink > 1;
    return is_shared ? inode_mend(posix, key_of(posix, facts.stx_ino), &patience) : 0;
}

int posix_rewrite_mend(struct posix_origin *posix, const struct statx *facts, const char *name)
{
    const struct posix_patience patience = {.name = name, .ns = mend_patience_ns};
    return inode_mend(posix, key_of(posix, facts->stx_ino), &patience);
}

void posix_rewrites_finish(struct posix_origin *posix, int parts, const char *entry)
{
    const struct posix_patience patience = {.name = entry, .ns = 0};
    size_t start = strlen(MARK_START);
    if (strncmp(entry, MARK_START, start) == 0 && posix_is_handle(entry + start))
        (void)key_mend(posix, parts, strtoull(entry + start, NULL, 16), &patience);
}

/* Room for it, before the first byte: else the file stays as it was, its time included. */
static int room_reserve(int target, const struct stat *before, uint64_t size)
{
    const struct timespec times[2] = {before->st_atim, before->st_mtim};
    int code = room_take(target, before, size);
    if (code != 0)
        (void)futimens(target, times);
    return code;
}

/* The inode is locked. */
static int marked_replace(int parts, uint64_t key, int target, const struct posix_rewrite *rewrite)
{
    struct stat before, wanted;
    if (fstat(target, &before) != 0 ||
        fstatat(rewrite->blocks, rewrite->from, &wanted, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    int mark = mark_put(parts, key, rewrite, &before);
    if (mark < 0)
        return mark;
    int code = room_reserve(target, &before, (uint64_t)wanted.st_size);
    bool is_begun = code == 0;
    int whole = is_begun ? openat(mark, "whole", O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (is_begun)
        code = whole < 0 ? -errno : bytes_replace(whole, target);
    if (whole >= 0)
        close(whole);
    int dropped = code == 0 || !is_begun ? mark_drop(parts, key, mark) : 0;
    code = code == 0 ? dropped : code;
    close(mark);
    return is_begun && code != 0 ? -EAGAIN : code;
}

static int target_replace(struct posix_origin *posix, int lock, int target,
                          const struct posix_rewrite *rewrite)
{
    struct stat facts;
    const struct posix_patience patience = {.name = rewrite->object->name,
                                            .ns = settle_patience_ns};
    if (fstat(target, &facts) != 0)
        return -errno;
    if (!S_ISREG(facts.st_mode) || facts.st_nlink < 2)
        return -EAGAIN; /* it became another meanwhile */
    uint64_t key = key_of(posix, facts.st_ino);
    int code = posix_lock_inode(posix, lock, key, &patience);
    int parts = code == 0 ? posix_parts_open(posix, true) : code;
    if (parts < 0)
        return parts;
    code = mark_finish(posix, parts, key);
    if (code == 0)
        code = marked_replace(parts, key, target, rewrite);
    close(parts);
    return code;
}

int posix_rewrite(struct posix_origin *posix, int lock, const struct posix_rewrite *rewrite)
{
    int target =
        openat(rewrite->folder, rewrite->base, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int code = target < 0 ? -errno : target_replace(posix, lock, target, rewrite);
    if (target >= 0)
        close(target);
    return code == -EXDEV ? -EAGAIN : code; /* `from` lies beside it: it got its names meanwhile */
}
