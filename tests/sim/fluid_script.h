/* Seeded scripts for the fluid network's tests: a leaf-spine fabric with oversubscribed leaves, and
 * flows that start at random dates (open loop), so that an error cannot push later starts about.
 * Link numbers: host h sends on 2h and receives on 2h + 1; leaf l on 2 (hosts + l) and the next. */
#ifndef FB_TESTS_SIM_FLUID_SCRIPT_H
#define FB_TESTS_SIM_FLUID_SCRIPT_H

#include "tests/sim/fluid_reference.h"

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

/* Plays a script on a fluid network. visit, if given, is called with the network and the links'
 * present capacities after each event. */
typedef void script_visit(struct fb_fluid *fluid, uint64_t now_ns, const struct script *script,
                          const uint64_t *link_bytes_per_s);

struct script_player {
    const struct script *script;
    struct fb_fluid *fluid;
    uint64_t *link_bytes_per_s; /* as they are now */
    uint32_t *ids;              /* by flow */
    bool *is_open;
};

static inline void script_do(struct script_player *player, uint64_t now_ns,
                             const struct script_event *event)
{
    uint32_t target = event->target;
    switch (event->kind) {
    case SCRIPT_START: {
        const struct script_flow *flow = &player->script->flows[target];
        player->ids[target] =
            fb_fluid_start(player->fluid, now_ns, flow->links, flow->link_count, flow->size_bytes,
                           flow->rate_max_bytes_per_s, flow->weight, target);
        player->is_open[target] = true;
        break;
    }
    case SCRIPT_CANCEL:
        if (player->is_open[target])
            fb_fluid_cancel(player->fluid, now_ns, player->ids[target]);
        player->is_open[target] = false;
        break;
    case SCRIPT_CAPACITY:
        fb_fluid_set_capacity(player->fluid, now_ns, target, event->bytes_per_s);
        player->link_bytes_per_s[target] = event->bytes_per_s;
        break;
    }
}

static inline void script_play(const struct script *script, double tolerance, uint64_t *done_ns,
                               script_visit *visit)
{
    struct script_player player = {
        .script = script,
        .fluid = fb_fluid_open(script->link_bytes_per_s, script->link_count, 0, tolerance),
        .link_bytes_per_s = calloc(script->link_count, sizeof(uint64_t)),
        .ids = calloc(script->flow_count, sizeof(uint32_t)),
        .is_open = calloc(script->flow_count, sizeof(bool)),
    };
    memcpy(player.link_bytes_per_s, script->link_bytes_per_s,
           script->link_count * sizeof(uint64_t));
    memset(done_ns, 0, script->flow_count * sizeof(*done_ns));
    for (uint32_t at = 0;;) {
        uint64_t now_ns = fb_fluid_next_ns(player.fluid);
        if (at < script->event_count && script->events[at].date_ns < now_ns)
            now_ns = script->events[at].date_ns;
        if (now_ns == UINT64_MAX)
            break;
        uint64_t cookie;
        while (fb_fluid_take(player.fluid, now_ns, &cookie)) {
            done_ns[cookie] = now_ns;
            player.is_open[cookie] = false;
        }
        for (; at < script->event_count && script->events[at].date_ns <= now_ns; at++)
            script_do(&player, now_ns, &script->events[at]);
        if (visit != NULL)
            visit(player.fluid, now_ns, script, player.link_bytes_per_s);
    }
    fb_fluid_close(player.fluid);
    free(player.link_bytes_per_s);
    free(player.ids);
    free(player.is_open);
}

/* Relative errors of the flows' times in the network. */
struct script_errors {
    double mean, p99, max;
};

static inline int script_error_compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Flows that were cancelled in one of them have no date there and do not count, nor
 * those that took no time. */
static inline struct script_errors script_compare(const struct script *script,
                                                  const uint64_t *expected, const uint64_t *found)
{
    double *errors = calloc(script->flow_count, sizeof(*errors));
    struct script_errors result = {.mean = 0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < script->event_count; i++) {
        const struct script_event *event = &script->events[i];
        if (event->kind != SCRIPT_START || expected[event->target] == 0 ||
            found[event->target] == 0 || expected[event->target] == event->date_ns)
            continue;
        double took = (double)(expected[event->target] - event->date_ns);
        double apart = (double)found[event->target] - (double)expected[event->target];
        errors[count] = fabs(apart) / took;
        result.mean += errors[count++];
    }
    if (count > 0) {
        qsort(errors, count, sizeof(*errors), script_error_compare);
        result.mean /= count;
        result.p99 = errors[count * 99 / 100];
        result.max = errors[count - 1];
    }
    free(errors);
    return result;
}

#endif
