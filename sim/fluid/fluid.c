/* Max-min fair rates: flows start, end and are cancelled; rates are resolved when somebody asks.
 *
 * Each link that is full holds some flows at one level and keeps them in a virtual clock, so a
 * change of level is one multiplication however many flows it holds (fluid_hold.c). With tolerance
 * 0 each change fills its whole component anew (fluid_fill.c); else levels are relaxed link by link
 * until they are within the tolerance (fluid_relax.c). docs/fluid.md has the error and the cost.
 *
 * Several changes at one nanosecond are resolved together. Completions are found by date, collected
 * for one nanosecond, sorted by cookie and handed out one by one.
 * This file keeps the flows' lives; it does not compute rates. */
#include "sim/fluid/fluid_internal.h"

#include "base/memory.h"
#include "core/panic.h"

#include <math.h>
#include <stdlib.h>

struct fb_fluid *fb_fluid_open(const uint64_t *link_bytes_per_s, uint32_t link_count,
                               uint32_t flows_max, double tolerance)
{
    FB_ASSERT(tolerance >= 0);
    struct fb_fluid *fluid = fb_allocate(1, sizeof(*fluid), "the network", NULL);
    fluid->tolerance = tolerance;
    fluid->flow_free = FLUID_NONE;
    fluid->flow_size_bytes = sizeof(struct fluid_flow);
    fluid->link_count = link_count;
    fluid->visit = 1;
    for (uint32_t i = 0; i < FLUID_BUCKETS; i++)
        fluid->dirty_heads[i] = FLUID_NONE;
    fb_fluid_pool_open(&fluid->members, sizeof(struct fluid_member));
    fb_fluid_pool_open(&fluid->finishes, sizeof(struct fluid_finish));
    for (uint32_t i = 0; i < link_count; i++) {
        FB_ASSERT(link_bytes_per_s[i] > 0);
        fb_fluid_link_add(fluid, (double)link_bytes_per_s[i] / 1e9);
    }
    fb_fluid_link_add(fluid, INFINITY);
    for (uint32_t i = 0; i < link_count; i++)
        fb_fluid_band_set(fluid, i);
    if (flows_max > 0)
        fb_fluid_flows_reserve(fluid, flows_max);
    return fluid;
}

void fb_fluid_close(struct fb_fluid *fluid)
{
    if (fluid == NULL)
        return;
    free(fluid->flows);
    free(fluid->fill_visits);
    free(fluid->faces);
    free(fluid->told);
    free(fluid->links);
    free(fluid->members.items);
    free(fluid->finishes.items);
    free(fluid->dates);
    free(fluid->ended);
    free(fluid->fresh);
    free(fluid->offers);
    free(fluid->fill_links);
    free(fluid->fill_rooms);
    free(fluid->fill_heap);
    free(fluid->fill_flows);
    free(fluid->cap_table);
    free(fluid);
}

static void rates_resolve(struct fb_fluid *fluid)
{
    if (fluid->tolerance == 0)
        fb_fluid_fill(fluid);
    else
        fb_fluid_relax(fluid);
}

static void fresh_append(struct fb_fluid *fluid, uint32_t flow)
{
    if (fluid->fresh_count == fluid->fresh_count_max) {
        fluid->fresh_count_max += fluid->fresh_count_max / 2 + 64;
        fluid->fresh = fb_fluid_grow(fluid->fresh, fluid->fresh_count, fluid->fresh_count_max,
                                     sizeof(*fluid->fresh));
    }
    fluid->fresh[fluid->fresh_count++] = flow;
}

/* Nothing may be unresolved when time passes. */
static void time_pass(struct fb_fluid *fluid, uint64_t now_ns)
{
    FB_ASSERT(now_ns >= fluid->now_ns);
    if (now_ns > fluid->now_ns)
        rates_resolve(fluid);
    fluid->now_ns = now_ns;
}

static void link_prefetch(const struct fb_fluid *fluid, uint32_t link)
{
    __builtin_prefetch(&fluid->links[link], 1);
    __builtin_prefetch(&fluid->links[link].members, 1);
    __builtin_prefetch(&fluid->faces[link], 1);
}

/* Its links need a look. Slack ones look after themselves. */
static void hops_dirty(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        if (!fluid->faces[record->hops[hop].link].is_slack)
            fb_fluid_dirty_add(fluid, record->hops[hop].link, INFINITY);
}

uint32_t fb_fluid_start(struct fb_fluid *fluid, uint64_t now_ns, const uint32_t *links,
                        uint32_t link_count, uint64_t size_bytes, uint64_t rate_max_bytes_per_s,
                        uint32_t weight, uint64_t cookie)
{
    FB_ASSERT(link_count >= 1 && link_count <= FB_FLUID_LINKS_MAX);
    FB_ASSERT(weight > 0);
    for (uint32_t hop = 0; hop < link_count; hop++)
        link_prefetch(fluid, links[hop]);
    time_pass(fluid, now_ns);
    bool is_capped = rate_max_bytes_per_s > 0;
    uint32_t flow = fb_fluid_flow_acquire(fluid, link_count + is_capped);
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    record->mark = (double)size_bytes / weight;
    record->cookie = cookie;
    record->weight = weight;
    record->stamp |= FLUID_HOP_MASK;
    record->state = FLUID_OPEN;
    record->hop_count = 0;
    for (uint32_t hop = 0; hop < link_count; hop++) {
        FB_ASSERT(links[hop] < fluid->link_count);
        fb_fluid_join(fluid, flow, links[hop]);
    }
    if (is_capped) {
        double level = (double)rate_max_bytes_per_s / 1e9 / weight;
        fb_fluid_join(fluid, flow, fb_fluid_cap_class(fluid, level));
    }
    if (fluid->tolerance == 0)
        hops_dirty(fluid, flow);
    fresh_append(fluid, flow);
    fluid->open_count++;
    return flow;
}

/* Takes an open flow off its links. */
static void flow_detach(struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    for (uint32_t hop = 0; hop < record->hop_count; hop++)
        link_prefetch(fluid, record->hops[hop].link);
    if (fluid_is_held(record)) {
        fb_fluid_clock_advance(fluid, &fluid->links[record->hops[fluid_holder(record)].link]);
        fb_fluid_untell(fluid, flow);
        fb_fluid_let_go(fluid, flow);
    }
    fb_fluid_leave(fluid, flow);
    hops_dirty(fluid, flow);
}

void fb_fluid_cancel(struct fb_fluid *fluid, uint64_t now_ns, uint32_t flow)
{
    FB_ASSERT(flow < fluid->flow_count);
    uint32_t state = fluid_flow_at(fluid, flow)->state;
    FB_ASSERT(state == FLUID_OPEN || state == FLUID_DONE);
    time_pass(fluid, now_ns);
    fluid->open_count--;
    if (state == FLUID_DONE) {
        /* It stands among those that ended; its place is given back there. */
        fluid_flow_at(fluid, flow)->state = FLUID_DROPPED;
        return;
    }
    flow_detach(fluid, flow);
    fb_fluid_flow_release(fluid, flow);
}

void fb_fluid_set_capacity(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link,
                           uint64_t bytes_per_s)
{
    FB_ASSERT(link < fluid->link_count);
    FB_ASSERT(bytes_per_s > 0);
    time_pass(fluid, now_ns);
    fluid->links[link].capacity = (double)bytes_per_s / 1e9;
    fb_fluid_dirty_add(fluid, link, INFINITY);
}

uint64_t fb_fluid_next_ns(struct fb_fluid *fluid)
{
    if (fluid->ended_first < fluid->ended_count)
        return fluid->now_ns;
    rates_resolve(fluid);
    uint64_t date_ns = fb_fluid_date_first(fluid);
    fb_fluid_date_prefetch(fluid);
    return date_ns > fluid->now_ns ? date_ns : fluid->now_ns;
}

static int ended_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct fluid_ended *)left)->cookie;
    uint64_t b = ((const struct fluid_ended *)right)->cookie;
    return (a > b) - (a < b);
}

static void ended_append(struct fb_fluid *fluid, uint32_t flow)
{
    if (fluid->ended_count == fluid->ended_count_max) {
        fluid->ended_count_max += fluid->ended_count_max / 2 + 64;
        fluid->ended = fb_fluid_grow(fluid->ended, fluid->ended_count, fluid->ended_count_max,
                                     sizeof(*fluid->ended));
    }
    flow_detach(fluid, flow);
    struct fluid_flow *record = fluid_flow_at(fluid, flow);
    record->state = FLUID_DONE;
    fluid->ended[fluid->ended_count++] =
        (struct fluid_ended){.cookie = record->cookie, .flow = flow};
}

/* Collects the flows that are complete now. */
static void ended_collect(struct fb_fluid *fluid)
{
    fluid->ended_first = 0;
    fluid->ended_count = 0;
    rates_resolve(fluid);
    while (fb_fluid_date_first(fluid) <= fluid->now_ns) {
        struct fluid_link *link = &fluid->links[fluid->dates[0].link];
        uint32_t flow;
        while (fb_fluid_first_finish(fluid, link, &flow) &&
               fb_fluid_mark_date(link, link->first_mark) <= fluid->now_ns)
            ended_append(fluid, flow);
    }
    if (fluid->ended_count > 1)
        qsort(fluid->ended, fluid->ended_count, sizeof(*fluid->ended), ended_compare);
}

int fb_fluid_take(struct fb_fluid *fluid, uint64_t now_ns, uint64_t *cookie)
{
    time_pass(fluid, now_ns);
    if (fluid->ended_first == fluid->ended_count)
        ended_collect(fluid);
    while (fluid->ended_first < fluid->ended_count) {
        struct fluid_ended ended = fluid->ended[fluid->ended_first++];
        bool is_dropped = fluid_flow_at(fluid, ended.flow)->state == FLUID_DROPPED;
        fb_fluid_flow_release(fluid, ended.flow);
        if (is_dropped)
            continue;
        fluid->open_count--;
        *cookie = ended.cookie;
        return 1;
    }
    return 0;
}

uint32_t fb_fluid_flows_on(const struct fb_fluid *fluid, uint32_t link, uint32_t *flows,
                           uint32_t count_max)
{
    FB_ASSERT(link < fluid->link_count);
    const struct fluid_member *members = fluid_members(fluid, &fluid->links[link]);
    uint32_t count = fluid->links[link].members.count;
    for (uint32_t i = 0; i < count && i < count_max; i++)
        flows[i] = members[i].id >> FLUID_HOP_BITS;
    return count;
}

uint64_t fb_fluid_cookie(const struct fb_fluid *fluid, uint32_t flow)
{
    FB_ASSERT(flow < fluid->flow_count);
    return fluid_flow_at(fluid, flow)->cookie;
}

uint32_t fb_fluid_open_flows(const struct fb_fluid *fluid)
{
    return fluid->open_count;
}

static double rate_now(const struct fb_fluid *fluid, uint32_t flow)
{
    const struct fluid_flow *record = fluid_flow_at(fluid, flow);
    if (record->state != FLUID_OPEN || !fluid_is_held(record))
        return 0;
    return fluid->links[record->hops[fluid_holder(record)].link].level * record->weight * 1e9;
}

double fb_fluid_flow_rate(struct fb_fluid *fluid, uint64_t now_ns, uint32_t flow)
{
    FB_ASSERT(flow < fluid->flow_count);
    time_pass(fluid, now_ns);
    rates_resolve(fluid);
    return rate_now(fluid, flow);
}

double fb_fluid_link_load(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link)
{
    FB_ASSERT(link < fluid->link_count);
    time_pass(fluid, now_ns);
    rates_resolve(fluid);
    const struct fluid_member *members = fluid_members(fluid, &fluid->links[link]);
    double load = 0;
    for (uint32_t i = 0; i < fluid->links[link].members.count; i++)
        load += rate_now(fluid, members[i].id >> FLUID_HOP_BITS);
    return load;
}

double fb_fluid_link_backlog(struct fb_fluid *fluid, uint64_t now_ns, uint32_t link)
{
    FB_ASSERT(link < fluid->link_count);
    time_pass(fluid, now_ns);
    rates_resolve(fluid);
    const struct fluid_member *members = fluid_members(fluid, &fluid->links[link]);
    double bytes = 0;
    if (isinf(fluid->links[link].level))
        return 0;
    for (uint32_t i = 0; i < fluid->links[link].members.count; i++) {
        uint32_t flow = members[i].id >> FLUID_HOP_BITS;
        const struct fluid_flow *record = fluid_flow_at(fluid, flow);
        double rate = rate_now(fluid, flow);
        if (rate <= 0)
            continue;
        const struct fluid_link *holder = &fluid->links[record->hops[fluid_holder(record)].link];
        uint64_t end_ns = fb_fluid_mark_date(holder, record->mark);
        bytes += end_ns > now_ns ? rate * 1e-9 * (double)(end_ns - now_ns) : 0;
    }
    return bytes;
}

struct fb_fluid_counts fb_fluid_counts_get(const struct fb_fluid *fluid)
{
    return fluid->counts;
}
