/* See ready.h. A bucket is listed, because one that is not there answers a look for an object as
 * one that is empty does; a folder was opened at the start, and may be large: it is asked for a
 * name. */
#include "hw/ops/ready.h"

#include "base/clock.h"
#include "client/protocol/page.h"
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/base/log.h"

#include <stdio.h>
#include <string.h>

static const uint64_t again_ns = 1000000000, told_ns = 3000000000;

static_assert(sizeof(struct fb_local_entry) + FB_OBJECT_NAME_MAX + 8 <= FB_READY_PAGE_BYTES,
              "an entry of any name fits, so that what is listed is told");

static void question_end(struct fb_ready_question *question, enum fb_status status, bool is_answer)
{
    FB_ASSERT(question->is_asked);
    question->is_asked = false;
    question->is_answered = is_answer;
    question->status = status;
    question->again_ns = fb_clock_ns() + again_ns;
}

static void origin_done(struct fb_origin_task *task, enum fb_status status)
{
    struct fb_ready *ready = FB_CONTAINER(task, struct fb_ready, origin_task);
    bool is_name = task->verb == FB_ORIGIN_STAT;
    question_end(&ready->origin, status, status == FB_OK || (status == FB_ABSENT && is_name));
}

static void origin_ask(struct fb_ready *ready)
{
    static const char name[] = "is-it-ready";
    struct fb_origin_task *task = &ready->origin_task;
    bool is_folder = ready->context.settings->origin.kind == FB_ORIGIN_POSIX;
    *task = (struct fb_origin_task){.verb = is_folder ? FB_ORIGIN_STAT : FB_ORIGIN_LIST,
                                    .done = origin_done,
                                    .passes_hold = true,
                                    .bytes = {.at = ready->page, .size = sizeof(ready->page)},
                                    .cursor = {.text = ready->cursor}};
    ready->cursor[0] = '\0';
    if (is_folder) {
        memcpy(task->object.name, name, sizeof(name));
        task->object.name_length = sizeof(name) - 1;
    }
    ready->origin.is_asked = true;
    fb_origin_start(ready->context.origin, task);
}

static void metadata_done(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_ready *ready = FB_CONTAINER(task, struct fb_ready, metadata_task);
    question_end(&ready->metadata, status, status == FB_OK || status == FB_ABSENT);
}

static void metadata_ask(struct fb_ready *ready)
{
    ready->metadata_task =
        (struct fb_meta_task){.verb = FB_META_VERB_GET, .done = metadata_done, .passes_hold = true};
    ready->metadata.is_asked = true;
    fb_meta_start(ready->context.meta, &ready->metadata_task);
}

static bool is_due(const struct fb_ready *ready, const struct fb_ready_question *question)
{
    return !question->is_answered && !question->is_asked &&
           question->again_ns <= ready->context.feed->now_ns;
}

/* A start, or a path that is away for a moment, is none. */
static void verdict_log(struct fb_ready *ready)
{
    char reason[FB_READY_TEXT_MAX], quoted[FB_LOG_QUOTE_MAX];
    uint64_t now_ns = ready->context.feed->now_ns;
    if (ready->context.standing->is_draining)
        return; /* it was told to stop */
    bool is_ready = fb_ready_is(ready, reason);
    if (is_ready && ready->told[0] != '\0')
        fb_log(FB_LOG_INFO, "ready_again", "after_ms=%llu",
               (unsigned long long)((now_ns - ready->not_ready_ns) / 1000000));
    ready->not_ready_ns = is_ready ? 0 : ready->not_ready_ns > 0 ? ready->not_ready_ns : now_ns;
    bool is_due = !is_ready && now_ns - ready->not_ready_ns >= told_ns;
    if (is_due && strcmp(reason, ready->told) != 0)
        fb_log(FB_LOG_ERROR, "not_ready", "reason=%s", fb_log_quote(reason, quoted));
    memcpy(ready->told, is_due ? reason : "", is_due ? sizeof(reason) : 1);
}

void fb_ready_sweep(struct fb_ready *ready)
{
    if (ready->context.settings->origin.kind == FB_ORIGIN_NONE)
        ready->origin.is_answered = true;
    if (!ready->context.names->is_on)
        ready->metadata.is_answered = true;
    if (is_due(ready, &ready->origin))
        origin_ask(ready);
    if (is_due(ready, &ready->metadata))
        metadata_ask(ready);
    verdict_log(ready);
}

/* What is wrong with what was asked; false: nothing. bucket: by which somebody may find it who
 * mistyped it; "": there is none. */
static bool reason_put(const char *what, const char *bucket,
                       const struct fb_ready_question *question, char reason[FB_READY_TEXT_MAX])
{
    if (question->is_answered)
        return false;
    if (question->status == FB_OK)
        snprintf(reason, FB_READY_TEXT_MAX, "%s: it has not answered yet", what);
    else
        snprintf(reason, FB_READY_TEXT_MAX,
                 "%s: it has not answered yet; the last try: %s%s%.64s: see the log and forebay "
                 "doctor",
                 what, fb_status_name(question->status), bucket[0] != '\0' ? " by bucket " : "",
                 bucket);
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

bool fb_ready_is(const struct fb_ready *ready, char reason[FB_READY_TEXT_MAX])
{
    if (ready->context.standing->is_draining) {
        snprintf(reason, FB_READY_TEXT_MAX, "stopping");
        return false;
    }
    if (fb_standing_is_fenced(ready->context.standing)) {
        snprintf(reason, FB_READY_TEXT_MAX,
                 "fenced: the lease has run out; it joins again when etcd answers");
        return false;
    }
    if (reason_put("origin", ready->context.settings->origin.bucket, &ready->origin, reason) ||
        reason_put("metadata", "", &ready->metadata, reason))
        return false;
    if (ready->context.origin->is_held) {
        snprintf(reason, FB_READY_TEXT_MAX,
                 "it is not known yet whether origin and metadata store are the right ones: see "
                 "the log and forebay doctor");
        return false;
    }
    if (moved_put(&ready->context.origin->anchor, reason) ||
        moved_put(&ready->context.meta->anchor, reason))
        return false;
    if (ready->context.drive->error != 0)
        snprintf(reason, FB_READY_TEXT_MAX, "ready, but for level device: device.path: %s",
                 fb_anchor_reason(ready->context.drive->error));
    else
        snprintf(reason, FB_READY_TEXT_MAX, "ready");
    return true;
}
