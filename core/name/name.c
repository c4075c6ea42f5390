/* Names: what a name means now, and how that changes. A name's record, in the metadata store, says
 * which version of the object is current and where its bytes are; it changes by compare-and-swap
 * only (meta.c, R14). The origin follows (R17).
 *
 *                    commit                          composed
 *     ORIGIN --------------------------> CACHED -----------------------> ORIGIN
 *       |  ^      commit (overwrite)      |  ^ \___ commit (overwrite) ___^
 *       |  '--- erased at the origin ---. |  |
 *       '------------- remove --------> REMOVED
 *
 *  ORIGIN   the origin says what the name means, as for names without a record. Of a removal
 *           (level FB_LEVEL_COUNT: a tombstone): the version that was removed was shown by who had
 *           not heard of it, and stays hidden for name_tombstone_ns
 *  CACHED   this version is committed and current; its blocks are in the cache, at their level, or
 *           stored at the origin one by one; the origin does not show it under its name yet
 *  REMOVED  the name means nothing, whatever the origin still shows
 *
 *  1. Visible at the commit: every look reads the record first, and sees every commit that was
 *     answered. After an overwrite's answer no look gives the version before.
 *  2. A commit expects the record that BEGIN saw. Of two writers one wins; the other hears
 *     CONFLICT. That the record went on to ORIGIN with the same version meanwhile is no conflict,
 *     nor that one was made which says nothing of the object (FB_NAME_VERSION_NONE); at worst BUSY.
 *  3. A new version is later than the time of day, the record's version and the origin's, whatever
 *     clocks say (R19), and nobody else's (name_version). An origin that does not answer within
 *     STAT_NS is not waited for where there are records: finishing finds out what is there
 *     (name_finish.c).
 *  4. A removal removes the version that its look gave, and looks again when it lost. It never
 *     removes what came to the origin after it.
 *  5. Without records the origin alone says what a name means; a commit that meets a later version
 *     there is told CONFLICT, never OK.
 *
 *     LOOK    RECORD --ORIGIN--> STAT --> reply       RECORD --CACHED, REMOVED--> reply
 *     READ    RECORD --> reply
 *     BEGIN   RECORD --> STAT --> reply
 *     COMMIT  PUT --> reply --> FINISH               without records: COMPOSE --> reply
 *     ASK     a job's state, else RECORD --> reply
 *     REMOVE  RECORD --> STAT --> PUT --> reply --> FINISH     without: ERASE --> reply */
#include "core/name/name_flows.h"
#include "core/name/name.h"

enum {
    NODE_BITS = 10,
    COUNT_BITS = 10,
    DRAWN_MAX = 4095 /* slots of a version's time; see name_version */
};

static const uint64_t stat_ns = 1000000000;

uint32_t name_take(struct fb_node *node, enum name_kind kind)
{
    uint32_t index = 0, max = (uint32_t)node->config.names_max;
    FB_ASSERT(kind != NAME_FREE);
    while (index < max && node_names(node)[index].kind != NAME_FREE)
        index++;
    if (index == max) {
        tell_count(node, FB_WHY_NO_NAME, FB_NONE, 0, max);
        return FB_NONE;
    }
    struct name *name = &node_names(node)[index];
    *name = (struct name){.generation = name->generation, .kind = (uint8_t)kind};
    node->names_used++;
    FB_ASSERT(node->names_used <= max);
    return index;
}

void name_end(struct fb_node *node, uint32_t index)
{
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind != NAME_FREE && node->names_used > 0);
    fb_timer_cancel(node_timer(node), timer_of_name(node, index));
    if (name->kind == NAME_FINISH) {
        FB_ASSERT(node->jobs_used > 0);
        node->jobs_used--;
    }
    name->kind = NAME_FREE;
    node->names_used--;
}

/* The reply that is made of a slot; its version and size are the caller's to set. */
static struct fb_reply *reply_put(struct step *step, uint64_t request_id, enum fb_status status)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    FB_ASSERT(step_room(step) > 0);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = request_id,
                                  .status = status,
                                  .reason = status == FB_OK ? FB_REASON_MEMORY : FB_REASON_REFUSED,
                                  .source = FB_NONE};
    if (status == FB_BUSY)
        step->node->stats.busy_answers++;
    return &op->reply;
}

static struct fb_reply *name_reply(struct step *step, uint32_t index, enum fb_status status)
{
    const struct name *name = &node_names(step->node)[index];
    FB_ASSERT(name->kind != NAME_FREE && name->kind != NAME_FINISH);
    struct fb_reply *reply = reply_put(step, name->request_id, status);
    reply->record = name->record;
    reply->is_old = name->is_old;
    FB_ASSERT(reply->version == 0);
    return reply;
}

static void name_refuse(struct step *step, uint32_t index, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    (void)name_reply(step, index, status);
    name_end(step->node, index);
}

/* The store, or the origin, is asked by too many already. */
static void name_put_off(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.names_max);
    tell_why(node, FB_WHY_NAME_OFF);
    if (node_names(node)[index].kind == NAME_FINISH)
        finish_wait(node, index);
    else if (node_names(node)[index].kind == NAME_ABANDON)
        abandon_wait(node, index);
    else
        name_refuse(step, index, FB_BUSY);
}

/* Jobs take half of what is looked up at once: while the store is silent each holds its place for
 * long, and clients are to be told what is known, not that all are busy. */
static bool store_has_room(const struct fb_node *node, const struct name *name)
{
    FB_ASSERT(node->config.metas_max >= node->metas_used);
    return name->kind < NAME_FINISH || node->metas_used < (node->config.metas_max + 1) / 2;
}

void name_record(struct step *step, uint32_t index)
{
    struct name *name = &node_names(step->node)[index];
    const struct fb_meta nothing = {.version = 0};
    FB_ASSERT(step->node->config.records > 0);
    name->state = NAME_RECORD;
    if (!store_has_room(step->node, name) || !meta_of_name(step, index, &nothing, false))
        name_put_off(step, index);
}

void name_put(struct step *step, uint32_t index, enum name_state state)
{
    struct name *name = &node_names(step->node)[index];
    FB_ASSERT(state == NAME_PUT || state == NAME_CLAIM);
    name->state = (uint8_t)state;
    if (!store_has_room(step->node, name) || !meta_of_name(step, index, &name->change, true))
        name_put_off(step, index);
}

static enum fb_op_kind op_of(enum name_state state)
{
    FB_ASSERT(state > NAME_CLAIM || state == NAME_STAT);
    return state == NAME_STAT      ? FB_OP_ORIGIN_STAT
           : state == NAME_COMPOSE ? FB_OP_ORIGIN_COMMIT
                                   : FB_OP_ORIGIN_REMOVE;
}

/* What an op to the origin says of the slot's record. */
static struct fb_change change_of(const struct name *name)
{
    struct fb_name_facts facts = fb_name_read(&name->record);
    struct fb_change change = {
        .version = facts.version, .size = facts.size, .limit = name->limit, .shown = name->shown};
    FB_ASSERT(name->kind != NAME_FREE);
    if (name->kind == NAME_ABANDON) {
        change.version = name->replaced;
        change.size = name->change.size;
    } else if (name->kind == NAME_COMMIT) { /* without records */
        change.version = name->change.value.high;
        change.size = name->change.size;
    } else if (facts.state == FB_NAME_REMOVED) {
        change.version = facts.size; /* of what was removed: its blocks go, too */
        change.size = 0;
    }
    if (name->state == NAME_ERASE || name->state == NAME_PARTS)
        change.shown = 0;
    return change;
}

bool name_origin(struct step *step, uint32_t index, enum name_state state)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind != NAME_FREE);
    if (node->name_ops >= node->config.names_max)
        return false;
    name->state = (uint8_t)state;
    name->generation++;
    node->name_ops++;
    struct fb_op *op = step_op(step, op_of(state));
    op->op_id = id_make(ID_NAME, index, name->generation);
    op->span = (struct fb_span){.peer = FB_NONE};
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = (struct fb_block){.key = name->key, .object = FB_OBJECT_NONE};
    op->change = change_of(name);
    return true;
}

static void name_stat(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    const struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind != NAME_FINISH);
    if (!name_origin(step, index, NAME_STAT)) {
        name_put_off(step, index);
        return;
    }
    bool may_do_without = name->kind != NAME_LOOK && node->config.records > 0;
    if (may_do_without)
        fb_timer_set(node_timer(node), timer_of_name(node, index), node->now_ns + stat_ns);
}

/* Later than all that is known, and nobody else's: what begins at one moment, or after one object
 * from the future, on several nodes or on one, must not write the same blocks. So the last bits, a
 * millisecond of the time, are the node's and a count. A clock that is behind is no help to tell
 * them apart, and a count comes round, or begins anywhere in another life: then up to a quarter of
 * what the clock is behind, at most 4 s, is drawn. 0: there is none. */
static uint64_t name_version(struct fb_node *node, uint64_t wall_ns, uint64_t last)
{
    const uint64_t slot = UINT64_C(1) << (NODE_BITS + COUNT_BITS);
    uint64_t behind = wall_ns < last ? (last - wall_ns) / slot / 4 : 0;
    uint64_t own = (node->config.node & ((1u << NODE_BITS) - 1)) << COUNT_BITS |
                   (node->version_count++ & ((1u << COUNT_BITS) - 1));
    uint64_t drawn_max = behind < DRAWN_MAX ? behind : DRAWN_MAX;
    uint64_t drawn = behind > 0 ? fb_random_below(&node->random, drawn_max + 1) : 0;
    if (last >= UINT64_MAX - (DRAWN_MAX + 3) * slot ||
        wall_ns >= UINT64_MAX - (DRAWN_MAX + 3) * slot)
        return 0;
    uint64_t version = ((wall_ns > last ? wall_ns : last) / slot + drawn) * slot + own;
    if (version <= last)
        version += slot;
    FB_ASSERT(version > last);
    return version;
}

uint64_t name_raised(uint64_t version, uint64_t order)
{
    const uint64_t slot = UINT64_C(1) << (NODE_BITS + COUNT_BITS);
    if (order >= UINT64_MAX - 3 * slot)
        return 0;
    uint64_t raised = order / slot * slot + version % slot;
    if (raised <= order)
        raised += slot;
    FB_ASSERT(name_is_raised(version, raised) || raised <= version);
    return raised;
}

bool name_is_raised(uint64_t version, uint64_t shown)
{
    const uint64_t slot = UINT64_C(1) << (NODE_BITS + COUNT_BITS);
    FB_ASSERT(slot > 0);
    return version > 0 && shown > version && (shown - version) % slot == 0;
}

/* Could a member have made this version? Its last bits say whose; a stranger's time has any. */
static bool is_of_member(const struct fb_node *node, uint64_t version)
{
    const uint32_t mask = (1u << NODE_BITS) - 1;
    uint32_t members = node->view == NULL ? 0 : fb_view_member_count(node->view);
    uint32_t place = 0;
    while (place < members &&
           (fb_view_member(node->view, place)->node & mask) != (version >> COUNT_BITS & mask))
        place++;
    FB_ASSERT(place <= members);
    return place < members;
}

/* Is what the origin shows one from before a removal, made by who has not heard of that yet? The
 * removed version, or one before it whose keeper was stopped while others went on. */
static bool is_buried(const struct fb_node *node, const struct name *name, uint64_t written)
{
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(name->kind != NAME_FREE);
    bool is_tombstone =
        name->record.version > 0 && facts.state == FB_NAME_ORIGIN && facts.level == FB_LEVEL_COUNT;
    if (!is_tombstone || written == 0 ||
        name->wall_ns >= facts.version + node->config.name_tombstone_ns)
        return false;
    return written == facts.size || name_is_raised(facts.size, written) ||
           (written < facts.size && is_of_member(node, written));
}

/* REMOVE: the origin has been asked. */
static void remove_decide(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    bool is_committed = facts.state == FB_NAME_CACHED || facts.state == FB_NAME_BAD;
    FB_ASSERT(name->kind == NAME_REMOVE);
    enum fb_status status = (enum fb_status)done->status;
    uint64_t order = status == FB_OK ? done->origin.order : 0;
    uint64_t written = status == FB_OK ? done->origin.written : 0;
    if (status == FB_OK && is_buried(node, name, written))
        status = FB_ABSENT;
    uint64_t last = facts.state == FB_NAME_BAD || facts.version < order ? order : facts.version;
    uint64_t version = name_version(node, name->wall_ns, last);
    if ((!is_committed && status != FB_OK) || version == 0) {
        name_refuse(step, index, version == 0 && status == FB_OK ? FB_INVALID : status);
        return;
    }
    /* Who composes it now is the one to erase it: nobody else knows when that is over. */
    bool has_keeper = facts.state == FB_NAME_CACHED && node->view != NULL &&
                      fb_view_find(node->view, facts.node) != NULL;
    const struct fb_name_facts gone = fb_name_removal(
        &facts, has_keeper ? facts.node : (uint32_t)node->config.node, version, written);
    name->replaced = facts.state == FB_NAME_CACHED ? facts.size : 0;
    name->change = fb_name_record(&gone, name->record.version);
    name_put(step, index, NAME_PUT);
}

/* BEGIN: what may be written. */
static void begin_decide(struct step *step, uint32_t index, uint64_t order)
{
    struct name *name = &node_names(step->node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(name->kind == NAME_BEGIN);
    uint64_t known = facts.state == FB_NAME_BAD ? 0 : facts.version;
    uint64_t last = known > order ? known : order;
    if (last < name->replaced)
        last = name->replaced;
    uint64_t version = name_version(step->node, name->wall_ns, last);
    struct fb_reply *reply = name_reply(step, index, version > 0 ? FB_OK : FB_INVALID);
    reply->version = version;
    reply->replaced = known;
    name_end(step->node, index);
}

static void look_decide(struct step *step, uint32_t index, const struct fb_done *done)
{
    const struct name *name = &node_names(step->node)[index];
    enum fb_status status = (enum fb_status)done->status;
    FB_ASSERT(name->kind == NAME_LOOK);
    bool is_there = status == FB_OK && !is_buried(step->node, name, done->origin.written);
    struct fb_reply *reply =
        name_reply(step, index, status == FB_OK && !is_there ? FB_ABSENT : status);
    if (is_there) {
        reply->version = done->origin.version;
        reply->size = done->origin.size;
    }
    name_end(step->node, index);
}

static void stat_decide(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    const struct name *name = &node_names(node)[index];
    uint64_t order = done->status == FB_OK ? done->origin.order : 0;
    FB_ASSERT(name->state == NAME_STAT);
    fb_timer_cancel(node_timer(node), timer_of_name(node, index));
    if (name->kind == NAME_LOOK)
        look_decide(step, index, done);
    else if (name->kind == NAME_BEGIN)
        begin_decide(step, index, order);
    else
        remove_decide(step, index, done);
}

/* A request has its record. */
static void request_decide(struct step *step, uint32_t index)
{
    const struct name *name = &node_names(step->node)[index];
    struct fb_name_facts facts = fb_name_read(&name->record);
    FB_ASSERT(name->kind != NAME_FREE && name->kind != NAME_COMMIT);
    if (name->kind == NAME_ASK) {
        bool is_left = facts.state == FB_NAME_CACHED && facts.version == name->replaced;
        (void)name_reply(step, index, is_left ? FB_BUSY : FB_OK);
        name_end(step->node, index);
    } else if (name->kind <= NAME_LOOK && facts.state == FB_NAME_BAD) {
        name_refuse(step, index, FB_CORRUPT);
    } else if (name->kind == NAME_READ) {
        (void)name_reply(step, index, name->record.version > 0 ? FB_OK : FB_ABSENT);
        name_end(step->node, index);
    } else if (name->kind != NAME_BEGIN && facts.state == FB_NAME_REMOVED) {
        name_refuse(step, index, FB_ABSENT);
    } else if (name->kind == NAME_LOOK && facts.state == FB_NAME_CACHED) {
        struct fb_reply *reply = name_reply(step, index, FB_OK);
        reply->version = facts.version;
        reply->size = facts.size;
        name_end(step->node, index);
    } else {
        name_stat(step, index);
    }
}

/* COMMIT and REMOVE: the record was changed, or was not. */
static void request_put(struct step *step, uint32_t index, enum fb_status status,
                        const struct fb_meta *found)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    struct fb_name_facts now = fb_name_read(found), wanted = fb_name_read(&name->change);
    FB_ASSERT(name->kind == NAME_COMMIT || name->kind == NAME_REMOVE);
    bool is_lost = status == FB_CONFLICT;
    bool may_try = name->tries++ <= node->config.retries_max; /* once at least: none has failed */
    bool is_commit = name->kind == NAME_COMMIT, is_there = now.state != FB_NAME_REMOVED;
    wanted.version = name->change.value.high; /* also over no record */
    if (is_lost && is_commit && is_there && now.version == wanted.version) {
        tell_why(node, FB_WHY_FINISHED);
        status = FB_OK; /* ours, and somebody has finished it */
    }
    bool is_bare = now.state == FB_NAME_ORIGIN && now.version == FB_NAME_VERSION_NONE;
    bool is_same = now.version == name->replaced || (name->replaced == 0 && is_bare);
    if (is_lost && is_commit && is_there && is_same && may_try) {
        tell_why(node, FB_WHY_SAME_OBJECT);
        name->change.version = found->version; /* the same object: finished, or kept by another */
        name_put(step, index, NAME_PUT);
    } else if (is_lost && !is_commit && may_try) {
        tell_why(node, FB_WHY_LOOK_AGAIN);
        name_record(step, index);
    } else if (status == FB_OK) {
        name->record = *found;
        const struct fb_key moved = name->missing;
        name->missing = (struct fb_key){.high = 0, .low = 0};
        name_reply(step, index, FB_OK)->version = wanted.version;
        finish_commit(step, index);
        finish_moved(node, moved);
    } else {
        bool is_told = status == FB_CONFLICT || status == FB_ABSENT;
        name->record = is_told ? *found : name->change; /* R14: it may be there */
        if (is_lost && is_commit && is_there && is_same) {
            tell_why(node, FB_WHY_COMMIT_BUSY);
            status = FB_BUSY;
        }
        name_refuse(step, index, status);
    }
}

void name_recorded(struct step *step, uint32_t index, enum fb_status status,
                   const struct fb_meta *record)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.names_max);
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind != NAME_FREE);
    bool is_answer = status == FB_OK || status == FB_ABSENT;
    bool is_silent = !is_answer && status != FB_INVALID && status != FB_CORRUPT;
    if (name->kind == NAME_FINISH) {
        finish_recorded(step, index, status, record);
    } else if (name->kind == NAME_ABANDON) {
        abandon_recorded(step, index, status, record);
    } else if (name->state == NAME_PUT) {
        request_put(step, index, status, record);
    } else if (is_answer) {
        name->record = *record;
        request_decide(step, index);
    } else if (name->kind <= NAME_BEGIN && is_silent && name->record.version > 0) {
        name->is_old = 1; /* as it was when it was last heard of */
        request_decide(step, index);
    } else {
        name_refuse(step, index, status);
    }
}

void name_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.names_max);
    FB_ASSERT(node->name_ops > 0); /* R3 */
    struct name *name = &node_names(node)[index];
    node->name_ops--;
    if (name->kind == NAME_FREE || name->generation != id_generation(done->op_id))
        return; /* it was not waited for */
    if (name->kind == NAME_FINISH) {
        finish_done(step, index, done);
    } else if (name->kind == NAME_ABANDON) {
        abandon_done(step, index, done);
    } else if (name->state == NAME_STAT) {
        stat_decide(step, index, done);
    } else { /* without records the origin's answer is the answer */
        name_reply(step, index, (enum fb_status)done->status)->version = name->shown;
        name_end(node, index);
    }
}

void name_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct name *name = &node_names(node)[index];
    FB_ASSERT(name->kind != NAME_FREE);
    if (name->kind == NAME_FINISH) {
        FB_ASSERT(name->state == NAME_WAIT || name->state == NAME_SEEK);
        if (name->state == NAME_SEEK)
            seek_timer(step, index);
        else
            name_record(step, index);
        return;
    }
    if (name->kind == NAME_ABANDON) {
        abandon_timer(step, index);
        return;
    }
    const struct fb_done silent = {.status = FB_TIMEOUT};
    name->generation++; /* its DONE is too late */
    stat_decide(step, index, &silent);
}

/* Is a version still to be shown by the origin? Who asks wants it tried at once. */
static void name_ask(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    const struct name *name = &node_names(node)[index];
    uint32_t job = finish_find(node, name->key, name->replaced);
    FB_ASSERT(name->kind == NAME_ASK);
    for (uint32_t i = 0; i < node->config.names_max && node->bad_used > 0; i++) {
        const struct bad_name *bad = &node_bad_names(node)[i];
        if (bad->status != FB_OK && bad->version == name->replaced &&
            fb_key_equal(bad->key, name->key)) {
            name_refuse(step, index, (enum fb_status)bad->status);
            return;
        }
    }
    if (job == FB_NONE && node->config.records > 0) { /* nobody's here; perhaps another's */
        name_record(step, index);
        return;
    }
    (void)name_reply(step, index, job == FB_NONE ? FB_OK : FB_BUSY);
    name_end(node, index);
    if (job != FB_NONE && node_names(node)[job].state == NAME_WAIT)
        fb_timer_set(node_timer(node), timer_of_name(node, job), node->now_ns);
}

static enum name_kind kind_of(uint32_t kind)
{
    FB_ASSERT(kind >= FB_REQUEST_NAME_READ && kind <= FB_REQUEST_NAME_ASK);
    return kind == FB_REQUEST_NAME_READ     ? NAME_READ
           : kind == FB_REQUEST_NAME_LOOK   ? NAME_LOOK
           : kind == FB_REQUEST_NAME_BEGIN  ? NAME_BEGIN
           : kind == FB_REQUEST_NAME_COMMIT ? NAME_COMMIT
           : kind == FB_REQUEST_NAME_REMOVE ? NAME_REMOVE
                                            : NAME_ASK;
}

void name_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    bool has_records = node->config.records > 0;
    uint32_t index = name_take(node, kind_of(request->kind));
    if (index == FB_NONE) {
        (void)reply_put(step, request->request_id, FB_BUSY);
        return;
    }
    struct name *name = &node_names(node)[index];
    name->request_id = request->request_id;
    name->key = request->block.key;
    name->wall_ns = request->wall_ns;
    name->replaced = request->kind == FB_REQUEST_NAME_ASK ? request->version : request->replaced;
    if (name->kind == NAME_COMMIT) {
        name->change = request->record;
        name->missing = request->moved;
    }
    if (name->kind <= NAME_BEGIN) /* as it was when it was last heard of */
        name->record = request->record;
    FB_ASSERT(name->tries == 0);
    name->limit = name->kind == NAME_COMMIT ? request->record.value.high : UINT64_MAX;
    name->shown = name->limit;
    if (name->kind == NAME_ASK)
        name_ask(step, index);
    else if (has_records && name->kind == NAME_COMMIT)
        name_put(step, index, NAME_PUT);
    else if (has_records)
        name_record(step, index);
    else if (name->kind == NAME_READ)
        request_decide(step, index);
    else if (name->kind == NAME_LOOK || name->kind == NAME_BEGIN)
        name_stat(step, index);
    else if (!name_origin(step, index, name->kind == NAME_COMMIT ? NAME_COMPOSE : NAME_ERASE))
        name_put_off(step, index);
}

void name_check(struct fb_node *node)
{
    uint32_t used = 0, jobs = 0, bad = 0;
    for (uint32_t i = 0; i < node->config.names_max; i++) {
        const struct name *name = &node_names(node)[i];
        bool is_set = fb_timer_is_set(node_timer(node), timer_of_name(node, i));
        used += name->kind != NAME_FREE;
        jobs += name->kind == NAME_FINISH;
        bad += node_bad_names(node)[i].status != FB_OK;
        FB_ASSERT(name->kind != NAME_FREE || !is_set);
        bool may_rest =
            name->state == NAME_WAIT || name->state == NAME_SEEK || name->state == NAME_TELL;
        FB_ASSERT(name->kind < NAME_FINISH || is_set == may_rest);
    }
    FB_ASSERT(used == node->names_used && jobs == node->jobs_used && bad == node->bad_used);
    FB_ASSERT(node->name_ops <= node->config.names_max);
}
