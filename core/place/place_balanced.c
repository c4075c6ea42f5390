/* Bounded loads fill a view's table: at every rank a member has its fair share of the partitions,
 * rounded up at most. The aim is that of consistent hashing with bounded loads (Mirrokni, Thorup,
 * Zadimoghaddam, SODA 2018); theirs, at a bound of 1.05, passes on many keys for each that must
 * move. Here the table is the end of a history that is made up: the members join one by one in the
 * order of their ids, and each takes what it is due from those that have more than they are due
 * then. So the table depends on the members only, not on the path to it, and:
 *   - a new highest id moves its share and nothing else; so does the highest id that leaves;
 *   - a listed member that is down has joined all the same, and gives up what it has afterwards:
 *     only that moves. With several down, one more may move some of what the others gave up;
 *   - an id that joins in the middle, or leaves the list there, changes the history after it, and
 *     much moves. Give new members new ids, and keep those that are gone listed for a while.
 * After the history one pass settles what is left: cells (a partition's rank) of members that do
 * not own, cells whose domain the partition has twice although it need not, cells above the share.
 *
 * Invariants: while the table is made, owners[] holds indexes of members. loads() count cells by
 * rank and member, in the memory of the rows.
 * Does not: hold the bound where domains or ranks force more on a member. */
#include "core/place/place.h"

#include <string.h>

enum { PROBES_MAX = 256, HEAVY_SEARCH_MAX = 8192 };

enum { LOADS_MAX = FB_PARTITIONS * FB_RANKS_MAX * (sizeof(struct fb_choice) / sizeof(uint32_t)) };

/* Cells that a joining member may take. */
enum pass { PASS_DOMAIN, PASS_HEAVY, PASS_OVER, PASS_COUNT };

struct history {
    struct fb_view *view;
    uint64_t weight; /* of the members so far */
    uint32_t joined; /* members so far */
    uint64_t twins;  /* cells of a domain that their partition has already */
    uint64_t twins_min;
};

uint32_t fb_place_balanced_max(void)
{
    FB_ASSERT(LOADS_MAX % FB_RANKS_MAX == 0);
    FB_ASSERT((uint32_t)LOADS_MAX > (uint32_t)FB_PARTITIONS);
    return LOADS_MAX / FB_RANKS_MAX;
}

static uint32_t *load_of(struct fb_view *view, uint32_t rank, uint32_t index)
{
    FB_ASSERT(rank < FB_RANKS_MAX);
    FB_ASSERT(index < view->member_count);
    return (uint32_t *)(void *)view->choices + (uint64_t)index * FB_RANKS_MAX + rank;
}

/* Different domains of a partition with `index` at `rank`; 0 when that has another rank of it. */
static uint32_t domains_with(const struct fb_view *view, uint32_t partition, uint32_t rank,
                             uint32_t index)
{
    uint32_t members[FB_RANKS_MAX], count = 0;
    FB_ASSERT(rank < view->ranks);
    FB_ASSERT(index < view->member_count);
    for (uint32_t i = 0; i < view->ranks; i++) {
        members[i] = i == rank ? index : view->owners[partition][i];
        if (i != rank && members[i] == index)
            return 0;
    }
    for (uint32_t i = 0; i < view->ranks; i++) {
        bool is_first = true;
        for (uint32_t j = 0; j < i; j++)
            is_first =
                is_first && view->members[members[j]].domain != view->members[members[i]].domain;
        count += is_first;
    }
    return count;
}

static void cell_set(struct fb_view *view, uint32_t partition, uint32_t rank, uint32_t index)
{
    uint32_t *cell = &view->owners[partition][rank];
    uint32_t *load = load_of(view, rank, *cell);
    FB_ASSERT(*load > 0);
    FB_ASSERT(*cell != index);
    (*load)--;
    (*load_of(view, rank, index))++;
    *cell = index;
}

/* Would a member of the history still have its share, and more, without one cell (spare 0) or
 * without two (spare 1)? */
static bool is_over(const struct history *history, uint32_t rank, uint32_t index, uint32_t spare)
{
    uint64_t load = *load_of(history->view, rank, index);
    uint64_t due = FB_PARTITIONS * (uint64_t)history->view->members[index].weight;
    FB_ASSERT(load <= FB_PARTITIONS);
    FB_ASSERT(history->weight > 0);
    return spare > 0 ? load > 0 && (load - 1) * history->weight >= due
                     : load * history->weight > due;
}

static bool may_take(const struct history *history, uint32_t partition, uint32_t rank,
                     uint32_t index, enum pass pass)
{
    const struct fb_view *view = history->view;
    uint32_t owner = view->owners[partition][rank];
    FB_ASSERT(pass < PASS_COUNT);
    FB_ASSERT(owner != FB_NONE);
    if (!is_over(history, rank, owner, pass == PASS_HEAVY))
        return false;
    uint32_t before = domains_with(view, partition, rank, owner);
    uint32_t after = domains_with(view, partition, rank, index);
    return pass == PASS_DOMAIN ? after > before : after >= before;
}

/* Is a pass over all partitions worth its while? */
static bool pass_is_useful(const struct history *history, uint32_t rank, enum pass pass)
{
    FB_ASSERT(pass < PASS_COUNT);
    FB_ASSERT(history->twins >= history->twins_min);
    if (pass == PASS_DOMAIN)
        return history->twins > history->twins_min;
    bool is_useful = pass == PASS_OVER;
    for (uint32_t i = 0; i < history->joined && history->joined <= HEAVY_SEARCH_MAX; i++)
        is_useful =
            is_useful || (history->view->members[i].weight > 0 && is_over(history, rank, i, 1));
    return is_useful;
}

/* The member takes its share of a rank. */
static void member_take(struct history *history, uint32_t index, uint32_t rank)
{
    struct fb_view *view = history->view;
    const struct fb_member *member = &view->members[index];
    uint64_t due = FB_PARTITIONS * (uint64_t)member->weight / history->weight, taken = 0;
    uint64_t seed = fb_mix((uint64_t)member->node * FB_RANKS_MAX + rank + 1);
    FB_ASSERT(member->weight > 0);
    FB_ASSERT(rank < view->ranks);
    for (uint32_t pass = 0; pass < PASS_COUNT; pass++) {
        if (taken >= due || !pass_is_useful(history, rank, (enum pass)pass))
            continue;
        for (uint32_t i = 0; i < FB_PARTITIONS && taken < due; i++) {
            uint32_t partition = fb_place_permute(seed, i);
            view->operations++;
            if (!may_take(history, partition, rank, index, (enum pass)pass))
                continue;
            uint32_t owner = view->owners[partition][rank];
            uint32_t gain = domains_with(view, partition, rank, index) -
                            domains_with(view, partition, rank, owner);
            history->twins -= gain;
            cell_set(view, partition, rank, index);
            taken++;
        }
    }
}

/* The first members hold everything, each the first rank of an equal part. */
static void history_begin(struct history *history, const uint32_t *first)
{
    struct fb_view *view = history->view;
    FB_ASSERT(view->ranks >= 1);
    FB_ASSERT(view->ranks <= FB_RANKS_MAX);
    memset(view->choices, 0, sizeof(view->choices));
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++) {
        uint32_t turn = (uint32_t)(fb_mix(partition + 1) % view->ranks);
        for (uint32_t rank = 0; rank < view->ranks; rank++) {
            uint32_t index = first[(turn + rank) % view->ranks];
            view->owners[partition][rank] = index;
            (*load_of(view, rank, index))++;
        }
        history->twins += view->ranks - domains_with(view, partition, 0, first[turn]);
    }
    view->operations += FB_PARTITIONS;
}

static void history_make(struct history *history)
{
    struct fb_view *view = history->view;
    uint32_t first[FB_RANKS_MAX], count = 0;
    FB_ASSERT(view->ranks <= view->owner_count);
    FB_ASSERT(view->owner_count <= view->member_count);
    for (uint32_t i = 0; i < view->member_count; i++) {
        history->joined = i + 1;
        if (view->members[i].weight == 0)
            continue;
        history->weight += view->members[i].weight;
        if (count < view->ranks) {
            first[count++] = i;
            if (count == view->ranks)
                history_begin(history, first);
            continue;
        }
        for (uint32_t rank = 0; rank < view->ranks; rank++)
            member_take(history, i, rank);
    }
}

/* May a cell go to the member without its getting more than its share? */
static bool has_room(struct fb_view *view, uint32_t rank, uint32_t index)
{
    uint64_t due = FB_PARTITIONS * (uint64_t)view->members[index].weight;
    FB_ASSERT(fb_member_owns(&view->members[index]));
    FB_ASSERT(view->weight > 0);
    return *load_of(view, rank, index) < (due + view->weight - 1) / view->weight;
}

/* Whom a cell goes to: hashes find nearly all; the others are compared, all of them. is_forced:
 * rather somebody without room than nobody. FB_NONE: nobody. */
static uint32_t cell_heir(struct fb_view *view, uint32_t partition, uint32_t rank, bool is_forced)
{
    uint64_t seed = fb_mix((uint64_t)partition * FB_RANKS_MAX + rank);
    uint32_t best = FB_NONE, best_domains = 0;
    FB_ASSERT(partition < FB_PARTITIONS);
    FB_ASSERT(rank < view->ranks);
    for (uint64_t i = 0; i < PROBES_MAX; i++) {
        uint64_t hash = fb_mix(seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
        uint32_t index = (uint32_t)((hash >> 32) * view->member_count >> 32);
        view->operations++;
        if (fb_member_owns(&view->members[index]) && has_room(view, rank, index) &&
            domains_with(view, partition, rank, index) >= view->domains)
            return index;
    }
    view->operations += view->member_count;
    for (uint32_t i = 0; i < view->member_count; i++) {
        if (!fb_member_owns(&view->members[i]) || !(is_forced || has_room(view, rank, i)))
            continue;
        uint32_t domains = domains_with(view, partition, rank, i);
        bool is_lighter =
            best == FB_NONE || (uint64_t)*load_of(view, rank, i) * view->members[best].weight <
                                   (uint64_t)*load_of(view, rank, best) * view->members[i].weight;
        if (domains == 0 || domains < best_domains || (domains == best_domains && !is_lighter))
            continue;
        best = i;
        best_domains = domains;
    }
    return best;
}

static void cell_settle(struct fb_view *view, uint32_t partition, uint32_t rank)
{
    uint32_t owner = view->owners[partition][rank];
    const struct fb_member *member = &view->members[owner];
    uint32_t domains = domains_with(view, partition, rank, owner);
    FB_ASSERT(domains >= 1);
    FB_ASSERT(domains <= view->ranks);
    uint64_t due = FB_PARTITIONS * (uint64_t)member->weight;
    bool is_lost = !fb_member_owns(member);
    bool is_over = (*load_of(view, rank, owner) - 1) * view->weight >= due;
    if (!is_lost && !is_over && domains >= view->domains)
        return;
    uint32_t heir = cell_heir(view, partition, rank, is_lost || domains < view->domains);
    if (heir == FB_NONE || heir == owner)
        return;
    uint32_t after = domains_with(view, partition, rank, heir);
    if (is_lost || after > domains || (is_over && after == domains))
        cell_set(view, partition, rank, heir);
}

void fb_place_balanced(struct fb_view *view)
{
    struct history history = {.view = view};
    FB_ASSERT(view->member_count <= fb_place_balanced_max());
    FB_ASSERT(view->domains >= 1);
    history.twins_min = (uint64_t)FB_PARTITIONS * (view->ranks - view->domains);
    history_make(&history);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        for (uint32_t rank = 0; rank < view->ranks; rank++)
            cell_settle(view, partition, rank);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        for (uint32_t rank = 0; rank < FB_RANKS_MAX; rank++) {
            uint32_t *cell = &view->owners[partition][rank];
            *cell = rank < view->ranks ? view->members[*cell].node : FB_NONE;
        }
}
