/* Lists a folder of a POSIX origin: on a worker, since folders may be large and far away. Its names
 * are read and sorted when a listing begins, and kept for its further pages: a cursor is the last
 * name that was given, so that a page that finds nothing kept, since others list, too, reads the
 * folder again and goes on there. Left out are names that no object may have, what is neither file
 * nor folder, and links that lead nowhere or out of the origin. */
#include "core/panic.h"
#include "client/protocol/local_protocol.h"
#include "client/protocol/page.h"
#include "hw/base/container.h"
#include "hw/origin/origin_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More names of one folder are refused (FULL); what is kept of all listings is bounded as well. */
enum { NAMES_MAX = 16 * 1024 * 1024 };
static const uint64_t kept_bytes_max = UINT64_C(64) << 20;

static int names_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(struct posix_names *names)
{
    for (uint64_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct posix_names){.list = NULL};
}

static bool names_add(struct posix_names *names, const char *name)
{
    FB_ASSERT(names->count <= names->room);
    if (names->count == NAMES_MAX)
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
    names->bytes += strlen(name) + 1 + sizeof(*names->list);
    return names->list[names->count] != NULL && ++names->count > 0;
}

/* The name of an entry from the root on; false: no object may have it. */
static bool name_make(const struct fb_origin_task *task, const char *entry, char *name)
{
    int length = snprintf(name, POSIX_PATH_BYTES, "%s%s%s", task->object.name,
                          task->object.name_length > 0 ? "/" : "", entry);
    return length > 0 && length < POSIX_PATH_BYTES &&
           fb_object_name_is_fine(name, (uint32_t)length);
}

static enum fb_status names_read(const struct fb_origin_task *task, struct posix_names *names,
                                 int file)
{
    char name[POSIX_PATH_BYTES];
    int copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    bool is_full = false;
    if (folder == NULL) {
        if (copy >= 0)
            close(copy);
        return FB_BUSY;
    }
    errno = 0;
    for (struct dirent *entry; !is_full && (entry = readdir(folder)) != NULL;)
        is_full = name_make(task, entry->d_name, name) && !names_add(names, entry->d_name);
    enum fb_status status = is_full ? FB_FULL : errno == 0 ? FB_OK : fb_origin_status(-errno);
    closedir(folder);
    if (status == FB_OK && names->count > 0)
        qsort(names->list, names->count, sizeof(*names->list), names_compare);
    return status;
}

/* What a link leads to, within the origin; false: nothing that is to be seen. */
static bool link_facts(const struct fb_origin_task *task, const char *entry, struct statx *facts)
{
    char name[POSIX_PATH_BYTES], resolved[POSIX_PATH_BYTES];
    int root = task->origin->folder;
    return name_make(task, entry, name) && posix_resolve(root, name, resolved) == 0 &&
           posix_facts(root, resolved, facts);
}

/* Puts an entry into the page; false: it does not fit. */
static bool entry_put(struct fb_origin_task *task, int folder, const char *name)
{
    struct statx facts;
    bool is_there = posix_facts(folder, name, &facts); /* else it went meanwhile */
    if (is_there && S_ISLNK(facts.stx_mode) && !task->is_plain)
        is_there = link_facts(task, name, &facts);
    bool is_other = !S_ISREG(facts.stx_mode) && !S_ISDIR(facts.stx_mode);
    if (!is_there || (is_other && !task->is_plain))
        return true;
    uint64_t at = task->moved;
    if (!fb_origin_entry(task, name, facts.stx_size, S_ISDIR(facts.stx_mode)))
        return false;
    if (is_other)
        ((struct fb_local_entry *)(void *)(task->bytes.at + at))->kind = FB_LOCAL_ENTRY_OTHER;
    return true;
}

/* The first name behind the cursor's. */
static uint64_t names_after(const struct posix_names *names, const char *last)
{
    uint64_t from = 0, to = names->count;
    while (from < to) {
        uint64_t middle = from + (to - from) / 2;
        if (strcmp(names->list[middle], last) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    FB_ASSERT(from <= names->count);
    return last[0] != '\0' ? from : 0;
}

static void page_fill(struct fb_origin_task *task, int folder, const struct posix_names *names)
{
    char *last = task->cursor.text;
    uint64_t next = names_after(names, last), from = next;
    while (next < names->count && entry_put(task, folder, names->list[next]))
        next++;
    task->cursor.skip = 0;
    if (next == names->count)
        last[0] = '\0';
    else if (next > from)
        snprintf(last, FB_LOCAL_CURSOR_MAX + 1, "%s", names->list[next - 1]);
}

/* A listing's names, if its folder was read for a page before; NULL: they are to be read. */
static struct posix_listing *listing_take(struct posix_origin *posix, const char *folder)
{
    struct posix_listing *found = NULL;
    pthread_mutex_lock(&posix->mutex);
    for (uint32_t i = 0; i < POSIX_LISTINGS_MAX && found == NULL; i++) {
        struct posix_listing *listing = &posix->listings[i];
        if (listing->used > 0 && !listing->is_lent && strcmp(listing->folder, folder) == 0)
            found = listing;
    }
    if (found != NULL)
        found->is_lent = true;
    pthread_mutex_unlock(&posix->mutex);
    return found;
}

/* Room for the names of one more listing, those of the least used go; NULL: they are not kept. */
static struct posix_listing *listing_make(struct posix_origin *posix, const char *folder,
                                          uint64_t bytes)
{
    struct posix_listing *oldest = NULL;
    uint64_t kept = bytes;
    pthread_mutex_lock(&posix->mutex);
    for (uint32_t i = 0; i < POSIX_LISTINGS_MAX; i++) {
        struct posix_listing *listing = &posix->listings[i];
        kept += listing->names.bytes;
        if (!listing->is_lent && (oldest == NULL || listing->used < oldest->used))
            oldest = listing;
    }
    if (oldest != NULL && kept - oldest->names.bytes > kept_bytes_max)
        oldest = NULL;
    if (oldest != NULL) {
        names_free(&oldest->names);
        oldest->is_lent = true;
        snprintf(oldest->folder, sizeof(oldest->folder), "%s", folder);
    }
    pthread_mutex_unlock(&posix->mutex);
    return oldest;
}

/* Kept for the next page, or, after the last one, not. */
static void listing_return(struct posix_origin *posix, struct posix_listing *listing, bool is_over)
{
    pthread_mutex_lock(&posix->mutex);
    listing->is_lent = false;
    listing->used = is_over ? 0 : ++posix->uses;
    if (is_over)
        names_free(&listing->names);
    pthread_mutex_unlock(&posix->mutex);
}

void posix_listings_free(struct posix_origin *posix)
{
    for (uint32_t i = 0; i < POSIX_LISTINGS_MAX; i++)
        names_free(&posix->listings[i].names);
}

static void list_page(struct fb_origin_task *task, int file)
{
    struct posix_origin *posix = posix_of(task->origin);
    const char *folder = task->object.name;
    struct posix_names names = {.list = NULL};
    struct posix_listing *kept = NULL;
    task->moved = 0;
    if (task->cursor.text[0] != '\0')
        kept = listing_take(posix, folder);
    task->status = kept != NULL ? FB_OK : names_read(task, &names, file);
    if (task->status == FB_OK)
        page_fill(task, file, kept != NULL ? &kept->names : &names);
    bool is_over = task->status != FB_OK || task->cursor.text[0] == '\0';
    if (kept == NULL && !is_over)
        kept = listing_make(posix, folder, names.bytes);
    if (kept != NULL && names.list != NULL) {
        kept->names = names;
        names.list = NULL;
        names.count = 0;
    }
    if (kept != NULL)
        listing_return(posix, kept, is_over);
    names_free(&names);
}

static void list_run(struct fb_offload_task *offload)
{
    struct fb_origin_task *task = FB_CONTAINER(offload, struct fb_origin_task, offload);
    const char *path = task->object.name_length > 0 ? task->object.name : ".";
    int file = posix_folder_open(task->origin->folder, path);
    if (file < 0) {
        task->status = fb_origin_status(file);
        return;
    }
    list_page(task, file);
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
    fb_offload_start(&task->origin->calls, &task->offload, false);
}
