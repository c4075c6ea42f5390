/* The atlas of faults: what there is, what it asks of the settings, and whether it strikes now.
 *
 * Every setting must survive the benign kinds. Kinds that lie (bytes that are not what they were,
 * or memory that changed hands before a pull began) are survived by settings that check digests;
 * with check_digest 0 a plan has none of them unless it is beyond the atlas. */
#include "sim/swarm/swarm_internal.h"

struct fault_row {
    const char *name;
    enum fb_swarm_class class;
    const char *help;
};

static const struct fault_row rows[] = {
#define FAULT_ROW(name, class, help) {#name, class, help},
    FB_SWARM_FAULTS(FAULT_ROW)
#undef FAULT_ROW
};

const char *fb_swarm_fault_name(uint32_t kind)
{
    FB_ASSERT(kind < FB_SWARM_FAULT_COUNT);
    return rows[kind].name;
}

const char *fb_swarm_fault_help(uint32_t kind)
{
    FB_ASSERT(kind < FB_SWARM_FAULT_COUNT);
    return rows[kind].help;
}

enum fb_swarm_class fb_swarm_fault_class(uint32_t kind)
{
    FB_ASSERT(kind < FB_SWARM_FAULT_COUNT);
    return rows[kind].class;
}

/* Each node draws from a sequence of its own: what happens on one leaves the others' luck alone. */
uint64_t swarm_draw(struct swarm *swarm, uint32_t node, uint64_t bound)
{
    FB_ASSERT(bound > 0);
    uint64_t *draws = &swarm->nodes[node].draws;
    uint64_t word = fb_mix(swarm->plan->seed + ((uint64_t)node << 48) + ++*draws);
    return fb_mix(word ^ UINT64_C(0x5851f42d4c957f2d)) % bound;
}

/* A delay: usually half to one and a half of what is typical, one in sixteen up to eight times. */
uint64_t swarm_spread(struct swarm *swarm, uint32_t node, uint64_t typical_ns)
{
    uint64_t delay_ns = typical_ns / 2 + swarm_draw(swarm, node, typical_ns + 1);
    if (swarm_draw(swarm, node, 16) == 0)
        delay_ns += swarm_draw(swarm, node, 7 * typical_ns + 1);
    return delay_ns;
}

bool swarm_fault_is_on(const struct swarm *swarm, const struct fb_swarm_fault *fault)
{
    return swarm->now_ns >= fault->from_ns && swarm->now_ns < fault->until_ns;
}

/* Sorts the plan's faults by kind, so that a look-up of a kind that is not there costs nothing. */
void swarm_fault_order(struct swarm *swarm)
{
    uint32_t count = 0;
    for (uint32_t kind = 0; kind < FB_SWARM_FAULT_COUNT; kind++) {
        swarm->fault_first[kind] = count;
        for (uint32_t i = 0; i < swarm->plan->fault_count; i++) {
            if (swarm->plan->faults[i].kind == kind)
                swarm->fault_order[count++] = i;
        }
    }
    FB_ASSERT(count == swarm->plan->fault_count);
    swarm->fault_first[FB_SWARM_FAULT_COUNT] = count;
}

static bool fault_is_two_way(enum fb_swarm_fault_kind kind)
{
    return kind == FB_SWARM_FAULT_partition;
}

const struct fb_swarm_fault *swarm_fault(struct swarm *swarm, enum fb_swarm_fault_kind kind,
                                         uint32_t node, uint32_t peer)
{
    for (uint32_t i = swarm->fault_first[kind]; i < swarm->fault_first[kind + 1]; i++) {
        const struct fb_swarm_fault *fault = &swarm->plan->faults[swarm->fault_order[i]];
        if (!swarm_fault_is_on(swarm, fault))
            continue;
        bool is_hit = fault->nodes >> node & 1;
        if (peer != FB_NONE)
            is_hit = is_hit && (fault->peers >> peer & 1);
        if (peer != FB_NONE && fault_is_two_way(kind))
            is_hit = is_hit || ((fault->nodes >> peer & 1) && (fault->peers >> node & 1));
        if (!is_hit || swarm_draw(swarm, node, 1000) >= fault->permille)
            continue;
        swarm->result->faults[kind]++;
        return fault;
    }
    return NULL;
}
