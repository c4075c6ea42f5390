/* Where the parts of a node's state are, how large they are for a config, and their first content.
 * One list of parts serves the size, the offsets, and the scale preset's compile-time check. */
#include "core/node/node.h"
#include "core/state/step.h"

#include "core/key.h"

#include <string.h>

/* X(where its offset is kept, bytes), in the order in which they follow the header. N(name) is the
 * number of records: of a config, or of the scale preset. All sizes are multiples of 8. */
#define NODE_PARTS(X, N) \
    X(cache_offset, FB_CACHE_SIZE_BYTES(N(memory_entries))) \
    X(extents_offset, FB_EXTENTS_SIZE_BYTES(N(memory_chunks))) \
    X(entries_offset, N(memory_entries) * sizeof(struct entry)) \
    X(device_cache_offset, N(device_entries) > 0 ? FB_CACHE_SIZE_BYTES(N(device_entries)) : 0) \
    X(device_extents_offset, N(device_entries) > 0 ? FB_EXTENTS_SIZE_BYTES(N(device_chunks)) : 0) \
    X(device_entries_offset, N(device_entries) * sizeof(struct device_entry)) \
    X(fills_offset, N(fills) * sizeof(struct fill)) \
    X(attempts_offset, N(fills) * FB_ATTEMPTS_MAX * sizeof(struct attempt)) \
    X(waiters_offset, N(waiters) * sizeof(struct waiter)) \
    X(lends_offset, N(lends) * sizeof(struct lend)) \
    X(writes_offset, N(device_writes) * sizeof(struct device_write)) \
    X(matches_offset, N(matches) * sizeof(struct match)) \
    X(puts_offset, N(puts) * sizeof(struct put)) \
    X(dirty_offset, N(dirty) * sizeof(struct dirty)) \
    X(gathers_offset, N(gathers) * sizeof(struct gather)) \
    X(ranges_offset, N(gather_ranges) * sizeof(struct gather_range)) \
    X(metas_offset, N(metas) * sizeof(struct meta)) \
    X(tags_offset, N(tenants) > 0 ? N(memory_entries) * sizeof(struct tag) : 0) \
    X(tenants_offset, N(tenants) * sizeof(struct tenant)) \
    X(branches_offset, N(leaves_first) ? N(memory_entries) * sizeof(struct branch) : 0) \
    X(pins_offset, N(pins) * sizeof(struct pin)) \
    X(fragments_offset, N(fragments) * sizeof(struct fragment)) \
    X(codes_offset, N(codes) * sizeof(struct code)) \
    X(mends_offset, N(mends) * sizeof(struct mend)) \
    X(names_offset, N(names) * sizeof(struct name)) \
    X(bad_names_offset, N(names) * sizeof(struct bad_name)) \
    X(abandoned_offset, N(names) * sizeof(uint64_t)) \
    X(timer_offset, \
      FB_TIMER_SIZE_BYTES(N(fills) * FB_ATTEMPTS_MAX + N(matches) + N(puts) + N(gathers) + \
                          N(metas) + TIMERS_SINGLE + N(mends) + N(names)))

/* The oldest loan, the drain, the pins, the scan's pause, the list of unfinished names. */
enum { TIMERS_SINGLE = 5 };

/* The scale preset (fb_config_init_scale): 64 chunks and 128 blocks a tier. */
enum {
    SCALE_memory_chunks = 64,
    SCALE_memory_entries = 128,
    SCALE_device_chunks = 64,
    SCALE_device_entries = 128,
    SCALE_fills = 48,
    SCALE_waiters = 192,
    SCALE_lends = 96,
    SCALE_device_writes = 16,
    SCALE_matches = 8,
    SCALE_puts = 8,
    SCALE_dirty = 24,
    SCALE_gathers = 0,
    SCALE_gather_ranges = 0,
    SCALE_metas = 2,
    SCALE_tenants = 0,
    SCALE_leaves_first = 0,
    SCALE_pins = 0,
    SCALE_fragments = 0,
    SCALE_codes = 0,
    SCALE_mends = 0,
    SCALE_names = 0,
    SCALE_SIZE_BYTES_MAX = 64 * 1024
};

#define SCALE_COUNT(name) (uint64_t) SCALE_##name
#define PART_BYTES(offset, bytes) +(bytes)
static_assert(sizeof(struct fb_node) NODE_PARTS(PART_BYTES, SCALE_COUNT) <= SCALE_SIZE_BYTES_MAX,
              "an idle node of the scale preset fits 64 KiB");

#define PART_IS_ALIGNED(offset, bytes) &&(bytes) % 8 == 0
static_assert(sizeof(struct fb_node) % 8 == 0 NODE_PARTS(PART_IS_ALIGNED, SCALE_COUNT),
              "parts follow each other 8-aligned");

struct counts {
    uint64_t memory_chunks, memory_entries, device_chunks, device_entries;
    uint64_t fills, waiters, lends, device_writes, matches, puts, dirty;
    uint64_t gathers, gather_ranges, metas, tenants, leaves_first, pins;
    uint64_t fragments, codes, mends, names;
};

static uint64_t count_entries(uint64_t given, uint64_t chunks, uint64_t least)
{
    FB_ASSERT(chunks < UINT32_MAX / 2);
    uint64_t entries = given > 0 ? given : 2 * chunks;
    if (given == 0 && entries < least)
        entries = least;
    FB_ASSERT(entries < UINT32_MAX);
    return entries;
}

static struct counts counts_of(const struct fb_config *config)
{
    FB_ASSERT(config->block_size_bytes > 0);
    struct counts counts = {
        .memory_chunks = config->memory_size_bytes / config->block_size_bytes,
        .device_chunks = config->device_size_bytes / config->block_size_bytes,
        .fills = config->fills_max,
        .waiters = config->waiters_max,
        .lends = config->lends_max,
        .device_writes = config->device_writes_max,
        .matches = config->matches_max,
        .puts = config->puts_max,
        .dirty = config->dirty_max,
        .gathers = config->gathers_max,
        .gather_ranges = config->gather_ranges_max,
        .metas = config->metas_max,
        .tenants = config->tenants_max,
        .leaves_first = config->leaves_first,
        .pins = config->pins_max,
        .names = config->names_max,
    };
    if (config->erasure_data > 0) {
        counts.fragments = config->dirty_max + config->fills_max;
        counts.codes = config->puts_max;
        counts.mends = config->mends_max;
    }
    counts.memory_entries = count_entries(config->memory_entries_max, counts.memory_chunks, 64);
    if (counts.device_chunks > 0)
        counts.device_entries = count_entries(config->device_entries_max, counts.device_chunks, 64);
    FB_ASSERT(counts.memory_entries > 0);
    return counts;
}

#define GIVEN_COUNT(name) counts.name

uint64_t fb_node_size_bytes(const struct fb_config *config)
{
    if (fb_config_fault(config) != NULL)
        return 0;
    const struct counts counts = counts_of(config);
    FB_ASSERT(counts.memory_chunks > 0);
    FB_ASSERT(counts.fills > 0);
    return sizeof(struct fb_node) NODE_PARTS(PART_BYTES, GIVEN_COUNT);
}

uint64_t fb_node_scale_size_bytes(void)
{
    struct fb_config config;
    fb_config_init_scale(&config);
    FB_ASSERT(fb_config_fault(&config) == NULL);
    uint64_t size_bytes = fb_node_size_bytes(&config);
    FB_ASSERT(size_bytes == sizeof(struct fb_node) NODE_PARTS(PART_BYTES, SCALE_COUNT));
    return size_bytes;
}

static void node_lay_out(struct fb_node *node, struct counts counts)
{
    uint64_t end = sizeof(struct fb_node);
    node->memory_entries_max = (uint32_t)counts.memory_entries;
    node->device_entries_max = (uint32_t)counts.device_entries;
#define PART_TAKE(offset, bytes) \
    node->offset = end; \
    end += (bytes);
    NODE_PARTS(PART_TAKE, GIVEN_COUNT)
#undef PART_TAKE
    FB_ASSERT(end == node->size_bytes);
    FB_ASSERT(end % 8 == 0);
}

/* Where a slot's generations begin: anywhere, so that an answer to what this node asked before it
 * lost its memory meets no id of this life (R10). */
static uint32_t generation_first(struct fb_node *node)
{
    uint32_t generation = (uint32_t)fb_random_below(&node->random, UINT32_MAX);
    FB_ASSERT(generation < UINT32_MAX);
    return generation;
}

static void node_init_pools(struct fb_node *node)
{
    const struct fb_config *config = &node->config;
    for (uint32_t i = 0; i < config->fills_max; i++)
        node_fills(node)[i].next = i + 1 < config->fills_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->fills_max * FB_ATTEMPTS_MAX; i++)
        node_attempts(node)[i] = (struct attempt){.generation = generation_first(node),
                                                  .peer = FB_NONE,
                                                  .first_unit = FB_NONE,
                                                  .device_slot = FB_NONE};
    for (uint32_t i = 0; i < config->waiters_max; i++)
        node_waiters(node)[i].next = i + 1 < config->waiters_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->lends_max; i++)
        node_lends(node)[i] = (struct lend){.generation = generation_first(node),
                                            .slot = FB_NONE,
                                            .newer = i + 1 < config->lends_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->device_writes_max; i++)
        node_writes(node)[i].next = i + 1 < config->device_writes_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; i < config->puts_max; i++)
        node_puts(node)[i] = (struct put){.generation = generation_first(node),
                                          .slot = FB_NONE,
                                          .next = i + 1 < config->puts_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->dirty_max; i++)
        node_dirty(node)[i] =
            (struct dirty){.slot = FB_NONE, .newer = i + 1 < config->dirty_max ? i + 1 : FB_NONE};
    for (uint32_t i = 0; i < config->matches_max; i++)
        node_matches(node)[i].generation = generation_first(node);
    for (uint32_t i = 0; i < config->tenants_max; i++)
        node_tenants(node)[i] = (struct tenant){.oldest = FB_NONE, .newest = FB_NONE};
    for (uint32_t i = 0; i < config->gathers_max; i++)
        node_gathers(node)[i].head = FB_NONE;
    for (uint32_t i = 0; i < config->gather_ranges_max; i++)
        node_ranges(node)[i].next = i + 1 < config->gather_ranges_max ? i + 1 : FB_NONE;
    for (uint32_t i = 0; config->erasure_data > 0 && i < config->puts_max; i++)
        node_codes(node)[i] =
            (struct code){.generation = generation_first(node), .parity_unit = FB_NONE};
    for (uint32_t i = 0; i < mend_count(node); i++)
        node_mends(node)[i].generation = generation_first(node);
    node->range_free = config->gather_ranges_max > 0 ? 0 : FB_NONE;
    node->put_free = 0;
    node->dirty_free = 0;
    node->dirty_oldest = FB_NONE;
    node->dirty_newest = FB_NONE;
    node->drain_next = FB_NONE;
    node->drain_look_ns = FB_NEVER_NS;
    node->repair_next = FB_NONE;
    node->fill_free = 0;
    node->waiter_free = 0;
    node->lend_free = 0;
    node->write_free = config->device_writes_max > 0 ? 0 : FB_NONE;
    node->work_head = FB_NONE;
    node->work_tail = FB_NONE;
    node->lend_oldest = FB_NONE;
    node->lend_newest = FB_NONE;
    node->fetch_oldest = FB_NONE;
    node->fetch_newest = FB_NONE;
    FB_ASSERT(node->fills_used == 0);
    FB_ASSERT(node->pins_used == 0);
}

enum fb_status fb_node_init(struct fb_node *node, uint64_t size_bytes,
                            const struct fb_config *config, uint64_t seed)
{
    uint64_t needed_bytes = fb_node_size_bytes(config);
    if (needed_bytes == 0 || size_bytes < needed_bytes)
        return FB_INVALID;
    FB_ASSERT((uintptr_t)node % 8 == 0);
    const struct counts counts = counts_of(config);
    memset(node, 0, needed_bytes);
    node->config = *config;
    node->size_bytes = needed_bytes;
    node->memory_unit_bytes =
        (config->block_size_bytes + FB_UNITS_PER_CHUNK - 1) / FB_UNITS_PER_CHUNK;
    node_lay_out(node, counts);
    fb_random_init(&node->random, seed);
    node->version_count = (uint32_t)fb_mix(seed); /* another life begins elsewhere */
    fb_cache_init(node_cache(node), node->memory_entries_max, (enum fb_policy)config->policy);
    fb_extents_init(node_extents(node), (uint32_t)counts.memory_chunks);
    for (uint32_t i = 0; i < node->memory_entries_max; i++)
        node_entries(node)[i] = (struct entry){.first_unit = FB_NONE, .fill = FB_NONE};
    if (node->device_entries_max > 0) {
        fb_cache_init(node_device_cache(node), node->device_entries_max,
                      (enum fb_policy)config->device_policy);
        fb_extents_init(node_device_extents(node), (uint32_t)counts.device_chunks);
        for (uint32_t i = 0; i < node->device_entries_max; i++)
            node_device_entries(node)[i] = (struct device_entry){.first_unit = FB_NONE};
    }
    fb_timer_init(node_timer(node), timer_count(node));
    node_init_pools(node);
    for (uint32_t i = 0; i < config->names_max; i++)
        node_names(node)[i].generation = generation_first(node);
    FB_ASSERT(fb_node_deadline_ns(node) == 0);
    return FB_OK;
}
