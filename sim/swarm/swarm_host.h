/* A node of the swarm: its core, its bytes, and what is seen of it from outside. */
#ifndef FB_SIM_SWARM_SWARM_HOST_H
#define FB_SIM_SWARM_SWARM_HOST_H

#include "core/node/node.h"
#include "core/tier/header.h"
#include "sim/swarm/swarm_member.h"

/* Of each node; of more the oldest are forgotten. */
enum {
    SWARM_LOANS_MAX = 256,
    SWARM_HOLDS_MAX = 256,  /* that a node is remembered to have heard of */
    SWARM_FILLED_MAX = 256, /* blocks of tenants */
};

/* Memory that the node lent to a peer, as seen from outside. */
struct swarm_loan {
    uint64_t lend_id;
    uint64_t expires_ns; /* by the node's own clock */
    uint32_t peer;
    uint32_t first, count; /* units */
};

/* A HOLD that a node has heard of: what its HELD will be of. */
struct swarm_hold {
    uint64_t ask_id;
    uint32_t writer, level;
    uint32_t durable;
    uint32_t fragment; /* from 1 on; 0: the whole block */
};

/* A node in all its lives; what belongs to one life begins anew with the next. */
struct swarm_node {
    struct fb_node *core;
    struct fb_config config;       /* of this life */
    uint64_t *memory, *device;     /* a word a unit */
    uint8_t *unflushed;            /* of each device unit: a loss of power may take it */
    struct fb_header_page **pages; /* of the device, by chunk */
    uint32_t chunks;               /* of the device */
    uint16_t *readers;             /* of each memory unit: ops and leases */
    uint64_t *lent_ns;             /* of each: may be lent until then, if it is not returned */
    uint16_t *writers;
    uint32_t memory_units, device_units;
    uint32_t life; /* times it began */
    bool is_up;
    bool is_drive_safe; /* when it restarts */
    bool is_dead;       /* for good */
    bool was_tick;      /* its last step */
    uint32_t ops_open;
    uint64_t clock_ns; /* ahead of the swarm's */
    uint64_t tick_ns;  /* a TICK is queued for then */
    uint64_t ready_ns; /* busy or paused until then */
    uint32_t spins;    /* ticks in a row after which it wanted another at once */
    uint32_t steps_to_check;
    uint64_t draws;
    const struct fb_view *view; /* as far as it knows */
    struct swarm_loan loans[SWARM_LOANS_MAX];
    uint32_t loan_count;
    uint64_t filled_ns[SWARM_FILLED_MAX]; /* see swarm_tenant.c */
    struct swarm_hold holds[SWARM_HOLDS_MAX];
    uint32_t hold_count; /* ever; the last ones are kept */
    uint32_t unscanned;  /* scans that failed since it started */
    struct swarm_member member;
};

#endif
