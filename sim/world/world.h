/* The simulated world: N nodes of the core, their devices, NICs, origin and clients, on an engine.
 * Ops become engine and station work, completions become events; CPU time of each step is
 * charged. */
#ifndef FB_SIM_WORLD_WORLD_H
#define FB_SIM_WORLD_WORLD_H

#include "models/scenario/scenario.h"
#include "sim/run.h"

/* Runs one scenario with one seed. should_stop may be NULL; it is polled (Ctrl-C) and the run then
 * ends early, marked partial. progress_from..progress_to: share of the whole work, for the bar.
 * Errors: error set: out of memory, engine cannot open, input unreadable. */
void fb_world_run(const struct fb_scenario *scenario, uint64_t seed,
                  const volatile int *should_stop, double progress_from, double progress_to,
                  struct fb_run *run, struct fb_error *error);

#endif
