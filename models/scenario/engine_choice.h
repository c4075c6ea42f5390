/* What a scenario says of the engine that runs it; sim/engine has the engines. */
#ifndef FB_MODELS_SCENARIO_ENGINE_CHOICE_H
#define FB_MODELS_SCENARIO_ENGINE_CHOICE_H

/* What keeps simulated time: SimGrid, or an event heap of our own. */
enum fb_engine_kind { FB_ENGINE_SIMGRID, FB_ENGINE_PLAIN };

/* lmm: SimGrid's own; plain has fluid only. */
enum fb_engine_flows { FB_FLOWS_LMM, FB_FLOWS_FLUID };

enum { FB_STATION_PARALLELISM_MAX = 1024 }; /* operations that a device works on at once */

#endif
