/* A version that nobody can commit any more: what was written of it goes (R21).
 *
 *     NAME_ABANDON, or a job that finds its version overtaken (name_finish.c)
 *       |--its COMMIT's end is not known--> RECORD --it is this version's--> (end)
 *       |                            WAIT <--as that expected-'  '--another's--.
 *       '--> TELL members, some a step <--------------------'
 *              ^    '--> PARTS: ORIGIN_REMOVE of its blocks --ROUNDS_MIN times--> (end)
 *              '------a pause--------- WAIT <----'
 *
 *  1. A COMMIT whose end is not known may take effect as long as the record is the one that it
 *     expected, and not later (R14): until then nothing is done. Who waits for too long gives up:
 *     then the blocks are stored as if they were wanted.
 *  2. The blocks are removed several times, since stores may be under way; members are told as
 *     often, since messages are lost. Who hears it too late asks (abandon.c).
 *  3. Of a version without a name members are told, and that is all. Where the object is not known
 *     by its handle, the origin's answer tells. */
#include "core/name/name.h"
#include "core/name/name_flows.h"
#include "core/write/write.h"

enum { LOOKS_MAX = 20, ROUNDS_MIN = 5, ROUNDS_MAX = 10, TELLS_A_STEP = 4, PAUSE_DOUBLINGS_MAX = 6 };

static const uint64_t pause_ns = 1000000000;

static struct name *abandon_of(struct fb_node *node, uint32_t index)
{
    struct name *name = &node_names(node)[index];
    FB_ASSERT(index < node->config.names_max);
    FB_ASSERT(name->kind == NAME_ABANDON);
    return name;
}

void abandon_wait(struct fb_node *node, uint32_t index)
{
    struct name *name = abandon_of(node, index);
    uint32_t doublings = name->tries < PAUSE_DOUBLINGS_MAX ? name->tries : PAUSE_DOUBLINGS_MAX;
    name->state = NAME_WAIT;
    name->tries++;
    if (name->tries > LOOKS_MAX + ROUNDS_MAX) {
        name_end(node, index);
        return;
    }
    fb_timer_set(node_timer(node), timer_of_name(node, index),
                 node->now_ns + (pause_ns << doublings));
}

static void round_end(struct fb_node *node, uint32_t index)
{
    struct name *name = abandon_of(node, index);
    name->told = 0;
    name->rounds++;
    bool is_over = name->rounds >= (name->is_composed ? ROUNDS_MIN : ROUNDS_MAX);
    if (is_over)
        name_end(node, index);
    else
        abandon_wait(node, index);
}

static void parts_remove(struct step *step, uint32_t index)
{
    struct name *name = abandon_of(step->node, index);
    name->limit = 0; /* the blocks alone */
    name->shown = 0;
    name->is_composed = name->replaced == 0; /* there are none */
    if (name->is_composed || !name_origin(step, index, NAME_PARTS))
        round_end(step->node, index);
}

/* Tells some members in this step. */
static void tell(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = abandon_of(node, index);
    uint32_t count = node->view != NULL ? fb_view_member_count(node->view) : 0, sent = 0;
    FB_ASSERT(name->object != 0);
    name->state = NAME_TELL;
    for (; name->told < count && sent < TELLS_A_STEP && step_room(step) > 1; name->told++) {
        const struct fb_member *member = fb_view_member(node->view, name->told);
        if (!member->is_up || member->node == node->config.node)
            continue;
        abandon_tell(step, member->node, name->object);
        sent++;
    }
    if (name->told < count)
        fb_timer_set(node_timer(node), timer_of_name(node, index), node->now_ns);
    else
        parts_remove(step, index);
}

static void round_begin(struct step *step, uint32_t index)
{
    const struct name *name = abandon_of(step->node, index);
    FB_ASSERT(!name->is_unsure);
    if (name->object == 0) {
        parts_remove(step, index);
        return;
    }
    abandon_object(step->node, name->object);
    tell(step, index);
}

void abandon_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct name *name = abandon_of(step->node, index);
    FB_ASSERT(name->state == NAME_PARTS);
    name->is_composed = done->status == FB_OK; /* the origin is there */
    if (done->status == FB_OK && name->object == 0 && done->origin.object != 0) {
        name->object = done->origin.object;
        abandon_object(step->node, name->object); /* members hear of it in the next round */
    }
    round_end(step->node, index);
}

/* Is the version's COMMIT past? */
void abandon_recorded(struct step *step, uint32_t index, enum fb_status status,
                      const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct name *name = abandon_of(node, index);
    struct fb_name_facts facts = fb_name_read(record);
    FB_ASSERT(name->state == NAME_RECORD && name->is_unsure);
    bool is_answer = status == FB_OK || status == FB_ABSENT;
    bool is_its = facts.version == name->replaced || name_is_raised(name->replaced, facts.version);
    bool is_as_expected = record->version == name->change.version;
    if (is_answer && is_its && facts.state == FB_NAME_CACHED) {
        name_end(node, index);
    } else if (!is_answer || is_as_expected) {
        abandon_wait(node, index);
    } else {
        name->is_unsure = 0;
        name->tries = 0;
        round_begin(step, index);
    }
}

void abandon_timer(struct step *step, uint32_t index)
{
    const struct name *name = abandon_of(step->node, index);
    FB_ASSERT(name->state == NAME_WAIT || name->state == NAME_TELL);
    if (name->is_unsure && name->tries <= LOOKS_MAX)
        name_record(step, index);
    else if (name->is_unsure)
        name_end(step->node, index);
    else if (name->state == NAME_TELL)
        tell(step, index);
    else
        round_begin(step, index);
}

/* FB_NONE: it is under way already, or there is no slot: three quarters are for others. */
static uint32_t abandon_take(struct fb_node *node, struct fb_key key, uint64_t version)
{
    uint32_t max = (uint32_t)node->config.names_max, used = 0;
    FB_ASSERT(node->names_used <= max);
    for (uint32_t i = 0; i < max; i++) {
        const struct name *name = &node_names(node)[i];
        used += name->kind == NAME_ABANDON;
        if (name->kind == NAME_ABANDON && version > 0 && name->replaced == version &&
            fb_key_equal(name->key, key))
            return FB_NONE;
    }
    uint32_t index = used < (max + 3) / 4 ? name_take(node, NAME_ABANDON) : FB_NONE;
    if (index == FB_NONE)
        return FB_NONE;
    node_names(node)[index].key = key;
    node_names(node)[index].replaced = version;
    return index;
}

void abandon_version(struct step *step, struct fb_key key, uint64_t version, uint64_t size)
{
    uint32_t index = abandon_take(step->node, key, version);
    FB_ASSERT(version > 0);
    if (index == FB_NONE)
        return; /* what is owed of it is stored as if it were wanted */
    node_names(step->node)[index].change.size = size;
    round_begin(step, index);
}

void abandon_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    uint32_t index = abandon_take(node, request->block.key, request->version);
    FB_ASSERT(request->kind == FB_REQUEST_NAME_ABANDON);
    bool is_unsure = request->record.value.high != 0 && node->config.records > 0;
    bool has_object = request->block.object != FB_OBJECT_NONE;
    if (index == FB_NONE) {
        if (has_object && !is_unsure)
            abandon_object(node, request->block.object);
        return;
    }
    struct name *name = &node_names(node)[index];
    name->change = request->record;
    name->change.size = request->size;
    name->object = has_object ? request->block.object : 0;
    name->is_unsure = is_unsure;
    if (is_unsure)
        name_record(step, index);
    else
        round_begin(step, index);
}
