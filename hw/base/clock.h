/* The clocks of a daemon. */
#ifndef FB_HW_BASE_CLOCK_H
#define FB_HW_BASE_CLOCK_H

#include <stdint.h>

uint64_t fb_clock_ns(void); /* only forward */
uint64_t fb_wall_ns(void);  /* since 1970 */

#endif
