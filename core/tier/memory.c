/* The memory tier: cache entries, their extents, eviction.
 *
 * Invariants:
 *  1. entries[slot].state is FREE exactly when the cache's slot is unused.
 *  2. A RESIDENT entry owns an extent; a FILLING one does not (its attempts own theirs).
 *  3. An entry with pins or lends is never evicted. A FILLING entry is pinned by its fill.
 *  4. A TRANSIENT entry is removed when its last pin and lend go. */
#include "core/tier/tier.h"

/* What stays for long leaves one part in so many to what comes and goes.
 * guess: 4 to 16; too little left shows as reads that are BUSY while a drain stands still. */
enum { KEEP_PARTS = 8 };

uint32_t memory_units(const struct fb_node *node, uint32_t size_bytes)
{
    FB_ASSERT(size_bytes > 0);
    FB_ASSERT(size_bytes <= node->config.block_size_bytes);
    uint64_t unit = node->memory_unit_bytes;
    return (uint32_t)((size_bytes + unit - 1) / unit);
}

struct fb_span memory_span(const struct fb_node *node, uint32_t first_unit, uint64_t size_bytes)
{
    FB_ASSERT(first_unit != FB_NONE);
    FB_ASSERT(size_bytes > 0);
    return (struct fb_span){.region = FB_REGION_MEMORY,
                            .peer = (uint32_t)node->config.node,
                            .offset = first_unit * node->memory_unit_bytes,
                            .size = size_bytes};
}

static bool entry_is_free_to_go(const struct entry *entry)
{
    FB_ASSERT(entry->state != ENTRY_FREE);
    return entry->pins == 0 && entry->lends == 0;
}

static void entry_clear(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry_is_free_to_go(entry));
    if (entry->first_unit != FB_NONE)
        memory_free(node, entry->first_unit, entry->size_bytes);
    tenant_leave(node, slot);
    branch_leave(node, slot);
    entry->first_unit = FB_NONE;
    entry->state = ENTRY_FREE;
    entry->generation++;
}

/* Evicts one block. False when none of the first FB_EVICT_TRIES_MAX victims may go. */
static bool memory_evict(struct fb_node *node)
{
    struct fb_cache *cache = node_cache(node);
    for (uint32_t i = 0; i < FB_EVICT_TRIES_MAX; i++) {
        uint32_t victim = fb_cache_victim(cache);
        if (victim == FB_NONE)
            return false;
        uint32_t slot = branch_leaf(node, victim);
        FB_ASSERT(slot < node->memory_entries_max);
        if (!entry_is_free_to_go(&node_entries(node)[slot])) {
            if (is_told(node))
                tell_key(node, FB_WHY_STAYS, fb_cache_key(cache, slot));
            fb_cache_skip(cache, victim);
            continue;
        }
        if (is_told(node))
            tell_key(node, FB_WHY_EVICT, fb_cache_key(cache, slot));
        entry_clear(node, slot);
        fb_cache_evict(cache, slot);
        node->stats.evictions++;
        return true;
    }
    return false;
}

uint32_t memory_allocate(struct fb_node *node, uint32_t size_bytes)
{
    uint32_t units = memory_units(node, size_bytes);
    FB_ASSERT(units <= FB_UNITS_PER_CHUNK);
    for (uint32_t i = 0; i < FB_EVICT_TRIES_MAX; i++) {
        uint32_t first_unit = fb_extents_allocate(node_extents(node), units);
        if (first_unit != FB_NONE)
            return first_unit;
        if (!memory_evict(node))
            return FB_NONE;
    }
    return FB_NONE;
}

bool memory_may_hold(const struct fb_node *node, const struct fb_block *block)
{
    FB_ASSERT(node->config.block_size_bytes > 0);
    FB_ASSERT(block != NULL);
    return block->size > 0 && block->size <= node->config.block_size_bytes &&
           tenant_is_known(node, block->tenant);
}

bool memory_may_keep(const struct fb_node *node, uint32_t size_bytes)
{
    uint64_t chunks = node->config.memory_size_bytes / node->config.block_size_bytes;
    uint64_t room = chunks * FB_UNITS_PER_CHUNK, entries = node->memory_entries_max;
    uint64_t rest = room / KEEP_PARTS > FB_UNITS_PER_CHUNK ? room / KEEP_PARTS : FB_UNITS_PER_CHUNK;
    FB_ASSERT(rest <= room);
    if (node->kept_units == 0)
        return true;
    return node->kept_units + memory_units(node, size_bytes) <= room - rest &&
           node->dirty_used < entries - entries / KEEP_PARTS;
}

void memory_free(struct fb_node *node, uint32_t first_unit, uint32_t size_bytes)
{
    FB_ASSERT(first_unit != FB_NONE);
    FB_ASSERT(size_bytes > 0);
    fb_extents_free(node_extents(node), first_unit, memory_units(node, size_bytes));
}

/* A FILLING entry for the block, pinned once for its fill; FB_NONE when no slot can be had. */
uint32_t memory_insert(struct fb_node *node, const struct fb_block *block)
{
    FB_ASSERT(block->size > 0);
    struct fb_cache *cache = node_cache(node);
    FB_ASSERT(fb_cache_find(cache, block->key) == FB_NONE);
    if (fb_cache_count(cache) == node->memory_entries_max && !memory_evict(node))
        return FB_NONE;
    uint32_t slot = fb_cache_insert(cache, block->key);
    FB_ASSERT(slot != FB_NONE);
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_FREE);
    *entry = (struct entry){.first_unit = FB_NONE,
                            .size_bytes = block->size,
                            .fill = FB_NONE,
                            .generation = entry->generation,
                            .state = ENTRY_FILLING};
    tenant_enter(node, slot, block->tenant);
    branch_enter(node, slot);
    memory_pin(node, slot);
    return slot;
}

uint32_t memory_find(struct fb_node *node, struct fb_key key)
{
    uint32_t slot = fb_cache_find(node_cache(node), key);
    if (slot == FB_NONE || node->tenants_limited == 0)
        return slot;
    FB_ASSERT(slot < node->memory_entries_max);
    if (!tenant_is_expired(node, slot) || !memory_drop(node, slot))
        return slot; /* one that is lent out is good for as long */
    node->stats.expired++;
    tell_why(node, FB_WHY_EXPIRED);
    return FB_NONE;
}

void memory_touch(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    fb_cache_touch(node_cache(node), slot);
    if (node->tenants_limited > 0)
        tenant_touch(node, slot);
}

bool memory_drop(struct fb_node *node, uint32_t slot)
{
    const struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state != ENTRY_FREE);
    if (entry->state != ENTRY_RESIDENT || !entry_is_free_to_go(entry))
        return false;
    FB_ASSERT(!(entry->flags & ENTRY_DIRTY)); /* those are pinned */
    memory_remove(node, slot);
    return true;
}

void memory_remove(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    entry_clear(node, slot);
    fb_cache_remove(node_cache(node), slot);
    FB_ASSERT(!fb_cache_is_used(node_cache(node), slot));
}

void memory_pin(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state != ENTRY_FREE);
    FB_ASSERT(entry->pins < UINT16_MAX);
    if (entry->pins++ == 0)
        node->pinned_bytes += memory_units(node, entry->size_bytes) * node->memory_unit_bytes;
    node->pins_used++;
}

void memory_unpin(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->pins > 0);
    FB_ASSERT(node->pins_used > 0);
    if (--entry->pins == 0)
        node->pinned_bytes -= memory_units(node, entry->size_bytes) * node->memory_unit_bytes;
    node->pins_used--;
}

void memory_settle(struct fb_node *node, uint32_t slot)
{
    struct entry *entry = &node_entries(node)[slot];
    FB_ASSERT(entry->state == ENTRY_RESIDENT);
    FB_ASSERT(entry->first_unit != FB_NONE);
    if ((entry->flags & ENTRY_TRANSIENT) && entry_is_free_to_go(entry))
        memory_remove(node, slot);
}

void memory_check(struct fb_node *node)
{
    struct fb_cache *cache = node_cache(node);
    fb_cache_check(cache);
    fb_extents_check(node_extents(node));
    uint32_t used = 0, pins = 0;
    uint64_t pinned_bytes = 0;
    for (uint32_t slot = 0; slot < node->memory_entries_max; slot++) {
        const struct entry *entry = &node_entries(node)[slot];
        FB_ASSERT((entry->state != ENTRY_FREE) == fb_cache_is_used(cache, slot));
        if (entry->state == ENTRY_FREE)
            continue;
        used++;
        pins += entry->pins;
        if (entry->pins > 0)
            pinned_bytes += memory_units(node, entry->size_bytes) * node->memory_unit_bytes;
        FB_ASSERT((entry->state == ENTRY_RESIDENT) == (entry->first_unit != FB_NONE));
        FB_ASSERT(entry->holder_count <= FB_HOLDERS_MAX);
        if (entry->state == ENTRY_FILLING) {
            FB_ASSERT(entry->fill != FB_NONE);
            FB_ASSERT(entry->pins > 0);
        }
        if (entry->flags & ENTRY_TRANSIENT)
            FB_ASSERT(!entry_is_free_to_go(entry));
    }
    FB_ASSERT(used == fb_cache_count(cache));
    FB_ASSERT(pins == node->pins_used);
    FB_ASSERT(pinned_bytes == node->pinned_bytes);
}
