/* Messages at the door: what a peer sent is looked at field by field before any flow sees it, one
 * function a kind, so that the flows may assert what they rely on. A peer may be of another
 * version, of another config, or no member at all.
 *
 * A field that a flow only compares with its own records (ids, leases, digests, keys) may be any
 * value. What is not sane is answered INVALID where an answer is due (ASK, HOLD), and counted. */
#include "core/node/sane.h"
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

static bool block_is_sane(const struct fb_node *node, const struct fb_block *block)
{
    FB_ASSERT(node->config.block_size_bytes > 0);
    FB_ASSERT(block != NULL);
    return block->size > 0 && block->size <= node->config.block_size_bytes &&
           tenant_is_known(node, block->tenant);
}

static bool match_is_sane(const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_MATCH_ASK);
    FB_ASSERT(message->source != FB_NONE);
    return message->key_count <= FB_MATCH_KEYS_MAX &&
           (message->keys != NULL || message->key_count == 0);
}

static bool hold_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    FB_ASSERT(message->source != FB_NONE);
    bool is_volatile = message->hops == FB_LEVEL_VOLATILE;
    return block_is_sane(node, &message->block) && message->span.size == message->block.size &&
           message->span.region == FB_REGION_MEMORY && message->span.peer == message->source &&
           message->hops < FB_LEVEL_COUNT &&
           (message->block.object != FB_OBJECT_NONE || is_volatile) &&
           (message->digest != 0 || is_volatile) && fragment_is_sane(node, message);
}

/* Also of one that lies past a short block's end there is nothing to tell. */
bool fragment_told_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_FRAGMENT);
    FB_ASSERT(message->source != FB_NONE);
    uint64_t count = node->config.erasure_data + node->config.erasure_parity;
    bool has_code = node->config.erasure_data > 0 && node->view != NULL;
    bool is_one = message->key_count > 0 && message->key_count <= count;
    return has_code && is_one && block_is_sane(node, &message->block) &&
           message->block.object != FB_OBJECT_NONE && message->digest != 0 &&
           fragment_bytes(&node->config, message->block.size, message->key_count - 1) > 0;
}

bool message_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    FB_ASSERT(node->size_bytes > 0);
    if (message->source == FB_NONE || message->source == node->config.node)
        return false;
    switch ((enum fb_message_kind)message->kind) {
    case FB_MESSAGE_ASK:
        return block_is_sane(node, &message->block);
    case FB_MESSAGE_MATCH_ASK:
        return match_is_sane(message);
    case FB_MESSAGE_HOLD:
        return hold_is_sane(node, message);
    case FB_MESSAGE_DRAIN_ASK:
        return message->key_count <= FB_FRAGMENTS_MAX;
    case FB_MESSAGE_FRAGMENT:
        return fragment_told_is_sane(node, message);
    case FB_MESSAGE_ABANDON:
        return message->block.object != FB_OBJECT_NONE;
    case FB_MESSAGE_OFFER: /* what these carry is compared, or has a meaning whatever it is */
    case FB_MESSAGE_REFER:
    case FB_MESSAGE_WAIT:
    case FB_MESSAGE_DENY:
    case FB_MESSAGE_RETURN:
    case FB_MESSAGE_MATCH_TELL:
    case FB_MESSAGE_HELD:
    case FB_MESSAGE_DRAINED:
    case FB_MESSAGE_DRAIN_LOST:
    case FB_MESSAGE_FORGET:
    case FB_MESSAGE_SEEK:
    case FB_MESSAGE_SOUGHT:
        return true;
    }
    return false; /* a kind of a later version */
}

/* Nothing of it is believed but who sent it and which ask it was. */
void message_refuse(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(step_room(step) > 0);
    node->stats.bad_messages++;
    if (message->source == FB_NONE || message->source == node->config.node)
        return;
    FB_ASSERT(message->source != node->config.node);
    if (message->kind == FB_MESSAGE_ASK)
        serve_deny(step, message->source, message->ask_id, FB_INVALID);
    else if (message->kind == FB_MESSAGE_HOLD)
        hold_answer(step, message->source, message->ask_id, FB_INVALID);
}
