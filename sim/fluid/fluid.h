/* Max-min fair rates for many coupled flows over a set of links, in integer nanoseconds.
 * A pure library: it has no clock; the engine asks for the next completion and moves it there.
 * See fluid.c for the algorithm, its error and its cost. */
#ifndef FB_SIM_FLUID_FLUID_H
#define FB_SIM_FLUID_FLUID_H

#include <stdint.h>

enum { FB_FLUID_LINKS_MAX = 8 }; /* links of one flow's path */

struct fb_fluid;

/* What runs use. Completion times are then off by 0.01% in the mean, see docs/fluid.md. */
static const double FB_FLUID_TOLERANCE = 0.005;

/* link_bytes_per_s: capacity of each link, > 0. tolerance: relative error of rates that is
 * accepted, 0: exact. flows_max: a hint for the first allocation; it grows. Without memory the
 * program ends. */
struct fb_fluid *fb_fluid_open(const uint64_t *link_bytes_per_s, uint32_t link_count,
                               uint32_t flows_max, double tolerance);
/* Frees it with all its flows. */
void fb_fluid_close(struct fb_fluid *fluid);

/* Starts a flow at now_ns (never before the last call's). links: link_count distinct indexes,
 * 1..MAX. rate_max_bytes_per_s 0: no cap. cookie: the caller's, unique among open flows of the
 * same instant. Returns the flow's id, valid until its completion is taken or it is cancelled. */
uint32_t fb_fluid_start(struct fb_fluid *fluid, uint64_t now_ns, const uint32_t *links,
                        uint32_t link_count, uint64_t size_bytes, uint64_t rate_max_bytes_per_s,
                        uint32_t weight, uint64_t cookie);

/* Ends a flow early. */
void fb_fluid_cancel(struct fb_fluid *fluid, uint64_t now_ns, uint32_t flow);

/* A link has another capacity from now_ns on, > 0; rates follow. */
void fb_fluid_set_capacity(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link,
                           uint64_t bytes_per_s);

/* Date of the next completion as rates stand now; UINT64_MAX: none. May resolve rates. */
uint64_t fb_fluid_next_ns(struct fb_fluid *fluid);

/* Takes one flow that is complete at now_ns; returns 1 and its cookie, or 0: no more at now_ns.
 * Flows of one nanosecond come sorted by cookie. */
int fb_fluid_take(struct fb_fluid *fluid, uint64_t now_ns, uint64_t *cookie);

/* Visits the open flows that cross `link`: writes up to count_max ids, returns how many there
 * are. */
uint32_t fb_fluid_flows_on(const struct fb_fluid *fluid, uint32_t link, uint32_t *flows,
                           uint32_t count_max);
/* The cookie that an open or complete flow was started with. */
uint64_t fb_fluid_cookie(const struct fb_fluid *fluid, uint32_t flow);

/* Flows that were started and neither taken nor cancelled. */
uint32_t fb_fluid_open_flows(const struct fb_fluid *fluid);

/* Present rate of a flow, bytes a second, as resolved now; 0: it is complete. */
double fb_fluid_flow_rate(struct fb_fluid *fluid, uint64_t now_ns, uint32_t flow);
/* The sum of the rates of a link's flows, bytes a second, as resolved now. */
double fb_fluid_link_load(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link);

/* Bytes that are still to cross a link that is full: what a queue in front of it could hold. 0: it
 * is not full. */
double fb_fluid_link_backlog(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link);

/* What resolving rates has cost so far. */
struct fb_fluid_counts {
    uint64_t resolves;    /* that had something to do */
    uint64_t relaxations; /* links looked at */
    uint64_t weighings;   /* of these, with all their members */
    uint64_t tells;       /* new levels passed on, one for each flow */
    uint64_t moves;       /* of a flow from one holder to another */
    uint64_t fills;       /* exact fillings */
};
/* The counts since the network was opened. */
struct fb_fluid_counts fb_fluid_counts_get(const struct fb_fluid *fluid);

/* Resolves rates and asserts every invariant; at no date before the last call's. For tests. */
void fb_fluid_check(struct fb_fluid *fluid);

#endif
