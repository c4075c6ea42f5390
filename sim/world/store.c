/* Stores to the origin, and the set of what has been stored.
 *
 *     STORE  one-way latency -> request limit of the account -> flow, and the node's work on it
 *            -> first-byte latency -> DONE
 *
 * Only blocks of objects from WORLD_WRITTEN on are remembered; others are taken to be there. A
 * store counts only when all of it has arrived: nothing half-written is ever found. */
#include "base/memory.h"
#include "sim/world/world_clients.h"
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

struct stored { /* open addressing; 0: empty. Content tags are never 0 */
    uint64_t *tags;
    uint64_t mask, count;
};

static bool stored_find(const struct stored *stored, uint64_t tag, uint64_t *at)
{
    for (*at = tag & stored->mask; stored->tags[*at] != 0; *at = (*at + 1) & stored->mask) {
        if (stored->tags[*at] == tag)
            return true;
    }
    return false;
}

static void stored_grow(struct world *world)
{
    struct stored *stored = world->stored;
    struct stored grown = {.mask = stored->mask * 2 + 1, .count = stored->count};
    grown.tags = fb_allocate(grown.mask + 1, sizeof(*grown.tags), "what the origin stores", NULL);
    for (uint64_t i = 0; i <= stored->mask; i++) {
        uint64_t at;
        if (stored->tags[i] != 0 && !stored_find(&grown, stored->tags[i], &at))
            grown.tags[at] = stored->tags[i];
    }
    free(stored->tags);
    *stored = grown;
}

static void stored_add(struct world *world, uint64_t tag)
{
    uint64_t at;
    if (world->stored == NULL) {
        world->stored = fb_allocate(1, sizeof(*world->stored), "what the origin stores", NULL);
        world->stored->mask = 1023;
        world->stored->tags =
            fb_allocate(1024, sizeof(*world->stored->tags), "what the origin stores", NULL);
    }
    if (world->stored->count * 2 > world->stored->mask)
        stored_grow(world);
    if (stored_find(world->stored, tag, &at))
        return;
    world->stored->tags[at] = tag;
    world->stored->count++;
}

bool world_is_stored(const struct world *world, const struct fb_block *block)
{
    uint64_t at;
    return world->stored != NULL && stored_find(world->stored, world_tag_of(block), &at);
}

void world_store_close(struct world *world)
{
    if (world->stored == NULL)
        return;
    free(world->stored->tags);
    free(world->stored);
}

void world_store_begin(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    uint32_t index = world_pending(world, PENDING_STORE_ARRIVE, node);
    world->pending[index].op = *op;
    world->pending[index].account = (uint32_t)(op->block.object % world->scenario->origin.accounts);
    world_timer(world, at_ns + world_far_way_ns(world, node, true), index);
}

void world_store_arrive(struct world *world, uint32_t index)
{
    struct pending *pending = &world->pending[index];
    const struct fb_origin_model *origin = &world->scenario->origin;
    struct account *account = &world->accounts[pending->account];
    uint64_t now_ns = world_now_ns(world);
    uint32_t parts = world_parts(world, pending->op.span.size);
    if (account->in_flight + parts > origin->requests_max) {
        account->throttled++;
        pending->kind = PENDING_EVENT;
        uint64_t op_id = pending->op.op_id;
        pending->event = (struct fb_event){.kind = FB_EVENT_DONE,
                                           .done = {.op_id = op_id, .status = FB_THROTTLED}};
        world_timer(world, now_ns + origin->latency_ns, index);
        return;
    }
    account->in_flight += parts;
    fb_station_submit_many(account->gate, now_ns, FB_STATION_READ, 0, parts);
    pending->kind = PENDING_STORE_FLOW;
    pending->detail = world_origin_begin(world, pending->node, &pending->op);
    fb_engine_transfer(world->engine, world_front(world, pending->node),
                       world->scenario->nodes + pending->account, pending->op.span.size,
                       (uint64_t)pending->node << 32 | index);
}

/* The node has not sent all of it yet. */
static void store_wait(struct world *world, const struct pending *pending)
{
    uint32_t index = world_pending(world, PENDING_STORE_FLOW, pending->node);
    struct pending *waiting = &world->pending[index];
    waiting->op = pending->op;
    waiting->account = pending->account;
    waiting->life = pending->life;
    waiting->detail = 0;
    world_timer(world, pending->detail, index);
}

void world_store_end(struct world *world, uint32_t index, enum fb_status status)
{
    struct pending pending = world->pending[index];
    const struct fb_op *op = &pending.op;
    struct account *account = &world->accounts[pending.account];
    if (status == FB_OK && pending.detail > world_now_ns(world)) {
        store_wait(world, &pending);
        return;
    }
    account->in_flight -= world_parts(world, op->span.size);
    if (pending.life != world->hosts[pending.node].life)
        return; /* the writer died before its request was whole */
    if (status == FB_OK) {
        if (!world_check_bytes(world, pending.node, &op->span, &op->block))
            return;
        stored_add(world, world_tag_of(&op->block));
        account->stored_bytes += op->span.size;
        world->stored_ns = world_now_ns(world);
        workload_stored(world);
    }
    uint64_t at_ns = world_now_ns(world) + world->scenario->origin.latency_ns +
                     world_far_way_ns(world, pending.node, false);
    world_done(world, pending.node, at_ns, op->op_id, status, 0);
}
