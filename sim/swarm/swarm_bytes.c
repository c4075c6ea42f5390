/* What is in memory and on devices: a word for each unit. The word of a unit of an object is a hash
 * of (object, offset, unit); what nobody should read is poison, different each time. */
#include "sim/swarm/swarm_internal.h"

uint64_t swarm_content(uint64_t object, uint64_t offset)
{
    return fb_mix(fb_mix(object + 1) ^ fb_mix(offset + UINT64_C(0x9e3779b97f4a7c15)));
}

uint64_t swarm_word(uint64_t content, uint32_t unit)
{
    FB_ASSERT(unit < FB_UNITS_PER_CHUNK);
    return fb_mix(content + unit * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

uint32_t swarm_units(const struct swarm *swarm, uint64_t size_bytes)
{
    return (uint32_t)((size_bytes + swarm->unit_bytes - 1) / swarm->unit_bytes);
}

uint64_t swarm_digest(const uint64_t *words, uint32_t count, uint64_t size_bytes)
{
    uint64_t digest = size_bytes;
    for (uint32_t i = 0; i < count; i++)
        digest = fb_mix(digest ^ words[i]) + i;
    return digest;
}

/* Even words: no content has them. */
void swarm_poison(struct swarm *swarm, uint32_t node, uint64_t *words, uint32_t count)
{
    uint64_t poison = swarm_draw(swarm, node, UINT64_C(1) << 62) << 1;
    for (uint32_t i = 0; i < count; i++)
        words[i] = poison + 2 * (uint64_t)i;
}

bool swarm_place(struct swarm *swarm, uint32_t node, const struct fb_span *span, uint32_t region,
                 uint32_t *first)
{
    const struct fb_config *config = &swarm->plan->config;
    uint64_t region_bytes =
        region == FB_REGION_DEVICE ? config->device_size_bytes : config->memory_size_bytes;
    bool is_sane = span->region == region && span->peer == node && span->size > 0 &&
                   span->offset % swarm->unit_bytes == 0 && span->offset < region_bytes &&
                   span->size <= region_bytes - span->offset;
    *first = (uint32_t)(span->offset / swarm->unit_bytes);
    return swarm_judge(swarm, FB_SWARM_CHECK_span_in_bounds, is_sane,
                       "node %u: span of %llu bytes at %llu, region %u of node %u", node,
                       (unsigned long long)span->size, (unsigned long long)span->offset,
                       span->region, span->peer);
}

/* Does a span of memory hold this content from its first to its last unit? */
bool swarm_holds(const struct swarm *swarm, const struct fb_span *span, uint64_t content)
{
    FB_ASSERT(span->peer < swarm->plan->nodes);
    const uint64_t *words = swarm->nodes[span->peer].memory + span->offset / swarm->unit_bytes;
    uint32_t count = swarm_units(swarm, span->size);
    for (uint32_t i = 0; i < count; i++) {
        if (words[i] != swarm_word(content, i))
            return false;
    }
    return true;
}
