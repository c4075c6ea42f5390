/* Writing to a folder as origin: blocks first, each a file of its own, since they come from several
 * nodes and in any order; the object appears whole when it is committed.
 *
 *     STORE   .forebay-parts/HANDLE/INDEX, written beside, synced, renamed: whole or not there
 *     COMMIT  all blocks into a file beside the target (shared extents where the file system can),
 *             its size, its time of change = the version, synced, renamed to the target
 *
 * A commit that is repeated finds its own result and is fine. Blocks of objects that nobody commits
 * stay until somebody removes them: a writer that died may still have blocks on their way. */
#include "core/panic.h"
#include "hw/loop_internal.h"
#include "hw/origin_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FOLDER_MODE = 0777, FILE_MODE = 0666, PATH_BYTES = FB_OBJECT_NAME_MAX + 64 };

static uint64_t block_bytes(const struct fb_origin_task *task)
{
    return task->loop->settings->core.block_size_bytes;
}

static void part_folder(const struct fb_origin_task *task, char path[64])
{
    snprintf(path, 64, FB_OBJECT_PARTS "/%016" PRIx64, task->object.handle);
}

void fb_origin_posix_part(const struct fb_origin_task *task, char *path)
{
    snprintf(path, 64, FB_OBJECT_PARTS "/%016" PRIx64 "/%" PRIu64, task->object.handle,
             task->offset / block_bytes(task));
}

static int write_all(int file, struct fb_bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.at, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes.at += written;
        bytes.size -= (uint64_t)written;
    }
    return 0;
}

static void parts_remove(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder;
    char path[64];
    part_folder(task, path);
    int file = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.')
            unlinkat(file, entry->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
    unlinkat(root, path, AT_REMOVEDIR);
}

/* Is this very version there already? size UINT64_MAX: of any size. */
static bool is_committed(int folder, const struct fb_origin_task *task, const char *path,
                         uint64_t size)
{
    struct stat facts;
    if (fstatat(folder, path, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    uint64_t version =
        (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec;
    return version == task->object.version &&
           (size == UINT64_MAX || (uint64_t)facts.st_size == size);
}

/* A block that is stored once more after its object was committed is not needed. The commit may
 * come meanwhile: then whoever is last removes it. */
static int store(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder;
    char folder[64], path[64], beside[128];
    if (is_committed(root, task, task->object.name, UINT64_MAX))
        return 0;
    part_folder(task, folder);
    fb_origin_posix_part(task, path);
    snprintf(beside, sizeof(beside), "%s.%d.%p", path, getpid(), (void *)task);
    int file = openat(root, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (file < 0 && errno == ENOENT) {
        if ((mkdirat(root, FB_OBJECT_PARTS, FOLDER_MODE) != 0 && errno != EEXIST) ||
            (mkdirat(root, folder, FOLDER_MODE) != 0 && errno != EEXIST))
            return -errno;
        file = openat(root, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    }
    if (file < 0)
        return -errno;
    int code = write_all(file, task->bytes);
    if (code == 0 && fdatasync(file) != 0)
        code = -errno;
    if (close(file) != 0 && code == 0)
        code = -errno;
    if (code == 0 && renameat(root, beside, root, path) != 0)
        code = -errno;
    if (code != 0)
        unlinkat(root, beside, 0);
    else if (is_committed(root, task, task->object.name, UINT64_MAX))
        parts_remove(task);
    return code;
}

/* Appends a block's file to the target; -EAGAIN: it is not there yet. */
static int part_append(struct fb_origin_task *task, int target, uint64_t size)
{
    char path[64];
    struct stat facts;
    fb_origin_posix_part(task, path);
    int file = openat(task->loop->origin.folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    int code = fstat(file, &facts) != 0 ? -errno : (uint64_t)facts.st_size != size ? -EIO : 0;
    while (code == 0 && size > 0) {
        ssize_t copied = copy_file_range(file, NULL, target, NULL, size, 0);
        if (copied < 0 && errno == EINTR)
            continue;
        if (copied <= 0)
            code = copied < 0 ? -errno : -EIO;
        else
            size -= (uint64_t)copied;
    }
    close(file);
    return code;
}

/* All blocks, in order, then the facts of the object. */
static int target_fill(struct fb_origin_task *task, int target)
{
    uint64_t size = task->object.size, block = block_bytes(task);
    const struct timespec version = {.tv_sec = (time_t)(task->object.version / 1000000000u),
                                     .tv_nsec = (long)(task->object.version % 1000000000u)};
    const struct timespec times[2] = {version, version};
    int code = 0;
    for (task->offset = 0; task->offset < size && code == 0; task->offset += block) {
        uint64_t left = size - task->offset;
        code = part_append(task, target, left < block ? left : block);
    }
    if (code == 0 && (futimens(target, times) != 0 || fsync(target) != 0))
        code = -errno;
    return code;
}

/* Makes the folders that a name is in. */
static int folders_make(int root, const char *name)
{
    char path[PATH_BYTES];
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
        if (mkdirat(root, path, FOLDER_MODE) != 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int commit_in(struct fb_origin_task *task, int folder, const char *base)
{
    char beside[64];
    snprintf(beside, sizeof(beside), ".forebay-%016" PRIx64, task->object.handle);
    if (is_committed(folder, task, base, task->object.size))
        return 0;
    int target = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (target < 0)
        return -errno;
    int code = target_fill(task, target);
    close(target);
    if (code == 0 && (renameat(folder, beside, folder, base) != 0 || fsync(folder) != 0))
        code = -errno;
    if (code != 0)
        unlinkat(folder, beside, 0);
    return code;
}

static int commit(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder;
    const char *name = task->object.name, *slash = strrchr(name, '/');
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%.*s", slash != NULL ? (int)(slash - name) : 1,
             slash != NULL ? name : ".");
    int code = folders_make(root, name);
    if (code != 0)
        return code;
    /* No symbolic link may lead the folder out of the origin. */
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int folder = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (folder < 0)
        return -errno;
    code = commit_in(task, folder, slash != NULL ? slash + 1 : name);
    close(folder);
    if (code == 0)
        parts_remove(task);
    return code;
}

static void write_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    int code = task->verb == FB_ORIGIN_STORE ? store(task) : commit(task);
    task->status = code == 0 ? FB_OK : fb_origin_status(code);
    if (code != 0 && code != -EAGAIN) {
        char name[FB_LOG_QUOTE_MAX];
        fb_log(FB_LOG_ERROR, "origin_write_failed", "object=%s reason=\"%s\"",
               fb_log_quote(task->object.name, name), strerror(-code));
    }
}

static void write_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->done(task, task->status);
}

void fb_origin_posix_write(struct fb_origin_task *task)
{
    FB_ASSERT(task->verb == FB_ORIGIN_STORE || task->verb == FB_ORIGIN_COMMIT);
    task->offload = (struct fb_offload_task){.run = write_run, .done = write_done};
    fb_offload_start(&task->loop->origin_calls, &task->offload, false);
}
