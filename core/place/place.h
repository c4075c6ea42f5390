/* What the algorithms that fill a view's table share: the view itself, and rows.
 *
 * A row is a partition's best candidates so far, cheapest first; whatever the algorithm, a
 * candidate has a cost, and of those the firsts of their domains come before the others.
 * Internal to view.c and place*.c. */
#ifndef FB_CORE_PLACE_PLACE_H
#define FB_CORE_PLACE_PLACE_H

#include "core/key.h"
#include "core/panic.h"
#include "core/place/member.h"

#include <stdbool.h>

/* A node that a partition may go to. */
struct fb_choice {
    uint64_t cost; /* lowest wins */
    uint32_t member;
    uint32_t domain;
};

struct fb_view {
    uint64_t version;
    uint64_t weight;     /* of all members that own */
    uint64_t operations; /* see fb_view_operations */
    uint32_t member_count;
    uint32_t owner_count; /* members that own */
    uint32_t ranks_count; /* as asked for */
    uint32_t ranks;       /* that can be had: at most owner_count */
    uint32_t domains;     /* different ones that a partition can have */
    uint32_t unused;
    uint32_t owners[FB_PARTITIONS][FB_RANKS_MAX];
    struct fb_choice choices[FB_PARTITIONS][FB_RANKS_MAX]; /* rows; for the build only */
    struct fb_member members[];                            /* by node id */
};

static_assert(sizeof(struct fb_choice) == 16, "three choices a partition are 3 MiB");

static inline bool fb_member_owns(const struct fb_member *member)
{
    FB_ASSERT(member->weight <= FB_WEIGHT_MAX);
    FB_ASSERT(member->node != FB_NONE);
    return member->weight > 0 && member->is_up;
}

/* A bijection of 16-bit words, chosen by `seed`. */
uint32_t fb_place_permute(uint64_t seed, uint32_t word);

/* Empties all rows. */
void fb_place_rows_clear(struct fb_view *view);

/* Puts a candidate into a row of at most `ranks_count`. */
void fb_row_offer(struct fb_choice *row, uint32_t ranks_count, const struct fb_choice *candidate);

/* The same where a member may come again: it keeps the lower of its costs. */
void fb_row_offer_again(struct fb_choice *row, uint32_t ranks_count,
                        const struct fb_choice *candidate);

/* Has the row as many ranks and domains as there can be? */
bool fb_row_is_full(const struct fb_view *view, const struct fb_choice *row);

/* Writes a partition's ranks: the firsts of their domains, then the others. Returns whether the row
 * is full. */
bool fb_row_finish(struct fb_view *view, uint32_t partition, const struct fb_choice *row);

/* Each fills view->owners from the members, which are sorted and checked. */
void fb_place_rendezvous(struct fb_view *view);
void fb_place_ring(struct fb_view *view);
void fb_place_jump(struct fb_view *view);
void fb_place_balanced(struct fb_view *view); /* of at most fb_place_balanced_max members */

uint32_t fb_place_balanced_max(void);

#endif
