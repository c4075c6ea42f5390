/* The cluster as every node sees it: members, failure domains, weights and the partition table.
 * Immutable once built, shared by all nodes of a process (R8), built deterministically from its
 * members.
 *
 * Invariants:
 *  1. Each of the FB_PARTITIONS partitions lists ranks_count distinct nodes in preference order.
 *  2. Where there are enough failure domains, the ranks of a partition are in different ones.
 *  3. Same members, weights and domains: the same table, whatever order they came in.
 * The table is filled by one of four algorithms (place_*.c), rendezvous (highest random weight)
 * hashing with weights unless another is asked for. A lookup costs the same with all of them.
 * Source: Thaler, Ravishankar, IEEE/ACM ToN 1998; weights: Schindelhauer, Schomaker, SPAA 2005.
 *
 * With more members than partitions some own nothing: of 100,000 equal ones 52% are no partition's
 * first. */
#ifndef FB_CORE_PLACE_VIEW_H
#define FB_CORE_PLACE_VIEW_H

#include "core/choices.h"
#include "core/key.h"
#include "core/place/member.h"

/* Name as in configs: rendezvous, ring, jump, balanced. */
const char *fb_placement_name(enum fb_placement placement);

struct fb_view;

/* What a view is built of. Ownership: members are read during the build only. */
struct fb_view_plan {
    uint64_t version;
    const struct fb_member *members;
    uint32_t member_count;
    uint32_t ranks_count; /* 1..FB_RANKS_MAX */
    enum fb_placement placement;
};

/* Makes `view` (as large as `from`, 8-aligned) one of the same members, of another version. */
void fb_view_copy(struct fb_view *view, const struct fb_view *from, uint64_t version);

/* Bytes of a view of `member_count` members. */
uint64_t fb_view_size_bytes(uint32_t member_count);

/* Builds a view by rendezvous in `view` (fb_view_size_bytes, 8-aligned). ranks_count:
 * 1..FB_RANKS_MAX; fewer are listed when fewer members can own. Cost about 24 scores a partition
 * when many members of like weights share many domains, at worst FB_PARTITIONS a member. Errors:
 * FB_INVALID when no member may own, ids repeat, or size_bytes is too small. Ownership: members are
 * read during the call only. */
enum fb_status fb_view_build(struct fb_view *view, uint64_t size_bytes, uint64_t version,
                             const struct fb_member *members, uint32_t member_count,
                             uint32_t ranks_count);

/* The same by the plan's algorithm. Errors besides: FB_INVALID when balanced is asked to place more
 * than 262,144 members. */
enum fb_status fb_view_build_plan(struct fb_view *view, uint64_t size_bytes,
                                  const struct fb_view_plan *plan);

/* Hashes, scores and probes that the build took: its cost without a clock. */
uint64_t fb_view_operations(const struct fb_view *view);

/* Node at `rank` for a key; FB_NONE when the partition lists fewer. O(1). */
uint32_t fb_view_owner(const struct fb_view *view, struct fb_key key, uint32_t rank);

/* The index-th member by node id, and the member that is that node; NULL: there is none. */
const struct fb_member *fb_view_member(const struct fb_view *view, uint32_t index);
/* The member of that id; NULL: it is none. */
const struct fb_member *fb_view_find(const struct fb_view *view, uint32_t node);
_Bool fb_view_is_up(const struct fb_view *view, uint32_t node); /* and a member */

/* Owners of each partition. */
uint32_t fb_view_ranks(const struct fb_view *view);
/* Of the list that it was built of. */
uint64_t fb_view_version(const struct fb_view *view);
/* Members, 1 or more. */
uint32_t fb_view_member_count(const struct fb_view *view);

/* Partition of a key: the top 16 bits of mix(high). */
static inline uint32_t fb_view_partition(struct fb_key key)
{
    return (uint32_t)(fb_mix(key.high) >> 48);
}

#endif
