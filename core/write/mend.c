/* Holders of fragments (erasure.c, fragment.c) tell of them, and blocks are made whole from them.
 *
 * A holder's fragment is an undrained block that it does not store. Every drain_check_ns it asks
 * the writer (DRAIN_ASK) while that is up; DRAINED ends it. When the writer is gone from the view,
 * or has forgotten (DRAIN_LOST), it tells the block's first rank (FRAGMENT), again and again:
 *
 *     FREE --mend_hear--> LISTENING --k are known--> PULLING --k are here--> JOINING --> FREE
 *                          ^   |                      |  |                     ^
 *                          |   |                      |  '- a fragment fails --+-> LISTENING
 *                          |   '-- no k after a while: the origin may have it -'
 *                          '- the fill failed: FREE, until a holder tells again; the first time
 *                             that it has no copy SEEKING: everybody is asked who has fragments
 *     SEEKING --k are known--> PULLING; --all were given time to answer--> FREE, in vain
 *     PULLING --no slots or memory, retries_max times, ever longer apart--> FREE
 *
 * LISTENING  who has which fragment; PULLING: fills of single fragments, pinned when they are here,
 *            one more than k when the last are slow; JOINING: a fill of the block itself, DECODE,
 *            then its digest. That fill is an ordinary one, so readers wait with it.
 * The block made whole is undrained and this node's: it drains it, and its DRAINED ends the
 * fragments. A holder that asks later hears it as long as the block is cached, and after that the
 * block is taken from the origin and its digest compared, which says the same.
 * Pulls that fail count, too: after retries_max nothing more is listened to, so that a block whose
 * fragments are told of and can't be had comes to its end.
 * When there are too few fragments and the origin has not got the block either, or their bytes are
 * not those of the block's digest, the holders hear that it is in vain. The others may come back
 * with their drives, so a holder hopes for orphan_ns; then it lets its fragment go.
 * A node that has an undrained fragment does not read the block from the origin on a reader's
 * behalf while its writer is there: the origin may have older bytes. It asks the writer; when that
 * is gone the origin's bytes must have the block's digest, and search.c says whether to wait for
 * the mend.
 *
 * Does not: rebuild single fragments. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

#include "core/key.h"
#include "core/read/search.h"

enum { MEND_BITS = 16, FRAGMENT_BITS = 8 };

/* A holder's look at one of its fragments: whoever drains it is asked or told. */
void mend_tell(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    const struct fragment *fragment = fragment_of_dirty(node, index);
    FB_ASSERT(fragment != NULL);
    FB_ASSERT(step_room(step) > 0);
    uint32_t self = (uint32_t)node->config.node;
    struct fb_message message = {.source = self};
    struct fb_block block = dirty_block(node, index);
    uint32_t target = fragment->writer;
    if (node->view == NULL)
        return;
    if (!fragment->is_orphan && target != self && fb_view_is_up(node->view, target)) {
        block.object = FB_OBJECT_NONE;
        message.kind = FB_MESSAGE_DRAIN_ASK;
        message.drain_ask =
            (struct fb_message_drain_ask){.block = block, .number = fragment->index + 1};
    } else if (fragment->vain_ns != 0 && node->now_ns < fragment->tell_ns) {
        return;
    } else {
        block.key = fragment_key(block.key, fragment->index);
        block.size = fragment->size_bytes;
        message.kind = FB_MESSAGE_FRAGMENT;
        message.fragment = (struct fb_message_fragment){
            .digest = fragment->digest, .block = block, .number = fragment->index + 1};
        target = fb_view_owner(node->view, block.key, 0);
    }
    if (target == self) {
        mend_hear(step, &message);
        return;
    }
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = target;
    op->message = message;
}

static uint32_t mend_needed(struct fb_node *node, const struct fb_block *block, uint32_t have)
{
    uint32_t count = bits_count(have), data = (uint32_t)node->config.erasure_data;
    FB_ASSERT(data > 0);
    for (uint32_t i = 0; i < data; i++)
        count += fragment_bytes(&node->config, block->size, i) == 0;
    FB_ASSERT(count <= 2 * FB_FRAGMENTS_MAX);
    return count >= data ? 0 : data - count;
}

static void mend_end(struct fb_node *node, uint32_t index)
{
    struct mend *mend = &node_mends(node)[index];
    FB_ASSERT(mend->state != MEND_FREE);
    FB_ASSERT(node->mends_used > 0);
    for (uint32_t i = 0; i < FB_FRAGMENTS_MAX; i++) {
        if (!(mend->have >> i & 1u))
            continue;
        memory_unpin(node, mend->slots[i]);
        memory_settle(node, mend->slots[i]);
    }
    fb_timer_cancel(node_timer(node), timer_of_mend(node, index));
    mend->have = 0;
    mend->state = MEND_FREE;
    mend->generation++;
    node->mends_used--;
}

/* The record of a block; FB_NONE: too many at once, its holders will tell again. */
static uint32_t mend_find(struct fb_node *node, const struct fb_message_fragment *told)
{
    uint32_t free = FB_NONE;
    for (uint32_t i = 0; i < mend_count(node); i++) {
        struct mend *mend = &node_mends(node)[i];
        if (mend->state == MEND_FREE)
            free = free == FB_NONE ? i : free;
        else if (fb_key_equal(mend->block.key, told->block.key))
            return i;
    }
    if (free == FB_NONE)
        return FB_NONE;
    struct mend *mend = &node_mends(node)[free];
    FB_ASSERT(mend->have == 0);
    *mend = (struct mend){.block = told->block,
                          .digest = told->digest,
                          .generation = mend->generation + 1,
                          .state = MEND_LISTENING};
    node->mends_used++;
    fb_timer_set(node_timer(node), timer_of_mend(node, free),
                 node->now_ns + 2 * node->config.drain_check_ns);
    FB_ASSERT(node->mends_used <= mend_count(node));
    return free;
}

static void mend_answer(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    struct fb_key key = fragment_key(message->fragment.block.key, message->fragment.number - 1);
    FB_ASSERT(message->fragment.number > 0);
    if (message->source == node->config.node) {
        uint32_t slot = fb_cache_find(node_cache(node), key);
        FB_ASSERT(slot != FB_NONE);
        drain_fragment(step, slot);
        return;
    }
    drain_tell(step, message->source, FB_OK, key);
}

/* The block is whole and will be stored. Its own fragment needs no word. */
static void mend_tell_made(struct step *step, const struct fb_message *message)
{
    struct fb_key key = fragment_key(message->fragment.block.key, message->fragment.number - 1);
    FB_ASSERT(message->kind == FB_MESSAGE_FRAGMENT);
    if (message->source != step->node->config.node)
        drain_deny(step, message->source, FB_BUSY, key);
}

/* A fragment of the block is in vain, as far as this node knows. */
static void mend_deny(struct step *step, struct fb_key key, uint32_t source)
{
    struct fb_node *node = step->node;
    uint32_t slot = fb_cache_find(node_cache(node), key);
    FB_ASSERT(source != FB_NONE);
    FB_ASSERT(step_room(step) > 0);
    if (source != node->config.node)
        drain_deny(step, source, FB_ABSENT, key);
    else if (slot != FB_NONE && (node_entries(node)[slot].flags & ENTRY_DIRTY))
        drain_put_off(step, slot);
}

/* Whoever has told of a fragment hears that it is in vain; those for whom this step has no room
 * hear it another time. */
static void mend_tell_vain(struct step *step, const struct mend *mend)
{
    FB_ASSERT(mend->state == MEND_JOINING || mend->state == MEND_SEEKING);
    FB_ASSERT((mend->told & ~mend->heard) == 0 || mend->is_sought);
    for (uint32_t i = 0; i < FB_FRAGMENTS_MAX && step_room(step) > 1; i++) {
        if (mend->heard >> i & 1u)
            mend_deny(step, fragment_key(mend->block.key, i), mend->sources[i]);
    }
}

/* The block is here already, whole. */
static void mend_take_whole(struct step *step, const struct fb_message *message, uint32_t slot)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    const struct fb_message_fragment *told = &message->fragment;
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(told->number > 0);
    bool is_same = entry->digest == told->digest && entry->size_bytes == told->block.size;
    if (!is_same) /* other bytes of the same name: while they are here it can't be made */
        mend_deny(step, fragment_key(told->block.key, told->number - 1), message->source);
    else if (entry->flags & ENTRY_DIRTY)
        mend_tell_made(step, message);
    else if (entry->flags & (ENTRY_DRAINED | ENTRY_FETCHED))
        mend_answer(step, message);
    else if (dirty_mark(node, slot, &told->block)) {
        fragment_settle(node, entry->fill, NULL);
        node_entries(node)[slot].flags |= ENTRY_CHECKED;
    }
}

void mend_hear(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    const struct fb_message_fragment *told = &message->fragment;
    FB_ASSERT(message->kind == FB_MESSAGE_FRAGMENT);
    if (!fragment_told_is_sane(node, message) || /* nor is what is given up made and stored */
        abandon_answers(step, message->source, told->block.object))
        return;
    uint32_t slot = fb_cache_find(node_cache(node), told->block.key);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT) {
        mend_take_whole(step, message, slot);
        return;
    }
    uint32_t index = mend_find(node, told), fragment = told->number - 1;
    if (index == FB_NONE)
        return;
    struct mend *mend = &node_mends(node)[index];
    bool is_same = mend->digest == told->digest && mend->block.size == told->block.size;
    bool may_pull = mend->failures <= node->config.retries_max;
    if (!is_same || mend->state == MEND_JOINING)
        return;
    mend->heard |= 1u << fragment;
    mend->sources[fragment] = message->source;
    if (!may_pull)
        return;
    mend->told |= 1u << fragment;
    if (mend->state == MEND_LISTENING &&
        mend_needed(node, &mend->block, mend->told | mend->have) == 0) {
        mend->state = MEND_PULLING;
        fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns);
    }
    FB_ASSERT(mend->state != MEND_FREE && mend->state != MEND_JOINING);
}

static struct waiter mend_waiter(struct fb_node *node, uint32_t index, uint32_t fragment,
                                 uint32_t kind)
{
    const struct mend *mend = &node_mends(node)[index];
    FB_ASSERT(index < 1u << MEND_BITS);
    FB_ASSERT(fragment < 1u << FRAGMENT_BITS);
    return (struct waiter){.id = (uint64_t)mend->generation << 32 | fragment << MEND_BITS | index,
                           .since_ns = node->now_ns,
                           .next = FB_NONE,
                           .peer = FB_NONE,
                           .kind = (uint8_t)kind};
}

static void mend_take(struct fb_node *node, struct mend *mend, uint32_t fragment, uint32_t slot)
{
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    FB_ASSERT(!(mend->have >> fragment & 1u));
    memory_pin(node, slot);
    mend->slots[fragment] = slot;
    mend->have |= 1u << fragment;
}

enum pull_state { PULL_BEGUN, PULL_LATER /* no slots now */, PULL_NEVER /* not from there */ };

/* Pulls one fragment, or finds it here. */
static enum pull_state mend_pull(struct step *step, uint32_t index, uint32_t fragment)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    const struct waiter waiter = mend_waiter(node, index, fragment, WAITER_FRAGMENT);
    struct fb_block block = {.key = fragment_key(mend->block.key, fragment),
                             .object = FB_OBJECT_NONE,
                             .size = fragment_bytes(&node->config, mend->block.size, fragment)};
    uint32_t slot = fb_cache_find(node_cache(node), block.key);
    FB_ASSERT(block.size > 0);
    if (slot != FB_NONE && node_entries(node)[slot].size_bytes != block.size)
        return PULL_NEVER;
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT) {
        mend_take(node, mend, fragment, slot);
        return PULL_BEGUN;
    }
    if (mend->sources[fragment] == node->config.node && slot == FB_NONE)
        return PULL_NEVER; /* its own, and gone meanwhile */
    if (node->waiter_free == FB_NONE)
        return PULL_LATER;
    uint32_t fill =
        slot != FB_NONE ? node_entries(node)[slot].fill : fill_begin(node, &block, FILL_FRAGMENT);
    if (fill == FB_NONE)
        return PULL_LATER;
    fill_add_waiter(node, fill, &waiter);
    mend->pulling |= 1u << fragment;
    if (slot != FB_NONE)
        return PULL_BEGUN;
    node_fills(node)[fill].put_source.peer = mend->sources[fragment];
    attempt_start(step, fill);
    return PULL_BEGUN;
}

/* Makes the block itself arrive: from its fragments, or with FILL_FETCH from the origin. */
static void mend_join(struct step *step, uint32_t index, uint8_t flags)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    const struct waiter waiter = mend_waiter(node, index, 0, WAITER_MEND);
    uint32_t slot = fb_cache_find(node_cache(node), mend->block.key);
    bool is_here = slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT;
    uint32_t fill = FB_NONE;
    if (!is_here && node->waiter_free != FB_NONE)
        fill = slot != FB_NONE ? node_entries(node)[slot].fill
                               : fill_begin(node, &mend->block, FILL_AS_OWNER);
    if (fill == FB_NONE) {
        mend_end(node, index); /* it came otherwise, or no room: the holders tell again */
        return;
    }
    fill_add_waiter(node, fill, &waiter);
    mend->state = MEND_JOINING;
    fb_timer_cancel(node_timer(node), timer_of_mend(node, index));
    struct fill *record = &node_fills(node)[fill];
    FB_ASSERT(record->state == FILL_ACTIVE);
    if (record->flags & FILL_PUT)
        return; /* its writer brings it */
    record->flags |= flags;
    if (flags & FILL_MEND)
        record->failures = 0; /* those were of other sources */
    record->digest = mend->digest;
    record->mend = index;
    if (slot == FB_NONE)
        attempt_start(step, fill);
}

/* Where the fragments are, for DECODE. */
static void mend_plan(struct fb_node *node, struct mend *mend)
{
    mend->plan = (struct fb_fragments){.data_count = (uint32_t)node->config.erasure_data,
                                       .parity_count = (uint32_t)node->config.erasure_parity,
                                       .size = fb_fragment_bytes(&node->config, mend->block.size),
                                       .present = mend->have};
    FB_ASSERT(mend_needed(node, &mend->block, mend->have) == 0);
    for (uint32_t i = 0; i < FB_FRAGMENTS_MAX; i++) {
        if (!(mend->have >> i & 1u))
            continue;
        const struct entry *entry = &node_entries(node)[mend->slots[i]];
        FB_ASSERT(entry->state == ENTRY_RESIDENT);
        mend->plan.offset[i] = memory_span(node, entry->first_unit, entry->size_bytes).offset;
    }
}

/* Begins what fragments are missing, and `spare` more; false: the step's room or slots are used up,
 * or nobody is known for more. */
static bool mend_pull_some(struct step *step, uint32_t index, uint32_t spare)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    FB_ASSERT(mend->state == MEND_PULLING);
    for (uint32_t i = 0; i < FB_FRAGMENTS_MAX; i++) {
        uint32_t busy = mend->have | mend->pulling;
        uint32_t flying = bits_count(mend->pulling);
        if (mend_needed(node, &mend->block, mend->have) + spare <= flying)
            return true;
        if (!(mend->told >> i & 1u) || (busy >> i & 1u))
            continue;
        enum pull_state state = step_room(step) < 2 ? PULL_LATER : mend_pull(step, index, i);
        if (state == PULL_LATER)
            return false;
        if (state == PULL_NEVER)
            mend->told &= ~(1u << i); /* until its holder tells again */
    }
    FB_ASSERT(mend->pulling == 0 || mend->state == MEND_PULLING);
    return mend_needed(node, &mend->block, mend->told | mend->have) == 0;
}

/* A try was in vain. True: it was the last, nothing more is pulled for this mend. */
static bool mend_failed(struct fb_node *node, struct mend *mend)
{
    FB_ASSERT(mend->state == MEND_PULLING);
    FB_ASSERT(mend->failures <= node->config.retries_max + 2 * FB_FRAGMENTS_MAX);
    mend->failures++;
    return mend->failures > node->config.retries_max;
}

/* What is not here yet is pulled; what can't be, is listened for, and in the end not waited for.
 * True: enough is here. */
static bool mend_gather(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    uint32_t needed = mend_needed(node, &mend->block, mend->have);
    uint32_t spare = mend->pulling != 0 && bits_count(mend->pulling) >= needed;
    bool is_begun = mend_pull_some(step, index, spare);
    needed = mend_needed(node, &mend->block, mend->have);
    if (needed == 0)
        return true;
    bool is_poor = mend_needed(node, &mend->block, mend->told | mend->have) > 0;
    bool is_stuck = mend->pulling == 0 && !is_poor; /* for want of slots or memory */
    if (is_stuck && mend_failed(node, mend)) {
        mend_end(node, index); /* its holders tell again */
        return false;
    }
    uint64_t again_ns = node->config.hedge_ns;
    if (is_stuck || !is_begun)
        again_ns = node->config.backoff_ns << (mend->failures < 6 ? mend->failures : 6);
    if (mend->pulling == 0 && is_poor) {
        mend->state = MEND_LISTENING;
        again_ns = 2 * node->config.drain_check_ns;
    }
    fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns + again_ns);
    return false;
}

/* Holders tell each in their own time, ever more seldom while it is in vain, and some are not where
 * the view of now puts fragments: everybody is asked who has any. */
static void mend_seek(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    uint32_t count = search_count(node);
    FB_ASSERT(mend->state == MEND_SEEKING);
    FB_ASSERT(mend->is_sought);
    for (uint32_t sent = 0; mend->next < count && sent < SEEKS_A_STEP && step_room(step) > 1;)
        sent += search_ask_one(step, mend->block.key, mend->next++,
                               id_make(ID_MEND, index, mend->generation));
    uint64_t pause_ns = mend->next < count ? 0 : search_patience_ns(node, mend->failures);
    fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns + pause_ns);
}

/* `source` has these fragments. */
static void mend_found(struct fb_node *node, uint32_t index, uint32_t source, uint32_t fragments)
{
    struct mend *mend = &node_mends(node)[index];
    uint64_t count = node->config.erasure_data + node->config.erasure_parity;
    FB_ASSERT(mend->state == MEND_SEEKING);
    FB_ASSERT(count <= FB_FRAGMENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        bool is_known = (mend->told | mend->heard) >> i & 1u;
        bool is_empty = fragment_bytes(&node->config, mend->block.size, i) == 0;
        if (!(fragments >> i & 1u) || is_empty)
            continue;
        if (!is_known)
            mend->sources[i] = source;
        mend->told |= 1u << i;
    }
    if (mend_needed(node, &mend->block, mend->told | mend->have) > 0)
        return;
    mend->state = MEND_PULLING;
    fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns);
}

static void mend_seek_begin(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    uint32_t fragments;
    FB_ASSERT(mend->state == MEND_JOINING);
    FB_ASSERT(!mend->is_sought);
    mend->state = MEND_SEEKING;
    mend->is_sought = 1;
    mend->next = 0;
    (void)search_here(node, mend->block.key, &fragments);
    fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns);
    mend_found(node, index, (uint32_t)node->config.node, fragments);
}

void mend_sought(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    uint32_t index = id_index(message->sought.ask_id);
    FB_ASSERT(message->kind == FB_MESSAGE_SOUGHT);
    FB_ASSERT(id_class(message->sought.ask_id) == ID_MEND);
    bool is_mine = index < mend_count(node) && node_mends(node)[index].state == MEND_SEEKING &&
                   node_mends(node)[index].generation == id_generation(message->sought.ask_id);
    if (is_mine)
        mend_found(node, index, message->source, message->sought.fragments);
    else
        node->stats.late_messages++;
}

void mend_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct mend *mend = &node_mends(node)[index];
    FB_ASSERT(mend->state != MEND_FREE && mend->state != MEND_JOINING);
    if (mend->state == MEND_LISTENING) {
        mend_join(step, index, FILL_FETCH | FILL_HOLD);
        return;
    }
    if (mend->state == MEND_SEEKING && mend->next < search_count(node)) {
        mend_seek(step, index);
        return;
    }
    if (mend->state == MEND_SEEKING) { /* all were given time to answer */
        mend_tell_vain(step, mend);
        mend_end(node, index);
        return;
    }
    if (mend_needed(node, &mend->block, mend->have) > 0 && !mend_gather(step, index))
        return;
    mend_plan(node, mend);
    mend_join(step, index, FILL_MEND | FILL_HOLD);
}

/* The block is whole: this node owes it to the origin, unless it came from there. */
static void mend_adopt(struct fb_node *node, const struct mend *mend, uint32_t slot)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    bool is_safe = entry->flags & (ENTRY_FETCHED | ENTRY_DRAINED | ENTRY_DIRTY);
    if (is_safe || entry->digest != mend->digest || !dirty_mark(node, slot, &mend->block))
        return;
    fragment_settle(node, entry->fill, NULL);
    node_entries(node)[slot].flags |= ENTRY_CHECKED; /* the writer's digest and this node's */
    node->stats.mends++;
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
}

/* A fill that a mend waits for has ended. */
void mend_filled(struct step *step, const struct waiter *waiter, const struct fill *fill)
{
    struct fb_node *node = step->node;
    uint32_t index = (uint32_t)waiter->id & ((1u << MEND_BITS) - 1);
    uint32_t fragment = (uint32_t)waiter->id >> MEND_BITS;
    FB_ASSERT(index < mend_count(node));
    FB_ASSERT(fragment < FB_FRAGMENTS_MAX);
    struct mend *mend = &node_mends(node)[index];
    if (mend->state == MEND_FREE || mend->generation != (uint32_t)(waiter->id >> 32))
        return; /* it had enough without this one */
    bool is_fine = fill->state == FILL_ANSWERING;
    if (waiter->kind == WAITER_MEND) {
        bool is_absent = fill->status == FB_ABSENT || fill->status == FB_LOST;
        if (!is_fine && is_absent && !mend->is_sought) {
            mend_seek_begin(step, index);
            return;
        }
        if (is_fine)
            mend_adopt(node, mend, fill->slot);
        else if (is_absent || fill->status == FB_CORRUPT)
            mend_tell_vain(step, mend);
        mend_end(node, index);
        return;
    }
    mend->pulling &= ~(1u << fragment);
    if (mend->state != MEND_PULLING)
        return;
    if (is_fine) {
        mend_take(node, mend, fragment, fill->slot);
    } else {
        mend->told &= ~(1u << fragment); /* its holder tells again */
        mend_failed(node, mend);
    }
    fb_timer_set(node_timer(node), timer_of_mend(node, index), node->now_ns);
}

void mend_check(struct fb_node *node)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < mend_count(node); i++) {
        const struct mend *mend = &node_mends(node)[i];
        FB_ASSERT(mend->state != MEND_FREE || mend->have == 0);
        used += mend->state != MEND_FREE;
        for (uint32_t k = 0; k < FB_FRAGMENTS_MAX; k++) {
            if (!(mend->have >> k & 1u))
                continue;
            FB_ASSERT(node_entries(node)[mend->slots[k]].state == ENTRY_RESIDENT);
            FB_ASSERT(node_entries(node)[mend->slots[k]].pins > 0);
        }
    }
    FB_ASSERT(used == node->mends_used);
    FB_ASSERT(node->mends_used == 0 || node->config.erasure_data > 0);
}
