/* What the world tells its clients, and asks of them. It knows nothing else of them: sim/clients
 * stands on the world, and its workload.c answers. */
#ifndef FB_SIM_WORLD_WORLD_CLIENTS_H
#define FB_SIM_WORLD_WORLD_CLIENTS_H

#include "sim/world/world_state.h"

void workload_open(struct world *world);
void workload_close(struct world *world);
void workload_start(struct world *world);
uint64_t workload_tag(const struct world *world, uint64_t word);
void workload_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void workload_timer(struct world *world, uint32_t node, uint64_t detail);
void workload_stored(struct world *world);    /* the origin has another block */
void workload_committed(struct world *world); /* and the object is visible there */
/* Blocks that the object has when it is whole; 0: it is not known. */
uint64_t workload_object_blocks(struct world *world, uint64_t object);
void workload_node_down(struct world *world, uint32_t node);
void workload_node_up(struct world *world, uint32_t node);
double workload_progress(const struct world *world);
void workload_metrics(const struct world *world, struct fb_run *run);

#endif
