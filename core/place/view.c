/* Placement: which nodes own a partition. See view.h for the invariants, and place_*.c for the
 * algorithms that fill the table.
 *
 * Does not: keep anything of one build for the next. */
#include "core/place/view.h"

#include "core/place/place.h"

#include <string.h>

const char *fb_placement_name(enum fb_placement placement)
{
    static const char *const names[FB_PLACEMENT_COUNT] = {[FB_PLACEMENT_RENDEZVOUS] = "rendezvous",
                                                          [FB_PLACEMENT_RING] = "ring",
                                                          [FB_PLACEMENT_JUMP] = "jump",
                                                          [FB_PLACEMENT_BALANCED] = "balanced"};
    FB_ASSERT(placement < FB_PLACEMENT_COUNT);
    FB_ASSERT(names[placement] != NULL);
    return names[placement];
}

uint64_t fb_view_size_bytes(uint32_t member_count)
{
    FB_ASSERT(member_count > 0);
    FB_ASSERT(member_count < FB_NONE);
    uint64_t size_bytes = sizeof(struct fb_view) + member_count * sizeof(struct fb_member);
    return (size_bytes + 7) & ~UINT64_C(7);
}

static void member_sink(struct fb_member *members, uint32_t at, uint32_t count)
{
    FB_ASSERT(at < count);
    struct fb_member member = members[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && members[child + 1].node > members[child].node)
            child++;
        if (members[child].node <= member.node)
            break;
        members[at] = members[child];
        at = child;
    }
    FB_ASSERT(at < count);
    members[at] = member;
}

/* Heap sort by node id: the table must not depend on the members' order. */
static void members_sort(struct fb_member *members, uint32_t count)
{
    FB_ASSERT(count > 0);
    for (uint32_t i = count / 2; i-- > 0;)
        member_sink(members, i, count);
    for (uint32_t end = count - 1; end > 0; end--) {
        struct fb_member last = members[end];
        members[end] = members[0];
        members[0] = last;
        member_sink(members, 0, end);
    }
    FB_ASSERT(count < 2 || members[0].node <= members[1].node);
}

/* Distinct domains among the owning members, at most `enough`. */
static uint32_t domains_count(const struct fb_view *view, uint32_t enough)
{
    uint32_t domains[FB_RANKS_MAX], count = 0;
    FB_ASSERT(enough <= FB_RANKS_MAX);
    for (uint32_t i = 0; i < view->member_count && count < enough; i++) {
        bool is_known = !fb_member_owns(&view->members[i]);
        for (uint32_t j = 0; j < count; j++)
            is_known = is_known || domains[j] == view->members[i].domain;
        if (!is_known)
            domains[count++] = view->members[i].domain;
    }
    FB_ASSERT(count <= enough);
    return count;
}

/* Copies the members in order of ids. false: they are not fit for a view. */
static bool members_take(struct fb_view *view, const struct fb_view_plan *plan)
{
    memcpy(view->members, plan->members, plan->member_count * sizeof(*plan->members));
    members_sort(view->members, plan->member_count);
    view->owner_count = 0;
    view->weight = 0;
    for (uint32_t i = 0; i < plan->member_count; i++) {
        const struct fb_member *member = &view->members[i];
        bool is_repeated = i > 0 && member->node == view->members[i - 1].node;
        if (is_repeated || member->node == FB_NONE || member->weight > FB_WEIGHT_MAX)
            return false;
        if (!fb_member_owns(member))
            continue;
        view->owner_count++;
        view->weight += member->weight;
    }
    FB_ASSERT(view->owner_count <= view->member_count);
    FB_ASSERT(view->weight >= view->owner_count);
    return view->owner_count > 0;
}

enum fb_status fb_view_build_plan(struct fb_view *view, uint64_t size_bytes,
                                  const struct fb_view_plan *plan)
{
    uint32_t member_count = plan->member_count;
    FB_ASSERT(plan->ranks_count >= 1);
    FB_ASSERT(plan->ranks_count <= FB_RANKS_MAX);
    if (member_count == 0 || size_bytes < fb_view_size_bytes(member_count))
        return FB_INVALID;
    if (plan->placement == FB_PLACEMENT_BALANCED && member_count > fb_place_balanced_max())
        return FB_INVALID;
    view->version = plan->version;
    view->operations = 0;
    view->member_count = member_count;
    view->ranks_count = plan->ranks_count;
    if (!members_take(view, plan))
        return FB_INVALID;
    view->ranks = view->owner_count < view->ranks_count ? view->owner_count : view->ranks_count;
    view->domains = domains_count(view, view->ranks);
    switch (plan->placement) {
    case FB_PLACEMENT_RENDEZVOUS:
        fb_place_rendezvous(view);
        break;
    case FB_PLACEMENT_RING:
        fb_place_ring(view);
        break;
    case FB_PLACEMENT_JUMP:
        fb_place_jump(view);
        break;
    case FB_PLACEMENT_BALANCED:
        fb_place_balanced(view);
        break;
    case FB_PLACEMENT_COUNT:
        return FB_INVALID;
    }
    return FB_OK;
}

enum fb_status fb_view_build(struct fb_view *view, uint64_t size_bytes, uint64_t version,
                             const struct fb_member *members, uint32_t member_count,
                             uint32_t ranks_count)
{
    const struct fb_view_plan plan = {.version = version,
                                      .members = members,
                                      .member_count = member_count,
                                      .ranks_count = ranks_count,
                                      .placement = FB_PLACEMENT_RENDEZVOUS};
    FB_ASSERT(ranks_count >= 1);
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    return fb_view_build_plan(view, size_bytes, &plan);
}

uint64_t fb_view_operations(const struct fb_view *view)
{
    FB_ASSERT(view->ranks >= 1);
    FB_ASSERT(view->operations > 0);
    return view->operations;
}

uint32_t fb_view_owner(const struct fb_view *view, struct fb_key key, uint32_t rank)
{
    FB_ASSERT(rank < FB_RANKS_MAX);
    uint32_t partition = fb_view_partition(key);
    FB_ASSERT(partition < FB_PARTITIONS);
    return view->owners[partition][rank];
}

uint32_t fb_view_ranks(const struct fb_view *view)
{
    FB_ASSERT(view->ranks_count >= 1);
    FB_ASSERT(view->ranks_count <= FB_RANKS_MAX);
    return view->ranks_count;
}

void fb_view_copy(struct fb_view *view, const struct fb_view *from, uint64_t version)
{
    FB_ASSERT(from->member_count > 0);
    memcpy(view, from, fb_view_size_bytes(from->member_count));
    view->version = version;
    FB_ASSERT(view->member_count == from->member_count);
}

uint64_t fb_view_version(const struct fb_view *view)
{
    return view->version;
}

uint32_t fb_view_member_count(const struct fb_view *view)
{
    FB_ASSERT(view->member_count > 0);
    return view->member_count;
}

const struct fb_member *fb_view_member(const struct fb_view *view, uint32_t index)
{
    FB_ASSERT(view->member_count > 0);
    FB_ASSERT(index < view->member_count);
    return &view->members[index];
}

const struct fb_member *fb_view_find(const struct fb_view *view, uint32_t node)
{
    uint32_t low = 0, high = view->member_count;
    FB_ASSERT(high > 0);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (view->members[middle].node <= node)
            low = middle;
        else
            high = middle;
    }
    FB_ASSERT(low < view->member_count);
    return view->members[low].node == node ? &view->members[low] : NULL;
}

bool fb_view_is_up(const struct fb_view *view, uint32_t node)
{
    FB_ASSERT(view != NULL);
    FB_ASSERT(node != FB_NONE);
    const struct fb_member *member = fb_view_find(view, node);
    return member != NULL && member->is_up;
}
