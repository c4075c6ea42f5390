/* See patience.h. */
#include "hw/base/patience.h"

#include <time.h>

enum { NAPS_MAX = 40, NAP_NS = 50000000 };

bool fb_patience_nap(struct fb_patience *patience)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    if (patience->naps++ == NAPS_MAX)
        return false;
    nanosleep(&nap, NULL);
    return true;
}
