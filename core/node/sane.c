/* Messages at the door: what a peer sent is looked at field by field before any flow sees it, by
 * the ranges that message.h names, and then by what fields say of each other, so that the flows may
 * assert what they rely on. A peer may be of another version, of another config, or no member.
 *
 * A field that a flow only compares with its own records (ids, leases, digests, keys) may be any
 * value. What is not sane is answered INVALID where an answer is due (ASK, HOLD), and counted. */
#include "core/node/sane.h"
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"

/* Compared, or with a meaning whatever it is. */
static bool range_any(const struct fb_node *node, const void *field)
{
    FB_ASSERT(node != NULL);
    FB_ASSERT(field != NULL);
    return true;
}

static bool range_block(const struct fb_node *node, const struct fb_block *block)
{
    return memory_may_hold(node, block);
}

static bool range_key_count(const struct fb_node *node, const uint32_t *key_count)
{
    FB_ASSERT(node != NULL);
    return *key_count <= FB_MATCH_KEYS_MAX;
}

static bool range_level(const struct fb_node *node, const uint8_t *level)
{
    FB_ASSERT(node != NULL);
    return *level < FB_LEVEL_COUNT;
}

static bool range_memory(const struct fb_node *node, const struct fb_span *span)
{
    FB_ASSERT(node != NULL);
    return span->region == FB_REGION_MEMORY;
}

static bool range_number(const struct fb_node *node, const uint32_t *number)
{
    FB_ASSERT(node != NULL);
    return *number <= FB_FRAGMENTS_MAX;
}

static bool range_object(const struct fb_node *node, const uint64_t *object)
{
    FB_ASSERT(node != NULL);
    return *object != FB_OBJECT_NONE;
}

static bool fields_are_sane(const struct fb_node *node, const struct fb_message *message)
{
    switch ((enum fb_message_kind)message->kind) {
#define FIELD(kind, type, name, place, range) &&range_##range(node, &message->kind.name)
#define KIND(NAME, kind, text) \
    case FB_MESSAGE_##NAME: \
        return true FB_MESSAGE_##NAME##_FIELDS(FIELD, kind);
        FB_MESSAGE_KINDS(KIND)
#undef KIND
#undef FIELD
    }
    return false; /* a kind of a later version */
}

static bool hold_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    const struct fb_message_hold *hold = &message->hold;
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    FB_ASSERT(message->source != FB_NONE);
    bool is_volatile = hold->level == FB_LEVEL_VOLATILE;
    return hold->span.size == hold->block.size && hold->span.peer == message->source &&
           (hold->block.object != FB_OBJECT_NONE || is_volatile) &&
           (hold->digest != 0 || is_volatile) && fragment_is_sane(node, message);
}

bool message_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    FB_ASSERT(node->size_bytes > 0);
    if (message->source == FB_NONE || message->source == node->config.node ||
        !fields_are_sane(node, message))
        return false;
    if (message->kind == FB_MESSAGE_MATCH_ASK)
        return message->match_ask.keys != NULL || message->match_ask.key_count == 0;
    if (message->kind == FB_MESSAGE_HOLD)
        return hold_is_sane(node, message);
    return message->kind != FB_MESSAGE_FRAGMENT || fragment_told_is_sane(node, message);
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
        serve_deny(step, message->source, message->ask.ask_id, FB_INVALID);
    else if (message->kind == FB_MESSAGE_HOLD)
        hold_answer(step, message->source, message->hold.ask_id, FB_INVALID);
}
