/* Max-min rates within a tolerance, link by link.
 *
 * A full link's level follows from its members: those held elsewhere take what their holders told,
 * the rest of the capacity is divided by the weight of those held here. An event makes its links
 * dirty; relaxing a dirty link can make others dirty; when none is left, every link is near enough.
 *
 *  1. fixed + level * held weight = capacity, at the last relaxation of a full link.
 *  2. What is told of a level is at most TOLD_SHARE of the tolerance away from it. Within that the
 *     level moves freely, at no cost beyond its own link; beyond it, the held flows' other links
 *     are told (level_tell).
 *  3. A link sleeps while what it was told stays in a band of BAND_SHARE of the tolerance.
 *     So by 1 to 3 no link carries more than capacity * (1 + tolerance).
 *  4. A flow is held where it is told the lowest level, but for MOVE_SHARE of the tolerance, so
 *     that it does not go to and fro. Who is held is decided by weighing all members (link_weigh),
 *     only when somebody may have to come or go; the usual change asks the held ones only
 *     (level_shift), and most relaxations do not even that.
 *  5. Dirty links are taken lowest level first, because a level depends on lower ones only.
 *
 * Many starts at once, and relaxations that do not settle in RELAXATIONS_PER_FLOW times the open
 * flows, are resolved by an exact filling instead: the work for an event is bounded.
 * Does not know time: clocks are advanced before a level changes. */
#include "sim/fluid/fluid_internal.h"

#include "core/panic.h"

#include <math.h>

enum { RELAXATIONS_MIN = 10000, RELAXATIONS_PER_FLOW = 4, FRESH_MIN = 100, FRESH_SHARE = 8 };

static const double BAND_SHARE = 0.3;
static const double TOLD_SHARE = 0.7;
static const double MOVE_SHARE = 0.25;

/* A band is as wide as if at least this share of the capacity were held: a link that holds little
 * need not follow every breath of the others. */
static const double HELD_SHARE_MIN = 0.25;

/* Sets the sums between which a link's level is near enough. */
void fb_fluid_band_set(struct fb_fluid *fluid, uint32_t index)
{
    const struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    double slack = fluid->tolerance * BAND_SHARE;
    face->low = -INFINITY;
    if (face->is_slack) {
        face->high = (float)link->capacity;
    } else if (link->held_weight == 0) {
        face->high = (float)(link->capacity * (1 + slack));
    } else {
        double held = link->level * (double)link->held_weight;
        double held_min = link->capacity * HELD_SHARE_MIN;
        double apart = slack * (held > held_min ? held : held_min);
        face->low = (float)(link->capacity - held - apart);
        face->high = (float)(link->capacity - held + apart);
    }
}

/* Adds to what a link is told of flows held elsewhere; wakes it when its level is too far off. */
static inline void link_tell(struct fb_fluid *fluid, uint32_t index, double change, float told)
{
    struct fluid_face *face = &fluid->faces[index];
    fluid_tell(face, change, told);
    if (face->fixed < (double)face->low || face->fixed > (double)face->high)
        fb_fluid_dirty_add(fluid, index, told);
}

/* A flow is about to leave: its other links no longer count it. */
void fb_fluid_untell(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t holder = fluid_holder(record);
    double rate = (double)fluid_flow_told(fluid, record) * record->weight;
    double kept = (double)record->ceiling * record->weight;
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        if (hop != holder)
            fluid->faces[record->hops[hop].link].fixed -=
                (record->tight >> hop & 1) != 0 ? rate : kept;
}

/* The lowest of what a member is told by others, where they are too many for its entry. */
static float offer_by_flow(const struct fb_fluid *fluid, uint32_t id)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, id >> FLUID_HOP_BITS);
    float lowest = INFINITY;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        float told = fluid->told[record->hops[hop].link];
        if (hop != (id & FLUID_HOP_MASK) && told < lowest)
            lowest = told;
    }
    return lowest;
}

/* What a member is told elsewhere: by its other tight links, or by its holder. */
static inline float member_offer(const struct fb_fluid *fluid, const struct fluid_member *member)
{
    if (member->others[0] == FLUID_NONE)
        return offer_by_flow(fluid, member->id);
    float lowest = fluid->told[member->others[0]];
    for (uint32_t i = 1; i < FLUID_OTHERS; i++) {
        float told = fluid->told[member->others[i]];
        lowest = told < lowest ? told : lowest;
    }
    return lowest;
}

/* Asks every member what it is told elsewhere. Returns how many do not belong where they are. */
static uint32_t offers_gather(struct fb_fluid *fluid, const struct fluid_link *link, double level)
{
    uint32_t count = link->members.count;
    if (count > fluid->offer_count_max) {
        fluid->offer_count_max = count + count / 2 + 64;
        fluid->offers =
            fb_fluid_grow(fluid->offers, 0, fluid->offer_count_max, sizeof(*fluid->offers));
    }
    float stay = (float)(level * (1 - fluid->tolerance * MOVE_SHARE));
    float come = (float)(level * (1 + fluid->tolerance * MOVE_SHARE));
    const struct fluid_member *members = fluid_members(fluid, link);
    uint32_t misplaced = 0;
    for (uint32_t i = 0; i < count; i++) {
        float offer = member_offer(fluid, &members[i]);
        bool is_held = i < link->held_count;
        if (is_held)
            __builtin_prefetch(&fluid->faces[members[i].others[0]], 1);
        misplaced += is_held ? offer < stay : offer > come;
        fluid->offers[i] = (struct fluid_offer){.level = offer,
                                                .weight = members[i].weight,
                                                .id = members[i].id,
                                                .will_be_held = is_held};
    }
    return misplaced;
}

/* The level at which the members, each taking no more than its offer elsewhere, fill the link.
 * The sum is concave in the level, so Newton's steps from below never pass the answer. */
static double level_solve(const struct fb_fluid *fluid, const struct fluid_link *link, double level)
{
    const struct fluid_offer *offers = fluid->offers;
    double sum = 0;
    for (uint32_t i = 0; i < link->members.count; i++)
        sum += (double)offers[i].level * offers[i].weight;
    if (sum <= link->capacity)
        return INFINITY;
    double lowest = link->capacity / (double)link->weight;
    if (!(level > lowest))
        level = lowest;
    bool is_below = level == lowest;
    for (;;) {
        double fixed = 0;
        double weight = 0;
        for (uint32_t i = 0; i < link->members.count; i++) {
            if ((double)offers[i].level < level)
                fixed += (double)offers[i].level * offers[i].weight;
            else
                weight += offers[i].weight;
        }
        double next = weight > 0 ? (link->capacity - fixed) / weight : lowest;
        next = next < lowest ? lowest : next;
        if (is_below && !(next > level * (1 + 1e-9)))
            return level;
        level = next;
        is_below = true;
    }
}

/* Moves a flow from hop to hop and tells its other links. `other` is the link not being weighed. */
static void flow_move(struct fb_fluid *fluid, uint32_t flow, uint32_t to, uint32_t other)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t from = fluid_holder(record);
    uint32_t source = record->hops[from].link;
    uint32_t target = record->hops[to].link;
    fluid->counts.moves++;
    fb_fluid_clock_advance(fluid, &fluid->links[source]);
    fb_fluid_clock_advance(fluid, &fluid->links[target]);
    float told = fluid->told[target];
    double before = (double)fluid->told[source] * record->weight;
    double after = (double)told * record->weight;
    fb_fluid_let_go(fluid, flow);
    fb_fluid_hold(fluid, flow, to);
    if (record->ceiling < fluid->links[target].ceiling_min)
        fluid->links[target].ceiling_min = record->ceiling;
    fluid_tell(&fluid->faces[source], after, told);
    fluid->faces[target].fixed -= before;
    fb_fluid_dirty_add(fluid, other, told);
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        if (hop != from && hop != to && (record->tight >> hop & 1) != 0)
            link_tell(fluid, record->hops[hop].link, after - before, told);
    fb_fluid_ceiling_follow(fluid, flow);
    fb_fluid_name_others(fluid, flow);
}

static uint32_t hop_lowest(const struct fb_fluid *fluid, uint32_t id)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, id >> FLUID_HOP_BITS);
    uint32_t lowest = FLUID_NONE;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        if (hop == (id & FLUID_HOP_MASK) || (record->tight >> hop & 1) == 0)
            continue;
        if (lowest == FLUID_NONE ||
            fluid->told[record->hops[hop].link] < fluid->told[record->hops[lowest].link])
            lowest = hop;
    }
    return lowest;
}

/* Decides who will be held at the solved level. Returns the level that this gives. */
static double offers_decide(struct fb_fluid *fluid, const struct fluid_link *link, double solved,
                            double *fixed_out)
{
    double slack = fluid->tolerance * MOVE_SHARE;
    double weight = 0;
    double fixed = 0;
    for (uint32_t i = 0; i < link->members.count; i++) {
        struct fluid_offer *offer = &fluid->offers[i];
        double bar = solved * (i < link->held_count ? 1 - slack : 1 + slack);
        offer->will_be_held = !isinf(solved) && (double)offer->level > bar;
        if (offer->will_be_held)
            weight += offer->weight;
        else
            fixed += (double)offer->level * offer->weight;
    }
    *fixed_out = fixed;
    if (weight == 0)
        return INFINITY;
    double level = (link->capacity - fixed) / weight;
    return level > solved / 2 ? level : solved;
}

static void member_tell_by_flow(struct fb_fluid *fluid, uint32_t id, double change, float told)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, id >> FLUID_HOP_BITS);
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        if (hop != (id & FLUID_HOP_MASK) && (record->tight >> hop & 1) != 0)
            link_tell(fluid, record->hops[hop].link, change * record->weight, told);
}

/* Gives all held flows a new level, and tells their other links. */
static void level_tell(struct fb_fluid *fluid, uint32_t index, double level)
{
    struct fluid_link *link = &fluid->links[index];
    float told = (float)level;
    double change = (double)told - (double)fluid->told[index];
    link->level = level;
    fluid->told[index] = told;
    fluid->counts.tells += link->held_count;
    const struct fluid_member *members = fluid_members(fluid, link);
    for (uint32_t i = 0; i < link->held_count; i++) {
        const struct fluid_member *member = &members[i];
        if (member->others[0] == FLUID_NONE) {
            member_tell_by_flow(fluid, member->id, change, told);
            continue;
        }
        for (uint32_t j = 0; j < FLUID_OTHERS; j++)
            link_tell(fluid, member->others[j], change * member->weight, told);
    }
    if (told > link->ceiling_min)
        fb_fluid_ceilings_follow(fluid, index);
}

/* Looks at every member: who should be held here, and at what level. */
static void link_weigh(struct fb_fluid *fluid, uint32_t index, double level)
{
    struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    uint32_t count = link->members.count;
    uint32_t held_count = link->held_count;
    fluid->counts.weighings++;
    link->must_weigh = false;
    if (!(level > 0) || isinf(level))
        level = 0;
    uint32_t misplaced = offers_gather(fluid, link, level);
    double fixed = face->fixed;
    bool has_moves = misplaced > 0 || level == 0;
    if (has_moves) {
        double solved = level_solve(fluid, link, level);
        level = offers_decide(fluid, link, solved, &fixed);
        /* Those that leave go while the old level is told, those that come see the new one. */
        for (uint32_t i = 0; i < held_count; i++) {
            if (fluid->offers[i].will_be_held)
                continue;
            uint32_t flow = fluid->offers[i].id >> FLUID_HOP_BITS;
            uint32_t hop = hop_lowest(fluid, fluid->offers[i].id);
            flow_move(fluid, flow, hop, fluid_flow_at(fluid, flow)->hops[hop].link);
        }
    }
    level_tell(fluid, index, level);
    float peak = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct fluid_offer *offer = &fluid->offers[i];
        if (!offer->will_be_held) {
            peak = offer->level > peak ? offer->level : peak;
        } else if (i >= held_count) {
            const struct fluid_flow *record = fluid_flow_at(fluid, offer->id >> FLUID_HOP_BITS);
            flow_move(fluid, offer->id >> FLUID_HOP_BITS, offer->id & FLUID_HOP_MASK,
                      record->hops[fluid_holder(record)].link);
        }
    }
    face->fixed = fixed;
    face->peak = peak;
}

/* Gives the held flows a new level, if all of them stay and no other comes. */
static bool level_shift(struct fb_fluid *fluid, uint32_t index, double level)
{
    struct fluid_link *link = &fluid->links[index];
    if (!(level * (1 + fluid->tolerance * MOVE_SHARE) >= (double)fluid->faces[index].peak))
        return false;
    const struct fluid_member *members = fluid_members(fluid, link);
    float stay = (float)(level * (1 - fluid->tolerance * MOVE_SHARE));
    float lowest = INFINITY;
    for (uint32_t i = 0; i < link->held_count; i++) {
        float offer = member_offer(fluid, &members[i]);
        lowest = offer < lowest ? offer : lowest;
        __builtin_prefetch(&fluid->faces[members[i].others[0]], 1);
        __builtin_prefetch(&fluid->faces[members[i].others[1]], 1);
    }
    if (lowest < stay)
        return false;
    level_tell(fluid, index, level);
    return true;
}

/* Follows what a tight link was told: its level, and who is held if that may have changed. */
static void tight_relax(struct fb_fluid *fluid, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    double level = INFINITY;
    if (link->held_weight > 0) {
        level = (link->capacity - face->fixed) / (double)link->held_weight;
        double apart = fabs(level - (double)fluid->told[index]);
        if (apart > fluid->tolerance * TOLD_SHARE * (double)fluid->told[index])
            link->must_weigh = link->must_weigh || !level_shift(fluid, index, level);
    } else if (face->fixed > link->capacity * (1 + fluid->tolerance * BAND_SHARE)) {
        link->must_weigh = true;
    }
    if (link->must_weigh) {
        link_weigh(fluid, index, level);
        return;
    }
    link->level = level;
    if (link->held_weight == 0) {
        fluid->told[index] = INFINITY;
        fb_fluid_slack_enter(fluid, index);
    }
}

static void link_relax(struct fb_fluid *fluid, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    const struct fluid_face *face = &fluid->faces[index];
    fluid->counts.relaxations++;
    fb_fluid_clock_advance(fluid, link);
    if (face->is_slack && face->fixed > link->capacity)
        fb_fluid_slack_leave(fluid, index);
    if (!link->is_cap && !face->is_slack)
        tight_relax(fluid, index);
    if (!link->is_cap)
        fb_fluid_band_set(fluid, index);
    fb_fluid_date_update(fluid, index);
}

/* Puts a new flow under the hop that can give it least. */
static void fresh_hold(struct fb_fluid *fluid, uint32_t flow)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    if (record->state != FLUID_OPEN || fluid_is_held(record))
        return;
    double lowest = INFINITY;
    uint32_t holder = 0;
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        uint32_t index = record->hops[hop].link;
        const struct fluid_link *link = &fluid->links[index];
        double level = link->level;
        if (!link->is_cap) {
            double least = link->capacity / (double)link->weight;
            level = (link->capacity - fluid->faces[index].fixed) /
                    (double)(link->held_weight + record->weight);
            level = level < least ? least : level;
        }
        if (level < lowest) {
            lowest = level;
            holder = hop;
        }
    }
    uint32_t index = record->hops[holder].link;
    struct fluid_link *link = &fluid->links[index];
    struct fluid_face *face = &fluid->faces[index];
    fb_fluid_clock_advance(fluid, link);
    if (link->held_weight == 0 && !link->is_cap) {
        if (face->is_slack)
            fb_fluid_slack_leave(fluid, index);
        fluid->told[index] = (float)lowest;
        link->level = lowest;
        link->ceiling_min = INFINITY;
        link->must_weigh = true;
    }
    fb_fluid_hold(fluid, flow, holder);
    fb_fluid_slack_join(fluid, flow);
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        if ((record->tight >> hop & 1) != 0)
            fb_fluid_dirty_add(fluid, record->hops[hop].link, (float)lowest);
}

void fb_fluid_relax(struct fb_fluid *fluid)
{
    if (fluid->dirty_count + fluid->fresh_count == 0)
        return;
    fluid->counts.resolves++;
    if (fluid->fresh_count > FRESH_MIN && fluid->fresh_count > fluid->open_count / FRESH_SHARE) {
        fb_fluid_fill_all(fluid);
        return;
    }
    for (uint32_t i = 0; i < fluid->fresh_count; i++)
        fresh_hold(fluid, fluid->fresh[i]);
    fluid->fresh_count = 0;
    uint64_t budget = RELAXATIONS_MIN + (uint64_t)RELAXATIONS_PER_FLOW * fluid->open_count;
    for (; fluid->dirty_count > 0 && budget > 0; budget--)
        link_relax(fluid, fb_fluid_dirty_take(fluid));
    if (fluid->dirty_count > 0)
        fb_fluid_fill_all(fluid);
}
