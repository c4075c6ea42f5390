/* What was on the drive before the node started: its index is made again from the headers that the
 * driver kept beside the blocks (R15).
 *
 *     (start) --no drive, or `recover` is 0--> OVER
 *        '--> SCANNING --DONE: a header--> taken or left --> SCANNING, from the next one on
 *                |  ^ '--no fill, waiter or record free,
 *                |  |    or DONE: BUSY            --> PAUSED --the same header again-------.
 *                |  '-----------------------------------------------------------------------'
 *                '--DONE: ABSENT, or an error--> ENDING --the last owed block is settled--> OVER
 *                                                   '--one was not had, or an error--> once more
 *
 *     a CLEAN header: the block is found by readers from now on; the first read checks its digest
 *     an OWED one: read --digest fits--> DIRTY and pinned, as before the crash: the drain goes on
 *                    '--it does not--> taken from the peers, or lost here
 *        on its way to a reader already: the same header again, once that has ended
 *
 * Until it is over nothing is written to the drive, since what is not found yet may lie there, and
 * durable writes hear BUSY: the records may be needed for what was promised before. Reads go on. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

/* The records that it waits for are freed by a drain, which may take as long as the origin. What
 * was not had in one round is looked for in so many more, also while a peer that may have it is
 * silent or begins itself: two that began would wait for each other for ever, and nobody can write
 * to a node that begins. A peer that has it keeps it. */
enum { PAUSES_MAX = 9, ROUNDS_MAX = 3 };

static void recover_scan(struct step *step)
{
    struct fb_node *node = step->node;
    FB_ASSERT(step_room(step) > 0);
    FB_ASSERT(node->device_entries_max > 0);
    node->recover_state = RECOVER_SCANNING;
    node->recover_generation++;
    struct fb_op *op = step_op(step, FB_OP_SCAN);
    op->op_id = id_make(ID_SCAN, 0, node->recover_generation);
    op->span = (struct fb_span){.region = FB_REGION_DEVICE, .peer = FB_NONE};
    op->source = (struct fb_span){.region = FB_REGION_DEVICE,
                                  .peer = (uint32_t)node->config.node,
                                  .offset = node->recover_cursor};
    op->block = (struct fb_block){.object = FB_OBJECT_NONE};
}

void recover_start(struct step *step)
{
    const struct fb_node *node = step->node;
    FB_ASSERT(node->recover_state == 0);
    FB_ASSERT(node->recover_cursor == 0);
    if (node->device_entries_max > 0 && node->config.recover)
        recover_scan(step);
}

/* An owed block was not had: its read failed, or for now there is no room for it. */
static void recover_miss(struct fb_node *node, bool is_crowded)
{
    FB_ASSERT(node->recover_state != 0);
    FB_ASSERT(node->recover_owed_missed <= node->recover_missed);
    node->recover_missed++;
    node->recover_owed_missed++;
    node->recover_crowded += is_crowded;
}

/* Did the scan break off? Whatever it did not come to was not tried. */
static bool recover_is_cut(const struct fb_node *node)
{
    FB_ASSERT(node->recover_owed_missed <= node->recover_missed);
    FB_ASSERT(node->recover_state == RECOVER_ENDING);
    return node->recover_missed > node->recover_owed_missed;
}

/* Has all been tried often enough? A scan that breaks off is counted by itself: the blocks that it
 * did not come to have as many reads as others. */
static bool recover_is_last(const struct fb_node *node)
{
    FB_ASSERT(node->recover_rounds <= ROUNDS_MAX);
    FB_ASSERT(node->recover_cuts <= ROUNDS_MAX);
    if (node->recover_crowded > 0)
        return false;
    return (recover_is_cut(node) ? node->recover_cuts : node->recover_rounds) == ROUNDS_MAX;
}

/* How long until the next round. Rounds for want of room, which a drain makes, are not counted. */
static uint64_t recover_pause_ns(struct fb_node *node)
{
    FB_ASSERT(node->recover_missed > 0);
    FB_ASSERT(node->recover_crowded <= node->recover_missed);
    if (node->recover_crowded == 0) {
        if (recover_is_cut(node))
            node->recover_cuts++;
        else
            node->recover_rounds++;
        uint32_t tries = node->recover_rounds + node->recover_cuts;
        return node->config.backoff_ns << 2 * (tries < ROUNDS_MAX ? tries : ROUNDS_MAX);
    }
    node->recover_crowds += node->recover_crowds < PAUSES_MAX;
    return node->config.backoff_ns << node->recover_crowds;
}

/* The scan and its reads are over: what was missed may have been a fault that passes. */
static void recover_settle(struct fb_node *node)
{
    FB_ASSERT(node->recover_state != 0);
    FB_ASSERT(node->recover_reads <= node->waiters_used);
    if (node->recover_state != RECOVER_ENDING || node->recover_reads > 0)
        return;
    if (node->recover_missed == 0 || recover_is_last(node)) {
        node->stats.recover_losses += node->recover_owed_missed;
        node->recover_state = 0;
        if (node->view != NULL)
            put_view_changed(node); /* other holders may have started again and lost theirs */
        return;
    }
    uint64_t pause_ns = recover_pause_ns(node);
    node->recover_missed = 0;
    node->recover_crowded = 0;
    node->recover_owed_missed = 0;
    node->recover_cursor = 0;
    node->recover_state = RECOVER_PAUSED;
    fb_timer_set(node_timer(node), timer_of_recover(node), node->now_ns + pause_ns);
}

/* The block is in memory: it is promised as before. */
static void recover_hold(struct fb_node *node, uint32_t slot, const struct fb_block *block)
{
    FB_ASSERT(node_entries(node)[slot].state == ENTRY_RESIDENT);
    uint32_t device_slot = device_find(node, block->key);
    if (!dirty_mark(node, slot, block)) { /* a client's own write was quicker with the last one */
        recover_miss(node, true);
        return;
    }
    struct dirty *dirty = &node_dirty(node)[node_entries(node)[slot].fill];
    node->stats.recovered_owed += dirty->device_slot == FB_NONE;
    if (dirty->device_slot != FB_NONE || device_slot == FB_NONE ||
        !node_device_entries(node)[device_slot].is_owed)
        return;
    node_device_entries(node)[device_slot].pins++;
    dirty->device_slot = device_slot;
    FB_ASSERT(node_device_entries(node)[device_slot].is_resident);
}

void recover_filled(struct fb_node *node, const struct fill *fill)
{
    FB_ASSERT(node->recover_reads > 0);
    FB_ASSERT(fill->state == FILL_ANSWERING || fill->state == FILL_FAILING);
    node->recover_reads--;
    if (fill->state == FILL_ANSWERING)
        recover_hold(node, fill->slot, &fill->block);
    else
        recover_miss(node, fill->status == FB_BUSY && !fill->is_unsure);
    recover_settle(node);
}

/* The block is in memory already: of an earlier round, which found other bytes on the drive, or of
 * a peer. True: it is to be read from the drive, since only its digest tells whether a copy is
 * there. */
static bool recover_unread(struct fb_node *node, uint32_t slot, const struct fb_block *block)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    if (entry->flags & ENTRY_DIRTY) {
        if (node_dirty(node)[entry->fill].device_slot == FB_NONE)
            device_forget(node, block->key);
        return false;
    }
    if (memory_drop(node, slot))
        return true;
    /* In use: whoever uses it may take long. What memory has is promised, what the drive has is a
     * cache's copy, which nobody has looked at; it is written once more when that is asked for. */
    uint32_t device_slot = device_find(node, block->key);
    FB_ASSERT(device_slot != FB_NONE);
    node_device_entries(node)[device_slot].is_owed = 0;
    recover_hold(node, slot, block);
    return false;
}

/* Begins to read an owed block. False: nothing is free for it now. */
static bool recover_owed(struct step *step, const struct fb_header *header)
{
    struct fb_node *node = step->node;
    const struct fb_block block = {.key = header->key,
                                   .object = header->object,
                                   .offset = header->offset,
                                   .size = header->size};
    const struct waiter waiter = {
        .since_ns = node->now_ns, .next = FB_NONE, .peer = FB_NONE, .kind = WAITER_RECOVER};
    FB_ASSERT(header->state == FB_HEADER_OWED);
    if (node->dirty_used + node->recover_reads >= node->config.dirty_max ||
        node->waiter_free == FB_NONE)
        return false;
    uint32_t slot = fb_cache_find(node_cache(node), header->key);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_FILLING)
        return false; /* for a reader, of others: what the drive has would be believed unread */
    if (slot != FB_NONE && !recover_unread(node, slot, &block))
        return true;
    uint32_t fill = fill_begin(node, &block, 0);
    if (fill == FB_NONE)
        return false;
    FB_ASSERT(fill < node->config.fills_max);
    bool is_added = fill_add_waiter(node, fill, &waiter);
    FB_ASSERT(is_added);
    node->recover_reads++;
    node_fills(node)[fill].flags |= FILL_HOLD; /* its bytes are looked at, whatever their source */
    node_fills(node)[fill].digest = header->digest;
    attempt_start(step, fill);
    return true;
}

/* Takes the block's place on the drive. What is owed goes before what is merely cached, so that it
 * is found under fewer entries than it was written under. False: all of them are of owed blocks. */
static bool recover_place(struct fb_node *node, const struct fb_header *header, bool is_owed)
{
    bool is_taken = device_recover(node, header);
    FB_ASSERT(node->device_entries_max > 0);
    while (!is_taken && is_owed && device_is_full(node)) {
        if (!device_evict(node))
            return false;
        is_taken = device_recover(node, header);
    }
    node->stats.recovered += is_taken;
    node->stats.recovered_bytes += is_taken ? header->size : 0;
    return true;
}

/* An older copy of the block was found, which may go at any time: it makes place for what is owed.
 * False: it is being read. */
static bool recover_supersede(struct fb_node *node, uint32_t device_slot)
{
    const struct device_entry *entry = &node_device_entries(node)[device_slot];
    FB_ASSERT(entry->is_resident);
    FB_ASSERT(!entry->is_owed);
    if (entry->pins > 0)
        return false;
    device_forget(node, fb_cache_key(node_device_cache(node), device_slot));
    return true;
}

/* False: it must be looked at again. */
static bool recover_take(struct step *step, const struct fb_header *header)
{
    struct fb_node *node = step->node;
    uint32_t device_slot = device_find(node, header->key);
    bool is_owed = header->state == FB_HEADER_OWED && header->object != FB_OBJECT_NONE;
    FB_ASSERT(node_is_recovering(node));
    if (is_owed && device_slot != FB_NONE && !node_device_entries(node)[device_slot].is_owed &&
        !recover_supersede(node, device_slot))
        return false;
    bool is_here = device_find(node, header->key) != FB_NONE;
    if (!is_here && !recover_place(node, header, is_owed))
        return false;
    is_here = device_find(node, header->key) != FB_NONE;
    if (!is_here || !is_owed) {
        if (is_owed)
            recover_miss(node, false);
        return true;
    }
    return recover_owed(step, header);
}

void recover_done(struct step *step, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    FB_ASSERT(node->recover_state == RECOVER_SCANNING);
    FB_ASSERT(node->recover_generation == id_generation(done->op_id));
    if (done->status != FB_OK && done->status != FB_BUSY) {
        node->stats.device_errors += done->status != FB_ABSENT;
        node->recover_missed += done->status != FB_ABSENT;
        node->recover_state = RECOVER_ENDING;
        recover_settle(node);
        return;
    }
    if (done->status == FB_BUSY || !recover_take(step, &done->header)) {
        uint32_t doublings =
            node->recover_pauses < PAUSES_MAX ? node->recover_pauses++ : PAUSES_MAX;
        node->recover_state = RECOVER_PAUSED;
        fb_timer_set(node_timer(node), timer_of_recover(node),
                     node->now_ns + (node->config.backoff_ns << doublings));
        return;
    }
    node->recover_pauses = 0;
    FB_ASSERT(done->next > node->recover_cursor);
    node->recover_cursor = done->next;
    recover_scan(step);
}

void recover_timer(struct step *step)
{
    FB_ASSERT(step->node->recover_state == RECOVER_PAUSED);
    recover_scan(step);
}

void recover_check(struct fb_node *node)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < node->config.fills_max; i++) {
        uint32_t waiter =
            node_fills(node)[i].state != FILL_FREE ? node_fills(node)[i].waiter_head : FB_NONE;
        for (; waiter != FB_NONE; waiter = node_waiters(node)[waiter].next)
            waiting += node_waiters(node)[waiter].kind == WAITER_RECOVER;
    }
    FB_ASSERT(waiting == node->recover_reads);
    FB_ASSERT(node->recover_state != 0 || waiting == 0);
}
