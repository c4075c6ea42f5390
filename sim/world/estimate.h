/* What memory a run will need, before it is allocated, and a limit on it while it runs. */
#ifndef FB_SIM_WORLD_ESTIMATE_H
#define FB_SIM_WORLD_ESTIMATE_H

#include "models/scenario/scenario.h"

/* Bytes by what they are for. */
struct fb_world_bytes {
    uint64_t nodes;   /* state of the cores, devices, content tags */
    uint64_t view;    /* members and their table, old and new */
    uint64_t network; /* links and flows */
    uint64_t events;  /* under way */
    uint64_t clients;
    uint64_t total;
};

/* Of one run; as measured, within a quarter for runs of more than 100 MB. */
void fb_world_estimate(const struct fb_scenario *scenario, struct fb_world_bytes *bytes);

/* From now on a run of this process ends with an error when its resident memory passes the limit;
 * 0: no limit. */
void fb_world_limit_memory(uint64_t size_bytes);

#endif
