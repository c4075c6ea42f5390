/* The memory that `forebay run` may use: how many runs fit side by side. */
#ifndef FB_CLI_RUN_RUN_MEMORY_H
#define FB_CLI_RUN_RUN_MEMORY_H

#include "models/scenario/scenario.h"

/* How many of `jobs` runs fit max_bytes (0: nearly all of this machine's memory) side by side, by
 * an estimate before anything is allocated; at least 1. What each of them may use then is enforced
 * while it runs. Errors: error set: not even one fits, with what it would take. */
uint32_t fb_run_memory(const struct fb_scenario *scenarios, uint32_t count, uint64_t max_bytes,
                       uint32_t jobs, struct fb_error *error);

#endif
