/* How plans are drawn: figures from a generator. Included by swarm_plan.c and swarm_aim.c. */
#ifndef FB_SIM_SWARM_SWARM_DRAW_H
#define FB_SIM_SWARM_SWARM_DRAW_H

#include "sim/swarm/swarm_internal.h"

#include "core/index/random.h"

enum { US = 1000, MS = 1000000 };

static inline uint64_t below(struct fb_random *random, uint64_t bound)
{
    return fb_random_below(random, bound);
}

static inline bool one_in(struct fb_random *random, uint64_t count)
{
    return below(random, count) == 0;
}

static inline uint64_t pick(struct fb_random *random, uint32_t count, const uint64_t *values)
{
    return values[below(random, count)];
}

/* Between min and max, every order of magnitude as likely as the others. */
static inline uint64_t log_between(struct fb_random *random, uint64_t min, uint64_t max)
{
    uint64_t spans = 0;
    while (min << (spans + 1) <= max && spans < 62)
        spans++;
    uint64_t low = min << below(random, spans + 1);
    uint64_t value = low + below(random, low);
    return value < max ? value : max;
}

/* swarm_aim.c: bends a plan that is drawn towards faults that must coincide to show anything. */
void swarm_plan_aim(struct fb_random *random, struct fb_swarm_plan *plan);

/* swarm_members.c: members keep leases at a store, now and then, and lose them. */
void swarm_plan_members(struct fb_swarm_plan *plan);

/* The plan was drawn milder, or its judge will be: noted, and counted. */
static inline void plan_soften(struct fb_swarm_plan *plan, enum fb_swarm_softening softening)
{
    plan->softened |= 1u << softening;
}

#endif
