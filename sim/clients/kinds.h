/* The kinds of clients, a file each, as the table in workload.c calls them. */
#ifndef FB_SIM_CLIENTS_KINDS_H
#define FB_SIM_CLIENTS_KINDS_H

#include "sim/world/world_internal.h"

/* workload.c */
/* Clients count an object's blocks in 32 bits. Errors: error set: more of them than fit. */
void workload_check_blocks(const struct fb_scenario *scenario, uint64_t object_size_bytes,
                           const char *who, struct fb_error *error);

/* training.c */
void training_check(const struct fb_scenario *scenario, struct fb_error *error);
void training_open(struct world *world);
void training_close(struct world *world);
void training_start(struct world *world);
void training_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void training_timer(struct world *world, uint32_t node, uint64_t detail);
double training_progress(const struct world *world);
void training_metrics(const struct world *world, struct fb_run *run);

/* kv.c */
void kv_check(const struct fb_scenario *scenario, struct fb_error *error);
void kv_open(struct world *world);
void kv_close(struct world *world);
void kv_start(struct world *world);
void kv_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void kv_timer(struct world *world, uint32_t node, uint64_t detail);
double kv_progress(const struct world *world);
void kv_metrics(const struct world *world, struct fb_run *run);

/* fanout.c */
void fanout_check(const struct fb_scenario *scenario, struct fb_error *error);
void fanout_open(struct world *world);
void fanout_close(struct world *world);
void fanout_start(struct world *world);
void fanout_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void fanout_timer(struct world *world, uint32_t node, uint64_t detail);
void fanout_node_down(struct world *world, uint32_t node);
void fanout_node_up(struct world *world, uint32_t node);
double fanout_progress(const struct world *world);
void fanout_metrics(const struct world *world, struct fb_run *run);

/* placement.c */
void placement_open(struct world *world);
void placement_close(struct world *world);
void placement_start(struct world *world);
void placement_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void placement_timer(struct world *world, uint32_t node, uint64_t detail);
double placement_progress(const struct world *world);
void placement_metrics(const struct world *world, struct fb_run *run);

/* overwrite.c */
void overwrite_check(const struct fb_scenario *scenario, struct fb_error *error);
void overwrite_open(struct world *world);
void overwrite_close(struct world *world);
void overwrite_start(struct world *world);
void overwrite_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void overwrite_timer(struct world *world, uint32_t node, uint64_t detail);
void overwrite_node_down(struct world *world, uint32_t node);
uint64_t overwrite_object_blocks(const struct world *world, uint64_t object);
double overwrite_progress(const struct world *world);
void overwrite_metrics(const struct world *world, struct fb_run *run);

/* checkpoint.c */
void checkpoint_open(struct world *world);
void checkpoint_close(struct world *world);
void checkpoint_start(struct world *world);
void checkpoint_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void checkpoint_timer(struct world *world, uint32_t node, uint64_t detail);
void checkpoint_stored(struct world *world);
void checkpoint_committed(struct world *world);
uint64_t checkpoint_object_blocks(const struct world *world, uint64_t object);
void checkpoint_node_down(struct world *world, uint32_t node);
double checkpoint_progress(const struct world *world);
void checkpoint_metrics(const struct world *world, struct fb_run *run);

/* restore.c */
void restore_check(const struct fb_scenario *scenario, struct fb_error *error);

#endif
