/* Seeded scripts for the fluid network's tests: a leaf-spine fabric with oversubscribed leaves, and
 * flows that start at random dates (open loop), so that an error cannot push later starts about.
 * Link numbers: host h sends on 2h and receives on 2h + 1; leaf l on 2 (hosts + l) and the next. */
#ifndef FB_TESTS_FLUID_SCRIPT_H
#define FB_TESTS_FLUID_SCRIPT_H

#include "tests/fluid_reference.h"

enum script_pattern {
    SCRIPT_RANDOM,   /* random peers */
    SCRIPT_INCAST,   /* everybody sends to host 0 */
    SCRIPT_OUTCAST,  /* host 0 sends to everybody */
    SCRIPT_GATEWAYS, /* everybody reads from the first hosts, one in 32 */
};

struct script_options {
    uint64_t seed;
    uint32_t host_count;
    uint32_t flows_per_host;
    uint32_t oversubscription;
    enum script_pattern pattern;
    bool has_failures; /* hosts die (their flows are cancelled) and links change capacity */
    bool has_caps;
    bool has_weights;
};

enum { SCRIPT_RACK = 32, SCRIPT_SIZE_BYTES = 16 << 20 };
static const uint64_t SCRIPT_HOST_BYTES_PER_S = 12500000000u;

static inline uint64_t script_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t script_below(uint64_t *seed, uint64_t bound)
{
    return (uint32_t)((script_random(seed) >> 32) * bound >> 32);
}

static inline int script_event_compare(const void *left, const void *right)
{
    const struct script_event *a = left;
    const struct script_event *b = right;
    if (a->date_ns != b->date_ns)
        return a->date_ns < b->date_ns ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->target > b->target) - (a->target < b->target);
}

static inline void script_route(struct script_flow *flow, uint32_t hosts, uint32_t source,
                                uint32_t target)
{
    uint32_t source_leaf = source / SCRIPT_RACK;
    uint32_t target_leaf = target / SCRIPT_RACK;
    flow->link_count = 0;
    flow->links[flow->link_count++] = 2 * source;
    if (source_leaf != target_leaf) {
        flow->links[flow->link_count++] = 2 * (hosts + source_leaf);
        flow->links[flow->link_count++] = 2 * (hosts + target_leaf) + 1;
    }
    flow->links[flow->link_count++] = 2 * target + 1;
}

static inline void script_peers(const struct script_options *options, uint64_t *seed,
                                uint32_t *source, uint32_t *target)
{
    uint32_t hosts = options->host_count;
    *source = script_below(seed, hosts);
    *target = script_below(seed, hosts);
    switch (options->pattern) {
    case SCRIPT_RANDOM:
        break;
    case SCRIPT_INCAST:
        *target = 0;
        break;
    case SCRIPT_OUTCAST:
        *source = 0;
        break;
    case SCRIPT_GATEWAYS:
        *source = script_below(seed, (hosts + 31) / 32);
        break;
    }
    if (*source != *target)
        return;
    if (options->pattern == SCRIPT_INCAST)
        *source = (*target + 1 + script_below(seed, hosts - 1)) % hosts;
    else
        *target = (*source + 1 + script_below(seed, hosts - 1)) % hosts;
}

static inline void script_add(struct script *script, struct script_event event)
{
    script->events[script->event_count++] = event;
}

/* A tenth of the flows is cancelled on the way, and one link in 16 changes twice. */
static inline void script_fail(struct script *script, uint64_t *seed, uint64_t span_ns)
{
    for (uint32_t i = 0; i < script->flow_count / 10; i++) {
        uint32_t flow = script_below(seed, script->flow_count);
        uint64_t date_ns = script->events[flow].date_ns + 1 + script_below(seed, span_ns);
        script_add(script, (struct script_event){
                               .date_ns = date_ns, .kind = SCRIPT_CANCEL, .target = flow});
    }
    for (uint32_t i = 0; i < script->link_count / 16 + 1; i++) {
        uint32_t link = script_below(seed, script->link_count);
        uint64_t bytes_per_s = script->link_bytes_per_s[link];
        uint64_t date_ns = script_below(seed, span_ns);
        script_add(script, (struct script_event){.date_ns = date_ns,
                                                 .kind = SCRIPT_CAPACITY,
                                                 .target = link,
                                                 .bytes_per_s = bytes_per_s / 8});
        script_add(script, (struct script_event){.date_ns = date_ns + script_below(seed, span_ns),
                                                 .kind = SCRIPT_CAPACITY,
                                                 .target = link,
                                                 .bytes_per_s = bytes_per_s});
    }
}

static inline void script_make(const struct script_options *options, struct script *script)
{
    uint64_t seed = options->seed;
    uint32_t hosts = options->host_count;
    uint32_t leaves = (hosts + SCRIPT_RACK - 1) / SCRIPT_RACK;
    script->link_count = 2 * (hosts + leaves);
    script->link_bytes_per_s = calloc(script->link_count, sizeof(uint64_t));
    for (uint32_t i = 0; i < 2 * hosts; i++)
        script->link_bytes_per_s[i] = SCRIPT_HOST_BYTES_PER_S;
    for (uint32_t i = 2 * hosts; i < script->link_count; i++)
        script->link_bytes_per_s[i] =
            SCRIPT_HOST_BYTES_PER_S * SCRIPT_RACK / options->oversubscription;
    script->flow_count = hosts * options->flows_per_host;
    script->flows = calloc(script->flow_count, sizeof(*script->flows));
    script->event_count = 0;
    script->events =
        calloc(2 * (uint64_t)script->flow_count + script->link_count + 16, sizeof(*script->events));
    /* Half the time that the busiest links need, so that most flows are open together. */
    double hot = options->pattern == SCRIPT_RANDOM     ? 1.0
                 : options->pattern == SCRIPT_GATEWAYS ? 32.0
                                                       : hosts;
    uint64_t span_ns = (uint64_t)(0.5 * hot * options->flows_per_host * options->oversubscription *
                                  SCRIPT_SIZE_BYTES / (double)SCRIPT_HOST_BYTES_PER_S * 1e9);
    for (uint32_t i = 0; i < script->flow_count; i++) {
        struct script_flow *flow = &script->flows[i];
        uint32_t source;
        uint32_t target;
        script_peers(options, &seed, &source, &target);
        script_route(flow, hosts, source, target);
        flow->size_bytes = SCRIPT_SIZE_BYTES / 2 + script_below(&seed, SCRIPT_SIZE_BYTES);
        flow->weight = options->has_weights ? 1 + script_below(&seed, 4) : 1;
        if (options->has_caps && script_below(&seed, 4) == 0)
            flow->rate_max_bytes_per_s = SCRIPT_HOST_BYTES_PER_S / (2 + script_below(&seed, 15));
        script_add(script, (struct script_event){.date_ns = script_below(&seed, span_ns),
                                                 .kind = SCRIPT_START,
                                                 .target = i});
    }
    if (options->has_failures)
        script_fail(script, &seed, span_ns);
    qsort(script->events, script->event_count, sizeof(*script->events), script_event_compare);
}

/* Plays a script on a fluid network. visit, if given, is called with the network after each event.
 */
static inline void script_play(const struct script *script, double tolerance, uint64_t *done_ns,
                               void (*visit)(struct fb_fluid *fluid, uint64_t now_ns,
                                             const struct script *script))
{
    struct fb_fluid *fluid =
        fb_fluid_open(script->link_bytes_per_s, script->link_count, 0, tolerance);
    uint32_t *ids = calloc(script->flow_count, sizeof(*ids));
    bool *is_open = calloc(script->flow_count, sizeof(*is_open));
    memset(done_ns, 0, script->flow_count * sizeof(*done_ns));
    for (uint32_t at = 0;;) {
        uint64_t now_ns = fb_fluid_next_ns(fluid);
        if (at < script->event_count && script->events[at].date_ns < now_ns)
            now_ns = script->events[at].date_ns;
        if (now_ns == UINT64_MAX)
            break;
        uint64_t cookie;
        while (fb_fluid_take(fluid, now_ns, &cookie)) {
            done_ns[cookie] = now_ns;
            is_open[cookie] = false;
        }
        for (; at < script->event_count && script->events[at].date_ns <= now_ns; at++) {
            const struct script_event *event = &script->events[at];
            const struct script_flow *flow = &script->flows[event->target];
            switch (event->kind) {
            case SCRIPT_START:
                ids[event->target] =
                    fb_fluid_start(fluid, now_ns, flow->links, flow->link_count, flow->size_bytes,
                                   flow->rate_max_bytes_per_s, flow->weight, event->target);
                is_open[event->target] = true;
                break;
            case SCRIPT_CANCEL:
                if (is_open[event->target])
                    fb_fluid_cancel(fluid, now_ns, ids[event->target]);
                is_open[event->target] = false;
                break;
            case SCRIPT_CAPACITY:
                fb_fluid_set_capacity(fluid, now_ns, event->target, event->bytes_per_s);
                break;
            }
        }
        if (visit != NULL)
            visit(fluid, now_ns, script);
    }
    free(ids);
    free(is_open);
    fb_fluid_close(fluid);
}

#endif
