/* Plans with a store of members: what is drawn of it. Some of those in which views change have one,
 * with leases that are far longer than the way there, and some of its faults: a member whose way
 * is cut for about a lease, for longer, or now and then; several, or all; a lease that is lost.
 *
 * Drawn from a sequence of its own: without a store a plan is what it was before there was one. */
#include "sim/swarm/swarm_draw.h"

enum {
    PLANS_ONE_IN = 3,
    NODES_MAX = 8,       /* a view of each set of them is dear to build */
    ANSWERS_A_LEASE = 6, /* at least, of the slowest: see way_ns */
    WAY_MAX = 17,        /* messages' typical times */
    LEASES_MAX = 64      /* until healing */
};

static uint32_t draw_members(struct fb_random *random, uint32_t nodes)
{
    uint32_t all = (1u << nodes) - 1;
    uint64_t choice = below(random, 4);
    if (choice == 0)
        return 1u + (uint32_t)below(random, all); /* any set that is not empty */
    uint32_t one = 1u << below(random, nodes), other = 1u << below(random, nodes);
    return choice == 1 ? one | other : one;
}

static void draw_store_fault(struct fb_random *random, struct fb_swarm_plan *plan, uint32_t kind)
{
    if (plan->fault_count == FB_SWARM_FAULTS_MAX)
        return;
    bool is_cut = kind == FB_SWARM_FAULT_store_cut;
    uint64_t from_ns = below(random, plan->heal_ns * 3 / 4 + 1);
    uint64_t long_ns = is_cut ? log_between(random, plan->lease_ns / 4, 8 * plan->lease_ns) : 1;
    bool is_to_end = plan->heal_ns - from_ns < long_ns;
    plan->faults[plan->fault_count++] =
        (struct fb_swarm_fault){.kind = kind,
                                .nodes = draw_members(random, plan->nodes),
                                .permille = is_cut && one_in(random, 4) ? 300 : 1000,
                                .from_ns = from_ns,
                                .until_ns = is_to_end ? plan->heal_ns : from_ns + long_ns};
}

void swarm_plan_members(struct fb_swarm_plan *plan)
{
    struct fb_random random;
    fb_random_init(&random, fb_mix(plan->seed ^ UINT64_C(0x6d656d62657273)));
    bool is_wanted = one_in(&random, PLANS_ONE_IN) && plan->detect_ns < FB_NEVER_NS &&
                     plan->nodes <= NODES_MAX && plan->fault_count > 0;
    if (!is_wanted)
        return;
    plan->lease_ns = ANSWERS_A_LEASE * WAY_MAX * plan->message_ns;
    if (plan->lease_ns < plan->detect_ns)
        plan->lease_ns = plan->detect_ns;
    if (plan->lease_ns < plan->heal_ns / LEASES_MAX)
        plan->lease_ns = plan->heal_ns / LEASES_MAX;
    for (uint64_t i = 1 + below(&random, 3); i > 0; i--)
        draw_store_fault(&random, plan, FB_SWARM_FAULT_store_cut);
    for (uint64_t i = below(&random, 3); i > 0; i--)
        draw_store_fault(&random, plan, FB_SWARM_FAULT_lease_lost);
}
