/* Undrained blocks: resident in memory, promised to somebody, and not at the origin yet. One record
 * each; while it stands the memory entry is pinned and, if it was written, the device entry too, so
 * neither is evicted. The pool is bounded: when it is used up, writers hear BUSY (R9): the
 * back-pressure of a drain that is slower than the checkpoints.
 *
 *     (none) --dirty_mark--> listed, oldest first --dirty_clear: stored, or held by others--> gone
 *
 * The list is the drain's order. Invariant: entry.fill of a DIRTY entry is its record. */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/write/write.h"
#include "core/write/standin.h"

static void dirty_link(struct fb_node *node, uint32_t index)
{
    struct dirty *records = node_dirty(node);
    records[index].newer = FB_NONE;
    records[index].older = node->dirty_newest;
    if (node->dirty_newest != FB_NONE)
        records[node->dirty_newest].newer = index;
    else
        node->dirty_oldest = index;
    node->dirty_newest = index;
    FB_ASSERT(node->dirty_oldest != FB_NONE);
}

static void dirty_unlink(struct fb_node *node, uint32_t index)
{
    struct dirty *records = node_dirty(node);
    const struct dirty *dirty = &records[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    if (dirty->newer != FB_NONE)
        records[dirty->newer].older = dirty->older;
    else
        node->dirty_newest = dirty->older;
    if (dirty->older != FB_NONE)
        records[dirty->older].newer = dirty->newer;
    else
        node->dirty_oldest = dirty->newer;
    if (node->drain_next == index)
        node->drain_next = dirty->newer;
    if (node->repair_next == index)
        node->repair_next = dirty->newer;
}

/* The drain is to look at a record soon, though it has passed it by. */
void dirty_renew(struct fb_node *node, uint32_t index)
{
    FB_ASSERT(index < node->config.dirty_max);
    FB_ASSERT(node_dirty(node)[index].slot != FB_NONE);
    dirty_unlink(node, index);
    dirty_link(node, index);
    drain_wake(node, index);
}

/* Marks a resident entry. True when it is marked, also when it was before; false: no record, or
 * nobody knows the digest of its bytes: what is promised is always digested, whatever check_digest
 * says, since it must be told from garbage on drives and in the memory of others. */
bool dirty_mark(struct fb_node *node, uint32_t slot, const struct fb_block *block)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    if (entry->flags & ENTRY_DIRTY)
        return true;
    uint32_t index = node->dirty_free;
    if (index == FB_NONE || block->object == FB_OBJECT_NONE || entry->digest == 0)
        return false;
    FB_ASSERT(entry->fill == FB_NONE);
    struct dirty *dirty = &node_dirty(node)[index];
    node->dirty_free = dirty->newer;
    *dirty = (struct dirty){.object = block->object,
                            .offset = block->offset,
                            .slot = slot,
                            .generation = dirty->generation + 1,
                            .device_slot = FB_NONE,
                            .instead = FB_NONE,
                            .repaired = (uint16_t)(node->repairs - 1)};
    fragment_settle(node, index, NULL);
    dirty_link(node, index);
    node->dirty_used++;
    node->dirty_bytes += entry->size_bytes;
    node->kept_units += memory_units(node, entry->size_bytes);
    entry->flags = (uint8_t)((entry->flags | ENTRY_DIRTY) & ~(ENTRY_TRANSIENT | ENTRY_DRAINED));
    entry->fill = index;
    memory_pin(node, slot);
    drain_wake(node, index);
    return true;
}

/* The block is safe without this copy: it may be evicted from now on. */
void dirty_clear(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    struct entry *entry = &node_entries(node)[dirty->slot];
    FB_ASSERT(entry->flags & ENTRY_DIRTY);
    refused_set(node, index, FB_OK);
    dirty_unlink(node, index);
    standin_hold(node, index, FB_NONE);
    if (dirty->device_slot != FB_NONE) {
        device_mark(step, dirty->device_slot);
        device_read_end(node, dirty->device_slot, false);
    }
    entry->flags = (uint8_t)(entry->flags & ~ENTRY_DIRTY);
    entry->fill = FB_NONE;
    node->dirty_used--;
    node->dirty_left_ns = node->now_ns;
    node->dirty_bytes -= entry->size_bytes;
    node->kept_units -= memory_units(node, entry->size_bytes);
    memory_unpin(node, dirty->slot);
    dirty->slot = FB_NONE;
    dirty->newer = node->dirty_free;
    node->dirty_free = index;
}

struct fb_block dirty_block(struct fb_node *node, uint32_t index)
{
    const struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    FB_ASSERT(node_entries(node)[dirty->slot].fill == index);
    return (struct fb_block){.key = fb_cache_key(node_cache(node), dirty->slot),
                             .object = dirty->object,
                             .offset = dirty->offset,
                             .size = node_entries(node)[dirty->slot].size_bytes};
}

void dirty_check(struct fb_node *node)
{
    uint32_t used = 0, held_for_others = 0, refused = 0, units = pin_units(node);
    uint64_t bytes = 0;
    for (uint32_t i = node->dirty_oldest; i != FB_NONE; i = node_dirty(node)[i].newer) {
        const struct entry *entry = &node_entries(node)[node_dirty(node)[i].slot];
        FB_ASSERT(entry->state == ENTRY_RESIDENT);
        FB_ASSERT((entry->flags & ENTRY_DIRTY) && entry->fill == i);
        FB_ASSERT(entry->digest != 0);
        FB_ASSERT(entry->pins > 0);
        bytes += entry->size_bytes;
        units += memory_units(node, entry->size_bytes);
        held_for_others += node_dirty(node)[i].instead != FB_NONE;
        refused += node_dirty(node)[i].refusal != FB_OK;
        used++;
    }
    FB_ASSERT(refused == node->refused_used);
    FB_ASSERT(held_for_others == node->standins_held);
    FB_ASSERT(used == node->dirty_used);
    FB_ASSERT(bytes == node->dirty_bytes);
    FB_ASSERT(units == node->kept_units);
}
