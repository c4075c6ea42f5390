/* What a client will read soon: the epoch's order is known, so its next blocks can be on their way
 * before they are asked for.
 *
 *     prefetch_request --present or on its way--> nothing
 *          '--fewer than a quarter of the fills free, no memory--> skipped
 *          '--else--> a fill without waiters; a get that comes meanwhile joins it
 *
 * A hint is never answered, never queued, and takes nothing that a reader waits for: the last
 * quarter of the fills is theirs. */
#include "core/read/read.h"
#include "core/tier/tier.h"

void prefetch_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    const struct fb_block *block = &request->block;
    FB_ASSERT(request->kind == FB_REQUEST_PREFETCH);
    FB_ASSERT(step_room(step) >= STEP_ITEM_OPS_MAX);
    node->stats.prefetches++;
    bool is_sane = block->size > 0 && block->size <= node->config.block_size_bytes &&
                   tenant_is_known(node, block->tenant);
    if (!is_sane || memory_find(node, block->key) != FB_NONE)
        return;
    uint32_t fill = FB_NONE;
    if (node->fills_used < node->config.fills_max - node->config.fills_max / 4)
        fill = fill_begin(node, block, FILL_PREFETCH);
    if (fill == FB_NONE) {
        node->stats.prefetch_skips++;
        return;
    }
    attempt_start(step, fill);
}
