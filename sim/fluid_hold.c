/* Which link holds a flow, and when its flows finish. A link's clock advances with its level, so
 * the flows it holds need no work when the level changes; only their first finish has a date. Stale
 * entries (flows that moved elsewhere) stay in a heap until they reach its top or make up half of
 * it: a move costs one insertion. Does not decide who is held where. */
#include "sim/fluid_internal.h"

#include "core/panic.h"

#include <math.h>

enum { DATES_ARITY = 4, STALE_MIN = 8 };
static const double ROUNDING_NS = 1e-3;

/* Brings a link's clock to now. */
void fb_fluid_clock_advance(struct fb_fluid *fluid, struct fluid_link *link)
{
    if (link->held_count > 0 && fluid->now_ns > link->clock_ns)
        link->clock += link->level * (double)(fluid->now_ns - link->clock_ns);
    link->clock_ns = fluid->now_ns;
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

static void finish_pop(struct fluid_finish *heap, struct fluid_piece *piece)
{
    heap[0] = heap[--piece->count];
    if (piece->count > 1)
        finish_sift_down(heap, piece->count, 0);
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

/* Puts a flow that nobody holds under one of its hops. The link's clock must be at now. */
void fb_fluid_hold(struct fb_fluid *fluid, uint32_t flow, uint32_t hop)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    struct fluid_link *link = &fluid->links[record->links[hop]];
    FB_ASSERT((record->stamp & FLUID_HOP_MASK) == FLUID_HOP_MASK);
    FB_ASSERT(link->clock_ns == fluid->now_ns);
    if (link->finishes.count > 2 * link->held_count + STALE_MIN)
        stale_drop(fluid, link);
    record->stamp = (record->stamp & ~(uint32_t)FLUID_HOP_MASK) | hop;
    record->mark += link->clock;
    link->held_weight += record->weight;
    link->held_count++;
    fb_fluid_pool_append(&fluid->finishes, &link->finishes);
    struct fluid_finish *heap = fluid_finishes(fluid, link);
    uint32_t place = link->finishes.count++;
    while (place > 0 && heap[(place - 1) / 2].mark > record->mark) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = (struct fluid_finish){.mark = record->mark, .flow = flow, .stamp = record->stamp};
}

/* Takes a flow from its holder; its mark becomes what is left. The link's clock must be at now. */
void fb_fluid_let_go(struct fb_fluid *fluid, uint32_t flow)
{
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    uint32_t hop = record->stamp & FLUID_HOP_MASK;
    FB_ASSERT(hop != FLUID_HOP_MASK);
    struct fluid_link *link = &fluid->links[record->links[hop]];
    FB_ASSERT(link->clock_ns == fluid->now_ns);
    record->mark = record->mark > link->clock ? record->mark - link->clock : 0;
    record->stamp = (record->stamp | FLUID_HOP_MASK) + (1u << FLUID_HOP_BITS);
    link->held_weight -= record->weight;
    link->held_count--;
    if (link->held_count == 0) {
        link->finishes.count = 0;
        link->clock = 0;
    }
}

/* Date and flow of a link's first finish at its present level; UINT64_MAX: none. */
uint64_t fb_fluid_first_finish(struct fb_fluid *fluid, uint32_t index, uint32_t *flow)
{
    struct fluid_link *link = &fluid->links[index];
    if (link->held_count == 0)
        return UINT64_MAX;
    struct fluid_finish *heap = fluid_finishes(fluid, link);
    while (entry_is_stale(fluid, &heap[0]))
        finish_pop(heap, &link->finishes);
    *flow = heap[0].flow;
    double left = heap[0].mark - link->clock;
    if (left <= 0)
        return link->clock_ns;
    FB_ASSERT(link->level > 0);
    /* A hair less, so that the clock's rounding does not part flows that end together. */
    double wait_ns = ceil(left / link->level - ROUNDING_NS);
    /* Beyond 2^62 ns (146 years) the exact date does not matter. */
    return link->clock_ns + (wait_ns < 0x1p62 ? (uint64_t)wait_ns : (uint64_t)1 << 62);
}

static void date_put(struct fb_fluid *fluid, uint32_t place, struct fluid_date date)
{
    fluid->dates[place] = date;
    fluid->links[date.link].date_place = place;
}

static void date_sift(struct fb_fluid *fluid, uint32_t place, struct fluid_date date)
{
    while (place > 0 && fluid->dates[(place - 1) / DATES_ARITY].date_ns > date.date_ns) {
        date_put(fluid, place, fluid->dates[(place - 1) / DATES_ARITY]);
        place = (place - 1) / DATES_ARITY;
    }
    for (;;) {
        uint32_t child = DATES_ARITY * place + 1;
        uint32_t end = child + DATES_ARITY;
        if (end > fluid->date_count)
            end = fluid->date_count;
        if (child >= end)
            break;
        uint32_t first = child;
        for (uint32_t i = child + 1; i < end; i++)
            if (fluid->dates[i].date_ns < fluid->dates[first].date_ns)
                first = i;
        if (fluid->dates[first].date_ns >= date.date_ns)
            break;
        date_put(fluid, place, fluid->dates[first]);
        place = first;
    }
    date_put(fluid, place, date);
}

/* Brings a link's date up to its present level and first flow. */
void fb_fluid_date_update(struct fb_fluid *fluid, uint32_t link)
{
    uint32_t flow;
    uint64_t date_ns = fb_fluid_first_finish(fluid, link, &flow);
    uint32_t place = fluid->links[link].date_place;
    if (date_ns != UINT64_MAX) {
        if (place == FLUID_NONE)
            place = fluid->date_count++;
        date_sift(fluid, place, (struct fluid_date){.date_ns = date_ns, .link = link});
    } else if (place != FLUID_NONE) {
        fluid->links[link].date_place = FLUID_NONE;
        struct fluid_date last = fluid->dates[--fluid->date_count];
        if (place < fluid->date_count)
            date_sift(fluid, place, last);
    }
}
