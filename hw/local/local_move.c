/* A commit that takes another name away: how a file is renamed where its content was copied. Its
 * client says which version it has copied; both records change at once, or neither (meta.h, 8).
 *
 *     COMMIT --> (a folder as origin: PLACE) --> BEGIN of the source
 *              ^    --> (its record tells no version: LOOK at the origin) --> COMMIT of the target
 *              '------------------ABSENT: the source's record has changed---------'
 *     any --the source is gone: ENOENT; is of another version: EAGAIN--> reply
 *
 *  1. Whoever loses has changed nothing: of two who rename a file one does, and the other's target
 *     is what it was. A removal or commit of the source since its BEGIN is a loss, too.
 *  2. The source becomes what a removal makes of it (core/name/name.c), by the version that BEGIN
 *     gives. Where its bytes are in the cache its keeper erases it, else this node.
 *  3. A commit that is asked for again, since its end was not known, may have taken the source
 *     itself: then it goes on and expects a record that cannot be, and the store tells which.
 *  4. What another hand, or a rename of a folder's own, does to the source at the origin between
 *     the LOOK and the commit no record tells. */
#include "core/panic.h"
#include "hw/base/container.h"
#include "hw/local/local.h"
#include "hw/local/local_move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 8 };

struct local_move {
    struct local_request *request;
    uint64_t version; /* that was copied */
    uint32_t tries;
    struct fb_origin_task origin; /* its object is the source */
    struct fb_name_task name;
    struct fb_meta_gone gone;
};

void local_move_end(struct local_request *request)
{
    free(request->move);
    request->move = NULL;
}

static void refuse(struct local_move *move, enum fb_status status, int error)
{
    struct local_request *request = move->request;
    FB_ASSERT(request->move == move);
    const struct fb_local_reply reply = {.status = status, .index = (uint64_t)error};
    local_move_end(request);
    local_request_end(request, &reply);
}

static struct fb_local *local_of(const struct local_move *move)
{
    return move->request->session->local;
}

/* The source is not what was copied. */
static void source_lost(struct local_move *move, bool is_gone)
{
    const struct local_request *request = move->request;
    const struct fb_object *object =
        fb_objects_find(local_of(move)->context.objects, request->origin.object.handle);
    if (object != NULL && object->unsure.value.high != 0) {
        move->gone.name.record.version = INT64_MAX;
        local_commit_moved(move->request, &move->gone);
    } else {
        refuse(move, is_gone ? FB_ABSENT : FB_REFUSED, is_gone ? 0 : EAGAIN);
    }
}

/* written: the version that the origin shows, where the cache has none. */
static void source_take(struct local_move *move, uint64_t written)
{
    struct fb_meta_name *name = &move->gone.name;
    const struct fb_name_facts facts = fb_name_read(&move->name.record);
    uint32_t keeper =
        facts.state == FB_NAME_CACHED ? facts.node : local_of(move)->context.settings->node;
    const struct fb_name_facts removal =
        fb_name_removal(&facts, keeper, move->name.version, written);
    name->record = fb_name_record(&removal, move->name.record.version);
    move->gone.is_pending = true;
    local_commit_moved(move->request, &move->gone);
}

/* A removal whose version was shown by who had not heard of it hides it still. */
static bool is_hidden(const struct fb_name_facts *facts, const struct fb_object *object)
{
    return facts->level == FB_LEVEL_COUNT && object->written != 0 && object->written == facts->size;
}

static void source_looked(struct fb_origin_task *task, enum fb_status status)
{
    struct local_move *move = FB_CONTAINER(task, struct local_move, origin);
    struct fb_object *object = &task->object;
    const struct fb_name_facts facts = fb_name_read(&move->name.record);
    uint64_t written = object->written;
    if (status != FB_OK && status != FB_ABSENT) {
        refuse(move, status, 0);
        return;
    }
    bool is_gone =
        status == FB_ABSENT || (move->name.record.version > 0 && is_hidden(&facts, object));
    if (!is_gone)
        fb_objects_recognise(local_of(move)->context.objects, object);
    if (is_gone || (object->version != move->version && written != move->version))
        source_lost(move, is_gone);
    else if (object->order >= move->name.version)
        refuse(move, FB_BUSY, 0); /* the BEGIN did not hear of it */
    else
        source_take(move, written);
}

static void source_begin(struct local_move *move);

static void source_begun(struct fb_name_task *task, enum fb_status status)
{
    struct local_move *move = FB_CONTAINER(task, struct local_move, name);
    const struct fb_name_facts facts = fb_name_read(&task->record);
    if (status != FB_OK || task->is_old || facts.state == FB_NAME_BAD) {
        refuse(move, status != FB_OK ? status : task->is_old ? FB_IO : FB_CORRUPT, 0);
    } else if (task->found_version != task->record.version && move->tries++ < TRIES_MAX) {
        source_begin(move); /* what is beside the record is of another one */
    } else if (facts.state == FB_NAME_REMOVED) {
        source_lost(move, true);
    } else if (facts.state == FB_NAME_CACHED && facts.version == move->version) {
        source_take(move, 0);
    } else if (facts.state == FB_NAME_CACHED || task->found_version != task->record.version) {
        source_lost(move, false);
    } else {
        move->origin.verb = FB_ORIGIN_LOOK;
        move->origin.may_be_seen = false;
        move->origin.done = source_looked;
        fb_origin_start(local_of(move)->context.origin, &move->origin);
    }
}

static void source_begin(struct local_move *move)
{
    const struct fb_object *object = &move->origin.object;
    move->name = (struct fb_name_task){.kind = FB_REQUEST_NAME_BEGIN,
                                       .done = source_begun,
                                       .names = local_of(move)->context.names,
                                       .name_length = object->name_length,
                                       .name = object->name,
                                       .found = &move->request->kept};
    fb_name_start(&move->name);
}

void local_move_again(struct local_request *request)
{
    FB_ASSERT(request->move != NULL);
    if (request->move->tries++ < TRIES_MAX)
        source_begin(request->move);
    else
        refuse(request->move, FB_BUSY, 0);
}

/* The source's name is the one without links. */
static void source_placed(struct fb_origin_task *task, enum fb_status status)
{
    struct local_move *move = FB_CONTAINER(task, struct local_move, origin);
    const struct fb_object *object = &task->object, *target = &move->request->origin.object;
    struct fb_meta_name *name = &move->gone.name;
    name->length = object->name_length;
    memcpy(name->text, object->name, object->name_length + 1);
    name->key = fb_name_key(name->text, name->length);
    bool is_same = object->name_length == target->name_length &&
                   memcmp(object->name, target->name, target->name_length) == 0;
    if (status != FB_OK || is_same)
        refuse(move, status != FB_OK ? status : FB_INVALID, 0);
    else
        source_begin(move);
}

void local_move_start(struct local_request *request)
{
    const struct fb_origin_change *wanted = &request->change;
    struct local_move *move = calloc(1, sizeof(*move));
    FB_ASSERT(move != NULL && request->move == NULL);
    request->move = move;
    move->request = request;
    move->version = wanted->attributes.number;
    move->origin.object.name_length = wanted->text_length;
    memcpy(move->origin.object.name, wanted->text, wanted->text_length + 1);
    if (!local_of(move)->context.origin->can_change) {
        source_placed(&move->origin, FB_OK);
        return;
    }
    move->origin.verb = FB_ORIGIN_PLACE;
    move->origin.done = source_placed;
    fb_origin_start(local_of(move)->context.origin, &move->origin);
}
