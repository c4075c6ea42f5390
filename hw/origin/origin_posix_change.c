/* What a folder as origin can be told beside bytes: folders, links, modes, owners, times, names. On
 * a worker; the errno is the file system's own.
 *
 *  1. Nothing leads out of the folder: the parent is opened beneath it, the last part is never
 *     followed.
 *  2. What changes what a name means (RENAME, LINK, REMOVE_FOLDER) holds the locks that commits
 *     hold, of both names, so that a late commit sees it. A member that keeps one: EBUSY. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MODE_BITS = 07777, PRIVATE = 0700 };

/* guess: a program is waiting; as long as a commit may copy a large file of several names. */
static const uint64_t lock_patience_ns = UINT64_C(5000000000);

/* A name: the folder that it is in, open, and its last part. */
struct place {
    int folder;
    const char *base;
};

static int place_open(struct place *place, int root, const char *name)
{
    place->folder = posix_parent_open(root, name);
    place->base = name[0] != '\0' ? posix_base_of(name) : "."; /* the origin's own folder */
    return place->folder < 0 ? place->folder : 0;
}

static int result_of(int code)
{
    return code == 0 ? 0 : -errno;
}

static int make_node(const struct place *place, const struct fb_origin_change *change)
{
    uint32_t type = change->attributes.mode & S_IFMT;
    if (type == S_IFDIR)
        return result_of(mkdirat(place->folder, place->base, PRIVATE));
    if (type == S_IFLNK)
        return result_of(symlinkat(change->text, place->folder, place->base));
    return result_of(
        mknodat(place->folder, place->base, type | S_IRUSR | S_IWUSR, change->attributes.device));
}

static int make(struct posix_origin *posix, const char *name, const struct fb_origin_change *change)
{
    struct place place;
    struct stat parent;
    struct fb_attributes wanted = change->attributes;
    bool has_parents = (change->flags & FB_MAKE_PARENTS) == 0;
    place.base = posix_base_of(name);
    place.folder =
        has_parents ? posix_parent_open(posix->root, name) : posix_folders_open(posix, name, true);
    if (place.folder < 0)
        return place.folder;
    int code = result_of(fstat(place.folder, &parent));
    if (code == 0)
        code = make_node(&place, change);
    bool is_made = code == 0;
    if (is_made && (parent.st_mode & S_ISGID) != 0) {
        wanted.group = parent.st_gid;
        wanted.mode |= S_ISDIR(wanted.mode) ? S_ISGID : 0;
    }
    if (is_made &&
        fchownat(place.folder, place.base, wanted.owner, wanted.group, AT_SYMLINK_NOFOLLOW) != 0)
        code = errno == EPERM && geteuid() != 0 ? 0 : -errno;
    if (is_made && code == 0 && !S_ISLNK(wanted.mode))
        code = result_of(fchmodat(place.folder, place.base, wanted.mode & MODE_BITS, 0));
    if (is_made && code != 0)
        unlinkat(place.folder, place.base, S_ISDIR(wanted.mode) ? AT_REMOVEDIR : 0);
    if (code == 0)
        code = posix_folder_sync(place.folder);
    close(place.folder);
    return code;
}

static struct timespec time_of(int64_t ns)
{
    const int64_t second_ns = 1000000000;
    int64_t seconds = ns / second_ns - (ns % second_ns < 0);
    return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)(ns - seconds * second_ns)};
}

/* A time to set; `at` and `now` are its bits in which. */
static struct timespec time_wanted(const struct fb_origin_change *change, uint32_t at, uint32_t now)
{
    int64_t ns =
        at == FB_SET_ACCESSED ? change->attributes.accessed_ns : change->attributes.modified_ns;
    if ((change->which & now) != 0)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (change->which & at) != 0 ? time_of(ns) : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set(const struct place *place, const struct fb_origin_change *change)
{
    uint32_t which = change->which;
    const struct timespec times[2] = {
        time_wanted(change, FB_SET_ACCESSED, FB_SET_ACCESSED_NOW),
        time_wanted(change, FB_SET_MODIFIED, FB_SET_MODIFIED_NOW),
    };
    uid_t owner = (which & FB_SET_OWNER) != 0 ? change->attributes.owner : (uid_t)-1;
    gid_t group = (which & FB_SET_GROUP) != 0 ? change->attributes.group : (gid_t)-1;
    int code = 0;
    if ((which & (FB_SET_OWNER | FB_SET_GROUP)) != 0)
        code = result_of(fchownat(place->folder, place->base, owner, group, AT_SYMLINK_NOFOLLOW));
    if (code == 0 && (which & FB_SET_MODE) != 0)
        code = result_of(fchmodat(place->folder, place->base, change->attributes.mode & MODE_BITS,
                                  AT_SYMLINK_NOFOLLOW));
    if (code == 0 && (which & ~(uint32_t)(FB_SET_MODE | FB_SET_OWNER | FB_SET_GROUP)) != 0)
        code = result_of(utimensat(place->folder, place->base, times, AT_SYMLINK_NOFOLLOW));
    return code;
}

/* RENAME and LINK: from one place to another. */
static int move(int root, const struct place *from, const struct fb_origin_change *change)
{
    struct place to;
    int code = place_open(&to, root, change->text);
    if (code != 0)
        return code;
    if (change->kind == FB_CHANGE_LINK)
        code = result_of(linkat(from->folder, from->base, to.folder, to.base, 0));
    else
        code = result_of(renameat2(from->folder, from->base, to.folder, to.base, change->flags));
    if (code == 0)
        code = posix_folder_sync(to.folder); /* first: a cut between leaves both names, not none */
    if (code == 0)
        code = posix_folder_sync(from->folder);
    close(to.folder);
    return code;
}

/* Extended attributes have no calls that take a folder: by the way of /proc. O_PATH files have
 * none themselves. */
static int extra(const struct place *place, struct fb_origin_change *change, struct fb_bytes page,
                 ssize_t *used)
{
    char path[64];
    int file = openat(place->folder, place->base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    const char *value = change->text + strlen(change->text) + 1;
    size_t key_bytes = (size_t)(value - change->text);
    if (change->kind == FB_CHANGE_GET_EXTRA)
        *used = getxattr(path, change->text, page.at, page.size);
    else if (change->kind == FB_CHANGE_LIST_EXTRA)
        *used = listxattr(path, (char *)page.at, page.size);
    else if (change->kind == FB_CHANGE_REMOVE_EXTRA)
        *used = removexattr(path, change->text);
    else if (key_bytes > change->text_length)
        *used = (errno = EINVAL, -1);
    else
        *used = setxattr(path, change->text, value, change->text_length - key_bytes,
                         (int)change->flags);
    int code = *used < 0 ? -errno : 0;
    close(file);
    return code;
}

/* A file goes by FB_ORIGIN_REMOVE, which looks at its version. */
static int remove_plain(const struct place *place)
{
    struct stat facts;
    if (fstatat(place->folder, place->base, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode))
        return -EPERM;
    return result_of(unlinkat(place->folder, place->base, 0));
}

/* A name is as safe as a commit's from the answer on, and one that is removed as gone. */
static int remove_synced(const struct place *place, int code)
{
    return code == 0 ? posix_folder_sync(place->folder) : code;
}

static int run(struct fb_origin_task *task, const struct place *place)
{
    struct fb_origin_change *change = task->change;
    int root = task->origin->folder;
    ssize_t used = 0;
    int code = -EINVAL;
    switch (change->kind) {
    case FB_CHANGE_REMOVE_FOLDER:
        return remove_synced(place, result_of(unlinkat(place->folder, place->base, AT_REMOVEDIR)));
    case FB_CHANGE_REMOVE:
        return remove_synced(place, remove_plain(place));
    case FB_CHANGE_RENAME:
    case FB_CHANGE_LINK:
        posix_entries_forget(posix_of(task->origin));
        return move(root, place, change);
    case FB_CHANGE_SET:
        return set(place, change);
    case FB_CHANGE_READ_LINK:
        used = readlinkat(place->folder, place->base, (char *)task->bytes.at, task->bytes.size);
        code = used < 0 ? -errno : 0;
        break;
    case FB_CHANGE_GET_EXTRA:
    case FB_CHANGE_LIST_EXTRA:
    case FB_CHANGE_SET_EXTRA:
    case FB_CHANGE_REMOVE_EXTRA:
        code = extra(place, change, task->bytes, &used);
        break;
    case FB_CHANGE_MAKE:
    case FB_CHANGE_COUNT:
        break;
    }
    task->moved = code == 0 ? (uint64_t)used : 0;
    return code;
}

static bool is_of_names(enum fb_change_kind kind)
{
    return kind == FB_CHANGE_RENAME || kind == FB_CHANGE_LINK || kind == FB_CHANGE_REMOVE_FOLDER;
}

/* Both names, in an order that all keep. Errors: -errno. */
static int names_lock(struct fb_origin_task *task)
{
    struct posix_origin *posix = posix_of(task->origin);
    const char *first = task->object.name, *second = task->change->text;
    bool has_two = task->change->kind != FB_CHANGE_REMOVE_FOLDER && strcmp(first, second) != 0;
    if (has_two && strcmp(first, second) > 0) {
        first = task->change->text;
        second = task->object.name;
    }
    const struct posix_patience patience[2] = {{first, lock_patience_ns},
                                               {second, lock_patience_ns}};
    int lock = posix_lock_open(posix);
    int code = lock < 0 ? lock : posix_lock_name(posix, lock, &patience[0]);
    if (code == 0 && has_two)
        code = posix_lock_name(posix, lock, &patience[1]);
    if (lock >= 0 && code != 0)
        close(lock);
    return code == -EAGAIN ? -EBUSY : code != 0 ? code : lock;
}

/* Records are of names without links in the way: a change by way of a link would pass them by. Who
 * has a mount follows links himself. */
static bool is_direct(int root, const char *name)
{
    char path[POSIX_PATH_BYTES];
    const char *base = posix_base_of(name);
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (base == name)
        return true;
    snprintf(path, sizeof(path), "%.*s", (int)(base - name - 1), name);
    int folder = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    bool is_led = folder < 0 && errno == ELOOP;
    if (folder >= 0)
        close(folder);
    return !is_led;
}

static int change(struct fb_origin_task *task)
{
    int root = task->origin->folder, lock = -1;
    struct place place = {.folder = root, .base = "."};
    bool is_root = task->object.name_length == 0;
    if (is_root && task->change->kind != FB_CHANGE_SET && !(task->change->kind > FB_CHANGE_SET))
        return -EBUSY;
    if (task->change->kind == FB_CHANGE_MAKE)
        return make(posix_of(task->origin), task->object.name, task->change);
    bool has_target =
        task->change->kind == FB_CHANGE_RENAME || task->change->kind == FB_CHANGE_LINK;
    if (task->origin->has_records && (!is_direct(root, task->object.name) ||
                                      (has_target && !is_direct(root, task->change->text))))
        return -ELOOP;
    if (is_of_names(task->change->kind) && (lock = names_lock(task)) < 0)
        return lock;
    int code = is_root ? 0 : place_open(&place, root, task->object.name);
    if (code == 0)
        code = run(task, &place);
    if (!is_root && place.folder >= 0)
        close(place.folder);
    if (lock >= 0)
        close(lock);
    return code;
}

static void change_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    int moved = posix_misplaced(task), code = moved == 0 ? change(task) : 0;
    if (moved == 0)
        moved = posix_misplaced(task); /* then what was done is not seen */
    task->change->error = moved != 0 ? -moved : -code;
}

static void change_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->done(task, FB_OK);
}

void fb_origin_posix_change(struct fb_origin_task *task)
{
    FB_ASSERT(task->verb == FB_ORIGIN_CHANGE);
    FB_ASSERT(task->change != NULL);
    task->offload = (struct fb_offload_task){.run = change_run, .done = change_done};
    fb_offload_start(&task->origin->calls, &task->offload, false);
}
