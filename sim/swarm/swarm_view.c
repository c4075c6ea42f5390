/* Who is a member, and when each node hears of it. A view takes milliseconds to build and depends
 * on its members alone, so those that were built are kept for other runs of this process. */
#include "sim/swarm/swarm_internal.h"

#include <stdlib.h>

enum { VIEWS_KEPT = 40 };

struct kept_view {
    struct fb_view *view;
    uint64_t seed; /* of the weights; 0: equal */
    uint64_t used;
    uint32_t nodes, domains, ranks, up_mask;
};

static struct kept_view kept[VIEWS_KEPT];
static uint64_t uses;

uint32_t swarm_view_ranks(const struct fb_swarm_plan *plan)
{
    return plan->nodes < plan->config.replicas ? plan->nodes : (uint32_t)plan->config.replicas;
}

static bool view_build(struct kept_view *entry)
{
    struct fb_member members[FB_SWARM_NODES_MAX];
    for (uint32_t i = 0; i < entry->nodes; i++) {
        uint32_t weight = entry->seed == 0 ? 1 : 1 + (uint32_t)(fb_mix(entry->seed + i) % 4);
        members[i] = (struct fb_member){.node = i,
                                        .domain = i % entry->domains,
                                        .weight = weight,
                                        .is_up = entry->up_mask >> i & 1};
    }
    uint64_t size_bytes = fb_view_size_bytes(entry->nodes);
    entry->view = calloc(1, size_bytes);
    FB_ASSERT(entry->view != NULL);
    return fb_view_build(entry->view, size_bytes, 1, members, entry->nodes, entry->ranks) == FB_OK;
}

static bool view_is_same(const struct kept_view *a, const struct kept_view *b)
{
    return a->view != NULL && a->seed == b->seed && a->nodes == b->nodes &&
           a->domains == b->domains && a->ranks == b->ranks && a->up_mask == b->up_mask;
}

/* A place that may be given up: views of this run stay (R8). */
static struct kept_view *view_oldest(uint64_t run_first)
{
    struct kept_view *oldest = NULL;
    for (uint32_t i = 0; i < VIEWS_KEPT; i++) {
        bool is_older = oldest == NULL || kept[i].used < oldest->used;
        if (kept[i].used < run_first && is_older)
            oldest = &kept[i];
    }
    return oldest;
}

/* NULL: no member is up, or too many views were asked for in one run. */
static const struct fb_view *view_of(const struct kept_view *wanted, uint64_t run_first)
{
    for (uint32_t i = 0; i < VIEWS_KEPT; i++) {
        if (view_is_same(&kept[i], wanted)) {
            kept[i].used = ++uses;
            return kept[i].view;
        }
    }
    struct kept_view *place = view_oldest(run_first);
    if (place == NULL)
        return NULL;
    free(place->view);
    *place = *wanted;
    if (!view_build(place)) {
        free(place->view);
        *place = (struct kept_view){.view = NULL};
        return NULL;
    }
    place->used = ++uses;
    return place->view;
}

void swarm_view_change(struct swarm *swarm, uint32_t up_mask)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    const struct kept_view wanted = {.seed = plan->is_weighted ? plan->seed % 4 + 1 : 0,
                                     .nodes = plan->nodes,
                                     .domains = plan->domains,
                                     .ranks = swarm_view_ranks(plan),
                                     .up_mask = up_mask};
    if (swarm->view == NULL)
        swarm->view_first = uses + 1;
    const struct fb_view *view = view_of(&wanted, swarm->view_first);
    if (view == NULL)
        return;
    if (swarm->view != NULL && swarm->requests_open > 0)
        swarm_saw(swarm, FB_SWARM_SIGHT_view_changed);
    swarm->view = view;
    swarm->view_changes++;
    if (plan->repair_ns > 0)
        swarm_push(swarm, swarm->now_ns + plan->repair_ns, SWARM_COPIES, 0)->detail =
            swarm->view_changes;
    swarm->view_mask = up_mask;
    for (uint32_t node = 0; node < plan->nodes; node++) {
        if (swarm->nodes[node].is_up)
            swarm_view_tell(swarm, node, swarm_spread(swarm, node, 4 * plan->message_ns));
    }
}

/* The node is told what the members are when the news arrives, so news do not overtake. */
void swarm_view_tell(struct swarm *swarm, uint32_t node, uint64_t delay_ns)
{
    if (swarm->view != NULL)
        swarm_push(swarm, swarm->now_ns + delay_ns, SWARM_VIEW, node);
}
