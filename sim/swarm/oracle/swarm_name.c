/* Names in the swarm: the origin's objects that they stand for (R17), the list of unfinished
 * records (R18), clocks of nodes that are seconds apart (R19), a stranger who changes the origin
 * and lies about the time, and the judge: is each name a linearizable register?
 *
 * The records' history (swarm_meta.c) is the order in which commits and removals took effect, so a
 * look is held against it: it gives what the record that it saw says, or what a later one says, or
 * what a stranger put; never a version from before that record, and nothing where the name was
 * removed. A commit that was answered OK is in the history, one that lost is not. At the end the
 * origin has the bytes of the last commit, unless a stranger came after.
 *
 * An op that breaks off has taken effect, or has not, or will later. */
#include "base/memory.h"
#include "core/name/name.h"
#include "core/index/random.h"
#include "sim/swarm/swarm_internal.h"

#include <stdlib.h>
#include <string.h>

enum { STRANGER_ONE_IN = 8, CLOCKS_APART_S = 4 };

static const uint64_t wall_first_ns = UINT64_C(1700000000000000000);

static struct swarm_name *name_of(struct swarm *swarm, struct fb_key key)
{
    FB_ASSERT(key.high >= SWARM_RECORDS && key.high < SWARM_NAMES);
    return &swarm->names[key.high];
}

/* A node's time of day: each has its own. */
static uint64_t wall_ns(const struct swarm *swarm, uint32_t node)
{
    uint64_t apart_ns =
        fb_mix(swarm->plan->seed ^ fb_mix(node + 1)) % (UINT64_C(1000000000) * CLOCKS_APART_S);
    return wall_first_ns + swarm->now_ns + apart_ns;
}

static struct fb_name_facts facts_at(const struct swarm_name *name, uint64_t version)
{
    const struct fb_meta nothing = {.version = 0};
    FB_ASSERT(version <= name->count);
    return fb_name_read(version > 0 ? &name->history[version - 1] : &nothing);
}

/* Remembers what the origin has shown. */
static void shown_put(struct swarm_name *name, uint64_t written, uint64_t blocks)
{
    name->shown = (struct swarm_shown){.written = written, .blocks = blocks};
    name->past = fb_grow(name->past, (uint64_t)name->past_count + 1, sizeof(*name->past),
                         "what was shown", NULL);
    name->past[name->past_count++] = name->shown;
}

static bool parts_are_gone(const struct swarm_name *name, uint64_t version)
{
    for (uint32_t i = 0; i < name->gone_count; i++) {
        if (name->gone[i] == version)
            return true;
    }
    return false;
}

static void parts_remove(struct swarm_name *name, uint64_t version)
{
    if (version == 0 || parts_are_gone(name, version))
        return;
    name->gone =
        fb_grow(name->gone, (uint64_t)name->gone_count + 1, sizeof(*name->gone), "versions", NULL);
    name->gone[name->gone_count++] = version;
}

/* Will the wait for it end? Not while it may be with the dead; nor when one has it who does not owe
 * it to the origin: a reader, or a writer who was refused. */
static bool wait_ends(const struct swarm *swarm, const struct swarm_durable *durable)
{
    bool is_somewhere = false;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        is_somewhere = is_somewhere || (swarm->nodes[node].is_up &&
                                        fb_node_holds(swarm->nodes[node].core, durable->block.key));
    return !swarm_has_dead_member(swarm) &&
           (swarm_is_kept(swarm, durable, UINT32_MAX) || !is_somewhere);
}

/* The block that a version is made of, in every other plan that writes durably; NULL: none. */
static const struct swarm_durable *block_of(const struct swarm *swarm, uint64_t version)
{
    uint64_t at = fb_mix(version) % SWARM_DURABLES_MAX;
    bool is_waited_for = swarm->plan->seed % 2 == 0 && version % 4 != 0;
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX && is_waited_for; i++) {
        const struct swarm_durable *durable = &swarm->durables[(at + i) % SWARM_DURABLES_MAX];
        if (durable->block.size == 0)
            continue;
        bool is_healed = swarm->now_ns >= swarm->plan->heal_ns;
        return !is_healed || durable->is_stored || wait_ends(swarm, durable) ? durable : NULL;
    }
    return NULL;
}

/* Does a member as the node knows them, which runs, have a copy? */
static bool is_held(const struct swarm *swarm, uint32_t node, const struct swarm_durable *durable)
{
    const struct fb_view *view = swarm->nodes[node].view;
    for (uint32_t i = 0; i < swarm->plan->nodes && view != NULL; i++) {
        const struct fb_member *member = fb_view_find(view, i);
        bool has_it = (durable->in_memory | durable->on_drive) >> i & 1u;
        if (has_it && member != NULL && member->is_up && swarm->nodes[i].is_up)
            return durable->is_acked && !durable->is_forgotten;
    }
    return false;
}

/* A COMMIT begins: is its block with somebody now? */
static void held_note(struct swarm *swarm, const struct swarm_event *event)
{
    struct swarm_name *name = name_of(swarm, event->op.block.key);
    const struct swarm_durable *durable = block_of(swarm, event->op.change.version);
    bool is_there = durable != NULL && is_held(swarm, event->node, durable);
    struct swarm_commits *commits = &name->commits[event->node];
    if (commits->version != event->op.change.version)
        *commits = (struct swarm_commits){.version = event->op.change.version};
    commits->was_held = commits->was_held << 1 | is_there;
}

/* The node has given a name up, since its block is nowhere. It has asked everybody twice: after the
 * COMMIT before the last one, and before the last one. */
void swarm_name_lost(struct swarm *swarm, const struct swarm_event *event)
{
    const struct swarm_name *name = name_of(swarm, event->op.block.key);
    const struct swarm_durable *durable = block_of(swarm, event->op.change.version);
    bool was_held = (name->commits[event->node].was_held & 3u) == 3u;
    bool is_there = durable != NULL && is_held(swarm, event->node, durable) &&
                    !parts_are_gone(name, event->op.change.version);
    swarm_judge(swarm, FB_SWARM_CHECK_lost_is_lost, !was_held || !is_there,
                "node %u gives name %u up, and its block is with a member", event->node,
                (uint32_t)event->op.block.key.high);
}

static enum fb_status origin_commit(struct swarm *swarm, struct swarm_name *name,
                                    const struct fb_change *change)
{
    const struct swarm_durable *durable = block_of(swarm, change->version);
    if (name->shown.written == change->shown && name->shown.blocks == change->version)
        return FB_OK;
    if (parts_are_gone(name, change->version))
        return FB_BUSY;
    if (name->shown.written > change->limit)
        return FB_CONFLICT;
    if (durable != NULL && !durable->is_stored)
        return FB_BUSY;
    shown_put(name, change->shown, change->version);
    if (change->shown == change->version)
        parts_remove(name, change->version);
    return FB_OK;
}

static void origin_remove(struct swarm_name *name, const struct fb_change *change)
{
    bool is_it = change->limit > 0 && name->shown.written <= change->limit &&
                 (change->shown == 0 || change->shown == name->shown.written);
    if (is_it && name->shown.written != 0)
        name->past[name->past_count - 1].is_erased = true;
    if (is_it)
        name->shown = (struct swarm_shown){.written = 0};
    parts_remove(name, change->version);
}

static enum fb_status origin_apply(struct swarm *swarm, const struct fb_op *op)
{
    struct swarm_name *name = name_of(swarm, op->block.key);
    if (op->kind == FB_OP_ORIGIN_COMMIT)
        return origin_commit(swarm, name, &op->change);
    if (op->kind == FB_OP_ORIGIN_REMOVE)
        origin_remove(name, &op->change);
    return op->kind == FB_OP_ORIGIN_STAT && name->shown.written == 0 ? FB_ABSENT : FB_OK;
}

/* The first unfinished record from a key on. */
static void list_find(struct swarm *swarm, struct swarm_event *event)
{
    struct fb_done *said = &event->said;
    uint64_t from = event->op.block.key.high;
    said->status = FB_ABSENT;
    if (event->op.block.key.low > 0)
        from++;
    for (uint64_t i = from < SWARM_RECORDS ? SWARM_RECORDS : from; i < SWARM_NAMES; i++) {
        const struct swarm_name *name = &swarm->names[i];
        if (facts_at(name, name->count).state == FB_NAME_ORIGIN)
            continue;
        said->status = FB_OK;
        said->listed.record = name->history[name->count - 1];
        said->listed.key = (struct fb_key){.high = i};
        said->listed.wall_ns = wall_ns(swarm, event->node);
        return;
    }
}

void swarm_name_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns)
{
    uint32_t node = event->node;
    if (event->op.kind == FB_OP_META_LIST) {
        swarm_meta_begin(swarm, event, delay_ns);
        return;
    }
    *delay_ns = swarm_spread(swarm, node, swarm->plan->origin_ns);
    if (event->op.kind == FB_OP_ORIGIN_COMMIT)
        held_note(swarm, event);
    const struct fb_swarm_fault *slow =
        swarm_fault(swarm, FB_SWARM_FAULT_origin_slow, node, FB_NONE);
    if (slow != NULL)
        *delay_ns += swarm_draw(swarm, node, slow->extra_ns + 1);
    if (swarm_fault(swarm, FB_SWARM_FAULT_origin_throttle, node, FB_NONE))
        event->status = FB_THROTTLED;
    else if (swarm_fault(swarm, FB_SWARM_FAULT_origin_error, node, FB_NONE))
        event->status = FB_IO;
}

/* What a COMMIT waits for. A version whose blocks have gone, since it was shown before a stranger
 * came, misses one that is nowhere. */
static struct fb_block missing_of(struct swarm *swarm, const struct fb_op *op)
{
    const struct swarm_durable *durable = block_of(swarm, op->change.version);
    bool is_gone = parts_are_gone(name_of(swarm, op->block.key), op->change.version);
    if (!is_gone && durable != NULL && !durable->is_stored)
        return durable->block;
    return (struct fb_block){.key = {.high = op->block.key.high, .low = op->change.version},
                             .object = FB_OBJECT_NONE,
                             .size = is_gone};
}

void swarm_name_effect(struct swarm *swarm, struct swarm_event *event)
{
    uint64_t most = 8 * swarm->plan->origin_ns;
    event->said = (struct fb_done){.status = event->status};
    if (event->status == FB_THROTTLED)
        return;
    if (event->op.kind == FB_OP_META_LIST) {
        if (event->status == FB_OK)
            list_find(swarm, event);
        return;
    }
    if (event->status != FB_OK) {
        uint64_t fate = swarm_draw(swarm, event->node, 3);
        struct swarm_event late = *event;
        late.kind = SWARM_LATE;
        if (fate == 1)
            (void)origin_apply(swarm, &event->op);
        if (fate == 2 && event->op.kind != FB_OP_ORIGIN_STAT)
            swarm_push_again(swarm, &late,
                             event->detail + 1 + swarm_draw(swarm, event->node, most));
        return;
    }
    event->said.status = origin_apply(swarm, &event->op);
    if (event->said.status == FB_BUSY) {
        event->said.missing = missing_of(swarm, &event->op);
        return;
    }
    const struct swarm_shown *shown = &name_of(swarm, event->op.block.key)->shown;
    event->said.origin.version = shown->written;
    event->said.origin.order = shown->written;
    event->said.origin.written = shown->written;
    event->said.origin.size = 1;
}

void swarm_name_late(struct swarm *swarm, const struct swarm_event *event)
{
    (void)origin_apply(swarm, &event->op);
}

/* Somebody who knows nothing of records puts an object there, with a clock of his own. */
static void stranger_comes(struct swarm *swarm, struct swarm_name *name, uint32_t node)
{
    uint64_t hour_ns = UINT64_C(3600000000000);
    uint64_t order = wall_first_ns + swarm->now_ns - hour_ns + swarm_draw(swarm, node, 2 * hour_ns);
    if (swarm_draw(swarm, node, 8) == 0)
        order = 1 + swarm_draw(swarm, node, 1000); /* long ago */
    if (order == name->shown.written)
        order++;
    shown_put(name, order, 0);
    name->strangers++;
    swarm_saw(swarm, FB_SWARM_SIGHT_stranger_at_origin);
}

static struct swarm_name *ask(struct swarm *swarm, struct swarm_request *request,
                              struct fb_request *out, enum fb_request_kind kind)
{
    uint32_t node = request->what.node;
    struct fb_key key = {.high = SWARM_RECORDS + request->what.object % SWARM_RECORDS};
    struct swarm_name *name = name_of(swarm, key);
    out->kind = kind;
    out->wall_ns = wall_ns(swarm, node);
    request->block = (struct fb_block){.key = key, .object = FB_OBJECT_NONE};
    request->known = name->count;
    request->content = name->past_count;
    return name;
}

void swarm_ask_name_look(struct swarm *swarm, struct swarm_request *request, struct fb_request *out)
{
    struct swarm_name *name = ask(swarm, request, out, FB_REQUEST_NAME_LOOK);
    if (request->what.index % STRANGER_ONE_IN == 0 && request->tries == 1)
        stranger_comes(swarm, name, request->what.node);
}

void swarm_ask_name_remove(struct swarm *swarm, struct swarm_request *request,
                           struct fb_request *out)
{
    (void)ask(swarm, request, out, FB_REQUEST_NAME_REMOVE);
}

/* First a BEGIN, whose answer the node's next write commits. */
void swarm_ask_name_write(struct swarm *swarm, struct swarm_request *request,
                          struct fb_request *out)
{
    uint32_t node = request->what.node;
    struct swarm_name *name = ask(swarm, request, out, FB_REQUEST_NAME_BEGIN);
    struct fb_reply *begun = &name->begun[node];
    request->is_partial = begun->version > 0;
    if (!request->is_partial)
        return;
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_MEMORY,
                                        .node = node,
                                        .version = begun->version,
                                        .size = 1 + swarm_index(swarm, request)};
    out->kind = FB_REQUEST_NAME_COMMIT;
    out->record = fb_name_record(&facts, begun->record.version);
    out->replaced = begun->replaced;
    request->value = out->record.value;
    begun->version = 0;
}

/* The record at which a version was committed; 0: never. */
static uint64_t committed_at(const struct swarm_name *name, uint64_t version)
{
    for (uint64_t i = 1; i <= name->count; i++) {
        struct fb_name_facts facts = facts_at(name, i);
        if (facts.state == FB_NAME_CACHED && facts.version == version)
            return i;
    }
    return 0;
}

/* The newest commit that a record knows of. */
static uint64_t commit_before(const struct swarm_name *name, uint64_t record)
{
    while (record > 0 && facts_at(name, record).state != FB_NAME_CACHED)
        record--;
    return record > 0 ? committed_at(name, facts_at(name, record).version) : 0;
}

static bool is_removed_since(const struct swarm_name *name, uint64_t record)
{
    for (uint64_t i = record; i <= name->count; i++) {
        struct fb_name_facts facts = facts_at(name, i);
        if (i > 0 && facts.level == FB_LEVEL_COUNT)
            return true;
    }
    return false;
}

/* Was this shown since a commit before `version`, on its way to the origin, took the place of
 * what a stranger had put over that? It is read until it is undone, and then nothing is there: R17
 * goes by times, and a stranger's may be any. */
static bool took_strangers_place(const struct swarm_name *name, uint32_t shown, uint64_t version)
{
    uint64_t blocks = name->past[shown].blocks;
    bool has_stranger = false;
    if (blocks == 0 || committed_at(name, blocks) >= committed_at(name, version))
        return false;
    for (uint32_t i = shown; i-- > 0;) {
        if (name->past[i].blocks == version)
            return has_stranger;
        has_stranger = has_stranger || name->past[i].blocks == 0;
    }
    return false;
}

/* Was this a stranger's, put over a version, and erased with the version before that, whose removal
 * was on its way? R17 goes by times here, too. */
static bool was_strangers_and_erased(const struct swarm_name *name, uint32_t shown,
                                     uint64_t version)
{
    bool is_over = false;
    for (uint32_t i = 0; i < shown; i++)
        is_over = is_over || (version != 0 && name->past[i].blocks == version);
    return is_over && name->past[shown].blocks == 0 && name->past[shown].is_erased;
}

/* Was that so for what a record says, or a later one? NULL shown: of anything. */
static bool is_strangers_loss(struct swarm *swarm, const struct swarm_name *name, uint64_t record,
                              const uint64_t *shown)
{
    for (uint64_t at = record; at <= name->count; at++) {
        uint64_t version = facts_at(name, commit_before(name, at)).version;
        for (uint32_t i = 0; i < name->past_count; i++) {
            bool is_asked = shown == NULL || name->past[i].written == *shown;
            bool is_loss = took_strangers_place(name, i, version) ||
                           (shown == NULL && was_strangers_and_erased(name, i, version));
            if (is_asked && is_loss) {
                swarm_saw(swarm, FB_SWARM_SIGHT_stranger_replaced);
                return true;
            }
        }
    }
    return false;
}

/* May the origin have shown this when it was asked after the record was read? */
static bool may_be_shown(const struct swarm_name *name, uint64_t record, uint64_t version)
{
    struct fb_name_facts facts = facts_at(name, record);
    bool is_gone = record == 0 || facts.level == FB_LEVEL_COUNT;
    uint64_t least = is_gone ? record + 1 : commit_before(name, record);
    for (uint32_t i = 0; i < name->past_count; i++) {
        const struct swarm_shown *shown = &name->past[i];
        if (shown->written != version)
            continue;
        if (shown->blocks == 0 || committed_at(name, shown->blocks) >= least)
            return true;
    }
    return committed_at(name, version) >= (least > 0 ? least : 1);
}

/* A plan that is made smaller may have lost its records: then the origin alone says what names
 * mean, and that fails otherwise than what was to be made small. */
static bool has_records(const struct swarm *swarm)
{
    FB_ASSERT(swarm->plan != NULL);
    return swarm->plan->config.records > 0;
}

void swarm_judge_name_look(struct swarm *swarm, struct swarm_request *request,
                           const struct fb_reply *reply)
{
    const struct swarm_name *name = name_of(swarm, request->block.key);
    uint64_t record = reply->record.version;
    bool is_ok = reply->status == FB_OK, is_absent = reply->status == FB_ABSENT;
    if ((!is_ok && !is_absent) || reply->is_old || !has_records(swarm))
        return;
    bool is_known = record >= request->known && record <= name->count;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_known,
                     "look %u of name %u saw record %llu, and %llu was there when it was asked",
                     swarm_index(swarm, request), (uint32_t)request->block.key.high,
                     (unsigned long long)record, (unsigned long long)request->known))
        return;
    struct fb_name_facts facts = facts_at(name, record);
    bool is_right = facts.state == FB_NAME_CACHED    ? is_ok && reply->version == facts.version
                    : facts.state == FB_NAME_REMOVED ? is_absent
                    : is_ok                          ? may_be_shown(name, record, reply->version)
                            : record == 0 || is_removed_since(name, record);
    if (!is_right && facts.state == FB_NAME_ORIGIN)
        is_right = is_strangers_loss(swarm, name, record, is_ok ? &reply->version : NULL);
    swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_right,
                "look %u of name %u is answered %s, version %llu; record %llu says state %u of "
                "version %llu, level %u",
                swarm_index(swarm, request), (uint32_t)request->block.key.high,
                fb_status_name((enum fb_status)reply->status), (unsigned long long)reply->version,
                (unsigned long long)record, (uint32_t)facts.state,
                (unsigned long long)facts.version, facts.level);
}

static bool has_value(const struct swarm_name *name, struct fb_key value)
{
    for (uint64_t i = 0; i < name->count; i++) {
        if (fb_key_equal(name->history[i].value, value))
            return true;
    }
    return false;
}

void swarm_judge_name_write(struct swarm *swarm, struct swarm_request *request,
                            const struct fb_reply *reply)
{
    struct swarm_name *name = name_of(swarm, request->block.key);
    bool is_ok = reply->status == FB_OK;
    if (!request->is_partial) {
        bool is_later = !is_ok || reply->version > facts_at(name, request->known).version ||
                        facts_at(name, request->known).state == FB_NAME_BAD;
        swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_later,
                    "write %u of name %u is to be version %llu, and that is no later one",
                    swarm_index(swarm, request), (uint32_t)request->block.key.high,
                    (unsigned long long)reply->version);
        if (is_ok)
            name->begun[request->what.node] = *reply;
        return;
    }
    if (!has_records(swarm))
        return;
    bool has = has_value(name, request->value);
    bool is_right = reply->status == FB_TIMEOUT || is_ok == has;
    swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_right,
                "write %u of name %u is answered %s, and its record is %sthere",
                swarm_index(swarm, request), (uint32_t)request->block.key.high,
                fb_status_name((enum fb_status)reply->status), has ? "" : "not ");
}

void swarm_judge_name_remove(struct swarm *swarm, struct swarm_request *request,
                             const struct fb_reply *reply)
{
    const struct swarm_name *name = name_of(swarm, request->block.key);
    bool is_there = false;
    if (reply->status != FB_OK || !has_records(swarm))
        return;
    for (uint64_t i = request->known; i <= name->count && !is_there; i++)
        is_there = facts_at(name, i).state == FB_NAME_REMOVED;
    swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_there,
                "removal %u of name %u is answered, and no record says so",
                swarm_index(swarm, request), (uint32_t)request->block.key.high);
}

/* Did the origin ever show this version, made of those blocks? */
static bool was_shown(const struct swarm_name *name, uint64_t written, uint64_t blocks)
{
    for (uint32_t i = 0; i < name->past_count; i++) {
        if (name->past[i].written == written && name->past[i].blocks == blocks)
            return true;
    }
    return false;
}

bool swarm_name_waits(const struct swarm *swarm)
{
    for (uint32_t i = SWARM_RECORDS; i < SWARM_NAMES && swarm_has_dead_member(swarm); i++) {
        const struct swarm_name *name = &swarm->names[i];
        struct fb_name_facts facts = facts_at(name, name->count);
        if (facts.state == FB_NAME_CACHED && parts_are_gone(name, facts.version))
            return true;
    }
    return false;
}

/* When all is quiet the origin has what was committed last. */
void swarm_check_names(struct swarm *swarm)
{
    for (uint32_t i = SWARM_RECORDS; i < SWARM_NAMES; i++) {
        const struct swarm_name *name = &swarm->names[i];
        struct fb_name_facts facts = facts_at(name, name->count);
        bool is_settled = name->count > 0 && facts.state == FB_NAME_ORIGIN;
        if (!is_settled)
            continue;
        uint64_t last = commit_before(name, name->count);
        bool is_removal = facts.level == FB_LEVEL_COUNT;
        bool is_strangers = name->shown.written != 0 && name->shown.blocks == 0;
        bool is_right =
            is_strangers || (is_removal ? name->shown.written == 0
                                        : name->shown.blocks == facts_at(name, last).version);
        if (!is_right && name->shown.written == 0)
            is_right = is_strangers_loss(swarm, name, name->count, NULL);
        if (!is_removal)
            is_right = is_right && was_shown(name, facts.version, facts_at(name, last).version);
        swarm_judge(swarm, FB_SWARM_CHECK_name_is_register, is_right,
                    "name %u: the origin shows version %llu, and the last record says %s %llu", i,
                    (unsigned long long)name->shown.blocks, is_removal ? "removed" : "version",
                    (unsigned long long)facts.version);
    }
}

/* One plan in four asks about names; drawn apart, so that the others are what they were. */
void swarm_plan_names(struct fb_swarm_plan *plan)
{
    enum { REQUESTS_MAX = 120 };
    struct fb_random random;
    fb_random_init(&random, fb_mix(plan->seed ^ 0x6e616d6573));
    if (fb_random_below(&random, 4) != 0)
        return;
    struct fb_config *config = &plan->config;
    uint32_t more = 10 + (uint32_t)fb_random_below(&random, REQUESTS_MAX - 10);
    config->records = 2;
    config->names_max = 4 + fb_random_below(&random, 28);
    /* Seldom enough for runs of an hour, which have a limit of events. */
    config->name_list_ns = 200000000 + fb_random_below(&random, UINT64_C(20000000000));
    if (config->metas_max < 4)
        config->metas_max = 4;
    plan->requests = fb_grow(plan->requests, (uint64_t)plan->request_count + more,
                             sizeof(*plan->requests), "requests", NULL);
    for (uint32_t i = 0; i < more; i++) {
        struct fb_swarm_request *request = &plan->requests[plan->request_count++];
        *request =
            (struct fb_swarm_request){.at_ns = fb_random_below(&random, plan->heal_ns),
                                      .node = (uint32_t)fb_random_below(&random, plan->nodes),
                                      .object = (uint32_t)fb_random_below(&random, SWARM_RECORDS),
                                      .index = (uint32_t)fb_random_below(&random, 32)};
        uint64_t verb = fb_random_below(&random, 8);
        request->verb = verb < 3   ? FB_SWARM_VERB_name_look
                        : verb < 7 ? FB_SWARM_VERB_name_write
                                   : FB_SWARM_VERB_name_remove;
    }
}
