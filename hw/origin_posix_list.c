/* Lists a folder of a POSIX origin: on a worker, since folders may be large and far away. The whole
 * folder is read and sorted for every page, so that pages fit together. Names that no object may
 * have are left out. */
#include "core/panic.h"
#include "hw/local_protocol.h"
#include "hw/loop_internal.h"
#include "hw/origin_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES_MAX = 4 * 1024 * 1024 };

struct names {
    char **list;
    uint64_t count, room;
};

static int names_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_add(struct names *names, const char *name)
{
    if (names->count == ENTRIES_MAX)
        return false;
    if (names->count == names->room) {
        uint64_t room = names->room > 0 ? 2 * names->room : 256;
        char **list = realloc(names->list, room * sizeof(*list));
        if (list == NULL)
            return false;
        names->list = list;
        names->room = room;
    }
    names->list[names->count] = strdup(name);
    return names->list[names->count++] != NULL;
}

static enum fb_status names_read(struct names *names, DIR *folder)
{
    errno = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        bool is_fine = fb_object_name_is_fine(entry->d_name, (uint32_t)strlen(entry->d_name));
        if (is_fine && !names_add(names, entry->d_name))
            return FB_FULL;
    }
    return errno == 0 ? FB_OK : FB_IO;
}

/* Puts an entry into the page; false: it does not fit. */
static bool entry_put(struct fb_origin_task *task, int folder, const char *name)
{
    struct stat facts;
    if (fstatat(folder, name, &facts, 0) != 0)
        return true; /* it went meanwhile, or leads nowhere */
    if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))
        return true;
    return fb_origin_entry(task, name, (uint64_t)facts.st_size, S_ISDIR(facts.st_mode));
}

static void page_fill(struct fb_origin_task *task, int folder, const struct names *names)
{
    uint64_t next = task->cursor.skip;
    while (next < names->count && entry_put(task, folder, names->list[next]))
        next++;
    task->cursor.skip = next < names->count ? next : 0;
}

static void list_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    struct names names = {.list = NULL};
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const char *path = task->object.name_length > 0 ? task->object.name : ".";
    int file = (int)syscall(SYS_openat2, task->loop->origin.folder, path, &how, sizeof(how));
    DIR *folder = file >= 0 ? fdopendir(file) : NULL;
    task->status = folder != NULL ? FB_OK : fb_origin_status(-errno);
    if (folder != NULL)
        task->status = names_read(&names, folder);
    if (task->status == FB_OK) {
        qsort(names.list, names.count, sizeof(*names.list), names_compare);
        page_fill(task, file, &names);
    }
    for (uint64_t i = 0; i < names.count; i++)
        free(names.list[i]);
    free(names.list);
    if (folder != NULL)
        closedir(folder);
    else if (file >= 0)
        close(file);
}

static void list_done(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    task->done(task, task->status);
}

void fb_origin_posix_list(struct fb_origin_task *task)
{
    task->offload = (struct fb_offload_task){.run = list_run, .done = list_done};
    fb_offload_start(&task->loop->origin_calls, &task->offload, false);
}
