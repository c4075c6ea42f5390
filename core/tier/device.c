/* The drive tier: its own index, eviction policy and extents; write-behind of blocks that this node
 * took from the origin. Bytes on the drive are trusted only through their digest.
 *
 * Life of a device entry:
 *     (none) --write_begin--> writing --write_done OK--> resident --evicted--> (none)
 *        |                       |                       ^   |
 *        |                       '--write_done error, forgotten--> (none) <--a read fails, lies--'
 *        '--its header is found at the start (recover.c)-'
 * A writing entry and one that is being read are pinned and not evicted; what is forgotten goes
 * when the last pin does. */
#include "core/tier/tier.h"

uint32_t device_find(struct fb_node *node, struct fb_key key)
{
    if (node->device_entries_max == 0)
        return FB_NONE;
    uint32_t slot = fb_cache_find(node_device_cache(node), key);
    if (slot == FB_NONE || !node_device_entries(node)[slot].is_resident)
        return FB_NONE;
    FB_ASSERT(node_device_entries(node)[slot].first_unit != FB_NONE);
    FB_ASSERT(node_device_entries(node)[slot].size_bytes > 0);
    return slot;
}

/* May a promise rely on this copy? One that was written as a cache's, or is not owed any more, need
 * not outlast a loss of power, and is not found as a promise after a start. */
bool device_is_owed(struct fb_node *node, uint32_t device_slot, uint64_t digest)
{
    FB_ASSERT(device_slot < node->device_entries_max);
    const struct device_entry *entry = &node_device_entries(node)[device_slot];
    FB_ASSERT(entry->is_resident);
    return entry->is_owed && entry->digest == digest;
}

struct fb_span device_span(const struct fb_node *node, uint32_t device_slot)
{
    FB_ASSERT(device_slot < node->device_entries_max);
    const struct device_entry *entry =
        (const struct device_entry *)(const void *)((const unsigned char *)node +
                                                    node->device_entries_offset) +
        device_slot;
    FB_ASSERT(entry->first_unit != FB_NONE);
    return (struct fb_span){.region = FB_REGION_DEVICE,
                            .peer = (uint32_t)node->config.node,
                            .offset = entry->first_unit * node->memory_unit_bytes,
                            .size = entry->size_bytes};
}

/* Is the drive so much slower than what comes after it that reading it is worse than not having it?
 * Judged by what reads took lately, queues included; every BYPASS_PROBE-th read looks again. */
bool device_is_passed_by(struct fb_node *node)
{
    enum { BYPASS_RATIO = 4, BYPASS_PROBE = 16 };
    uint64_t next = node->pull_pace.ns_per_mib;
    if (node->fetch_pace.ns_per_mib > next)
        next = node->fetch_pace.ns_per_mib;
    bool is_slow = next > 0 && node->device_pace.ns_per_mib / BYPASS_RATIO > next;
    if (!node->config.bypass || !is_slow)
        return false;
    node->bypass_turn = (node->bypass_turn + 1) % BYPASS_PROBE;
    FB_ASSERT(node->bypass_turn < BYPASS_PROBE);
    if (node->bypass_turn == 0)
        return false;
    node->stats.device_bypasses++;
    return true;
}

static void device_free(struct fb_node *node, uint32_t slot)
{
    struct device_entry *entry = &node_device_entries(node)[slot];
    FB_ASSERT(entry->pins == 0);
    FB_ASSERT(entry->first_unit != FB_NONE);
    fb_extents_free(node_device_extents(node), entry->first_unit,
                    memory_units(node, entry->size_bytes));
    entry->first_unit = FB_NONE;
    entry->is_resident = 0;
}

bool device_is_full(struct fb_node *node)
{
    FB_ASSERT(node->device_entries_max > 0);
    FB_ASSERT(fb_cache_count(node_device_cache(node)) <= node->device_entries_max);
    return fb_cache_count(node_device_cache(node)) == node->device_entries_max;
}

bool device_evict(struct fb_node *node)
{
    struct fb_cache *cache = node_device_cache(node);
    for (uint32_t i = 0; i < FB_EVICT_TRIES_MAX; i++) {
        uint32_t slot = fb_cache_victim(cache);
        if (slot == FB_NONE)
            return false;
        FB_ASSERT(slot < node->device_entries_max);
        if (node_device_entries(node)[slot].pins > 0) {
            fb_cache_skip(cache, slot);
            continue;
        }
        if (is_told(node))
            tell_key(node, FB_WHY_EVICT_DRIVE, fb_cache_key(cache, slot));
        device_free(node, slot);
        fb_cache_evict(cache, slot);
        node->stats.device_evictions++;
        return true;
    }
    return false;
}

static uint32_t device_allocate(struct fb_node *node, uint32_t units)
{
    FB_ASSERT(units > 0);
    FB_ASSERT(units <= FB_UNITS_PER_CHUNK);
    for (uint32_t i = 0; i < FB_EVICT_TRIES_MAX; i++) {
        uint32_t first_unit = fb_extents_allocate(node_device_extents(node), units);
        if (first_unit != FB_NONE)
            return first_unit;
        if (!device_evict(node))
            return FB_NONE;
    }
    return FB_NONE;
}

/* Reserves a device entry for the block; FB_NONE when there is no room. */
static uint32_t device_insert(struct fb_node *node, const struct entry *source, struct fb_key key)
{
    struct fb_cache *cache = node_device_cache(node);
    FB_ASSERT(source->state == ENTRY_RESIDENT);
    if (fb_cache_count(cache) == node->device_entries_max && !device_evict(node))
        return FB_NONE;
    uint32_t first_unit = device_allocate(node, memory_units(node, source->size_bytes));
    if (first_unit == FB_NONE)
        return FB_NONE;
    uint32_t slot = fb_cache_insert(cache, key);
    FB_ASSERT(slot != FB_NONE);
    node_device_entries(node)[slot] = (struct device_entry){.digest = source->digest,
                                                            .first_unit = first_unit,
                                                            .size_bytes = source->size_bytes,
                                                            .pins = 1};
    return slot;
}

/* Takes the block of a header into the index. False: it is not sane, or there is no room. */
bool device_recover(struct fb_node *node, const struct fb_header *header)
{
    struct fb_cache *cache = node_device_cache(node);
    uint64_t first_unit = header->position / node->memory_unit_bytes;
    FB_ASSERT(node->device_entries_max > 0);
    FB_ASSERT(fb_cache_count(cache) <= node->device_entries_max);
    bool is_sane = header->digest != 0 && header->size > 0 &&
                   header->size <= node->config.block_size_bytes &&
                   header->position % node->memory_unit_bytes == 0 &&
                   fb_cache_find(cache, header->key) == FB_NONE &&
                   fb_cache_count(cache) < node->device_entries_max;
    if (!is_sane ||
        !fb_extents_take(node_device_extents(node), first_unit, memory_units(node, header->size)))
        return false;
    uint32_t slot = fb_cache_insert(cache, header->key);
    FB_ASSERT(slot != FB_NONE);
    node_device_entries(node)[slot] =
        (struct device_entry){.digest = header->digest,
                              .first_unit = (uint32_t)first_unit,
                              .size_bytes = header->size,
                              .is_owed = header->state == FB_HEADER_OWED,
                              .is_resident = 1};
    return true;
}

/* The write budget: a bucket of a second's worth of device_write_bytes_per_s. Flash wears out by
 * what is written, so what is cached on it is chosen by a rate that the drive bears for years. */
static bool budget_allows(const struct fb_node *node)
{
    enum { BUCKET_NS = 1000000000 };
    FB_ASSERT(node->device_entries_max > 0);
    return node->config.device_write_bytes_per_s == 0 ||
           node->device_ready_ns <= node->now_ns + BUCKET_NS;
}

static void budget_spend(struct fb_node *node, uint64_t size_bytes)
{
    uint64_t rate = node->config.device_write_bytes_per_s;
    FB_ASSERT(size_bytes > 0);
    if (rate == 0)
        return;
    if (node->device_ready_ns < node->now_ns)
        node->device_ready_ns = node->now_ns;
    node->device_ready_ns += size_bytes * 1000000000u / rate;
}

void device_write_begin(struct step *step, uint32_t slot, struct fb_key key,
                        const struct device_promise *promise)
{
    struct fb_node *node = step->node;
    if (node->device_entries_max == 0)
        return;
    if (fb_cache_find(node_device_cache(node), key) != FB_NONE)
        return;
    FB_ASSERT(step_room(step) > 0);
    struct entry *entry = &node_entries(node)[slot];
    uint32_t device_slot = FB_NONE;
    /* The budget is for what is merely useful. */
    if (node->write_free != FB_NONE && !node_is_recovering(node) &&
        (promise != NULL || budget_allows(node)))
        device_slot = device_insert(node, entry, key);
    if (device_slot == FB_NONE) {
        tell_why(node, FB_WHY_NOT_WRITTEN);
        node->stats.device_write_skips++;
        return;
    }
    uint32_t index = node->write_free;
    struct device_write *write = &node_writes(node)[index];
    node->write_free = write->next;
    node->writes_used++;
    write->slot = slot;
    write->device_slot = device_slot;
    write->writer = promise != NULL ? promise->writer : FB_NONE;
    write->hold_id = promise != NULL ? promise->hold_id : 0;
    memory_pin(node, slot);
    struct fb_op *op = step_op(step, FB_OP_WRITE);
    op->op_id = id_make(ID_WRITE, index, write->generation);
    op->span = memory_span(node, entry->first_unit, entry->size_bytes);
    op->source = device_span(node, device_slot);
    op->block = (struct fb_block){.key = key, .object = FB_OBJECT_NONE, .size = entry->size_bytes};
    write->is_owed = promise != NULL && promise->block != NULL;
    if (write->is_owed)
        op->block = *promise->block;
    op->digest = entry->digest;
    op->header_state = write->is_owed ? FB_HEADER_OWED : FB_HEADER_CLEAN;
    budget_spend(node, entry->size_bytes);
    node->stats.device_writes++;
    node->stats.device_write_bytes += entry->size_bytes;
}

/* A copy on the drive is no promise any more. A MARK that finds no room is only worth a store of
 * what is at the origin already, after a crash. */
void device_mark(struct step *step, uint32_t device_slot)
{
    FB_ASSERT(device_slot != FB_NONE);
    FB_ASSERT(node_device_entries(step->node)[device_slot].first_unit != FB_NONE);
    if (step_room(step) == 0)
        return;
    node_device_entries(step->node)[device_slot].is_owed = 0;
    struct fb_op *op = step_op(step, FB_OP_MARK);
    op->span = (struct fb_span){.region = FB_REGION_DEVICE, .peer = FB_NONE};
    op->source = device_span(step->node, device_slot);
    op->block = (struct fb_block){.object = FB_OBJECT_NONE};
}

/* Is the written copy what a record promises? */
static bool device_is_promised(struct fb_node *node, const struct device_write *write)
{
    const struct entry *entry = &node_entries(node)[write->slot];
    FB_ASSERT(write->device_slot != FB_NONE);
    return (entry->flags & ENTRY_DIRTY) &&
           node_dirty(node)[entry->fill].device_slot == write->device_slot;
}

void device_write_done(struct step *step, uint32_t index, uint32_t generation,
                       enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.device_writes_max);
    const struct device_write *write = &node_writes(node)[index];
    FB_ASSERT(write->generation == generation);
    struct device_entry *entry = &node_device_entries(node)[write->device_slot];
    FB_ASSERT(entry->pins > 0);
    entry->pins--;
    node->stats.device_errors += status != FB_OK;
    if (status == FB_OK && !entry->is_forgotten) {
        entry->is_resident = 1;
        entry->is_owed = write->is_owed & 1u;
    } else {
        if (write->is_owed)
            device_mark(step, write->device_slot);
        device_free(node, write->device_slot);
        fb_cache_remove(node_device_cache(node), write->device_slot);
    }
}

void device_write_end(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct device_write *write = &node_writes(node)[index];
    FB_ASSERT(index < node->config.device_writes_max);
    FB_ASSERT(node->writes_used > 0);
    bool is_resident = node_device_entries(node)[write->device_slot].is_resident;
    if (write->is_owed && is_resident && !device_is_promised(node, write))
        device_mark(step, write->device_slot); /* stored or forgotten meanwhile */
    memory_unpin(node, write->slot);
    memory_settle(node, write->slot);
    write->generation++;
    write->next = node->write_free;
    node->write_free = index;
    node->writes_used--;
}

void device_read_end(struct fb_node *node, uint32_t device_slot, bool is_bad)
{
    struct device_entry *entry = &node_device_entries(node)[device_slot];
    FB_ASSERT(entry->pins > 0);
    entry->pins--;
    if (is_bad)
        entry->is_resident = 0; /* found by nobody from now on */
    if (!entry->is_resident && entry->pins == 0) {
        device_free(node, device_slot);
        fb_cache_remove(node_device_cache(node), device_slot);
    }
}

void device_forget(struct fb_node *node, struct fb_key key)
{
    if (node->device_entries_max == 0)
        return;
    uint32_t slot = fb_cache_find(node_device_cache(node), key);
    if (slot == FB_NONE)
        return;
    struct device_entry *entry = &node_device_entries(node)[slot];
    FB_ASSERT(entry->is_resident || entry->pins > 0);
    if (entry->is_resident) {
        entry->pins++;
        device_read_end(node, slot, true); /* now, or with the last reader */
    } else {
        entry->is_forgotten = 1; /* of one that is read no more this says nothing new */
    }
}

void device_check(struct fb_node *node)
{
    if (node->device_entries_max == 0)
        return;
    fb_cache_check(node_device_cache(node));
    fb_extents_check(node_device_extents(node));
    for (uint32_t slot = 0; slot < node->device_entries_max; slot++) {
        const struct device_entry *entry = &node_device_entries(node)[slot];
        bool is_used = fb_cache_is_used(node_device_cache(node), slot);
        FB_ASSERT(is_used == (entry->first_unit != FB_NONE));
        if (!is_used)
            FB_ASSERT(entry->pins == 0);
        if (is_used && !entry->is_resident)
            FB_ASSERT(entry->pins > 0);
    }
}
