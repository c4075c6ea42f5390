/* The peer's side of a read: lend, refer, or let wait.
 *
 * An ask for a block that is
 *   resident, fewer than lend_max loans of it   -> OFFER: a loan, pinned until RETURN or expiry
 *   resident, lent out                          -> REFER to one of the readers it was lent to:
 *                                                  those lend in turn, so sources multiply (tree)
 *   being filled                                -> WAIT: queued with the fill (coalescing)
 *   elsewhere, asked by the reader itself       -> WAIT: this node fetches it as its owner
 *   elsewhere, asked through a referral         -> DENY ABSENT: the reader goes back to the owner
 *   any, out of slots                           -> DENY BUSY (R9)
 * A reader becomes a holder when it is lent to, and stops being one when it returns without KEPT.
 *
 *     lend:  (free) --serve_offer--> lent --serve_return | serve_expire--> (free) */
#include "core/read/read.h"
#include "core/tier/tier.h"

enum { LENDS_BUSY = 8 };

/* What the kind carries is the caller's to write, all of it. */
static struct fb_message *serve_answer(struct step *step, uint32_t peer, enum fb_message_kind kind)
{
    FB_ASSERT(peer != FB_NONE);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = peer;
    op->message.kind = (uint8_t)kind;
    op->message.source = (uint32_t)step->node->config.node;
    FB_ASSERT(op->message.kind == kind);
    return &op->message;
}

void serve_deny(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    if (status == FB_BUSY)
        step->node->stats.busy_answers++;
    serve_answer(step, peer, FB_MESSAGE_DENY)->deny =
        (struct fb_message_deny){.ask_id = ask_id, .status = (uint8_t)status};
}

void serve_deny_final(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    FB_ASSERT(status != FB_BUSY);
    serve_answer(step, peer, FB_MESSAGE_DENY)->deny = (struct fb_message_deny){
        .ask_id = ask_id, .status = (uint8_t)status, .flags = FB_MESSAGE_FLAG_FINAL};
}

static void lend_link(struct fb_node *node, uint32_t index)
{
    struct lend *lends = node_lends(node);
    FB_ASSERT(index < node->config.lends_max);
    lends[index].older = node->lend_newest;
    lends[index].newer = FB_NONE;
    if (node->lend_newest != FB_NONE)
        lends[node->lend_newest].newer = index;
    node->lend_newest = index;
    if (node->lend_oldest == FB_NONE) {
        node->lend_oldest = index;
        fb_timer_set(node_timer(node), timer_of_lends(node), lends[index].expires_ns);
    }
    FB_ASSERT(node->lend_oldest != FB_NONE);
}

static void lend_unlink(struct fb_node *node, uint32_t index)
{
    struct lend *lends = node_lends(node);
    struct lend *lend = &lends[index];
    if (lend->newer != FB_NONE)
        lends[lend->newer].older = lend->older;
    else
        node->lend_newest = lend->older;
    if (lend->older != FB_NONE) {
        lends[lend->older].newer = lend->newer;
        return;
    }
    FB_ASSERT(node->lend_oldest == index);
    node->lend_oldest = lend->newer;
    if (node->lend_oldest == FB_NONE)
        fb_timer_cancel(node_timer(node), timer_of_lends(node));
    else
        fb_timer_set(node_timer(node), timer_of_lends(node), lends[node->lend_oldest].expires_ns);
}

static void lend_end(struct fb_node *node, uint32_t index)
{
    struct lend *lend = &node_lends(node)[index];
    struct entry *entry = &node_entries(node)[lend->slot];
    FB_ASSERT(entry->lends > 0);
    FB_ASSERT(node->lends_used > 0);
    lend_unlink(node, index);
    entry->lends--;
    memory_settle(node, lend->slot);
    lend->slot = FB_NONE;
    lend->generation++;
    lend->newer = node->lend_free;
    node->lend_free = index;
    node->lends_used--;
}

/* When a loan ends that is not returned. A reader that takes several times as long as others do
 * shall not keep the block's few loans: it may go on pulling, and its digest tells whether the
 * bytes were still there (R5); without digests only the fixed limit holds. Never before an older
 * loan's. */
static uint64_t lend_expiry_ns(const struct fb_node *node, uint32_t size_bytes)
{
    uint64_t patience_ns = node->config.lend_ns;
    if (node->config.check_digest)
        patience_ns = pace_patience_ns(&node->lend_pace, size_bytes, node->config.hedge_ns,
                                       node->config.lend_ns);
    uint64_t expires_ns = node->now_ns + patience_ns;
    FB_ASSERT(patience_ns > 0);
    if (node->lend_newest == FB_NONE)
        return expires_ns;
    const struct lend *newest = &node_lends((struct fb_node *)(uintptr_t)node)[node->lend_newest];
    return newest->expires_ns > expires_ns ? newest->expires_ns : expires_ns;
}

static void serve_offer(struct step *step, const struct waiter *waiter, uint32_t slot,
                        bool is_fetched)
{
    struct fb_node *node = step->node;
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(node->lend_free != FB_NONE);
    uint32_t index = node->lend_free;
    struct lend *lend = &node_lends(node)[index];
    node->lend_free = lend->newer;
    node->lends_used++;
    lend->begun_ns = node->now_ns;
    lend->expires_ns = lend_expiry_ns(node, entry->size_bytes);
    lend->slot = slot;
    lend->peer = waiter->peer;
    lend_link(node, index);
    tell_count(node, FB_WHY_LEND, waiter->peer, entry->lends, node->config.lend_max);
    entry->lends++;
    if (!(entry->flags & ENTRY_TRANSIENT))
        fb_holder_add(entry, waiter->peer);
    serve_answer(step, waiter->peer, FB_MESSAGE_OFFER)->offer =
        (struct fb_message_offer){.ask_id = waiter->id,
                                  .lend_id = id_make(ID_ATTEMPT, index, lend->generation),
                                  .digest = entry->digest,
                                  .key = fb_cache_key(node_cache(node), slot),
                                  .span = memory_span(node, entry->first_unit, entry->size_bytes),
                                  .size = entry->size_bytes,
                                  .flags = is_fetched ? FB_MESSAGE_FLAG_FETCHED : 0};
    node->stats.asks_served++;
    node->stats.serve_bytes += entry->size_bytes;
}

/* Serves a peer's ask from a resident entry. */
void serve_waiter(struct step *step, const struct waiter *waiter, uint32_t slot, bool is_fetched)
{
    struct fb_node *node = step->node;
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    /* With many loans out, every second asker of a block that others have goes to them. */
    bool is_shared = waiter->hops == 0 && entry->holder_ready != 0 &&
                     node->lends_used >= LENDS_BUSY && (node->lend_turn++ & 1u);
    bool can_lend = entry->lends < node->config.lend_max && node->lend_free != FB_NONE;
    uint32_t holder = FB_NONE;
    if (waiter->hops < FB_HOPS_MAX && (is_shared || !can_lend))
        holder = fb_holder_next(entry, waiter->peer);
    /* The only holder may be the asker itself, which has dropped the block since. */
    if (holder == FB_NONE && can_lend) {
        serve_offer(step, waiter, slot, is_fetched);
        return;
    }
    if (holder == FB_NONE) {
        tell_count(node, FB_WHY_NO_LOAN, FB_NONE, entry->lends, node->config.lend_max);
        serve_deny(step, waiter->peer, waiter->id, FB_BUSY);
        return;
    }
    FB_ASSERT(holder != waiter->peer);
    if (can_lend)
        tell_count(node, FB_WHY_REFER_BUSY, holder, node->lends_used, 0);
    else
        tell_count(node, FB_WHY_REFER, holder, entry->lends, node->config.lend_max);
    serve_answer(step, waiter->peer, FB_MESSAGE_REFER)->refer = (struct fb_message_refer){
        .ask_id = waiter->id, .key = fb_cache_key(node_cache(node), slot), .target = holder};
    node->stats.referrals_given++;
}

/* Begins a fill for a block that this node does not have; FB_NONE with *status why not. */
static uint32_t serve_begin(struct fb_node *node, const struct fb_message_ask *ask,
                            enum fb_status *status)
{
    bool is_referred = ask->flags & FB_MESSAGE_FLAG_REFERRED;
    bool is_on_device = device_find(node, ask->block.key) != FB_NONE;
    bool can_fetch = ask->block.object != FB_OBJECT_NONE && !is_referred;
    FB_ASSERT(status != NULL);
    *status = FB_ABSENT;
    if (!is_on_device && !can_fetch) {
        tell_why(node, FB_WHY_NOT_HERE);
        return FB_NONE;
    }
    *status = FB_BUSY;
    if (node->waiter_free == FB_NONE) {
        tell_count(node, FB_WHY_NO_WAITER, FB_NONE, 0, node->config.waiters_max);
        return FB_NONE;
    }
    uint32_t fill = fill_begin(node, &ask->block, FILL_AS_OWNER);
    FB_ASSERT(fill == FB_NONE || node_fills(node)[fill].state == FILL_ACTIVE);
    return fill;
}

/* A reader found `holder` slow or silent: refer nobody to it, and do not count on its loan. */
static void serve_complaint(struct fb_node *node, uint32_t slot, uint32_t holder)
{
    FB_ASSERT(holder != FB_NONE);
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    fb_holder_remove(&node_entries(node)[slot], holder);
    node->stats.complaints++;
    tell_peer(node, FB_WHY_COMPLAINT, holder);
    for (uint32_t i = node->lend_oldest; i != FB_NONE;) {
        uint32_t next = node_lends(node)[i].newer;
        if (node_lends(node)[i].slot == slot && node_lends(node)[i].peer == holder)
            lend_end(node, i);
        i = next;
    }
}

void serve_ask(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    const struct fb_message_ask *ask = &message->ask;
    FB_ASSERT(message->kind == FB_MESSAGE_ASK);
    const struct waiter waiter = {.id = ask->ask_id,
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = message->source,
                                  .kind = WAITER_PEER,
                                  .hops = ask->hops};
    uint32_t slot = memory_find(node, ask->block.key);
    struct entry *entry = slot != FB_NONE ? &node_entries(node)[slot] : NULL;
    if (entry != NULL && entry->size_bytes != ask->block.size) {
        serve_deny(step, message->source, ask->ask_id, FB_INVALID);
        return;
    }
    if (entry != NULL)
        memory_touch(node, slot);
    if (entry != NULL && entry->state == ENTRY_RESIDENT) {
        if (ask->complaint != FB_NONE && !(entry->flags & ENTRY_TRANSIENT))
            serve_complaint(node, slot, ask->complaint);
        serve_waiter(step, &waiter, slot, false);
        return;
    }
    if (ask->flags & FB_MESSAGE_FLAG_NOW) {
        tell_peer(node, FB_WHY_NOT_NOW, message->source);
        serve_deny(step, message->source, ask->ask_id, FB_ABSENT);
        return;
    }
    enum fb_status status = FB_BUSY;
    uint32_t fill = entry != NULL ? entry->fill : serve_begin(node, ask, &status);
    bool is_again = entry != NULL && ask->flags & FB_MESSAGE_FLAG_AGAIN;
    bool is_waiting = is_again && fill_has_waiter(node, fill, message->source, ask->ask_id);
    if (fill == FB_NONE || (!is_waiting && !fill_add_waiter(node, fill, &waiter))) {
        serve_deny(step, message->source, ask->ask_id, status);
        return;
    }
    tell_peer(node, entry != NULL ? FB_WHY_QUEUE : FB_WHY_FETCH_FOR, message->source);
    serve_answer(step, message->source, FB_MESSAGE_WAIT)->wait.ask_id = ask->ask_id;
    node->stats.waits_given++;
    if (entry == NULL)
        attempt_start(step, fill);
}

/* The loan had expired, but its reader got there. A lender that knows readers which can serve the
 * block leaves it at that: the reader was slow. One that knows none is slow itself. */
static void serve_late_return(struct fb_node *node, const struct fb_message *message)
{
    uint32_t slot = fb_cache_find(node_cache(node), message->returned.key);
    FB_ASSERT(message->source != FB_NONE);
    node->stats.late_messages++;
    bool is_here = slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT;
    bool is_kept =
        message->returned.flags & FB_MESSAGE_FLAG_KEPT && message->source != node->config.node;
    bool is_shared = is_here && !(node_entries(node)[slot].flags & ENTRY_TRANSIENT);
    if (!is_kept || !is_shared || node_entries(node)[slot].holder_ready != 0)
        return;
    fb_holder_add(&node_entries(node)[slot], message->source);
    fb_holder_ready(&node_entries(node)[slot], message->source);
}

void serve_return(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_RETURN);
    uint64_t lend_id = message->returned.lend_id;
    uint32_t index = id_index(lend_id);
    bool is_mine = index < node->config.lends_max && node_lends(node)[index].slot != FB_NONE &&
                   node_lends(node)[index].generation == id_generation(lend_id) &&
                   node_lends(node)[index].peer == message->source;
    if (!is_mine) {
        serve_late_return(node, message);
        return;
    }
    FB_ASSERT(node->lends_used > 0);
    const struct lend *lend = &node_lends(node)[index];
    struct entry *entry = &node_entries(node)[lend->slot];
    pace_learn(&node->lend_pace, node->now_ns - lend->begun_ns, entry->size_bytes);
    bool is_kept = message->returned.flags & FB_MESSAGE_FLAG_KEPT;
    tell_peer(node, is_kept ? FB_WHY_KEPT : FB_WHY_NOT_KEPT, message->source);
    if (is_kept)
        fb_holder_ready(entry, message->source);
    else
        fb_holder_remove(entry, message->source);
    lend_end(node, index);
}

/* Ends the oldest loan, whose reader is silent for too long, and stops referring others to it. */
void serve_expire(struct fb_node *node)
{
    uint32_t index = node->lend_oldest;
    FB_ASSERT(index != FB_NONE);
    struct lend *lend = &node_lends(node)[index];
    FB_ASSERT(lend->expires_ns <= node->now_ns);
    struct entry *entry = &node_entries(node)[lend->slot];
    pace_learn(&node->lend_pace, node->now_ns - lend->begun_ns, entry->size_bytes);
    tell_peer(node, FB_WHY_LOAN_OVER, lend->peer);
    fb_holder_remove(entry, lend->peer);
    node->stats.lends_expired++;
    lend_end(node, index);
}

void serve_check(struct fb_node *node)
{
    uint32_t used = 0;
    uint64_t expires_ns = 0;
    for (uint32_t i = node->lend_oldest; i != FB_NONE; i = node_lends(node)[i].newer) {
        const struct lend *lend = &node_lends(node)[i];
        FB_ASSERT(lend->expires_ns >= expires_ns);
        FB_ASSERT(node_entries(node)[lend->slot].lends > 0);
        expires_ns = lend->expires_ns;
        used++;
    }
    uint32_t lends = 0;
    for (uint32_t slot = 0; slot < node->memory_entries_max; slot++) {
        if (node_entries(node)[slot].state != ENTRY_FREE)
            lends += node_entries(node)[slot].lends;
    }
    FB_ASSERT(used == node->lends_used);
    FB_ASSERT(lends == used);
}
