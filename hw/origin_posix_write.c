/* Writing to a folder as origin: blocks first, each a file of its own, since they come from several
 * nodes and in any order; the object appears whole when it is committed.
 *
 *     STORE   .forebay-parts/HANDLE/INDEX, written beside, synced, renamed: whole or not there
 *     COMMIT  all blocks into a file beside the target (shared extents where the file system can),
 *             its size, its time of change = the version, synced, renamed to the target
 *     REMOVE  the target, if its version is that one or an earlier one; blocks of that version
 *
 * A commit that is repeated finds its own result and is fine; several nodes may do it at once. The
 * last look at the target's version and its change are under a lock of the parts' folder (flock),
 * so that a late commit never covers a later version. Blocks of objects that nobody commits stay
 * until somebody removes them: a writer that died may still have blocks on their way. */
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
#include <sys/file.h>
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

/* The version that is there; 0: none. */
static uint64_t version_at(int folder, const char *path, uint64_t *size)
{
    struct stat facts;
    *size = 0;
    if (fstatat(folder, path, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    *size = (uint64_t)facts.st_size;
    return (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec;
}

/* Is this very version there already? */
static bool is_committed(int folder, const struct fb_origin_task *task, const char *path,
                         uint64_t size)
{
    uint64_t found;
    return version_at(folder, path, &found) == task->object.version && found == size;
}

/* Keeps other nodes from changing targets until the file is closed; -1: cannot. */
static int parts_lock(int root)
{
    if (mkdirat(root, FB_OBJECT_PARTS, FOLDER_MODE) != 0 && errno != EEXIST)
        return -1;
    int file = openat(root, FB_OBJECT_PARTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0 && flock(file, LOCK_EX) != 0) {
        close(file);
        return -1;
    }
    return file;
}

/* Is this version there, or a later one, so that nobody needs its blocks? */
static bool is_past(const struct fb_origin_task *task)
{
    uint64_t size;
    return version_at(task->loop->origin.folder, task->object.name, &size) >= task->object.version;
}

/* A block that is stored once more after its object was committed, or overwritten, is not needed.
 * That may come meanwhile: then whoever is last removes it. */
static int store(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder;
    char folder[64], path[64], beside[128];
    if (is_past(task))
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
    else if (is_past(task))
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

/* Are all blocks there? Looked at before anything is copied, since a commit may be tried often. */
static bool parts_are_there(struct fb_origin_task *task)
{
    char path[64];
    bool are_there = true;
    for (task->offset = 0; task->offset < task->object.size && are_there;
         task->offset += block_bytes(task)) {
        fb_origin_posix_part(task, path);
        are_there = faccessat(task->loop->origin.folder, path, F_OK, 0) == 0;
    }
    return are_there;
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

/* Under the lock: -ESTALE: a later version is there. */
static int target_show(struct fb_origin_task *task, int folder, const char *beside,
                       const char *base)
{
    uint64_t size;
    int lock = parts_lock(task->loop->origin.folder);
    if (lock < 0)
        return -errno;
    int code = version_at(folder, base, &size) > task->object.version ? -ESTALE : 0;
    if (code == 0 && (renameat(folder, beside, folder, base) != 0 || fsync(folder) != 0))
        code = -errno;
    close(lock);
    return code;
}

static int commit_in(struct fb_origin_task *task, int folder, const char *base)
{
    char beside[96];
    snprintf(beside, sizeof(beside), ".forebay-%016" PRIx64 ".%u.%d", task->object.handle,
             task->loop->settings->node, getpid());
    if (is_committed(folder, task, base, task->object.size))
        return 0;
    if (!parts_are_there(task))
        return is_committed(folder, task, base, task->object.size) ? 0 : -EAGAIN;
    int target = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (target < 0)
        return -errno;
    int code = target_fill(task, target);
    close(target);
    if (code == 0)
        code = target_show(task, folder, beside, base);
    if (code != 0)
        unlinkat(folder, beside, 0);
    return code;
}

/* The folder that a name is in, and its last part; no symbolic link may lead it out of the origin.
 * Errors: -errno. */
static int folder_open(int root, const char *name, const char **base)
{
    const char *slash = strrchr(name, '/');
    char path[PATH_BYTES];
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    snprintf(path, sizeof(path), "%.*s", slash != NULL ? (int)(slash - name) : 1,
             slash != NULL ? name : ".");
    *base = slash != NULL ? slash + 1 : name;
    int folder = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    return folder < 0 ? -errno : folder;
}

static int take_away(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder, code = 0;
    const char *base;
    uint64_t size;
    int folder = folder_open(root, task->object.name, &base);
    if (folder < 0)
        return folder == -ENOENT ? 0 : folder;
    int lock = parts_lock(root);
    if (lock < 0)
        code = -errno;
    if (code == 0 && version_at(folder, base, &size) <= task->object.version &&
        unlinkat(folder, base, 0) != 0 && errno != ENOENT)
        code = -errno;
    if (code == 0 && fsync(folder) != 0)
        code = -errno;
    if (lock >= 0)
        close(lock);
    close(folder);
    parts_remove(task); /* of that version */
    return code;
}

static int commit(struct fb_origin_task *task)
{
    int root = task->loop->origin.folder;
    const char *base;
    int code = folders_make(root, task->object.name);
    if (code != 0)
        return code;
    int folder = folder_open(root, task->object.name, &base);
    if (folder < 0)
        return folder;
    code = commit_in(task, folder, base);
    close(folder);
    if (code == 0)
        parts_remove(task);
    return code;
}

static void write_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    int code = task->verb == FB_ORIGIN_STORE    ? store(task)
               : task->verb == FB_ORIGIN_COMMIT ? commit(task)
                                                : take_away(task);
    task->status = code == 0 ? FB_OK : fb_origin_status(code);
    if (code != 0 && code != -EAGAIN && code != -ESTALE) {
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
    FB_ASSERT(task->verb != FB_ORIGIN_FETCH && task->verb != FB_ORIGIN_STAT);
    task->offload = (struct fb_offload_task){.run = write_run, .done = write_done};
    fb_offload_start(&task->loop->origin_calls, &task->offload, false);
}
