/* A ring with virtual nodes fills a view's table: each member has points on a circle of 2^56
 * positions, and a partition, which begins at a position, belongs to the members whose points come
 * next, each member once. Source: Karger et al., STOC 1997; Dynamo (SOSP 2007) adds points by
 * capacity. 750 points for the heaviest member, as in the public client of a comparable cache
 * (nearora-msft/dist-cache-client-go); the others in proportion to their weights, at least one.
 *
 * The circle is not stored. The points inside one partition's stretch compete for its row by
 * distance; then, going backwards, every row is offered the row after it at one stretch more. Twice
 * around, and each row holds its next members however far they are.
 *
 * Does not: keep the points of a member when the heaviest weight of the cluster changes. */
#include "core/place/place.h"

enum { POINTS_MAX = 750, DISTANCE_BITS = 40 };

static uint64_t weight_max(const struct fb_view *view)
{
    uint64_t most = 0;
    FB_ASSERT(view->owner_count > 0);
    for (uint32_t i = 0; i < view->member_count; i++)
        if (fb_member_owns(&view->members[i]) && view->members[i].weight > most)
            most = view->members[i].weight;
    FB_ASSERT(most > 0);
    return most;
}

static void member_set_points(struct fb_view *view, uint32_t index, uint64_t most)
{
    const struct fb_member *member = &view->members[index];
    uint64_t count = POINTS_MAX * (uint64_t)member->weight / most;
    uint64_t seed = fb_mix((uint64_t)member->node + UINT64_C(0x72696e6700000000));
    FB_ASSERT(member->weight > 0);
    FB_ASSERT(count <= POINTS_MAX);
    count = count > 0 ? count : 1;
    view->operations += count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t point = fb_mix(seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
        const struct fb_choice choice = {
            .cost = point << 16 >> (64 - DISTANCE_BITS), .member = index, .domain = member->domain};
        fb_row_offer_again(view->choices[point >> 48], view->ranks, &choice);
    }
}

/* Offers a partition what follows it. */
static void row_take_next(struct fb_view *view, uint32_t partition)
{
    const struct fb_choice *next = view->choices[(partition + 1) % FB_PARTITIONS];
    struct fb_choice *row = view->choices[partition];
    FB_ASSERT(partition < FB_PARTITIONS);
    FB_ASSERT(row != next);
    for (uint32_t i = 0; i < view->ranks && next[i].member != FB_NONE; i++) {
        struct fb_choice choice = next[i];
        choice.cost += UINT64_C(1) << DISTANCE_BITS;
        fb_row_offer_again(row, view->ranks, &choice);
    }
}

void fb_place_ring(struct fb_view *view)
{
    uint64_t most = weight_max(view);
    bool is_full = true;
    FB_ASSERT(view->owner_count > 0);
    fb_place_rows_clear(view);
    for (uint32_t i = 0; i < view->member_count; i++)
        if (fb_member_owns(&view->members[i]))
            member_set_points(view, i, most);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t partition = FB_PARTITIONS; partition-- > 0;)
            row_take_next(view, partition);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        is_full = fb_row_finish(view, partition, view->choices[partition]) && is_full;
    view->operations += 2 * FB_PARTITIONS;
    FB_ASSERT(is_full);
}
