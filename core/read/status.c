/* What a failure's status says of trying again. */
#include "core/read/read.h"

bool status_needs_pause(enum fb_status status, bool is_origin)
{
    switch (status) {
    case FB_BUSY:
    case FB_THROTTLED:
    case FB_FULL:
    case FB_CONFLICT:
    case FB_DEGRADED:
        return true;
    case FB_ABSENT:
    case FB_TIMEOUT:
    case FB_IO:
    case FB_CORRUPT:
    case FB_GONE:
    case FB_INVALID:
    case FB_DENIED:
    case FB_READ_ONLY:
    case FB_REFUSED:
    case FB_TOO_LARGE:
    case FB_LOST:
        return is_origin;
    case FB_OK:
    case FB_STATUS_COUNT:
        break;
    }
    FB_ASSERT(false);
    return true;
}

bool status_is_for_good(enum fb_status status)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    FB_ASSERT(status != FB_OK);
    return status == FB_DENIED || status == FB_READ_ONLY || status == FB_REFUSED ||
           status == FB_TOO_LARGE;
}
