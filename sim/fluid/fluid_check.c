/* Recomputes what the fluid network keeps up to date (the invariants of fluid_internal.h) and
 * asserts that it is the same. For tests: it costs as much as there are flows. */
#include "sim/fluid/fluid_internal.h"

#include "core/panic.h"

#include <math.h>

/* Sums are kept by additions of differences; this is what rounding may do to them. */
static const double SUM_ERROR = 1e-6;

static void flow_check(const struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    FB_ASSERT(record->hop_count > 0 && record->hop_count <= fluid->hop_count_max);
    FB_ASSERT(fluid_is_held(record));
    FB_ASSERT(fluid_holder(record) < record->hop_count);
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        const struct fluid_link *link = &fluid->links[record->hops[hop].link];
        FB_ASSERT(record->hops[hop].place < link->members.count);
        const struct fluid_member *member = &fluid_members(fluid, link)[record->hops[hop].place];
        FB_ASSERT(member->id == (flow << FLUID_HOP_BITS | hop));
        FB_ASSERT(member->weight == record->weight);
        FB_ASSERT((record->hops[hop].place < link->held_count) == (fluid_holder(record) == hop));
    }
}

/* What a held flow's member under its holder must name: its other tight links, in any order. */
static void others_check(const struct fb_fluid *fluid, const struct fluid_member *member)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, member->id >> FLUID_HOP_BITS);
    uint32_t tight_count = 0;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        bool is_tight = (record->tight >> hop & 1) != 0;
        FB_ASSERT(is_tight != fluid->faces[record->hops[hop].link].is_slack);
        if (!is_tight || hop == fluid_holder(record))
            continue;
        bool is_named = member->others[0] == FLUID_NONE;
        for (uint32_t i = 0; i < FLUID_OTHERS; i++)
            is_named = is_named || member->others[i] == record->hops[hop].link;
        FB_ASSERT(is_named);
        tight_count++;
    }
    FB_ASSERT((member->others[0] == FLUID_NONE) == (tight_count > FLUID_OTHERS));
}

static void finishes_check(const struct fb_fluid *fluid, const struct fluid_link *link)
{
    const struct fluid_finish *heap = fluid_finishes(fluid, link);
    uint32_t valid_count = 0;
    for (uint32_t i = 0; i < link->finishes.count; i++) {
        FB_ASSERT(i == 0 || heap[(i - 1) / 2].mark <= heap[i].mark);
        if (fluid_flow_at(fluid, heap[i].flow)->stamp != heap[i].stamp)
            continue;
        valid_count++;
        FB_ASSERT(link->first_mark <= heap[i].mark);
    }
    FB_ASSERT(valid_count == link->held_count);
}

static void members_check(const struct fb_fluid *fluid, uint32_t index)
{
    const struct fluid_link *link = &fluid->links[index];
    const struct fluid_member *members = fluid_members(fluid, link);
    uint64_t weight = 0;
    uint64_t held_weight = 0;
    FB_ASSERT(link->held_count <= link->members.count);
    for (uint32_t i = 0; i < link->members.count; i++) {
        const struct fluid_flow *record = fluid_flow_at(fluid, members[i].id >> FLUID_HOP_BITS);
        FB_ASSERT(record->state == FLUID_OPEN);
        weight += record->weight;
        if (i >= link->held_count)
            continue;
        held_weight += record->weight;
        if (fluid->tolerance > 0)
            others_check(fluid, &members[i]);
    }
    FB_ASSERT(weight == link->weight);
    FB_ASSERT(held_weight == link->held_weight);
    if (link->held_count > 0) {
        finishes_check(fluid, link);
        FB_ASSERT(link->date_place < fluid->date_count);
        FB_ASSERT(fluid->dates[link->date_place].link == index);
    }
}

/* What a link was told, against what its members' holders say. */
static void face_check(const struct fb_fluid *fluid, uint32_t index)
{
    const struct fluid_link *link = &fluid->links[index];
    const struct fluid_face *face = &fluid->faces[index];
    const struct fluid_member *members = fluid_members(fluid, link);
    double fixed = 0;
    for (uint32_t i = 0; i < link->members.count; i++) {
        const struct fluid_flow *record = fluid_flow_at(fluid, members[i].id >> FLUID_HOP_BITS);
        float told = fluid_flow_told(fluid, record);
        if (face->is_slack) {
            FB_ASSERT(told <= record->ceiling);
            fixed += (double)record->ceiling * record->weight;
        } else if (i >= link->held_count) {
            FB_ASSERT(told <= face->peak);
            fixed += (double)told * record->weight;
        }
    }
    FB_ASSERT(fabs(fixed - face->fixed) <= SUM_ERROR * link->capacity);
    if (face->is_slack) {
        FB_ASSERT(link->held_count == 0);
        FB_ASSERT(fixed <= link->capacity * (1 + SUM_ERROR));
    } else if (link->held_count > 0) {
        double apart = fabs(link->level - (double)fluid->told[index]);
        FB_ASSERT(apart <= fluid->tolerance * (double)fluid->told[index]);
    }
}

static void dates_check(const struct fb_fluid *fluid)
{
    for (uint32_t i = 0; i < fluid->date_count; i++) {
        const struct fluid_link *link = &fluid->links[fluid->dates[i].link];
        FB_ASSERT(link->date_place == i);
        if (link->held_count > 0)
            FB_ASSERT(fluid->dates[i].date_ns <= fb_fluid_mark_date(link, link->first_mark));
    }
}

void fb_fluid_check(struct fb_fluid *fluid)
{
    fb_fluid_next_ns(fluid);
    FB_ASSERT(fluid->dirty_count == 0 && fluid->fresh_count == 0);
    uint32_t open_count = fluid->ended_count - fluid->ended_first;
    for (uint32_t flow = 0; flow < fluid->flow_count; flow++) {
        if (fluid_flow_at(fluid, flow)->state != FLUID_OPEN)
            continue;
        open_count++;
        flow_check(fluid, flow);
    }
    FB_ASSERT(open_count >= fluid->open_count);
    for (uint32_t i = 0; i < fluid->link_count_all; i++) {
        if (i == fluid->link_count)
            continue;
        members_check(fluid, i);
        if (fluid->tolerance > 0 && !fluid->links[i].is_cap)
            face_check(fluid, i);
    }
    dates_check(fluid);
}
