/* Jump consistent hashing fills a view's table, here with ranks: per partition a list of members in
 * order of preference, for which buckets 0, 1, 2, ... apply one after the other. Bucket j enters at
 * place r with chance 1 / (j + 1) for each r, and pushes the others down: as if all had drawn
 * scores, and the list held the best. The first FIRST_BUCKETS draw; beyond them each place has a
 * chain of jumps over the buckets that do not enter there. The first place alone is the algorithm
 * of Lamping, Veach, arXiv:1406.2294 (2014), in integers; they have one owner a key. What taking
 * several independent ones instead would cost: 10% more moves with two ranks in different domains,
 * since an owner that is replaced sets its domain free for others.
 *
 * Jump hashing knows only a number of buckets, which grows and shrinks at its end. Members are
 * mapped to buckets by their node ids, so that a member keeps its bucket whoever else comes or
 * goes. A bucket without a member (its id is free, or it is down) is passed over; so is, by chance,
 * one whose member weighs less than the heaviest. A list that is used up is followed by another
 * one. Hence:
 *   - a member that goes down moves only what it owned, wherever it is; so does the last id that
 *     leaves, and a new member takes its share and moves nothing else, whether its id fills a gap
 *     or comes after the last (but where a list was used up).
 *   - that needs dense ids: at most SLOTS_PER_MEMBER ids a listed member. With sparser ones
 *     (hashes, addresses) the bucket is the member's place in the order of ids, and one that leaves
 *     the list, or joins in its middle, shifts all that come after it.
 *   - a heaviest weight that passes a power of two makes every draw by weight anew.
 *
 * Does not: serve weights that differ by more than about 1,000 well: after LISTS_MAX lists the
 * members are taken in order. */
#include "core/place/place.h"

#include <string.h>

enum { PLACES = 8, FIRST_BUCKETS = 64, LISTS_MAX = 1024, SLOTS_PER_MEMBER = 4 };

struct slots {
    uint32_t count;       /* buckets */
    uint32_t weight_bits; /* 2^weight_bits is at least the heaviest weight */
    bool are_ids;
};

struct list {
    uint32_t slots[PLACES];
    uint32_t count;
};

struct chain { /* of the buckets that enter at one place */
    uint64_t hash, next;
};

static void list_enter(struct list *list, uint32_t place, uint32_t slot)
{
    FB_ASSERT(place < PLACES);
    FB_ASSERT(place <= list->count);
    uint32_t kept = list->count < PLACES ? list->count : PLACES - 1;
    memmove(&list->slots[place + 1], &list->slots[place], (kept - place) * sizeof(uint32_t));
    list->slots[place] = slot;
    list->count = kept + 1;
}

static void chain_jump(struct chain *chain, uint64_t bucket)
{
    FB_ASSERT(bucket >= FIRST_BUCKETS - 1);
    FB_ASSERT(bucket < UINT32_MAX);
    chain->hash = chain->hash * UINT64_C(2862933555777941757) + 1;
    chain->next = ((bucket + 1) << 31) / ((chain->hash >> 33) + 1);
}

/* The best PLACES of the buckets, by the draws that `seed` stands for. */
static void list_make(struct fb_view *view, uint32_t slot_count, uint64_t seed, struct list *list)
{
    struct chain chains[PLACES];
    uint32_t first = slot_count < FIRST_BUCKETS ? slot_count : FIRST_BUCKETS;
    FB_ASSERT(slot_count > 0);
    list->count = 0;
    for (uint32_t slot = 0; slot < first; slot++) {
        uint64_t draw = fb_mix(seed + (slot + 1) * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
        uint32_t place = (uint32_t)(draw * (slot + 1) >> 32);
        if (place < PLACES)
            list_enter(list, place, slot);
    }
    for (uint32_t i = 0; i < PLACES; i++) {
        chains[i].hash = fb_mix(seed ^ (i + 1) * UINT64_C(0xd1342543de82ef95));
        chain_jump(&chains[i], FIRST_BUCKETS - 1);
    }
    view->operations += first + PLACES;
    for (;;) {
        uint32_t place = 0;
        for (uint32_t i = 1; i < PLACES; i++)
            if (chains[i].next < chains[place].next)
                place = i;
        uint64_t slot = chains[place].next;
        if (slot >= slot_count)
            break;
        list_enter(list, place, (uint32_t)slot);
        for (uint32_t i = place; i < PLACES; i++)
            if (chains[i].next == slot) /* one that is in is not in again further down */
                chain_jump(&chains[i], slot);
        view->operations++;
    }
    FB_ASSERT(list->count == PLACES || list->count == first);
}

static struct slots slots_of(const struct fb_view *view)
{
    uint64_t ids = (uint64_t)view->members[view->member_count - 1].node + 1;
    struct slots slots = {.count = view->member_count};
    FB_ASSERT(view->member_count > 0);
    slots.are_ids = ids <= (uint64_t)SLOTS_PER_MEMBER * view->member_count;
    if (slots.are_ids)
        slots.count = (uint32_t)ids;
    for (uint32_t i = 0; i < view->member_count; i++)
        while (fb_member_owns(&view->members[i]) &&
               view->members[i].weight > 1u << slots.weight_bits)
            slots.weight_bits++;
    FB_ASSERT(slots.weight_bits <= 16);
    return slots;
}

/* The index of the member in a bucket; FB_NONE: nobody. */
static uint32_t slot_member(const struct fb_view *view, const struct slots *slots, uint32_t slot)
{
    uint32_t low = 0, high = view->member_count;
    FB_ASSERT(slot < slots->count);
    FB_ASSERT(high > 0);
    if (!slots->are_ids)
        return slot;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (view->members[middle].node <= slot)
            low = middle;
        else
            high = middle;
    }
    return view->members[low].node == slot ? low : FB_NONE;
}

/* The member of a bucket that may own; FB_NONE: there is none, or its weight says no. */
static uint32_t slot_owner(const struct fb_view *view, const struct slots *slots, uint32_t slot,
                           uint64_t seed)
{
    uint32_t index = slot_member(view, slots, slot);
    FB_ASSERT(slots->weight_bits <= 16);
    FB_ASSERT(index == FB_NONE || index < view->member_count);
    if (index == FB_NONE || !fb_member_owns(&view->members[index]))
        return FB_NONE;
    uint64_t hash = fb_mix(seed - (slot + 1) * UINT64_C(0xd1342543de82ef95));
    uint64_t draw = hash >> 48 >> (16 - slots->weight_bits);
    return draw < view->members[index].weight ? index : FB_NONE;
}

static void row_take(const struct fb_view *view, struct fb_choice *row, uint32_t index,
                     uint64_t cost)
{
    FB_ASSERT(index < view->member_count);
    FB_ASSERT(fb_member_owns(&view->members[index]));
    const struct fb_choice choice = {
        .cost = cost, .member = index, .domain = view->members[index].domain};
    fb_row_offer_again(row, view->ranks, &choice);
}

/* May a list with the draws of `seed` bring the row anybody new? Among few members the draws are
 * looked at first, since one that weighs little is let in by none of a thousand lists; otherwise a
 * list is made to see it. */
static bool list_may_help(const struct fb_view *view, const struct slots *slots,
                          const struct fb_choice *row, uint64_t seed)
{
    FB_ASSERT(view->member_count > 0);
    FB_ASSERT(view->ranks <= FB_RANKS_MAX);
    if (view->member_count > FIRST_BUCKETS)
        return true;
    for (uint32_t i = 0; i < view->member_count; i++) {
        bool is_in = false;
        for (uint32_t rank = 0; rank < view->ranks; rank++)
            is_in = is_in || row[rank].member == i;
        uint32_t slot = slots->are_ids ? view->members[i].node : i;
        if (!is_in && slot_owner(view, slots, slot, seed) != FB_NONE)
            return true;
    }
    return false;
}

static void partition_fill(struct fb_view *view, const struct slots *slots, uint32_t partition)
{
    uint64_t seed = fb_mix((uint64_t)partition + UINT64_C(0x6a756d7068617368));
    struct fb_choice row[FB_RANKS_MAX];
    uint64_t cost = 0;
    bool is_full = false;
    memset(row, 0xff, sizeof(row));
    for (uint32_t i = 0; i < LISTS_MAX && !is_full; i++) {
        struct list list = {.count = 0};
        uint64_t draws = fb_mix(seed + i);
        if (list_may_help(view, slots, row, draws))
            list_make(view, slots->count, draws, &list);
        for (uint32_t place = 0; place < list.count && !is_full; place++) {
            uint32_t index = slot_owner(view, slots, list.slots[place], draws);
            if (index != FB_NONE)
                row_take(view, row, index, cost++);
            is_full = fb_row_is_full(view, row);
        }
    }
    for (uint32_t i = 0; i < view->member_count && !is_full; i++) {
        uint32_t index = (i + partition) % view->member_count;
        if (fb_member_owns(&view->members[index]))
            row_take(view, row, index, cost++);
        is_full = fb_row_is_full(view, row);
    }
    FB_ASSERT(is_full);
    is_full = fb_row_finish(view, partition, row);
    FB_ASSERT(is_full);
}

void fb_place_jump(struct fb_view *view)
{
    struct slots slots = slots_of(view);
    FB_ASSERT(view->owner_count > 0);
    FB_ASSERT(slots.count >= view->owner_count);
    for (uint32_t partition = 0; partition < FB_PARTITIONS; partition++)
        partition_fill(view, &slots, partition);
}
