/* The writer's side of a durable write (a checkpoint's shard is many of these).
 *
 *     write_request --> fill pulls the client's bytes --> put_begin --HOLD--> each target
 *        FREE --put_begin--> SPREADING --HELD from quorum targets--> answered
 *                               |  ^ hold_ns: a new round                |
 *                               '--'                                     v all targets hold it
 *                               '--retries_max without quorum--> refused --> FREE
 *
 * A round asks each target, once more those that are quiet, and then has others stand in for them
 * (standin.c): a dead node costs a write two silences and no more; one without room is asked again
 * soon (pause.c). Targets are the partition's ranks, of different failure domains; with place_local
 * this node alone. The level says what is true when the client hears: this node has it (MEMORY), a
 * quorum has it in memory (REPLICATED) or on a device (DEVICE), or the origin has it (ORIGIN). It
 * is never lowered in silence: where fewer members than write_quorum are in the view, answer or
 * have drives, the write is DEGRADED; with `degraded: allow` it is answered when all of those hold
 * it. The same record repairs undrained blocks after a view change. With erasure_data: erasure.c.
 */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/standin.h"
#include "core/write/write.h"

enum { REPAIRS_A_STEP = 4 };

uint32_t put_owner(const struct fb_node *node, struct fb_key key, uint32_t rank)
{
    FB_ASSERT(rank < FB_RANKS_MAX);
    if (node->config.place_local || node->view == NULL)
        return rank == 0 ? (uint32_t)node->config.node : FB_NONE;
    FB_ASSERT(node->config.replicas <= FB_RANKS_MAX);
    return rank < node->config.replicas ? fb_view_owner(node->view, key, rank) : FB_NONE;
}

/* Copies that a level wants; those of a code: see erasure.c. */
uint32_t put_copies(const struct fb_node *node, uint32_t level)
{
    FB_ASSERT(level < FB_LEVEL_COUNT);
    FB_ASSERT(node->config.write_quorum >= 1);
    bool wants = level == FB_LEVEL_REPLICATED || level == FB_LEVEL_DEVICE;
    return wants ? (uint32_t)node->config.write_quorum : 0;
}

bool put_may_hold(const struct fb_node *node, uint32_t level)
{
    const struct fb_key any = {.high = 0}; /* all partitions list as many */
    uint32_t rank = 0;
    while (rank < FB_RANKS_MAX && put_owner(node, any, rank) != FB_NONE)
        rank++;
    FB_ASSERT(rank > 0);
    return node->config.degraded || code_is_wanted(node, level) || rank >= put_copies(node, level);
}

static void put_targets(struct fb_node *node, struct put *put, struct fb_key key)
{
    FB_ASSERT(put->slot != FB_NONE);
    put->target_count = 0;
    put->held = 0;
    put->asks = 0;
    put->quiet = 0;
    put->unable = 0;
    put->is_relied = 0;
    uint32_t ranks = put->level == FB_LEVEL_VOLATILE ? 1 : FB_RANKS_MAX;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        uint32_t target = put_owner(node, key, rank);
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

/* Is there a copy on this node's drive that is promised? */
static bool put_is_on_drive(struct fb_node *node, uint32_t slot)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    return node_dirty(node)[entry->fill].device_slot != FB_NONE &&
           fragment_of_dirty(node, entry->fill) == NULL && !code_is_wanted(node, FB_LEVEL_MEMORY);
}

/* Spreads an undrained block to those who should have it: what is promised on drives to drives. */
bool put_repeat(struct fb_node *node, uint32_t slot)
{
    uint32_t level = put_is_on_drive(node, slot) ? FB_LEVEL_DEVICE : FB_LEVEL_MEMORY;
    FB_ASSERT(!put_of_slot(node, slot));
    return put_begin(node, slot, level, 0, false);
}

/* Offers a volatile block to its first rank, where others look for it. Best effort: without a free
 * record, or after a second silence, it stays this node's. */
void put_share(struct fb_node *node, uint32_t slot)
{
    struct fb_key key = fb_cache_key(node_cache(node), slot);
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    bool is_alone = node->view == NULL || !node->config.use_peers || node->config.place_local;
    if (is_alone || put_owner(node, key, 0) == node->config.node || put_of_slot(node, slot))
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

void put_reply(struct step *step, struct put *put, enum fb_status status, uint32_t copies)
{
    struct fb_node *node = step->node;
    FB_ASSERT(!put->is_answered);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = put->request_id,
                                  .status = status,
                                  .reason = status == FB_OK ? FB_REASON_MEMORY : FB_REASON_REFUSED,
                                  .source = (uint32_t)node->config.node,
                                  .copies = status == FB_OK ? copies : 0};
    put->is_answered = 1;
    if (status != FB_OK)
        return;
    node->stats.writes++;
    node->stats.degraded += copies < put_copies(node, put->level);
    node->stats.write_bytes += node_entries(node)[put->slot].size_bytes;
    fb_histogram_add(&node->stats.write_latency_ns, node->now_ns - put->since_ns);
}

static bool put_has_target(const struct put *put, uint32_t peer)
{
    FB_ASSERT(peer != FB_NONE);
    FB_ASSERT(put->target_count <= FB_RANKS_MAX);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (put->targets[i] == peer)
            return true;
    }
    return false;
}

/* Too few hold it: can there be more? Members that are silent may come back until the tries are
 * used up; a view and those without a drive are certain. */
static void put_degrade(struct step *step, struct put *put, uint32_t copies)
{
    struct fb_node *node = step->node;
    uint32_t held = bits_count(put->held), reach = standin_reach(node, put);
    FB_ASSERT(held < copies);
    FB_ASSERT(!put->is_answered);
    if (reach >= copies)
        return;
    bool is_certain = put->target_count < copies || put->unable != 0;
    if (node->config.degraded && held >= reach && held > 0) {
        tell_count(node, FB_WHY_FEWER, FB_NONE, held, reach);
        put_reply(step, put, FB_OK, held);
    } else if (!node->config.degraded && is_certain) {
        tell_count(node, FB_WHY_DEGRADED, FB_NONE, held, reach);
        put_reply(step, put, FB_DEGRADED, 0);
    }
}

/* Has the quorum been reached? */
static void put_answer(struct step *step, struct put *put)
{
    uint32_t held = bits_count(put->held), copies = put_copies(step->node, put->level);
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(held <= put->target_count);
    if (!put->is_answered && put->level == FB_LEVEL_ORIGIN)
        tell_why(step->node, FB_WHY_WANTS_ORIGIN);
    if (put->is_answered || put->level == FB_LEVEL_ORIGIN)
        return;
    tell_count(step->node, held >= copies ? FB_WHY_QUORUM : FB_WHY_NO_QUORUM, FB_NONE, held,
               copies);
    if (held >= copies)
        put_reply(step, put, FB_OK, held > 0 ? held : 1);
    else
        put_degrade(step, put, copies);
}

/* Has the quorum been reached, and have all? */
static void put_settle(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    put_answer(step, put);
    if (bits_count(put->held) < put->target_count || !put->is_answered)
        return;
    uint32_t slot = put->slot, level = put->level;
    bool is_holder = put_has_target(put, (uint32_t)node->config.node);
    bool is_given = put->level == FB_LEVEL_VOLATILE && !node->config.keep_peer_blocks;
    if (!is_holder && put_is_relied_on(node, index))
        return;
    struct entry *entry = &node_entries(node)[slot];
    if (is_holder && (entry->flags & ENTRY_DIRTY) &&
        node_dirty(node)[entry->fill].instead != FB_NONE)
        standin_keep(node, put, entry->fill);
    tell_count(node, FB_WHY_PUT_OVER, FB_NONE, 0, put->target_count);
    put_end(node, index);
    if (is_given) { /* its owner has it: one copy in the cluster is enough */
        entry->flags |= ENTRY_TRANSIENT;
        memory_settle(node, slot);
        return;
    }
    bool is_done = !is_holder && (entry->flags & ENTRY_DIRTY) && !put_of_slot(node, slot) &&
                   (level == FB_LEVEL_DEVICE || !put_is_on_drive(node, slot));
    if (is_done && !node_dirty(node)[entry->fill].is_storing) { /* else its own store ends it */
        tell_why(node, FB_WHY_PUT_LEFT);
        node->stats.handoffs += node_dirty(node)[entry->fill].instead != FB_NONE;
        dirty_clear(step, entry->fill); /* others have it: this copy is only a cache's */
    }
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

/* A target says that it does not hold this entry any more, or an owner that another stands in for:
 * it is asked again. False: no put. */
bool put_lost(struct fb_node *node, uint32_t slot, uint32_t target)
{
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(target != node->config.node);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot != slot)
            continue;
        for (uint32_t k = 0; k < put->target_count && !put->is_coded; k++) {
            bool is_owner = put_owner(node, fb_cache_key(node_cache(node), slot), k) == target;
            if (put->targets[k] != target && (!is_owner || put_has_target(put, target)))
                continue;
            put->targets[k] = target;
            put->held &= (uint8_t) ~(1u << k);
            put->asks = 0;
        }
        put_due(node, i, 0);
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

static void put_ask_target(struct step *step, uint32_t index, uint32_t place, uint8_t flags)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    const struct entry *entry = &node_entries(node)[put->slot];
    struct fb_block block = {.key = fb_cache_key(node_cache(node), put->slot),
                             .object = FB_OBJECT_NONE,
                             .size = entry->size_bytes};
    if (entry->flags & ENTRY_DIRTY)
        block = dirty_block(node, entry->fill);
    uint32_t owner = put_owner(node, block.key, place);
    tell_count(node, put->targets[place] == owner ? FB_WHY_HOLD_RANK : FB_WHY_HOLD_INSTEAD,
               put->targets[place], place + 1, put->target_count);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = put->targets[place];
    op->message = (struct fb_message){
        .kind = FB_MESSAGE_HOLD,
        .source = (uint32_t)node->config.node,
        .hold = {.ask_id = id_make(ID_PUT, index, put->generation),
                 .digest = entry->digest,
                 .block = block,
                 .span = memory_span(node, entry->first_unit, entry->size_bytes),
                 .part = {.instead = put->targets[place] != owner ? owner : FB_NONE},
                 .flags = flags,
                 .level = put->level}};
    node->stats.holds_sent++;
}

/* This node is a target itself: it holds the block without a message. */
static void put_hold_here(struct step *step, uint32_t index, uint32_t place)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->targets[place] == node->config.node);
    if (put->level == FB_LEVEL_VOLATILE) { /* its owner by now */
        put->held |= (uint8_t)(1u << place);
        return;
    }
    uint32_t owner = put_owner(node, fb_cache_key(node_cache(node), put->slot), place);
    tell_count(node, FB_WHY_HOLD_HERE, FB_NONE, place + 1, put->target_count);
    enum fb_status status = hold_settle(step, put->slot, put->level, (uint32_t)node->config.node,
                                        id_make(ID_PUT, index, put->generation));
    put->quiet &= (uint8_t) ~(1u << place);
    if (owner != node->config.node)
        standin_hold(node, node_entries(node)[put->slot].fill, owner);
    if (status == FB_OK)
        put->held |= (uint8_t)(1u << place);
    else if (status == FB_INVALID)
        put->unable |= (uint8_t)(1u << place);
}

/* Asks the targets of a bitmap. Those that cannot have others in their place at once. */
static void put_ask(struct step *step, uint32_t index, uint32_t places, uint8_t flags)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(places < 1u << FB_RANKS_MAX);
    FB_ASSERT(put->slot != FB_NONE);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (!(places >> i & 1u) || put->targets[i] != node->config.node)
            continue;
        put_hold_here(step, index, i);
        if (!(bits_has(put->unable, i)) || !standin_take(node, put, i))
            places &= ~(1u << i);
    }
    for (uint32_t i = 0; i < put->target_count && step_room(step) > 1; i++) {
        if (places >> i & 1u)
            put_ask_target(step, index, i, flags);
    }
}

/* A volatile block is offered to its owner twice; nobody stands in for that. */
static void put_offer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    uint32_t slot = put->slot;
    FB_ASSERT(put->level == FB_LEVEL_VOLATILE);
    FB_ASSERT(put->is_answered);
    put_due(node, index, node->config.hold_ns);
    if (put->failures++ < 2) {
        put_ask(step, index, 1, 0);
        put_settle(step, index);
        return;
    }
    put_end(node, index);
    memory_settle(node, slot);
}

/* The next asking of a round, or the first of a new one. Returns whom to ask, as a bitmap. */
static uint32_t put_round(struct fb_node *node, struct put *put)
{
    uint32_t open = ((1u << put->target_count) - 1) & ~(uint32_t)put->held, due;
    FB_ASSERT(open != 0);
    FB_ASSERT(put->asks <= 2);
    if (put->asks == 0) {
        put->failures = (uint16_t)(put->failures + (put->failures < UINT16_MAX));
        standin_round(node, put);
        put->busy = 0;
        put->quiet = (uint8_t)open;
        put->asks = 1;
        return open;
    }
    bool is_judged = put->asks == 2;
    due = is_judged ? standin_judge(node, put) : put->quiet & open;
    put->asks = due == 0 ? 0 : is_judged ? 1 : 2;
    return due;
}

/* Without AGAIN: one that has begun to take it answers when it has. */
static void put_ask_busy(struct step *step, uint32_t index)
{
    struct put *put = &node_puts(step->node)[index];
    uint32_t places = put->busy & ~(uint32_t)put->held;
    put->busy = 0;
    put_ask(step, index, places, 0);
    put_wait(step->node, index);
    put_settle(step, index);
}

/* Another asking of those who do not hold it. */
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
    if (put->level == FB_LEVEL_VOLATILE) {
        put_offer(step, index);
        return;
    }
    if (node->now_ns < put->due_ns) {
        put_ask_busy(step, index);
        return;
    }
    uint64_t again_ns = put_rest_ns(node);
    /* Held by all and waiting for the drain is no failure. */
    if (bits_count(put->held) < put->target_count) {
        uint32_t silent = put->quiet & ~(uint32_t)put->held;
        bool is_first = put->failures == 0, is_new = put->asks == 0;
        enum fb_status vain = is_new ? put_vain(node, put, silent != 0) : FB_OK;
        uint32_t due = put_round(node, put);
        again_ns = put->asks != 0 ? put_silence_ns(node) : put_pause_ns(node, put);
        if (!put->is_answered && vain != FB_OK) {
            tell_status(node, FB_WHY_PUT_VAIN, FB_NONE, vain);
            put_reply(step, put, vain, 0);
        }
        put_ask(step, index, due, is_first ? 0 : FB_MESSAGE_FLAG_AGAIN);
    }
    put_due(node, index, again_ns);
    put_settle(step, index);
}

/* A target's digest of the bytes differs from this node's: whose is wrong can not be told. The copy
 * goes when it is at the origin, so a writer that tries again brings its bytes once more. */
static void put_distrust(struct fb_node *node, uint32_t index)
{
    const struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(node_entries(node)[put->slot].pins > 0);
    node_entries(node)[put->slot].flags |= ENTRY_TRANSIENT;
    if (put->is_coded)
        code_cut_again(node, index);
}

/* A target lives. One that cannot hold it is replaced; others are asked again at the timer. */
static void put_heard(struct step *step, uint32_t index, uint32_t source, enum fb_status status)
{
    struct fb_node *node = step->node;
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(!put->is_coded);
    FB_ASSERT(source != FB_NONE);
    for (uint32_t i = 0; i < put->target_count; i++) {
        if (put->targets[i] != source)
            continue;
        put->quiet &= (uint8_t) ~(1u << i);
        if (put_is_room_wanted(status))
            put_without_room(node, index, i);
        if (status != FB_INVALID || bits_has(put->held, i))
            continue;
        put->unable |= (uint8_t)(1u << i);
        bool is_taken = standin_take(node, put, i);
        if (!is_taken && (!put->is_answered || put->level != FB_LEVEL_DEVICE))
            continue;
        if (!is_taken) { /* nobody waits for it: a copy in memory is better than none */
            put->unable &= (uint8_t) ~(1u << i);
            put->level = FB_LEVEL_MEMORY;
            put->generation++; /* what is answered yet is of the other level */
        }
        put_ask(step, index, 1u << i, 0);
    }
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
        if (source != node->config.node)
            suspect_clear(node, source, true);
        return;
    }
    FB_ASSERT(source != FB_NONE);
    struct put *put = &node_puts(node)[index];
    if (source != node->config.node)
        suspect_clear(node, source, false);
    if (status == FB_CORRUPT)
        put_distrust(node, index);
    if (put->is_coded) {
        code_heard(step, index, id_index(id) >> PUT_BITS, source, status);
        return;
    }
    put_heard(step, index, source, status);
    if (status == FB_OK)
        standin_held(node, put, source);
    put_settle(step, index);
}

/* The block is at the origin: whoever waited for that is answered. */
void put_drained(struct step *step, uint32_t slot, enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(step_room(step) > 0);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot != slot)
            continue;
        if (!put->is_answered)
            put_reply(step, put, status, (uint32_t)node->config.write_quorum);
        put_end(node, i);
        return; /* one record an entry: put_begin is called once for a dirty block */
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
        put_due(node, i, 0);
    }
    drain_hurry(node);
    node->repairs++;
    node->repair_next = node->config.place_local ? FB_NONE : node->dirty_oldest;
    FB_ASSERT(node->puts_used <= node->config.puts_max);
}

/* Spreads undrained blocks to new ranks, each once a walk: renewed ones go to the list's end. */
void put_repair(struct fb_node *node)
{
    FB_ASSERT(node->view != NULL || node->repair_next == FB_NONE);
    for (uint32_t i = 0; i < REPAIRS_A_STEP && node->repair_next != FB_NONE; i++) {
        struct dirty *dirty = &node_dirty(node)[node->repair_next];
        bool is_whole = fragment_of_dirty(node, node->repair_next) == NULL;
        bool is_due = is_whole && dirty->repaired != (uint16_t)node->repairs;
        if (is_due && !put_of_slot(node, dirty->slot) && !put_repeat(node, dirty->slot))
            return;
        dirty->repaired = (uint16_t)node->repairs;
        node->stats.repairs += is_due;
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
