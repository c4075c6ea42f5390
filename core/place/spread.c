/* More places for one block than a partition has ranks. See spread.h.
 *
 * Fragment i has a walk of its own through the partition table: the owner at rank i of the block's
 * key, then the first owners of keys derived from (key, i, step). It takes the first node of a
 * failure domain that no fragment before it took; after TRIES_MAX steps any free member, in a
 * free domain if a look at MEMBERS_MAX of them finds one; and with fewer nodes than fragments one
 * twice. So a node that leaves moves its own fragment, and those few whose walks met it.
 * Cost: about one or two steps a fragment when there are many domains.
 *
 * Does not: weigh beyond what the table does. */
#include "core/place/spread.h"

#include "core/panic.h"

enum { TRIES_MAX = 24, MEMBERS_MAX = 256 };

struct taken {
    uint32_t count;
    const uint32_t *nodes;
    uint32_t domains[FB_FRAGMENTS_MAX];
};

static bool node_is_taken(const struct taken *taken, uint32_t node)
{
    FB_ASSERT(taken->count <= FB_FRAGMENTS_MAX);
    for (uint32_t i = 0; i < taken->count; i++) {
        if (taken->nodes[i] == node)
            return true;
    }
    FB_ASSERT(node != FB_NONE);
    return false;
}

static bool domain_is_taken(const struct taken *taken, uint32_t domain)
{
    FB_ASSERT(taken->count <= FB_FRAGMENTS_MAX);
    for (uint32_t i = 0; i < taken->count; i++) {
        if (taken->domains[i] == domain)
            return true;
    }
    return false;
}

static uint32_t walk(const struct fb_view *view, struct fb_key key, uint32_t fragment,
                     uint32_t step)
{
    if (step == 0 && fragment < FB_RANKS_MAX && fragment < fb_view_ranks(view))
        return fb_view_owner(view, key, fragment);
    key.high = fb_mix(key.high + ((uint64_t)fragment << 32 | (step + 1)));
    FB_ASSERT(fragment < FB_FRAGMENTS_MAX);
    return fb_view_owner(view, key, 0);
}

/* A free member where the walk found none; FB_NONE: all are taken. */
static uint32_t any_free(const struct fb_view *view, struct fb_key key, const struct taken *taken)
{
    uint32_t members = fb_view_member_count(view), free = FB_NONE;
    uint32_t first = (uint32_t)(fb_mix(key.high) % members);
    for (uint32_t i = 0; i < members && i < MEMBERS_MAX; i++) {
        const struct fb_member *member = fb_view_member(view, (first + i) % members);
        FB_ASSERT(member->node != FB_NONE);
        if (!member->is_up || member->weight == 0 || node_is_taken(taken, member->node))
            continue;
        if (!domain_is_taken(taken, member->domain))
            return member->node;
        if (free == FB_NONE)
            free = member->node;
    }
    FB_ASSERT(free == FB_NONE || members > taken->count);
    return free;
}

static uint32_t choose(const struct fb_view *view, struct fb_key key, const struct taken *taken)
{
    uint32_t fragment = taken->count, node = FB_NONE;
    for (uint32_t step = 0; step < TRIES_MAX; step++) {
        node = walk(view, key, fragment, step);
        if (node != FB_NONE && !domain_is_taken(taken, fb_view_find(view, node)->domain))
            return node;
    }
    uint32_t other = any_free(view, key, taken);
    FB_ASSERT(other != FB_NONE || node != FB_NONE);
    return other != FB_NONE ? other : node;
}

void fb_spread(const struct fb_view *view, struct fb_key key, uint32_t count,
               uint32_t targets[FB_FRAGMENTS_MAX])
{
    struct taken taken = {.nodes = targets};
    FB_ASSERT(count >= 1);
    FB_ASSERT(count <= FB_FRAGMENTS_MAX);
    while (taken.count < count) {
        uint32_t node = choose(view, key, &taken);
        targets[taken.count] = node;
        taken.domains[taken.count] = fb_view_find(view, node)->domain;
        taken.count++;
    }
}
