/* Ops become work: one op, one path through stations and network, one DONE.
 *
 * A way is the one-way latency and, where a host's port is full of bulk, its queue.
 *
 *     SEND    NIC work request -> way -> MESSAGE at the target
 *     PULL    NIC work requests -> way -> flow peer to self, and both nodes' work on it
 *             (transport.c) -> DONE
 *             from the client: a memory copy
 *     FETCH, STORE              requests to the origin, and the node's work on them: origin.c
 *     READ, WRITE, SCAN, MARK   the node's drives: drive.c
 *     DIGEST, ENCODE, DECODE    the node's CPU cores
 * Content is an 8-byte tag per extent: READ, PULL, FETCH and WRITE copy it, DIGEST is made from
 * it, so that a read of bytes that have been overwritten in the meantime shows (R5), and the
 * oracle can compare. */
#include "sim/world/origin.h"
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"

#include "base/memory.h"
#include "core/key.h"
#include "core/panic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Content of a block as the origin or the client holds it; never 0. */
uint64_t world_tag_of(const struct fb_block *block)
{
    return fb_mix(block->key.low ^ fb_mix(block->key.high + block->object)) | 1;
}

uint64_t world_unit_bytes(const struct world *world)
{
    uint64_t block = world->scenario->core.block_size_bytes;
    return (block + FB_UNITS_PER_CHUNK - 1) / FB_UNITS_PER_CHUNK;
}

static uint64_t *world_tag(const struct world *world, const struct fb_span *span)
{
    FB_ASSERT(span->region != FB_REGION_CLIENT);
    FB_ASSERT(span->peer < world->scenario->nodes);
    struct host *host = &world->hosts[span->peer];
    uint64_t unit = span->offset / world_unit_bytes(world);
    return fb_tags_at(span->region == FB_REGION_DEVICE ? &host->device_tags : &host->memory_tags,
                      unit);
}

/* The oracle: are these the block's bytes? Else the run has failed. */
bool world_check_bytes(struct world *world, uint32_t node, const struct fb_span *span,
                       const struct fb_block *block)
{
    world->oracle_checks++;
    if (*world_tag(world, span) == world_tag_of(block))
        return true;
    world_fault(world, "bytes that were read or stored are not the block's", node);
    return false;
}

/* Every unit, where blocks may be read in parts. */
void world_tag_set(const struct world *world, const struct fb_span *span, uint64_t tag)
{
    uint64_t unit = world_unit_bytes(world), units = (span->size + unit - 1) / unit;
    struct fb_span part = *span;
    for (uint64_t i = 0; i < (world->scenario->core.erasure_data > 0 ? units : 1); i++) {
        part.offset = span->offset + i * unit;
        *world_tag(world, &part) = tag;
    }
}

void world_copy_tag(const struct world *world, const struct fb_span *source,
                    const struct fb_span *target)
{
    world_tag_set(world, target, *world_tag(world, source));
}

static uint64_t world_latency_ns(const struct world *world, uint32_t source, uint32_t target)
{
    const struct fb_scenario *scenario = world->scenario;
    uint32_t per_leaf = scenario->network.hosts_per_leaf;
    bool is_near = source / per_leaf == target / per_leaf;
    return scenario->hardware.nic.latency_ns + scenario->transport.latency_ns +
           (is_near ? scenario->network.leaf_latency_ns : scenario->network.core_latency_ns);
}

/* A port serves in the order of arrival: what enters it waits behind the bulk that is under way
 * there, but no longer than the queue is, since the senders of bulk back off when it overflows. */
static uint64_t port_queue_ns(const struct world *world, uint32_t host, bool is_up)
{
    uint64_t queue_ns = world->scenario->network.port_queue_ns;
    if (queue_ns == 0)
        return 0;
    uint64_t backlog_ns = fb_engine_backlog_ns(world->engine, host, is_up);
    return backlog_ns < queue_ns ? backlog_ns : queue_ns;
}

static uint64_t way_ns(const struct world *world, uint32_t source, uint32_t target)
{
    return world_latency_ns(world, source, target) + port_queue_ns(world, source, true) +
           port_queue_ns(world, target, false);
}

uint64_t world_far_way_ns(const struct world *world, uint32_t node, bool is_up)
{
    return world->scenario->network.core_latency_ns +
           port_queue_ns(world, world_front(world, node), is_up);
}

/* A message's way through its port: bulk is not slowed by it. */
static uint64_t message_ns(const struct world *world, const struct fb_message *message)
{
    uint64_t one_port = world_port_bytes_per_s(world) / world->scenario->hardware.nic.count;
    return world_message_bytes(world, message) * 1000000000 / one_port;
}

/* A DONE for op, to be delivered at at_ns. */
void world_done(struct world *world, uint32_t node, uint64_t at_ns, uint64_t op_id,
                enum fb_status status, uint64_t digest)
{
    uint32_t index = world_pending(world, PENDING_EVENT, node);
    world->pending[index].event = (struct fb_event){
        .kind = FB_EVENT_DONE, .done = {.op_id = op_id, .status = status, .digest = digest}};
    world_timer(world, at_ns, index);
}

static void op_reply(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    uint32_t index = world_pending(world, PENDING_REPLY, node);
    world->pending[index].reply = op->reply;
    world_timer(world, at_ns, index);
}

static void op_send(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    FB_ASSERT(op->target < world->scenario->nodes);
    FB_ASSERT(op->target != node);
    struct host *host = &world->hosts[node];
    uint64_t sent_ns =
        fb_station_submit(host->nic, at_ns, FB_STATION_WRITE, 0) + message_ns(world, &op->message);
    uint32_t index = world_pending(world, PENDING_EVENT, op->target);
    struct pending *pending = &world->pending[index];
    pending->event = (struct fb_event){.kind = FB_EVENT_MESSAGE, .message = op->message};
    if (op->message.kind == FB_MESSAGE_MATCH_ASK) {
        uint32_t count = op->message.match_ask.key_count;
        pending->keys = fb_allocate(count, sizeof(*pending->keys), "keys of a message", NULL);
        memcpy(pending->keys, op->message.match_ask.keys, count * sizeof(*pending->keys));
        pending->event.message.match_ask.keys = pending->keys;
    }
    world_timer(world, sent_ns + way_ns(world, node, op->target), index);
}

/* Bytes that one core works on at bytes_per_s; the date at which it is done. */
static uint64_t core_work(struct world *world, uint32_t node, uint64_t at_ns, uint64_t size_bytes,
                          uint64_t bytes_per_s)
{
    uint64_t cost_ns = (uint64_t)((unsigned __int128)size_bytes * 1000000000 / bytes_per_s);
    world->hosts[node].digest_ns += cost_ns;
    return world_cores_take(world, node, at_ns, cost_ns);
}

static void op_digest(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    uint64_t end_ns =
        core_work(world, node, at_ns, op->span.size, world->scenario->hardware.digest_bytes_per_s);
    uint64_t digest = fb_mix(*world_tag(world, &op->span) ^ op->span.size);
    world_done(world, node, end_ns, op->op_id, FB_OK, digest);
}

/* A block's fragments all have its tag; those of different blocks make nonsense.
 * Both directions take as long for the data's bytes. */
static void op_code(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    const struct fb_fragments *plan = op->fragments;
    FB_ASSERT(plan != NULL);
    bool is_encode = op->kind == FB_OP_ENCODE;
    uint64_t size = is_encode ? op->source.size : op->span.size;
    uint64_t end_ns =
        core_work(world, node, at_ns, size, world->scenario->hardware.encode_bytes_per_s);
    uint64_t tag = is_encode ? *world_tag(world, &op->source) : 0;
    for (uint32_t i = 0; !is_encode && i < FB_FRAGMENTS_MAX; i++) {
        const struct fb_span part = {
            .region = FB_REGION_MEMORY, .peer = node, .offset = plan->offset[i]};
        if (plan->present >> i & 1u)
            tag = tag == 0 || tag == *world_tag(world, &part) ? *world_tag(world, &part) : 1;
    }
    world_tag_set(world, &op->span, tag);
    world_done(world, node, end_ns, op->op_id, FB_OK, 0);
}

/* A copy between client and cache memory; the date at which it is done. */
uint64_t world_copy(struct world *world, uint32_t node, uint64_t size_bytes)
{
    uint64_t now_ns = world_now_ns(world);
    uint64_t free_ns = world->hosts[node].cpu_free_ns;
    return fb_station_submit(world->hosts[node].memory, now_ns > free_ns ? now_ns : free_ns,
                             FB_STATION_READ, size_bytes);
}

static void op_pull(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    struct host *host = &world->hosts[node];
    uint64_t part_bytes = world->scenario->transport.message_bytes_max;
    if (op->source.region == FB_REGION_CLIENT) {
        uint64_t end_ns = fb_station_submit(host->memory, at_ns, FB_STATION_WRITE, op->span.size);
        world_tag_set(world, &op->span, world_tag_of(&op->block));
        world_done(world, node, end_ns, op->op_id, FB_OK, 0);
        return;
    }
    uint64_t requests = (op->span.size + part_bytes - 1) / part_bytes;
    FB_ASSERT(op->source.region == FB_REGION_MEMORY);
    FB_ASSERT(op->source.peer != node);
    uint64_t sent_ns = fb_station_submit_many(host->nic, at_ns, FB_STATION_WRITE, 0, requests);
    uint32_t index = world_pending(world, PENDING_PULL_START, node);
    world->pending[index].op = *op;
    /* The first byte waits in the ports on its way here, too. */
    uint64_t queue_ns =
        port_queue_ns(world, op->source.peer, true) + port_queue_ns(world, node, false);
    world_timer(world, sent_ns + way_ns(world, node, op->source.peer) + queue_ns, index);
}

void world_pull_start(struct world *world, uint32_t index)
{
    struct pending *pending = &world->pending[index];
    pending->kind = PENDING_PULL_FLOW;
    if (world_is_remote(&pending->op, pending->node))
        pending->detail = world_transfer_begin(world, pending->op.source.peer, pending->node,
                                               pending->op.span.size);
    fb_engine_transfer(world->engine, pending->op.source.peer, pending->node, pending->op.span.size,
                       (uint64_t)pending->node << 32 | index);
}

void world_pull_end(struct world *world, uint32_t index, enum fb_status status)
{
    struct pending pending = world->pending[index];
    const struct fb_op *op = &pending.op;
    FB_ASSERT(pending.kind == PENDING_PULL_FLOW);
    if (pending.life != world->hosts[pending.node].life)
        return; /* who asked for it has died */
    uint64_t at_ns = world_now_ns(world);
    if (status == FB_OK && world_is_remote(op, pending.node))
        at_ns = world_transfer_end_ns(world, op->span.size, pending.detail);
    at_ns += world_latency_ns(world, op->source.peer, pending.node);
    if (status == FB_OK) {
        world_tag_set(world, &op->span, *world_tag(world, &op->source));
        world->hosts[pending.node].pulled_bytes += op->span.size;
        world->hosts[op->source.peer].served_bytes += op->span.size;
        fb_series_add(&world->series, FB_SERIES_PEER, at_ns, (double)op->span.size);
    } else {
        at_ns += world->scenario->transport.gone_ns;
    }
    world_done(world, pending.node, at_ns, op->op_id, status, 0);
}

void world_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op)
{
    FB_ASSERT(node < world->scenario->nodes);
    FB_ASSERT(at_ns >= world_now_ns(world));
    switch ((enum fb_op_kind)op->kind) {
    case FB_OP_REPLY:
        op_reply(world, node, at_ns, op);
        return;
    case FB_OP_SEND:
        op_send(world, node, at_ns, op);
        return;
    case FB_OP_MARK:
    case FB_OP_READ:
    case FB_OP_WRITE:
    case FB_OP_SCAN:
        world_drive_op(world, node, at_ns, op);
        return;
    case FB_OP_PULL:
        op_pull(world, node, at_ns, op);
        return;
    case FB_OP_DIGEST:
        op_digest(world, node, at_ns, op);
        return;
    case FB_OP_FETCH:
    case FB_OP_STORE:
        world_origin_begin(world, node, at_ns, op);
        return;
    case FB_OP_META_GET:
    case FB_OP_META_PUT:
        world_metadata_begin(world, node, at_ns, op);
        return;
    case FB_OP_ENCODE:
    case FB_OP_DECODE:
        op_code(world, node, at_ns, op);
        return;
    case FB_OP_META_LIST: /* clients here commit records themselves */
    case FB_OP_ORIGIN_STAT:
    case FB_OP_ORIGIN_COMMIT:
    case FB_OP_ORIGIN_REMOVE:
    case FB_OP_FLUSH:
    case FB_OP_DISCARD:
    case FB_OP_COUNT:
        world_fault(world, "an op that this world does not carry out", node);
        return;
    }
}
