/* What the world's files call of each other, and its clients of them. */
#ifndef FB_SIM_WORLD_WORLD_INTERNAL_H
#define FB_SIM_WORLD_WORLD_INTERNAL_H

#include "sim/world/world_state.h"

/* world.c */
void world_event(struct world *world, uint32_t node, const struct fb_event *event);
void world_request(struct world *world, uint32_t node, const struct fb_request *request);
uint32_t world_pending(struct world *world, enum pending_kind kind, uint32_t node);
void world_timer(struct world *world, uint64_t at_ns, uint32_t pending);
void world_client_timer(struct world *world, uint32_t node, uint64_t at_ns, uint64_t detail);
void world_stop(struct world *world);
void world_fault(struct world *world, const char *text, uint32_t node);
uint64_t world_now_ns(const struct world *world);

/* A client's pause after BUSY. */
static inline uint64_t world_retry_ns(const struct world *world)
{
    return world->scenario->hardware.client_retry_ns;
}

/* store.c: stores to the origin, and what is there */
#define WORLD_WRITTEN (UINT64_C(1) << 40) /* objects from here on exist once they are stored */
void world_store_begin(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);
void world_store_arrive(struct world *world, uint32_t index);
void world_store_end(struct world *world, uint32_t index, enum fb_status status);
bool world_is_stored(const struct world *world, const struct fb_block *block);
void world_store_close(struct world *world);
void world_done(struct world *world, uint32_t node, uint64_t at_ns, uint64_t op_id,
                enum fb_status status, uint64_t digest);

/* drive.c */
void world_drive_open(struct world *world, uint32_t node);
void world_drive_empty(struct world *world, uint32_t node);
void world_drive_close(struct world *world, uint32_t node);
void world_drive_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);

/* metadata.c */
void world_metadata_open(struct world *world);
void world_metadata_close(struct world *world);
void world_metadata_begin(struct world *world, uint32_t node, uint64_t at_ns,
                          const struct fb_op *op);
void world_metadata_arrive(struct world *world, uint32_t index);
uint64_t world_metadata_operations(const struct world *world);

/* fault.c */
void fault_kill(struct world *world, uint32_t node, uint64_t restart_after_ns, bool is_drive_lost);
void fault_start(struct world *world);
void fault_step(struct world *world, uint32_t node, uint64_t detail);

/* world_op.c */
void world_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);
/* Between a node and what stands beyond the core: the origin, the metadata store. */
uint64_t world_far_way_ns(const struct world *world, uint32_t node, bool is_up);
void world_pull_start(struct world *world, uint32_t index);
void world_pull_end(struct world *world, uint32_t index, enum fb_status status);
void world_fetch_arrive(struct world *world, uint32_t index);
void world_fetch_start(struct world *world, uint32_t index);
void world_fetch_end(struct world *world, uint32_t index, enum fb_status status);
uint64_t world_unit_bytes(const struct world *world);
void world_copy_tag(const struct world *world, const struct fb_span *source,
                    const struct fb_span *target);
uint32_t world_parts(const struct world *world, uint64_t size_bytes);
uint64_t world_tag_of(const struct fb_block *block);
bool world_check_bytes(struct world *world, uint32_t node, const struct fb_span *span,
                       const struct fb_block *block);
uint64_t world_copy(struct world *world, uint32_t node, uint64_t size_bytes); /* done at, ns */

/* Are its bytes in another node's memory? */
static inline bool world_is_remote(const struct fb_op *op, uint32_t node)
{
    return op->kind == FB_OP_PULL && op->source.region != FB_REGION_CLIENT &&
           op->source.peer != node;
}

/* transport.c: processor time, ns */
uint64_t world_message_bytes(const struct world *world, const struct fb_message *message);
uint64_t world_op_cost_ns(const struct world *world, uint32_t node, const struct fb_op *op);
uint64_t world_event_cost_ns(const struct world *world, const struct fb_event *event);
uint32_t world_transport_threads(const struct world *world);
uint32_t world_origin_threads(const struct world *world);
uint32_t world_cores(const struct world *world); /* for what is not theirs */
/* On the threads of the transport from now on, or on a core; the date at which it is done. */
uint64_t world_transport_take(struct world *world, uint32_t node, uint64_t cost_ns);
uint64_t world_cores_take(struct world *world, uint32_t node, uint64_t at_ns, uint64_t cost_ns);
/* Bytes begin to flow: the date at which both nodes have done their work on them, unless the flow
 * takes longer. */
uint64_t world_transfer_begin(struct world *world, uint32_t source, uint32_t target,
                              uint64_t size_bytes);
/* The same of bytes that go between a node and the origin. */
uint64_t world_origin_begin(struct world *world, uint32_t node, const struct fb_op *op);
/* The flow ends: the date at which the target has its bytes. */
uint64_t world_transfer_end_ns(const struct world *world, uint64_t size_bytes, uint64_t worked_ns);

/* world_setup.c */
struct fb_station *world_gate_open(struct world *world, uint64_t operations_per_s);
uint64_t world_host_bytes(const struct fb_scenario *scenario); /* of the arena */
void world_open(struct world *world);
void world_close(struct world *world);
void world_host_reset(struct world *world, uint32_t node); /* a core that remembers nothing */
void world_view_change(struct world *world);               /* members as they are now */
uint64_t world_port_bytes_per_s(const struct world *world);
uint64_t world_front_bytes_per_s(const struct world *world); /* ports to the origin; 0: the same */

/* The engine's host by which a node reaches the origin: behind nodes and accounts. */
static inline uint32_t world_front(const struct world *world, uint32_t node)
{
    const struct fb_scenario *scenario = world->scenario;
    bool is_own = scenario->hardware.front_nic.count > 0;
    return is_own ? scenario->nodes + scenario->origin.accounts + node : node;
}

/* estimate.c */
void world_check_memory(struct world *world);

/* metrics.c: what a finished run gave */
void metrics_collect(struct world *world, struct fb_run *run);
void metrics_add(struct fb_run *run, const char *name, const char *unit, double value);
/* A name that is made at run time; it is kept for good. */
__attribute__((format(printf, 1, 2))) const char *metrics_name(const char *format, ...);
/* The value of rank ceil(share * count), as of all our percentiles: at most the largest. */
double metrics_quantile(const double *sorted, uint32_t count, double share);
/* What a node has counted in all its lives. */
void metrics_node(const struct world *world, uint32_t node, struct fb_stats *stats);
/* Bytes that a client asked for have come. is_hit: not from the origin for this read. */
void metrics_read(struct world *world, uint64_t size_bytes, bool is_hit);

#endif
