/* What the daemons keep for themselves in a folder as origin:
 *
 *     .forebay-parts/                 0700, ours, nobody else may write in it
 *         .lock                       0600; its bytes are locked, none is ever written
 *         HANDLE/                     16 digits: the blocks of one version of an object
 *             INDEX, INDEX.PID.TASK   a block, and one that is being written
 *             .name                   whose they are
 *             .commit.NODE.PID.TASK   the object, being made of them
 *             .near.NODE.PID.TASK     it is being made beside the target, on another file system:
 *     FOLDER/.forebay-parts.HANDLE.NODE.PID.TASK
 *         rewrite.INODE/              a file of several names is torn, see origin_posix_rewrite.c
 *
 *  1. A stranger's folder, or a link, is not entered: who could put names there had files elsewhere
 *     removed. It belongs to root or to whom files belong that the daemon makes (an NFS server may
 *     map its user); what is below it is opened without links.
 *  2. Only names of these forms are ever removed, and only in folders of these forms.
 *  3. A lock is a byte of one file, that of a name or an inode, so who stops while he has it holds
 *     up that name alone. It is tried for some time, never waited for: a worker comes back.
 *  4. .name comes into HANDLE after HANDLE's own entry is synced, whoever made it: power that goes
 *     between leaves none, and the next one to store there syncs it. */
#include "core/key.h"
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/log.h"
#include "hw/origin/origin_posix.h"
#include "hw/origin/posix_parts.h"

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
#include <xxhash.h>

#define LOCK_FILE ".lock"
#define COMMIT_START ".commit."
#define NEAR_START ".near."

enum { PRIVATE_FOLDER = 0700, PRIVATE_FILE = 0600, OTHERS_WRITE = 022 };

static const uint64_t lock_pause_ns = 5000000, held_told_ns = UINT64_C(10000000000);

int posix_own_open(int folder, const char *name)
{
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve =
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    int file = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    return file < 0 ? -errno : file;
}

/* Whom does a file belong to that is made here? false: none can be made. */
static bool maker_find(int root, uid_t *maker)
{
    char name[64];
    struct stat facts;
    snprintf(name, sizeof(name), FB_OBJECT_PARTS ".owner.%d.%p", getpid(), (void *)&facts);
    int file = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, PRIVATE_FILE);
    bool is_known = file >= 0 && fstat(file, &facts) == 0;
    if (file >= 0) {
        close(file);
        unlinkat(root, name, 0);
    }
    if (is_known)
        *maker = facts.st_uid;
    return is_known;
}

/* Who can make nothing here can remove nothing either: then it may belong to anybody. */
static bool is_ours(int root, const struct stat *facts)
{
    uid_t maker = geteuid();
    return facts->st_uid == 0 || facts->st_uid == maker || !maker_find(root, &maker) ||
           facts->st_uid == maker;
}

bool posix_parts_are_fine(int root, const char *path, struct fb_error *error)
{
    struct stat facts;
    int file = posix_own_open(root, FB_OBJECT_PARTS);
    if (file == -ELOOP || file == -ENOTDIR) {
        fb_error_set(error,
                     "origin.path %s: " FB_OBJECT_PARTS " in it is %s, and no folder of this "
                     "daemon's: remove it",
                     path, file == -ELOOP ? "a symbolic link" : "a file");
        return false;
    }
    if (file < 0 || fstat(file, &facts) != 0) { /* not there, or it can't be entered */
        if (file >= 0)
            close(file);
        return true;
    }
    close(file);
    bool is_shut = (facts.st_mode & OTHERS_WRITE) == 0, is_own = is_ours(root, &facts);
    if (!is_own)
        fb_error_set(error,
                     "origin.path %s: " FB_OBJECT_PARTS " in it belongs to user %u, and the daemon "
                     "is user %u: remove it, or chown -R it",
                     path, facts.st_uid, geteuid());
    else if (!is_shut)
        fb_error_set(error,
                     "origin.path %s: others may write in " FB_OBJECT_PARTS " in it: "
                     "chmod -R go-w %s/" FB_OBJECT_PARTS,
                     path, path);
    return is_own && is_shut;
}

/* Is the folder as it was made, and not one that took its place? */
static bool is_own_folder(struct posix_origin *posix, int file)
{
    struct stat facts;
    if (fstat(file, &facts) != 0 || (facts.st_mode & OTHERS_WRITE) != 0)
        return false;
    uint32_t known = atomic_load(&posix->owner_seen);
    if (facts.st_uid == 0 || facts.st_uid == geteuid() || facts.st_uid + 1 == known)
        return true;
    bool is_own = is_ours(posix->root, &facts);
    if (is_own)
        atomic_store(&posix->owner_seen, facts.st_uid + 1);
    return is_own;
}

/* Our folder lasts; the root's is no descriptor that could be synced. */
static int parts_keep(struct posix_origin *posix, int parts)
{
    int root = posix_own_open(posix->root, ".");
    int code = root < 0 ? root : posix_entry_sync(posix, root, parts, FB_OBJECT_PARTS);
    if (root >= 0)
        close(root);
    return code;
}

int posix_parts_open(struct posix_origin *posix, bool is_made)
{
    int file = posix_own_open(posix->root, FB_OBJECT_PARTS);
    if (file == -ENOENT && is_made) {
        if (mkdirat(posix->root, FB_OBJECT_PARTS, PRIVATE_FOLDER) != 0 && errno != EEXIST)
            return -errno;
        file = posix_own_open(posix->root, FB_OBJECT_PARTS);
    }
    if (file < 0)
        return file;
    int code = !is_own_folder(posix, file) ? -EPERM : is_made ? parts_keep(posix, file) : 0;
    if (code != 0)
        close(file);
    return code != 0 ? code : file;
}

/* Who finds the file with the name in the folder knows that the folder lasts (invariant 4). */
static int blocks_keep(const struct fb_origin_task *task, int parts, int blocks)
{
    char beside[POSIX_OWN_BYTES];
    if (faccessat(blocks, POSIX_NAME_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    int code = posix_folder_sync(parts);
    posix_commit_name(task, beside);
    if (code == 0)
        code = posix_name_put(blocks, &task->object, beside);
    return code == -ENOENT ? 0 : code; /* removed meanwhile: made anew when asked again */
}

int posix_blocks_open(struct fb_origin_task *task, bool is_made)
{
    struct posix_origin *posix = posix_of(task->origin);
    char name[32];
    int parts = posix_parts_open(posix, is_made);
    if (parts < 0)
        return parts;
    snprintf(name, sizeof(name), "%016" PRIx64, task->object.handle);
    int file = posix_own_open(parts, name);
    if (file == -ENOENT && is_made)
        file = mkdirat(parts, name, PRIVATE_FOLDER) != 0 && errno != EEXIST
                   ? -errno
                   : posix_own_open(parts, name);
    int code = file >= 0 && is_made ? blocks_keep(task, parts, file) : 0;
    close(parts);
    if (code != 0)
        close(file);
    return code != 0 ? code : file;
}

bool posix_is_handle(const char *name)
{
    return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

/* NODE.PID.TASK or PID.TASK: numbers, dots, and a pointer. */
static bool is_of_writer(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789abcdefx.")] == '\0';
}

enum posix_own posix_own_kind(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (digits > 0 && name[digits] == '\0')
        return POSIX_OWN_BLOCK;
    if (digits > 0 && name[digits] == '.' && is_of_writer(name + digits + 1))
        return POSIX_OWN_HALF;
    if (strcmp(name, POSIX_NAME_FILE) == 0)
        return POSIX_OWN_NAME;
    if (strncmp(name, COMMIT_START, strlen(COMMIT_START)) == 0 &&
        is_of_writer(name + strlen(COMMIT_START)))
        return POSIX_OWN_HALF;
    if (strncmp(name, NEAR_START, strlen(NEAR_START)) == 0 &&
        is_of_writer(name + strlen(NEAR_START)))
        return POSIX_OWN_NEAR;
    return POSIX_OWN_NOT;
}

void posix_commit_name(const struct fb_origin_task *task, char name[POSIX_OWN_BYTES])
{
    int length = snprintf(name, POSIX_OWN_BYTES, COMMIT_START "%u.%d.%p",
                          task->origin->context.settings->node, getpid(), (const void *)task);
    FB_ASSERT(length > 0);
    FB_ASSERT(length < POSIX_OWN_BYTES);
}

/* The file beside the target of which the mark tells. */
static void near_name(const struct fb_object *object, const char *mark, char name[POSIX_OWN_BYTES])
{
    snprintf(name, POSIX_OWN_BYTES, FB_OBJECT_PARTS ".%016" PRIx64 ".%.*s", object->handle,
             POSIX_OWN_BYTES - 64, mark + strlen(NEAR_START));
}

int posix_near_put(const struct fb_origin_task *task, int blocks, char mark[POSIX_OWN_BYTES],
                   char name[POSIX_OWN_BYTES])
{
    int length = snprintf(mark, POSIX_OWN_BYTES, NEAR_START "%u.%d.%p",
                          task->origin->context.settings->node, getpid(), (const void *)task);
    FB_ASSERT(length + 64 < POSIX_OWN_BYTES);
    near_name(&task->object, mark, name);
    int file = openat(blocks, mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PRIVATE_FILE);
    int code = file < 0 || fsync(file) != 0 || fsync(blocks) != 0 ? -errno : 0;
    if (file >= 0)
        close(file);
    return code;
}

void posix_near_remove(int root, int blocks, const char *mark, const struct fb_object *object)
{
    char name[POSIX_OWN_BYTES];
    FB_ASSERT(posix_own_kind(mark) == POSIX_OWN_NEAR);
    int folder = posix_parent_open(root, object->name);
    near_name(object, mark, name);
    if (folder >= 0) {
        unlinkat(folder, name, 0);
        close(folder);
    }
    unlinkat(blocks, mark, 0);
}

void posix_parts_remove(struct fb_origin_task *task)
{
    struct posix_origin *posix = posix_of(task->origin);
    char name[32];
    int file = posix_blocks_open(task, false);
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        enum posix_own kind = posix_own_kind(entry->d_name);
        if (kind == POSIX_OWN_NEAR)
            posix_near_remove(posix->root, file, entry->d_name, &task->object);
        else if (kind != POSIX_OWN_NOT)
            unlinkat(file, entry->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
    else if (file >= 0)
        close(file);
    int parts = file >= 0 ? posix_parts_open(posix, false) : -ENOENT;
    snprintf(name, sizeof(name), "%016" PRIx64, task->object.handle);
    if (parts >= 0) {
        unlinkat(parts, name, AT_REMOVEDIR);
        close(parts);
    }
}

int posix_lock_open(struct posix_origin *posix)
{
    int parts = posix_parts_open(posix, true);
    if (parts < 0)
        return parts;
    int file = openat(parts, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PRIVATE_FILE);
    int code = file < 0 ? -errno : file;
    close(parts);
    return code;
}

/* Somebody has it: told once by name, when that lasts. One name at a time is watched. */
static void held_tell(struct posix_origin *posix, uint64_t key, const char *text)
{
    uint64_t now_ns = fb_clock_ns();
    char quoted[FB_LOG_QUOTE_MAX];
    pthread_mutex_lock(&posix->mutex);
    struct posix_held *held = &posix->held;
    bool is_it = held->key == key;
    if (!is_it && now_ns - held->seen_ns >= held_told_ns)
        *held = (struct posix_held){.key = key, .since_ns = now_ns};
    is_it = held->key == key;
    if (is_it)
        held->seen_ns = now_ns;
    bool is_told = is_it && !held->is_told && now_ns - held->since_ns >= held_told_ns;
    held->is_told |= is_told;
    pthread_mutex_unlock(&posix->mutex);
    if (is_told)
        fb_log(FB_LOG_WARNING, "origin_name_held",
               "object=%s reason=\"another member has been changing it for 10 s: is one stopped?\"",
               fb_log_quote(text, quoted));
}

static void held_end(struct posix_origin *posix, uint64_t key)
{
    pthread_mutex_lock(&posix->mutex);
    if (posix->held.key == key)
        posix->held = (struct posix_held){.key = 0};
    pthread_mutex_unlock(&posix->mutex);
}

static int lock_take(struct posix_origin *posix, int lock, uint64_t key,
                     const struct posix_patience *patience)
{
    FB_ASSERT(key <= INT64_MAX); /* a place in a file */
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)key, .l_len = 1};
    const struct timespec pause = {.tv_nsec = (long)lock_pause_ns};
    uint64_t end_ns = fb_clock_ns() + patience->ns;
    while (fcntl(lock, F_OFD_SETLK, &range) != 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return -errno;
        if (fb_clock_ns() >= end_ns) {
            held_tell(posix, key, patience->name);
            return -EAGAIN;
        }
        nanosleep(&pause, NULL);
    }
    held_end(posix, key);
    return 0;
}

/* Names have the even bytes, inodes the odd ones. */
int posix_lock_name(struct posix_origin *posix, int lock, const struct posix_patience *patience)
{
    uint64_t hash = XXH3_64bits(patience->name, strlen(patience->name));
    return lock_take(posix, lock, hash >> 2 & ~UINT64_C(1), patience);
}

int posix_lock_inode(struct posix_origin *posix, int lock, uint64_t inode,
                     const struct posix_patience *patience)
{
    return lock_take(posix, lock, fb_mix(inode) >> 2 | 1, patience);
}
