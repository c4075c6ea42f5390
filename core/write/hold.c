/* The holder's side of a durable write: take the bytes, promise to keep them.
 *
 *     HOLD --not here--> fill pulls the writer's bytes, digest checked --> hold_settle
 *       |----resident, same digest------------------------------------------->|
 *       '----resident, another--> HELD CONFLICT; gone unless promised          |
 *     hold_settle --no record left--> HELD BUSY                              |
 *                 --level MEMORY--> DIRTY, HELD OK  <-------------------------'
 *                 --level DEVICE--> DIRTY, device write --done--> HELD OK
 * HELD goes to the writer, or to this node's own put without a message. A HOLD that comes again is
 * answered again: BUSY, if the bytes are on their way; it says that this node lives. What is known
 * to be at the origin is not owed once more: a holder that gives it to this node again and again
 * would hear each time that it is not there yet. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"
#include "core/write/standin.h"

void hold_answer(struct step *step, uint32_t writer, uint64_t id, enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(writer != FB_NONE);
    if (writer == node->config.node) {
        put_held(step, id, writer, status);
        return;
    }
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = writer;
    op->message = (struct fb_message){.kind = FB_MESSAGE_HELD,
                                      .source = (uint32_t)node->config.node,
                                      .held = {.ask_id = id, .status = (uint8_t)status}};
    FB_ASSERT(op->kind == FB_OP_SEND);
}

/* Does what the level asks of this copy. FB_OK: it is held; FB_BUSY: not, or not yet (an answer
 * follows when a device write ends). */
enum fb_status hold_settle(struct step *step, uint32_t slot, uint32_t level, uint32_t writer,
                           uint64_t id)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    if (level != FB_LEVEL_DEVICE || node->device_entries_max == 0)
        return level == FB_LEVEL_DEVICE ? FB_INVALID : FB_OK;
    struct dirty *dirty = &node_dirty(node)[entry->fill];
    if (dirty->device_slot != FB_NONE)
        return FB_OK;
    struct fb_key key = fb_cache_key(node_cache(node), slot);
    uint32_t device_slot = device_find(node, key);
    bool is_block = fragment_of_dirty(node, entry->fill) == NULL; /* headers owe no fragments */
    if (device_slot != FB_NONE && is_block && !device_is_owed(node, device_slot, entry->digest)) {
        device_forget(node, key); /* a cache's copy: it is written once more */
        device_slot = FB_NONE;
    }
    if (device_slot == FB_NONE) {
        const struct fb_block block = dirty_block(node, entry->fill);
        const struct device_promise promise = {
            .block = is_block ? &block : NULL, .hold_id = id, .writer = writer};
        tell_why(node, FB_WHY_HOLD_WRITE);
        device_write_begin(step, slot, key, &promise);
        return FB_BUSY;
    }
    node_device_entries(node)[device_slot].pins++;
    dirty->device_slot = device_slot;
    FB_ASSERT(node_device_entries(node)[device_slot].is_resident);
    return FB_OK;
}

/* A device write that a writer waits for has ended; the entry is resident. What was promised and is
 * no more is at the origin, or it is asked for again. */
void hold_written(struct step *step, uint32_t slot, uint32_t writer, uint64_t id,
                  enum fb_status status)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(writer != FB_NONE);
    if (status == FB_OK && (entry->flags & ENTRY_DIRTY))
        status = hold_settle(step, slot, FB_LEVEL_DEVICE, writer, id);
    else if (status == FB_OK && !(entry->flags & ENTRY_DRAINED))
        status = FB_BUSY;
    hold_answer(step, writer, id, status);
}

/* The other ranks hold it as well: readers can be sent there. */
static void hold_share(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    struct fb_key key = fb_cache_key(node_cache(node), slot);
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    for (uint32_t rank = 0; node->view != NULL && rank < node->config.replicas; rank++) {
        uint32_t other = fb_view_owner(node->view, key, rank);
        if (other == FB_NONE || other == node->config.node || suspect_is(node, other))
            continue;
        fb_holder_add(entry, other);
        fb_holder_ready(entry, other);
    }
    FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
}

/* Whoever brought it is no member, as this node knows them: it went by others, which may be other
 * ranks. This node sees to its own, as after a change of members. */
static void hold_spread(struct fb_node *node, uint32_t slot, uint32_t writer)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    FB_ASSERT(writer != FB_NONE);
    if (node->view == NULL || node->config.place_local || node->repair_next != FB_NONE)
        return; /* a walk that is under way comes to the newest last */
    if (!fb_view_is_up(node->view, writer))
        node->repair_next = entry->fill;
}

/* Promises a resident block, or says why not. False: it will say so when a device write is over. */
static bool hold_take(struct step *step, const struct waiter *waiter, uint32_t slot,
                      const struct fb_block *block, const struct fragment *fragment)
{
    struct fb_node *node = step->node;
    FB_ASSERT(waiter->kind == WAITER_HOLD);
    enum fb_status status = FB_FULL;
    bool is_kept = (node_entries(node)[slot].flags & ENTRY_DIRTY) != 0;
    bool is_refused = (fragment != NULL && !fragment_has_room(node, slot)) ||
                      (!is_kept && !memory_may_keep(node, node_entries(node)[slot].size_bytes));
    bool is_safe = fragment == NULL && drain_is_safe(&node_entries(node)[slot]);
    if (waiter->level == FB_LEVEL_VOLATILE || is_safe) {
        tell_why(node, FB_WHY_HOLD_SAFE);
        hold_answer(step, waiter->peer, waiter->id, FB_OK);
        return true;
    }
    bool is_marked = !is_refused && dirty_mark(node, slot, block);
    tell_why(node, is_marked ? FB_WHY_HOLD_PROMISE : FB_WHY_HOLD_FULL);
    if (is_marked)
        fragment_settle(node, node_entries(node)[slot].fill, fragment);
    if (is_marked && fragment == NULL) {
        standin_hold(node, node_entries(node)[slot].fill, waiter->instead);
        hold_share(node, slot);
        put_rely(node, slot);
        if (!is_kept)
            hold_spread(node, slot, waiter->peer);
    }
    if (is_marked)
        status = hold_settle(step, slot, waiter->level, waiter->peer, waiter->id);
    else
        node->stats.busy_answers++;
    if (status != FB_BUSY)
        hold_answer(step, waiter->peer, waiter->id, status);
    return status != FB_BUSY;
}

/* The fill that pulled the writer's bytes is over. */
void hold_waiter(struct step *step, const struct waiter *waiter, const struct fill *fill)
{
    FB_ASSERT(waiter->kind == WAITER_HOLD);
    FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
    if (fill->state == FILL_FAILING)
        hold_answer(step, waiter->peer, waiter->id, (enum fb_status)fill->status);
    else
        hold_take(step, waiter, fill->slot, &fill->block, fragment_of_fill(step->node, fill));
}

static uint32_t hold_fill(struct fb_node *node, const struct fb_message_hold *hold)
{
    uint32_t fill = fill_begin(node, &hold->block, FILL_PUT | FILL_HOLD);
    if (fill == FB_NONE)
        return FB_NONE;
    node_fills(node)[fill].put_source = hold->span;
    node_fills(node)[fill].digest = hold->digest;
    FB_ASSERT(node_fills(node)[fill].state == FILL_ACTIVE);
    return fill;
}

/* The block is on its way already, for readers: what they get must have the writer's digest from
 * now on, and they get it of the writer, too: they may be waiting for an origin that is away.
 * FB_NONE: a client brings it, or another digest is wanted; asked again, it is here. */
static uint32_t hold_join(struct step *step, uint32_t index, const struct fb_message_hold *hold)
{
    struct fill *fill = &node_fills(step->node)[index];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(hold->span.region == FB_REGION_MEMORY);
    if (hold->level == FB_LEVEL_VOLATILE)
        return index;
    if (fill->flags & FILL_HOLD && fill->digest != hold->digest)
        return FB_NONE;
    if (fill->flags & FILL_PUT)
        return fill->flags & FILL_HOLD ? index : FB_NONE;
    fill->flags |= FILL_HOLD;
    fill->digest = hold->digest;
    if (!(fill->flags & (FILL_MEND | FILL_FRAGMENT))) /* those look for fragments */
        attempt_bring(step, index, &hold->span);
    return index;
}

/* This copy's digest is another, or nobody knows it. One that is promised stays; any other goes, so
 * that the writer's bytes are pulled and looked at when it asks again. */
static void hold_conflict(struct step *step, const struct fb_message *message, uint32_t slot)
{
    struct entry *entry = &node_entries(step->node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(entry->digest != message->hold.digest);
    tell_why(step->node, FB_WHY_HOLD_OTHER);
    hold_answer(step, message->source, message->hold.ask_id, FB_CONFLICT);
    if (entry->flags & ENTRY_DIRTY)
        return;
    entry->flags |= ENTRY_TRANSIENT;
    memory_settle(step->node, slot);
}

void hold_message(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    const struct fb_message_hold *hold = &message->hold;
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    const struct waiter waiter = {.id = hold->ask_id,
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = message->source,
                                  .kind = WAITER_HOLD,
                                  .level = hold->level,
                                  .instead = hold->number == 0 ? hold->part.instead : FB_NONE};
    bool is_again = hold->flags & FB_MESSAGE_FLAG_AGAIN;
    if (node_is_recovering(node) && hold->level != FB_LEVEL_VOLATILE) {
        node->stats.busy_answers++;
        tell_why(node, FB_WHY_NOT_SETTLED);
        hold_answer(step, message->source, hold->ask_id, FB_BUSY);
        return;
    }
    if (hold->level == FB_LEVEL_DEVICE && node->device_entries_max == 0) {
        tell_why(node, FB_WHY_NO_DRIVE);
        hold_answer(step, message->source, hold->ask_id, FB_INVALID); /* others have drives */
        return;
    }
    if (abandon_answers(step, message->source, hold->block.object))
        return;
    const struct fragment fragment = fragment_of_message(message);
    uint32_t slot = fb_cache_find(node_cache(node), hold->block.key);
    const struct entry *entry = slot != FB_NONE ? &node_entries(node)[slot] : NULL;
    if (entry != NULL && entry->size_bytes != hold->block.size) {
        hold_answer(step, message->source, hold->ask_id, FB_INVALID);
        return;
    }
    if (entry != NULL && entry->state == ENTRY_RESIDENT) {
        if (entry->digest != hold->digest && hold->level != FB_LEVEL_VOLATILE)
            hold_conflict(step, message, slot);
        else if (!hold_take(step, &waiter, slot, &hold->block,
                            hold->number > 0 ? &fragment : NULL) &&
                 is_again)
            hold_answer(step, message->source, hold->ask_id, FB_BUSY);
        return;
    }
    uint32_t fill = FB_NONE;
    if (node->waiter_free != FB_NONE)
        fill = entry != NULL ? hold_join(step, entry->fill, hold) : hold_fill(node, hold);
    if (fill == FB_NONE) {
        node->stats.busy_answers++;
        tell_why(node, FB_WHY_HOLD_BUSY);
        hold_answer(step, message->source, hold->ask_id, FB_BUSY);
        return;
    }
    fragment_arrives(node, fill, message);
    if (!fill_has_waiter(node, fill, message->source, hold->ask_id))
        fill_add_waiter(node, fill, &waiter);
    else if (is_again)
        hold_answer(step, message->source, hold->ask_id, FB_BUSY);
    if (entry == NULL)
        attempt_start(step, fill);
}
