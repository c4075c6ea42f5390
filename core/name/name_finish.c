/* Finishing what a commit or a removal has begun: the origin first, then the record; see name.c.
 *
 *     finish_commit --> COMPOSE, ERASE --OK--> PUT --OK--> (end); PARTS, when it was raised
 *                         |   ^  '--CONFLICT--> RECORD, raised
 *                    failed   '--still the record-- RECORD <--pause-- WAIT
 *                         '------> WAIT              '--superseded--> UNDO, WAIT or end
 *     COMPOSE --BUSY, again and again--> SEEK, see name_seek.c
 *     found in the list --> RECORD --another's--> CLAIM --> COMPOSE, ERASE
 *     WAIT, composed once --> RECORD --the same version--> PUT
 *
 *  1. Only the record's keeper changes the origin. Another takes it on by a CLAIM, which changes
 *     the record, so that the keeper hears of it when it next changes that.
 *  2. The origin's step can be repeated, until a stranger puts an object over what it made: then
 *     the version's blocks are nowhere. So who has heard that it is composed does not compose it
 *     again, and says so in the record, also when another has taken it on since. A later object
 *     there that none of our commits made, since the record is still ours when it is read after the
 *     conflict, is overtaken: limit is what was seen, and what is shown is later than that, and
 *     nobody's version: else it would be taken for another's that came next, and undone. An acked
 *     version is never given up for it.
 *  3. A version that was overtaken keeps its blocks until the record says so (PARTS): who takes
 *     over in between can compose it once more.
 *  4. PUT is a compare-and-swap: who loses it looks what the name means now. A version that another
 *     has taken the place of is undone once the origin shows the other: before, its blocks may
 *     still be on their way there. That may be lost: after some minutes it is not waited for.
 *     A removed version that was raised past its removal is undone first, then the rest is erased:
 *     what a stranger put there after the removal has another time, and stays. Who raised it may
 *     have died before its record said so: the last bits of its time are the version's own, by
 *     which it is known at the origin (name_raised), and hidden should it come once more.
 *  5. Pauses grow from name to name alone; a job that waits for long gives its slot to others and
 *     is found in the store's list again (name_collect.c). */
#include "core/name/name_flows.h"
#include "core/name/name.h"
#include "core/read/read.h"

static const uint64_t pause_first_ns = 50000000, pause_last_ns = 5000000000;
enum { PAUSE_DOUBLINGS_MAX = 7, REFUSALS_MAX = 8, TRIES_STUCK = 3, TRIES_SUPERSEDED = 40 };

uint32_t finish_find(struct fb_node *node, struct fb_key key, uint64_t version)
{
    FB_ASSERT(node->jobs_used <= node->names_used);
    for (uint32_t i = 0; i < node->config.names_max && node->jobs_used > 0; i++) {
        const struct name *name = &node_names(node)[i];
        bool is_it = name->kind == NAME_FINISH && fb_key_equal(name->key, key) &&
                     (version == 0 || name->record.value.high == version);
        if (is_it)
            return i;
    }
    return FB_NONE;
}

/* Does another job of this node change the name's object at the origin now? */
static bool is_taken(struct fb_node *node, uint32_t index)
{
    const struct name *own = &node_names(node)[index];
    FB_ASSERT(own->kind == NAME_FINISH);
    for (uint32_t i = 0; i < node->config.names_max; i++) {
        const struct name *name = &node_names(node)[i];
        bool is_busy =
            name->state == NAME_COMPOSE || name->state == NAME_ERASE || name->state == NAME_UNDO;
        if (i != index && name->kind == NAME_FINISH && is_busy && fb_key_equal(name->key, own->key))
            return true;
    }
    return false;
}

/* The job that has waited for longest gives its slot, if any has waited for long. */
static void slot_make(struct fb_node *node)
{
    uint32_t best = FB_NONE, tries = TRIES_STUCK;
    FB_ASSERT(node->jobs_used > 0);
    for (uint32_t i = 0; i < node->config.names_max; i++) {
        const struct name *name = &node_names(node)[i];
        bool is_stuck = name->kind == NAME_FINISH && name->state == NAME_WAIT;
        if (is_stuck && name->tries >= tries) {
            best = i;
            tries = name->tries + 1;
        }
    }
    if (best == FB_NONE)
        return;
    name_end(node, best);
    node->left_used++;
    node->left_seen++;
    FB_ASSERT(node->left_used > 0);
}

bool finish_has_room(struct fb_node *node)
{
    FB_ASSERT(node->config.names_max > 1);
    if (node->jobs_used >= node->config.names_max / 2)
        slot_make(node);
    return node->jobs_used < node->config.names_max / 2;
}

void finish_wait(struct fb_node *node, uint32_t index)
{
    struct name *name = &node_names(node)[index];
    uint32_t doublings = name->tries < PAUSE_DOUBLINGS_MAX ? name->tries : PAUSE_DOUBLINGS_MAX;
    uint64_t pause_ns = pause_first_ns << doublings;
    FB_ASSERT(name->kind == NAME_FINISH);
    if (pause_ns > pause_last_ns)
        pause_ns = pause_last_ns;
    name->state = NAME_WAIT;
    name->tries++;
    uint64_t again_ns = node->now_ns + pause_ns / 2 + fb_random_below(&node->random, pause_ns / 2);
    tell_at(node, FB_WHY_NAME_WAIT, FB_NONE, again_ns, name->tries);
    fb_timer_set(node_timer(node), timer_of_name(node, index), again_ns);
    FB_ASSERT(name->tries > 0);
}

/* A status that will not pass is no reason to try for ever. One that passes once somebody helps is:
 * the name is listed meanwhile (fb_node_refused_name). */
static void finish_failed(struct fb_node *node, uint32_t index, enum fb_status status)
{
    struct name *name = &node_names(node)[index];
    bool is_refusal = status == FB_INVALID || status == FB_CORRUPT || status == FB_TOO_LARGE;
    FB_ASSERT(name->kind == NAME_FINISH && status != FB_OK);
    name->refusals = is_refusal ? name->refusals + 1 : 0;
    name->refusal = status_is_for_good(status) || status == FB_FULL ? status : FB_OK;
    if (name->refusals < REFUSALS_MAX) {
        finish_wait(node, index);
        return;
    }
    bad_add(node, name->key, name->record.value.high, status);
    name_end(node, index);
}

bool finish_is_refused(const struct name *name)
{
    FB_ASSERT(name->kind <= NAME_ABANDON);
    FB_ASSERT(name->kind != NAME_FINISH || name->refusal < FB_STATUS_COUNT);
    return name->kind == NAME_FINISH && name->refusal != FB_OK && name->tries >= REFUSALS_MAX;
}

/* The latest time that this node may have shown the removed version with; 0: none past the removal,
 * up to which all is erased anyhow. */
static uint64_t raised_past(struct fb_node *node, uint32_t index)
{
    const struct name *own = &node_names(node)[index];
    struct fb_name_facts removal = fb_name_read(&own->record);
    uint64_t last = own->shown;
    FB_ASSERT(removal.state == FB_NAME_REMOVED);
    for (uint32_t i = 0; i < node->config.names_max; i++) {
        const struct name *name = &node_names(node)[i];
        bool is_its_commit = name->kind == NAME_FINISH && fb_key_equal(name->key, own->key) &&
                             name->record.value.high == removal.size;
        if (is_its_commit && name->shown > last)
            last = name->shown;
    }
    FB_ASSERT(last >= own->shown);
    return last > removal.version ? last : 0;
}

/* What was written of a version that is over goes, here and elsewhere; once is enough. */
static void finish_abandon(struct step *step, uint32_t index, uint64_t version, uint64_t size)
{
    struct name *name = &node_names(step->node)[index];
    FB_ASSERT(name->kind == NAME_FINISH);
    if (name->is_abandoned || version == 0)
        return;
    name->is_abandoned = 1;
    abandon_version(step, name->key, version, size);
}

/* The origin is as the record says: from now on it is asked. */
static void finish_record(struct step *step, uint32_t index)
{
    struct name *name = &node_names(step->node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(facts.state == FB_NAME_CACHED || facts.state == FB_NAME_REMOVED);
    if (facts.state == FB_NAME_CACHED)
        facts.version = name->shown;
    facts.state = FB_NAME_ORIGIN;
    facts.node = (uint32_t)step->node->config.node;
    name->change = fb_name_record(&facts, name->record.version);
    tell_why(step->node, FB_WHY_RECORD_DONE);
    name_put(step, index, NAME_PUT);
}

void finish_begin(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    bool is_commit = facts.state == FB_NAME_CACHED;
    FB_ASSERT(is_commit || facts.state == FB_NAME_REMOVED);
    if (!is_commit && facts.block_size_bytes > 0) /* what was removed was not at the origin */
        finish_abandon(step, index, facts.size, name->replaced);
    if (is_commit && name->is_composed) {
        finish_record(step, index);
        return;
    }
    uint64_t raised = is_commit || name->is_undone ? 0 : raised_past(node, index);
    enum name_state state = is_commit          ? NAME_COMPOSE
                            : raised > 0       ? NAME_UNDO
                            : !name->is_looked ? NAME_STAT
                                               : NAME_ERASE;
    if (name->limit < facts.version || !is_commit) {
        name->limit = raised > 0 ? raised : facts.version;
        name->shown = name->limit;
    }
    FB_ASSERT(name->shown >= name->limit);
    tell_why(node, state == NAME_COMPOSE ? FB_WHY_COMPOSE
                   : state == NAME_UNDO  ? FB_WHY_UNDO
                   : state == NAME_STAT  ? FB_WHY_LOOK_ORIGIN
                                         : FB_WHY_ERASE);
    if (is_taken(node, index) || !name_origin(step, index, state))
        finish_wait(node, index);
}

void finish_commit(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    bool is_ours = facts.state != FB_NAME_ORIGIN && facts.state != FB_NAME_BAD &&
                   facts.node == node->config.node && node->config.records > 1;
    FB_ASSERT(name->kind == NAME_COMMIT || name->kind == NAME_REMOVE);
    bad_remove(node, name->key);
    if (!is_ours || !finish_has_room(node)) {
        node->left_used += is_ours; /* it is found in the store's list */
        node->left_seen += is_ours;
        name_end(node, index);
        return;
    }
    name->kind = NAME_FINISH;
    node->jobs_used++;
    name->tries = 0;
    name->limit = 0;
    name->shown = 0;
    FB_ASSERT(name->is_found == 0);
    finish_begin(step, index);
}

void finish_moved(struct fb_node *node, struct fb_key key)
{
    bool is_none = key.high == 0 && key.low == 0;
    FB_ASSERT(is_none || node->config.records > 0);
    if (is_none || node->config.records < 2)
        return;
    uint32_t index = finish_has_room(node) ? name_take(node, NAME_FINISH) : FB_NONE;
    if (index == FB_NONE) { /* it is found in the store's list */
        node->left_used++;
        node->left_seen++;
        return;
    }
    struct name *name = &node_names(node)[index];
    node->jobs_used++;
    name->key = key;
    name->is_found = 1;
    name->state = NAME_WAIT;
    fb_timer_set(node_timer(node), timer_of_name(node, index), node->now_ns);
    FB_ASSERT(name->record.version == 0);
}

/* A later object is at the origin. Is the record still this one? Then nobody's commit made it. */
static void finish_raise(struct step *step, uint32_t index, uint64_t order)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->state == NAME_COMPOSE);
    uint64_t raised = name_raised(name->record.value.high, order);
    if (order <= name->limit || raised == 0) { /* nonsense */
        finish_failed(node, index, FB_INVALID);
        return;
    }
    name->limit = order;
    name->shown = raised;
    node->stats.names_overtaken++;
    tell_why(node, FB_WHY_RAISE);
    if (name->tries >= PAUSE_DOUBLINGS_MAX) {
        finish_wait(node, index);
        return;
    }
    name->tries++;
    name_record(step, index);
}

/* What does the origin show of a name that is removed? Perhaps the removed version, raised past the
 * removal by a node that died before its record said so. */
static void finish_looked(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts removal = fb_name_read(&name->record);
    uint64_t written = done->status == FB_OK ? done->origin.written : 0;
    FB_ASSERT(removal.state == FB_NAME_REMOVED);
    if (done->status != FB_OK && done->status != FB_ABSENT) {
        finish_failed(node, index, (enum fb_status)done->status);
        return;
    }
    name->is_looked = 1;
    if (written <= removal.version || !name_is_raised(removal.size, written)) {
        finish_begin(step, index);
        return;
    }
    name->limit = written;
    name->shown = written;
    if (is_taken(node, index) || !name_origin(step, index, NAME_UNDO))
        finish_wait(node, index);
}

void finish_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    enum fb_status status = (enum fb_status)done->status;
    FB_ASSERT(name->kind == NAME_FINISH);
    FB_ASSERT(name->state >= NAME_COMPOSE || name->state == NAME_STAT);
    if (name->state == NAME_STAT) {
        finish_looked(step, index, done);
        return;
    }
    bool is_undo = name->state == NAME_UNDO;
    bool is_removal = fb_name_read(&name->record).state == FB_NAME_REMOVED;
    if (status == FB_OK && is_undo && is_removal) {
        name->is_undone = 1;
        finish_begin(step, index);
    } else if (status == FB_OK && (is_undo || name->state == NAME_PARTS)) {
        name_end(node, index);
    } else if (status == FB_OK) {
        name->refusal = FB_OK;
        name->is_composed = name->state == NAME_COMPOSE;
        name->refusals = 0;
        finish_record(step, index);
    } else if (status == FB_CONFLICT && name->state == NAME_COMPOSE) {
        finish_raise(step, index, done->origin.order);
    } else if (name->state == NAME_PARTS) {
        name_end(node, index); /* they are collected by their age */
    } else if (status != FB_BUSY || is_undo || is_removal ||
               !seek_begin(step, index, &done->missing)) {
        finish_failed(node, index, status);
    }
}

/* What broke off may have been carried out: up to the last time that was tried, answered or not. */
static void finish_undo(struct step *step, uint32_t index)
{
    struct name *name = &node_names(step->node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(facts.state == FB_NAME_CACHED);
    if (name->shown < facts.version)
        name->shown = facts.version;
    name->limit = name->shown;
    tell_why(step->node, FB_WHY_UNDO);
    if (is_taken(step->node, index) || !name_origin(step, index, NAME_UNDO))
        finish_wait(step->node, index);
}

/* The name means something else by now. */
static void finish_superseded(struct step *step, uint32_t index, const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts was = fb_name_read(&name->record), now = fb_name_read(record);
    FB_ASSERT(record->version != name->record.version);
    bool is_same = now.version == was.version || now.version == name->shown;
    bool is_commit = was.state == FB_NAME_CACHED, is_removed = now.state == FB_NAME_REMOVED;
    bool is_ours = now.node == node->config.node;
    bool is_over = is_commit && now.state != FB_NAME_BAD && (!is_same || is_removed);
    if (is_over)
        finish_abandon(step, index, was.version, was.size);
    if (!is_commit || now.state == FB_NAME_BAD) {
        name_end(node, index);
    } else if (is_same && !is_removed) {
        bool is_left = now.state == FB_NAME_CACHED && (is_ours || name->is_composed);
        if (!is_left) { /* another has finished it, or does */
            node->stats.names_finished += now.state == FB_NAME_ORIGIN;
            name_end(node, index);
            return;
        }
        name->record = *record;
        finish_begin(step, index);
    } else if (is_removed && is_ours && finish_find(node, name->key, now.version) == FB_NONE) {
        name->record = *record; /* it was left to this node to erase it */
        finish_begin(step, index);
    } else if (now.state == FB_NAME_ORIGIN || name->tries >= TRIES_SUPERSEDED) {
        finish_undo(step, index);
    } else {
        finish_wait(node, index);
    }
}

/* Goes on as the record's keeper. */
static void finish_keep(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(facts.state == FB_NAME_CACHED || facts.state == FB_NAME_REMOVED);
    if (facts.node == node->config.node) {
        finish_begin(step, index);
        return;
    }
    facts.node = (uint32_t)node->config.node;
    name->change = fb_name_record(&facts, name->record.version);
    name_put(step, index, NAME_CLAIM);
    FB_ASSERT(name->kind == NAME_FINISH);
}

/* Found in the list: is it still to be done? */
static void finish_found(struct step *step, uint32_t index, const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts facts = fb_name_read(record);
    FB_ASSERT(name->is_found);
    name->record = *record;
    if (facts.state == FB_NAME_ORIGIN || facts.state == FB_NAME_BAD) {
        if (facts.state == FB_NAME_BAD)
            bad_add(node, name->key, facts.version, FB_CORRUPT);
        name_end(node, index);
        return;
    }
    name->is_found = 0;
    finish_keep(step, index);
}

static void finish_put(struct step *step, uint32_t index, const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->state == NAME_PUT || name->state == NAME_CLAIM);
    if (name->state == NAME_CLAIM) {
        name->record = *record;
        name->is_claimed = 1;
        finish_begin(step, index);
        return;
    }
    node->stats.names_finished++;
    bad_remove(node, name->key);
    bool is_raised = name->is_composed && name->shown != name->record.value.high;
    FB_ASSERT(record->version > name->record.version);
    name->limit = 0; /* the blocks alone */
    if (!is_raised || !name_origin(step, index, NAME_PARTS))
        name_end(node, index);
}

void finish_recorded(struct step *step, uint32_t index, enum fb_status status,
                     const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind == NAME_FINISH);
    bool is_look = name->state == NAME_RECORD;
    bool is_answer = status == FB_OK || (is_look ? status == FB_ABSENT : status == FB_CONFLICT);
    FB_ASSERT(is_look || name->state == NAME_PUT || name->state == NAME_CLAIM);
    if (!is_answer)
        finish_failed(node, index, status);
    else if (status == FB_CONFLICT && name->state == NAME_CLAIM)
        name_end(node, index); /* somebody is at it */
    else if (status == FB_CONFLICT)
        finish_superseded(step, index, record);
    else if (!is_look)
        finish_put(step, index, record);
    else if (name->is_found)
        finish_found(step, index, record);
    else if (record->version == name->record.version)
        finish_keep(step, index);
    else
        finish_superseded(step, index, record);
}
