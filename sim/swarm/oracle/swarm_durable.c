/* What was promised: durable writes, what of them is at the origin, and what may be lost.
 *
 * A block of a version of an object is a key of its own; another version is another key of the
 * same partition. Its writers bring the same bytes, or, in some plans, two variants: then whole
 * ones of either are right, and mixtures never. What level and fault leave of a write is read from
 * the table of promise.h; who has copies is seen by swarm_copies.c. As long as one is left, a block
 * that was acknowledged must be at the origin when all is healed and quiet; what was never acked,
 * or was given up (FORGET), may be there. */
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

/* Numbers of objects that the second variants have their bytes of. */
enum { VARIANT_APART = 1 << 24 };

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

static uint32_t variant_of(const struct fb_swarm_request *what)
{
    return what->count / SWARM_VERSIONS / FB_LEVEL_VOLATILE % SWARM_VARIANTS;
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
    for (uint32_t variant = 0; variant < SWARM_VARIANTS; variant++)
        durable->contents[variant] =
            swarm_content(number + (uint64_t)variant * VARIANT_APART, place);
    request->content = durable->contents[variant_of(what)];
    if (what->verb == FB_SWARM_VERB_write)
        durable->attempted |= 1u << variant_of(what);
    request->block = (struct fb_block){
        .key = {.high = fb_mix(swarm_content(SWARM_WRITTEN_FIRST + object, place)),
                .low = version + 1},
        .object = number,
        .offset = place,
        .size = what->size};
    if (durable->block.size == 0)
        durable->block = request->block;
    request->block.size = durable->block.size; /* the same for all who name it */
    return durable;
}

void swarm_durable_abandon(struct swarm *swarm, const struct fb_swarm_request *what)
{
    uint32_t object = what->object % SWARM_WRITTEN_OBJECTS, version = what->count % SWARM_VERSIONS;
    for (uint32_t index = 0; index < SWARM_WRITTEN_BLOCKS; index++)
        durable_of(swarm, object, version, index)->is_forgotten = true;
}

/* The record of the block at this place, whatever its key; NULL: of no durable write. */
struct swarm_durable *swarm_durable_at(struct swarm *swarm, const struct fb_block *block)
{
    if (block->object < SWARM_WRITTEN_FIRST || block->object == FB_OBJECT_NONE)
        return NULL;
    uint64_t number = block->object - SWARM_WRITTEN_FIRST;
    uint64_t index = block->offset / swarm->plan->config.block_size_bytes;
    if (number >= SWARM_WRITTEN_OBJECTS * SWARM_VERSIONS || index >= SWARM_WRITTEN_BLOCKS)
        return NULL;
    return durable_of(swarm, (uint32_t)number / SWARM_VERSIONS, (uint32_t)number % SWARM_VERSIONS,
                      (uint32_t)index);
}

/* The record of a whole block; NULL: it is of no durable write. */
struct swarm_durable *swarm_durable_find(struct swarm *swarm, const struct fb_block *block)
{
    struct swarm_durable *durable = swarm_durable_at(swarm, block);
    return durable != NULL && fb_key_equal(durable->block.key, block->key) ? durable : NULL;
}

/* Which of the variants that somebody wrote lies in the span; FB_NONE: none does. */
static uint32_t variant_in(const struct swarm *swarm, const struct swarm_durable *durable,
                           const struct fb_span *span)
{
    for (uint32_t variant = 0; variant < SWARM_VARIANTS; variant++) {
        if (durable->attempted >> variant & 1u &&
            swarm_holds(swarm, span, durable->contents[variant]))
            return variant;
    }
    return FB_NONE;
}

/* A read of a written block: its content is the variant that it got, or the only one. */
void swarm_durable_read(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_span *span)
{
    const struct swarm_durable *durable = swarm_durable_find(swarm, &request->block);
    uint32_t variant = durable != NULL ? variant_in(swarm, durable, span) : FB_NONE;
    if (variant != FB_NONE)
        request->content = durable->contents[variant];
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
    uint32_t variant = variant_in(swarm, durable, &event->op.span);
    swarm_judge(swarm, FB_SWARM_CHECK_stored_bytes, variant != FB_NONE,
                "node %u stores other bytes as object %llu, offset %llu", event->node,
                (unsigned long long)block->object, (unsigned long long)block->offset);
    if (durable->is_stored)
        swarm_saw(swarm, FB_SWARM_SIGHT_stored_twice);
    durable->is_stored = true;
    durable->stored = variant != FB_NONE ? durable->contents[variant] : 0;
}

/* Can drives be relied on, so that only a drive that is replaced loses what is on it? */
bool swarm_drives_are_true(const struct fb_swarm_plan *plan)
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
    return true;
}

/* An answered write: what is promised from now on, and whether it is true now. */
void swarm_acked(struct swarm *swarm, const struct swarm_request *request)
{
    uint32_t node = request->what.node, level = swarm_level_of(&request->what);
    struct swarm_durable *durable = swarm_durable_find(swarm, &request->block);
    FB_ASSERT(durable != NULL);
    durable->is_acked = true;
    durable->acked_ns = swarm->now_ns;
    if (swarm_store_is_used(swarm) && !(swarm->view_mask >> node & 1u))
        swarm_saw(swarm, FB_SWARM_SIGHT_acked_dropped);
    durable->is_torn = false;
    uint32_t copies = swarm_copy_acked(swarm, durable, node);
    if (durable->is_stored)
        return;
    swarm_judge(swarm, FB_SWARM_CHECK_level_holds,
                fb_promise_medium((enum fb_level)level) != FB_MEDIUM_ORIGIN,
                "write %u is answered, and the origin does not have it",
                swarm_index(swarm, request));
    if (level == FB_LEVEL_MEMORY || durable->is_forgotten || swarm_is_coded(swarm, node))
        return;
    uint32_t promised = swarm_promised(swarm, level, request->copies);
    swarm_judge(swarm, FB_SWARM_CHECK_level_holds, copies >= promised,
                "write %u of level %u is answered with %u nodes that have it, not %u",
                swarm_index(swarm, request), level, copies, promised);
}

bool swarm_is_kept(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes)
{
    return durable->is_acked && !durable->is_forgotten && swarm_has_copy(swarm, durable, nodes);
}

/* All is healed and quiet: what is kept is at the origin. */
void swarm_check_kept(struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_DURABLES_MAX; i++) {
        const struct swarm_durable *durable = &swarm->durables[i];
        if (durable->block.size == 0 || !durable->is_acked)
            continue;
        bool is_kept = swarm_is_kept(swarm, durable, UINT32_MAX);
        if (!is_kept && !durable->is_stored)
            swarm_saw(swarm, FB_SWARM_SIGHT_lost_as_allowed);
        if (is_kept && durable->strikes > 0) {
            swarm_saw(swarm, FB_SWARM_SIGHT_kept_across_crash);
            swarm->result->judged += swarm->phase == PHASE_SETTLE;
        }
        swarm_judge(swarm, FB_SWARM_CHECK_acked_is_kept, durable->is_stored || !is_kept,
                    "object %llu (key %llx), offset %llu was acknowledged and is lost after %u of "
                    "its holders were struck; in memory at nodes %x, on drives of %x",
                    (unsigned long long)durable->block.object,
                    (unsigned long long)durable->block.key.high,
                    (unsigned long long)durable->block.offset, durable->strikes, durable->in_memory,
                    durable->on_drive);
    }
}
