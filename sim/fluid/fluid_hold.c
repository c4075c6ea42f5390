/* Who crosses a link and who is held there. A link's clock advances with its level, so the flows it
 * holds need no work when the level changes; only their first finish has a date.
 * Stale entries (flows that moved elsewhere) stay in a heap until they reach its top or make up
 * half of it: a move costs one insertion. Does not decide who is held where. */
#include "sim/fluid/fluid_internal.h"

#include "core/panic.h"

enum { STALE_MIN = 8 };

/* Brings a link's clock to now. */
void fb_fluid_clock_advance(struct fb_fluid *fluid, struct fluid_link *link)
{
    if (link->held_count > 0 && fluid->now_ns > link->clock_ns)
        link->clock += link->level * (double)(fluid->now_ns - link->clock_ns);
    link->clock_ns = fluid->now_ns;
}

static void member_put(struct fb_fluid *fluid, struct fluid_member *members, uint32_t place,
                       struct fluid_member member)
{
    members[place] = member;
    struct fluid_flow *flow = fluid_flow_at(fluid, member.id >> FLUID_HOP_BITS);
    flow->hops[member.id & FLUID_HOP_MASK].place = place;
}

static void members_swap(struct fb_fluid *fluid, const struct fluid_link *link, uint32_t one,
                         uint32_t other)
{
    if (one == other)
        return;
    struct fluid_member *members = fluid_members(fluid, link);
    struct fluid_member moved = members[one];
    member_put(fluid, members, one, members[other]);
    member_put(fluid, members, other, moved);
}

/* Adds a hop to a flow's path. */
void fb_fluid_join(struct fb_fluid *fluid, uint32_t flow, uint32_t index)
{
    struct fluid_link *link = &fluid->links[index];
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t hop = record->hop_count++;
    FB_ASSERT(hop < fluid->hop_count_max);
    fb_fluid_pool_append(&fluid->members, &link->members);
    fluid->faces[index].members_offset = link->members.offset;
    record->hops[hop] = (struct fluid_hop){.link = index, .place = link->members.count};
    fluid_members(fluid, link)[link->members.count++] = (struct fluid_member){
        .id = flow << FLUID_HOP_BITS | hop,
        .weight = record->weight,
        .others = {fluid->link_count, fluid->link_count, fluid->link_count},
    };
    link->weight += record->weight;
}

/* Takes a flow that nobody holds off its links; their last members fill the holes. All of this is
 * far apart in memory, so it is asked for hop by hop before it is used hop by hop. */
void fb_fluid_leave(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    FB_ASSERT(!fluid_is_held(record));
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        const struct fluid_link *link = &fluid->links[record->hops[hop].link];
        const struct fluid_member *members = fluid_members(fluid, link);
        __builtin_prefetch(&members[record->hops[hop].place], 1);
        __builtin_prefetch(&members[link->members.count - 1]);
    }
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        const struct fluid_link *link = &fluid->links[record->hops[hop].link];
        uint32_t last = fluid_members(fluid, link)[link->members.count - 1].id;
        __builtin_prefetch(fluid_flow_at(fluid, last >> FLUID_HOP_BITS), 1);
    }
    for (uint32_t hop = 0; hop < record->hop_count; hop++) {
        struct fluid_link *link = &fluid->links[record->hops[hop].link];
        struct fluid_member *members = fluid_members(fluid, link);
        uint32_t place = record->hops[hop].place;
        FB_ASSERT(members[place].id == (flow << FLUID_HOP_BITS | hop));
        link->weight -= record->weight;
        link->members.count--;
        if (place < link->members.count)
            member_put(fluid, members, place, members[link->members.count]);
    }
}

static bool entry_is_stale(const struct fb_fluid *fluid, const struct fluid_finish *entry)
{
    return fluid_flow_at(fluid, entry->flow)->stamp != entry->stamp;
}

static void finish_sift_down(struct fluid_finish *heap, uint32_t count, uint32_t place)
{
    struct fluid_finish moved = heap[place];
    for (uint32_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
        if (child + 1 < count && heap[child + 1].mark < heap[child].mark)
            child++;
        if (heap[child].mark >= moved.mark)
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
}

static void stale_drop(struct fb_fluid *fluid, struct fluid_link *link)
{
    struct fluid_finish *heap = fluid_finishes(fluid, link);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < link->finishes.count; i++)
        if (!entry_is_stale(fluid, &heap[i]))
            heap[kept++] = heap[i];
    link->finishes.count = kept;
    FB_ASSERT(kept == link->held_count);
    for (uint32_t i = kept / 2; i-- > 0;)
        finish_sift_down(heap, kept, i);
}

static void finish_push(struct fb_fluid *fluid, struct fluid_link *link, struct fluid_finish entry)
{
    fb_fluid_pool_append(&fluid->finishes, &link->finishes);
    struct fluid_finish *heap = fluid_finishes(fluid, link);
    uint32_t place = link->finishes.count++;
    while (place > 0 && heap[(place - 1) / 2].mark > entry.mark) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = entry;
    link->first_mark = heap[0].mark;
}

/* Puts a flow that nobody holds under one of its hops. The link's clock must be at now. */
void fb_fluid_hold(struct fb_fluid *fluid, uint32_t flow, uint32_t hop)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    struct fluid_link *link = &fluid->links[record->hops[hop].link];
    FB_ASSERT(!fluid_is_held(record));
    FB_ASSERT(link->clock_ns == fluid->now_ns);
    if (link->finishes.count > 2 * link->held_count + STALE_MIN)
        stale_drop(fluid, link);
    members_swap(fluid, link, record->hops[hop].place, link->held_count);
    link->held_weight += record->weight;
    link->held_count++;
    record->stamp = (record->stamp & ~(uint32_t)FLUID_HOP_MASK) | hop;
    record->mark += link->clock;
    finish_push(fluid, link,
                (struct fluid_finish){.mark = record->mark, .flow = flow, .stamp = record->stamp});
}

/* Takes a flow from its holder; its mark becomes what is left. The link's clock must be at now. */
void fb_fluid_let_go(struct fb_fluid *fluid, uint32_t flow)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    FB_ASSERT(fluid_is_held(record));
    const struct fluid_hop *hop = &record->hops[fluid_holder(record)];
    struct fluid_link *link = &fluid->links[hop->link];
    FB_ASSERT(link->clock_ns == fluid->now_ns);
    record->mark = record->mark > link->clock ? record->mark - link->clock : 0;
    record->stamp = (record->stamp | FLUID_HOP_MASK) + (1u << FLUID_HOP_BITS);
    link->held_weight -= record->weight;
    link->held_count--;
    members_swap(fluid, link, hop->place, link->held_count);
    if (link->held_count == 0) {
        link->finishes.count = 0;
        link->clock = 0;
    }
}

/* The flow that a link completes first. Returns false: it holds none. */
bool fb_fluid_first_finish(struct fb_fluid *fluid, struct fluid_link *link, uint32_t *flow)
{
    if (link->held_count == 0)
        return false;
    struct fluid_finish *heap = fluid_finishes(fluid, link);
    while (entry_is_stale(fluid, &heap[0])) {
        heap[0] = heap[--link->finishes.count];
        finish_sift_down(heap, link->finishes.count, 0);
    }
    link->first_mark = heap[0].mark;
    *flow = heap[0].flow;
    return true;
}

/* Writes a held flow's other tight links where its holder finds them. */
void fb_fluid_name_others_held(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t holder = fluid_holder(record);
    const struct fluid_hop *hop = &record->hops[holder];
    struct fluid_member *member = &fluid_members(fluid, &fluid->links[hop->link])[hop->place];
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->hop_count; i++) {
        if (i == holder || (record->tight >> i & 1) == 0)
            continue;
        if (count == FLUID_OTHERS) {
            member->others[0] = FLUID_NONE;
            return;
        }
        member->others[count++] = record->hops[i].link;
    }
    while (count < FLUID_OTHERS)
        member->others[count++] = fluid->link_count;
}

/* The same for all its tight links: to those that do not hold it, it names its holder. */
void fb_fluid_name_others(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t holder = fluid_holder(record);
    for (uint32_t i = 0; i < record->hop_count; i++) {
        if (i == holder || (record->tight >> i & 1) == 0)
            continue;
        const struct fluid_hop *hop = &record->hops[i];
        struct fluid_member *member = &fluid_members(fluid, &fluid->links[hop->link])[hop->place];
        member->others[0] = record->hops[holder].link;
        member->others[1] = fluid->link_count;
        member->others[2] = fluid->link_count;
    }
    fb_fluid_name_others_held(fluid, flow);
}
