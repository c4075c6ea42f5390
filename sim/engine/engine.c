/* The part of an engine that does not depend on the backend: timers, fluid flows, up and down,
 * and the delivery of what is due in (date, cookie) order.
 *
 * Timers live in one heap for both engines: with SimGrid as the clock, one SimGrid timer stands
 * for the earliest date, because SimGrid's own timer queue slows down to 0.5 M timers/s with
 * 400,000 pending. */
#include "sim/engine/engine_internal.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOWS_HINT = 1024, DUE_MAX_FIRST = 64 };

/* Links of the fluid network: host up, host down, leaf up, leaf down. */
static uint32_t link_host_up(uint32_t host)
{
    return 2 * host;
}

static uint32_t link_host_down(uint32_t host)
{
    return 2 * host + 1;
}

static uint32_t link_leaf_up(const struct fb_engine *engine, uint32_t leaf)
{
    return 2 * engine->host_count + 2 * leaf;
}

static uint32_t link_leaf_down(const struct fb_engine *engine, uint32_t leaf)
{
    return link_leaf_up(engine, leaf) + 1;
}

static void open_fluid(struct fb_engine *engine)
{
    uint32_t count = 2 * engine->host_count + 2 * engine->leaf_count;
    uint64_t *capacities = fb_allocate(count, sizeof(*capacities), "the network", NULL);
    for (uint32_t i = 0; i < engine->host_count; i++) {
        capacities[link_host_up(i)] = engine->hosts[i].up_bytes_per_s;
        capacities[link_host_down(i)] = engine->hosts[i].down_bytes_per_s;
    }
    for (uint32_t i = 0; i < engine->leaf_count; i++) {
        const struct fb_engine_leaf *leaf = &engine->leaves[i];
        capacities[link_leaf_up(engine, i)] = leaf->up_bytes_per_s > 0 ? leaf->up_bytes_per_s : 1;
        capacities[link_leaf_down(engine, i)] =
            leaf->down_bytes_per_s > 0 ? leaf->down_bytes_per_s : 1;
    }
    engine->fluid = fb_fluid_open(capacities, count, FLOWS_HINT, FB_FLUID_TOLERANCE);
    free(capacities);
}

struct fb_engine *fb_engine_open(enum fb_engine_kind kind, enum fb_engine_flows flows,
                                 const struct fb_engine_network *network,
                                 fb_engine_callback *callback, void *context, char *error,
                                 uint64_t error_size)
{
    FB_ASSERT(network->host_count > 0);
    FB_ASSERT(callback != NULL);
    if (!fb_engine_kind_is_built(kind)) {
        snprintf(error, error_size, "engine simgrid: this build has no SimGrid; use plain");
        return NULL;
    }
    struct fb_engine *engine = fb_allocate(1, sizeof(*engine), "the engine", NULL);
    engine->kind = kind;
    engine->flows = kind == FB_ENGINE_PLAIN ? FB_FLOWS_FLUID : flows;
    engine->callback = callback;
    engine->context = context;
    engine->host_count = network->host_count;
    engine->leaf_count = network->leaf_count;
    engine->hosts = fb_allocate(network->host_count, sizeof(*engine->hosts), "the network", NULL);
    engine->leaves = fb_allocate(network->leaf_count, sizeof(*engine->leaves), "the network", NULL);
    engine->is_up = fb_allocate(network->host_count, sizeof(*engine->is_up), "the network", NULL);
    memcpy(engine->hosts, network->hosts, network->host_count * sizeof(*engine->hosts));
    memcpy(engine->leaves, network->leaves, network->leaf_count * sizeof(*engine->leaves));
    for (uint32_t i = 0; i < network->host_count; i++)
        engine->is_up[i] = true;
    if (engine->flows != FB_FLOWS_LMM)
        open_fluid(engine);
    if (kind == FB_ENGINE_SIMGRID && !fb_simgrid_find()->open(engine, error, error_size)) {
        fb_engine_close(engine);
        return NULL;
    }
    return engine;
}

void fb_engine_close(struct fb_engine *engine)
{
    if (engine->simgrid != NULL)
        fb_simgrid_find()->close(engine);
    if (engine->fluid != NULL)
        fb_fluid_close(engine->fluid);
    fb_event_heap_free(&engine->timers);
    fb_event_heap_free(&engine->failures);
    free(engine->hosts);
    free(engine->leaves);
    free(engine->is_up);
    free(engine);
}

uint64_t fb_engine_now_ns(const struct fb_engine *engine)
{
    return engine->now_ns;
}

void fb_engine_timer(struct fb_engine *engine, uint64_t at_ns, uint64_t cookie)
{
    FB_ASSERT(at_ns >= engine->now_ns);
    fb_event_heap_push(&engine->timers, at_ns, cookie);
}

static void fluid_transfer(struct fb_engine *engine, uint32_t source, uint32_t target,
                           uint64_t size_bytes, uint64_t cookie)
{
    uint32_t from = engine->hosts[source].leaf, to = engine->hosts[target].leaf;
    FB_ASSERT(from < engine->leaf_count);
    FB_ASSERT(to < engine->leaf_count);
    uint32_t links[4] = {link_host_up(source)}, count = 1;
    if (from != to && engine->leaves[from].up_bytes_per_s > 0)
        links[count++] = link_leaf_up(engine, from);
    if (from != to && engine->leaves[to].down_bytes_per_s > 0)
        links[count++] = link_leaf_down(engine, to);
    links[count++] = link_host_down(target);
    uint32_t weight = engine->hosts[source].flow_weight;
    if (engine->hosts[target].flow_weight > weight)
        weight = engine->hosts[target].flow_weight;
    uint64_t cap = engine->hosts[source].flow_bytes_per_s;
    uint64_t cap_down = engine->hosts[target].flow_down_bytes_per_s;
    if (cap == 0 || (cap_down > 0 && cap_down < cap))
        cap = cap_down;
    fb_fluid_start(engine->fluid, engine->now_ns, links, count, size_bytes, cap,
                   weight > 0 ? weight : 1, cookie);
}

void fb_engine_transfer(struct fb_engine *engine, uint32_t source, uint32_t target,
                        uint64_t size_bytes, uint64_t cookie)
{
    FB_ASSERT(source < engine->host_count);
    FB_ASSERT(target < engine->host_count);
    if (!engine->is_up[source] || !engine->is_up[target]) {
        fb_event_heap_push(&engine->failures, engine->now_ns, cookie);
    } else if (size_bytes == 0 || source == target) {
        fb_event_heap_push(&engine->timers, engine->now_ns, cookie);
    } else if (engine->flows == FB_FLOWS_FLUID) {
        fluid_transfer(engine, source, target, size_bytes, cookie);
    } else {
        fb_simgrid_find()->transfer(engine, source, target, size_bytes, cookie);
    }
}

/* Fails the fluid flows that cross a link. */
static void fluid_fail(struct fb_engine *engine, uint32_t link)
{
    uint32_t count = fb_fluid_flows_on(engine->fluid, link, NULL, 0);
    uint32_t *flows = fb_allocate(count, sizeof(*flows), "flows", NULL);
    fb_fluid_flows_on(engine->fluid, link, flows, count);
    for (uint32_t i = 0; i < count; i++) {
        fb_event_heap_push(&engine->failures, engine->now_ns,
                           fb_fluid_cookie(engine->fluid, flows[i]));
        fb_fluid_cancel(engine->fluid, engine->now_ns, flows[i]);
    }
    free(flows);
}

void fb_engine_set_up(struct fb_engine *engine, uint32_t host, bool is_up)
{
    FB_ASSERT(host < engine->host_count);
    if (engine->is_up[host] == is_up)
        return;
    engine->is_up[host] = is_up;
    if (engine->flows == FB_FLOWS_FLUID) {
        if (!is_up) {
            fluid_fail(engine, link_host_up(host));
            fluid_fail(engine, link_host_down(host));
        }
        return;
    }
    fb_simgrid_find()->set_up(engine, host, is_up);
}

void fb_engine_set_capacity(struct fb_engine *engine, uint32_t host, uint64_t up_bytes_per_s,
                            uint64_t down_bytes_per_s)
{
    FB_ASSERT(host < engine->host_count);
    FB_ASSERT(up_bytes_per_s > 0 && down_bytes_per_s > 0);
    engine->hosts[host].up_bytes_per_s = up_bytes_per_s;
    engine->hosts[host].down_bytes_per_s = down_bytes_per_s;
    if (engine->flows == FB_FLOWS_FLUID) {
        fb_fluid_set_capacity(engine->fluid, engine->now_ns, link_host_up(host), up_bytes_per_s);
        fb_fluid_set_capacity(engine->fluid, engine->now_ns, link_host_down(host),
                              down_bytes_per_s);
        return;
    }
    fb_simgrid_find()->set_capacity(engine, host, up_bytes_per_s, down_bytes_per_s);
}

uint64_t fb_engine_backlog_ns(struct fb_engine *engine, uint32_t host, bool is_up)
{
    FB_ASSERT(host < engine->host_count);
    if (engine->flows != FB_FLOWS_FLUID)
        return 0;
    const struct fb_engine_host *port = &engine->hosts[host];
    uint32_t link = is_up ? link_host_up(host) : link_host_down(host);
    double rate = (double)(is_up ? port->up_bytes_per_s : port->down_bytes_per_s);
    return (uint64_t)(fb_fluid_link_backlog(engine->fluid, engine->now_ns, link) / rate * 1e9);
}

uint64_t fb_engine_next_ns(struct fb_engine *engine)
{
    uint64_t next_ns = fb_event_heap_next_ns(&engine->timers);
    uint64_t failure_ns = fb_event_heap_next_ns(&engine->failures);
    uint64_t flow_ns = engine->fluid != NULL ? fb_fluid_next_ns(engine->fluid) : UINT64_MAX;
    next_ns = failure_ns < next_ns ? failure_ns : next_ns;
    next_ns = flow_ns < next_ns ? flow_ns : next_ns;
    return next_ns > engine->now_ns || next_ns == UINT64_MAX ? next_ns : engine->now_ns;
}

struct due {
    uint64_t cookie;
    enum fb_status status;
};

struct due_list {
    struct due *items;
    uint32_t count, count_max;
};

static void due_add(struct due_list *list, uint64_t cookie, enum fb_status status)
{
    if (list->count == list->count_max) {
        list->count_max = list->count_max > 0 ? list->count_max * 2 : DUE_MAX_FIRST;
        list->items = fb_grow(list->items, list->count_max, sizeof(*list->items), "events", NULL);
    }
    list->items[list->count++] = (struct due){.cookie = cookie, .status = status};
}

static int due_compare(const void *a, const void *b)
{
    uint64_t left = ((const struct due *)a)->cookie, right = ((const struct due *)b)->cookie;
    return left < right ? -1 : left > right;
}

static void due_collect(struct fb_engine *engine, struct due_list *list)
{
    uint64_t cookie;
    while (fb_event_heap_next_ns(&engine->timers) <= engine->now_ns)
        due_add(list, fb_event_heap_pop(&engine->timers).cookie, FB_OK);
    while (fb_event_heap_next_ns(&engine->failures) <= engine->now_ns)
        due_add(list, fb_event_heap_pop(&engine->failures).cookie, FB_GONE);
    while (engine->fluid != NULL && fb_fluid_take(engine->fluid, engine->now_ns, &cookie))
        due_add(list, cookie, FB_OK);
}

void fb_engine_deliver_due(struct fb_engine *engine, uint64_t *extra, uint32_t extra_count)
{
    FB_ASSERT(extra_count == 0 || extra != NULL);
    struct due_list list = {.items = NULL};
    for (uint32_t i = 0; i < extra_count; i++)
        due_add(&list, extra[i], FB_OK);
    due_collect(engine, &list);
    qsort(list.items, list.count, sizeof(*list.items), due_compare);
    for (uint32_t i = 0; i < list.count; i++) {
        engine->events++;
        engine->callback(engine->context, list.items[i].cookie, list.items[i].status);
    }
    free(list.items);
}

void fb_engine_stop(struct fb_engine *engine)
{
    engine->is_stopped = true;
}

uint64_t fb_engine_events(const struct fb_engine *engine)
{
    return engine->events;
}
