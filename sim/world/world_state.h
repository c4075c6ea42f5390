/* The state of a simulated world: hosts, pending work, accounts of the origin, measurements. */
#ifndef FB_SIM_WORLD_WORLD_STATE_H
#define FB_SIM_WORLD_WORLD_STATE_H

#include "core/node/node.h"
#include "models/scenario/scenario.h"
#include "sim/engine/engine.h"
#include "sim/engine/station.h"
#include "sim/world/arena.h"
#include "sim/world/move.h"
#include "sim/world/series.h"
#include "sim/world/tags.h"

#include <gsl/gsl_rng.h>

/* What a cookie of the engine stands for. */
enum pending_kind {
    PENDING_EVENT,          /* an event reaches a node */
    PENDING_TICK,           /* a node's deadline */
    PENDING_PULL_START,     /* a pull's request reached the peer's NIC: bytes begin to flow */
    PENDING_PULL_FLOW,      /* the last byte left the network */
    PENDING_REQUEST_ARRIVE, /* a request reached the origin */
    PENDING_REQUEST_START,  /* its first byte has come */
    PENDING_REQUEST_FLOW,   /* the last byte left the network */
    PENDING_REQUEST_ENDED,  /* the answer reached the node */
    PENDING_REQUEST_AGAIN,  /* its pause is over */
    PENDING_METADATA,       /* an op reaches the metadata store */
    PENDING_REPLY,          /* a reply reaches the node's client */
    PENDING_CLIENT,         /* a client's own timer */
    PENDING_FAULT,          /* the schedule of faults: a node fails, comes back, is found out */
};

/* What a cookie stands for until it comes back. */
struct pending {
    uint32_t kind;
    uint32_t node;
    uint32_t next_free;
    uint32_t account;
    uint32_t life; /* of the node when this was made; of another life: dropped */
    uint64_t
        detail; /* CLIENT and FAULT: their own word; a flow: when processors have done with it */
    uint64_t key_count;
    struct fb_key *keys; /* copy of a MATCH_ASK's keys; freed on delivery */
    union {
        struct fb_event event;
        struct fb_op op;
        struct fb_reply reply;
        struct move_request request;
    };
};

/* A node: its core, its devices as stations, and what it has moved. */
struct host {
    struct fb_node *core;
    struct fb_station *drive, *nic, *memory;
    struct fb_station *transport, *origin, *cores; /* processor time: transport.c */
    struct fb_tags memory_tags, device_tags;       /* content of extents: the oracle's bytes */
    struct fb_header_page **pages; /* of the drives, by chunk; NULL: nobody reads them again */
    uint64_t cpu_free_ns;          /* the core's thread is busy until then */
    uint64_t tick_ns;              /* a TICK is scheduled for then; FB_NEVER_NS: none */
    uint64_t digest_ns;            /* processor time of digests and codes, also in cores */
    uint64_t pulled_bytes, served_bytes, fetched_bytes;
    struct fb_stats *earlier; /* what its lives before this one counted; NULL: none */
    uint32_t life;            /* counts deaths and restarts */
    uint32_t deaths;
    bool is_up, is_member, is_slow;
};

struct account { /* one account of the origin */
    struct fb_gate gate, prefix_reads, prefix_writes;
    uint64_t prefixes; /* that there are by now */
    uint64_t split_ns; /* when there are twice as many; 0: none is above its rate */
    uint32_t in_flight;
    uint64_t fetched_bytes, stored_bytes;
    uint64_t reads, writes;                   /* requests that were let in */
    uint64_t read_bytes_max, write_bytes_max; /* of one of them */
    uint64_t throttled;
};

struct training;
struct checkpoint;
struct kv;
struct fanout;
struct placement;
struct overwrite;

/* A run of a scenario; everything that its files share. */
struct world {
    const struct fb_scenario *scenario;
    struct fb_engine *engine;
    struct host *hosts;
    struct fb_arena arena; /* of what every host has: cores, stations */
    struct account *accounts;
    struct world_origin *origin; /* and its clients */
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

#endif
