/* How a node stands, to its operator and to its cluster. The loop's; the others read it. */
#ifndef FB_HW_BASE_STANDING_H
#define FB_HW_BASE_STANDING_H

#include "core/io.h"

#include <stdbool.h>

/* What this node may begin. */
struct fb_standing {
    bool is_draining; /* told to stop: what clients write is finished, nothing is begun */
    bool is_stopping;
    bool is_resting; /* an operator drains it: clients' writes are not begun; it reads on */
    /* Until when it is a member, as it was last told: the cluster may count it as gone from then
     * on; 0: it is none; UINT64_MAX: for ever. */
    uint64_t member_until_ns;
};

/* The cluster may go on without this node. */
bool fb_standing_is_fenced(const struct fb_standing *standing);
/* And so it refuses this request (GONE). */
bool fb_standing_refuses(const struct fb_standing *standing, enum fb_request_kind kind);

#endif
