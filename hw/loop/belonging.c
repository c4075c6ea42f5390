/* See belonging.h. */
#include "hw/loop/belonging.h"

#include "base/clock.h"
#include "core/name/name.h"
#include "core/panic.h"
#include "hw/loop/loop_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CONFLICTS = 4, /* in a row, then it is asked again as one that is away */
    PLACE_BYTES = 2 * FB_SETTINGS_PATH_MAX
};

static const uint64_t again_ns = 1000000000, start_patience_ns = 3000000000, look_ns = 100000000;

/* What the store keeps. */
struct kept {
    char magic[8];
    struct fb_identities identities;
};

static const char record_magic[8] = "FBIDENT1", record_name[] = FB_IDENTITY_OBJECT;

static void step_run(struct fb_loop *loop);

void fb_belonging_record_ask(struct fb_meta_task *task)
{
    *task = (struct fb_meta_task){.verb = FB_META_VERB_GET,
                                  .key = fb_name_key(record_name, sizeof(record_name) - 1),
                                  .passes_hold = true};
    task->name.length = sizeof(record_name) - 1;
    memcpy(task->name.text, record_name, sizeof(record_name));
}

struct fb_identities fb_belonging_record_read(const struct fb_meta_task *task)
{
    struct kept kept = {.magic = ""};
    if (task->attributes.length == sizeof(kept))
        memcpy(&kept, task->attributes.bytes, sizeof(kept));
    if (memcmp(kept.magic, record_magic, sizeof(kept.magic)) == 0)
        return kept.identities;
    return (struct fb_identities){.origin = {.high = 0}};
}

/* Where the settings say that the origin is. */
static void origin_place(const struct fb_settings *settings, char *text, size_t size)
{
    const struct fb_origin_settings *origin = &settings->origin;
    switch (origin->kind) {
    case FB_ORIGIN_NONE:
        snprintf(text, size, "origin.kind none");
        return;
    case FB_ORIGIN_POSIX:
        snprintf(text, size, "origin.path %s", origin->path);
        return;
    case FB_ORIGIN_S3:
    case FB_ORIGIN_AZURE:
        snprintf(text, size, "origin.bucket %s, prefix \"%s\"", origin->bucket, origin->prefix);
        return;
    }
}

static void store_place(const struct fb_settings *settings, char *text, size_t size)
{
    const struct fb_metadata_settings *metadata = &settings->metadata;
    switch (metadata->kind) {
    case FB_METADATA_NONE:
        snprintf(text, size, "metadata.kind none");
        return;
    case FB_METADATA_LMDB:
        snprintf(text, size, "metadata.path %s", metadata->path);
        return;
    case FB_METADATA_ETCD:
        snprintf(text, size, "metadata.endpoint %s, cluster %s", metadata->endpoint,
                 settings->cluster);
        return;
    }
}

/* What is to be done where an origin's identity cannot be read. */
static const char *origin_remedy(bool is_folder, enum fb_status status)
{
    if (is_folder)
        return FB_IDENTITY_REMEDY;
    if (status == FB_BUSY)
        return "is a proxy before it? It says another version at each look: see what is there";
    return "let it be read: what the store said is at origin_failed or origin_denied";
}

/* Once for as long as it is the same: it keeps the node from serving. code: -errno; 0: none. */
static void failure_log(struct fb_loop *loop, bool is_store, enum fb_status status, int code)
{
    struct fb_belonging *belonging = &loop->belonging;
    bool is_folder = loop->settings->origin.kind == FB_ORIGIN_POSIX;
    const char *file = is_folder ? FB_IDENTITY_FILE : FB_IDENTITY_OBJECT;
    char place[PLACE_BYTES], quoted[FB_LOG_QUOTE_MAX];
    if (belonging->told.status == status && belonging->told.code == code &&
        belonging->told.is_store == is_store)
        return;
    belonging->told.status = status;
    belonging->told.code = code;
    belonging->told.is_store = is_store;
    if (is_store)
        store_place(loop->settings, place, sizeof(place));
    else
        origin_place(loop->settings, place, sizeof(place));
    fb_log(FB_LOG_ERROR, is_store ? "metadata_identity_failed" : "origin_identity_failed",
           "status=%s place=%s file=%s reason=\"%s\" effect=\"nobody is served\" remedy=\"%s\"",
           fb_status_name(status), fb_log_quote(place, quoted), is_store ? "none" : file,
           code != 0 ? strerror(-code) : "",
           is_store ? "let the store answer: what it said is at metadata_failed"
                    : origin_remedy(is_folder, status));
}

/* It is away, or as good as that: asked again later, and whoever waits hears so. */
static void fail(struct fb_loop *loop, bool is_store, enum fb_status status, int code)
{
    failure_log(loop, is_store, status, code);
    loop->belonging.has_failed = true;
    loop->belonging.again_ns = fb_clock_ns() + again_ns;
    fb_origin_held_end(&loop->origin, status);
    fb_meta_held_end(&loop->meta, status);
}

static void step_begin(struct fb_loop *loop, enum fb_belonging_step step)
{
    loop->belonging.step = step;
    step_run(loop);
}

static void store_read(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, belonging.meta);
    struct fb_belonging *belonging = &loop->belonging;
    FB_ASSERT(belonging->step == FB_BELONGING_STORE);
    belonging->is_asking = false;
    if (status != FB_OK && status != FB_ABSENT) {
        fail(loop, true, status, 0);
        return;
    }
    belonging->store = (struct fb_identities){.origin = {.high = 0}};
    belonging->store_version = status == FB_OK ? task->record.version : 0;
    if (status == FB_OK)
        belonging->store = fb_belonging_record_read(task);
    step_begin(loop, FB_BELONGING_ORIGIN);
}

static void meta_ask(struct fb_loop *loop, enum fb_meta_verb verb, fb_meta_done *done)
{
    FB_ASSERT(!loop->belonging.is_asking); /* its task is free */
    struct fb_meta_task *task = &loop->belonging.meta;
    fb_belonging_record_ask(task);
    task->verb = verb;
    task->done = done;
}

static void store_ask(struct fb_loop *loop)
{
    meta_ask(loop, FB_META_VERB_GET, store_read);
    loop->belonging.is_asking = true;
    fb_meta_start(&loop->meta, &loop->belonging.meta);
}

/* "what is there is another one, IDENTITY", or that it has none. */
static void there_print(struct fb_key identity, char text[64])
{
    char digits[FB_IDENTITY_DIGITS + 1];
    fb_identity_print(identity, digits);
    if (fb_identity_is_known(identity))
        snprintf(text, 64, "what is there is another one, %s", digits);
    else
        snprintf(text, 64, "what is there has no identity");
}

static void origin_refuse(struct fb_loop *loop, bool is_by_store)
{
    struct fb_belonging *belonging = &loop->belonging;
    const struct fb_headers *headers = &loop->headers;
    char place[PLACE_BYTES], by[PLACE_BYTES], there[64], wanted[FB_IDENTITY_DIGITS + 1];
    origin_place(loop->settings, place, sizeof(place));
    if (is_by_store)
        store_place(loop->settings, by, sizeof(by));
    else
        snprintf(by, sizeof(by), "device.path %s (%" PRIu64 " bytes are owed on it)",
                 loop->settings->device_path, headers->owed_bytes);
    there_print(belonging->found.origin, there);
    fb_identity_print(is_by_store ? belonging->store.origin : headers->head.knows.origin, wanted);
    fb_error_set(&belonging->error,
                 "%.110s: %.110s belongs to origin %s, and %s: mount or name the right one; if "
                 "this one is meant: forebayd --accept-origin",
                 place, by, wanted, there);
}

static void store_refuse(struct fb_loop *loop)
{
    char place[PLACE_BYTES], there[64], wanted[FB_IDENTITY_DIGITS + 1];
    store_place(loop->settings, place, sizeof(place));
    there_print(loop->belonging.store.store, there);
    fb_identity_print(loop->headers.head.knows.store, wanted);
    fb_error_set(&loop->belonging.error,
                 "%.110s: %" PRIu64 " bytes are owed on device.path %.110s, which metadata store "
                 "%s has the names of, and %s: mount or name the right one; if this one is meant: "
                 "forebayd --accept-metadata",
                 place, loop->headers.owed_bytes, loop->settings->device_path, wanted, there);
}

static void judge(struct fb_loop *loop)
{
    struct fb_belonging *belonging = &loop->belonging;
    bool has_drive = loop->headers.file >= 0;
    const struct fb_identity_facts facts = {
        .drive = has_drive ? loop->headers.head.knows : (struct fb_identities){.origin = {0, 0}},
        .owed_bytes = loop->headers.owed_bytes,
        .store = belonging->store,
        .origin = belonging->found.origin,
        .accepts_origin = loop->settings->accepts_origin,
        .accepts_store = loop->settings->accepts_metadata};
    enum fb_identity_answer answer = fb_identity_judge(&facts);
    belonging->forgets = answer == FB_IDENTITY_FORGET;
    switch (answer) {
    case FB_IDENTITY_REFUSE_STORE:
        store_refuse(loop);
        return;
    case FB_IDENTITY_REFUSE_NAMED:
        origin_refuse(loop, true);
        return;
    case FB_IDENTITY_REFUSE_DRIVE:
        origin_refuse(loop, false);
        return;
    case FB_IDENTITY_FORGET:
    case FB_IDENTITY_USE:
        break;
    }
    bool is_made = belonging->may_make && !fb_identity_is_known(belonging->found.origin);
    step_begin(loop, is_made ? FB_BELONGING_MAKE : FB_BELONGING_KEEP);
}

static void unidentified_log(struct fb_loop *loop, enum fb_status status)
{
    char place[PLACE_BYTES], quoted[FB_LOG_QUOTE_MAX];
    loop->belonging.may_make = false;
    origin_place(loop->settings, place, sizeof(place));
    fb_log(FB_LOG_INFO, "origin_unidentified",
           "origin=%s status=%s effect=\"another one in its place is not told from it\"",
           fb_log_quote(place, quoted), fb_status_name(status));
}

static void origin_told(struct fb_identity_question *question, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(question, struct fb_loop, belonging.question);
    struct fb_belonging *belonging = &loop->belonging;
    bool is_known = fb_identity_is_known(loop->headers.head.knows.origin) ||
                    fb_identity_is_known(belonging->store.origin);
    bool is_refused = fb_origin_refuses(status);
    FB_ASSERT(belonging->is_asking);
    belonging->is_asking = false;
    if (status == FB_OK)
        belonging->found.origin = question->identity;
    /* Nobody knows one yet: what can be read is, though none can be made. The next start tries. */
    if ((question->is_making && status != FB_OK) || (is_refused && !is_known))
        unidentified_log(loop, status);
    else if (status != FB_OK && status != FB_ABSENT) {
        fail(loop, false, status, question->code);
        return;
    }
    if (question->is_making)
        step_begin(loop, FB_BELONGING_KEEP);
    else
        judge(loop);
}

static void origin_ask(struct fb_loop *loop, bool is_making)
{
    struct fb_belonging *belonging = &loop->belonging;
    FB_ASSERT(!belonging->is_asking);
    belonging->found.origin = (struct fb_key){.high = 0};
    belonging->may_make = loop->origin.can_write;
    if (loop->settings->origin.kind == FB_ORIGIN_NONE) {
        judge(loop);
        return;
    }
    belonging->question = (struct fb_identity_question){
        .origin = &loop->origin, .done = origin_told, .is_making = is_making};
    belonging->is_asking = true;
    fb_identity_ask(&belonging->question);
}

/* All is known, and the store keeps it. */
static void finish(struct fb_loop *loop)
{
    struct fb_belonging *belonging = &loop->belonging;
    bool is_folder = loop->settings->origin.kind == FB_ORIGIN_POSIX;
    FB_ASSERT(belonging->step == FB_BELONGING_KEEP);
    if (belonging->forgets && belonging->has_begun) {
        fb_error_set(&belonging->error,
                     "device.path %s caches what is of another origin: start "
                     "again, it is dropped then",
                     loop->settings->device_path);
        return;
    }
    fb_headers_know(&loop->headers, &belonging->found, belonging->forgets, &belonging->error);
    if (fb_error_is_set(&belonging->error))
        return;
    if (belonging->forgets)
        fb_log(FB_LOG_WARNING, "device_taken_over",
               "path=%s reason=\"it was of another origin: what it cached is dropped\"",
               loop->settings->device_path);
    if (is_folder && fb_identity_is_known(belonging->found.origin))
        fb_anchor_keep(&loop->origin.anchor, FB_IDENTITY_FILE);
    belonging->step = FB_BELONGING_DONE;
    fb_origin_release(&loop->origin);
    fb_meta_release(&loop->meta);
}

static void store_kept(struct fb_meta_task *task, enum fb_status status)
{
    struct fb_loop *loop = FB_CONTAINER(task, struct fb_loop, belonging.meta);
    FB_ASSERT(loop->belonging.step == FB_BELONGING_KEEP);
    loop->belonging.is_asking = false;
    if (status == FB_OK) {
        finish(loop);
    } else if (status == FB_CONFLICT && loop->belonging.conflicts++ < CONFLICTS) {
        step_begin(loop, FB_BELONGING_STORE);
    } else {
        loop->belonging.conflicts = 0;
        loop->belonging.step = FB_BELONGING_STORE; /* it may have been done, or not */
        fail(loop, true, status == FB_CONFLICT ? FB_BUSY : status, 0);
    }
}

static void store_keep(struct fb_loop *loop)
{
    struct fb_belonging *belonging = &loop->belonging;
    struct kept kept = {
        .identities = {.store = belonging->store.store, .origin = belonging->found.origin}};
    bool has_own = fb_identity_is_known(belonging->store.store);
    belonging->found.store = belonging->store.store;
    if (has_own && fb_key_equal(belonging->store.origin, belonging->found.origin)) {
        finish(loop);
        return;
    }
    if (!has_own && !fb_identity_make(&kept.identities.store)) {
        fail(loop, true, FB_IO, 0);
        return;
    }
    belonging->found.store = kept.identities.store;
    memcpy(kept.magic, record_magic, sizeof(kept.magic));
    const struct fb_name_facts facts = {.state = FB_NAME_ORIGIN,
                                        .level = FB_LEVEL_ORIGIN,
                                        .node = loop->settings->node,
                                        .version = FB_NAME_VERSION_NONE};
    meta_ask(loop, FB_META_VERB_PUT, store_kept);
    belonging->meta.record = fb_name_record(&facts, belonging->store_version);
    belonging->meta.attributes.length = sizeof(kept);
    memcpy(belonging->meta.attributes.bytes, &kept, sizeof(kept));
    belonging->is_asking = true;
    fb_meta_start(&loop->meta, &belonging->meta);
}

static void step_run(struct fb_loop *loop)
{
    bool has_store = loop->meta.internal != NULL;
    switch (loop->belonging.step) {
    case FB_BELONGING_STORE:
        if (has_store)
            store_ask(loop);
        else
            step_begin(loop, FB_BELONGING_ORIGIN);
        return;
    case FB_BELONGING_ORIGIN:
        origin_ask(loop, false);
        return;
    case FB_BELONGING_MAKE:
        origin_ask(loop, true);
        return;
    case FB_BELONGING_KEEP:
        if (has_store)
            store_keep(loop);
        else
            finish(loop);
        return;
    case FB_BELONGING_DONE:
        return;
    }
}

void fb_belonging_open(struct fb_loop *loop, struct fb_error *error)
{
    struct fb_belonging *belonging = &loop->belonging;
    uint64_t end_ns = fb_clock_ns() + start_patience_ns;
    loop->origin.is_held = true;
    loop->meta.is_held = true;
    step_run(loop);
    while (belonging->is_asking && !belonging->has_failed && fb_clock_ns() < end_ns) {
        int code = fb_uring_wait(&loop->uring, look_ns);
        if (code < 0) {
            fb_error_set(error, "io_uring: %s", strerror(-code));
            return;
        }
        fb_offload_finish(&loop->offload);
    }
    belonging->has_begun = true;
    fb_belonging_end(loop, error);
}

void fb_belonging_sweep(struct fb_loop *loop)
{
    struct fb_belonging *belonging = &loop->belonging;
    bool is_due = belonging->step != FB_BELONGING_DONE && !belonging->is_asking &&
                  !fb_error_is_set(&belonging->error) && belonging->again_ns <= loop->feed.now_ns;
    if (is_due)
        step_begin(loop, FB_BELONGING_STORE);
    if (fb_error_is_set(&belonging->error))
        loop->standing.is_stopping = true;
}

void fb_belonging_end(const struct fb_loop *loop, struct fb_error *error)
{
    if (fb_error_is_set(&loop->belonging.error))
        *error = loop->belonging.error;
}
