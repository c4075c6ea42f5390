/* A folder as blob store: names are paths below it. Versions: see origin_posix.h.
 *
 *     OPEN --> STAT --> READ ... READ --> AGAIN --same--> done, file closed
 *      |        | '-- fresh: PAUSE --> STAT  '--changed--> CONFLICT
 *      |        +-- of several names: MARK --> STAT; torn: finished first, or BUSY
 *      |        '--version differs--.
 *      '--absent--> PART (a block that is stored, of an object that is not committed yet)
 *
 *  1. A file that is changed while it is read never gives bytes of two versions: its version is
 *     looked at before and after. That takes a time of change that rises with each change: one that
 *     is younger than the clock's step, or than a write call lasts, is waited out first.
 *  2. The folder stays open, and its path is looked at: before and after a change, and
 *     twice a second for reads. While it names another one nothing is done here (hw/base/anchor.h).
 *  3. Opening is RESOLVE_BENEATH: neither ".." nor a symbolic link leads out of the folder. Links
 *     that lead about within it by absolute paths are resolved by a worker.
 */
#include "base/clock.h"
#include "hw/base/container.h"
#include "hw/origin/origin.h"

#include "core/key.h"
#include "core/panic.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>

enum stage { STAGE_OPEN, STAGE_STAT, STAGE_MARK, STAGE_PAUSE, STAGE_PART, STAGE_READ, STAGE_AGAIN };

enum { TORN_LOOKS = 3 };

/* guess: longer than a kernel's tick and most write calls; a file system whose times have no
 * fractions steps by one or two seconds. A writer that is stopped within a call would show it. */
static const uint64_t fresh_ns = 50000000, fresh_coarse_ns = 2100000000;
static const uint64_t look_pause_ns = 500000000;

static uint64_t time_of(const struct statx_timestamp *time)
{
    static const int64_t last_s = INT64_MAX / 1000000000 - 1;
    return time->tv_sec < 0        ? 0
           : time->tv_sec > last_s ? INT64_MAX
                                   : (uint64_t)time->tv_sec * 1000000000u + time->tv_nsec;
}

uint64_t posix_identity(const struct posix_origin *posix, const struct statx *facts)
{
    const uint64_t words[] = {(uint64_t)facts->stx_mtime.tv_sec,      facts->stx_mtime.tv_nsec,
                              (uint64_t)facts->stx_ctime.tv_sec,      facts->stx_ctime.tv_nsec,
                              posix->has_inodes ? facts->stx_ino : 0, facts->stx_size};
    return XXH3_64bits(words, sizeof(words));
}

uint64_t posix_order(const struct statx *facts)
{
    uint64_t written = time_of(&facts->stx_mtime), changed = time_of(&facts->stx_ctime);
    return written < changed ? written : changed;
}

uint64_t posix_written(const struct statx *facts)
{
    uint64_t time = time_of(&facts->stx_mtime);
    return time < INT64_MAX ? time : 0;
}

/* Could it have been changed since, with the same time of change? In ns; 0: no. */
static uint64_t fresh_for_ns(const struct statx *facts)
{
    uint64_t changed = time_of(&facts->stx_ctime), now_ns = fb_wall_ns();
    uint64_t window_ns = facts->stx_ctime.tv_nsec == 0 ? fresh_coarse_ns : fresh_ns;
    bool is_fresh = now_ns < changed + window_ns && changed < now_ns + window_ns;
    return is_fresh ? changed + window_ns - now_ns : 0;
}

/* For people; times that 64 bits do not hold are cut. */
static int64_t plain_ns(const struct statx_timestamp *time)
{
    static const int64_t last_s = INT64_MAX / 1000000000 - 1;
    int64_t time_s = time->tv_sec < -last_s  ? -last_s
                     : time->tv_sec > last_s ? last_s
                                             : time->tv_sec;
    return time_s * 1000000000 + (int64_t)time->tv_nsec;
}

static void attributes_take(struct fb_origin_task *task)
{
    const struct statx *facts = &task->facts;
    task->attributes = (struct fb_attributes){
        .mode = facts->stx_mode,
        .owner = facts->stx_uid,
        .group = facts->stx_gid,
        .links = facts->stx_nlink,
        .device = makedev(facts->stx_rdev_major, facts->stx_rdev_minor),
        .number = facts->stx_ino,
        .accessed_ns = plain_ns(&facts->stx_atime),
        .modified_ns = plain_ns(&facts->stx_mtime),
        .changed_ns = plain_ns(&facts->stx_ctime),
    };
}

static void task_end(struct fb_origin_task *task, enum fb_status status)
{
    if (task->file >= 0)
        fb_uring_close_file(task->origin->context.uring, task->file);
    task->file = -1;
    free(task->resolved);
    task->resolved = NULL;
    task->done(task, status);
}

static void task_read(struct fb_origin_task *task)
{
    enum { READ_BYTES_MAX = 1 << 30 };
    FB_ASSERT(task->file >= 0);
    FB_ASSERT(task->moved <= task->bytes.size);
    uint64_t left = task->bytes.size - task->moved;
    const struct fb_bytes part = {.at = task->bytes.at + task->moved,
                                  .size = left < READ_BYTES_MAX ? left : READ_BYTES_MAX};
    task->stage = STAGE_READ;
    fb_uring_read(task->origin->context.uring, &task->io, task->file, part,
                  task->file_offset + task->moved);
}

/* The object is not there, or another version: perhaps the block is. status: what else to say. */
static void task_part(struct fb_origin_task *task, enum fb_status status)
{
    if (task->verb != FB_ORIGIN_FETCH) {
        task_end(task, status);
        return;
    }
    if (task->file >= 0)
        fb_uring_close_file(task->origin->context.uring, task->file);
    task->file = -1;
    task->stage = STAGE_PART;
    task->status = status;
    task->file_offset = 0;
    task->seen = 0;
    fb_origin_posix_part(task, task->part);
    task->how = (struct open_how){.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    fb_uring_open_below(task->origin->context.uring, &task->io, task->origin->folder, task->part,
                        &task->how);
}

/* Is the file what the task's object is, by the origin's word for it or as a commit's? */
static bool is_wanted(const struct fb_origin_task *task, uint64_t identity)
{
    const struct fb_object *object = &task->object;
    bool is_commit = posix_written(&task->facts) == object->version &&
                     (object->shown == 0 || object->shown == identity);
    return task->facts.stx_size == object->size && (identity == object->version || is_commit);
}

static void task_pause(struct fb_origin_task *task, uint64_t pause_ns)
{
    task->stage = STAGE_PAUSE;
    task->pause = (struct __kernel_timespec){.tv_sec = (int64_t)(pause_ns / 1000000000u),
                                             .tv_nsec = (long long)(pause_ns % 1000000000u)};
    fb_uring_pause(task->origin->context.uring, &task->io, &task->pause);
}

static void task_stat(struct fb_origin_task *task, enum stage stage)
{
    FB_ASSERT(task->file >= 0);
    task->stage = stage;
    fb_uring_stat(task->origin->context.uring, &task->io, task->file, &task->facts);
}

/* Is a file of several names torn? The same facts before and after a look for the mark say no. A
 * stranger that changes it all the while is told by its version (invariant 1). */
static bool task_is_untorn(struct fb_origin_task *task, uint64_t identity)
{
    bool is_shared = S_ISREG(task->facts.stx_mode) && task->facts.stx_nlink > 1;
    if (!is_shared || identity == task->untorn || task->looks == TORN_LOOKS)
        return true;
    task->untorn = identity;
    task->looks++;
    task->stage = STAGE_MARK;
    posix_rewrite_path(posix_of(task->origin), &task->facts, task->part);
    task->how = (struct open_how){.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    fb_uring_open_below(task->origin->context.uring, &task->io, task->origin->folder, task->part,
                        &task->how);
    return false;
}

static void mend_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    struct posix_origin *posix = posix_of(task->origin);
    task->status =
        posix_rewrite_mend(posix, &task->facts, task->object.name) == 0 ? FB_OK : FB_BUSY;
}

static void mend_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->untorn = 0;
    if (task->status == FB_OK)
        task_stat(task, STAGE_STAT);
    else
        task_end(task, task->status);
}

/* The mark has been looked for. */
static void task_marked(struct fb_origin_task *task, int32_t result)
{
    if (result < 0) {
        task_stat(task, STAGE_STAT);
        return;
    }
    fb_uring_close_file(task->origin->context.uring, result);
    task->offload = (struct fb_offload_task){.run = mend_run, .done = mend_done};
    fb_offload_start(&task->origin->calls, &task->offload, false);
}

/* The facts are there: what is asked for, or what was asked for still? */
static void task_facts(struct fb_origin_task *task)
{
    const struct statx *facts = &task->facts;
    struct fb_object *object = &task->object;
    bool is_look = task->verb == FB_ORIGIN_LOOK;
    attributes_take(task);
    if (!S_ISREG(facts->stx_mode) && !is_look) {
        task_part(task, FB_ABSENT);
        return;
    }
    uint64_t identity = posix_identity(posix_of(task->origin), facts);
    if (!task_is_untorn(task, identity))
        return;
    if (task->verb == FB_ORIGIN_STAT || is_look) {
        object->size = facts->stx_size;
        object->version = identity;
        object->order = posix_order(facts);
        object->written = posix_written(facts);
        task_end(task, FB_OK);
        return;
    }
    bool is_before = object->is_cached && posix_order(facts) < object->version;
    uint64_t pause_ns = fresh_for_ns(facts);
    task->seen = identity;
    if (!is_wanted(task, identity))
        task_part(task, is_before ? FB_ABSENT : FB_CONFLICT);
    else if (pause_ns > 0)
        task_pause(task, pause_ns);
    else
        task_read(task);
}

static void task_moved(struct fb_origin_task *task, int32_t result)
{
    if (result == 0) {
        task_end(task, FB_CONFLICT); /* it became shorter meanwhile */
        return;
    }
    task->moved += (uint64_t)result;
    if (task->moved < task->bytes.size)
        task_read(task);
    else if (task->seen != 0)
        task_stat(task, STAGE_AGAIN);
    else
        task_end(task, FB_OK); /* blocks are whole or not there */
}

static void task_open(struct fb_origin_task *task)
{
    struct fb_origin *origin = task->origin;
    task->stage = STAGE_OPEN;
    task->file_offset = task->offset;
    bool is_look = task->verb == FB_ORIGIN_LOOK;
    task->how = (struct open_how){.flags = is_look ? O_PATH | O_NOFOLLOW | O_CLOEXEC
                                                   : O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    bool is_one_name =
        is_look ? origin->has_records : task->verb == FB_ORIGIN_STAT && task->is_direct;
    if (is_one_name) /* records are of names without links in the way */
        task->how.resolve |= RESOLVE_NO_SYMLINKS;
    const char *path = task->resolved != NULL ? task->resolved : task->object.name;
    fb_uring_open_below(origin->context.uring, &task->io, origin->folder,
                        path[0] != '\0' ? path : ".", &task->how);
}

int posix_resolve(int root, const char *name, char *resolved)
{
    char at[64], own[POSIX_PATH_BYTES * 4], there[POSIX_PATH_BYTES * 4];
    int file = openat(root, name, O_PATH | O_CLOEXEC);
    if (file < 0)
        return -errno;
    snprintf(at, sizeof(at), "/proc/self/fd/%d", root);
    ssize_t length = readlink(at, own, sizeof(own) - 1);
    snprintf(at, sizeof(at), "/proc/self/fd/%d", file);
    ssize_t found = length < 0 ? -1 : readlink(at, there, sizeof(there) - 1);
    int code = found < 0 ? -errno : 0;
    close(file);
    if (code != 0)
        return code;
    bool is_root = length == 1; /* "/" */
    bool is_below = found > length && memcmp(own, there, (size_t)length) == 0 &&
                    (is_root || there[length] == '/');
    size_t from = (size_t)length + !is_root, size = is_below ? (size_t)found - from : 0;
    if (size == 0 || size >= POSIX_PATH_BYTES)
        return -EXDEV;
    memcpy(resolved, there + from, size);
    resolved[size] = '\0';
    return fb_object_name_is_fine(resolved, (uint32_t)size) ? 0 : -EXDEV;
}

int posix_folder_open(int root, const char *path)
{
    char resolved[POSIX_PATH_BYTES];
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int folder = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    int code = folder < 0 ? -errno : 0;
    int found = code == -EXDEV ? posix_resolve(root, path, resolved) : -EXDEV;
    if (found == -ENOENT)
        code = -ENOENT; /* below a link that leads about, if not out */
    if (found == 0) {
        folder = (int)syscall(SYS_openat2, root, resolved, &how, sizeof(how));
        code = folder < 0 ? -errno : 0;
    }
    return code != 0 ? code : folder;
}

bool posix_facts(int folder, const char *path, struct statx *facts)
{
    return statx(folder, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, facts) == 0;
}

static void resolve_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->resolved = calloc(1, POSIX_PATH_BYTES);
    int code = task->resolved == NULL
                   ? -ENOMEM
                   : posix_resolve(task->origin->folder, task->object.name, task->resolved);
    task->status = code == 0 ? FB_OK : fb_origin_status(code);
}

static void resolve_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    if (task->status == FB_OK)
        task_open(task);
    else
        task_end(task, task->status);
}

static void lead_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->is_alias = posix_lead(task->origin->folder, &task->object);
}

static void lead_done(struct fb_offload_task *offload)
{
    task_end(FB_CONTAINER(offload, struct fb_origin_task, offload), FB_ABSENT);
}

/* Opening failed. */
static void task_unopened(struct fb_origin_task *task, int32_t result)
{
    bool is_direct = task->verb == FB_ORIGIN_STAT && task->is_direct;
    if (result == -ELOOP && task->verb == FB_ORIGIN_LOOK) {
        task_end(task, FB_DENIED);
    } else if (is_direct && (result == -ELOOP || result == -EXDEV)) {
        task->offload = (struct fb_offload_task){.run = lead_run, .done = lead_done};
        fb_offload_start(&task->origin->calls, &task->offload, false);
    } else if (result == -EXDEV && task->resolved == NULL) {
        task->offload = (struct fb_offload_task){.run = resolve_run, .done = resolve_done};
        fb_offload_start(&task->origin->calls, &task->offload, false);
    } else if (fb_origin_status(result) == FB_ABSENT) {
        task_part(task, FB_ABSENT);
    } else {
        task_end(task, fb_origin_status(result));
    }
}

/* The last look: is it the version still that was read? */
static void task_again(struct fb_origin_task *task)
{
    uint64_t identity = posix_identity(posix_of(task->origin), &task->facts);
    task_end(task, identity == task->seen ? FB_OK : FB_CONFLICT);
}

static void task_done(struct fb_io *io, int32_t result)
{
    struct fb_origin_task *task = FB_CONTAINER(io, struct fb_origin_task, io);
    enum stage stage = (enum stage)task->stage;
    if (result == -EINTR && stage == STAGE_READ) {
        task_read(task);
        return;
    }
    if (stage == STAGE_MARK) {
        task_marked(task, result);
        return;
    }
    if (stage == STAGE_PAUSE) {
        task_stat(task, STAGE_STAT);
        return;
    }
    if (result < 0 && stage == STAGE_OPEN) {
        task_unopened(task, result);
        return;
    }
    if (result == -ENOENT && stage == STAGE_PART && !task->is_second) {
        task->is_second = true; /* it may have been committed between the two looks */
        task_open(task);
        return;
    }
    if (result < 0) {
        task_end(task, stage == STAGE_PART ? task->status : fb_origin_status(result));
        return;
    }
    switch (stage) {
    case STAGE_OPEN:
        task->file = result;
        task_stat(task, STAGE_STAT);
        return;
    case STAGE_STAT:
        task_facts(task);
        return;
    case STAGE_AGAIN:
        task_again(task);
        return;
    case STAGE_PART:
        task->file = result;
        task_read(task);
        return;
    case STAGE_READ:
        task_moved(task, result);
        return;
    case STAGE_MARK:
    case STAGE_PAUSE:
        break;
    }
    FB_ASSERT(false);
}

static void posix_start(struct fb_origin *origin, struct fb_origin_task *task)
{
    if (task->verb == FB_ORIGIN_LIST) {
        fb_origin_posix_list(task);
        return;
    }
    if (task->verb == FB_ORIGIN_CHANGE) {
        fb_origin_posix_change(task);
        return;
    }
    if (task->verb == FB_ORIGIN_PLACE) {
        fb_origin_posix_place(task);
        return;
    }
    if (task->verb != FB_ORIGIN_FETCH && task->verb != FB_ORIGIN_STAT &&
        task->verb != FB_ORIGIN_LOOK) {
        fb_origin_posix_write(task);
        return;
    }
    bool is_root = task->verb == FB_ORIGIN_LOOK && task->object.name_length == 0;
    FB_ASSERT(is_root || fb_object_name_is_fine(task->object.name, task->object.name_length));
    fb_io_init(&task->io, task_done);
    task->file = -1;
    task->is_second = false;
    task->resolved = NULL;
    task->untorn = 0;
    task->looks = 0;
    FB_ASSERT(task->origin == origin);
    task_open(task);
}

int posix_misplaced(struct fb_origin_task *task)
{
    return fb_anchor_look(&task->origin->anchor) != 0 ? -EIO : 0;
}

static void look_run(struct fb_offload_task *offload)
{
    (void)fb_anchor_look(FB_CONTAINER(offload, struct posix_origin, look)->anchor);
}

static void look_done(struct fb_offload_task *offload)
{
    struct posix_origin *posix = FB_CONTAINER(offload, struct posix_origin, look);
    FB_ASSERT(posix->is_looking);
    posix->is_looking = false;
    posix->look_ns = fb_clock_ns() + look_pause_ns;
}

/* Nothing is collected in a folder that is not the origin any more. */
static void posix_sweep(struct fb_origin *origin)
{
    struct posix_origin *posix = posix_of(origin);
    if (!posix->is_looking && fb_clock_ns() >= posix->look_ns) {
        posix->is_looking = true;
        posix->look = (struct fb_offload_task){.run = look_run, .done = look_done};
        fb_offload_start(&origin->calls, &posix->look, false);
    }
    if (fb_anchor_fault(&origin->anchor) == 0)
        fb_origin_posix_collect(origin);
}

static void posix_close(struct fb_origin *origin)
{
    struct posix_origin *posix = posix_of(origin);
    close(origin->folder);
    posix_listings_free(posix);
    pthread_mutex_destroy(&posix->mutex);
    free(posix);
}

void fb_origin_posix_open(struct fb_origin *origin, const struct fb_settings *settings,
                          struct fb_error *error)
{
    struct statfs system;
    origin->folder = open(settings->origin.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (origin->folder < 0) {
        fb_error_set(error, "origin.path %s: %s: make the folder, or mount what should be there",
                     settings->origin.path, strerror(errno));
        return;
    }
    if (!posix_parts_are_fine(origin->folder, settings->origin.path, error)) {
        close(origin->folder);
        return;
    }
    struct posix_origin *posix = calloc(1, sizeof(*posix));
    FB_ASSERT(posix != NULL);
    pthread_mutex_init(&posix->mutex, NULL);
    posix->root = origin->folder;
    posix->origin = origin;
    posix->orphan_age_ns = settings->origin.orphan_age_ns;
    posix->anchor = &origin->anchor;
    fb_anchor_set(&origin->anchor, "origin.path", settings->origin.path, origin->folder);
    posix->has_inodes = fstatfs(origin->folder, &system) == 0 && system.f_type != FUSE_SUPER_MAGIC;
    origin->internal = posix;
    origin->start = posix_start;
    origin->close = posix_close;
    origin->sweep = posix_sweep;
    origin->can_write = true;
    origin->object_max = INT64_MAX;
    origin->can_change = true;
}
