/* What can be said of a workload before it runs. */
#ifndef FB_SIM_CLIENTS_WORKLOAD_H
#define FB_SIM_CLIENTS_WORKLOAD_H

#include "models/scenario/scenario.h"

/* Checks a scenario's workload against its cluster and reads its input files once, so that bad
 * input is found before anything runs. Errors: error set: too few samples, trace missing or
 * malformed. */
void fb_workload_check(const struct fb_scenario *scenario, struct fb_error *error);

#endif
