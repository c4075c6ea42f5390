/* See standing.h. */
#include "hw/base/standing.h"

#include "core/place/membership.h"
#include "base/clock.h"

bool fb_standing_is_fenced(const struct fb_standing *standing)
{
    return fb_clock_ns() >= standing->member_until_ns;
}

bool fb_standing_refuses(const struct fb_standing *standing, enum fb_request_kind kind)
{
    return fb_membership_guards_request(kind) && fb_standing_is_fenced(standing);
}
