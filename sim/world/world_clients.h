/* What the world tells its clients, and asks of them. It knows nothing else of them: sim/clients
 * stands on the world, and its workload.c answers. */
#ifndef FB_SIM_WORLD_WORLD_CLIENTS_H
#define FB_SIM_WORLD_WORLD_CLIENTS_H

#include "sim/world/world_state.h"

/* Allocates the clients of every kind that the scenario has. Errors: world->error. */
void workload_open(struct world *world);
/* Frees them, also those that were opened in part. */
void workload_close(struct world *world);
/* Every client begins: timers and requests at time 0. */
void workload_start(struct world *world);
/* A request id or timer detail below 2^56, marked as of the kind that is being called. */
uint64_t workload_tag(const struct world *world, uint64_t word);
/* A request of this node's client is answered; request_id is as it was tagged. */
void workload_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
/* A client's timer is due; detail is as it was tagged. */
void workload_timer(struct world *world, uint32_t node, uint64_t detail);
/* The origin has another block of what was written. */
void workload_stored(struct world *world);
/* And the object is visible there. */
void workload_committed(struct world *world);
/* Blocks that the object has when it is whole; 0: it is not known. */
uint64_t workload_object_blocks(struct world *world, uint64_t object);
/* A node has died, and its clients with it. */
void workload_node_down(struct world *world, uint32_t node);
/* A node is back with an empty memory: clients that begin anew do so. */
void workload_node_up(struct world *world, uint32_t node);
/* Share of the work that is done, 0..1, mean over the kinds; 1 without any. */
double workload_progress(const struct world *world);
/* Adds the clients' own figures to those of the run. */
void workload_metrics(const struct world *world, struct fb_run *run);

#endif
