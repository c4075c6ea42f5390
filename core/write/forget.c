/* Blocks that nobody wants any more: a deleted file, a write that was given up.
 *
 *     forget_request --> dropped here --FORGET--> dropped at the block's ranks
 *          '--being written, stored or acquired--> BUSY
 *
 * Keys carry versions, so a copy that stays somewhere is never read as something else: forgetting
 * makes room, it does not make right. For that reason a lost FORGET is not sent again. A block that
 * was not drained is given up with it, which only the one who wrote it may ask for. A block that is
 * lent goes when it comes back. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

/* False: it is in the hands of a write. */
static bool forget_memory(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state != ENTRY_FREE);
    if (entry->state == ENTRY_FILLING || put_of_slot(node, slot))
        return false;
    if (entry->flags & ENTRY_DIRTY) {
        if (node_dirty(node)[entry->fill].is_storing)
            return false;
        dirty_clear(step, entry->fill);
    }
    if (!memory_drop(node, slot))
        entry->flags |= ENTRY_TRANSIENT;
    node->stats.forgotten++;
    return true;
}

static bool forget_here(struct step *step, struct fb_key key)
{
    struct fb_node *node = step->node;
    uint32_t slot = fb_cache_find(node_cache(node), key);
    if (slot != FB_NONE && !forget_memory(step, slot))
        return false;
    device_forget(node, key);
    FB_ASSERT(device_find(node, key) == FB_NONE);
    return true;
}

void forget_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_FORGET);
    if (!forget_here(step, request->block.key)) {
        get_refuse(step, request->request_id, FB_BUSY);
        return;
    }
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = request->request_id,
                                  .status = FB_OK,
                                  .reason = FB_REASON_MEMORY,
                                  .source = (uint32_t)node->config.node};
    if (code_is_wanted(node, FB_LEVEL_MEMORY)) {
        code_notify(step, request->block.key, FB_MESSAGE_FORGET, request->block.size);
        return;
    }
    for (uint32_t rank = 0; node->view != NULL && rank < FB_RANKS_MAX; rank++) {
        uint32_t owner = fb_view_owner(node->view, request->block.key, rank);
        if (owner == FB_NONE || owner == node->config.node)
            continue;
        op = step_op(step, FB_OP_SEND);
        op->target = owner;
        op->message = (struct fb_message){.kind = FB_MESSAGE_FORGET,
                                          .source = (uint32_t)node->config.node,
                                          .forget = {.key = request->block.key}};
    }
    FB_ASSERT(step->count <= FB_RANKS_MAX + 2);
}

void forget_message(struct step *step, const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_FORGET);
    if (!forget_here(step, message->forget.key))
        step->node->stats.busy_answers++;
    FB_ASSERT(step->count <= 1);
}
