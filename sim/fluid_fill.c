/* Exact max-min rates by progressive filling of everything that is coupled to the dirty links.
 *
 *  1. The component: from the dirty links over their flows to those flows' links, and so on.
 *  2. Each link offers a share: what is left of its capacity, divided by the weights not yet fixed.
 *     The lowest share is final: its unfixed flows are held there, and what they take is taken from
 *     their other links. Shares only rise by that, so a heap with old keys is enough: a key that
 *     proves too low goes back with its present value.
 *  3. Flows whose holder changed move; all marks are brought over with the clocks at now.
 *
 * Cost: the component's hops times the logarithm of its links. */
#include "sim/fluid_internal.h"

#include "core/panic.h"

#include <math.h>

struct filling {
    struct fb_fluid *fluid;
    uint32_t link_count;
    uint32_t flow_count;
    uint32_t share_count;
};

static void link_visit(struct filling *filling, uint32_t index)
{
    struct fb_fluid *fluid = filling->fluid;
    struct fluid_link *link = &fluid->links[index];
    if (link->visit == fluid->visit || index == fluid->link_count)
        return;
    link->visit = fluid->visit;
    fluid->fill_links[filling->link_count++] = index;
}

/* Collects the component, and lets time pass on its links at their old levels. */
static void component_collect(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    fluid->visit++;
    for (uint32_t i = 0; i < fluid->dirty_count; i++) {
        fluid->links[fluid->dirty[i]].is_dirty = false;
        link_visit(filling, fluid->dirty[i]);
    }
    fluid->dirty_count = 0;
    for (uint32_t i = 0; i < filling->link_count; i++) {
        struct fluid_link *link = &fluid->links[fluid->fill_links[i]];
        fb_fluid_clock_advance(fluid, link);
        /* Flows that share nothing but an equal cap are not coupled. */
        if (link->is_cap)
            continue;
        const uint32_t *members = fluid_members(fluid, link);
        for (uint32_t j = 0; j < link->members.count; j++) {
            uint32_t flow = members[j] >> FLUID_HOP_BITS;
            if (fluid->identities[flow].visit == fluid->visit)
                continue;
            fluid->identities[flow].visit = fluid->visit;
            fluid->fill_flows[filling->flow_count++] = flow;
            const struct fluid_flow *record = fluid_flow_at(fluid, flow);
            for (uint32_t hop = 0; hop < fluid->hop_count; hop++)
                link_visit(filling, record->links[hop]);
        }
    }
}

static void share_push(struct filling *filling, struct fluid_share share)
{
    struct fluid_share *heap = filling->fluid->fill_heap;
    uint32_t place = filling->share_count++;
    while (place > 0 && heap[(place - 1) / 2].level > share.level) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = share;
}

static struct fluid_share share_pop(struct filling *filling)
{
    FB_ASSERT(filling->share_count > 0);
    struct fluid_share *heap = filling->fluid->fill_heap;
    struct fluid_share top = heap[0];
    struct fluid_share moved = heap[--filling->share_count];
    uint32_t count = filling->share_count;
    uint32_t place = 0;
    for (uint32_t child = 1; child < count; child = 2 * place + 1) {
        if (child + 1 < count && heap[child + 1].level < heap[child].level)
            child++;
        if (heap[child].level >= moved.level)
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
    return top;
}

/* While filling, a link's `told` is what is left of its capacity, `fixed` the weights not fixed. */
static double share_of(const struct fluid_link *link)
{
    return link->is_cap ? link->level : link->told / link->fixed;
}

static void flow_fix(struct filling *filling, uint32_t flow, uint32_t hop, double level)
{
    struct fb_fluid *fluid = filling->fluid;
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    if ((record->stamp & FLUID_HOP_MASK) != hop) {
        if ((record->stamp & FLUID_HOP_MASK) != FLUID_HOP_MASK)
            fb_fluid_let_go(fluid, flow);
        fb_fluid_hold(fluid, flow, hop);
    }
    for (uint32_t i = 0; i < fluid->hop_count; i++) {
        struct fluid_link *link = &fluid->links[record->links[i]];
        link->told -= level * record->weight;
        link->fixed -= record->weight;
    }
}

static void shares_open(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    for (uint32_t i = 0; i < filling->link_count; i++) {
        struct fluid_link *link = &fluid->links[fluid->fill_links[i]];
        link->told = link->capacity;
        link->fixed = (double)link->weight;
        if (link->is_cap)
            continue;
        link->level = INFINITY;
        if (link->weight > 0)
            share_push(filling,
                       (struct fluid_share){.level = share_of(link), .link = fluid->fill_links[i]});
    }
    /* A cap holds the component's flows only; other components' stay as they are. */
    for (uint32_t i = 0; i < filling->link_count; i++) {
        uint32_t index = fluid->fill_links[i];
        if (fluid->links[index].is_cap)
            share_push(filling,
                       (struct fluid_share){.level = fluid->links[index].level, .link = index});
    }
}

static void shares_fix(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    double level_min = 0;
    while (filling->share_count > 0) {
        struct fluid_share share = share_pop(filling);
        struct fluid_link *link = &fluid->links[share.link];
        if (link->fixed <= 0)
            continue;
        double level = share_of(link);
        if (level > share.level && filling->share_count > 0 && level > fluid->fill_heap[0].level) {
            share.level = level;
            share_push(filling, share);
            continue;
        }
        /* Rounding may leave a share a hair below the last one. */
        level = level < level_min ? level_min : level;
        level_min = level;
        link->level = level;
        for (uint32_t i = 0; i < link->members.count; i++) {
            uint32_t member = fluid_members(fluid, link)[i];
            struct fluid_identity *identity = &fluid->identities[member >> FLUID_HOP_BITS];
            if (identity->visit != fluid->visit)
                continue;
            identity->visit = fluid->visit - 1;
            flow_fix(filling, member >> FLUID_HOP_BITS, member & FLUID_HOP_MASK, level);
        }
    }
}

/* Sums that the fixing used as scratch get their meaning back. */
static void sums_restore(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    for (uint32_t i = 0; i < filling->link_count; i++) {
        struct fluid_link *link = &fluid->links[fluid->fill_links[i]];
        link->fixed = 0;
        link->told = link->level;
    }
    for (uint32_t i = 0; i < filling->flow_count; i++) {
        uint32_t flow = fluid->fill_flows[i];
        const struct fluid_flow *record = fluid_flow_at(fluid, flow);
        uint32_t holder = record->stamp & FLUID_HOP_MASK;
        double rate = fluid->links[record->links[holder]].level * record->weight;
        for (uint32_t hop = 0; hop < fluid->hop_count; hop++)
            if (hop != holder)
                fluid->links[record->links[hop]].fixed += rate;
    }
    for (uint32_t i = 0; i < filling->link_count; i++)
        fb_fluid_date_update(fluid, fluid->fill_links[i]);
}

void fb_fluid_fill(struct fb_fluid *fluid)
{
    if (fluid->dirty_count == 0)
        return;
    struct filling filling = {.fluid = fluid};
    component_collect(&filling);
    shares_open(&filling);
    shares_fix(&filling);
    sums_restore(&filling);
}
