/* Placement: which nodes own a partition. See view.h for the invariants.
 *
 * Rendezvous with weights: every (node, partition) pair has a score, exponentially distributed with
 * the node's weight as its rate, and the lowest scores own. A score depends on nothing but the
 * node's id, its weight and the partition, so a node that leaves moves only what it owned.
 *
 * The build does not look at every pair. A node's scores are made in ascending order: it prefers
 * the partitions in the order of a pseudo-random permutation, and the gap before its k-th
 * preference is exponential / (partitions - k); such sums are the order statistics of independent
 * exponential scores (Renyi 1953). Every node is asked for its scores up to a limit at which about
 * 24 nodes have named each partition, and for more only while a partition misses a rank. So 100,000
 * nodes cost some million scores instead of 6.5 billion, and few nodes cost each 65,536.
 *
 * Does not: weigh domains against each other, or keep the scores for the next build. */
#include "view.h"

#include "panic.h"

#include <stdbool.h>
#include <string.h>

enum {
    NAMES_WANTED = 24, /* Poisson: 1e-8 of the partitions have fewer than three names */
    ROUNDS_MAX = 64,   /* the limit doubles each round */
    LOG_BITS = 24,     /* fractional bits of negative_log2 */
};

/* A node that named a partition. */
struct choice {
    uint64_t cost; /* lowest wins */
    uint32_t member;
    uint32_t domain;
};

struct fb_view {
    uint64_t version;
    uint32_t member_count;
    uint32_t ranks_count;
    uint32_t owners[FB_PARTITIONS][FB_RANKS_MAX];
    struct choice choices[FB_PARTITIONS][FB_RANKS_MAX]; /* by cost; for the build only */
    struct fb_member members[];                         /* by node id */
};

static_assert(FB_PARTITIONS == 65536, "permute() permutes 16-bit words");
static_assert(sizeof(struct choice) == 16, "three choices a partition are 3 MiB");

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

/* -log2(word / 2^64) with LOG_BITS fractional bits; word 0 counts as 1.
 * With the fraction f = mantissa - 1, log2(1 + f) = f + f (1 - f) q(f), exact at both ends; q is a
 * polynomial of degree 4 fitted to 2.3e-6. The coefficients alternate in sign and have 32 bits. */
static uint64_t negative_log2(uint64_t word)
{
    word |= 1;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(word);
    uint64_t f = word << (63 - exponent) << 1 >> 32; /* 0 <= f < 1 with 32 bits */
    uint64_t q = 412129748 - (f * 110988126 >> 32);
    q = 781464427 - (f * q >> 32);
    q = 1183694311 - (f * q >> 32);
    q = 1900716058 - (f * q >> 32);
    uint64_t bend = f * ((UINT64_C(1) << 32) - f) >> 32;
    uint64_t log = ((uint64_t)exponent << 32) + f + (bend * q >> 32);
    FB_ASSERT(log < UINT64_C(64) << 32);
    FB_ASSERT(bend < UINT64_C(1) << 32);
    return ((UINT64_C(64) << 32) - log) >> (32 - LOG_BITS);
}

/* A bijection of 16-bit words, chosen by `seed`: odd factors and shifted exclusive-ors. */
static uint32_t permute(uint64_t seed, uint32_t word)
{
    FB_ASSERT(word < FB_PARTITIONS);
    word = (word + (uint32_t)(seed >> 48)) * ((uint32_t)seed | 1) & 0xffff;
    word ^= word >> 8;
    word = word * ((uint32_t)(seed >> 16) | 1) & 0xffff;
    word ^= word >> 7;
    word = word * ((uint32_t)(seed >> 32) | 1) & 0xffff;
    word ^= word >> 9;
    FB_ASSERT(word < FB_PARTITIONS);
    return word;
}

static bool member_owns(const struct fb_member *member)
{
    FB_ASSERT(member->weight <= 65535);
    FB_ASSERT(member->node != FB_NONE);
    return member->weight > 0 && member->is_up;
}

static bool choice_is_before(const struct choice *a, const struct choice *b)
{
    return a->cost < b->cost || (a->cost == b->cost && a->member < b->member);
}

/* Is row[index] the first of its domain? row[0] always is. */
static bool choice_is_first(const struct choice *row, uint32_t index)
{
    FB_ASSERT(index <= FB_RANKS_MAX);
    FB_ASSERT(row[index].member != FB_NONE);
    for (uint32_t i = 0; i < index; i++)
        if (row[i].domain == row[index].domain)
            return false;
    return true;
}

/* What an overfull list loses: the costliest that is not the first of its domain, or else the
 * costliest. So a row always holds the best of the candidates so far. */
static uint32_t list_worst(const struct choice *list, uint32_t count)
{
    uint32_t worst = count - 1;
    FB_ASSERT(count > 1);
    while (worst > 0 && choice_is_first(list, worst))
        worst--;
    FB_ASSERT(worst < count);
    return worst > 0 ? worst : count - 1;
}

/* Nearly all candidates end here: dearer than the last of a full row of different domains. */
static bool row_is_beyond(const struct choice *row, uint32_t ranks_count,
                          const struct choice *candidate)
{
    const struct choice *last = &row[ranks_count - 1];
    FB_ASSERT(candidate->member != FB_NONE);
    if (last->member == FB_NONE || choice_is_before(candidate, last))
        return false;
    for (uint32_t i = 1; i < ranks_count; i++)
        if (!choice_is_first(row, i))
            return false;
    return true;
}

/* Puts a candidate into the partition's row. */
static void row_offer(struct choice *row, uint32_t ranks_count, const struct choice *candidate)
{
    FB_ASSERT(ranks_count >= 1);
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    if (row_is_beyond(row, ranks_count, candidate))
        return;
    struct choice list[FB_RANKS_MAX + 1];
    uint32_t count = 0;
    bool is_placed = false;
    for (uint32_t i = 0; i < ranks_count && row[i].member != FB_NONE; i++) {
        if (!is_placed && choice_is_before(candidate, &row[i])) {
            list[count++] = *candidate;
            is_placed = true;
        }
        list[count++] = row[i];
    }
    if (!is_placed)
        list[count++] = *candidate;
    uint32_t dropped = count > ranks_count ? list_worst(list, count) : count;
    for (uint32_t from = 0, to = 0; from < count; from++)
        if (from != dropped)
            row[to++] = list[from];
}

/* A member's scores in [floor, limit), into the rows. Returns whether there are more from limit on.
 */
static bool member_name_partitions(struct fb_view *view, uint32_t index, uint64_t floor,
                                   uint64_t limit)
{
    const struct fb_member *member = &view->members[index];
    uint64_t seed = fb_mix((uint64_t)member->node + 1), score = 0;
    const uint64_t score_max = UINT64_C(1) << 55;
    FB_ASSERT(member->weight > 0);
    FB_ASSERT(floor <= limit);
    for (uint32_t k = 0; k < FB_PARTITIONS; k++) {
        uint64_t gap = negative_log2(fb_mix(seed + (k + 1) * UINT64_C(0x9e3779b97f4a7c15)));
        score += (gap << 24) / (FB_PARTITIONS - k);
        score = score < score_max ? score : score_max;
        struct choice choice = {
            .cost = (score << 8) / member->weight, .member = index, .domain = member->domain};
        if (choice.cost >= limit)
            return true;
        if (choice.cost >= floor)
            row_offer(view->choices[permute(seed, k)], view->ranks_count, &choice);
    }
    return false;
}

/* Writes a partition's ranks: the firsts of their domains, then the others. Returns whether there
 * are as many ranks and domains as there can be. */
static bool row_finish(struct fb_view *view, uint32_t partition, uint32_t ranks, uint32_t domains)
{
    const struct choice *row = view->choices[partition];
    uint32_t *owners = view->owners[partition];
    uint32_t count = 0, first_count = 0;
    FB_ASSERT(domains <= ranks);
    FB_ASSERT(ranks <= FB_RANKS_MAX);
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < ranks && row[i].member != FB_NONE; i++)
            if (choice_is_first(row, i) == (pass == 0))
                owners[count++] = view->members[row[i].member].node;
        first_count = pass == 0 ? count : first_count;
    }
    for (uint32_t i = count; i < FB_RANKS_MAX; i++)
        owners[i] = FB_NONE;
    return count == ranks && first_count == domains;
}

/* Distinct domains among the owning members, at most `enough`. */
static uint32_t domains_count(const struct fb_view *view, uint32_t enough)
{
    uint32_t domains[FB_RANKS_MAX], count = 0;
    FB_ASSERT(enough <= FB_RANKS_MAX);
    for (uint32_t i = 0; i < view->member_count && count < enough; i++) {
        bool is_known = !member_owns(&view->members[i]);
        for (uint32_t j = 0; j < count; j++)
            is_known = is_known || domains[j] == view->members[i].domain;
        if (!is_known)
            domains[count++] = view->members[i].domain;
    }
    FB_ASSERT(count <= enough);
    return count;
}

/* Fills the table: `owner_count` members that own, whose weights add up to `weight`. */
static void view_fill(struct fb_view *view, uint32_t owner_count, uint64_t weight)
{
    uint32_t ranks = owner_count < view->ranks_count ? owner_count : view->ranks_count;
    uint32_t domains = domains_count(view, ranks);
    /* Scores have 56 fractional bits and an exponential's mean is 1 / ln 2, 1.44. */
    uint64_t floor = 0, limit = (UINT64_C(1) << 56) / weight * NAMES_WANTED * 13 / 9;
    bool is_done = false;
    FB_ASSERT(owner_count > 0);
    FB_ASSERT(weight >= owner_count);
    memset(view->choices, 0xff, sizeof(view->choices));
    for (uint32_t round = 0; round < ROUNDS_MAX && !is_done; round++) {
        bool has_more = false;
        for (uint32_t i = 0; i < view->member_count; i++)
            if (member_owns(&view->members[i]))
                has_more = member_name_partitions(view, i, floor, limit) || has_more;
        bool is_full = true;
        for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
            is_full = row_finish(view, partition, ranks, domains) && is_full;
        is_done = is_full || !has_more;
        floor = limit;
        limit = limit < UINT64_MAX / 2 ? limit * 2 : UINT64_MAX;
    }
    FB_ASSERT(is_done);
}

enum fb_status fb_view_build(struct fb_view *view, uint64_t size_bytes, uint64_t version,
                             const struct fb_member *members, uint32_t member_count,
                             uint32_t ranks_count)
{
    FB_ASSERT(ranks_count >= 1);
    FB_ASSERT(ranks_count <= FB_RANKS_MAX);
    if (member_count == 0 || size_bytes < fb_view_size_bytes(member_count))
        return FB_INVALID;
    uint32_t owner_count = 0;
    uint64_t weight = 0;
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
        owner_count++;
        weight += member->weight;
    }
    if (owner_count == 0)
        return FB_INVALID;
    view_fill(view, owner_count, weight);
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
    FB_ASSERT(view->ranks_count >= 1);
    FB_ASSERT(view->ranks_count <= FB_RANKS_MAX);
    return view->ranks_count;
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
