/* A holder's record of a fragment: a part of a block under an erasure code, promised to the block's
 * writer until the whole block is at the origin.
 *
 *     arriving (a fill) --hold_take--> held (a dirty record) --the block is drained----> dropped
 *                                        '--is_vain for orphan_ns: too few are left--> dropped
 *
 * mend.c makes blocks of them; erasure.c cuts and spreads them. */
#include "core/tier/tier.h"

#include "core/key.h"

/* Exclusive-or with a word of the fragment's own: the same call leads back. */
struct fb_key fragment_key(struct fb_key key, uint32_t fragment)
{
    const uint64_t seed = UINT64_C(0x666f726562617921);
    FB_ASSERT(fragment < FB_FRAGMENTS_MAX);
    key.low ^= fb_mix(seed + fragment);
    FB_ASSERT(fb_mix(seed + fragment) != 0);
    return key;
}

/* 0: it lies past the end of a short block. */
uint32_t fragment_bytes(const struct fb_config *config, uint32_t size_bytes, uint32_t fragment)
{
    uint32_t bytes = fb_fragment_bytes(config, size_bytes);
    FB_ASSERT(fragment < config->erasure_data + config->erasure_parity);
    FB_ASSERT(bytes > 0);
    if (fragment >= config->erasure_data)
        return bytes;
    uint64_t first = (uint64_t)fragment * bytes;
    uint64_t left = first < size_bytes ? size_bytes - first : 0;
    return left < bytes ? (uint32_t)left : bytes;
}

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

/* A FRAGMENT, also one that this node tells itself. Of one that lies past a short block's end there
 * is nothing to tell. */
bool fragment_told_is_sane(const struct fb_node *node, const struct fb_message *message)
{
    const struct fb_message_fragment *told = &message->fragment;
    FB_ASSERT(message->kind == FB_MESSAGE_FRAGMENT);
    FB_ASSERT(message->source != FB_NONE);
    uint64_t count = node->config.erasure_data + node->config.erasure_parity;
    bool has_code = node->config.erasure_data > 0 && node->view != NULL;
    bool is_one = told->number > 0 && told->number <= count;
    return has_code && is_one && memory_may_hold(node, &told->block) &&
           told->block.object != FB_OBJECT_NONE && told->digest != 0 &&
           fragment_bytes(&node->config, told->block.size, told->number - 1) > 0;
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

/* The writer of a fill's block, of which an undrained fragment is here; FB_NONE: none is, or its
 * writer is gone. Then the origin may have the block, or older bytes: the fill looks at the
 * digest. */
uint32_t fragment_writer(struct fb_node *node, struct fill *fill)
{
    uint32_t count = (uint32_t)(node->config.erasure_data + node->config.erasure_parity);
    FB_ASSERT(node->config.erasure_data == 0 || count <= FB_FRAGMENTS_MAX);
    if (node->config.erasure_data == 0 || node->dirty_used == 0)
        return FB_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = fb_cache_find(node_cache(node), fragment_key(fill->block.key, i));
        if (slot == FB_NONE || !(node_entries(node)[slot].flags & ENTRY_DIRTY))
            continue;
        const struct fragment *fragment = fragment_of_dirty(node, node_entries(node)[slot].fill);
        if (fragment == NULL)
            continue;
        FB_ASSERT(fragment->index == i);
        bool is_gone = fragment->is_orphan || fragment->writer == node->config.node ||
                       node->view == NULL || !fb_view_is_up(node->view, fragment->writer);
        if (!is_gone)
            return fragment->writer;
        fill->flags |= FILL_HOLD;
        fill->digest = fragment->digest;
        return FB_NONE;
    }
    return FB_NONE;
}
