/* What was promised: durable writes, what of them is at the origin, and what may be lost.
 *
 * A block of a version of an object is written by whoever likes, always with the same bytes, so
 * writers race but never contradict each other; another version is another key of the same
 * partition. The model of what is owed, a record a block:
 *
 *   acked at level     is kept while fewer nodes crashed since the request was sent than
 *     MEMORY           1
 *     REPLICATED       copies: write_quorum, or as many ranks as the writer saw; of an erasure
 *                      code: write_quorum, while the members are as many as fragments
 *     DEVICE           the same; or fewer drives were lost, if drives are told the truth
 *     ORIGIN           it is at the origin, at once and for ever
 *
 * Whatever is kept by these rules must be at the origin when all is healed and quiet, as written;
 * what was never acked, or was given up (FORGET), may be there. */
#include "sim/swarm_internal.h"

static struct swarm_durable *durable_of(struct swarm *swarm, uint32_t object, uint32_t version,
                                        uint32_t index)
{
    uint32_t at =
        ((object % SWARM_WRITTEN_OBJECTS) * SWARM_VERSIONS + version) * SWARM_WRITTEN_BLOCKS +
        index % SWARM_WRITTEN_BLOCKS;
    FB_ASSERT(at < SWARM_DURABLES_MAX);
    return &swarm->durables[at];
}

uint32_t swarm_level_of(const struct fb_swarm_request *what)
{
    return what->count / SWARM_VERSIONS % FB_LEVEL_VOLATILE;
}

/* The block that a request names, and its record. */
struct swarm_durable *swarm_durable_ask(struct swarm *swarm, struct swarm_request *request)
{
    const struct fb_swarm_request *what = &request->what;
    uint32_t version = what->count % SWARM_VERSIONS;
    uint32_t object = what->object % SWARM_WRITTEN_OBJECTS;
    uint32_t index = what->index % SWARM_WRITTEN_BLOCKS;
    uint64_t place = (uint64_t)index * swarm->plan->config.block_size_bytes;
    uint64_t number = SWARM_WRITTEN_FIRST + object * SWARM_VERSIONS + version;
    struct swarm_durable *durable = durable_of(swarm, object, version, index);
    request->content = swarm_content(number, place);
    request->block = (struct fb_block){
        .key = {.high = fb_mix(swarm_content(SWARM_WRITTEN_FIRST + object, place)),
                .low = version + 1},
        .object = number,
        .offset = place,
        .size = what->size};
    if (durable->block.size == 0) {
        durable->block = request->block;
        durable->content = request->content;
    }
    request->block.size = durable->block.size; /* the same for all who name it */
    return durable;
}

/* The record of what the origin is asked for; NULL: it is of no durable write. */
struct swarm_durable *swarm_durable_find(struct swarm *swarm, const struct fb_block *block)
{
    if (block->object < SWARM_WRITTEN_FIRST || block->object == FB_OBJECT_NONE)
        return NULL;
    uint32_t number = (uint32_t)(block->object - SWARM_WRITTEN_FIRST);
    if (number >= SWARM_WRITTEN_OBJECTS * SWARM_VERSIONS)
        return NULL;
    uint64_t index = block->offset / swarm->plan->config.block_size_bytes;
    struct swarm_durable *durable =
        durable_of(swarm, number / SWARM_VERSIONS, number % SWARM_VERSIONS, (uint32_t)index);
    return fb_key_equal(durable->block.key, block->key) ? durable : NULL;
}

/* A store has reached the origin. */
void swarm_stored(struct swarm *swarm, const struct swarm_event *event)
{
    struct swarm_durable *durable = swarm_durable_find(swarm, &event->op.block);
    const struct fb_block *block = &event->op.block;
    bool is_known = durable != NULL && durable->block.size == event->op.span.size;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_stored_bytes, is_known,
                     "node %u stores %llu bytes of object %llu, which nobody wrote", event->node,
                     (unsigned long long)event->op.span.size, (unsigned long long)block->object))
        return;
    bool is_right = swarm_holds(swarm, &event->op.span, durable->content);
    swarm_judge(swarm, FB_SWARM_CHECK_stored_bytes, is_right,
                "node %u stores other bytes as object %llu, offset %llu", event->node,
                (unsigned long long)block->object, (unsigned long long)block->offset);
    if (durable->is_stored)
        swarm_saw(swarm, FB_SWARM_SIGHT_stored_twice);
    durable->is_stored = true;
}

/* Can drives be relied on, so that only a drive that is replaced loses what is on it? */
static bool drives_are_true(const struct fb_swarm_plan *plan)
{
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        switch (plan->faults[i].kind) {
        case FB_SWARM_FAULT_torn_write:
        case FB_SWARM_FAULT_lost_write:
        case FB_SWARM_FAULT_misdirected_write:
        case FB_SWARM_FAULT_corrupt_read:
        case FB_SWARM_FAULT_read_error:
            return false;
        default:
            break;
        }
    }
    return plan->config.recover != 0;
}

static bool is_coded(const struct swarm *swarm, uint32_t node)
{
    const struct fb_config *config = &swarm->plan->config;
    return config->erasure_data > 0 && swarm->nodes[node].view != NULL && !config->place_local &&
           config->use_peers;
}

/* Nodes that must have it before a write of this node is answered. */
static uint32_t copies_of(const struct swarm *swarm, uint32_t node, struct fb_key key)
{
    const struct fb_config *config = &swarm->plan->config;
    const struct fb_view *view = swarm->nodes[node].view;
    uint32_t count = 0, fragments = (uint32_t)(config->erasure_data + config->erasure_parity);
    if (config->place_local || view == NULL)
        return 1;
    if (is_coded(swarm, node)) /* fewer members than fragments: one may have several */
        return swarm->members_min >= fragments ? (uint32_t)config->write_quorum : 1;
    for (uint32_t rank = 0; rank < config->replicas; rank++)
        count += fb_view_owner(view, key, rank) != FB_NONE;
    return count < config->write_quorum ? count : (uint32_t)config->write_quorum;
}

/* Does the node's drive have the block, as a header says and its words show? */
static bool drive_has(const struct swarm *swarm, const struct swarm_node *host,
                      const struct swarm_durable *durable)
{
    uint64_t cursor = 0;
    struct fb_header header;
    while (fb_header_scan(host->pages, host->chunks, &cursor, &header)) {
        if (!fb_key_equal(header.key, durable->block.key))
            continue;
        const uint64_t *words = host->device + header.position / swarm->unit_bytes;
        uint32_t count = swarm_units(swarm, header.size), i = 0;
        while (i < count && words[i] == swarm_word(durable->content, i))
            i++;
        if (i == count && header.size == durable->block.size)
            return true;
    }
    return false;
}

/* Nodes that have the whole block now, in memory or, for DEVICE, on their drives. */
static uint32_t holders_of(const struct swarm *swarm, const struct swarm_durable *durable,
                           uint32_t level)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        const struct swarm_node *host = &swarm->nodes[node];
        bool has = host->is_up && fb_node_holds(host->core, durable->block.key);
        if (level == FB_LEVEL_DEVICE)
            has = drive_has(swarm, host, durable);
        count += has;
    }
    return count;
}

/* An answered write: what is promised from now on, and whether it is true now. */
void swarm_acked(struct swarm *swarm, const struct swarm_request *request)
{
    uint32_t node = request->what.node, level = swarm_level_of(&request->what);
    struct swarm_durable *durable = swarm_durable_find(swarm, &request->block);
    FB_ASSERT(durable != NULL);
    uint32_t copies = level == FB_LEVEL_MEMORY ? 1 : copies_of(swarm, node, durable->block.key);
    bool is_calm = request->crashes == swarm->crashes && !durable->is_forgotten;
    bool is_true = drives_are_true(swarm->plan);
    durable->is_acked = true;
    if (durable->crashes_max < request->crashes + copies)
        durable->crashes_max = request->crashes + copies;
    if (level == FB_LEVEL_DEVICE && is_true && !is_coded(swarm, node) &&
        durable->drives_max < request->drives_lost + copies)
        durable->drives_max = request->drives_lost + copies;
    if (durable->is_stored)
        return;
    swarm_judge(swarm, FB_SWARM_CHECK_level_holds, level != FB_LEVEL_ORIGIN,
                "write %u is answered, and the origin does not have it",
                swarm_index(swarm, request));
    bool is_countable = is_calm && !is_coded(swarm, node) &&
                        (level == FB_LEVEL_REPLICATED || (level == FB_LEVEL_DEVICE && is_true));
    if (!is_countable)
        return;
    uint32_t held = holders_of(swarm, durable, level);
    swarm_judge(swarm, FB_SWARM_CHECK_level_holds, held >= copies,
                "write %u of level %u is answered with %u nodes that have it, not %u",
                swarm_index(swarm, request), level, held, copies);
}

/* The fault has struck a digest. */
void swarm_doubt(struct swarm *swarm, const struct fb_block *block)
{
    struct swarm_durable *durable = swarm_durable_find(swarm, block);
    if (durable != NULL)
        durable->is_doubtful = true;
}

/* Nobody but its writer digests all of a block of which others hold fragments. When that came out
 * wrong no block that is made of them can be trusted, and it is lost with its writer. */
bool swarm_is_kept(const struct swarm *swarm, const struct swarm_durable *durable)
{
    bool is_trusted = swarm->plan->config.erasure_data == 0 || !durable->is_doubtful;
    return durable->is_acked && !durable->is_forgotten && is_trusted &&
           (swarm->crashes < durable->crashes_max || swarm->drives_lost < durable->drives_max);
}

/* All is healed and quiet: what is kept is at the origin. */
void swarm_check_kept(struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        const struct swarm_durable *durable = &swarm->durables[i];
        if (durable->block.size == 0 || !durable->is_acked)
            continue;
        bool is_kept = swarm_is_kept(swarm, durable);
        if (!is_kept && !durable->is_stored)
            swarm_saw(swarm, FB_SWARM_SIGHT_lost_as_allowed);
        if (is_kept && swarm->crashes > 0)
            swarm_saw(swarm, FB_SWARM_SIGHT_kept_across_crash);
        swarm_judge(swarm, FB_SWARM_CHECK_acked_is_kept, durable->is_stored || !is_kept,
                    "object %llu, offset %llu was acknowledged and is lost after %u crashes and "
                    "%u lost drives; it is to outlast %u, or %u",
                    (unsigned long long)durable->block.object,
                    (unsigned long long)durable->block.offset, swarm->crashes, swarm->drives_lost,
                    durable->crashes_max, durable->drives_max);
    }
}
