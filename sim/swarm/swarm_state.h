/* One run of a swarm plan: the state that its files share. See swarm_run.c for the order of things.
 *
 * Bytes are words: every unit of memory (a 64th of a block) holds one 64-bit word, which is a
 * function of what is stored and of the unit's place in it. An op poisons its target when it is
 * issued, writes one half at some moment and the other half at a later one, and so shows whoever
 * looks too early, or at memory that was given to somebody else. */
#ifndef FB_SIM_SWARM_SWARM_STATE_H
#define FB_SIM_SWARM_SWARM_STATE_H

#include "core/node/node.h"
#include "sim/engine/event_heap.h"
#include "sim/swarm/swarm.h"
#include "sim/swarm/swarm_event.h"
#include "sim/swarm/swarm_host.h"
#include "sim/swarm/swarm_model.h"

/* Bounds of a run. */
enum {
    SWARM_EVENTS_MAX = 4000000,
    SWARM_SPINS_LOOK = 1000, /* ticks that are due at once, after which it is looked at closely */
    SWARM_SPINS_MAX = 10000,
    SWARM_CHAINS_MAX = 64,
    SWARM_VIEWS_MAX = FB_SWARM_NODES_MAX + 2, /* one a node, the last one, the next */
};

/* The parts of a run, in this order; see swarm_run.c. */
enum swarm_phase { PHASE_FAULTS, PHASE_SETTLE, PHASE_AFTER, PHASE_WHOLE, PHASE_END };

/* A run; zeroed before it begins. The plan and the result are the caller's. */
struct swarm {
    const struct fb_swarm_plan *plan;
    struct fb_swarm_result *result;
    struct fb_trace_printer *printer; /* NULL: nobody wants to read it */
    struct fb_event_heap heap;
    struct swarm_event *events;
    uint32_t event_count, event_max, event_free;
    uint64_t sequence, now_ns, unit_bytes, limit_ns, phase_end_ns, poll_ns;
    struct swarm_node nodes[FB_SWARM_NODES_MAX];
    struct swarm_request *requests;
    uint32_t request_count, request_max, requests_open; /* FUTURE, OPEN or HELD */
    uint32_t first_of_phase;                            /* request */
    uint32_t whole_node;                                /* PHASE_WHOLE: whose turn it is */
    uint32_t view_mask;                                 /* members that are up */
    uint64_t view_changes;                              /* of members, and restarts */
    struct fb_view *views[SWARM_VIEWS_MAX]; /* owned; those that nodes have, and what is left */
    uint64_t view_version;
    const struct fb_view *view;
    enum swarm_phase phase;
    uint32_t brought[SWARM_CHAINS_MAX]; /* keys of each chain that were ever put, bit masks */
    struct fb_key keys[SWARM_KEYS_MAX]; /* of the match that is being asked */
    struct swarm_durable durables[SWARM_DURABLES_MAX];
    struct swarm_name names[SWARM_NAMES];
    struct fb_range ranges[SWARM_RANGES_MAX];       /* of the gather that is being asked */
    bool is_over, is_settled;                       /* members: for good */
    uint32_t fault_first[FB_SWARM_FAULT_COUNT + 1]; /* faults by kind, in fault_order */
    uint32_t fault_order[FB_SWARM_FAULTS_MAX];
};

#endif
