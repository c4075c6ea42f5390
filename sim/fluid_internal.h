/* What the fluid network's files share. Nobody else includes this.
 *
 * Words. A flow crosses links (its hops). A link is full when the rates of its flows add up to its
 * capacity; then its level is the rate per weight that it grants, and every flow that gets it is
 * held by this link. A flow is held by exactly one of its hops: the one with the lowest level.
 * A flow's own cap is one more hop: a cap class, a link of endless capacity whose level is fixed.
 *
 * Invariants:
 *  1. A link's clock is the integral of its level over time, bytes per weight. A held flow is done
 *     when the clock of its holder reaches the flow's mark. So a change of level costs no work per
 *     held flow.
 *  2. finishes: a binary heap by mark of the flows that a link holds. Entries whose stamp differs
 *     from their flow's stamp are stale; the top is never stale; less than about half are.
 *  3. held_weight is the sum of the weights held here. fixed is the sum over the other members of
 *     weight times `told` of their holders.
 *  4. told is the level that the other links were last told of.
 *  5. dates: a 4-ary heap of the links that hold flows, by the date of their first finish. */
#ifndef FB_SIM_FLUID_INTERNAL_H
#define FB_SIM_FLUID_INTERNAL_H

#include "sim/fluid.h"

#include <stdbool.h>

enum {
    FLUID_NONE = UINT32_MAX,
    FLUID_HOPS_MAX = FB_FLUID_LINKS_MAX + 1, /* the links and the cap class */
    FLUID_HOP_BITS = 4,
    FLUID_HOP_MASK = (1 << FLUID_HOP_BITS) - 1, /* as a holder: not held yet */
    FLUID_FLOWS_MAX = 1 << (31 - FLUID_HOP_BITS),
    FLUID_CLASSES = 28, /* sizes of pieces in a pool: powers of two */
};

/* One entry of a link's heap of finishes. */
struct fluid_finish {
    double mark;
    uint32_t flow;
    uint32_t stamp;
};

struct fluid_date {
    uint64_t date_ns;
    uint32_t link;
};

/* What a relaxation reads of a flow. Unused hops name the void link, which nothing fills. */
struct fluid_flow {
    double mark; /* clock of the holder at which it is done; bytes per weight left if not held */
    uint32_t weight; /* > 0 */
    uint32_t stamp;  /* moves counted, times 16, plus the holding hop */
    uint32_t links[];
};

enum fluid_state { FLUID_FREE, FLUID_OPEN, FLUID_DONE, FLUID_DROPPED };

/* What only starts and ends read. places: where the flow stands in each hop's list of members. */
struct fluid_identity {
    uint64_t cookie;
    uint32_t next_free;
    enum fluid_state state;
    uint32_t visit;
    uint32_t places[FLUID_HOPS_MAX];
};

/* A growing list in a pool. */
struct fluid_piece {
    uint32_t offset;
    uint32_t count;
    uint32_t size_class; /* holds 1 << size_class items; FLUID_NONE: holds none */
};

struct fluid_link {
    double level; /* bytes per ns and weight; INFINITY: not full */
    double capacity;
    double fixed;
    double told;
    uint64_t held_weight;
    uint64_t weight; /* of all members */
    double clock;
    uint64_t clock_ns;
    struct fluid_piece members;  /* u32: flow * 16 + hop */
    struct fluid_piece finishes; /* struct fluid_finish */
    uint32_t held_count;
    uint32_t date_place; /* in dates; FLUID_NONE: not there */
    uint32_t visit;
    bool is_dirty;
    bool is_cap;
};

/* Items of one size in pieces of powers of two, with a free list for each. */
struct fluid_pool {
    unsigned char *items;
    uint32_t item_size_bytes;
    uint32_t count;
    uint32_t count_max;
    uint32_t free[FLUID_CLASSES];
};

struct fluid_ended {
    uint64_t cookie;
    uint32_t flow;
};

/* A key in the exact filling's heap. */
struct fluid_share {
    double level;
    uint32_t link;
};

struct fb_fluid {
    double tolerance;
    uint64_t now_ns;
    unsigned char *flows; /* records of flow_size_bytes */
    uint32_t flow_size_bytes;
    uint32_t hop_count; /* hops of one record */
    struct fluid_identity *identities;
    uint32_t flow_count; /* records ever used */
    uint32_t flow_count_max;
    uint32_t flow_free;
    uint32_t open_count;
    struct fluid_link *links; /* real ones, the void link, cap classes */
    uint32_t link_count;      /* real ones; also the void link's index */
    uint32_t link_count_all;
    uint32_t link_count_max;
    struct fluid_pool members;
    struct fluid_pool finishes;
    struct fluid_date *dates;
    uint32_t date_count;
    uint32_t *dirty;
    uint32_t dirty_count;
    struct fluid_ended *ended; /* done and not yet taken, sorted by cookie */
    uint32_t ended_first;
    uint32_t ended_count;
    uint32_t ended_count_max;
    uint32_t visit; /* stamps the links and flows that a filling has seen */
    uint32_t *fill_links;
    struct fluid_share *fill_heap;
    uint32_t *fill_flows;
    uint32_t *cap_table; /* cap classes by level, open addressing; 0: empty */
    uint32_t cap_table_size;
};

static inline struct fluid_flow *fluid_flow_at(const struct fb_fluid *fluid, uint32_t flow)
{
    return (struct fluid_flow *)(void *)(fluid->flows + (uint64_t)flow * fluid->flow_size_bytes);
}

static inline uint32_t *fluid_members(const struct fb_fluid *fluid, const struct fluid_link *link)
{
    return (uint32_t *)(void *)fluid->members.items + link->members.offset;
}

static inline struct fluid_finish *fluid_finishes(const struct fb_fluid *fluid,
                                                  const struct fluid_link *link)
{
    return (struct fluid_finish *)(void *)fluid->finishes.items + link->finishes.offset;
}

/* fluid_store.c: memory, lists, heaps. Running out of memory ends the program with a line. */
void fb_fluid_pool_open(struct fluid_pool *pool, uint32_t item_size_bytes);
void fb_fluid_pool_append(struct fluid_pool *pool, struct fluid_piece *piece);
void *fb_fluid_grow(void *items, uint64_t count, uint64_t item_size_bytes);
void fb_fluid_flows_reserve(struct fb_fluid *fluid, uint32_t count);
uint32_t fb_fluid_flow_acquire(struct fb_fluid *fluid, uint32_t hop_count);
void fb_fluid_flow_release(struct fb_fluid *fluid, uint32_t flow);
uint32_t fb_fluid_link_add(struct fb_fluid *fluid, double capacity);
uint32_t fb_fluid_cap_class(struct fb_fluid *fluid, double level);
void fb_fluid_join(struct fb_fluid *fluid, uint32_t flow, uint32_t hop, uint32_t link);
void fb_fluid_leave(struct fb_fluid *fluid, uint32_t flow);

/* fluid_hold.c: which link holds a flow, clocks and dates. */
void fb_fluid_clock_advance(struct fb_fluid *fluid, struct fluid_link *link);
void fb_fluid_hold(struct fb_fluid *fluid, uint32_t flow, uint32_t hop);
void fb_fluid_let_go(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_date_update(struct fb_fluid *fluid, uint32_t link);
uint64_t fb_fluid_first_finish(struct fb_fluid *fluid, uint32_t link, uint32_t *flow);

/* fluid_fill.c: exact progressive filling of all that is coupled to the dirty links. */
void fb_fluid_fill(struct fb_fluid *fluid);

#endif
