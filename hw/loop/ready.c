/* See ready.h. A bucket is listed, because one that is not there answers a look for an object as
 * one that is empty does; a folder was opened at the start, and may be large: it is asked for a
 * name. */
#include "hw/loop/ready.h"

#include "base/clock.h"
#include "hw/loop/loop_internal.h"

#include <stdio.h>
#include <string.h>

static const uint64_t again_ns = 1000000000;

static void question_end(struct fb_ready_question *question, enum fb_status status, bool is_answer)
{
    question->is_asked = false;
    question->is_answered = is_answer;
    question->status = status;
    question->again_ns = fb_clock_ns() + again_ns;
}

static void origin_done(struct fb_origin_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, ready.origin_task);
    bool is_name = task->verb == FB_ORIGIN_STAT;
    question_end(&loop->ready.origin, status, status == FB_OK || (status == FB_ABSENT && is_name));
}

static void origin_ask(struct fb_loop *loop)
{
    static const char name[] = "is-it-ready";
    struct fb_origin_task *task = &loop->ready.origin_task;
    bool is_folder = loop->settings->origin.kind == FB_ORIGIN_POSIX;
    *task =
        (struct fb_origin_task){.verb = is_folder ? FB_ORIGIN_STAT : FB_ORIGIN_LIST,
                                .done = origin_done,
                                .passes_hold = true,
                                .bytes = {.at = loop->ready.page, .size = sizeof(loop->ready.page)},
                                .cursor = {.text = loop->ready.cursor}};
    loop->ready.cursor[0] = '\0';
    if (is_folder) {
        memcpy(task->object.name, name, sizeof(name));
        task->object.name_length = sizeof(name) - 1;
    }
    loop->ready.origin.is_asked = true;
    fb_origin_start(&loop->origin, task);
}

static void metadata_done(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, ready.metadata_task);
    question_end(&loop->ready.metadata, status, status == FB_OK || status == FB_ABSENT);
}

static void metadata_ask(struct fb_loop *loop)
{
    loop->ready.metadata_task =
        (struct fb_meta_task){.verb = FB_META_VERB_GET, .done = metadata_done, .passes_hold = true};
    loop->ready.metadata.is_asked = true;
    fb_meta_start(&loop->meta, &loop->ready.metadata_task);
}

static bool is_due(const struct fb_loop *loop, const struct fb_ready_question *question)
{
    return !question->is_answered && !question->is_asked && question->again_ns <= loop->feed.now_ns;
}

void fb_ready_sweep(struct fb_loop *loop)
{
    struct fb_ready *ready = &loop->ready;
    if (loop->settings->origin.kind == FB_ORIGIN_NONE)
        ready->origin.is_answered = true;
    if (!loop->names.is_on)
        ready->metadata.is_answered = true;
    if (is_due(loop, &ready->origin))
        origin_ask(loop);
    if (is_due(loop, &ready->metadata))
        metadata_ask(loop);
}

/* What is wrong with what was asked; false: nothing. */
static bool reason_put(const char *what, const struct fb_ready_question *question,
                       char reason[FB_READY_TEXT_MAX])
{
    if (question->is_answered)
        return false;
    if (question->status == FB_OK)
        snprintf(reason, FB_READY_TEXT_MAX, "%s: it has not answered yet", what);
    else
        snprintf(reason, FB_READY_TEXT_MAX,
                 "%s: it has not answered yet; the last try: %s: see the log and forebay doctor",
                 what, fb_status_name(question->status));
    return true;
}

/* Is what a path named at the start not there any more? */
static bool moved_put(const struct fb_anchor *anchor, char reason[FB_READY_TEXT_MAX])
{
    int fault = fb_anchor_fault(anchor);
    if (fault == 0)
        return false;
    snprintf(reason, FB_READY_TEXT_MAX,
             "%s %.100s: %s: put back what was there, or start the daemon again", anchor->setting,
             anchor->path, fb_anchor_reason(fault));
    return true;
}

bool fb_ready_is(const struct fb_loop *loop, char reason[FB_READY_TEXT_MAX])
{
    if (loop->standing.is_draining) {
        snprintf(reason, FB_READY_TEXT_MAX, "stopping");
        return false;
    }
    if (fb_standing_is_fenced(&loop->standing)) {
        snprintf(reason, FB_READY_TEXT_MAX,
                 "fenced: the lease has run out; it joins again when etcd answers");
        return false;
    }
    if (reason_put("origin", &loop->ready.origin, reason) ||
        reason_put("metadata", &loop->ready.metadata, reason))
        return false;
    if (loop->belonging.step != FB_BELONGING_DONE) {
        snprintf(reason, FB_READY_TEXT_MAX,
                 "it is not known yet whether origin and metadata store are the right ones: see "
                 "the log and forebay doctor");
        return false;
    }
    if (moved_put(&loop->origin.anchor, reason) || moved_put(&loop->meta.anchor, reason))
        return false;
    if (loop->drive.error != 0)
        snprintf(reason, FB_READY_TEXT_MAX, "ready, but for level device: device.path: %s",
                 fb_anchor_reason(loop->drive.error));
    else
        snprintf(reason, FB_READY_TEXT_MAX, "ready");
    return true;
}
