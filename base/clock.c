/* See clock.h. */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t fb_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

double fb_clock_s(void)
{
    return (double)fb_clock_ns() * 1e-9;
}

uint64_t fb_wall_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}
