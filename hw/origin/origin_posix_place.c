/* Where a name of a folder as origin leads, and whether a file may be made under it. On a worker.
 *
 *  1. Links in the way to a name are followed: what is meant is the name without them, so that a
 *     file has one name, and one record. The last part is taken as it is: a commit replaces a link
 *     to a file. A link to a folder is a folder.
 *  2. What can be said before a byte is written is said then: a commit that is acknowledged before
 *     the origin has it could not take it back. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/origin/origin_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_too_long(const char *name)
{
    for (const char *part = name, *end; part != NULL; part = *end != '\0' ? end + 1 : NULL) {
        end = strchrnul(part, '/');
        if (end - part > NAME_MAX)
            return true;
    }
    return false;
}

int posix_deepest_open(int root, char *path)
{
    int folder = posix_folder_open(root, path[0] != '\0' ? path : ".");
    while (folder == -ENOENT && path[0] != '\0') {
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
        else
            path[0] = '\0';
        folder = posix_folder_open(root, path[0] != '\0' ? path : ".");
    }
    return folder;
}

/* What stands in the way of a file `next`, of that folder, or of a folder, when there are further
 * parts; 0 or -errno. */
static int hindrance(int folder, const char *next, bool is_last)
{
    struct stat facts, target;
    if (fstatat(folder, next, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!is_last)
        return S_ISLNK(facts.st_mode) ? -ENOENT : -ENOTDIR; /* it leads nowhere */
    bool is_folder = S_ISDIR(facts.st_mode) ||
                     (S_ISLNK(facts.st_mode) && fstatat(folder, next, &target, 0) == 0 &&
                      S_ISDIR(target.st_mode));
    return is_folder ? -EISDIR : 0;
}

/* Puts the folder's own path before the rest of the name. */
static int name_lead(int root, const char *folder, const char *rest, struct fb_object *object)
{
    char own[POSIX_PATH_BYTES] = "", name[2 * POSIX_PATH_BYTES];
    int code = folder[0] != '\0' ? posix_resolve(root, folder, own) : 0;
    if (code == -EXDEV && folder[0] != '\0') {
        struct stat here, top; /* a link to the root itself */
        bool is_root = fstatat(root, folder, &here, 0) == 0 && fstat(root, &top) == 0 &&
                       here.st_dev == top.st_dev && here.st_ino == top.st_ino;
        code = is_root ? 0 : code;
        own[0] = '\0';
    }
    if (code != 0)
        return code;
    int length = snprintf(name, sizeof(name), "%s%s%s", own, own[0] != '\0' ? "/" : "", rest);
    if (length > FB_OBJECT_NAME_MAX)
        return -ENAMETOOLONG;
    if (!fb_object_name_is_fine(name, (uint32_t)length))
        return -EACCES; /* it leads to what is no client's */
    memcpy(object->name, name, (size_t)length + 1);
    object->name_length = (uint32_t)length;
    return 0;
}

/* 0 or -errno: what is in the way of a file of this name; the name becomes the one that it leads to
 * by the folders of it that are there. */
static int name_place(int root, struct fb_object *object)
{
    char path[POSIX_PATH_BYTES] = "", next[NAME_MAX + 1];
    const char *name = object->name, *base = posix_base_of(name);
    if (is_too_long(name))
        return -ENAMETOOLONG;
    if (base != name)
        snprintf(path, sizeof(path), "%.*s", (int)(base - name - 1), name);
    int folder = posix_deepest_open(root, path);
    if (folder < 0)
        return folder;
    const char *rest = path[0] != '\0' ? name + strlen(path) + 1 : name;
    const char *end = strchrnul(rest, '/');
    snprintf(next, sizeof(next), "%.*s", (int)(end - rest), rest);
    int code = hindrance(folder, next, *end == '\0');
    close(folder);
    int led = name_lead(root, path, rest, object);
    return code != 0 ? code : led;
}

bool posix_lead(int root, struct fb_object *object)
{
    struct fb_object led = *object;
    char resolved[POSIX_PATH_BYTES];
    int code = posix_resolve(root, object->name, resolved);
    if (code == 0 && strlen(resolved) <= FB_OBJECT_NAME_MAX) {
        led.name_length = (uint32_t)strlen(resolved);
        memcpy(led.name, resolved, led.name_length + 1);
    } else if (code != -ENOENT || name_place(root, &led) != 0) {
        return false;
    }
    bool is_other = strcmp(led.name, object->name) != 0;
    *object = led;
    return is_other;
}

static void place_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    int code = name_place(task->origin->folder, &task->object);
    task->error = code == -EXDEV || code == -ELOOP ? EACCES : -code; /* it leads out */
}

static void place_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->done(task, FB_OK);
}

void fb_origin_posix_place(struct fb_origin_task *task)
{
    FB_ASSERT(task->verb == FB_ORIGIN_PLACE);
    FB_ASSERT(fb_object_name_is_fine(task->object.name, task->object.name_length));
    task->offload = (struct fb_offload_task){.run = place_run, .done = place_done};
    fb_offload_start(&task->origin->calls, &task->offload, false);
}
