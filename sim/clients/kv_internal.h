/* KV cache clients: the state that kv.c (a request's way), kv_layers.c (matched blocks pulled layer
 * by layer) and kv_metrics.c (what it saved) share. */
#ifndef FB_SIM_CLIENTS_KV_INTERNAL_H
#define FB_SIM_CLIENTS_KV_INTERNAL_H

#include "models/trace/trace_file.h"
#include "sim/world/world_internal.h"

enum { LIST_BIT = 1, PIECE_BIT = 2, WORD_SHIFT = 32 }; /* of the ids of a pull's requests */

enum kv_phase { IDLE, MATCHING, PULLING, MOVING };
enum kv_tier { TIER_MEMORY, TIER_DEVICE, TIER_PEER, TIERS };
enum kv_timer_kind {
    TIMER_ARRIVAL,
    TIMER_COPIED,
    TIMER_RETRY,
    TIMER_LIST,
    TIMER_PIECE,
    TIMER_PIECE_COPIED
};

/* The matched blocks of a node's request, on their way layer by layer. */
struct kv_pull {
    uint32_t blocks; /* that were matched when it was asked for */
    uint32_t left;   /* pieces */
    uint32_t room;   /* of leases */
    uint64_t *leases;
    uint32_t layer_left[FB_KV_LAYER_GROUPS_MAX];
    uint64_t layer_ns[FB_KV_LAYER_GROUPS_MAX]; /* when all of it was there */
};

struct kv_node {
    enum kv_phase phase;
    uint64_t request; /* being handled */
    uint64_t waiting; /* next one for this node that has not been handled */
    uint32_t matched; /* blocks */
    uint32_t next;    /* piece to move */
    uint32_t in_flight;
    uint64_t begun_ns;
    uint64_t got_ns;     /* its last matched piece was copied */
    uint32_t got[TIERS]; /* its matched pieces by the tier they came from */
    uint64_t leases[FB_KV_WINDOW_MAX];
    uint32_t pieces[FB_KV_WINDOW_MAX]; /* which piece a slot moves */
    uint64_t slots_used;               /* bitmap of FB_KV_WINDOW_MAX */
    uint64_t slots_getting;            /* asked as gets: matched may have shrunk since */
};

static_assert(FB_KV_WINDOW_MAX == 64, "slots_used is one word");

/* One request of one copy of the trace. */
struct kv_arrival {
    uint64_t at_ns;
    uint32_t request, copy;
};

struct kv {
    struct fb_trace_file trace;
    struct kv_arrival *arrivals; /* in order of time, then copy, then request */
    uint64_t request_count;
    uint64_t arrived; /* requests whose time has come */
    uint64_t handled;
    struct kv_node *nodes;
    struct kv_pull *pulls; /* NULL: blocks are read whole */
    uint64_t references, prefix_hits;
    double latency_sum_s; /* from arrivals, waiting for the node included */
    double wait_sum_s;    /* until its node had done those before it */
    double busy_sum_s;    /* of nodes with requests */
    uint64_t wait_ns_max;
    double saved_s[TIERS], got_s, exposed_s;
    uint64_t got_pieces[TIERS];
};

/* kv.c */
uint32_t kv_layer_groups(const struct world *world); /* at least 1 */
const struct fb_trace_request *kv_request_of(const struct kv *kv, uint64_t number);
struct fb_block kv_piece(const struct world *world, uint32_t node, uint32_t block, uint32_t layer);
void kv_move(struct world *world, uint32_t node);
enum kv_tier kv_tier_of(enum fb_reason reason);

/* kv_layers.c */
void kv_pull_begin(struct world *world, uint32_t node);
void kv_pull_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void kv_pull_timer(struct world *world, uint32_t node, uint64_t detail);
uint64_t kv_pull_exposed_ns(const struct world *world, uint32_t node);

/* kv_metrics.c */
void kv_save(struct world *world, uint32_t node);

#endif
