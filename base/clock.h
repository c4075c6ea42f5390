/* Clocks: how long things take, by one that no setting of the time of day moves, and that time. */
#ifndef FB_BASE_CLOCK_H
#define FB_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some moment before the program began; they never go back. */
uint64_t fb_clock_ns(void);
/* The same clock in seconds. */
double fb_clock_s(void);
/* The time of day in nanoseconds since 1970, UTC; it may leap. */
uint64_t fb_wall_ns(void);

#endif
