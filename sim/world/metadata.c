/* The metadata store: names and their records, compare-and-swap (R14).
 *
 *     META_GET, META_PUT  one-way latency -> operation limit -> applied -> latency of a read or of
 *                         a commit -> one-way latency -> DONE
 *
 * One table stands for all of the store's machines: what they cost is in the component's numbers.
 * It never fails; what the core does with silence and conflicts is shown by
 * tests/core/name/test_meta.c. */
#include "sim/world/world_internal.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"

#include <stdlib.h>

struct named {
    struct fb_key key;
    struct fb_meta record; /* version 0: the place is empty */
};

struct metadata { /* open addressing, a power of two of places */
    struct named *places;
    uint64_t mask, count, operations;
    struct fb_station *gate;
};

static struct named *place_of(struct named *places, uint64_t mask, struct fb_key key)
{
    FB_ASSERT((mask & (mask + 1)) == 0);
    uint64_t at = fb_key_hash(key) & mask;
    while (places[at].record.version != 0 && !fb_key_equal(places[at].key, key))
        at = (at + 1) & mask;
    return &places[at];
}

static void metadata_grow(struct world *world)
{
    struct metadata *metadata = world->metadata;
    uint64_t mask = metadata->mask * 2 + 1;
    struct named *places = fb_allocate(mask + 1, sizeof(*places), "metadata", NULL);
    for (uint64_t i = 0; i <= metadata->mask; i++) {
        if (metadata->places[i].record.version != 0)
            *place_of(places, mask, metadata->places[i].key) = metadata->places[i];
    }
    FB_ASSERT(metadata->count * 2 <= mask);
    free(metadata->places);
    metadata->places = places;
    metadata->mask = mask;
}

void world_metadata_open(struct world *world)
{
    if (world->scenario->metadata.operations_per_s == 0)
        return;
    struct metadata *metadata = fb_allocate(1, sizeof(*metadata), "metadata", world->error);
    struct named *places = fb_allocate(64, sizeof(*places), "metadata", world->error);
    if (metadata == NULL || places == NULL) {
        free(metadata);
        free(places);
        return;
    }
    *metadata = (struct metadata){.places = places, .mask = 63};
    metadata->gate = world_gate_open(world, world->scenario->metadata.operations_per_s);
    world->metadata = metadata;
}

void world_metadata_close(struct world *world)
{
    if (world->metadata == NULL)
        return;
    free(world->metadata->places);
    free(world->metadata->gate);
    free(world->metadata);
}

uint64_t world_metadata_operations(const struct world *world)
{
    return world->metadata != NULL ? world->metadata->operations : 0;
}

void world_metadata_begin(struct world *world, uint32_t node, uint64_t at_ns,
                          const struct fb_op *op)
{
    if (world->metadata == NULL) {
        world_fault(world, "a metadata op, but the cluster has no `metadata:`", node);
        return;
    }
    uint32_t index = world_pending(world, PENDING_METADATA, node);
    world->pending[index].op = *op;
    world_timer(world, at_ns + world_far_way_ns(world, node, true), index);
}

void world_metadata_arrive(struct world *world, uint32_t index)
{
    struct metadata *metadata = world->metadata;
    const struct fb_op op = world->pending[index].op;
    const struct fb_metadata *model = &world->scenario->metadata;
    bool is_put = op.kind == FB_OP_META_PUT;
    FB_ASSERT(is_put || op.kind == FB_OP_META_GET);
    if (metadata->count * 2 > metadata->mask)
        metadata_grow(world);
    struct named *place = place_of(metadata->places, metadata->mask, op.block.key);
    struct fb_done done = {.op_id = op.op_id, .status = FB_OK};
    metadata->operations++;
    if (is_put && place->record.version != op.record.version) {
        done.status = FB_CONFLICT;
    } else if (is_put) {
        metadata->count += place->record.version == 0;
        *place = (struct named){.key = op.block.key, .record = op.record};
        place->record.version++;
        FB_ASSERT(metadata->count <= metadata->mask);
    } else if (place->record.version == 0) {
        done.status = FB_ABSENT;
    }
    done.record = place->record;
    uint64_t at_ns = fb_station_submit(metadata->gate, world_now_ns(world), FB_STATION_READ, 0) +
                     (is_put ? model->commit_latency_ns : model->read_latency_ns) +
                     world_far_way_ns(world, world->pending[index].node, false);
    world->pending[index].kind = PENDING_EVENT;
    world->pending[index].event = (struct fb_event){.kind = FB_EVENT_DONE, .done = done};
    world_timer(world, at_ns, index);
}
