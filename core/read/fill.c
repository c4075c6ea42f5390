/* The life of a fill: a block on its way into memory, and everybody who waits for it.
 *
 *              fill_begin            fill_finish                 last waiter answered
 *     FREE ----------------> ACTIVE --------------> ANSWERING ------------------------.
 *                              |                                                       v
 *                              '---fill_fail---> FAILING ---last waiter refused--> DRAINING
 *     FREE <------------------------- fill_drain: both attempts are idle --------------'
 *
 * ACTIVE     the entry is FILLING and pinned; identical misses join as waiters (coalescing)
 * ANSWERING  the entry is RESIDENT and still pinned, so every waiter can be served from it
 * FAILING    the entry is gone already: a new request begins a new fill
 * DRAINING   nobody waits; an abandoned attempt's op is still in flight and owns memory (R3, R5)
 * Waiters are answered a few per step (R2), in the order in which they came. */
#include "core/read/read.h"
#include "core/tier/tier.h"

static void work_append(struct fb_node *node, uint32_t fill)
{
    struct fill *record = &node_fills(node)[fill];
    FB_ASSERT(!record->is_listed);
    record->is_listed = 1;
    record->next = FB_NONE;
    if (node->work_tail == FB_NONE)
        node->work_head = fill;
    else
        node_fills(node)[node->work_tail].next = fill;
    node->work_tail = fill;
    FB_ASSERT(node->work_head != FB_NONE);
}

static void work_pop(struct fb_node *node)
{
    uint32_t fill = node->work_head;
    FB_ASSERT(fill != FB_NONE);
    struct fill *record = &node_fills(node)[fill];
    FB_ASSERT(record->is_listed);
    record->is_listed = 0;
    node->work_head = record->next;
    if (node->work_head == FB_NONE)
        node->work_tail = FB_NONE;
}

/* A new fill with its FILLING entry; FB_NONE: no fill, no slot or nothing to evict (R9: BUSY). */
uint32_t fill_begin(struct fb_node *node, const struct fb_block *block, uint8_t flags)
{
    uint32_t index = node->fill_free;
    if (index == FB_NONE) {
        tell_count(node, FB_WHY_NO_FILL, FB_NONE, 0, node->config.fills_max);
        return FB_NONE;
    }
    bool is_within_quota = tenant_make_room(node, block->tenant, block->size);
    uint32_t slot = memory_insert(node, block);
    if (slot == FB_NONE) {
        tell_why(node, FB_WHY_NO_ROOM);
        return FB_NONE;
    }
    if (!is_within_quota)
        node_entries(node)[slot].flags |= ENTRY_TRANSIENT;
    struct fill *fill = &node_fills(node)[index];
    FB_ASSERT(fill->state == FILL_FREE);
    node->fill_free = fill->next;
    node->fills_used++;
    *fill = (struct fill){.block = *block,
                          .slot = slot,
                          .waiter_head = FB_NONE,
                          .waiter_tail = FB_NONE,
                          .next = FB_NONE,
                          .state = FILL_ACTIVE,
                          .flags = flags,
                          .source = FB_NONE,
                          .avoid = FB_NONE};
    node_entries(node)[slot].fill = index;
    return index;
}

/* Does this peer's ask, or hold, wait already? It comes again to learn whether this node lives.
 * Looks at every waiter: in a fan-out they are hundreds, so a first ask is not looked for. */
bool fill_has_waiter(struct fb_node *node, uint32_t index, uint32_t peer, uint64_t id)
{
    const struct waiter *waiters = node_waiters(node);
    FB_ASSERT(index < node->config.fills_max);
    FB_ASSERT(peer != FB_NONE);
    for (uint32_t i = node_fills(node)[index].waiter_head; i != FB_NONE; i = waiters[i].next) {
        if (waiters[i].peer == peer && waiters[i].id == id)
            return true;
    }
    return false;
}

bool fill_add_waiter(struct fb_node *node, uint32_t index, const struct waiter *waiter)
{
    struct fill *fill = &node_fills(node)[index];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    uint32_t slot = node->waiter_free;
    if (slot == FB_NONE)
        return false;
    struct waiter *waiters = node_waiters(node);
    node->waiter_free = waiters[slot].next;
    node->waiters_used++;
    waiters[slot] = *waiter;
    waiters[slot].next = FB_NONE;
    if (fill->waiter_tail != FB_NONE && waiter->kind != WAITER_PEER)
        tell_why(node, FB_WHY_JOIN);
    if (fill->waiter_tail == FB_NONE)
        fill->waiter_head = slot;
    else
        waiters[fill->waiter_tail].next = slot;
    fill->waiter_tail = slot;
    fill->is_joined = 1;
    FB_ASSERT(fill->waiter_head != FB_NONE);
    return true;
}

/* The attempt's bytes become the entry's. */
static void fill_settle_entry(struct fb_node *node, struct fill *fill, struct attempt *attempt)
{
    struct entry *entry = &node_entries(node)[fill->slot];
    FB_ASSERT(entry->state == ENTRY_FILLING);
    FB_ASSERT(attempt->first_unit != FB_NONE);
    entry->state = ENTRY_RESIDENT;
    entry->fill = FB_NONE;
    entry->first_unit = attempt->first_unit;
    entry->digest = attempt->digest;
    attempt->first_unit = FB_NONE;
    tenant_filled(node, fill->slot);
    if (attempt->reason == FB_REASON_ORIGIN_OWNER || attempt->reason == FB_REASON_ORIGIN)
        entry->flags |= ENTRY_FETCHED;
    bool is_kept = node->config.keep_peer_blocks || (fill->flags & FILL_PREFETCH);
    if ((attempt->peer != FB_NONE && !is_kept) || (fill->flags & FILL_FRAGMENT)) {
        tell_why(node, FB_WHY_PASSING);
        entry->flags |= ENTRY_TRANSIENT;
    }
    fill->reason = attempt->reason;
    fill->source = attempt->peer;
    if (attempt->reason == FB_REASON_DEVICE || attempt->reason == FB_REASON_MEMORY)
        fill->source = (uint32_t)node->config.node;
}

void fill_finish(struct step *step, uint32_t index, uint32_t attempt_index)
{
    struct fb_node *node = step->node;
    struct fill *fill = &node_fills(node)[index];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(attempt_index / FB_ATTEMPTS_MAX == index);
    fill_settle_entry(node, fill, &node_attempts(node)[attempt_index]);
    node->stats.fills++;
    if (node->hedge_credit < HEDGE_CREDIT_MAX)
        node->hedge_credit++;
    node->stats.fill_bytes += fill->block.size;
    if (node_attempts(node)[attempt_index].is_hedge)
        node->stats.hedges_won++;
    fill->state = FILL_ANSWERING;
    for (uint32_t i = 0; i < FB_ATTEMPTS_MAX; i++)
        attempt_abandon(step, index * FB_ATTEMPTS_MAX + i);
    bool is_fetched = node_entries(node)[fill->slot].flags & ENTRY_FETCHED;
    bool is_spilled = node->config.device_keeps_puts && (fill->flags & FILL_PUT) &&
                      fill->block.object == FB_OBJECT_NONE;
    if ((is_fetched || is_spilled) && !tenant_has_ttl(node, fill->slot))
        device_write_begin(step, fill->slot, fill->block.key, NULL);
    work_append(node, index);
}

void fill_fail(struct fb_node *node, uint32_t index, enum fb_status status)
{
    struct fill *fill = &node_fills(node)[index];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(status != FB_OK);
    tell_status(node, FB_WHY_FAIL_FINAL, FB_NONE, status);
    fill->state = FILL_FAILING;
    fill->status = (uint8_t)status;
    node_entries(node)[fill->slot].fill = FB_NONE;
    memory_unpin(node, fill->slot);
    memory_remove(node, fill->slot);
    fill->slot = FB_NONE;
    work_append(node, index);
}

/* What readers hear. The origin's word that it has not got a block was one to the mend that they
 * waited with, which goes on; it is no verdict, nor is that of others while the block is made. */
enum fb_status fill_status(const struct fill *fill)
{
    bool is_made = fill->flags & FILL_MEND;
    bool is_of_mend = (fill->status == FB_ABSENT && (is_made || (fill->flags & FILL_FETCH))) ||
                      (fill->status == FB_LOST && is_made);
    FB_ASSERT(fill->status < FB_STATUS_COUNT);
    FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
    return is_of_mend ? FB_BUSY : (enum fb_status)fill->status;
}

/* False: there is more to it than reading, and the caller's. */
static bool fill_answer(struct step *step, struct fill *fill, const struct waiter *waiter)
{
    FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
    FB_ASSERT(step_room(step) > 0);
    if (waiter->kind >= WAITER_HOLD || waiter->kind == WAITER_WRITE)
        return false;
    if (waiter->kind == WAITER_GATHER || waiter->kind == WAITER_PIN) {
        const struct fb_reply how = {.status = fill_status(fill),
                                     .reason = fill->first_is_answered ? FB_REASON_COALESCED
                                                                       : fill->reason,
                                     .source = fill->source};
        fill->first_is_answered = 1;
        if (waiter->kind == WAITER_GATHER)
            gather_filled(step->node, waiter, fill->slot, &how);
        else
            pin_filled(step, waiter, fill->slot, &how);
        return true;
    }
    if (fill->state == FILL_FAILING) {
        bool is_final = (fill->flags & FILL_FINAL) && fill->status != FB_BUSY;
        if (waiter->kind == WAITER_PEER && is_final)
            serve_deny_final(step, waiter->peer, waiter->id, fill_status(fill));
        else if (waiter->kind == WAITER_PEER)
            serve_deny(step, waiter->peer, waiter->id, fill_status(fill));
        else
            get_refuse(step, waiter->id, fill_status(fill));
        return true;
    }
    if (waiter->kind == WAITER_PEER) {
        bool is_fetched = node_entries(step->node)[fill->slot].flags & ENTRY_FETCHED;
        serve_waiter(step, waiter, fill->slot, is_fetched);
        return true;
    }
    enum fb_reason reason = fill->first_is_answered ? FB_REASON_COALESCED : fill->reason;
    fill->first_is_answered = 1;
    get_reply(step, waiter, fill->slot, reason, fill->source);
    return waiter->kind != WAITER_PUT;
}

const struct fill *fill_work(struct step *step, struct waiter *waiter)
{
    struct fb_node *node = step->node;
    while (node->work_head != FB_NONE && step_room(step) > 0) {
        uint32_t index = node->work_head;
        struct fill *fill = &node_fills(node)[index];
        FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
        uint32_t slot = fill->waiter_head;
        if (slot != FB_NONE) {
            *waiter = node_waiters(node)[slot];
            fill->waiter_head = waiter->next;
            if (fill->waiter_head == FB_NONE)
                fill->waiter_tail = FB_NONE;
            node_waiters(node)[slot].next = node->waiter_free;
            node->waiter_free = slot;
            node->waiters_used--;
            if (!fill_answer(step, fill, waiter))
                return fill;
            continue;
        }
        work_pop(node);
        if (fill->state == FILL_ANSWERING) {
            memory_unpin(node, fill->slot);
            memory_settle(node, fill->slot);
            fill->slot = FB_NONE;
        }
        fill->state = FILL_DRAINING;
        fill_drain(node, index);
    }
    return NULL;
}

/* Frees the fill once nobody waits and no attempt has an op in flight. */
void fill_drain(struct fb_node *node, uint32_t index)
{
    struct fill *fill = &node_fills(node)[index];
    FB_ASSERT(fill->state != FILL_FREE);
    if (fill->state != FILL_DRAINING)
        return;
    for (uint32_t i = 0; i < FB_ATTEMPTS_MAX; i++) {
        if (node_attempts(node)[index * FB_ATTEMPTS_MAX + i].state != ATTEMPT_IDLE)
            return;
    }
    FB_ASSERT(!fill->is_listed);
    FB_ASSERT(node->fills_used > 0);
    fill->state = FILL_FREE;
    fill->next = node->fill_free;
    node->fill_free = index;
    node->fills_used--;
}

void fill_check(struct fb_node *node)
{
    uint32_t used = 0, waiting = 0;
    for (uint32_t i = 0; i < node->config.fills_max; i++) {
        const struct fill *fill = &node_fills(node)[i];
        if (fill->state == FILL_FREE)
            continue;
        used++;
        FB_ASSERT((fill->waiter_head == FB_NONE) == (fill->waiter_tail == FB_NONE));
        for (uint32_t w = fill->waiter_head; w != FB_NONE; w = node_waiters(node)[w].next)
            waiting++;
        if (fill->state == FILL_ACTIVE)
            FB_ASSERT(node_entries(node)[fill->slot].fill == i);
        if (fill->state == FILL_ANSWERING)
            FB_ASSERT(node_entries(node)[fill->slot].state == ENTRY_RESIDENT);
        FB_ASSERT(fill->is_listed ==
                  (fill->state == FILL_ANSWERING || fill->state == FILL_FAILING));
    }
    FB_ASSERT(used == node->fills_used);
    FB_ASSERT(waiting == node->waiters_used);
}
