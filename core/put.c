/* The writer's side of a durable write (a checkpoint's shard is many of these).
 *
 *     write_request --> fill pulls the client's bytes --> put_begin --HOLD--> each target
 *        FREE --put_begin--> SPREADING --HELD from quorum targets--> answered
 *                               |  ^ hold_ns: HOLD again                 |
 *                               '--'                                     v all targets hold it
 *                               '--retries_max without quorum--> refused --> FREE
 *
 * Targets are the partition's ranks, of different failure domains; with place_local this node
 * alone. The level says what is true when the client hears: this node has it (MEMORY), a quorum has
 * it in memory (REPLICATED) or on a device (DEVICE), or the origin has it (ORIGIN). The same record
 * repairs: after a view change a holder spreads its undrained blocks to the ranks that are new.
 * With erasure_data the targets hold fragments: see erasure.c, which has the same states. */
#include "refusal.h"

enum { REPAIRS_A_STEP = 4 };

static uint32_t put_target(const struct fb_node *node, struct fb_key key, uint32_t rank)
{
    FB_ASSERT(rank < FB_RANKS_MAX);
    if (node->config.place_local || node->view == NULL)
        return rank == 0 ? (uint32_t)node->config.node : FB_NONE;
    FB_ASSERT(node->config.replicas <= FB_RANKS_MAX);
    return rank < node->config.replicas ? fb_view_owner(node->view, key, rank) : FB_NONE;
}

bool put_is_owner(const struct fb_node *node, struct fb_key key, uint32_t *rank)
{
    for (*rank = 0; *rank < FB_RANKS_MAX; ++*rank) {
        if (put_target(node, key, *rank) == node->config.node)
            return true;
    }
    FB_ASSERT(*rank == FB_RANKS_MAX);
    return false;
}

static void put_targets(struct fb_node *node, struct put *put, struct fb_key key)
{
    FB_ASSERT(put->slot != FB_NONE);
    put->target_count = 0;
    put->held = 0;
    uint32_t ranks = put->level == FB_LEVEL_VOLATILE ? 1 : FB_RANKS_MAX;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        uint32_t target = put_target(node, key, rank);
        if (target != FB_NONE)
            put->targets[put->target_count++] = target;
    }
    FB_ASSERT(put->target_count <= FB_RANKS_MAX);
}

/* Begins to spread a DIRTY entry. request_id counts when has_client. False: no record is left. */
bool put_begin(struct fb_node *node, uint32_t slot, uint32_t level, uint64_t request_id,
               bool has_client)
{
    uint32_t index = node->put_free;
    FB_ASSERT((node_entries(node)[slot].flags & ENTRY_DIRTY) || level == FB_LEVEL_VOLATILE);
    if (index == FB_NONE)
        return false;
    struct put *put = &node_puts(node)[index];
    node->put_free = put->next;
    node->puts_used++;
    *put = (struct put){.request_id = request_id,
                        .since_ns = node->now_ns,
                        .generation = put->generation + 1,
                        .slot = slot,
                        .level = (uint8_t)level,
                        .is_answered = !has_client};
    memory_pin(node, slot);
    put_targets(node, put, fb_cache_key(node_cache(node), slot));
    if (code_is_wanted(node, level))
        code_begin(node, index);
    fb_timer_set(node_timer(node), timer_of_put(node, index), node->now_ns);
    FB_ASSERT(put->target_count > 0);
    return true;
}

/* Offers a volatile block to its first rank, where others look for it. Best effort: without a free
 * record, or after a second silence, it stays this node's. */
void put_share(struct fb_node *node, uint32_t slot)
{
    struct fb_key key = fb_cache_key(node_cache(node), slot);
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    bool is_alone = node->view == NULL || !node->config.use_peers || node->config.place_local;
    if (is_alone || put_target(node, key, 0) == node->config.node || put_of_slot(node, slot))
        return;
    put_begin(node, slot, FB_LEVEL_VOLATILE, 0, false);
}

void put_end(struct fb_node *node, uint32_t index)
{
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(put->is_answered);
    fb_timer_cancel(node_timer(node), timer_of_put(node, index));
    if (put->is_coded)
        code_end(node, index);
    memory_unpin(node, put->slot);
    put->slot = FB_NONE;
    put->next = node->put_free;
    node->put_free = index;
    node->puts_used--;
}

void put_reply(struct step *step, struct put *put, enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(!put->is_answered);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = put->request_id,
                                  .status = status,
                                  .reason = status == FB_OK ? FB_REASON_MEMORY : FB_REASON_REFUSED,
                                  .source = (uint32_t)node->config.node};
    put->is_answered = 1;
    if (status != FB_OK)
        return;
    node->stats.writes++;
    node->stats.write_bytes += node_entries(node)[put->slot].size_bytes;
    fb_histogram_add(&node->stats.write_latency_ns, node->now_ns - put->since_ns);
}

/* Has the quorum been reached, and have all? */
static void put_settle(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    uint32_t bits = put->held, held = 0, quorum = (uint32_t)node->config.write_quorum;
    for (uint32_t i = 0; i < put->target_count; i++)
        held += bits >> i & 1u;
    if (quorum > put->target_count)
        quorum = put->target_count;
    if (put->level == FB_LEVEL_MEMORY)
        quorum = 0;
    if (!put->is_answered && held >= quorum && put->level != FB_LEVEL_ORIGIN)
        put_reply(step, put, FB_OK);
    if (held < put->target_count || !put->is_answered)
        return;
    uint32_t slot = put->slot, rank;
    bool is_given = put->level == FB_LEVEL_VOLATILE && !node->config.keep_peer_blocks;
    put_end(node, index);
    struct entry *entry = &node_entries(node)[slot];
    if (is_given) { /* its owner has it: one copy in the cluster is enough */
        entry->flags |= ENTRY_TRANSIENT;
        memory_settle(node, slot);
        return;
    }
    bool is_owner = put_is_owner(node, fb_cache_key(node_cache(node), slot), &rank);
    bool is_done = !is_owner && (entry->flags & ENTRY_DIRTY) && !put_of_slot(node, slot);
    if (is_done && !node_dirty(node)[entry->fill].is_storing) /* else its own store ends it */
        dirty_clear(step, entry->fill); /* the owners have it: this copy is only a cache's */
    memory_settle(node, slot);
}

/* Some put that still spreads this entry? */
bool put_of_slot(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        if (node_puts(node)[i].slot == slot)
            return true;
    }
    return false;
}

/* Has a put of this entry used up its tries, its targets full or silent? */
bool put_is_stuck(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(node->puts_used <= node->config.puts_max);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        const struct put *put = &node_puts(node)[i];
        if (put->slot == slot)
            return put->failures > node->config.retries_max;
    }
    return false;
}

/* A target says that it does not hold this entry any more: it is asked again. False: no put. */
bool put_lost(struct fb_node *node, uint32_t slot, uint32_t target)
{
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(target != node->config.node);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot != slot)
            continue;
        for (uint32_t k = 0; k < put->target_count; k++) {
            if (put->targets[k] == target)
                put->held &= (uint8_t) ~(1u << k);
        }
        fb_timer_set(node_timer(node), timer_of_put(node, i), node->now_ns);
        return true;
    }
    return false;
}

/* Nobody is left that should hold this entry and does not? */
bool put_is_spread(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        const struct put *put = &node_puts(node)[i];
        if (put->slot == slot && put->is_coded)
            return code_is_spread(node, i);
        if (put->slot == slot)
            return put->held == (1u << put->target_count) - 1;
    }
    return true;
}

static void put_ask_target(struct step *step, uint32_t index, uint32_t target)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    const struct entry *entry = &node_entries(node)[put->slot];
    struct fb_block block = {.key = fb_cache_key(node_cache(node), put->slot),
                             .object = FB_OBJECT_NONE,
                             .size = entry->size_bytes};
    if (entry->flags & ENTRY_DIRTY)
        block = dirty_block(node, entry->fill);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = target;
    op->message =
        (struct fb_message){.kind = FB_MESSAGE_HOLD,
                            .hops = put->level,
                            .source = (uint32_t)node->config.node,
                            .ask_id = id_make(ID_PUT, index, put->generation),
                            .digest = entry->digest,
                            .target = FB_NONE,
                            .block = block,
                            .span = memory_span(node, entry->first_unit, entry->size_bytes)};
    node->stats.holds_sent++;
}

uint64_t put_pause_ns(const struct fb_node *node, const struct put *put)
{
    uint64_t tries = node->config.retries_max;
    uint64_t late = put->failures > tries ? put->failures - tries : 0;
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(node->config.hold_ns > 0);
    return node->config.hold_ns << (late < 6 ? late : 6);
}

/* Sends HOLD to those who have not answered, first and again; this node holds without a message. */
void put_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(step_room(step) >= STEP_ITEM_OPS_MAX);
    if (put->is_coded) {
        code_timer(step, index);
        return;
    }
    uint32_t bits = put->held, local = FB_NONE;
    /* Held by all and waiting for the drain is no failure. */
    bool is_spread = put->held == (1u << put->target_count) - 1;
    uint64_t again_ns = is_spread ? node->config.hold_ns : put_pause_ns(node, put);
    bool is_over = !is_spread && put->failures++ > node->config.retries_max;
    fb_timer_set(node_timer(node), timer_of_put(node, index), node->now_ns + again_ns);
    if (!put->is_answered && is_over)
        put_reply(step, put, FB_TIMEOUT);
    if (put->level == FB_LEVEL_VOLATILE && put->failures > 2) {
        uint32_t slot = put->slot;
        put_end(node, index);
        memory_settle(node, slot);
        return;
    }
    for (uint32_t i = 0; i < put->target_count && step_room(step) > 1; i++) {
        if (bits >> i & 1u)
            continue;
        if (put->targets[i] == node->config.node)
            local = i;
        else
            put_ask_target(step, index, put->targets[i]);
    }
    bool is_here = local != FB_NONE && put->level == FB_LEVEL_VOLATILE; /* its owner by now */
    if (local != FB_NONE && !is_here)
        is_here = hold_settle(step, put->slot, put->level, (uint32_t)node->config.node,
                              id_make(ID_PUT, index, put->generation)) == FB_OK;
    if (is_here)
        put->held |= (uint8_t)(1u << local);
    put_settle(step, index);
}

/* A target's digest of the bytes differs from this node's: whose is wrong can not be told. The copy
 * goes when it is at the origin, so a writer that tries again brings its bytes once more. */
static void put_doubt(struct fb_node *node, uint32_t index)
{
    const struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(node_entries(node)[put->slot].pins > 0);
    node_entries(node)[put->slot].flags |= ENTRY_TRANSIENT;
    if (put->is_coded)
        code_doubt(node, index);
}

void put_held(struct step *step, uint64_t id, uint32_t source, enum fb_status status)
{
    struct fb_node *node = step->node;
    enum { PUT_BITS = 16 }; /* above: the fragment */
    uint32_t index = id_index(id) & ((1u << PUT_BITS) - 1);
    bool is_mine = id_class(id) == ID_PUT && index < node->config.puts_max &&
                   node_puts(node)[index].slot != FB_NONE &&
                   node_puts(node)[index].generation == id_generation(id);
    if (!is_mine) {
        node->stats.late_messages++;
        return;
    }
    FB_ASSERT(source != FB_NONE);
    struct put *put = &node_puts(node)[index];
    if (source != node->config.node)
        suspect_clear(node, source, false);
    if (status == FB_CORRUPT)
        put_doubt(node, index);
    if (status != FB_OK)
        return; /* asked again at the timer */
    if (put->is_coded) {
        code_held(step, index, id_index(id) >> PUT_BITS, source);
        return;
    }
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (put->targets[i] == source)
            put->held |= (uint8_t)(1u << i);
    }
    put_settle(step, index);
}

/* The block is at the origin: whoever waited for that is answered. */
void put_drained(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(step_room(step) > 0);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot != slot)
            continue;
        if (!put->is_answered)
            put_reply(step, put, FB_OK);
        put_end(node, i);
        return; /* one record an entry: put_begin is called once for a dirty block */
    }
}

void put_refused(struct step *step, uint32_t slot, enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(status != FB_OK);
    FB_ASSERT(step_room(step) > 0);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot == slot && !put->is_answered && put->level == FB_LEVEL_ORIGIN) {
            put_reply(step, put, status);
            return;
        }
    }
}

/* Members have changed: every put asks the ranks that now count, those that hold it included. */
void put_view_changed(struct fb_node *node)
{
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot == FB_NONE)
            continue;
        put_targets(node, put, fb_cache_key(node_cache(node), put->slot));
        if (put->is_coded)
            code_targets(node, i);
        fb_timer_set(node_timer(node), timer_of_put(node, i), node->now_ns);
    }
    if (node->config.erasure_data > 0 && node->dirty_used > 0) { /* writers may be gone */
        node->drain_next = node->dirty_oldest;
        fb_timer_set(node_timer(node), timer_of_drain(node), node->now_ns);
    }
    node->repair_next = node->config.place_local ? FB_NONE : node->dirty_oldest;
    FB_ASSERT(node->puts_used <= node->config.puts_max);
}

/* Spreads undrained blocks to new ranks, as many as there are records for. */
void put_repair(struct fb_node *node)
{
    FB_ASSERT(node->view != NULL || node->repair_next == FB_NONE);
    for (uint32_t i = 0; i < REPAIRS_A_STEP && node->repair_next != FB_NONE; i++) {
        const struct dirty *dirty = &node_dirty(node)[node->repair_next];
        bool is_whole = fragment_of_dirty(node, node->repair_next) == NULL;
        if (is_whole && !put_of_slot(node, dirty->slot) &&
            !put_begin(node, dirty->slot, FB_LEVEL_MEMORY, 0, false))
            return;
        node->stats.repairs += is_whole;
        node->repair_next = dirty->newer;
    }
}

void put_check(struct fb_node *node)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < node->config.puts_max; i++) {
        const struct put *put = &node_puts(node)[i];
        if (put->slot == FB_NONE)
            continue;
        used++;
        FB_ASSERT(node_entries(node)[put->slot].state == ENTRY_RESIDENT);
        FB_ASSERT(node_entries(node)[put->slot].pins > 0);
    }
    FB_ASSERT(used == node->puts_used);
}
