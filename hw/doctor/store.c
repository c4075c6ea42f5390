/* See store.h. A daemon's own origin, with a loop that is just enough for it. */
#include "hw/doctor/store.h"

#include "base/clock.h"
#include "base/origin_client.h"
#include "base/units.h"
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/drive/drive_io.h"
#include "hw/drive/head.h"
#include "hw/origin/identity.h"
#include "hw/origin/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 8192, BLOCK_BYTES = 4096 };

static const uint64_t patience_ns = 10000000000, look_ns = 100000000;
static const char object_name[] = ".forebay-doctor";

struct probe {
    struct fb_uring uring;
    struct fb_offload offload;
    struct fb_origin origin;
    struct fb_origin_task task;
    struct fb_identity_question question;
    enum fb_status status;
    bool is_done;
    char cursor[FB_LOCAL_CURSOR_MAX + 1];
    _Alignas(8) unsigned char page[PAGE_BYTES];
};

/* What lies there for long is not the doctor's to remove. */
static void collect(struct fb_origin *origin, const struct fb_object *object)
{
    (void)origin, (void)object;
}

static void task_done(struct fb_origin_task *task, enum fb_status status)
{
    struct probe *probe = FB_CONTAINER(task, struct probe, task);
    probe->is_done = true;
    probe->status = status;
}

static void question_done(struct fb_identity_question *question, enum fb_status status)
{
    struct probe *probe = FB_CONTAINER(question, struct probe, question);
    probe->is_done = true;
    probe->status = status;
}

static enum fb_status probe_wait(struct probe *probe)
{
    uint64_t end_ns = fb_clock_ns() + patience_ns;
    while (!probe->is_done && fb_clock_ns() < end_ns && fb_uring_wait(&probe->uring, look_ns) >= 0)
        fb_offload_finish(&probe->offload);
    return probe->is_done ? probe->status : FB_TIMEOUT;
}

static enum fb_status ask(struct probe *probe, enum fb_origin_verb verb)
{
    probe->is_done = false;
    probe->task.verb = verb;
    probe->task.done = task_done;
    fb_origin_start(&probe->origin, &probe->task);
    return probe_wait(probe);
}

static enum fb_status list(struct probe *probe)
{
    probe->task = (struct fb_origin_task){.bytes = {.at = probe->page, .size = sizeof(probe->page)},
                                          .cursor = {.text = probe->cursor}};
    return ask(probe, FB_ORIGIN_LIST);
}

static enum fb_status block_ask(struct probe *probe, enum fb_origin_verb verb, uint64_t version)
{
    struct fb_object *object = &probe->task.object;
    probe->task = (struct fb_origin_task){.bytes = {.at = probe->page, .size = BLOCK_BYTES}};
    memcpy(object->name, object_name, sizeof(object_name));
    object->name_length = sizeof(object_name) - 1;
    object->version = version;
    object->size = BLOCK_BYTES;
    fb_object_identify(object);
    probe->task.as_version = version;
    probe->task.limit = verb == FB_ORIGIN_REMOVE ? UINT64_MAX : 0;
    return ask(probe, verb);
}

/* A store that says TIMEOUT is asked nothing more: its task may still be under way. */
static void questions_ask(struct probe *probe, struct fb_store_answer *answer)
{
    uint64_t version = fb_wall_ns();
    answer->what = "opening";
    probe->question =
        (struct fb_identity_question){.origin = &probe->origin, .done = question_done};
    fb_identity_ask(&probe->question);
    answer->status = probe_wait(probe);
    answer->identity = probe->question.identity;
    answer->has_identity = answer->status == FB_OK || answer->status == FB_ABSENT;
    if (answer->status == FB_ABSENT || answer->status == FB_DENIED)
        answer->status = FB_OK; /* there is none, or it may not be read: the rest says why */
    if (answer->status != FB_OK || probe->origin.context.settings->origin.kind == FB_ORIGIN_POSIX)
        return;
    answer->what = "listing";
    answer->status = list(probe);
    if (answer->status != FB_OK)
        return;
    answer->what = "storing";
    answer->status = block_ask(probe, FB_ORIGIN_STORE, version);
    if (answer->status == FB_OK)
        answer->status = block_ask(probe, FB_ORIGIN_COMMIT, version);
    if (answer->status == FB_CONFLICT) /* another doctor's, or what one may not remove */
        answer->status = FB_OK;
    if (answer->status != FB_OK)
        return;
    answer->what = "removing";
    answer->status = block_ask(probe, FB_ORIGIN_REMOVE, 0);
}

void fb_store_look(const struct fb_settings *settings, struct fb_store_answer *answer,
                   struct fb_error *error)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    *answer = (struct fb_store_answer){.status = FB_IO, .what = "opening"};
    int code = probe == NULL ? -ENOMEM : fb_uring_open(&probe->uring, 64);
    if (code != 0) {
        fb_error_set(error, "cannot be asked: %s", strerror(-code));
        free(probe);
        return;
    }
    const struct fb_origin_context context = {.settings = settings,
                                              .uring = &probe->uring,
                                              .offload = &probe->offload,
                                              .collect = collect};
    code = fb_offload_open(&probe->offload, &probe->uring, 1);
    if (code == 0) {
        fb_origin_open(&probe->origin, &context, error);
        if (!fb_error_is_set(error)) {
            questions_ask(probe, answer);
            fb_origin_close(&probe->origin);
        }
        fb_offload_close(&probe->offload);
    }
    fb_uring_close(&probe->uring);
    free(probe);
}

bool fb_store_parts_print(const struct fb_settings *settings, char text[FB_STORE_PARTS_BYTES])
{
    const struct fb_origin_settings *origin = &settings->origin;
    char block[32], part[32];
    uint64_t size = settings->core.block_size_bytes;
    uint64_t parts = fb_origin_parts(origin->part_bytes, size);
    bool is_fine = parts <= origin->requests_max;
    FB_ASSERT(parts > 0);
    fb_format_bytes(block, (double)size);
    fb_format_bytes(part, (double)(parts > 1 ? origin->part_bytes : size));
    snprintf(text, FB_STORE_PARTS_BYTES,
             "a block of %s: %" PRIu64 " requests of at most %s; at once %u%s", block, parts, part,
             origin->requests_max,
             is_fine ? ""
                     : ": raise origin.part_size or origin.requests_max, or lower core.block_size");
    return is_fine;
}

void fb_store_drive(const struct fb_settings *settings, struct fb_identities *knows,
                    uint64_t *owed_bytes)
{
    struct fb_heads heads;
    int file = settings->device_path[0] != '\0' ? fb_drive_io_open(settings->device_path) : -1;
    *knows = (struct fb_identities){.origin = {.high = 0}};
    *owed_bytes = 0;
    if (file < 0)
        return;
    fb_heads_read(&heads, file, settings);
    fb_drive_io_close(file);
    if (heads.chosen == FB_NONE)
        return;
    *knows = heads.copies[heads.chosen].head.knows;
    *owed_bytes = heads.copies[heads.chosen].head.state == FB_HEAD_IN_USE; /* one at least */
}
