/* What writers that died have left in a folder as origin, looked for now and then, on a worker.
 *
 *  1. What is half written beside blocks goes after a day, and folders of blocks without one. Only
 *     what has a name of our own form (origin_posix_parts.c).
 *  2. Blocks of an object that nobody has committed, and that nobody has added to for
 *     origin.orphan_age: whose they are, a file among them tells (.name). The core looks whether
 *     the name's record says that they are needed, and has them removed if it does not (R21).
 *  3. Files of several names that somebody left torn are finished (origin_posix_rewrite.c).
 *  4. Clocks leap. The age is told by the file system's clock, and believed of blocks only that
 *     this daemon has seen unchanged for as long, or an hour. */
#include "core/panic.h"
#include "base/clock.h"
#include "hw/base/container.h"
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
#include <time.h>
#include <unistd.h>

enum { HALF_WRITTEN_S = 24 * 3600, ONE_S = 1000000000, NAME_FILE_BYTES = FB_OBJECT_NAME_MAX + 64 };

static const uint64_t watch_most_ns = UINT64_C(3600000000000);
static const uint64_t pause_most_ns = UINT64_C(3600000000000), pause_least_ns = 1000000000;

int posix_name_put(int folder, const struct fb_object *object, const char *beside)
{
    char text[NAME_FILE_BYTES];
    int length = snprintf(text, sizeof(text), "%" PRIu64 "\n%s", object->version, object->name);
    FB_ASSERT(length > 0);
    FB_ASSERT(length < NAME_FILE_BYTES); /* a number, a newline and a name */
    return posix_file_put(folder, beside, POSIX_NAME_FILE,
                          (struct fb_bytes){.at = (unsigned char *)text, .size = (uint64_t)length});
}

/* Whose blocks are in the folder? false: it does not say, or says another handle than its own. */
static bool name_take(int folder, const char *handle, struct fb_object *object)
{
    char text[NAME_FILE_BYTES], own[32], *name;
    int file = openat(folder, POSIX_NAME_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = file >= 0 ? read(file, text, sizeof(text) - 1) : -1;
    if (file >= 0)
        close(file);
    if (length <= 0)
        return false;
    text[length] = '\0';
    *object = (struct fb_object){.version = strtoull(text, &name, 10)};
    if (*name != '\n' || !fb_object_name_is_fine(name + 1, (uint32_t)strlen(name + 1)))
        return false;
    object->name_length = (uint32_t)strlen(name + 1);
    memcpy(object->name, name + 1, object->name_length + 1);
    fb_object_identify(object);
    snprintf(own, sizeof(own), "%016" PRIx64, object->handle);
    return strcmp(own, handle) == 0;
}

static bool is_half_written(int folder, const char *name, time_t now)
{
    struct stat facts;
    enum posix_own kind = posix_own_kind(name);
    return (kind == POSIX_OWN_HALF || kind == POSIX_OWN_NEAR) &&
           fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
           facts.st_mtim.tv_sec < now - HALF_WRITTEN_S;
}

/* Has this daemon seen the folder as it is for long? One that is seen no more, or has been told of,
 * gives its place to another that wants it. */
static bool is_unchanged(struct posix_origin *posix, uint64_t handle, const struct stat *facts)
{
    uint64_t now_ns = fb_clock_ns(), watch_ns = posix->orphan_age_ns;
    uint64_t changed_ns =
        (uint64_t)facts->st_mtim.tv_sec * ONE_S + (uint64_t)facts->st_mtim.tv_nsec;
    struct posix_watch *watch = &posix->watches[handle / 2 % POSIX_WATCHES_MAX];
    if (watch_ns > watch_most_ns)
        watch_ns = watch_most_ns;
    if (watch->handle == handle && watch->changed_ns == changed_ns) {
        watch->seen_ns = now_ns;
        watch->is_told = now_ns - watch->since_ns >= watch_ns;
        return watch->is_told;
    }
    bool is_free = watch->handle == 0 || watch->handle == handle || watch->is_told ||
                   watch->seen_ns < posix->looked_ns;
    if (is_free)
        *watch = (struct posix_watch){
            .handle = handle, .changed_ns = changed_ns, .since_ns = now_ns, .seen_ns = now_ns};
    return false;
}

/* `name` is half written in the folder of blocks; a mark goes with what it tells of. */
static void half_remove(const struct posix_origin *posix, int folder, const char *handle,
                        const char *name)
{
    struct fb_object object;
    if (posix_own_kind(name) == POSIX_OWN_NEAR && name_take(folder, handle, &object))
        posix_near_remove(posix->root, folder, name, &object);
    else
        unlinkat(folder, name, 0);
}

/* One writer's folder of blocks. */
static void look_at(struct posix_origin *posix, int parts, const char *name, time_t now)
{
    int file = posix_own_open(parts, name);
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    struct stat facts;
    uint32_t blocks = 0;
    if (folder == NULL || fstat(file, &facts) != 0) {
        if (file >= 0)
            close(file);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (is_half_written(file, entry->d_name, now))
            half_remove(posix, file, name, entry->d_name);
        else
            blocks += entry->d_name[0] != '.';
    }
    int64_t age_s = (int64_t)now - facts.st_mtim.tv_sec;
    struct fb_object object;
    bool is_old = blocks > 0 && age_s >= (int64_t)(posix->orphan_age_ns / ONE_S);
    bool is_orphan =
        is_old && name_take(file, name, &object) && is_unchanged(posix, object.handle, &facts);
    if (is_orphan && posix->orphan_count < POSIX_ORPHANS_MAX)
        posix->orphans[posix->orphan_count++] = object;
    if (blocks == 0 && age_s > HALF_WRITTEN_S) {
        unlinkat(file, POSIX_NAME_FILE, 0);
        unlinkat(parts, name, AT_REMOVEDIR);
    }
    closedir(folder);
}

/* The time as the file system has it, of the folder, which is touched for it; 0: not known, nothing
 * is old then. */
static time_t file_time(int parts)
{
    struct stat facts;
    return futimens(parts, NULL) == 0 && fstat(parts, &facts) == 0 ? facts.st_mtim.tv_sec : 0;
}

static void collect_run(struct fb_offload_task *offload)
{
    struct posix_origin *posix = FB_CONTAINER(offload, struct posix_origin, collect);
    int file = posix_parts_open(posix, false);
    DIR *parts = file >= 0 ? fdopendir(file) : NULL;
    time_t now = file >= 0 ? file_time(file) : 0;
    uint64_t began_ns = fb_clock_ns();
    posix->orphan_count = 0;
    for (struct dirent *entry; parts != NULL && (entry = readdir(parts)) != NULL;) {
        if (posix_is_handle(entry->d_name))
            look_at(posix, file, entry->d_name, now);
        else
            posix_rewrites_finish(posix, file, entry->d_name);
    }
    posix->looked_ns = began_ns;
    if (parts != NULL)
        closedir(parts);
    else if (file >= 0)
        close(file);
}

static void collect_done(struct fb_offload_task *offload)
{
    struct posix_origin *posix = FB_CONTAINER(offload, struct posix_origin, collect);
    FB_ASSERT(posix->is_collecting);
    FB_ASSERT(posix->orphan_count <= POSIX_ORPHANS_MAX);
    for (uint32_t i = 0; i < posix->orphan_count; i++)
        posix->origin->context.collect(posix->origin, &posix->orphans[i]);
    posix->is_collecting = false;
}

void fb_origin_posix_collect(struct fb_origin *origin)
{
    struct posix_origin *posix = posix_of(origin);
    uint64_t now_ns = fb_clock_ns(), pause_ns = posix->orphan_age_ns / 4;
    if (posix->is_collecting || now_ns < posix->collect_ns)
        return;
    if (pause_ns > pause_most_ns)
        pause_ns = pause_most_ns;
    posix->is_collecting = true;
    posix->collect_ns = now_ns + (pause_ns > pause_least_ns ? pause_ns : pause_least_ns);
    posix->collect = (struct fb_offload_task){.run = collect_run, .done = collect_done};
    fb_offload_start(&origin->calls, &posix->collect, false);
}
