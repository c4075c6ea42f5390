/* Local requests for blocks: get, release and the copy-in of volatile blocks.
 *
 * A get that hits memory is answered in its own step. A miss joins the block's fill, or begins
 * one; the fill answers it. Every answered get lends a span of cache memory under a lease:
 *     get_request --hit--------------> get_reply --client reads--> get_release
 *         '------miss--> fill ... ---> get_reply
 *         '------no slots, no memory-> get_refuse BUSY (R9)
 * Durable writes are in write.c. */
#include "core/read/read.h"
#include "core/tier/tier.h"

static uint64_t lease_make(uint32_t slot, uint32_t generation)
{
    return (uint64_t)slot << 32 | generation;
}

void get_refuse(struct step *step, uint64_t request_id, enum fb_status status)
{
    FB_ASSERT(status != FB_OK);
    struct fb_stats *stats = &step->node->stats;
    enum fb_reason reason = status == FB_ABSENT ? FB_REASON_ABSENT
                            : status == FB_LOST ? FB_REASON_LOST
                                                : FB_REASON_REFUSED;
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){
        .request_id = request_id, .status = status, .reason = reason, .source = FB_NONE};
    stats->replies[reason]++;
    if (status == FB_BUSY)
        stats->busy_answers++;
    if (status == FB_INVALID)
        tell_why(step->node, FB_WHY_NO_SENSE);
    if (status == FB_BUSY && step->node->waiter_free == FB_NONE)
        tell_count(step->node, FB_WHY_NO_WAITER, FB_NONE, 0, step->node->config.waiters_max);
    FB_ASSERT(reason < FB_REASON_COUNT);
}

/* Lends a resident entry's bytes with a reply. */
void get_lend(struct fb_node *node, uint32_t slot, struct fb_reply *reply)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    memory_pin(node, slot);
    reply->lease = lease_make(slot, entry->generation);
    reply->span = memory_span(node, entry->first_unit, entry->size_bytes);
    FB_ASSERT(reply->span.size > 0);
}

/* Answers a local waiter from its resident entry; a get takes a lease, a put does not. */
void get_reply(struct step *step, const struct waiter *waiter, uint32_t slot, enum fb_reason reason,
               uint32_t source)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(waiter->kind != WAITER_PEER);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){
        .request_id = waiter->id, .status = FB_OK, .reason = reason, .source = source};
    if (waiter->kind == WAITER_PUT)
        return;
    get_lend(node, slot, &op->reply);
    node->stats.get_bytes += entry->size_bytes;
    node->stats.replies[reason]++;
    node->stats.reply_bytes[reason] += entry->size_bytes;
    fb_histogram_add(&node->stats.get_latency_ns, node->now_ns - waiter->since_ns);
}

static bool request_is_sane(struct fb_node *node, const struct fb_block *block, uint32_t slot)
{
    if (!memory_may_hold(node, block))
        return false;
    return slot == FB_NONE || node_entries(node)[slot].size_bytes == block->size;
}

bool get_is_sane(struct fb_node *node, const struct fb_block *block)
{
    return request_is_sane(node, block, fb_cache_find(node_cache(node), block->key));
}

bool get_fill(struct step *step, const struct fb_request *request, uint32_t slot,
              const struct waiter *waiter)
{
    struct fb_node *node = step->node;
    bool is_put = waiter->kind == WAITER_PUT || waiter->kind == WAITER_WRITE;
    FB_ASSERT(waiter->kind != WAITER_PEER);
    uint32_t fill = FB_NONE, parent = branch_hold(node, request->parent);
    if (node->waiter_free != FB_NONE)
        fill = slot != FB_NONE ? node_entries(node)[slot].fill
                               : fill_begin(node, &request->block, is_put ? FILL_PUT : 0);
    if (fill != FB_NONE)
        branch_link(node, node_fills(node)[fill].slot, parent);
    branch_release(node, parent);
    if (fill == FB_NONE)
        return false;
    bool is_queued = fill_add_waiter(node, fill, waiter);
    FB_ASSERT(is_queued);
    if (slot != FB_NONE)
        return true;
    if (is_put)
        node_fills(node)[fill].put_source = request->span;
    attempt_start(step, fill);
    return true;
}

void get_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_GET);
    const struct waiter waiter = {.id = request->request_id,
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = FB_NONE,
                                  .kind = WAITER_GET};
    node->stats.gets++;
    uint32_t slot = memory_find(node, request->block.key);
    if (!request_is_sane(node, &request->block, slot)) {
        get_refuse(step, request->request_id, FB_INVALID);
        return;
    }
    if (slot != FB_NONE)
        memory_touch(node, slot);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT)
        get_reply(step, &waiter, slot, FB_REASON_MEMORY, (uint32_t)node->config.node);
    else if (!get_fill(step, request, slot, &waiter))
        get_refuse(step, request->request_id, FB_BUSY);
}

/* Copies a volatile block (no origin copy) from the client into memory; present: a touch. */
void put_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_PUT);
    const struct waiter waiter = {.id = request->request_id,
                                  .since_ns = node->now_ns,
                                  .next = FB_NONE,
                                  .peer = FB_NONE,
                                  .kind = WAITER_PUT};
    node->stats.puts++;
    uint32_t slot = memory_find(node, request->block.key);
    if (!request_is_sane(node, &request->block, slot) ||
        request->span.size != request->block.size) {
        get_refuse(step, request->request_id, FB_INVALID);
        return;
    }
    if (slot != FB_NONE)
        memory_touch(node, slot);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT)
        get_reply(step, &waiter, slot, FB_REASON_MEMORY, (uint32_t)node->config.node);
    else if (!get_fill(step, request, slot, &waiter))
        get_refuse(step, request->request_id, FB_BUSY);
}

/* Ends a loan to a local client. A lease that is not current is ignored: the client erred. */
void get_release(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_RELEASE);
    uint32_t slot = (uint32_t)(request->lease >> 32);
    if (slot >= node->memory_entries_max)
        return;
    const struct entry *entry = &node_entries(node)[slot];
    bool is_current = entry->state == ENTRY_RESIDENT && entry->pins > 0 &&
                      entry->generation == (uint32_t)request->lease;
    if (!is_current)
        return;
    FB_ASSERT(entry->first_unit != FB_NONE);
    memory_unpin(node, slot);
    memory_settle(node, slot);
}
