/* Clocks: how long things take, by one that no setting of the time of day moves, and that time. */
#ifndef FB_BASE_CLOCK_H
#define FB_BASE_CLOCK_H

#include <stdint.h>

uint64_t fb_clock_ns(void); /* only forward */
double fb_clock_s(void);    /* the same clock */
uint64_t fb_wall_ns(void);  /* since 1970 */

#endif
