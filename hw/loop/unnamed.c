/* See unnamed.h. */
#include "hw/loop/unnamed.h"

#include "core/name/name.h"
#include "core/panic.h"
#include "hw/loop/loop_internal.h"

#include <inttypes.h>
#include <string.h>

enum { HEADERS_AT_ONCE = 4096 };

static void walk(struct fb_loop *loop);

static void count(struct fb_loop *loop, const struct fb_header *header)
{
    struct fb_unnamed *unnamed = &loop->unnamed;
    unnamed->blocks += unnamed->is_unnamed;
    unnamed->bytes += unnamed->is_unnamed ? header->size : 0;
}

static void end_say(const struct fb_unnamed *unnamed)
{
    char quoted[FB_LOG_QUOTE_MAX];
    if (unnamed->blocks > 0)
        fb_log(FB_LOG_WARNING, "owed_unnamed",
               "blocks=%" PRIu64 " bytes=%" PRIu64 " object=%s reason=\"no record of that version: "
               "its writer died before the commit, or the metadata store is an older one\"",
               unnamed->blocks, unnamed->bytes, fb_log_quote(unnamed->name, quoted));
}

static void record_read(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, unnamed.meta);
    struct fb_unnamed *unnamed = &loop->unnamed;
    const struct fb_object *object = &unnamed->object;
    bool is_older = status == FB_OK && fb_name_read(&task->record).state != FB_NAME_BAD &&
                    fb_name_read(&task->record).version < object->version;
    FB_ASSERT(unnamed->is_asking);
    unnamed->is_asking = false;
    unnamed->is_unnamed = status == FB_ABSENT || is_older;
    if (unnamed->is_unnamed && unnamed->name[0] == '\0')
        memcpy(unnamed->name, object->name, object->name_length + 1);
    count(loop, &unnamed->header);
    walk(loop);
}

static void owed_take(struct fb_loop *loop, const struct fb_header *header)
{
    struct fb_unnamed *unnamed = &loop->unnamed;
    FB_ASSERT(!unnamed->is_asking); /* its task is free */
    if (header->object == unnamed->object.handle) {
        count(loop, header);
        return;
    }
    unnamed->is_unnamed = false;
    if (fb_headers_name(&loop->headers, header, &unnamed->object) != FB_HEADER_NAME_FINE) {
        unnamed->object.handle = 0;
        return;
    }
    unnamed->header = *header;
    unnamed->object.name[unnamed->object.name_length] = '\0';
    unnamed->meta = (struct fb_meta_task){
        .verb = FB_META_VERB_GET,
        .done = record_read,
        .key = fb_name_key(unnamed->object.name, unnamed->object.name_length)};
    unnamed->is_asking = true;
    fb_meta_start(&loop->meta, &unnamed->meta);
}

static void walk(struct fb_loop *loop)
{
    struct fb_unnamed *unnamed = &loop->unnamed;
    struct fb_done done;
    for (uint32_t i = 0; i < HEADERS_AT_ONCE && unnamed->left > 0 && !unnamed->is_asking; i++) {
        fb_headers_scan(&loop->headers, unnamed->cursor, &done);
        if (done.status != FB_OK) {
            unnamed->left = 0;
            break;
        }
        unnamed->cursor = done.next;
        if (done.header.state != FB_HEADER_OWED)
            continue;
        unnamed->left--;
        owed_take(loop, &done.header);
    }
    if (unnamed->left == 0 && !unnamed->is_asking)
        end_say(unnamed);
}

void fb_unnamed_sweep(struct fb_loop *loop)
{
    struct fb_unnamed *unnamed = &loop->unnamed;
    bool is_due = !unnamed->has_begun && loop->belonging.step == FB_BELONGING_DONE;
    if (is_due) {
        unnamed->has_begun = true;
        unnamed->left =
            loop->names.is_on && loop->headers.file >= 0 ? loop->headers.owed_blocks : 0;
    }
    if (unnamed->left > 0 && !unnamed->is_asking)
        walk(loop);
}
