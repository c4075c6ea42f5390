/* What moving bytes takes of a node's ports and processors; see transport.c. Costs and dates are
 * in ns. */
#ifndef FB_SIM_WORLD_TRANSPORT_H
#define FB_SIM_WORLD_TRANSPORT_H

#include "sim/world/world_state.h"

/* Are its bytes in another node's memory? */
static inline bool world_is_remote(const struct fb_op *op, uint32_t node)
{
    return op->kind == FB_OP_PULL && op->source.region != FB_REGION_CLIENT &&
           op->source.peer != node;
}

/* The engine's host by which a node reaches the origin: behind nodes and accounts. */
static inline uint32_t world_front(const struct world *world, uint32_t node)
{
    const struct fb_scenario *scenario = world->scenario;
    bool is_own = scenario->hardware.front_nic.count > 0;
    return is_own ? scenario->nodes + scenario->origin.accounts + node : node;
}

/* What a node's ports to the origin give payload together; 0: they are those to other nodes. */
uint64_t world_front_bytes_per_s(const struct world *world);

/* Bytes of a message as it is sent, with its frame. */
uint64_t world_message_bytes(const struct world *world, const struct fb_message *message);
/* What an op adds to the step that gave it. */
uint64_t world_op_cost_ns(const struct world *world, uint32_t node, const struct fb_op *op);
/* What an event adds to the step that takes it. */
uint64_t world_event_cost_ns(const struct world *world, const struct fb_event *event);
/* Threads of a node's transport, no more than it has cores. */
uint32_t world_transport_threads(const struct world *world);
/* Threads of a node that speak to the origin, no more than it has cores. */
uint32_t world_origin_threads(const struct world *world);
/* Cores for what is not theirs. */
uint32_t world_cores(const struct world *world);
/* Work on the threads of the transport from now on; returns the date at which it is done. */
uint64_t world_transport_take(struct world *world, uint32_t node, uint64_t cost_ns);
/* The same on a core, from at_ns on. */
uint64_t world_cores_take(struct world *world, uint32_t node, uint64_t at_ns, uint64_t cost_ns);
/* Bytes begin to flow: the date at which both nodes have done their work on them, unless the flow
 * takes longer. */
uint64_t world_transfer_begin(struct world *world, uint32_t source, uint32_t target,
                              uint64_t size_bytes);
/* The flow ends: the date at which the target has its bytes. */
uint64_t world_transfer_end_ns(const struct world *world, uint64_t size_bytes, uint64_t worked_ns);
/* A request to the origin of so many bytes, on the threads that speak to it; returns the date at
 * which they have done with it. */
uint64_t world_origin_work(struct world *world, uint32_t node, uint64_t size_bytes, bool is_store);

#endif
