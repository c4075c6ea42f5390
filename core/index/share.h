/* Who gets what when more is wanted than there is, and who leaves when nobody has proved yet who he
 * is. Drivers ask before they give anything of a fixed table away. */
#ifndef FB_CORE_INDEX_SHARE_H
#define FB_CORE_INDEX_SHARE_H

#include "core/limits.h"

#include <stdbool.h>

/* A table that several draw from, as one of them asks for more. */
struct fb_share {
    uint64_t total;
    uint64_t reserved;      /* of it, for what must go on: those who draw never get it */
    uint64_t used;          /* by all who draw */
    uint64_t used_by_one;   /* by the one who asks */
    uint64_t used_by_owner; /* by all that have its owner, itself included */
    uint32_t times;         /* what is left, of which one may have so many times; 0: once */
};

/* May it have `more`? */
bool fb_share_has_room(const struct fb_share *share, uint64_t more);

/* One who has connected and not proved who he is. */
struct fb_stranger {
    uint64_t source;   /* what he can't choose: a user, an address */
    uint64_t since_ns; /* when he came */
    bool is_here;
};

/* Everybody may stay for so long, to say who he is; others wait outside until then. */
static const uint64_t fb_stranger_stay_ns = 50000000;

/* The one who leaves for a newcomer; FB_NONE: all that are here have just come. */
uint32_t fb_stranger_to_leave(const struct fb_stranger *strangers, uint32_t count, uint64_t now_ns);

#endif
