/* The state of a fluid network.
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
#ifndef FB_SIM_FLUID_FLUID_STATE_H
#define FB_SIM_FLUID_FLUID_STATE_H

#include "sim/fluid/fluid_parts.h"

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

#endif
