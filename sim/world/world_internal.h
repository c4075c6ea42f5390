/* What the world's files call of each other, and its clients of them. */
#ifndef FB_SIM_WORLD_WORLD_INTERNAL_H
#define FB_SIM_WORLD_WORLD_INTERNAL_H

#include "sim/world/world_state.h"

/* world.c */
/* Steps a node's core with an event now, carries out its ops, then every TICK that is due. The
 * event is the caller's. */
void world_event(struct world *world, uint32_t node, const struct fb_event *event);
/* Hands a node's core a request of its client; request_id is tagged with the client's kind. */
void world_request(struct world *world, uint32_t node, const struct fb_request *request);
/* A place in world->pending for this kind and node; the caller fills it in and gives it to a timer
 * or transfer, which frees it. May move world->pending. */
uint32_t world_pending(struct world *world, enum pending_kind kind, uint32_t node);
/* The pending comes due at at_ns, now or later. */
void world_timer(struct world *world, uint64_t at_ns, uint32_t pending);
/* workload_timer is called with `detail`, below 2^56, at at_ns; dropped if the node dies first. */
void world_client_timer(struct world *world, uint32_t node, uint64_t at_ns, uint64_t detail);
/* Ends the run early, as partial. */
void world_stop(struct world *world);
/* The oracle saw what must never be: sets world->error to one line with node, time and seed, and
 * ends the run. */
void world_fault(struct world *world, const char *text, uint32_t node);
/* The engine's simulated time. */
uint64_t world_now_ns(const struct world *world);

/* A client's pause after BUSY. */
static inline uint64_t world_retry_ns(const struct world *world)
{
    return world->scenario->hardware.client_retry_ns;
}

/* store.c: what is at the origin */
#define WORLD_WRITTEN (UINT64_C(1) << 40) /* objects from here on exist once they are stored */
/* The origin has all of a block. Returns false: it was there. */
bool world_store_add(struct world *world, const struct fb_block *block);
/* Has all of a block from WORLD_WRITTEN on arrived at the origin? */
bool world_is_stored(const struct world *world, const struct fb_block *block);
/* Frees what is remembered of stores. */
void world_store_close(struct world *world);
/* A DONE of this op reaches the node at at_ns. */
void world_done(struct world *world, uint32_t node, uint64_t at_ns, uint64_t op_id,
                enum fb_status status, uint64_t digest);

/* drive.c */
/* Gives a node's drives their headers, where a fault may bring it back. Errors: world->error. */
void world_drive_open(struct world *world, uint32_t node);
/* New drives: nothing is on them. */
void world_drive_empty(struct world *world, uint32_t node);
/* Frees the headers. */
void world_drive_close(struct world *world, uint32_t node);
/* READ, WRITE, SCAN or MARK begins at at_ns. */
void world_drive_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);

/* metadata.c */
/* Opens the metadata store, if the scenario has one. Errors: world->error. */
void world_metadata_open(struct world *world);
/* Frees it; without one nothing happens. */
void world_metadata_close(struct world *world);
/* META_GET or META_PUT begins at at_ns: it is on its way to the store. */
void world_metadata_begin(struct world *world, uint32_t node, uint64_t at_ns,
                          const struct fb_op *op);
/* An op is at the store: applied, and its DONE is on its way back. */
void world_metadata_arrive(struct world *world, uint32_t index);
/* Ops that the store has applied; 0 without one. */
uint64_t world_metadata_operations(const struct world *world);

/* fault.c */
/* A node that is up dies now; the others find out detect_ns later. restart_after_ns: when it comes
 * back; 0: never. is_drive_lost: with empty drives. */
void fault_kill(struct world *world, uint32_t node, uint64_t restart_after_ns, bool is_drive_lost);
/* Draws the whole schedule of faults and queues it. Errors: world->error. */
void fault_start(struct world *world);
/* A step of the schedule is due; detail is fault.c's own word. */
void fault_step(struct world *world, uint32_t node, uint64_t detail);

/* world_op.c */
/* An op of a node begins at at_ns. Errors: world_fault: an op that this world does not know. */
void world_op(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);
/* Time of a way between a node and what stands beyond the core, the origin or the metadata store,
 * with the queue of the node's port; is_up: from the node. */
uint64_t world_far_way_ns(const struct world *world, uint32_t node, bool is_up);
/* A pull's request is at the peer: bytes begin to flow. */
void world_pull_start(struct world *world, uint32_t index);
/* A pull's last byte has come, or the peer is gone: answered by a DONE. */
void world_pull_end(struct world *world, uint32_t index, enum fb_status status);
/* Bytes of a unit, the 64th part of a block, rounded up. */
uint64_t world_unit_bytes(const struct world *world);
/* The target's content becomes the source's. */
void world_copy_tag(const struct world *world, const struct fb_span *source,
                    const struct fb_span *target);
/* The target's content becomes the tag. */
void world_tag_set(const struct world *world, const struct fb_span *span, uint64_t tag);
/* The content tag of a block as its writer or the origin has it; never 0. */
uint64_t world_tag_of(const struct fb_block *block);
/* The oracle: does the span hold the block's content? False: it does not, and the run has failed.
 * Counted. */
bool world_check_bytes(struct world *world, uint32_t node, const struct fb_span *span,
                       const struct fb_block *block);
/* Copies between a client and its node's memory; returns when it is done, ns. */
uint64_t world_copy(struct world *world, uint32_t node, uint64_t size_bytes);

/* world_setup.c */
/* A station of requests a second alone; the caller's to free. Errors: NULL and world->error. */
struct fb_station *world_gate_open(struct world *world, uint64_t operations_per_s);
/* What each host takes of the arena. */
uint64_t world_host_bytes(const struct fb_scenario *scenario);
/* Builds accounts, hosts and the first view, and tells all. Errors: world->error; close it
 * anyway. */
void world_open(struct world *world);
/* Frees all but the engine and the clients; also what was opened in part. */
void world_close(struct world *world);
/* A node that is up begins anew with a core that remembers nothing; its counters are kept. */
void world_host_reset(struct world *world, uint32_t node);
/* Builds the view of the members as they are now and tells all that are up. Errors:
 * world->error. */
void world_view_change(struct world *world);
/* What a node's ports give payload together, each way. */
uint64_t world_port_bytes_per_s(const struct world *world);

/* estimate.c */
/* Ends the run with an error when the process has more resident memory than was allowed. */
void world_check_memory(struct world *world);

/* metrics.c: what a finished run gave */
/* Fills in the run from the world as it has ended. */
void metrics_collect(struct world *world, struct fb_run *run);
/* Appends a figure; name and unit are kept as they are, static. Without memory the program ends. */
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
