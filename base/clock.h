/* How long things take: a clock that no setting of the time of day moves. */
#ifndef FB_BASE_CLOCK_H
#define FB_BASE_CLOCK_H

#include <stdint.h>

uint64_t fb_clock_ns(void);
double fb_clock_s(void);

#endif
