/* A holder's record of a fragment: a part of a block under an erasure code, promised to the block's
 * writer until the whole block is at the origin.
 *
 *     arriving (a fill) --hold_take--> held (a dirty record) --the block is drained----> dropped
 *                                        '--is_vain for orphan_ns: too few are left--> dropped
 *
 * mend.c makes blocks of them; erasure.c cuts and spreads them. */
#include "core/tier/tier.h"
#include "core/write/write.h"

#include "core/key.h"

static struct fragment *fragment_if(struct fb_node *node, uint32_t at)
{
    FB_ASSERT(at < node->config.dirty_max + node->config.fills_max);
    if (node->config.erasure_data == 0)
        return NULL;
    struct fragment *fragment = &node_fragments(node)[at];
    FB_ASSERT(fragment->index < FB_FRAGMENTS_MAX);
    return fragment->size_bytes > 0 ? fragment : NULL;
}

struct fragment *fragment_of_dirty(struct fb_node *node, uint32_t dirty)
{
    FB_ASSERT(dirty < node->config.dirty_max);
    FB_ASSERT(node_dirty(node)[dirty].slot != FB_NONE);
    return fragment_if(node, dirty);
}

const struct fragment *fragment_of_fill(struct fb_node *node, const struct fill *fill)
{
    FB_ASSERT(fill->state != FILL_FREE);
    FB_ASSERT(fill >= node_fills(node));
    return fragment_if(node,
                       (uint32_t)(node->config.dirty_max + (uint64_t)(fill - node_fills(node))));
}

/* A HOLD, or a FRAGMENT, is of a fragment that this node's config can have cut, or of none. */
bool fragment_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    const struct fb_message_hold *hold = &message->hold;
    uint32_t block_size = hold->part.block_size;
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    if (hold->number == 0)
        return true;
    if (hold->number > node->config.erasure_data + node->config.erasure_parity ||
        node->config.erasure_data == 0 || hold->level == FB_LEVEL_VOLATILE || block_size == 0 ||
        block_size > node->config.block_size_bytes || hold->block_digest == 0)
        return false;
    return fragment_bytes(&node->config, block_size, hold->number - 1) == hold->block.size;
}

struct fragment fragment_of_message(const struct fb_message *message)
{
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    if (message->hold.number == 0)
        return (struct fragment){.size_bytes = 0};
    FB_ASSERT(message->source != FB_NONE);
    return (struct fragment){.digest = message->hold.block_digest,
                             .size_bytes = message->hold.part.block_size,
                             .writer = message->source,
                             .index = message->hold.number - 1};
}

/* May a fragment be promised? Whole blocks are stored by whoever has them, fragments wait until
 * somebody makes a block of them: that takes a record and memory, which are therefore kept free. */
bool fragment_has_room(struct fb_node *node, uint32_t slot)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(node->config.erasure_data > 0);
    uint64_t bytes = node->dirty_bytes + entry->size_bytes;
    return (entry->flags & ENTRY_DIRTY) || (node->dirty_used + 1 < node->config.dirty_max &&
                                            bytes <= node->config.memory_size_bytes / 2);
}

/* Remembers what a fill pulls. */
void fragment_arrives(struct fb_node *node, uint32_t fill, const struct fb_message *message)
{
    FB_ASSERT(fill < node->config.fills_max);
    FB_ASSERT(message->kind == FB_MESSAGE_HOLD);
    if (node->config.erasure_data > 0)
        node_fragments(node)[node->config.dirty_max + fill] = fragment_of_message(message);
}

/* A dirty record is that of this fragment; NULL: of a whole block. */
void fragment_settle(struct fb_node *node, uint32_t dirty, const struct fragment *fragment)
{
    FB_ASSERT(dirty < node->config.dirty_max);
    FB_ASSERT(node_dirty(node)[dirty].slot != FB_NONE);
    if (node->config.erasure_data == 0)
        return;
    node_fragments(node)[dirty] = fragment != NULL ? *fragment : (struct fragment){.size_bytes = 0};
}

/* The whole block is at the origin: this part of it is of no use. */
void fragment_drained(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    FB_ASSERT(fragment_of_dirty(node, entry->fill) != NULL);
    node_fragments(node)[entry->fill].size_bytes = 0;
    dirty_clear(step, entry->fill);
    entry->flags |= ENTRY_TRANSIENT;
    memory_settle(node, slot);
}

/* Its block can not be made now, and the origin does not have it. */
void fragment_put_off(struct step *step, uint32_t slot)
{
    struct fb_node *node = step->node;
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    struct fragment *fragment = fragment_of_dirty(node, entry->fill);
    FB_ASSERT(fragment != NULL);
    if (fragment->vain_ns == 0)
        fragment->vain_ns = node->now_ns > 0 ? node->now_ns : 1;
    uint64_t since_ns = node->now_ns - fragment->vain_ns, most_ns = node->config.orphan_ns / 8;
    fragment->tell_ns = node->now_ns + (since_ns < most_ns ? since_ns : most_ns);
    if (since_ns < node->config.orphan_ns)
        return;
    node->stats.orphans_dropped++;
    fragment_drained(step, slot);
}
