/* The simulated world's parts, private to sim/: hosts, pending work, clients, measurements. */
#ifndef FB_SIM_WORLD_WORLD_INTERNAL_H
#define FB_SIM_WORLD_WORLD_INTERNAL_H

#include "core/node/node.h"
#include "sim/world/arena.h"
#include "sim/engine/engine.h"
#include "sim/clients/generator.h"
#include "sim/world/series.h"
#include "sim/engine/station.h"
#include "sim/world/tags.h"
#include "sim/world/world.h"

#include <gsl/gsl_rng.h>

/* What a cookie of the engine stands for. */
enum pending_kind {
    PENDING_EVENT,        /* an event reaches a node */
    PENDING_TICK,         /* a node's deadline */
    PENDING_PULL_START,   /* a pull's request reached the peer's NIC: bytes begin to flow */
    PENDING_PULL_FLOW,    /* the last byte left the network */
    PENDING_FETCH_ARRIVE, /* a request reached the origin */
    PENDING_FETCH_START,  /* the origin has its first byte ready */
    PENDING_FETCH_FLOW,   /* the last byte left the network */
    PENDING_STORE_ARRIVE, /* a store's request reached the origin: bytes begin to flow */
    PENDING_STORE_FLOW,   /* the last byte reached the origin */
    PENDING_METADATA,     /* an op reaches the metadata store */
    PENDING_REPLY,        /* a reply reaches the node's client */
    PENDING_CLIENT,       /* a client's own timer */
    PENDING_FAULT,        /* the schedule of faults: a node fails, comes back, is found out */
};

struct pending {
    uint32_t kind;
    uint32_t node;
    uint32_t next_free;
    uint32_t account;
    uint32_t life;   /* of the node when this was made; of another life: dropped */
    uint64_t detail; /* CLIENT and FAULT: their own word */
    uint64_t key_count;
    struct fb_key *keys; /* copy of a MATCH_ASK's keys; freed on delivery */
    union {
        struct fb_event event;
        struct fb_op op;
        struct fb_reply reply;
    };
};

struct host {
    struct fb_node *core;
    struct fb_station *drive, *nic, *memory, *digest;
    struct fb_tags memory_tags, device_tags; /* content of extents: the oracle's bytes */
    struct fb_header_page **pages; /* of the drives, by chunk; NULL: nobody reads them again */
    uint64_t cpu_free_ns;          /* the core's thread is busy until then */
    uint64_t cpu_busy_ns;
    uint64_t tick_ns; /* a TICK is scheduled for then; FB_NEVER_NS: none */
    uint64_t pulled_bytes, served_bytes, fetched_bytes;
    struct fb_stats *earlier; /* what its lives before this one counted; NULL: none */
    uint32_t life;            /* counts deaths and restarts */
    uint32_t deaths;
    bool is_up, is_member, is_slow;
};

struct account {             /* one account of the origin */
    struct fb_station *gate; /* request limit */
    uint32_t in_flight;
    uint64_t fetched_bytes, stored_bytes;
    uint64_t throttled;
};

struct training;
struct checkpoint;
struct kv;
struct fanout;
struct placement;
struct overwrite;

struct world {
    const struct fb_scenario *scenario;
    struct fb_engine *engine;
    struct host *hosts;
    struct fb_arena arena; /* of what every host has: cores, stations */
    struct account *accounts;
    struct fb_view *view;
    uint64_t view_version;
    uint64_t died_ns;   /* when a node died last; 0: none has */
    bool view_is_stale; /* members were found out; the new view is under way */
    struct pending *pending;
    uint32_t pending_count, pending_used, pending_free;
    gsl_rng *random; /* of the world: latencies; the workload has its own */
    uint64_t seed;
    void *hash; /* XXH3 state over every event and op */
    const volatile int *should_stop;
    double progress_from, progress_to;
    uint64_t events, polls;
    uint64_t oracle_checks; /* of the bytes of a read or a store */
    uint64_t end_ns;        /* last moment of useful work */
    uint64_t stored_ns;     /* when the origin had the last byte that was written */
    uint64_t read_bytes;    /* that clients asked for and got */
    struct fb_series series;
    uint32_t kind; /* of the workload that is being called; see workload.c */
    struct training *training;
    struct kv *kv;
    struct fanout *fanout;
    struct placement *placement;
    struct overwrite *overwrite;
    struct checkpoint *checkpoint;
    struct stored *stored;     /* what was written to the origin */
    struct metadata *metadata; /* NULL: there is none */
    struct fb_error *error;
    bool is_stopped;
};

/* world.c */
void world_event(struct world *world, uint32_t node, const struct fb_event *event);
void world_request(struct world *world, uint32_t node, const struct fb_request *request);
uint32_t world_pending(struct world *world, enum pending_kind kind, uint32_t node);
void world_timer(struct world *world, uint64_t at_ns, uint32_t pending);
void world_client_timer(struct world *world, uint32_t node, uint64_t at_ns, uint64_t detail);
void world_stop(struct world *world);
void world_fault(struct world *world, const char *text, uint32_t node);
uint64_t world_now_ns(const struct world *world);

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

/* checkpoint.c */
void restore_check(const struct fb_scenario *scenario, struct fb_error *error); /* restore.c */
void checkpoint_open(struct world *world);
void checkpoint_close(struct world *world);
void checkpoint_start(struct world *world);
void checkpoint_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void checkpoint_timer(struct world *world, uint32_t node, uint64_t detail);
void checkpoint_stored(struct world *world);
void checkpoint_node_down(struct world *world, uint32_t node);
double checkpoint_progress(const struct world *world);
void checkpoint_metrics(const struct world *world, struct fb_run *run);

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

/* workload.c: one switch over the kinds of workload */
void workload_open(struct world *world);
/* Clients count an object's blocks in 32 bits. Errors: error set: more of them than fit. */
void workload_check_blocks(const struct fb_scenario *scenario, uint64_t object_size_bytes,
                           const char *who, struct fb_error *error);
void workload_close(struct world *world);
void workload_start(struct world *world);
uint64_t workload_tag(const struct world *world, uint64_t word);
void workload_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void workload_timer(struct world *world, uint32_t node, uint64_t detail);
void workload_node_down(struct world *world, uint32_t node);
void workload_node_up(struct world *world, uint32_t node);
double workload_progress(const struct world *world);
void workload_metrics(const struct world *world, struct fb_run *run);

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

/* training.c */
void training_check(const struct fb_scenario *scenario, struct fb_error *error);
void training_open(struct world *world);
void training_close(struct world *world);
void training_start(struct world *world);
void training_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void training_timer(struct world *world, uint32_t node, uint64_t detail);
double training_progress(const struct world *world);
void training_metrics(const struct world *world, struct fb_run *run);

/* kv.c */
void kv_check(const struct fb_scenario *scenario, struct fb_error *error);
void kv_open(struct world *world);
void kv_close(struct world *world);
void kv_start(struct world *world);
void kv_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void kv_timer(struct world *world, uint32_t node, uint64_t detail);
double kv_progress(const struct world *world);
void kv_metrics(const struct world *world, struct fb_run *run);

/* fanout.c */
void fanout_check(const struct fb_scenario *scenario, struct fb_error *error);
void fanout_open(struct world *world);
void fanout_close(struct world *world);
void fanout_start(struct world *world);
void fanout_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void fanout_timer(struct world *world, uint32_t node, uint64_t detail);
void fanout_node_down(struct world *world, uint32_t node);
void fanout_node_up(struct world *world, uint32_t node);
double fanout_progress(const struct world *world);
void fanout_metrics(const struct world *world, struct fb_run *run);

/* placement.c */
void placement_open(struct world *world);
void placement_close(struct world *world);
void placement_start(struct world *world);
void placement_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void placement_timer(struct world *world, uint32_t node, uint64_t detail);
double placement_progress(const struct world *world);
void placement_metrics(const struct world *world, struct fb_run *run);

/* overwrite.c */
void overwrite_check(const struct fb_scenario *scenario, struct fb_error *error);
void overwrite_open(struct world *world);
void overwrite_close(struct world *world);
void overwrite_start(struct world *world);
void overwrite_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void overwrite_timer(struct world *world, uint32_t node, uint64_t detail);
void overwrite_node_down(struct world *world, uint32_t node);
double overwrite_progress(const struct world *world);
void overwrite_metrics(const struct world *world, struct fb_run *run);

#endif
