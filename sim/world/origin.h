/* What a world's nodes ask of the origin, and when they get it; see origin.c. */
#ifndef FB_SIM_WORLD_ORIGIN_H
#define FB_SIM_WORLD_ORIGIN_H

#include "sim/world/world_state.h"

/* Nothing moves yet. Errors: world->error. */
void world_origin_open(struct world *world);
/* Frees it, also what was opened in part. */
void world_origin_close(struct world *world);
/* A FETCH or STORE, which begins at at_ns. */
void world_origin_begin(struct world *world, uint32_t node, uint64_t at_ns, const struct fb_op *op);
/* What a pending request waited for has come; true: it is over. */
bool world_origin_step(struct world *world, uint32_t index, enum fb_status status);
/* The node has lost its memory: nothing of it waits any more. */
void world_origin_forget(struct world *world, uint32_t node);
/* Most requests that one node had under way. */
uint32_t world_origin_requests_max(const struct world *world);

#endif
