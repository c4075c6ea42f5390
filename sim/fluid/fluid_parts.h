/* What a fluid network is made of: flows, links, and where each stands in the other's lists. The
 * words are those of fluid_state.h. */
#ifndef FB_SIM_FLUID_FLUID_PARTS_H
#define FB_SIM_FLUID_FLUID_PARTS_H

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

#endif
