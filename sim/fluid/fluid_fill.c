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
#include "sim/fluid/fluid_internal.h"

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
    if (link->visit == fluid->visit)
        return;
    link->visit = fluid->visit;
    fluid->fill_links[filling->link_count++] = index;
}

/* Collects the component, and lets time pass on its links at their old levels. */
static void component_collect(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    fluid->visit++;
    while (fluid->dirty_count > 0)
        link_visit(filling, fb_fluid_dirty_take(fluid));
    for (uint32_t i = 0; i < filling->link_count; i++) {
        struct fluid_link *link = &fluid->links[fluid->fill_links[i]];
        fb_fluid_clock_advance(fluid, link);
        /* Flows that share nothing but an equal cap are not coupled. */
        if (link->is_cap)
            continue;
        const struct fluid_member *members = fluid_members(fluid, link);
        for (uint32_t j = 0; j < link->members.count; j++) {
            uint32_t flow = members[j].id >> FLUID_HOP_BITS;
            if (fluid->fill_visits[flow] == fluid->visit)
                continue;
            fluid->fill_visits[flow] = fluid->visit;
            fluid->fill_flows[filling->flow_count++] = flow;
            const struct fluid_flow *record = fluid_flow_at(fluid, flow);
            for (uint32_t hop = 0; hop < record->hop_count; hop++)
                link_visit(filling, record->hops[hop].link);
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

static double share_of(const struct fb_fluid *fluid, uint32_t link)
{
    const struct fluid_room *room = &fluid->fill_rooms[link];
    return fluid->links[link].is_cap ? fluid->links[link].level : room->capacity / room->weight;
}

static void flow_fix(struct filling *filling, uint32_t flow, uint32_t hop, double level)
{
    struct fb_fluid *fluid = filling->fluid;
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    if (fluid_holder(record) != hop) {
        if (fluid_is_held(record))
            fb_fluid_let_go(fluid, flow);
        fb_fluid_hold(fluid, flow, hop);
    }
    for (uint32_t i = 0; i < record->hop_count; i++) {
        struct fluid_room *room = &fluid->fill_rooms[record->hops[i].link];
        room->capacity -= level * record->weight;
        room->weight -= record->weight;
    }
}

static void shares_open(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    for (uint32_t i = 0; i < filling->link_count; i++) {
        uint32_t index = fluid->fill_links[i];
        struct fluid_link *link = &fluid->links[index];
        fluid->fill_rooms[index] = (struct fluid_room){
            .capacity = link->capacity,
            .weight = (double)link->weight,
        };
        /* A cap's level stands, and other components' flows under it stay as they are. */
        if (!link->is_cap)
            link->level = INFINITY;
        if (link->weight > 0)
            share_push(filling,
                       (struct fluid_share){.level = share_of(fluid, index), .link = index});
    }
}

static void shares_fix(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    double level_min = 0;
    while (filling->share_count > 0) {
        struct fluid_share share = share_pop(filling);
        struct fluid_link *link = &fluid->links[share.link];
        if (fluid->fill_rooms[share.link].weight <= 0)
            continue;
        double level = share_of(fluid, share.link);
        if (level > share.level && filling->share_count > 0 && level > fluid->fill_heap[0].level) {
            share.level = level;
            share_push(filling, share);
            continue;
        }
        /* Rounding may leave a share a hair below the last one. */
        level = level < level_min ? level_min : level;
        level_min = level;
        link->level = level;
        /* One that is held now changes places with one among the held, which was seen before. */
        for (uint32_t i = 0; i < link->members.count; i++) {
            uint32_t id = fluid_members(fluid, link)[i].id;
            uint32_t *visit = &fluid->fill_visits[id >> FLUID_HOP_BITS];
            if (*visit != fluid->visit)
                continue;
            *visit = fluid->visit - 1;
            flow_fix(filling, id >> FLUID_HOP_BITS, id & FLUID_HOP_MASK, level);
        }
    }
}

static void sums_set(struct filling *filling)
{
    struct fb_fluid *fluid = filling->fluid;
    for (uint32_t i = 0; i < filling->link_count; i++) {
        struct fluid_link *link = &fluid->links[fluid->fill_links[i]];
        link->must_weigh = false;
        fluid->told[fluid->fill_links[i]] = (float)link->level;
    }
    if (fluid->tolerance > 0)
        fb_fluid_slack_rebuild(fluid);
    for (uint32_t i = 0; i < filling->link_count; i++)
        fb_fluid_date_update(fluid, fluid->fill_links[i]);
}

void fb_fluid_fill(struct fb_fluid *fluid)
{
    fluid->fresh_count = 0;
    if (fluid->dirty_count == 0)
        return;
    fluid->counts.fills++;
    struct filling filling = {.fluid = fluid};
    component_collect(&filling);
    shares_open(&filling);
    shares_fix(&filling);
    sums_set(&filling);
}

void fb_fluid_fill_all(struct fb_fluid *fluid)
{
    for (uint32_t i = 0; i < fluid->link_count; i++)
        if (fluid->links[i].members.count > 0 || fluid->links[i].date_place != FLUID_NONE)
            fb_fluid_dirty_add(fluid, i, INFINITY);
    fb_fluid_fill(fluid);
}
