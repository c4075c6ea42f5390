/* One run of a swarm plan: the state that its files share. See swarm_run.c for the order of things.
 *
 * Bytes are words: every unit of memory (a 64th of a block) holds one 64-bit word, which is a
 * function of what is stored and of the unit's place in it. An op poisons its target when it is
 * issued, writes one half at some moment and the other half at a later one, and so shows whoever
 * looks too early, or at memory that was given to somebody else. */
#ifndef FB_SIM_SWARM_SWARM_INTERNAL_H
#define FB_SIM_SWARM_SWARM_INTERNAL_H

#include "core/tier/header.h"
#include "core/key.h"
#include "core/node/node.h"
#include "core/panic.h"
#include "sim/engine/event_heap.h"
#include "sim/swarm/oracle/promise.h"
#include "sim/swarm/swarm.h"
#include "sim/swarm/swarm_store.h"
#include "sim/swarm/oracle/swarm_name.h"

enum {
    SWARM_KEYS_MAX = 32,   /* of a match */
    SWARM_GROUP_KEYS = 4,  /* consecutive keys of a chain with one owner */
    SWARM_CHAINS_FORK = 3, /* first keys that two neighbouring chains share */
    SWARM_EVENTS_MAX = 4000000,
    SWARM_SPINS_LOOK = 1000, /* ticks that are due at once, after which it is looked at closely */
    SWARM_SPINS_MAX = 10000,
    SWARM_LOANS_MAX = 256,
    SWARM_CHAINS_MAX = 64,
    SWARM_WRITTEN_FIRST = 2000000, /* number of the first durable object */
    SWARM_WRITTEN_OBJECTS = 16,
    SWARM_WRITTEN_BLOCKS = 8, /* of each */
    SWARM_VERSIONS = 4,
    SWARM_VARIANTS = 2,                       /* bytes that writers of one key may bring */
    SWARM_HOLDS_MAX = 256,                    /* that a node is remembered to have heard of */
    SWARM_VIEWS_MAX = FB_SWARM_NODES_MAX + 2, /* one a node, the last one, the next */
    SWARM_DURABLES_MAX = SWARM_WRITTEN_OBJECTS * SWARM_WRITTEN_BLOCKS * SWARM_VERSIONS,
    SWARM_RANGES_MAX = 8,   /* of a gather; blocks of an object */
    SWARM_FILLED_MAX = 256, /* blocks of tenants */
};

/* request_id of what no client's list asks. */
#define SWARM_TENANT_ID UINT64_MAX

enum swarm_gather_rest { GATHER_MORE, GATHER_AGAIN, GATHER_OVER };

enum swarm_phase { PHASE_FAULTS, PHASE_SETTLE, PHASE_AFTER, PHASE_WHOLE, PHASE_END };

enum swarm_event_kind {
    SWARM_REQUEST, /* index: of the request */
    SWARM_RELEASE, /* index: of the request; detail: its try */
    SWARM_ITEM,    /* detail: lease of a gather's range */
    SWARM_MESSAGE,
    SWARM_HALF, /* op: its first half moves */
    SWARM_DONE, /* op: its second half moved */
    SWARM_TICK,
    SWARM_VIEW,  /* index: of the view's place */
    SWARM_FAULT, /* index: of a fault that strikes once */
    SWARM_LATE,  /* op: a META_PUT takes effect after its answer */
    SWARM_RESTART,
    SWARM_COPIES, /* detail: changes of members when it was queued */
    SWARM_DETECT,
    SWARM_MEMBER, /* ask: see swarm_store.c */
    SWARM_PHASE
};

struct swarm_event {
    uint32_t kind; /* enum swarm_event_kind */
    uint32_t node;
    uint32_t life; /* of the node when this was queued */
    uint32_t index;
    uint64_t detail;
    uint32_t next; /* free list */
    uint8_t is_moved, is_queued;
    union {
        struct fb_message message;
        struct fb_op op;
        struct swarm_ask ask;
    };
    enum fb_status status;
    uint32_t source_life; /* PULL: of the peer when it was issued */
    uint64_t offered;     /* PULL: what the source's first unit held then */
    struct fb_key keys[SWARM_KEYS_MAX];
    struct fb_fragments fragments; /* ENCODE, DECODE */
    struct fb_meta record;         /* META_GET, META_PUT: what was found */
    struct fb_done said;           /* of ops about names */
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

enum swarm_request_state {
    REQUEST_FUTURE, /* to be sent, for the first time or again */
    REQUEST_OPEN,   /* sent */
    REQUEST_HELD,   /* answered; its lease is held */
    REQUEST_ENDED
};

struct swarm_request {
    struct fb_swarm_request what;
    struct fb_block block;
    uint64_t content;
    uint32_t state; /* enum swarm_request_state */
    uint32_t tries;
    uint32_t copies; /* that a write was answered with */
    uint32_t life;   /* of the node when it was sent */
    uint32_t status; /* of the last reply */
    uint64_t lease;
    struct fb_span span;
    bool must_succeed;
    bool was_refused;
    uint64_t known;      /* get_written, write: what was known; lookup, commit: a version; gather:
                                      items answered; pin: its end */
    bool is_partial;     /* gather: an item failed */
    struct fb_key value; /* commit */
};

/* A block of a durable write; size 0: nobody named it yet. See swarm_durable.c, swarm_copies.c. */
struct swarm_durable {
    uint64_t acked_ns; /* for the last time */
    struct fb_block block;
    uint64_t contents[SWARM_VARIANTS];
    uint64_t stored;              /* content at the origin */
    uint32_t attempted;           /* variants that somebody wrote, bit mask */
    uint32_t in_memory, on_drive; /* nodes that promised a copy there, bit masks */
    uint32_t relied_on; /* nodes that said HELD since they last asked others to, bit mask */
    /* Of each holder: nodes that told it HELD since it was told of its members, bit mask. */
    uint32_t told[FB_SWARM_NODES_MAX];
    uint32_t told_on_drive[FB_SWARM_NODES_MAX]; /* those that told it of their drives */
    uint16_t fragments[FB_SWARM_NODES_MAX];     /* that each promised, bit masks */
    uint8_t unread[FB_SWARM_NODES_MAX];         /* reads that failed since each started */
    uint32_t strikes;                           /* at its holders, after it was acked */
    bool is_acked, is_stored, is_forgotten;
    bool is_torn; /* fewer fragments were left than make it */
};

struct swarm {
    const struct fb_swarm_plan *plan;
    struct fb_swarm_result *result;
    FILE *trace;
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

/* swarm_run.c: the queue of events. */
/* Longest that a node may take to answer, or to mend, when all is well. */
uint64_t swarm_limit_ns(const struct fb_swarm_plan *plan);
struct swarm_event *swarm_push(struct swarm *swarm, uint64_t at_ns, enum swarm_event_kind kind,
                               uint32_t node);
void swarm_push_again(struct swarm *swarm, const struct swarm_event *event, uint64_t at_ns);

/* swarm_fault.c: does a fault of this kind strike now? Counts it. peer: FB_NONE: no link. */
const struct fb_swarm_fault *swarm_fault(struct swarm *swarm, enum fb_swarm_fault_kind kind,
                                         uint32_t node, uint32_t peer);
bool swarm_fault_is_on(const struct swarm *swarm, const struct fb_swarm_fault *fault);
void swarm_fault_order(struct swarm *swarm);
uint64_t swarm_draw(struct swarm *swarm, uint32_t node, uint64_t bound); /* 0..bound-1 */
uint64_t swarm_spread(struct swarm *swarm, uint32_t node, uint64_t typical_ns);

/* swarm_node.c: the life of a node. */
void swarm_node_open(struct swarm *swarm, uint32_t node);
void swarm_node_close(struct swarm_node *host);
void swarm_node_crash(struct swarm *swarm, uint32_t node, enum fb_promise_fault cause);
void swarm_node_restart(struct swarm *swarm, uint32_t node);
void swarm_node_step(struct swarm *swarm, uint32_t node, const struct fb_event *event);
void swarm_node_tick(struct swarm *swarm, uint32_t node);
void swarm_node_arm(struct swarm *swarm, uint32_t node); /* queues the TICK that it wants */
uint64_t swarm_node_now_ns(const struct swarm *swarm, uint32_t node);

/* swarm_view.c: who is a member. */
void swarm_view_change(struct swarm *swarm, uint32_t up_mask);
void swarm_view_tell_list(struct swarm *swarm, uint32_t node, uint32_t mask, uint64_t version);
void swarm_views_free(struct swarm *swarm);
void swarm_view_tell(struct swarm *swarm, uint32_t node, uint64_t delay_ns);
uint32_t swarm_view_ranks(const struct fb_swarm_plan *plan);

/* swarm_network.c */
void swarm_send(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_deliver(struct swarm *swarm, struct swarm_event *event);
/* A link from a to b is cut, for messages or for pulls. */
bool swarm_is_cut(struct swarm *swarm, uint32_t source, uint32_t target);
/* When a clogged link lets go; now when it is not clogged. */
uint64_t swarm_clog_ns(struct swarm *swarm, uint32_t source, uint32_t target);

/* swarm_op.c: ops from READ on. */
void swarm_op(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_op_half(struct swarm *swarm, struct swarm_event *event);
void swarm_op_done(struct swarm *swarm, struct swarm_event *event);

/* swarm_bytes.c: words in units. */
uint64_t swarm_content(uint64_t object, uint64_t offset);
uint32_t swarm_units(const struct swarm *swarm, uint64_t size_bytes);
uint64_t swarm_word(uint64_t content, uint32_t unit);
uint64_t swarm_digest(const uint64_t *words, uint32_t count, uint64_t size_bytes);
void swarm_poison(struct swarm *swarm, uint32_t node, uint64_t *words, uint32_t count);
/* Units of a span of this node's own memory or device; false: out of bounds, and judged. */
bool swarm_place(struct swarm *swarm, uint32_t node, const struct fb_span *span, uint32_t region,
                 uint32_t *first);
bool swarm_holds(const struct swarm *swarm, const struct fb_span *span, uint64_t content);

/* swarm_verb.c: the clients. */
void swarm_request_add(struct swarm *swarm, const struct fb_swarm_request *what, bool must_succeed);
void swarm_request_send(struct swarm *swarm, uint32_t index);
void swarm_request_release(struct swarm *swarm, uint32_t index, uint64_t try);
void swarm_request_lost(struct swarm *swarm, uint32_t node);
void swarm_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply);
void swarm_lease(struct swarm *swarm, uint32_t index, bool is_taken);
struct fb_key swarm_chain_key(uint32_t chain, uint32_t index);

static inline uint32_t swarm_index(const struct swarm *swarm, const struct swarm_request *request)
{
    return (uint32_t)(request - swarm->requests);
}

/* swarm_check.c: what is judged. A check that does not hold ends the run. */
bool swarm_judge(struct swarm *swarm, enum fb_swarm_check check, bool holds, const char *form, ...)
    __attribute__((format(printf, 4, 5)));
void swarm_loan_begin(struct swarm *swarm, uint32_t node, const struct fb_message_offer *offer,
                      uint32_t target);
void swarm_loan_end(struct swarm *swarm, uint32_t node, const struct fb_message *message);
void swarm_check_write(struct swarm *swarm, uint32_t node, uint32_t first, uint32_t count);
bool swarm_is_idle(const struct swarm *swarm, uint32_t *node);
void swarm_check_all(struct swarm *swarm);

/* swarm_sometimes.c */
void swarm_saw(struct swarm *swarm, enum fb_swarm_sight sight);
void swarm_saw_stats(struct swarm *swarm, uint32_t node);
void swarm_saw_status(struct swarm *swarm, uint32_t status);

#include "sim/swarm/oracle/swarm_model.h"

#endif
