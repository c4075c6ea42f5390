/* Placement: which nodes own a partition. See view.h for the invariants.
 *
 * Rendezvous: every (partition, node) pair has a score made from a hash; the best scores own. With weights
 * the score is -log2(hash / 2^64) / weight, lowest first; with equal weights that order is the order of
 * the hash itself, and the logarithm is left out. Removing a node moves only what it owned. */
#include "view.h"

#include "panic.h"

#include <stdbool.h>
#include <string.h>

struct fb_view {
    uint64_t version;
    uint32_t member_count;
    uint32_t ranks_count;
    uint32_t owners[FB_PARTITIONS][FB_RANKS_MAX];
    struct fb_member members[]; /* by node id */
};

struct rank {
    uint64_t cost; /* lowest wins */
    const struct fb_member *member;
};

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

/* -log2(word / 2^64) in fixed point with 24 fractional bits, by repeated squaring of the mantissa. */
static uint64_t negative_log2(uint64_t word)
{
    word |= 1;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(word);
    uint64_t mantissa = word << (63 - exponent); /* 1.0 <= m < 2.0 with 63 fractional bits */
    uint64_t log = exponent;
    for (uint32_t i = 0; i < 24; i++) {
        uint64_t half = mantissa >> 32; /* 31 fractional bits are plenty for 24 results */
        uint64_t square = half * half;  /* 62 fractional bits, 1.0 <= s < 4.0 */
        bool is_two = square >> 63 != 0;
        log = log << 1 | is_two;
        mantissa = is_two ? square : square << 1;
    }
    FB_ASSERT(log < UINT64_C(64) << 24);
    return (UINT64_C(64) << 24) - log;
}

static uint64_t member_cost(const struct fb_member *member, uint32_t partition, bool is_weighted)
{
    FB_ASSERT(member->weight > 0);
    uint64_t hash = fb_mix(fb_mix((uint64_t)member->node + 1) + partition);
    if (!is_weighted)
        return ~hash;
    FB_ASSERT(member->weight <= 65535);
    return (negative_log2(hash) << 24) / member->weight;
}

static bool rank_is_before(const struct rank *a, const struct rank *b)
{
    if (a->cost != b->cost)
        return a->cost < b->cost;
    return a->member->node < b->member->node;
}

static bool member_owns(const struct fb_member *member)
{
    FB_ASSERT(member->weight <= 65535);
    FB_ASSERT(member->node != FB_NONE);
    return member->weight > 0 && member->is_up;
}

/* Puts a candidate among the best so far: one rank a domain when domains are to differ. */
static uint32_t ranks_insert(struct rank *ranks, uint32_t count, uint32_t count_max,
                             struct rank candidate, bool by_domain)
{
    FB_ASSERT(count <= count_max);
    uint32_t same = count;
    for (uint32_t i = 0; i < count; i++) {
        bool is_same = by_domain ? ranks[i].member->domain == candidate.member->domain
                                 : ranks[i].member == candidate.member;
        if (is_same)
            same = i;
    }
    if (same < count) {
        if (!rank_is_before(&candidate, &ranks[same]))
            return count;
        memmove(&ranks[same], &ranks[same + 1], (count - same - 1) * sizeof(*ranks));
        count--;
    }
    if (count == count_max && !rank_is_before(&candidate, &ranks[count - 1]))
        return count;
    if (count < count_max)
        count++;
    uint32_t at = count - 1;
    for (; at > 0 && rank_is_before(&candidate, &ranks[at - 1]); at--)
        ranks[at] = ranks[at - 1];
    ranks[at] = candidate;
    return count;
}

/* Where domains are too few, the remaining ranks go to the best nodes that are not listed yet. */
static uint32_t ranks_complete(const struct fb_view *view, uint32_t partition, bool is_weighted,
                               struct rank *ranks, uint32_t count)
{
    FB_ASSERT(count <= view->ranks_count);
    while (count < view->ranks_count) {
        struct rank best = {.cost = 0, .member = 0};
        for (uint32_t i = 0; i < view->member_count; i++) {
            const struct fb_member *member = &view->members[i];
            bool is_listed = !member_owns(member);
            for (uint32_t r = 0; r < count; r++)
                is_listed = is_listed || ranks[r].member == member;
            if (is_listed)
                continue;
            struct rank candidate = {member_cost(member, partition, is_weighted), member};
            if (best.member == 0 || rank_is_before(&candidate, &best))
                best = candidate;
        }
        if (best.member == 0)
            break;
        ranks[count++] = best;
    }
    FB_ASSERT(count <= FB_RANKS_MAX);
    return count;
}

static void partition_fill(struct fb_view *view, uint32_t partition, bool is_weighted)
{
    struct rank ranks[FB_RANKS_MAX + 1];
    uint32_t count = 0;
    FB_ASSERT(partition < FB_PARTITIONS);
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct fb_member *member = &view->members[i];
        if (!member_owns(member))
            continue;
        struct rank candidate = {member_cost(member, partition, is_weighted), member};
        count = ranks_insert(ranks, count, view->ranks_count, candidate, true);
    }
    FB_ASSERT(count > 0);
    if (count < view->ranks_count)
        count = ranks_complete(view, partition, is_weighted, ranks, count);
    for (uint32_t r = 0; r < FB_RANKS_MAX; r++)
        view->owners[partition][r] = r < count ? ranks[r].member->node : FB_NONE;
}

enum fb_status fb_view_build(struct fb_view *view, uint64_t size_bytes, uint64_t version,
                             const struct fb_member *members, uint32_t member_count,
                             uint32_t ranks_count)
{
    FB_ASSERT(ranks_count >= 1);
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    if (member_count == 0 || size_bytes < fb_view_size_bytes(member_count))
        return FB_INVALID;
    uint32_t owners = 0, weight = 0;
    bool is_weighted = false;
    view->version = version;
    view->member_count = member_count;
    view->ranks_count = ranks_count;
    memcpy(view->members, members, member_count * sizeof(*members));
    members_sort(view->members, member_count);
    for (uint32_t i = 0; i < member_count; i++) {
        const struct fb_member *member = &view->members[i];
        bool is_repeated = i > 0 && member->node == view->members[i - 1].node;
        if (is_repeated || member->node == FB_NONE || member->weight > 65535)
            return FB_INVALID;
        if (!member_owns(member))
            continue;
        is_weighted = is_weighted || (owners > 0 && member->weight != weight);
        weight = member->weight;
        owners++;
    }
    if (owners == 0)
        return FB_INVALID;
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        partition_fill(view, partition, is_weighted);
    return FB_OK;
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
    return view->ranks_count;
}

uint64_t fb_view_version(const struct fb_view *view)
{
    return view->version;
}

uint32_t fb_view_member_count(const struct fb_view *view)
{
    return view->member_count;
}
