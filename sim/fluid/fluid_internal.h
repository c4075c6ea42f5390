/* What the fluid network's files share. Nobody else includes this.
 *
 * Words. A flow crosses links (its hops). A link is full when the rates of its flows add up to its
 * capacity; then its level is the rate per weight that it grants, and the flows that get just that
 * are held by this link. A flow is held by exactly one of its hops: the one with the lowest level.
 * A flow's own cap is one more hop: a cap class, a link of endless capacity whose level is fixed.
 * A link that is far from full is slack (fluid_slack.c); the others are tight.
 *
 * Invariants:
 *  1. A link's clock is the integral of its level over time, bytes per weight. A held flow is done
 *     when the clock of its holder reaches the flow's mark. So a change of level costs no work per
 *     held flow.
 *  2. finishes: a binary heap by mark of the flows that a link holds. Entries whose stamp differs
 *     from their flow's stamp are stale. first_mark is at most the mark of the first valid entry.
 *  3. members: the flows that cross a link, the held ones first. Each member names the other links
 *     that a new level here concerns, so that passing it on reads no flow.
 *  4. told is the level that the links of the held flows were last told of. fixed is, on a tight
 *     link, the sum over the flows held elsewhere of weight times told of their holders; on a slack
 *     link the sum of weight times ceiling over all flows. A cap class has no such sum.
 *  5. dates: a 4-ary heap of the links that hold flows, by a date that is never later than that of
 *     their first finish. */
#ifndef FB_SIM_FLUID_FLUID_INTERNAL_H
#define FB_SIM_FLUID_FLUID_INTERNAL_H

#include "sim/fluid/fluid.h"

#include <stdbool.h>

enum {
    FLUID_NONE = UINT32_MAX,
    FLUID_HOPS_MAX = FB_FLUID_LINKS_MAX + 1, /* the links and the cap class */
    FLUID_HOP_BITS = 4,
    FLUID_HOP_MASK = (1 << FLUID_HOP_BITS) - 1, /* as a holder: not held yet */
    FLUID_FLOWS_MAX = 1 << (31 - FLUID_HOP_BITS),
    FLUID_OTHERS = 3,
    FLUID_BUCKETS = 4096,
    FLUID_CLASSES = 28, /* sizes of pieces in a pool: powers of two */
};

/* One entry of a link's heap of finishes. */
struct fluid_finish {
    double mark;
    uint32_t flow;
    uint32_t stamp;
};

/* One flow that crosses a link. others, if it is held here: its other tight links; if not: its
 * holder. The rest is the void link. others[0] FLUID_NONE: they are too many, see the flow. */
struct fluid_member {
    uint32_t id; /* flow * 16 + hop */
    uint32_t weight;
    uint32_t others[FLUID_OTHERS];
};

struct fluid_date {
    uint64_t date_ns;
    uint32_t link;
};

enum fluid_state { FLUID_FREE, FLUID_OPEN, FLUID_DONE, FLUID_DROPPED };

/* A link of a flow's path and where the flow stands among its members. */
struct fluid_hop {
    uint32_t link;
    uint32_t place;
};

struct fluid_flow {
    double mark; /* clock of the holder when it is done; bytes per weight left if not held */
    uint64_t cookie;
    uint32_t weight; /* > 0 */
    uint32_t stamp;  /* moves counted, times 16, plus the holding hop */
    float ceiling;   /* what slack links keep for it, bytes per ns and weight */
    uint8_t state;   /* enum fluid_state */
    uint8_t hop_count;
    uint16_t tight; /* a bit for each hop that is not slack */
    struct fluid_hop hops[];
};

/* A growing list in a pool. */
struct fluid_piece {
    uint32_t offset;
    uint32_t count;
    uint32_t size_class; /* holds 1 << size_class items; FLUID_NONE: holds none */
};

/* What is touched of the links that a change of level elsewhere passes. */
struct fluid_face {
    double fixed;
    float low; /* while low <= fixed <= high the link need not be looked at */
    float high;
    float peak; /* at least what any member held elsewhere is told */
    uint32_t dirty_next;
    uint32_t members_offset; /* the link's, so that they can be asked for without it */
    bool is_slack;
    bool is_dirty;
};

struct fluid_link {
    double level; /* bytes per ns and weight; INFINITY: not full */
    double capacity;
    double clock;
    uint64_t clock_ns;
    double first_mark;
    uint64_t held_weight;
    uint32_t held_count;
    uint32_t date_place; /* in dates; FLUID_NONE: not there */
    float ceiling_min;   /* at most the lowest ceiling of the held flows */
    bool must_weigh;     /* its level alone does not tell who is held here */
    bool is_cap;
    struct fluid_piece members;  /* struct fluid_member */
    struct fluid_piece finishes; /* struct fluid_finish */
    uint64_t weight;             /* of all members */
    uint32_t visit;
    uint32_t unused[6]; /* to two cache lines */
};
_Static_assert(sizeof(struct fluid_link) == 128, "a link is two cache lines");
_Static_assert(sizeof(struct fluid_face) == 32, "two faces are a cache line");

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

/* What a link still has to give while the exact filling goes on. */
struct fluid_room {
    double capacity;
    double weight;
};

/* A member of the link that is being weighed, see fluid_relax.c. */
struct fluid_offer {
    float level; /* what it is told elsewhere */
    uint32_t weight;
    uint32_t id;
    bool will_be_held;
};

struct fb_fluid {
    double tolerance;
    struct fb_fluid_counts counts;
    uint64_t now_ns;
    unsigned char *flows; /* records of flow_size_bytes */
    uint32_t flow_size_bytes;
    uint32_t hop_count_max; /* hops of one record */
    uint32_t flow_count;    /* records ever used */
    uint32_t flow_count_max;
    uint32_t flow_free;
    uint32_t open_count;
    struct fluid_face *faces; /* by link */
    float *told;              /* by link; apart from the faces: asked for much more often */
    struct fluid_link *links; /* real ones, the void link, cap classes */
    uint32_t link_count;      /* real ones; also the void link's index */
    uint32_t link_count_all;
    uint32_t link_count_max;
    struct fluid_pool members;
    struct fluid_pool finishes;
    struct fluid_date *dates;
    uint32_t date_count;
    uint32_t dirty_count;
    uint32_t dirty_heads[FLUID_BUCKETS]; /* dirty links by level, lists through dirty_next */
    uint64_t dirty_bits[FLUID_BUCKETS / 64];
    uint64_t dirty_words;      /* which of dirty_bits are not 0 */
    struct fluid_ended *ended; /* done and not yet taken, sorted by cookie */
    uint32_t ended_first;
    uint32_t ended_count;
    uint32_t ended_count_max;
    uint32_t *fresh; /* started, and not held yet */
    uint32_t fresh_count;
    uint32_t fresh_count_max;
    struct fluid_offer *offers;
    uint32_t offer_count_max;
    uint32_t visit; /* stamps the links and flows that a filling has seen */
    uint32_t *fill_visits;
    uint32_t *fill_flows;
    uint32_t *fill_links;
    struct fluid_room *fill_rooms; /* by link */
    struct fluid_share *fill_heap;
    uint32_t *cap_table; /* cap classes by level, open addressing; 0: empty */
    uint32_t cap_table_size;
};

static inline struct fluid_flow *fluid_flow_at(const struct fb_fluid *fluid, uint32_t flow)
{
    return (struct fluid_flow *)(void *)(fluid->flows + (uint64_t)flow * fluid->flow_size_bytes);
}

static inline struct fluid_member *fluid_members(const struct fb_fluid *fluid,
                                                 const struct fluid_link *link)
{
    return (struct fluid_member *)(void *)fluid->members.items + link->members.offset;
}

static inline struct fluid_finish *fluid_finishes(const struct fb_fluid *fluid,
                                                  const struct fluid_link *link)
{
    return (struct fluid_finish *)(void *)fluid->finishes.items + link->finishes.offset;
}

static inline uint32_t fluid_holder(const struct fluid_flow *flow)
{
    return flow->stamp & FLUID_HOP_MASK;
}

static inline bool fluid_is_held(const struct fluid_flow *flow)
{
    return fluid_holder(flow) != FLUID_HOP_MASK;
}

/* What a held flow's links were told of its rate per weight. */
static inline float fluid_flow_told(const struct fb_fluid *fluid, const struct fluid_flow *flow)
{
    return fluid->told[flow->hops[fluid_holder(flow)].link];
}

/* A link learns that the rates of members held elsewhere changed, to at most told each. */
static inline void fluid_tell(struct fluid_face *face, double change, float told)
{
    face->fixed += change;
    face->peak = face->peak < told ? told : face->peak;
}

/* fluid_store.c: memory. Running out of it ends the program with a line. */
void *fb_fluid_grow(void *items, uint64_t count_before, uint64_t count, uint64_t item_size_bytes);
void fb_fluid_pool_open(struct fluid_pool *pool, uint32_t item_size_bytes);
void fb_fluid_pool_append(struct fluid_pool *pool, struct fluid_piece *piece);
void fb_fluid_flows_reserve(struct fb_fluid *fluid, uint32_t count);
uint32_t fb_fluid_flow_acquire(struct fb_fluid *fluid, uint32_t hop_count);
void fb_fluid_flow_release(struct fb_fluid *fluid, uint32_t flow);
uint32_t fb_fluid_link_add(struct fb_fluid *fluid, double capacity);
uint32_t fb_fluid_cap_class(struct fb_fluid *fluid, double level);

/* fluid_hold.c: who crosses a link, who is held, clocks. */
void fb_fluid_clock_advance(struct fb_fluid *fluid, struct fluid_link *link);
void fb_fluid_join(struct fb_fluid *fluid, uint32_t flow, uint32_t link);
void fb_fluid_leave(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_hold(struct fb_fluid *fluid, uint32_t flow, uint32_t hop);
void fb_fluid_let_go(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_name_others(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_name_others_held(struct fb_fluid *fluid, uint32_t flow);
bool fb_fluid_first_finish(struct fb_fluid *fluid, struct fluid_link *link, uint32_t *flow);

/* fluid_queue.c: links by date, and dirty links by level. */
uint64_t fb_fluid_mark_date(const struct fluid_link *link, double mark);
void fb_fluid_date_update(struct fb_fluid *fluid, uint32_t link);
uint64_t fb_fluid_date_first(struct fb_fluid *fluid);
void fb_fluid_date_prefetch(const struct fb_fluid *fluid);
void fb_fluid_dirty_add(struct fb_fluid *fluid, uint32_t link, float level);
uint32_t fb_fluid_dirty_take(struct fb_fluid *fluid);

/* fluid_fill.c: exact progressive filling of all that is coupled to the dirty links. */
void fb_fluid_fill(struct fb_fluid *fluid);
void fb_fluid_fill_all(struct fb_fluid *fluid);

/* fluid_slack.c: links that are far from full. */
void fb_fluid_slack_enter(struct fb_fluid *fluid, uint32_t link);
void fb_fluid_slack_leave(struct fb_fluid *fluid, uint32_t link);
void fb_fluid_slack_join(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_slack_rebuild(struct fb_fluid *fluid);
void fb_fluid_ceiling_follow(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_ceilings_follow(struct fb_fluid *fluid, uint32_t link);

/* fluid_relax.c: levels within the tolerance, link by link. */
void fb_fluid_relax(struct fb_fluid *fluid);
void fb_fluid_untell(struct fb_fluid *fluid, uint32_t flow);
void fb_fluid_band_set(struct fb_fluid *fluid, uint32_t link);

#endif
