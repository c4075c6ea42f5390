/* Links that are far from full. A slack link does not follow its flows' rates: it keeps for each of
 * them its ceiling, and as long as the ceilings fit into its capacity nobody needs to look at it.
 * A flow tells its slack links only when its rate passes its ceiling; most changes of rate touch
 * only links that may bind. A link that holds a flow is never slack.
 *
 * A link enters and leaves only between two relaxations, when no change is half told. */
#include "sim/fluid/fluid_internal.h"

#include "core/panic.h"

#include <math.h>

/* Ceilings are half above the rate. Links enter with a tenth to spare, so that they do not flap. */
static const float CEILING_ABOVE = 1.5f;
static const float CEILING_STALE = 0.4f;
static const double SLACK_SHARE = 0.9;

/* Keeps another rate for a flow. A link where that does not fit is woken. */
static void ceiling_set(struct fb_fluid *fluid, uint32_t flow, float ceiling)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    double change = ((double)ceiling - (double)record->ceiling) * record->weight;
    record->ceiling = ceiling;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        uint32_t link = record->hops[hop].link;
        struct fluid_face *face = &fluid->faces[link];
        if ((record->tight >> hop & 1) != 0)
            continue;
        face->fixed += change;
        if (face->fixed > (double)face->high)
            fb_fluid_dirty_add(fluid, link, ceiling);
    }
    struct fluid_link *holder = &fluid->links[record->hops[fluid_holder(record)].link];
    if (ceiling < holder->ceiling_min)
        holder->ceiling_min = ceiling;
}

/* A held flow's rate changed: keeps its ceiling near. */
void fb_fluid_ceiling_follow(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    float told = fluid_flow_told(fluid, record);
    if (told > record->ceiling || told < record->ceiling * CEILING_STALE)
        ceiling_set(fluid, flow, told * CEILING_ABOVE);
}

/* The same for all flows that a link holds. */
void fb_fluid_ceilings_follow(struct fb_fluid *fluid, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    const struct fluid_member *members = fluid_members(fluid, link);
    link->ceiling_min = INFINITY;
    for (uint32_t i = 0; i < link->held_count; i++) {
        fb_fluid_ceiling_follow(fluid, members[i].id >> FLUID_HOP_BITS);
        float ceiling = fluid_flow_at(fluid, members[i].id >> FLUID_HOP_BITS)->ceiling;
        if (ceiling < link->ceiling_min)
            link->ceiling_min = ceiling;
    }
}

/* Counts a flow that was just given its first holder on its other links. */
void fb_fluid_slack_join(struct fb_fluid *fluid, uint32_t flow)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t holder = fluid_holder(record);
    float told = fluid_flow_told(fluid, record);
    record->ceiling = told * CEILING_ABOVE;
    record->tight = 0;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        uint32_t link = record->hops[hop].link;
        struct fluid_face *face = &fluid->faces[link];
        if (face->is_slack) {
            face->fixed += (double)record->ceiling * record->weight;
            if (face->fixed > (double)face->high)
                fb_fluid_dirty_add(fluid, link, record->ceiling);
            continue;
        }
        record->tight |= (uint16_t)(1u << hop);
        if (hop != holder)
            fluid_tell(face, (double)told * record->weight, told);
    }
    struct fluid_link *link = &fluid->links[record->hops[holder].link];
    if (record->ceiling < link->ceiling_min)
        link->ceiling_min = record->ceiling;
    fb_fluid_name_others(fluid, flow);
}

/* Makes a link that holds nobody slack, if its flows' ceilings fit. */
void fb_fluid_slack_enter(struct fb_fluid *fluid, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    FB_ASSERT(link->held_count == 0);
    if (face->fixed * (double)CEILING_ABOVE > link->capacity * SLACK_SHARE)
        return;
    const struct fluid_member *members = fluid_members(fluid, link);
    double kept = 0;
    for (uint32_t i = 0; i < link->members.count; i++) {
        uint32_t flow = members[i].id >> FLUID_HOP_BITS;
        const struct fluid_flow *record = fluid_flow_at(fluid, flow);
        if (!fluid_is_held(record))
            continue;
        fb_fluid_ceiling_follow(fluid, flow);
        kept += (double)record->ceiling * record->weight;
    }
    if (kept > link->capacity)
        return;
    for (uint32_t i = 0; i < link->members.count; i++) {
        uint32_t flow = members[i].id >> FLUID_HOP_BITS;
        struct fluid_flow *record = fluid_flow_at(fluid, flow);
        if (!fluid_is_held(record))
            continue;
        record->tight &= (uint16_t) ~(1u << (members[i].id & FLUID_HOP_MASK));
        fb_fluid_name_others_held(fluid, flow);
    }
    face->fixed = kept;
    fluid->told[index] = INFINITY;
    face->is_slack = true;
    fb_fluid_band_set(fluid, index);
}

/* Makes a link follow its flows' rates again. */
void fb_fluid_slack_leave(struct fb_fluid *fluid, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    FB_ASSERT(face->is_slack);
    face->is_slack = false;
    face->fixed = 0;
    face->peak = 0;
    const struct fluid_member *members = fluid_members(fluid, link);
    for (uint32_t i = 0; i < link->members.count; i++) {
        uint32_t flow = members[i].id >> FLUID_HOP_BITS;
        struct fluid_flow *record = fluid_flow_at(fluid, flow);
        if (!fluid_is_held(record))
            continue;
        float told = fluid_flow_told(fluid, record);
        fluid_tell(face, (double)told * record->weight, told);
        record->tight |= (uint16_t)(1u << (members[i].id & FLUID_HOP_MASK));
        fb_fluid_name_others(fluid, flow);
    }
}

/* After a filling of everything: decides for all links and counts all flows anew. */
void fb_fluid_slack_rebuild(struct fb_fluid *fluid)
{
    for (uint32_t i = 0; i < fluid->link_count_all; i++)
        fluid->faces[i].fixed = 0;
    for (uint32_t flow = 0; flow < fluid->flow_count; flow++) {
        const struct fluid_flow *record = fluid_flow_at(fluid, flow);
        if (record->state != FLUID_OPEN)
            continue;
        double ceiling = (double)(fluid_flow_told(fluid, record) * CEILING_ABOVE);
        for (uint32_t hop = 0; hop < record->hop_count; hop++)
            fluid->faces[record->hops[hop].link].fixed += ceiling * record->weight;
    }
    for (uint32_t i = 0; i < fluid->link_count_all; i++) {
        struct fluid_link *link = &fluid->links[i];
        struct fluid_face *face = &fluid->faces[i];
        face->is_slack = link->held_count == 0 && i < fluid->link_count &&
                         face->fixed <= link->capacity * SLACK_SHARE;
        face->fixed = 0;
        face->peak = 0;
        face->high = INFINITY;
        link->ceiling_min = INFINITY;
    }
    for (uint32_t flow = 0; flow < fluid->flow_count; flow++)
        if (fluid_flow_at(fluid, flow)->state == FLUID_OPEN)
            fb_fluid_slack_join(fluid, flow);
    for (uint32_t i = 0; i < fluid->link_count; i++)
        fb_fluid_band_set(fluid, i);
}
