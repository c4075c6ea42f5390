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

/* store.c: what is at the origin */
#define WORLD_WRITTEN (UINT64_C(1) << 40) /* objects from here on exist once they are stored */
bool world_store_add(struct world *world, const struct fb_block *block); /* false: it was there */
bool world_is_stored(const struct world *world, const struct fb_block *block);
void world_store_close(struct world *world);
void world_done(struct world *world, uint32_t node, uint64_t at_ns, uint64_t op_id,
                enum fb_status status, uint64_t digest);

/* origin.c */
void world_origin_open(struct world *world);
void world_origin_close(struct world *world);

/* A FETCH or STORE, which begins at at_ns. */
void world_origin_begin(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);

/* What a pending request waited for has come; true: it is over. */
bool world_origin_step(struct world *world, uint32_t index, enum fb_status status);

/* The node has lost its memory: nothing of it waits any more. */
void world_origin_forget(struct world *world, uint32_t node);

/* Most requests that one node had under way. */
uint32_t world_origin_requests_max(const struct world *world);

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
uint64_t world_unit_bytes(const struct world *world);
void world_copy_tag(const struct world *world, const struct fb_span *source,
                    const struct fb_span *target);
void world_tag_set(const struct world *world, const struct fb_span *span, uint64_t tag);
uint64_t world_tag_of(const struct fb_block *block);
bool world_check_bytes(struct world *world, uint32_t node, const struct fb_span *span,
                       const struct fb_block *block);
uint64_t world_copy(struct world *world, uint32_t node, uint64_t size_bytes); /* done at, ns */

/* world_setup.c */
struct fb_station *world_gate_open(struct world *world, uint64_t operations_per_s);
uint64_t world_host_bytes(const struct fb_scenario *scenario); /* of the arena */
void world_open(struct world *world);
void world_close(struct world *world);
void world_host_reset(struct world *world, uint32_t node); /* a core that remembers nothing */
void world_view_change(struct world *world);               /* members as they are now */
uint64_t world_port_bytes_per_s(const struct world *world);

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
