/* The write-back of undrained blocks to the origin, oldest first.
 *
 *     listed --this node is to drain it--> STORE --done--> cleared, DRAINED to the other ranks
 *        ^                                     |
 *        '------ error: back-off --------------' (each failure in a row doubles the pause, of the
 *                                                 record and of all: then one store at a time asks
 *                                                 whether the origin is back)
 *     listed --nobody wants it (abandon.c)--> cleared
 *     listed --another node is--> asked now and then: DRAIN_ASK --DRAINED--> cleared
 *        '------ and can not be given the block, or is silent --> STORE, as if this node were to
 *                drain it: at worst the same bytes are stored twice
 *
 * To drain a block is its first rank's; of the ranks that this node trusts; or this node's, when it
 * holds the block for the first rank (standin.c).
 * The last keeps nodes whose memory is full of undrained blocks from waiting for each other's, and
 * what a dead node was to drain from being owed for ever, where no new view comes.
 * What the origin refuses for good (R16) is tried again as seldom as can be; writers who wait for
 * the origin hear of it, on other nodes by DRAIN_LOST.
 * A drain gives way to reads: it is held to drain_bytes_per_s, to drains_max stores at once, and to
 * drains_min while more than drain_yield_fills blocks are being read. It never stops altogether: a
 * training job reads without a pause, and what is not drained is not safe for good. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"
#include "core/write/standin.h"

/* Askings in vain double the time to the next, so that many holders do not drown a slow drain. */
enum { DRAIN_ROUNDS_MAX = 6, DRAIN_ASKS_MAX = 3 };

/* An origin that throttles is asked again soon, to keep its pace; one that fails, less and less. */
enum { DRAIN_THROTTLES_MAX = 3, DRAIN_FAILURES_MAX = 9 };

/* The whole block is at the origin: this part of it is of no use. */
void drain_fragment(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    FB_ASSERT(fragment_of_dirty(node, entry->fill) != NULL);
    node_fragments(node)[entry->fill].size_bytes = 0;
    dirty_clear(step, entry->fill);
    entry->flags |= ENTRY_TRANSIENT;
    memory_settle(node, slot);
}

/* Its block can not be made now, and the origin does not have it. */
void drain_put_off(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    struct fragment *fragment = fragment_of_dirty(node, entry->fill);
    FB_ASSERT(fragment != NULL);
    if (fragment->vain_ns == 0)
        fragment->vain_ns = node->now_ns > 0 ? node->now_ns : 1;
    uint64_t since_ns = node->now_ns - fragment->vain_ns, most_ns = node->config.orphan_ns / 8;
    fragment->tell_ns = node->now_ns + (since_ns < most_ns ? since_ns : most_ns);
    if (since_ns < node->config.orphan_ns)
        return;
    node->stats.orphans_dropped++;
    drain_fragment(step, slot);
}

static bool drain_is_failing(const struct fb_node *node)
{
    FB_ASSERT(node->drain_failures <= DRAIN_FAILURES_MAX);
    return node->drain_failures > DRAIN_THROTTLES_MAX;
}

/* Stores that may be under way now. Reads are not yielded to that may wait for the room of what is
 * to be stored. */
static uint64_t drain_limit(const struct fb_node *node)
{
    bool is_pressed = node->dirty_used > node->config.dirty_max / 4 * 3 ||
                      node->dirty_bytes > node->config.memory_size_bytes / 4 * 3;
    bool is_yielding = node->fills_used > node->config.drain_yield_fills && !is_pressed;
    uint64_t least = node->config.drains_min, most = node->config.drains_max;
    FB_ASSERT(most > 0);
    return is_yielding && least < most ? least : most;
}

static uint32_t drain_timer(const struct fb_node *node)
{
    return timer_of_drain(node);
}

/* A new record: it is looked at soon, and all of them after drain_check_ns at the latest. */
void drain_wake(struct fb_node *node, uint32_t index)
{
    uint64_t round_ns = node->now_ns + node->config.drain_check_ns;
    bool is_resting = node->drain_next == FB_NONE;
    FB_ASSERT(node->dirty_used > 0);
    FB_ASSERT(node->dirty_newest == index);
    node->drain_rounds = 0;
    if (node->dirty_used == 1 || node->drain_round_ns > round_ns)
        node->drain_round_ns = round_ns;
    if (is_resting)
        node->drain_next = index;
    uint64_t soon_ns = node->now_ns + node->config.drain_delay_ns;
    if (!is_resting && fb_timer_is_set(node_timer(node), drain_timer(node)))
        return;
    tell_at(node, FB_WHY_OWED, FB_NONE, soon_ns, 0);
    fb_timer_hurry(node_timer(node), drain_timer(node), soon_ns);
}

/* Rounds begin anew, one after drain_check_ns: askings were in vain of others than those that are
 * asked now. */
void drain_hurry(struct fb_node *node)
{
    uint64_t round_ns = node->now_ns + node->config.drain_check_ns;
    FB_ASSERT(node->drain_rounds <= DRAIN_ROUNDS_MAX);
    node->drain_rounds = 0;
    if (node->dirty_used == 0)
        return;
    if (node->drain_round_ns > round_ns)
        node->drain_round_ns = round_ns;
    if (node->config.erasure_data > 0) { /* writers of fragments may be gone */
        node->drain_next = node->dirty_oldest;
        round_ns = node->now_ns;
    }
    fb_timer_hurry(node_timer(node), drain_timer(node), round_ns);
}

static void drain_store(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct dirty *dirty = &node_dirty(node)[index];
    const struct entry *entry = &node_entries(node)[dirty->slot];
    FB_ASSERT(!dirty->is_storing);
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    dirty->is_storing = 1;
    node->drains_used++;
    struct fb_op *op = step_op(step, FB_OP_STORE);
    op->op_id = id_make(ID_DRAIN, index, dirty->generation);
    op->span = memory_span(node, entry->first_unit, entry->size_bytes);
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = dirty_block(node, index);
    uint64_t from_ns = node->drain_ready_ns > node->now_ns ? node->drain_ready_ns : node->now_ns;
    uint64_t rate = node->config.drain_bytes_per_s;
    if (rate > 0)
        node->drain_ready_ns = from_ns + (uint64_t)entry->size_bytes * 1000000000u / rate;
    node->stats.drains++;
    node->stats.drain_bytes += entry->size_bytes;
}

/* The message's own fields are the caller's to write. */
static struct fb_message *drain_message(struct step *step, uint32_t target, uint8_t kind)
{
    FB_ASSERT(target != FB_NONE);
    FB_ASSERT(target != step->node->config.node);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = target;
    op->message = (struct fb_message){.kind = kind, .source = (uint32_t)step->node->config.node};
    return &op->message;
}

void drain_tell(struct step *step, uint32_t target, uint32_t status, struct fb_key key)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    drain_message(step, target, FB_MESSAGE_DRAINED)->drained =
        (struct fb_message_drained){.key = key, .status = (uint8_t)status};
}

void drain_deny(struct step *step, uint32_t target, uint32_t status, struct fb_key key)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    drain_message(step, target, FB_MESSAGE_DRAIN_LOST)->drain_lost =
        (struct fb_message_drain_lost){.key = key, .status = (uint8_t)status};
}

/* What may be stored is looked at again then, at the latest. */
static void drain_look(struct fb_node *node, uint64_t at_ns)
{
    FB_ASSERT(at_ns >= node->now_ns);
    FB_ASSERT(node->dirty_used > 0);
    if (node->drain_look_ns > at_ns)
        node->drain_look_ns = at_ns;
}

/* Has its store failed, and is it not its turn yet? While all fail, those that failed before go one
 * at a time; a new one is tried at once, and if that is stored the others follow. An origin that
 * refuses is there: what failed otherwise does not wait for the pauses of what is refused, or it
 * would not be known for long that it is refused, too. */
static bool drain_is_later(struct fb_node *node, const struct dirty *dirty)
{
    uint64_t at_ns = dirty->retry_ns;
    if (dirty->failures == 0)
        return false;
    bool is_known = dirty->refusal != FB_OK || !node->drain_is_refused;
    if (drain_is_failing(node) && is_known && at_ns < node->drain_retry_ns)
        at_ns = node->drain_retry_ns;
    if (at_ns <= node->now_ns && drain_is_failing(node) && node->drains_used > 0)
        at_ns = node->now_ns + node->config.backoff_ns;
    FB_ASSERT(dirty->slot != FB_NONE);
    if (at_ns <= node->now_ns)
        return false;
    drain_look(node, at_ns);
    return true;
}

/* Who is to drain a block, as far as this node knows. */
static uint32_t drain_leader(struct fb_node *node, const struct dirty *dirty)
{
    struct fb_key key = fb_cache_key(node_cache(node), dirty->slot);
    uint32_t self = (uint32_t)node->config.node, first = put_owner(node, key, 0);
    FB_ASSERT(first != FB_NONE);
    if (code_is_wanted(node, FB_LEVEL_MEMORY) || dirty->instead == first)
        return self;
    for (uint32_t rank = 0; rank < FB_RANKS_MAX; rank++) {
        uint32_t owner = put_owner(node, key, rank);
        if (owner != FB_NONE && (owner == self || !suspect_is(node, owner)))
            return owner;
    }
    return self;
}

/* One record: store it, ask its first rank about it, or leave it. False: stop for now. */
static bool drain_one(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct dirty *dirty = &node_dirty(node)[index];
    struct fb_key key = fb_cache_key(node_cache(node), dirty->slot);
    FB_ASSERT(dirty->slot != FB_NONE);
    if (dirty->is_storing || code_is_busy(node, dirty->slot))
        return true;
    if (abandon_has(node, dirty->object)) {
        tell_key(node, FB_WHY_GIVEN_UP, key);
        abandon_block(step, index);
        return true;
    }
    if (standin_is_handing(node, index) || drain_is_later(node, dirty))
        return true;
    if (fragment_of_dirty(node, index) != NULL) {
        if (!node->drain_is_look)
            mend_tell(step, index);
        return true;
    }
    uint32_t leader = drain_leader(node, dirty);
    bool is_mine = leader == node->config.node;
    bool is_silent = dirty->asks >= DRAIN_ASKS_MAX;
    if (is_mine || is_silent || put_is_stuck(node, dirty->slot)) {
        if (node->drains_used >= drain_limit(node)) {
            tell_count(node, FB_WHY_STORE_LATER, FB_NONE, node->drains_used, drain_limit(node));
            return false; /* the DONE of a store wakes, or drain_tick looks again */
        }
        if (node->drain_ready_ns > node->now_ns)
            return false;
        tell_key(node,
                 is_mine     ? FB_WHY_STORE
                 : is_silent ? FB_WHY_STORE_SILENT
                             : FB_WHY_STORE_STUCK,
                 key);
        drain_store(step, index);
        return true;
    }
    if (put_is_spread(node, dirty->slot) && node->view != NULL && !node->drain_is_look) {
        dirty->asks = (uint8_t)(dirty->asks + (dirty->asks < UINT8_MAX));
        tell_peer(node, FB_WHY_DRAIN_ASK, leader);
        drain_message(step, leader, FB_MESSAGE_DRAIN_ASK)->drain_ask.block =
            (struct fb_block){.key = key, .object = dirty->object};
    }
    return true;
}

/* Nothing is waiting and it is time: once more from the oldest. Others are asked and told in rounds
 * only, or their answers would be missed before they can come. */
static void drain_round(struct fb_node *node)
{
    FB_ASSERT(node->drain_rounds <= DRAIN_ROUNDS_MAX);
    bool is_round = node->drain_round_ns <= node->now_ns;
    if (node->drain_next != FB_NONE || (!is_round && node->drain_look_ns > node->now_ns))
        return;
    node->drain_next = node->dirty_oldest;
    node->drain_look_ns = FB_NEVER_NS;
    node->drain_is_look = !is_round;
    if (!is_round)
        return;
    node->drain_round_ns = node->now_ns + (node->config.drain_check_ns << node->drain_rounds);
    if (node->drain_rounds < DRAIN_ROUNDS_MAX)
        node->drain_rounds++;
}

/* All was looked at: until when? */
static uint64_t drain_rest_ns(struct fb_node *node)
{
    uint64_t until_ns = node->drain_round_ns;
    FB_ASSERT(node->drain_next == FB_NONE);
    FB_ASSERT(node->drain_rounds <= DRAIN_ROUNDS_MAX);
    if (node->drain_look_ns < until_ns)
        until_ns = node->drain_look_ns;
    node->drain_is_look = 0;
    if (node->dirty_used > 0)
        tell_at(node, FB_WHY_DRAIN_REST, FB_NONE, until_ns, 0);
    return until_ns > node->now_ns ? until_ns - node->now_ns : 0;
}

void drain_tick(struct step *step)
{
    struct fb_node *node = step->node;
    FB_ASSERT(step_room(step) >= STEP_ITEM_OPS_MAX);
    uint64_t again_ns = 4 * node->config.backoff_ns; /* stores or reads are in the way */
    drain_round(node);
    while (node->drain_next != FB_NONE && step_room(step) >= STEP_ITEM_OPS_MAX) {
        uint32_t index = node->drain_next;
        if (!drain_one(step, index))
            break;
        if (node->drain_next == index) /* else it was cleared */
            node->drain_next = node_dirty(node)[index].newer;
    }
    if (node->drain_next == FB_NONE)
        again_ns = drain_rest_ns(node);
    else if (node->drain_ready_ns > node->now_ns)
        again_ns = node->drain_ready_ns - node->now_ns;
    else if (node->drains_used < drain_limit(node))
        again_ns = 0; /* only the step's room was used up */
    else if (node->drains_used >= node->config.drains_max)
        again_ns = node->config.drain_check_ns << node->drain_rounds; /* a store's DONE wakes */
    if (node->dirty_used > 0)
        fb_timer_set(node_timer(node), drain_timer(node), node->now_ns + again_ns);
}

/* Longer with each pause after which stores fail still: an origin that is full or gone is not to be
 * hurried by every node. Stores that fail together count once. */
static uint64_t drain_pause_ns(struct fb_node *node, uint32_t failures_max)
{
    uint64_t base_ns = node->config.backoff_ns << node->drain_failures;
    FB_ASSERT(failures_max <= DRAIN_FAILURES_MAX);
    FB_ASSERT(base_ns > 0);
    uint64_t pause_ns = base_ns + fb_random_below(&node->random, base_ns);
    if (node->now_ns < node->drain_retry_ns)
        return pause_ns;
    node->drain_retry_ns = node->now_ns + pause_ns;
    node->drain_failures += node->drain_failures < failures_max;
    return pause_ns;
}

/* A store failed for a reason that may be the record's own: it does not keep others waiting. */
static void drain_failed(struct step *step, uint32_t index, enum fb_status status)
{
    struct fb_node *node = step->node;
    struct dirty *dirty = &node_dirty(node)[index];
    bool is_refused = status_is_for_good(status) || status == FB_FULL || status == FB_INVALID;
    refused_set(node, index, is_refused ? status : FB_OK);
    if (is_refused) {
        dirty->failures = DRAIN_FAILURES_MAX;
        put_refused(step, dirty->slot, status);
    }
    uint64_t own_ns = node->config.backoff_ns << dirty->failures;
    uint64_t pause_ns = drain_pause_ns(node, DRAIN_FAILURES_MAX);
    if (node->drain_is_refused && !is_refused)
        pause_ns = 0;
    node->drain_is_refused = is_refused;
    FB_ASSERT(dirty->failures <= DRAIN_FAILURES_MAX);
    dirty->failures = (uint8_t)(dirty->failures + (dirty->failures < DRAIN_FAILURES_MAX));
    dirty->retry_ns = node->now_ns + (own_ns > pause_ns ? own_ns : pause_ns);
    tell_at(node, FB_WHY_STORE_FAILED, FB_NONE, dirty->retry_ns, status);
    drain_look(node, dirty->retry_ns);
    uint64_t again_ns = node->config.backoff_ns;
    if (node->drain_next == FB_NONE)
        again_ns = drain_rest_ns(node);
    fb_timer_set(node_timer(node), drain_timer(node), node->now_ns + again_ns);
}

/* The origin asks for a pause, or the store is of no use: the block was spread again meanwhile. */
static void drain_again(struct fb_node *node, uint32_t index, enum fb_status status)
{
    uint64_t pause_ns = drain_pause_ns(node, DRAIN_THROTTLES_MAX);
    FB_ASSERT(status == FB_OK || status == FB_THROTTLED);
    FB_ASSERT(index < node->config.dirty_max);
    if (node->drain_next == FB_NONE || status == FB_THROTTLED)
        node->drain_next = index;
    tell_at(node, FB_WHY_STORE_FAILED, FB_NONE, node->now_ns + pause_ns, status);
    drain_look(node, node->now_ns + pause_ns);
    fb_timer_set(node_timer(node), drain_timer(node), node->now_ns + pause_ns);
}

void drain_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->is_storing);
    FB_ASSERT(dirty->generation == id_generation(done->op_id));
    dirty->is_storing = 0;
    node->drains_used--;
    bool is_cut = code_is_busy(node, dirty->slot); /* spread again meanwhile: stored again */
    node->stats.drain_errors += done->status != FB_OK;
    if (done->status != FB_OK && done->status != FB_THROTTLED) {
        drain_failed(step, index, (enum fb_status)done->status);
        return;
    }
    if (done->status != FB_OK || is_cut) {
        drain_again(node, index, (enum fb_status)done->status);
        return;
    }
    node->drain_failures = 0;
    tell_why(node, FB_WHY_DRAINED);
    struct fb_key key = fb_cache_key(node_cache(node), dirty->slot);
    uint32_t slot = dirty->slot, rank;
    put_drained(step, slot, FB_OK);
    bool is_alone = node->config.place_local || node->view == NULL;
    for (rank = 0;
         !is_alone && !code_is_wanted(node, FB_LEVEL_MEMORY) && rank < node->config.replicas;
         rank++) {
        uint32_t other = fb_view_owner(node->view, key, rank);
        if (other != FB_NONE && other != node->config.node)
            drain_tell(step, other, FB_OK, key);
    }
    if (code_is_wanted(node, FB_LEVEL_MEMORY))
        code_notify(step, key, FB_MESSAGE_DRAINED, node_entries(node)[slot].size_bytes);
    dirty_clear(step, index);
    node_entries(node)[slot].flags |= ENTRY_DRAINED;
    memory_settle(node, slot);
    if (node->drain_next != FB_NONE)
        fb_timer_set(node_timer(node), drain_timer(node), node->now_ns);
}

/* The first rank says that the block is at the origin. */
void drain_told(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_DRAINED);
    uint32_t slot = fb_cache_find(node_cache(node), message->drained.key);
    if (slot == FB_NONE || !(node_entries(node)[slot].flags & ENTRY_DIRTY))
        return;
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    uint32_t index = node_entries(node)[slot].fill;
    if (node_dirty(node)[index].is_storing || code_is_busy(node, slot))
        return; /* its own store ends it */
    tell_peer(node, FB_WHY_DRAINED_THERE, message->source);
    if (fragment_of_dirty(node, index) != NULL) {
        drain_fragment(step, slot);
        return;
    }
    put_drained(step, slot, FB_OK);
    dirty_clear(step, index);
    node_entries(node)[slot].flags |= ENTRY_DRAINED;
    memory_settle(node, slot);
    node->drain_rounds = 0;
}

/* Only what this node stored, was told of, or took from the origin itself is surely there; a clean
 * copy may as well be a reader's. */
bool drain_is_safe(const struct entry *entry)
{
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(!(entry->flags & ENTRY_DIRTY) || !(entry->flags & ENTRY_DRAINED));
    return (entry->flags & (ENTRY_DRAINED | ENTRY_FETCHED)) != 0;
}

/* A holder wants to know. */
void drain_asked(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_DRAIN_ASK);
    const struct fb_message_drain_ask *ask = &message->drain_ask;
    struct fb_key key = ask->block.key;
    if (ask->number > 0 && ask->number <= FB_FRAGMENTS_MAX)
        key = fragment_key(key, ask->number - 1);
    uint32_t slot = fb_cache_find(node_cache(node), key);
    bool is_here = slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT;
    uint8_t flags = is_here ? node_entries(node)[slot].flags : 0;
    if (message->source == node->config.node)
        return;
    if (abandon_answers(step, message->source, ask->block.object))
        return;
    bool is_safe = is_here && drain_is_safe(&node_entries(node)[slot]);
    uint32_t status = flags & ENTRY_DIRTY ? FB_BUSY : FB_OK;
    if (flags & ENTRY_DIRTY) {
        const struct dirty *dirty = &node_dirty(node)[node_entries(node)[slot].fill];
        status = dirty->refusal != FB_OK ? dirty->refusal : FB_BUSY;
    }
    tell_peer(node,
              is_safe               ? FB_WHY_SAY_DRAINED
              : flags & ENTRY_DIRTY ? FB_WHY_SAY_OWED
                                    : FB_WHY_SAY_NOTHING,
              message->source);
    if (is_safe)
        drain_tell(step, message->source, status, ask->block.key);
    else
        drain_deny(step, message->source, status, ask->block.key);
}

/* The first rank does not have the block: it forgot (and then must hold it again), or it drained
 * and evicted it. Spreading it again costs one more store and is always right. */
void drain_lost(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    uint8_t status = message->drain_lost.status;
    FB_ASSERT(message->kind == FB_MESSAGE_DRAIN_LOST);
    uint32_t slot = fb_cache_find(node_cache(node), message->drain_lost.key);
    if (slot == FB_NONE || !(node_entries(node)[slot].flags & ENTRY_DIRTY) ||
        message->source == node->config.node)
        return;
    node_dirty(node)[node_entries(node)[slot].fill].asks = 0;
    bool is_refused =
        status != FB_OK && status != FB_BUSY && status != FB_ABSENT && status < FB_STATUS_COUNT;
    bool is_kept = status == FB_BUSY || is_refused;
    struct fragment *fragment = fragment_of_dirty(node, node_entries(node)[slot].fill);
    if (fragment != NULL && status == FB_ABSENT) {
        drain_put_off(step, slot);
        return;
    }
    if (fragment != NULL && is_kept)
        fragment->vain_ns = 0;
    refused_set(node, node_entries(node)[slot].fill, is_refused ? (enum fb_status)status : FB_OK);
    if (is_refused)
        put_refused(step, slot, (enum fb_status)status);
    if (is_kept) {
        tell_peer(node, FB_WHY_DRAINS_THERE, message->source);
        return;
    }
    if (fragment != NULL) {
        fragment->is_orphan = 1;
        return;
    }
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    tell_peer(node, FB_WHY_SPREAD_AGAIN, message->source);
    if (put_lost(node, slot, message->source) || put_repeat(node, slot))
        node->stats.repairs++;
}
