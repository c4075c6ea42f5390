/* See share.h.
 *
 * Shares: one may draw as long as it has no more than is left, so it alone gets half, two get a
 * third each, and n greedy ones leave one part in n + 1 to whoever comes next. The same holds for
 * an owner (a user with many clients), by a wider measure. Nobody is told a fixed number: while few
 * want something they may have much. What comes back by itself soon may be had several times as
 * much as is left: then shares even out soon, too. The last ones are always another's.
 *
 * Strangers: the longest-waiting of the source that has most here goes, but nobody before he had
 * time to speak. A flood from one source so drives out itself, and whoever proves himself at once
 * is let in. guess: 50 ms to speak, 10 to 200; several times what a handshake takes from far away.
 *
 * Source: Choudhury, Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
 * IEEE/ACM Transactions on Networking 6(2), 1998. */
#include "core/index/share.h"

#include "core/panic.h"

#include <stddef.h>

/* An owner may have this many times what is left: eight ninths. guess: 4 to 16; what matters is
 * that something is always left for another. One that has few, or less than a small part of what
 * is left, is not asked what its owner has: a neighbour's greed is not its fault. */
enum { OWNER_PARTS = 8, SMALL_PART = 64, SMALL_COUNT = 4, FEW_PART = 32 };

bool fb_share_has_room(const struct fb_share *share, uint64_t more)
{
    FB_ASSERT(share->used_by_one <= share->used_by_owner);
    FB_ASSERT(share->used_by_owner <= share->used);
    uint64_t taken = share->reserved + share->used;
    uint64_t left = taken < share->total ? share->total - taken : 0;
    if (more > left)
        return false;
    /* The last few are for whoever has nothing, nor its owner. */
    uint64_t few = share->total / FEW_PART < SMALL_COUNT ? share->total / FEW_PART : SMALL_COUNT;
    if (share->used_by_one == 0)
        return share->used_by_owner == 0 || left > few;
    bool is_small = share->used_by_one < left / SMALL_PART + few;
    uint64_t times = share->times > 0 ? share->times : 1;
    return left > 1 && share->used_by_one / times < left &&
           (is_small || share->used_by_owner / OWNER_PARTS < left);
}

static uint32_t strangers_of(const struct fb_stranger *strangers, uint32_t count, uint64_t source)
{
    uint32_t found = 0;
    FB_ASSERT(strangers != NULL);
    for (uint32_t i = 0; i < count; i++)
        found += strangers[i].is_here && strangers[i].source == source;
    FB_ASSERT(found <= count);
    return found;
}

uint32_t fb_stranger_to_leave(const struct fb_stranger *strangers, uint32_t count, uint64_t now_ns)
{
    uint32_t leaving = FB_NONE, most = 0;
    FB_ASSERT(strangers != NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (!strangers[i].is_here || now_ns - strangers[i].since_ns < fb_stranger_stay_ns)
            continue;
        uint32_t same = strangers_of(strangers, count, strangers[i].source);
        bool is_older = same == most && strangers[i].since_ns < strangers[leaving].since_ns;
        if (same < most || (same == most && !is_older))
            continue;
        most = same;
        leaving = i;
    }
    FB_ASSERT(leaving == FB_NONE || strangers[leaving].is_here);
    return leaving;
}
