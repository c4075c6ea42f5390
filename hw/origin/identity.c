/* See identity.h. Of an object store:
 *
 *     STAT --there--> FETCH --> done
 *      |  '--none--> STORE, COMMIT of one over nothing --made, or another was first--> STAT */
#include "hw/origin/identity.h"

#include "base/clock.h"
#include "core/panic.h"
#include "hw/base/container.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

enum { ROUNDS = 8 };

bool fb_identity_make(struct fb_key *identity)
{
    return getrandom(identity, sizeof(*identity), 0) == sizeof(*identity) &&
           fb_identity_is_known(*identity);
}

void fb_identity_print(struct fb_key identity, char text[FB_IDENTITY_DIGITS + 1])
{
    snprintf(text, FB_IDENTITY_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, identity.high,
             identity.low);
}

struct fb_key fb_identity_read(const unsigned char *text, size_t size)
{
    char digits[FB_IDENTITY_BYTES + 1] = "";
    struct fb_key identity = {.high = 0};
    if (size == FB_IDENTITY_BYTES)
        memcpy(digits, text, size);
    bool is_text = strspn(digits, "0123456789abcdef") == FB_IDENTITY_DIGITS &&
                   digits[FB_IDENTITY_DIGITS] == '\n' &&
                   sscanf(digits, "%16" SCNx64 "%16" SCNx64, &identity.high, &identity.low) == 2;
    if (is_text && fb_identity_is_known(identity))
        return identity;
    XXH128_hash_t hash = XXH3_128bits(text, size);
    return (struct fb_key){.high = hash.high64, .low = hash.low64};
}

static void asked(struct fb_origin_task *task, enum fb_status status);

static void ask(struct fb_identity_question *question, enum fb_origin_verb verb)
{
    struct fb_origin_task *task = &question->task;
    task->verb = verb;
    task->done = asked;
    task->passes_hold = true;
    task->bytes = (struct fb_bytes){.at = question->text, .size = sizeof(question->text)};
    fb_origin_start(question->origin, task);
}

static void stat_ask(struct fb_identity_question *question)
{
    static const char name[] = FB_IDENTITY_OBJECT;
    question->task = (struct fb_origin_task){.object = {.name_length = sizeof(name) - 1}};
    memcpy(question->task.object.name, name, sizeof(name));
    question->rounds++;
    ask(question, FB_ORIGIN_STAT);
}

/* Versions of two who make one at once differ, so that their blocks do. */
static bool object_draw(struct fb_identity_question *question)
{
    enum { DRAWN = 0xfffff }; /* of nanoseconds */
    struct fb_object *object = &question->made;
    char digits[FB_IDENTITY_DIGITS + 1];
    struct fb_key made;
    if (!fb_identity_make(&made))
        return false;
    fb_identity_print(made, digits);
    memcpy(question->made_text, digits, FB_IDENTITY_DIGITS);
    question->made_text[FB_IDENTITY_DIGITS] = '\n';
    *object = question->task.object;
    object->version = (fb_wall_ns() & ~(uint64_t)DRAWN) | (made.low & DRAWN);
    object->size = FB_IDENTITY_BYTES;
    fb_object_identify(object);
    return true;
}

static void object_make(struct fb_identity_question *question)
{
    if (question->made.version == 0 && !object_draw(question)) {
        question->done(question, FB_IO);
        return;
    }
    memcpy(question->text, question->made_text, sizeof(question->text));
    question->task.object = question->made;
    question->task.limit = 0;
    question->task.as_version = question->made.version;
    ask(question, FB_ORIGIN_STORE);
}

static void asked(struct fb_origin_task *task, enum fb_status status)
{
    struct fb_identity_question *question = FB_CONTAINER(task, struct fb_identity_question, task);
    bool is_over = question->rounds == ROUNDS;
    FB_ASSERT(question->rounds <= ROUNDS);
    if (task->verb == FB_ORIGIN_STAT && status == FB_OK && task->object.size == FB_IDENTITY_BYTES) {
        fb_object_identify(&task->object);
        ask(question, FB_ORIGIN_FETCH);
    } else if (task->verb == FB_ORIGIN_STAT && status == FB_OK) { /* a stranger's */
        question->identity =
            fb_identity_read((const unsigned char *)&task->object.size, sizeof(task->object.size));
        question->done(question, FB_OK);
    } else if (task->verb == FB_ORIGIN_STAT && status == FB_ABSENT && question->is_making) {
        object_make(question);
    } else if (task->verb == FB_ORIGIN_FETCH && status == FB_OK) {
        question->identity = fb_identity_read(question->text, sizeof(question->text));
        question->done(question, FB_OK);
    } else if (task->verb == FB_ORIGIN_STORE && status == FB_OK) {
        ask(question, FB_ORIGIN_COMMIT);
    } else if ((status == FB_CONFLICT || (task->verb == FB_ORIGIN_COMMIT && status == FB_OK)) &&
               !is_over) {
        stat_ask(question);
    } else {
        question->done(question, status == FB_CONFLICT ? FB_BUSY : status);
    }
}

static void posix_run(struct fb_offload_task *offload)
{
    struct fb_identity_question *question =
        FB_CONTAINER(offload, struct fb_identity_question, offload);
    question->code = fb_identity_posix(question->origin, question->is_making, &question->identity);
}

static void posix_done(struct fb_offload_task *offload)
{
    struct fb_identity_question *question =
        FB_CONTAINER(offload, struct fb_identity_question, offload);
    question->done(question, question->code == 0 ? FB_OK : fb_origin_status(question->code));
}

void fb_identity_ask(struct fb_identity_question *question)
{
    question->rounds = 0;
    question->made.version = 0;
    question->identity = (struct fb_key){.high = 0};
    question->code = 0;
    if (question->origin->context.settings->origin.kind != FB_ORIGIN_POSIX) {
        stat_ask(question);
        return;
    }
    question->offload = (struct fb_offload_task){.run = posix_run, .done = posix_done};
    fb_offload_start(&question->origin->calls, &question->offload, false);
}
