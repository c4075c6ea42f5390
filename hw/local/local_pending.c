/* What the origin does not show of a folder yet, or shows still: names whose records are
 * unfinished. A client merges them into the origin's listing. When they are more than NAMES_MAX, or
 * than a page holds of one folder, the listing is refused: one that lacks names would be a lie. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 4096 };

/* A listing that is under way; one at a time a session, since there is one page. */
struct pending {
    struct local_request *request;
    bool has_emptied; /* folders in it that have removed names are wanted */
    void (*then)(struct local_request *request); /* of settle */
    struct fb_name_task name;                    /* of settle: the one that is hurried */
    uint32_t folder_length;
    char folder[FB_OBJECT_NAME_MAX + 1];
    struct fb_meta_task task;
};

/* A name, as it is seen in the folder. */
struct part {
    const char *text;
    uint64_t size;
    bool is_folder, is_gone;
};

/* Of one name a folder is first, and of one kind what is there. */
static int part_compare(const void *a, const void *b)
{
    const struct part *first = a, *second = b;
    int order = strcmp(first->text, second->text);
    if (order == 0)
        order = (int)second->is_folder - (int)first->is_folder;
    return order != 0 ? order : (int)first->is_gone - (int)second->is_gone;
}

/* Is a part told with the one before it? Who wants emptied folders tells a name's kinds apart. */
static bool is_told(const struct pending *pending, const struct part *before,
                    const struct part *part)
{
    bool is_kind = part->is_folder == before->is_folder || !pending->has_emptied;
    return is_kind && strcmp(part->text, before->text) == 0;
}

/* Is a name below the folder? */
static bool is_inside(const struct pending *pending, const char *text)
{
    uint32_t length = pending->folder_length;
    return length == 0 || (strncmp(text, pending->folder, length) == 0 && text[length] == '/');
}

/* A name's part in the folder, cut at the next slash; false: it lies elsewhere, or is a folder of
 * something that goes, which may have more, and is not wanted. */
static bool part_take(const struct pending *pending, struct fb_meta_name *name, struct part *part)
{
    const struct fb_name_facts facts = fb_name_read(&name->record);
    uint32_t length = pending->folder_length;
    if (!is_inside(pending, name->text))
        return false;
    char *text = name->text + length + (length > 0), *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    *part = (struct part){.text = text,
                          .size = slash != NULL ? 0 : facts.size,
                          .is_folder = slash != NULL,
                          .is_gone = facts.state == FB_NAME_REMOVED};
    return !part->is_folder || !part->is_gone || pending->has_emptied;
}

/* Bytes of the page that are used; false: not all names fit. */
static bool page_fill(struct pending *pending, uint32_t *size)
{
    struct fb_meta_task *task = &pending->task;
    FB_ASSERT(task->name_count <= NAMES_MAX);
    struct fb_origin_task page = {
        .bytes = {.at = pending->request->session->page, .size = FB_LOCAL_PAGE_BYTES}};
    struct part parts[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < task->name_count; i++)
        count += !task->names[i].is_bad && part_take(pending, &task->names[i], &parts[count]);
    *size = 0;
    if (count == 0)
        return true;
    qsort(parts, count, sizeof(parts[0]), part_compare);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = page.moved;
        if (i > 0 && is_told(pending, &parts[i - 1], &parts[i]))
            continue;
        if (!fb_origin_entry(&page, parts[i].text, parts[i].size, parts[i].is_folder))
            return false;
        ((struct fb_local_entry *)(void *)(page.bytes.at + at))->is_gone = parts[i].is_gone;
    }
    *size = (uint32_t)page.moved;
    return true;
}

/* The first name below the folder, the folder's own left out; NULL: there is none. */
static struct fb_meta_name *below_find(const struct pending *pending)
{
    for (uint32_t i = 0; i < pending->task.name_count; i++) {
        struct fb_meta_name *name = &pending->task.names[i];
        if (!name->is_bad && is_inside(pending, name->text))
            return name;
    }
    return NULL;
}

/* Its task, to be started, asks the store for all unfinished names. */
static struct pending *pending_new(struct local_request *request, const char *folder,
                                   uint32_t length, fb_meta_done *done)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    FB_ASSERT(pending != NULL);
    FB_ASSERT(length <= FB_OBJECT_NAME_MAX);
    pending->request = request;
    pending->folder_length = length;
    memcpy(pending->folder, folder, length);
    pending->task = (struct fb_meta_task){.verb = FB_META_VERB_PENDING,
                                          .done = done,
                                          .names = calloc(NAMES_MAX, sizeof(struct fb_meta_name)),
                                          .names_max = NAMES_MAX};
    FB_ASSERT(pending->task.names != NULL);
    return pending;
}

static void pending_free(struct pending *pending)
{
    free(pending->task.names);
    free(pending);
}

static void settle_fail(struct pending *pending, enum fb_status status)
{
    pending->request->session->is_page_used = false;
    local_request_end(pending->request, &(struct fb_local_reply){.status = status});
    pending_free(pending);
}

static void hurried(struct fb_name_task *task, enum fb_status status)
{
    struct pending *pending = FB_CONTAINER(task, struct pending, name);
    settle_fail(pending, status == FB_OK ? FB_BUSY : status);
}

static void settled(struct fb_meta_task *task, enum fb_status status)
{
    struct pending *pending = FB_CONTAINER(task, struct pending, task);
    struct local_request *request = pending->request;
    const struct fb_meta_name *below = status == FB_OK ? below_find(pending) : NULL;
    if (below != NULL) {
        pending->name = (struct fb_name_task){.done = hurried,
                                              .names = request->session->local->context.names,
                                              .kind = FB_REQUEST_NAME_ASK,
                                              .name_length = (uint32_t)strlen(below->text),
                                              .name = below->text,
                                              .version = fb_name_read(&below->record).version};
        fb_name_start(&pending->name);
    } else if (status != FB_OK || task->is_cut) {
        settle_fail(pending, status != FB_OK ? status : FB_BUSY);
    } else {
        pending->then(request);
        pending_free(pending);
    }
}

void local_pending_settle(struct local_request *request, const char *folder, uint32_t length,
                          void (*then)(struct local_request *request))
{
    FB_ASSERT(request->session->is_page_used);
    FB_ASSERT(then != NULL);
    struct pending *pending = pending_new(request, folder, length, settled);
    pending->then = then;
    fb_meta_start(request->session->local->context.meta, &pending->task);
}

static void listed(struct fb_meta_task *task, enum fb_status status)
{
    struct pending *pending = FB_CONTAINER(task, struct pending, task);
    struct local_request *request = pending->request;
    struct fb_local_reply reply = {.status = status};
    FB_ASSERT(request->session->is_page_used);
    if (status == FB_OK && (task->is_cut || !page_fill(pending, &reply.page_size)))
        reply.status = FB_FULL;
    if (reply.page_size == 0)
        request->session->is_page_used = false;
    pending_free(pending);
    local_request_end(request, &reply);
}

void local_pending_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    struct fb_local *local = session->local;
    bool is_fine = from->name_length == 0 || fb_object_name_is_fine(from->text, from->name_length);
    struct fb_local_reply refusal = {.status = !is_fine                ? FB_INVALID
                                               : session->is_page_used ? FB_BUSY
                                                                       : FB_OK};
    if (refusal.status != FB_OK || !local->context.names->is_on) {
        local_request_end(request, &refusal);
        return;
    }
    session->is_page_used = true;
    struct pending *pending = pending_new(request, from->text, from->name_length, listed);
    pending->has_emptied = from->index == 1;
    fb_meta_start(local->context.meta, &pending->task);
}
