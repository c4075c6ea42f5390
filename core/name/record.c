/* A name's record: its 128-bit value and its size hold the facts. See name.h.
 *
 *     high: version | low: 60 state | 56 level | 32 block size in KiB | 0 node
 *
 * Another hand than a node's may have written one: what no node could have said is BAD. */
#include "core/name/name.h"

#include "core/limits.h"
#include "core/panic.h"

#include <stdbool.h>

enum { STATE_SHIFT = 60, LEVEL_SHIFT = 56, BLOCK_SHIFT = 32, BLOCK_BYTES = 1024 };

static const uint64_t block_mask = 0xffffff;

struct fb_meta fb_name_record(const struct fb_name_facts *facts, uint64_t expected_version)
{
    FB_ASSERT(facts->block_size_bytes / BLOCK_BYTES <= block_mask);
    FB_ASSERT(facts->state < FB_NAME_BAD && facts->level <= FB_LEVEL_COUNT);
    return (struct fb_meta){.version = expected_version,
                            .value = {.high = facts->version,
                                      .low = (uint64_t)facts->state << STATE_SHIFT |
                                             (uint64_t)facts->level << LEVEL_SHIFT |
                                             facts->block_size_bytes / BLOCK_BYTES << BLOCK_SHIFT |
                                             facts->node},
                            .size = facts->size};
}

struct fb_name_facts fb_name_removal(const struct fb_name_facts *facts, uint32_t keeper,
                                     uint64_t version, uint64_t written)
{
    bool is_cached = facts->state == FB_NAME_CACHED;
    FB_ASSERT(version > 0);
    FB_ASSERT(keeper != FB_NONE);
    return (struct fb_name_facts){.state = FB_NAME_REMOVED,
                                  .level = FB_LEVEL_COUNT,
                                  .node = keeper,
                                  .block_size_bytes = is_cached ? facts->block_size_bytes : 0,
                                  .version = version,
                                  .size = is_cached ? facts->version : written};
}

struct fb_meta fb_name_unread(uint64_t version)
{
    FB_ASSERT(version > 0);
    return (struct fb_meta){.version = version,
                            .value = {.low = (uint64_t)FB_NAME_BAD << STATE_SHIFT}};
}

struct fb_name_facts fb_name_read(const struct fb_meta *record)
{
    uint64_t low = record->value.low, state = low >> STATE_SHIFT;
    if (record->version == 0)
        return (struct fb_name_facts){.state = FB_NAME_ORIGIN, .node = FB_NONE};
    struct fb_name_facts facts = {.state = (enum fb_name_state)state,
                                  .level = (uint32_t)(low >> LEVEL_SHIFT) & 15,
                                  .node = (uint32_t)low,
                                  .block_size_bytes =
                                      (low >> BLOCK_SHIFT & block_mask) * BLOCK_BYTES,
                                  .version = record->value.high,
                                  .size = record->size};
    bool is_removal = facts.level == FB_LEVEL_COUNT;
    /* Blocks of less than a KiB, or of no whole ones, are rounded down. */
    bool is_possible =
        is_removal || facts.size / FB_NAME_BLOCKS_MAX <= facts.block_size_bytes + BLOCK_BYTES;
    bool is_sane = is_possible && state < FB_NAME_BAD && facts.level <= FB_LEVEL_COUNT &&
                   facts.version > 0 && facts.version < UINT64_MAX &&
                   (state != FB_NAME_REMOVED || is_removal) &&
                   (state != FB_NAME_CACHED || !is_removal);
    if (!is_sane)
        facts.state = FB_NAME_BAD;
    return facts;
}
