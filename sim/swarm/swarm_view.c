/* Who is a member, and when each node hears of it. A view takes milliseconds to build and depends
 * on its members alone, but for its version, so those that were built are kept for other runs of
 * this process; a run has copies of its own, each with a later version than the one before. */
#include "base/memory.h"
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

#include <stdlib.h>

enum { VIEWS_KEPT = 40 };

struct kept_view {
    struct fb_view *view;
    uint64_t seed; /* of the weights; 0: equal */
    uint64_t used;
    uint32_t nodes, domains, ranks, up_mask;
    bool is_of_store; /* lists those that are up, and nobody else */
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
    uint32_t count = 0;
    for (uint32_t i = 0; i < entry->nodes; i++) {
        if (entry->is_of_store && !(entry->up_mask >> i & 1u))
            continue;
        uint32_t weight = entry->seed == 0 ? 1 : 1 + (uint32_t)(fb_mix(entry->seed + i) % 4);
        members[count++] = (struct fb_member){.node = i,
                                              .domain = i % entry->domains,
                                              .weight = weight,
                                              .is_up = entry->up_mask >> i & 1};
    }
    uint64_t size_bytes = fb_view_size_bytes(entry->nodes);
    entry->view = fb_allocate(1, size_bytes, "a view", NULL);
    return fb_view_build(entry->view, size_bytes, 1, members, count, entry->ranks) == FB_OK;
}

static bool view_is_same(const struct kept_view *a, const struct kept_view *b)
{
    return a->view != NULL && a->seed == b->seed && a->nodes == b->nodes &&
           a->domains == b->domains && a->ranks == b->ranks && a->up_mask == b->up_mask &&
           a->is_of_store == b->is_of_store;
}

/* A place that may be given up. */
static struct kept_view *view_oldest(void)
{
    struct kept_view *oldest = &kept[0];
    for (uint32_t i = 1; i < VIEWS_KEPT; i++) {
        if (kept[i].used < oldest->used)
            oldest = &kept[i];
    }
    return oldest;
}

/* NULL: no member is up. */
static const struct fb_view *view_of(const struct kept_view *wanted)
{
    for (uint32_t i = 0; i < VIEWS_KEPT; i++) {
        if (view_is_same(&kept[i], wanted)) {
            kept[i].used = ++uses;
            return kept[i].view;
        }
    }
    struct kept_view *place = view_oldest();
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

static bool view_is_used(const struct swarm *swarm, const struct fb_view *view)
{
    bool is_used = view == swarm->view;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        is_used = is_used || view == swarm->nodes[node].view;
    return is_used;
}

/* The run's own, as long as a node has it (R8). */
static const struct fb_view *view_renew(struct swarm *swarm, const struct fb_view *from,
                                        uint64_t version)
{
    uint32_t place = 0;
    while (swarm->views[place] != NULL && view_is_used(swarm, swarm->views[place]))
        place++;
    FB_ASSERT(place < SWARM_VIEWS_MAX);
    if (swarm->views[place] == NULL)
        swarm->views[place] =
            fb_allocate(1, fb_view_size_bytes(swarm->plan->nodes), "a view", NULL);
    fb_view_copy(swarm->views[place], from, version);
    return swarm->views[place];
}

void swarm_views_free(struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_VIEWS_MAX; i++)
        free(swarm->views[i]);
}

/* NULL: no member is up. */
static const struct fb_view *view_make(struct swarm *swarm, uint32_t up_mask, uint64_t version)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    const struct kept_view wanted = {.seed = plan->is_weighted ? plan->seed % 4 + 1 : 0,
                                     .nodes = plan->nodes,
                                     .domains = plan->domains,
                                     .ranks = swarm_view_ranks(plan),
                                     .up_mask = up_mask,
                                     .is_of_store = swarm_store_is_used(swarm)};
    const struct fb_view *view = view_of(&wanted);
    return view != NULL ? view_renew(swarm, view, version) : NULL;
}

/* Copies are judged some time after the last one was told. */
static void view_changed(struct swarm *swarm)
{
    swarm->view_changes++;
    if (swarm->plan->repair_ns > 0)
        swarm_push(swarm, swarm->now_ns + swarm->plan->repair_ns, SWARM_COPIES, 0)->detail =
            swarm->view_changes;
}

void swarm_view_change(struct swarm *swarm, uint32_t up_mask)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    const struct fb_view *view = view_make(swarm, up_mask, swarm->view_version + 1);
    swarm->view_mask = view != NULL || swarm_store_is_used(swarm) ? up_mask : swarm->view_mask;
    if (view == NULL)
        return;
    swarm->view_version++;
    if (swarm->view != NULL && swarm->requests_open > 0)
        swarm_saw(swarm, FB_SWARM_SIGHT_view_changed);
    swarm->view = view;
    view_changed(swarm);
    if (swarm_store_is_used(swarm))
        return; /* each node looks for itself */
    for (uint32_t node = 0; node < plan->nodes; node++) {
        if (swarm->nodes[node].is_up)
            swarm_view_tell(swarm, node, swarm_spread(swarm, node, 4 * plan->message_ns));
    }
}

/* The node is told what the members are when the news arrives, so news do not overtake. */
void swarm_view_tell(struct swarm *swarm, uint32_t node, uint64_t delay_ns)
{
    if (swarm->view != NULL && !swarm_store_is_used(swarm))
        swarm_push(swarm, swarm->now_ns + delay_ns, SWARM_VIEW, node);
}

void swarm_view_tell_list(struct swarm *swarm, uint32_t node, uint32_t mask, uint64_t version)
{
    const struct fb_event event = {.kind = FB_EVENT_VIEW, .view = view_make(swarm, mask, version)};
    if (event.view == NULL)
        return;
    swarm->nodes[node].view = event.view;
    swarm_copies_viewed(swarm, node);
    view_changed(swarm);
    swarm_node_step(swarm, node, &event);
}
