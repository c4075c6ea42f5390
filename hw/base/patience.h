/* A daemon that was killed lets go of its sockets and device a moment after it is gone: its ring is
 * taken down in the background. Whoever takes over waits for that a little. */
#ifndef FB_HW_BASE_PATIENCE_H
#define FB_HW_BASE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* One wait of several naps. */
struct fb_patience {
    uint32_t naps; /* taken so far; 0 at first */
};

/* Naps, and says whether to try once more: for two seconds in all. */
bool fb_patience_nap(struct fb_patience *patience);

#endif
