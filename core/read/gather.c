/* Many ranges of many blocks in one request, answered one by one in the asked order: the shards of
 * a restore (fan-in, resharding), the samples of a training batch, a KV chain layer by layer.
 *
 *   gather   FREE --gather_request--> OPEN --last range answered--> FREE
 *   range    UNBEGUN --hit--> READY                       READY, FAILED --all before it answered-->
 *             '---miss--> FILLING --fill ends--> READY, FAILED                    replied, freed
 *             '---no fill, no memory--> UNBEGUN, tried again after backoff_ns
 *
 * At most gather_window ranges of a request are filling, so a long list does not take all fills; at
 * most GATHER_AHEAD times as many are begun and not answered, so what is ready behind a slow one
 * does not pin all memory, and a slow one does not stop the others. A range that fails is answered
 * with its status; the others go on. Every answered range lends its bytes under a lease of its own
 * (R12). Begun ranges are a prefix of the list, and replies follow its order. */
#include "core/read/read.h"
#include "core/tier/tier.h"

/* guess: 2..8. Readers of a restore whose window counted what is ready too used 82% of their ports
 * where 91% were used by reads in any order; with 4 times the window ahead they do as well. */
enum { GATHER_AHEAD = 4 };

enum { RANGE_UNBEGUN, RANGE_FILLING, RANGE_READY, RANGE_FAILED };

static void gather_wake(struct fb_node *node, uint32_t index, uint64_t pause_ns)
{
    FB_ASSERT(index < node->config.gathers_max);
    FB_ASSERT(node_gathers(node)[index].head != FB_NONE);
    fb_timer_set(node_timer(node), timer_of_gather(node, index), node->now_ns + pause_ns);
}

static void gather_refuse(struct step *step, uint64_t request_id, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    FB_ASSERT(step_room(step) > 0);
    get_refuse(step, request_id, status);
    step->ops[step->count - 1].reply.item = FB_NONE; /* the whole request */
}

static bool range_is_sane(const struct fb_node *node, const struct fb_range *range)
{
    FB_ASSERT(node->config.block_size_bytes > 0);
    return range->block.size > 0 && range->block.size <= node->config.block_size_bytes &&
           tenant_is_known(node, range->block.tenant) && range->size > 0 &&
           range->size <= range->block.size && range->offset <= range->block.size - range->size;
}

/* Copies the list: it is borrowed until the step returns. */
static void gather_copy(struct fb_node *node, struct gather *gather,
                        const struct fb_request *request)
{
    struct gather_range *ranges = node_ranges(node);
    uint32_t *link = &gather->head;
    for (uint32_t i = 0; i < request->range_count; i++) {
        uint32_t index = node->range_free;
        FB_ASSERT(index != FB_NONE);
        node->range_free = ranges[index].next;
        ranges[index] = (struct gather_range){.range = request->ranges[i],
                                              .slot = FB_NONE,
                                              .source = FB_NONE,
                                              .next = FB_NONE,
                                              .generation = ranges[index].generation + 1,
                                              .state = RANGE_UNBEGUN};
        ranges[index].gather = (uint16_t)(gather - node_gathers(node));
        *link = index;
        link = &ranges[index].next;
    }
    gather->begin = gather->head;
    node->ranges_used += request->range_count;
    FB_ASSERT(node->ranges_used <= node->config.gather_ranges_max);
}

void gather_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    uint32_t count = request->range_count;
    FB_ASSERT(request->kind == FB_REQUEST_GATHER);
    node->stats.gathers++;
    bool is_sane = count > 0 && count <= node->config.gather_ranges_max;
    for (uint32_t i = 0; is_sane && i < count; i++)
        is_sane = range_is_sane(node, &request->ranges[i]);
    if (!is_sane) {
        gather_refuse(step, request->request_id, FB_INVALID);
        return;
    }
    uint32_t index = 0;
    while (index < node->config.gathers_max && node_gathers(node)[index].head != FB_NONE)
        index++;
    if (index == node->config.gathers_max ||
        count > node->config.gather_ranges_max - node->ranges_used) {
        gather_refuse(step, request->request_id, FB_BUSY);
        return;
    }
    struct gather *gather = &node_gathers(node)[index];
    *gather = (struct gather){.request_id = request->request_id, .head = FB_NONE};
    gather_copy(node, gather, request);
    FB_ASSERT(gather->head != FB_NONE);
    gather_timer(step, index);
}

static void range_ready(struct fb_node *node, struct gather_range *range, uint32_t slot,
                        enum fb_reason reason, uint32_t source)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    if (entry->size_bytes != range->range.block.size) {
        range->state = RANGE_FAILED;
        range->status = FB_INVALID;
        return;
    }
    memory_pin(node, slot); /* the reply's lease from then on */
    range->slot = slot;
    range->reason = (uint8_t)reason;
    range->source = source;
    range->state = RANGE_READY;
    FB_ASSERT(range->slot != FB_NONE);
}

/* False: nothing can be begun now. */
static bool range_begin(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct gather_range *range = &node_ranges(node)[index];
    FB_ASSERT(range->state == RANGE_UNBEGUN);
    FB_ASSERT(step_room(step) >= STEP_ITEM_OPS_MAX);
    uint32_t slot = memory_find(node, range->range.block.key);
    if (slot != FB_NONE)
        memory_touch(node, slot);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT) {
        range_ready(node, range, slot, FB_REASON_MEMORY, (uint32_t)node->config.node);
        return true;
    }
    uint32_t fill = FB_NONE;
    if (node->waiter_free != FB_NONE)
        fill = slot != FB_NONE ? node_entries(node)[slot].fill
                               : fill_begin(node, &range->range.block, 0);
    if (fill == FB_NONE)
        return false;
    const struct waiter waiter = {.id = id_make(ID_GATHER, index, range->generation),
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = FB_NONE,
                                  .kind = WAITER_GATHER};
    range->state = RANGE_FILLING;
    node_gathers(node)[range->gather].filling++;
    fill_add_waiter(node, fill, &waiter);
    if (slot == FB_NONE)
        attempt_start(step, fill);
    return true;
}

/* The fill of a range has ended; slot FB_NONE: with `status`. */
void gather_filled(struct fb_node *node, const struct waiter *waiter, uint32_t slot,
                   const struct fb_reply *how)
{
    struct gather_range *range = &node_ranges(node)[id_index(waiter->id)];
    FB_ASSERT(range->state == RANGE_FILLING);
    FB_ASSERT(range->generation == id_generation(waiter->id));
    FB_ASSERT(node_gathers(node)[range->gather].filling > 0);
    node_gathers(node)[range->gather].filling--;
    if (slot != FB_NONE) {
        range_ready(node, range, slot, (enum fb_reason)how->reason, how->source);
    } else {
        range->state = RANGE_FAILED;
        range->status = (uint8_t)how->status;
    }
    gather_wake(node, range->gather, 0);
}

static void range_reply(struct step *step, const struct gather *gather, struct gather_range *range)
{
    struct fb_node *node = step->node;
    FB_ASSERT(range->state == RANGE_READY || range->state == RANGE_FAILED);
    if (range->state == RANGE_FAILED) {
        get_refuse(step, gather->request_id, (enum fb_status)range->status);
        step->ops[step->count - 1].reply.item = gather->answered;
        return;
    }
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = gather->request_id,
                                  .status = FB_OK,
                                  .reason = range->reason,
                                  .source = range->source,
                                  .item = gather->answered};
    get_lend(node, range->slot, &op->reply);
    op->reply.span.offset += range->range.offset;
    op->reply.span.size = range->range.size;
    memory_unpin(node, range->slot);
    node->stats.gather_ranges++;
    node->stats.get_bytes += range->range.size;
    node->stats.replies[range->reason]++;
    node->stats.reply_bytes[range->reason] += range->range.size;
    FB_ASSERT(op->reply.span.size > 0);
}

static void gather_reply(struct step *step, struct gather *gather)
{
    struct fb_node *node = step->node;
    while (gather->head != FB_NONE && step_room(step) > 0) {
        uint32_t index = gather->head;
        struct gather_range *range = &node_ranges(node)[index];
        if (range->state != RANGE_READY && range->state != RANGE_FAILED)
            return;
        range_reply(step, gather, range);
        FB_ASSERT(gather->begin != index);
        gather->head = range->next;
        gather->answered++;
        gather->begun--;
        range->next = node->range_free;
        node->range_free = index;
        FB_ASSERT(node->ranges_used > 0);
        node->ranges_used--;
    }
}

static bool gather_may_begin(const struct fb_node *node, const struct gather *gather)
{
    uint64_t window = node->config.gather_window;
    FB_ASSERT(gather->filling <= gather->begun);
    FB_ASSERT(window > 0);
    return gather->begin != FB_NONE && gather->filling < window &&
           gather->begun < window * GATHER_AHEAD;
}

/* Begins what the window allows. False: refused for want of fills or memory. */
static bool gather_begin(struct step *step, struct gather *gather)
{
    struct fb_node *node = step->node;
    while (gather_may_begin(node, gather) && step_room(step) >= STEP_ITEM_OPS_MAX) {
        struct gather_range *range = &node_ranges(node)[gather->begin];
        FB_ASSERT(range->state == RANGE_UNBEGUN);
        bool is_begun = range_begin(step, gather->begin);
        if (!is_begun && gather->begun > 0)
            return false; /* those under way give back what it needs */
        if (!is_begun && gather->refusals++ < node->config.retries_max)
            return false;
        if (!is_begun) { /* for long: the client may hold all memory itself */
            range->state = RANGE_FAILED;
            range->status = FB_BUSY;
        }
        gather->refusals = 0;
        gather->begin = range->next;
        gather->begun++;
    }
    return true;
}

void gather_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct gather *gather = &node_gathers(node)[index];
    FB_ASSERT(gather->head != FB_NONE);
    gather_reply(step, gather);
    bool is_refused = !gather_begin(step, gather);
    if (gather->head == FB_NONE)
        return;
    const struct gather_range *head = &node_ranges(node)[gather->head];
    bool may_begin = gather_may_begin(node, gather);
    if (head->state == RANGE_READY || head->state == RANGE_FAILED || (may_begin && !is_refused))
        gather_wake(node, index, 0);
    else if (may_begin)
        gather_wake(node, index,
                    node->config.backoff_ns << (gather->refusals < 6 ? gather->refusals : 6));
    FB_ASSERT(gather->begun > 0 || may_begin);
}

void gather_check(struct fb_node *node)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < node->config.gathers_max; i++) {
        const struct gather *gather = &node_gathers(node)[i];
        uint32_t begun = 0, filling = 0;
        bool is_begun = true;
        for (uint32_t r = gather->head; r != FB_NONE; r = node_ranges(node)[r].next) {
            const struct gather_range *range = &node_ranges(node)[r];
            is_begun = is_begun && r != gather->begin;
            FB_ASSERT(range->gather == i);
            FB_ASSERT(is_begun == (range->state != RANGE_UNBEGUN));
            FB_ASSERT((range->state == RANGE_READY) == (range->slot != FB_NONE));
            begun += is_begun;
            filling += range->state == RANGE_FILLING;
            used++;
        }
        FB_ASSERT(gather->head == FB_NONE || begun == gather->begun);
        FB_ASSERT(gather->head == FB_NONE || filling == gather->filling);
    }
    FB_ASSERT(used == node->ranges_used);
}
