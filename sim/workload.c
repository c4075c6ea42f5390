/* The clients of a run: one switch over the kinds of workload. */
#include "sim/workload.h"

#include "sim/world_internal.h"

void fb_workload_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    switch (scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_check(scenario, error);
        return;
    case FB_WORKLOAD_KV:
        kv_check(scenario, error);
        return;
    case FB_WORKLOAD_FAN_OUT:
        return;
    }
}

void workload_open(struct world *world)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_open(world);
        return;
    case FB_WORKLOAD_KV:
        kv_open(world);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_open(world);
        return;
    }
}

void workload_close(struct world *world)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_close(world);
        return;
    case FB_WORKLOAD_KV:
        kv_close(world);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_close(world);
        return;
    }
}

void workload_start(struct world *world)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_start(world);
        return;
    case FB_WORKLOAD_KV:
        kv_start(world);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_start(world);
        return;
    }
}

void workload_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_reply(world, node, reply);
        return;
    case FB_WORKLOAD_KV:
        kv_reply(world, node, reply);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_reply(world, node, reply);
        return;
    }
}

void workload_timer(struct world *world, uint32_t node, uint64_t detail)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_timer(world, node, detail);
        return;
    case FB_WORKLOAD_KV:
        kv_timer(world, node, detail);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_timer(world, node, detail);
        return;
    }
}

/* Readers of kinds that have no answer to a death of their own simply end there. */
void workload_node_down(struct world *world, uint32_t node)
{
    if (world->scenario->workload.kind == FB_WORKLOAD_FAN_OUT)
        fanout_node_down(world, node);
}

void workload_node_up(struct world *world, uint32_t node)
{
    if (world->scenario->workload.kind == FB_WORKLOAD_FAN_OUT)
        fanout_node_up(world, node);
}

double workload_progress(const struct world *world)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        return training_progress(world);
    case FB_WORKLOAD_KV:
        return kv_progress(world);
    case FB_WORKLOAD_FAN_OUT:
        return fanout_progress(world);
    }
    return 0;
}

void workload_metrics(const struct world *world, struct fb_run *run)
{
    switch (world->scenario->workload.kind) {
    case FB_WORKLOAD_TRAINING:
        training_metrics(world, run);
        return;
    case FB_WORKLOAD_KV:
        kv_metrics(world, run);
        return;
    case FB_WORKLOAD_FAN_OUT:
        fanout_metrics(world, run);
        return;
    }
}
