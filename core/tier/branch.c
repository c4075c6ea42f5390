/* Chains of KV blocks: a block is of use only with every block before it, so the ends of the chains
 * are evicted first. Kept only with `leaves_first`.
 *
 * Chains share their fronts: together they are trees. A block's record links it to the block before
 * it (parent), to the first of those after it (child), and to the others after the same parent.
 *
 *     entry:  unlinked --branch_link: its parent is here--> linked --branch_leave--> unlinked
 *
 * The policy names a victim; what goes is a leaf below it, found by following children. A block
 * whose parent has gone is the root of a tree of its own. Invariant: links are mutual, and both
 * ends are entries in use. */
#include "core/tier/tier.h"

enum { DEPTH_MAX = 256 }; /* children followed to find a leaf; deeper: that one goes */

static bool branches_are_on(const struct fb_node *node)
{
    return node->config.leaves_first != 0;
}

void branch_enter(struct fb_node *node, uint32_t slot)
{
    if (!branches_are_on(node))
        return;
    FB_ASSERT(slot < node->memory_entries_max);
    node_branches(node)[slot] =
        (struct branch){.parent = FB_NONE, .child = FB_NONE, .newer = FB_NONE, .older = FB_NONE};
}

/* The parent must not go to make room for its child. */
uint32_t branch_hold(struct fb_node *node, struct fb_key key)
{
    if (!branches_are_on(node) || (key.high == 0 && key.low == 0))
        return FB_NONE;
    uint32_t slot = fb_cache_find(node_cache(node), key);
    if (slot == FB_NONE)
        return FB_NONE;
    FB_ASSERT(node_entries(node)[slot].state != ENTRY_FREE);
    memory_pin(node, slot);
    return slot;
}

void branch_release(struct fb_node *node, uint32_t slot)
{
    if (slot == FB_NONE)
        return;
    FB_ASSERT(branches_are_on(node));
    memory_unpin(node, slot);
    if (node_entries(node)[slot].state == ENTRY_RESIDENT)
        memory_settle(node, slot);
}

/* The block of `slot` comes after that of `parent`. FB_NONE: no effect. */
void branch_link(struct fb_node *node, uint32_t slot, uint32_t parent)
{
    if (parent == FB_NONE || parent == slot)
        return;
    struct branch *branches = node_branches(node);
    FB_ASSERT(branches_are_on(node));
    if (branches[slot].parent != FB_NONE)
        return;
    uint32_t up = parent;
    for (uint32_t i = 0; i < DEPTH_MAX && up != FB_NONE; i++) {
        if (up == slot)
            return; /* a client that calls a block its own ancestor */
        up = branches[up].parent;
    }
    branches[slot].parent = parent;
    branches[slot].older = branches[parent].child;
    branches[slot].newer = FB_NONE;
    if (branches[parent].child != FB_NONE)
        branches[branches[parent].child].newer = slot;
    branches[parent].child = slot;
    FB_ASSERT(branches[slot].older != slot);
}

/* The entry goes: its children become roots. */
void branch_leave(struct fb_node *node, uint32_t slot)
{
    if (!branches_are_on(node))
        return;
    struct branch *branches = node_branches(node);
    struct branch *branch = &branches[slot];
    for (uint32_t child = branch->child; child != FB_NONE;) {
        uint32_t older = branches[child].older;
        FB_ASSERT(branches[child].parent == slot);
        branches[child].parent = FB_NONE;
        branches[child].newer = FB_NONE;
        branches[child].older = FB_NONE;
        child = older;
    }
    if (branch->newer != FB_NONE)
        branches[branch->newer].older = branch->older;
    else if (branch->parent != FB_NONE)
        branches[branch->parent].child = branch->older;
    if (branch->older != FB_NONE)
        branches[branch->older].newer = branch->newer;
    branch_enter(node, slot);
}

/* The entry that goes in the victim's place. */
uint32_t branch_leaf(struct fb_node *node, uint32_t slot)
{
    if (!branches_are_on(node))
        return slot;
    FB_ASSERT(slot < node->memory_entries_max);
    for (uint32_t i = 0; i < DEPTH_MAX && node_branches(node)[slot].child != FB_NONE; i++)
        slot = node_branches(node)[slot].child;
    FB_ASSERT(slot < node->memory_entries_max);
    return slot;
}

void branch_check(struct fb_node *node)
{
    for (uint32_t i = 0; branches_are_on(node) && i < node->memory_entries_max; i++) {
        const struct branch *branches = node_branches(node);
        const struct branch *branch = &branches[i];
        if (node_entries(node)[i].state == ENTRY_FREE)
            continue;
        FB_ASSERT(branch->parent == FB_NONE ||
                  node_entries(node)[branch->parent].state != ENTRY_FREE);
        FB_ASSERT(branch->newer == FB_NONE || branches[branch->newer].older == i);
        FB_ASSERT(branch->newer != FB_NONE || branch->parent == FB_NONE ||
                  branches[branch->parent].child == i);
        FB_ASSERT(branch->child == FB_NONE || branches[branch->child].parent == i);
    }
}
