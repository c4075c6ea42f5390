/* Writing to a folder as origin: blocks first, each a file of its own, since they come from several
 * nodes and in any order; the object appears whole when it is committed.
 *
 *     STORE   .forebay-parts/HANDLE/INDEX, written beside, synced, renamed: whole or not there. It
 *             is stored when the folder is synced, so that its name lasts
 *     COMMIT  all blocks into a file among them (shared extents where the file system can), its
 *             size, mode and owner as those of what it replaces, its time of change =
 *             as_version, synced, renamed to the target, or, where that has several names,
 *             copied over its bytes (origin_posix_rewrite.c); the folder is synced before the
 *             blocks go
 *     REMOVE  the target, unless a later one is there; blocks of the version
 *
 * A commit that is repeated finds its own result and is fine; several nodes may do it at once. The
 * last look at the target's version and its change are under a lock of the name
 * (origin_posix_parts.c), so that a late commit never covers what it has not been told of. Blocks
 * of objects that nobody commits are removed when somebody knows that (R21), or are found by their
 * age: a file among them says whose they are (origin_posix_collect.c).
 *
 * A commit whose blocks are not all there says why they cannot come, where that is to be seen: the
 * folder takes no files, or has no room for those that are missing. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/base/log.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* guess: longer than most commits of others hold a name; a worker that waits does nothing else. */
static const uint64_t lock_patience_ns = 300000000;

static uint64_t block_bytes(const struct fb_origin_task *task)
{
    return task->origin->context.settings->core.block_size_bytes;
}

void fb_origin_posix_part(const struct fb_origin_task *task, char *path)
{
    snprintf(path, 64, FB_OBJECT_PARTS "/%016" PRIx64 "/%" PRIu64, task->object.handle,
             task->offset / block_bytes(task));
}

/* The same in the folder of its blocks. */
static void block_name(const struct fb_origin_task *task, char name[POSIX_OWN_BYTES])
{
    snprintf(name, POSIX_OWN_BYTES, "%" PRIu64, task->offset / block_bytes(task));
}

/* Is this very version there already? Then the origin's word for it is known, too. */
static bool is_committed(int folder, struct fb_origin_task *task, const char *path)
{
    struct statx facts;
    bool is_there = posix_facts(folder, path, &facts) && S_ISREG(facts.stx_mode) &&
                    posix_written(&facts) == task->as_version &&
                    facts.stx_size == task->object.size;
    if (is_there && task->object.shown == 0)
        task->object.shown = posix_identity(posix_of(task->origin), &facts);
    return is_there;
}

/* Is what is there later than the limit, and not this commit? Where there are records, by the time
 * that it was shown with: that it came there earlier (posix_order) says nothing of a version made
 * by a clock that is ahead, and a node that was stopped for long would cover or remove a newer one.
 * Who meets a later one looks whose it is then. Without records nobody could tell, and a file from
 * the future could not be overwritten. */
static bool is_later(int folder, struct fb_origin_task *task, const char *path)
{
    struct statx facts;
    if (!posix_facts(folder, path, &facts))
        return false;
    uint64_t written = posix_written(&facts);
    task->object.order = posix_order(&facts);
    if (task->origin->context.settings->core.records > 0 && written > task->object.order)
        task->object.order = written;
    return task->object.order > task->limit && written != task->as_version;
}

/* Is what is there to be removed? */
static bool is_removed(int folder, struct fb_origin_task *task, const char *path)
{
    struct statx facts;
    if (task->limit == 0 || !posix_facts(folder, path, &facts))
        return false;
    uint64_t written = posix_written(&facts);
    bool is_it = task->as_version == 0 || written == task->as_version;
    bool is_meant = written == task->object.version; /* its time may be from the future */
    return is_it && (is_meant || !is_later(folder, task, path));
}

/* Is this very version there, so that nobody needs its blocks? A later one says nothing: whose
 * clock made it is not known, and what was acknowledged must not hang on that. */
static bool is_past(const struct fb_origin_task *task)
{
    struct statx facts;
    return posix_facts(task->origin->folder, task->object.name, &facts) &&
           posix_written(&facts) == task->object.version;
}

int posix_file_put(int folder, const char *beside, const char *name, struct fb_bytes bytes)
{
    int file = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                      POSIX_FILE_MODE);
    if (file < 0)
        return -errno;
    int code = posix_write(file, bytes);
    if (code == 0 && fdatasync(file) != 0)
        code = -errno;
    if (close(file) != 0 && code == 0)
        code = -errno;
    if (code == 0 && renameat(folder, beside, folder, name) != 0)
        code = -errno;
    if (code != 0)
        unlinkat(folder, beside, 0);
    return code;
}

static int block_put(struct fb_origin_task *task, int folder)
{
    char name[POSIX_OWN_BYTES], beside[POSIX_OWN_BYTES + 64];
    block_name(task, name);
    snprintf(beside, sizeof(beside), "%s.%d.%p", name, getpid(), (void *)task);
    int code = posix_file_put(folder, beside, name, task->bytes);
    return code == 0 ? posix_folder_sync(folder) : code;
}

/* The name of the version that was seen there lasts; whoever made it may not have come to that. */
static int past_sync(struct fb_origin_task *task)
{
    int code = posix_name_sync(posix_of(task->origin), task->object.name);
    return code == -ENOENT ? -EAGAIN : code; /* it has gone again */
}

/* A block that is stored once more after its object was committed is not needed. That may come
 * meanwhile: then whoever is last removes it. */
static int store(struct fb_origin_task *task)
{
    if (is_past(task))
        return past_sync(task);
    int folder = posix_blocks_open(task, true);
    int code = folder < 0 ? folder : block_put(task, folder);
    if (folder >= 0)
        close(folder);
    if (code == -ENOENT) /* its folder was removed meanwhile: perhaps nobody wants it */
        code = -EAGAIN;
    if (code == 0 && is_past(task) && past_sync(task) == 0)
        posix_parts_remove(task);
    return code;
}

/* Appends a block's file to the target; -EAGAIN: it is not there yet. */
static int part_append(struct fb_origin_task *task, int blocks, int target, uint64_t size)
{
    char name[POSIX_OWN_BYTES];
    struct stat facts;
    block_name(task, name);
    int file = openat(blocks, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    int code = fstat(file, &facts) != 0 ? -errno : (uint64_t)facts.st_size != size ? -EIO : 0;
    if (code == 0)
        code = posix_copy(file, target, size);
    close(file);
    return code;
}

/* How many blocks are in the folder. */
static uint64_t parts_count(int blocks)
{
    uint64_t count = 0;
    int file = openat(blocks, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[strspn(entry->d_name, "0123456789")] == '\0';
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* Bytes of blocks that are not there yet, about. Looked at before anything is copied, since a
 * commit may be tried often; what is looked at is no more than what is there, whatever a record
 * says of the object's size. */
static uint64_t parts_missing(struct fb_origin_task *task, int blocks)
{
    uint64_t block = block_bytes(task);
    char name[POSIX_OWN_BYTES];
    for (task->offset = 0; task->offset < task->object.size; task->offset += block) {
        block_name(task, name);
        if (faccessat(blocks, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            break;
    }
    if (task->offset >= task->object.size)
        return 0;
    uint64_t there = parts_count(blocks), size = task->object.size;
    task->missing = task->offset / block;
    return there * block < size ? size - there * block : 1; /* some came meanwhile */
}

/* Why blocks that are missing cannot come: -errno; -EAGAIN: nothing is in their way. */
static int parts_hindrance(const struct fb_origin_task *task, int target, uint64_t missing)
{
    struct statvfs space;
    bool is_known = fstatvfs(target, &space) == 0;
    (void)task;
    if (is_known && (space.f_flag & ST_RDONLY))
        return -EROFS;
    bool has_room =
        !is_known || space.f_blocks == 0 || (uint64_t)space.f_bavail * space.f_frsize >= missing;
    return has_room ? -EAGAIN : -ENOSPC;
}

/* Mode and owner of what is replaced; a mode that only the owner may grant goes with the owner. */
static int target_dress(int target, const struct statx *replaced)
{
    if (!S_ISREG(replaced->stx_mode))
        return 0;
    mode_t mode = replaced->stx_mode & 07777;
    if (fchown(target, replaced->stx_uid, replaced->stx_gid) != 0)
        mode &= 0777;
    return fchmod(target, mode) != 0 ? -errno : 0;
}

/* So are extended attributes that users may set. */
static int extra_keep(int folder, const char *base, int target)
{
    enum { KEYS_BYTES = 65536, VALUE_BYTES = 65536 };
    int code = 0, old = openat(folder, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *keys = malloc(KEYS_BYTES + VALUE_BYTES);
    if (old < 0 || keys == NULL) {
        free(keys);
        if (old >= 0)
            close(old);
        return old >= 0 ? -ENOMEM : 0;
    }
    char *value = keys + KEYS_BYTES;
    ssize_t length = flistxattr(old, keys, KEYS_BYTES);
    for (const char *key = keys; code == 0 && key < keys + length; key += strlen(key) + 1) {
        ssize_t size = strncmp(key, "user.", 5) == 0 ? fgetxattr(old, key, value, VALUE_BYTES) : -1;
        if (size >= 0 && fsetxattr(target, key, value, (size_t)size, 0) != 0)
            code = -errno;
    }
    free(keys);
    close(old);
    return code;
}

/* Where a commit's file is made: among its blocks, or, where those lie on another file system,
 * beside the target. */
struct beside {
    int blocks, folder;
    char path[POSIX_OWN_BYTES];
};

/* All blocks, in order, then the facts of the object, and what is kept of the file it replaces. */
static int target_fill(struct fb_origin_task *task, const struct beside *beside, int target,
                       int folder, const char *base)
{
    struct statx replaced = {.stx_mode = 0};
    uint64_t size = task->object.size, block = block_bytes(task);
    const struct timespec version = {.tv_sec = (time_t)(task->as_version / 1000000000u),
                                     .tv_nsec = (long)(task->as_version % 1000000000u)};
    const struct timespec times[2] = {version, version};
    int code = 0;
    (void)posix_facts(folder, base, &replaced);
    for (task->offset = 0; task->offset < size && code == 0; task->offset += block) {
        uint64_t left = size - task->offset;
        code = part_append(task, beside->blocks, target, left < block ? left : block);
    }
    if (code == 0)
        code = target_dress(target, &replaced);
    if (code == 0)
        code = extra_keep(folder, base, target);
    if (code == 0 && (futimens(target, times) != 0 || fsync(target) != 0))
        code = -errno;
    return code;
}

int posix_folders_open(struct posix_origin *posix, const char *name, bool is_made)
{
    char path[POSIX_PATH_BYTES];
    int root = posix->root, parent = posix_folder_open(root, ".");
    for (const char *part = name, *slash; parent >= 0 && (slash = strchr(part, '/')) != NULL;
         part = slash + 1) {
        FB_ASSERT((size_t)(slash - name) < sizeof(path)); /* cut, it were another folder */
        snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
        int folder = posix_folder_open(root, path);
        if (folder == -ENOENT && is_made) {
            const char *base = path + (part - name);
            folder = mkdirat(parent, base, POSIX_FOLDER_MODE) != 0 && errno != EEXIST
                         ? -errno
                         : posix_folder_open(root, path);
        }
        int code = folder < 0 ? 0 : posix_entry_sync(posix, parent, folder, path);
        close(parent);
        if (code != 0)
            close(folder);
        parent = code != 0 ? code : folder;
    }
    return parent;
}

/* The lock of the object's name. Errors: -errno. */
static int name_lock(struct fb_origin_task *task)
{
    struct posix_origin *posix = posix_of(task->origin);
    const struct posix_patience patience = {.name = task->object.name, .ns = lock_patience_ns};
    int lock = posix_lock_open(posix);
    int code = lock < 0 ? lock : posix_lock_name(posix, lock, &patience);
    if (lock >= 0 && code != 0)
        close(lock);
    return code != 0 ? code : lock;
}

/* Under the lock: -ESTALE: a later version is there. */
static int target_show(struct fb_origin_task *task, const struct beside *beside, int folder,
                       const char *base)
{
    int lock = name_lock(task);
    if (lock < 0)
        return lock;
    struct posix_origin *posix = posix_of(task->origin);
    const struct posix_rewrite rewrite = {.object = &task->object,
                                          .blocks = beside->folder,
                                          .folder = folder,
                                          .from = beside->path,
                                          .base = base};
    int code = posix_rewrite_settle(posix, folder, base);
    if (code == 0 && is_later(folder, task, base))
        code = -ESTALE;
    struct statx facts;
    bool is_shared =
        posix_facts(folder, base, &facts) && S_ISREG(facts.stx_mode) && facts.stx_nlink > 1;
    if (code == 0 && is_shared)
        code = posix_rewrite(posix, lock, &rewrite);
    else if (code == 0 && renameat(beside->folder, beside->path, folder, base) != 0)
        code = -errno;
    if (code == 0) {
        task->object.shown = 0;
        (void)is_committed(folder, task, base); /* learns what is shown */
    }
    close(lock);
    return code;
}

static int target_make(struct fb_origin_task *task, const struct beside *beside, int target,
                       int folder, const char *base)
{
    uint64_t missing = parts_missing(task, beside->blocks);
    if (missing > 0)
        return is_committed(folder, task, base) ? 0 : parts_hindrance(task, target, missing);
    int code = target_fill(task, beside, target, folder, base);
    return code != 0 ? code : target_show(task, beside, folder, base);
}

/* Strangers may write where the file is made: it is a new one. */
static int commit_beside(struct fb_origin_task *task, const struct beside *beside, int folder,
                         const char *base)
{
    unlinkat(beside->folder, beside->path, 0);
    int target = openat(beside->folder, beside->path,
                        O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, POSIX_FILE_MODE);
    if (target < 0)
        return -errno;
    int code = target_make(task, beside, target, folder, base);
    close(target);
    if (code != 0)
        unlinkat(beside->folder, beside->path, 0);
    return code;
}

/* The target is on another file system than the blocks. */
static int commit_near(struct fb_origin_task *task, int blocks, int folder, const char *base)
{
    char mark[POSIX_OWN_BYTES];
    struct beside beside = {.blocks = blocks, .folder = folder};
    int code = posix_near_put(task, blocks, mark, beside.path);
    if (code == 0)
        code = commit_beside(task, &beside, folder, base);
    posix_near_remove(task->origin->folder, blocks, mark, &task->object);
    return code;
}

static int commit_in(struct fb_origin_task *task, int folder, const char *base)
{
    struct beside beside;
    int settled = posix_rewrite_settle(posix_of(task->origin), folder, base);
    if (settled != 0 || is_committed(folder, task, base))
        return settled;
    beside.blocks = posix_blocks_open(task, true);
    if (beside.blocks < 0)
        return beside.blocks;
    beside.folder = beside.blocks;
    posix_commit_name(task, beside.path);
    int code = commit_beside(task, &beside, folder, base);
    if (code == -EXDEV)
        code = commit_near(task, beside.blocks, folder, base);
    close(beside.blocks);
    if (code == -ENOENT && is_committed(folder, task, base))
        code = 0; /* another node was first, and has removed what it was made of */
    return code;
}

const char *posix_base_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

/* The folder that a name is in. Errors: -errno. */
int posix_parent_open(int root, const char *name)
{
    char path[POSIX_PATH_BYTES] = ".";
    const char *base = posix_base_of(name);
    FB_ASSERT((size_t)(base - name) <= sizeof(path)); /* the same */
    if (base != name)
        snprintf(path, sizeof(path), "%.*s", (int)(base - name - 1), name);
    return posix_folder_open(root, path);
}

/* There is no folder that the name could be in, and there will be none when the power has gone:
 * whoever removed it may not have come to that. */
static int absence_sync(struct fb_origin_task *task)
{
    char path[POSIX_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", task->object.name);
    int folder = posix_deepest_open(task->origin->folder, path);
    int code = folder < 0 ? folder : posix_folder_sync(folder);
    if (folder >= 0)
        close(folder);
    return code == -ENOTDIR ? 0 : code;
}

static int take_away(struct fb_origin_task *task)
{
    int code = 0;
    const char *base = posix_base_of(task->object.name);
    int folder = posix_parent_open(task->origin->folder, task->object.name);
    if (folder == -ENOENT || folder == -ENOTDIR)
        return absence_sync(task);
    if (folder < 0)
        return folder;
    int lock = name_lock(task);
    if (lock < 0)
        code = lock;
    if (code == 0)
        code = posix_rewrite_settle(posix_of(task->origin), folder, base);
    if (code == 0 && is_removed(folder, task, base) && unlinkat(folder, base, 0) != 0 &&
        errno != ENOENT && errno != EISDIR) /* a folder is no version of it */
        code = -errno;
    if (code == 0)
        code = posix_folder_sync(folder);
    if (lock >= 0)
        close(lock);
    close(folder);
    if (code != -EAGAIN)
        posix_parts_remove(task); /* of that version */
    return code;
}

static int commit(struct fb_origin_task *task)
{
    int folder = posix_folders_open(posix_of(task->origin), task->object.name, true);
    if (folder < 0)
        return folder;
    int code = commit_in(task, folder, posix_base_of(task->object.name));
    if (code == 0) /* also what another one has shown */
        code = posix_folder_sync(folder);
    close(folder);
    if (code == 0 && task->as_version == task->object.version)
        posix_parts_remove(task);
    return code;
}

static void write_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    bool is_moved = posix_misplaced(task) != 0;
    int code = is_moved                         ? -EIO
               : task->verb == FB_ORIGIN_STORE  ? store(task)
               : task->verb == FB_ORIGIN_COMMIT ? commit(task)
                                                : take_away(task);
    bool leads_out = code == -EXDEV || code == -ELOOP;
    bool is_no_file = task->verb == FB_ORIGIN_COMMIT &&
                      (code == -EISDIR || code == -ENOTDIR || code == -ENAMETOOLONG);
    is_moved = is_moved || posix_misplaced(task) != 0; /* what was done is not seen */
    task->status = is_moved     ? FB_REFUSED
                   : code == 0  ? FB_OK
                   : leads_out  ? FB_DENIED
                   : is_no_file ? FB_INVALID /* while what is there is */
                                : fb_origin_status(code);
    if (!is_moved && code != 0 && code != -EAGAIN && code != -ESTALE) {
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
    fb_offload_start(&task->origin->calls, &task->offload, false);
}
