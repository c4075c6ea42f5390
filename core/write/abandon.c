/* Objects whose blocks nobody wants, though some are owed: of a version that its writer gave up,
 * that lost, or whose name means another by now (R21; who finds that out: name/name_abandon.c).
 *
 *     abandon_object --> remembered --the drain meets a block of it--> let go: a cache's copy
 *          ^   '--a member spreads, or asks for, one: it is told
 *          '-- ABANDON of a member
 *
 *  1. A store that is under way is waited for: the block is let go when the drain looks next.
 *  2. Nobody needs to be sure that all have heard: who still owes a block asks for it, or spreads
 *     it, and hears it then. What nobody asks about is stored at the origin as if it were wanted.
 *  3. The newest, as many as names_max, are remembered, and none over a restart. To forget one
 *     costs a store, and nothing else. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

bool abandon_has(struct fb_node *node, uint64_t object)
{
    FB_ASSERT(node->abandoned_count <= node->config.names_max);
    for (uint32_t i = 0; i < node->abandoned_count; i++) {
        if (node_abandoned(node)[i] == object)
            return true;
    }
    FB_ASSERT(node->abandoned_next <= node->abandoned_count);
    return false;
}

void abandon_object(struct fb_node *node, uint64_t object)
{
    uint32_t max = (uint32_t)node->config.names_max;
    FB_ASSERT(object != FB_OBJECT_NONE);
    if (max == 0)
        return;
    if (!abandon_has(node, object)) {
        node_abandoned(node)[node->abandoned_next] = object;
        node->abandoned_next = (node->abandoned_next + 1) % max;
        node->abandoned_count += node->abandoned_count < max;
    }
    if (node->dirty_used > 0) {
        node->drain_next = node->dirty_oldest;
        fb_timer_set(node_timer(node), timer_of_drain(node), node->now_ns);
    }
    FB_ASSERT(abandon_has(node, object));
}

/* Readers may still have use of the copy; who waits for it to be safe hears that it will not be. */
void abandon_block(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    uint32_t slot = node_dirty(node)[index].slot;
    FB_ASSERT(slot != FB_NONE && !node_dirty(node)[index].is_storing);
    FB_ASSERT(!code_is_busy(node, slot));
    node->stats.abandoned++;
    put_drained(step, slot, FB_GONE);
    uint64_t left_ns = node->dirty_left_ns;
    if (fragment_of_dirty(node, index) != NULL) {
        drain_fragment(step, slot);
    } else {
        dirty_clear(step, index);
        memory_settle(node, slot);
    }
    node->dirty_left_ns = left_ns; /* it was not stored: see refused.c */
}

void abandon_tell(struct step *step, uint32_t target, uint64_t object)
{
    FB_ASSERT(target != step->node->config.node && target != FB_NONE);
    FB_ASSERT(object != FB_OBJECT_NONE);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = target;
    op->message = (struct fb_message){.kind = FB_MESSAGE_ABANDON,
                                      .source = (uint32_t)step->node->config.node,
                                      .abandon = {.object = object}};
}

bool abandon_answers(struct step *step, uint32_t source, uint64_t object)
{
    bool is_given_up = abandon_has(step->node, object);
    FB_ASSERT(source != FB_NONE);
    if (is_given_up && source != step->node->config.node)
        abandon_tell(step, source, object);
    return is_given_up;
}

void abandon_message(struct step *step, const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_ABANDON);
    FB_ASSERT(message->abandon.object != FB_OBJECT_NONE);
    abandon_object(step->node, message->abandon.object);
}
