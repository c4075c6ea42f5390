/* Messages between nodes: lost, doubled, late, held back, cut off (R6). */
#include "sim/swarm/swarm_internal.h"

#include <string.h>

bool swarm_is_cut(struct swarm *swarm, uint32_t source, uint32_t target)
{
    return swarm_fault(swarm, FB_SWARM_FAULT_one_way, source, target) != NULL ||
           swarm_fault(swarm, FB_SWARM_FAULT_partition, source, target) != NULL;
}

uint64_t swarm_clog_ns(struct swarm *swarm, uint32_t source, uint32_t target)
{
    const struct fb_swarm_fault *clog = swarm_fault(swarm, FB_SWARM_FAULT_clog, source, target);
    return clog != NULL ? clog->until_ns : swarm->now_ns;
}

static void send_once(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    uint64_t at_ns = swarm_clog_ns(swarm, node, op->target);
    at_ns += swarm_spread(swarm, node, swarm->plan->message_ns);
    const struct fb_swarm_fault *late = swarm_fault(swarm, FB_SWARM_FAULT_delay, node, op->target);
    if (late != NULL)
        at_ns += swarm_draw(swarm, node, late->extra_ns + 1);
    struct swarm_event *event = swarm_push(swarm, at_ns, SWARM_MESSAGE, op->target);
    event->message = op->message;
    if (op->message.kind == FB_MESSAGE_MATCH_ASK) {
        const struct fb_message_match_ask *ask = &op->message.match_ask;
        FB_ASSERT(ask->key_count <= SWARM_KEYS_MAX);
        memcpy(event->keys, ask->keys, ask->key_count * sizeof(event->keys[0]));
    }
}

void swarm_send(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    bool is_known =
        op->target < swarm->plan->nodes && op->target != node && op->message.source == node;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_known_target, is_known,
                     "node %u sends to node %u in the name of node %u", node, op->target,
                     op->message.source))
        return;
    if (op->message.kind == FB_MESSAGE_OFFER)
        swarm_loan_begin(swarm, node, &op->message.offer, op->target);
    if (op->message.kind == FB_MESSAGE_HOLD)
        swarm_copy_asked(swarm, node, &op->message.hold);
    if (op->message.kind == FB_MESSAGE_HELD)
        swarm_copy_told(swarm, node, op->target, &op->message.held);
    if (swarm_is_cut(swarm, node, op->target) ||
        swarm_fault(swarm, FB_SWARM_FAULT_loss, node, op->target))
        return;
    send_once(swarm, node, op);
    if (swarm_fault(swarm, FB_SWARM_FAULT_duplicate, node, op->target))
        send_once(swarm, node, op);
}

/* A message finds whoever lives there now: also one that began after it was sent. */
void swarm_deliver(struct swarm *swarm, struct swarm_event *event)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    if (!host->is_up)
        return;
    if (host->ready_ns > swarm->now_ns) {
        swarm_push_again(swarm, event, host->ready_ns);
        return;
    }
    if (event->life != host->life)
        swarm_saw(swarm, FB_SWARM_SIGHT_old_message);
    swarm_loan_end(swarm, event->node, &event->message);
    swarm_copy_heard(swarm, event->node, &event->message);
    struct fb_event message = {.kind = FB_EVENT_MESSAGE, .message = event->message};
    if (message.message.kind == FB_MESSAGE_MATCH_ASK)
        message.message.match_ask.keys = event->keys;
    swarm_node_step(swarm, event->node, &message);
}
