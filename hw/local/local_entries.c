/* What the metadata store alone has in a folder: links, empty folders, whatever has no object; the
 * list that local_kept.c keeps. A client merges it into the origin's listing, page by page. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_MAX = 128 }; /* of a page */

static_assert(NAMES_MAX * (sizeof(struct fb_local_entry) + FB_META_PART_MAX + 8) <=
                  FB_LOCAL_PAGE_BYTES,
              "they fit a page");

struct entries {
    struct local_request *request;
    struct fb_meta_name names[NAMES_MAX];
    struct fb_meta_task task;
};

static enum fb_local_entry_kind kind_of(uint32_t type)
{
    return S_ISDIR(type) ? FB_LOCAL_ENTRY_FOLDER : FB_LOCAL_ENTRY_OTHER;
}

static void listed(struct fb_meta_task *task, enum fb_status status)
{
    struct entries *entries = FB_CONTAINER(task, struct entries, task);
    struct local_request *request = entries->request;
    struct local_session *session = request->session;
    struct fb_local_reply reply = {.status = status};
    struct fb_origin_task page = {.bytes = {.at = session->page, .size = FB_LOCAL_PAGE_BYTES}};
    for (uint32_t i = 0; i < task->name_count && status == FB_OK; i++) {
        const struct fb_meta_name *name = &task->names[i];
        uint64_t at = page.moved;
        bool has_room = fb_origin_entry(&page, name->text, 0, false);
        FB_ASSERT(has_room);
        ((struct fb_local_entry *)(void *)(page.bytes.at + at))->kind =
            (uint16_t)kind_of(name->type);
    }
    if (status == FB_OK && task->is_cut && task->name_count > 0) {
        const struct fb_meta_name *last = &task->names[task->name_count - 1];
        memcpy(session->page + page.moved, last->text, last->length);
        reply.cursor_length = last->length;
    }
    reply.page_size = (uint32_t)page.moved + reply.cursor_length;
    if (reply.page_size == 0)
        session->is_page_used = false;
    free(entries);
    local_request_end(request, &reply);
}

void local_entries_start(struct local_request *request, const struct fb_local_request *from)
{
    struct local_session *session = request->session;
    bool is_fine =
        (from->name_length == 0 || fb_object_name_is_fine(from->text, from->name_length)) &&
        from->cursor_length <= FB_META_PART_MAX;
    struct fb_local_reply refusal = {.status = !is_fine                ? FB_INVALID
                                               : session->is_page_used ? FB_BUSY
                                                                       : FB_OK};
    if (refusal.status != FB_OK || !local_is_kept(session->local)) {
        local_request_end(request, &refusal);
        return;
    }
    struct entries *entries = calloc(1, sizeof(*entries));
    FB_ASSERT(entries != NULL);
    session->is_page_used = true;
    entries->request = request;
    entries->task = (struct fb_meta_task){.verb = FB_META_VERB_ENTRIES,
                                          .done = listed,
                                          .key = fb_name_key(from->text, from->name_length),
                                          .name = {.length = from->cursor_length},
                                          .names = entries->names,
                                          .names_max = NAMES_MAX};
    memcpy(entries->task.name.text, from->text + from->name_length, from->cursor_length);
    fb_meta_start(session->local->context.meta, &entries->task);
}
