/* The clients of a run: a table of kinds, and the way from a reply or a timer to the kind that
 * caused it. Several kinds may run at once, each on every node: the top byte of request ids and of
 * timer details says whose they are, and is added and taken off here. */
#include "sim/clients/workload.h"

#include "core/panic.h"

#include "sim/clients/kinds.h"
#include "sim/world/world_clients.h"

#include <stddef.h>

enum { TAG_SHIFT = 56 };

static const struct kind {
    void (*check)(const struct fb_scenario *scenario, struct fb_error *error);
    void (*open)(struct world *world);
    void (*close)(struct world *world);
    void (*start)(struct world *world);
    void (*reply)(struct world *world, uint32_t node, const struct fb_reply *reply);
    void (*timer)(struct world *world, uint32_t node, uint64_t detail);
    void (*stored)(struct world *world); /* NULL: it does not care what the origin has */
    void (*committed)(struct world *world);
    uint64_t (*object_blocks)(const struct world *world,
                              uint64_t object);            /* NULL: it writes none */
    void (*node_down)(struct world *world, uint32_t node); /* NULL: its clients just end */
    void (*node_up)(struct world *world, uint32_t node);   /* NULL: and do not come back */
    double (*progress)(const struct world *world);
    void (*metrics)(const struct world *world, struct fb_run *run);
} kinds[FB_WORKLOAD_KINDS] = {
    [FB_WORKLOAD_TRAINING] = {.check = training_check,
                              .open = training_open,
                              .close = training_close,
                              .start = training_start,
                              .reply = training_reply,
                              .timer = training_timer,
                              .progress = training_progress,
                              .metrics = training_metrics},
    [FB_WORKLOAD_KV] = {.check = kv_check,
                        .open = kv_open,
                        .close = kv_close,
                        .start = kv_start,
                        .reply = kv_reply,
                        .timer = kv_timer,
                        .progress = kv_progress,
                        .metrics = kv_metrics},
    [FB_WORKLOAD_FAN_OUT] = {.check = fanout_check,
                             .open = fanout_open,
                             .close = fanout_close,
                             .start = fanout_start,
                             .reply = fanout_reply,
                             .timer = fanout_timer,
                             .node_down = fanout_node_down,
                             .node_up = fanout_node_up,
                             .progress = fanout_progress,
                             .metrics = fanout_metrics},
    [FB_WORKLOAD_CHECKPOINT] = {.check = restore_check,
                                .open = checkpoint_open,
                                .close = checkpoint_close,
                                .start = checkpoint_start,
                                .reply = checkpoint_reply,
                                .timer = checkpoint_timer,
                                .stored = checkpoint_stored,
                                .committed = checkpoint_committed,
                                .object_blocks = checkpoint_object_blocks,
                                .node_down = checkpoint_node_down,
                                .progress = checkpoint_progress,
                                .metrics = checkpoint_metrics},
    [FB_WORKLOAD_PLACEMENT] = {.open = placement_open,
                               .close = placement_close,
                               .start = placement_start,
                               .reply = placement_reply,
                               .timer = placement_timer,
                               .progress = placement_progress,
                               .metrics = placement_metrics},
    [FB_WORKLOAD_OVERWRITE] = {.check = overwrite_check,
                               .open = overwrite_open,
                               .close = overwrite_close,
                               .start = overwrite_start,
                               .reply = overwrite_reply,
                               .timer = overwrite_timer,
                               .object_blocks = overwrite_object_blocks,
                               .node_down = overwrite_node_down,
                               .progress = overwrite_progress,
                               .metrics = overwrite_metrics},
};

static bool is_active(const struct fb_scenario *scenario, uint32_t kind)
{
    return scenario->workload.kinds >> kind & 1u;
}

void fb_workload_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        if (is_active(scenario, i) && kinds[i].check != NULL)
            kinds[i].check(scenario, error);
    }
}

void workload_check_blocks(const struct fb_scenario *scenario, uint64_t object_size_bytes,
                           const char *who, struct fb_error *error)
{
    enum { BLOCKS_MAX = 1 << 30 };
    uint64_t block = scenario->core.block_size_bytes, blocks = object_size_bytes / block;
    if (blocks >= BLOCKS_MAX)
        fb_error_set(error,
                     "workload.object_size: %llu blocks of core.block_size, %llu bytes, are more "
                     "than the %u that a %s counts: set core.block_size higher",
                     (unsigned long long)blocks, (unsigned long long)block, (uint32_t)BLOCKS_MAX,
                     who);
}

void workload_open(struct world *world)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        if (is_active(world->scenario, i) && !fb_error_is_set(world->error))
            kinds[i].open(world);
    }
}

void workload_close(struct world *world)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        if (is_active(world->scenario, i))
            kinds[i].close(world);
    }
}

void workload_start(struct world *world)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        world->kind = i;
        if (is_active(world->scenario, i))
            kinds[i].start(world);
    }
}

uint64_t workload_tag(const struct world *world, uint64_t word)
{
    FB_ASSERT(world->kind < FB_WORKLOAD_KINDS);
    FB_ASSERT(word >> TAG_SHIFT == 0);
    return word | (uint64_t)world->kind << TAG_SHIFT;
}

void workload_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct fb_reply untagged = *reply;
    world->kind = (uint32_t)(reply->request_id >> TAG_SHIFT);
    FB_ASSERT(world->kind < FB_WORKLOAD_KINDS);
    FB_ASSERT(is_active(world->scenario, world->kind));
    untagged.request_id &= (UINT64_C(1) << TAG_SHIFT) - 1;
    kinds[world->kind].reply(world, node, &untagged);
}

void workload_timer(struct world *world, uint32_t node, uint64_t detail)
{
    world->kind = (uint32_t)(detail >> TAG_SHIFT);
    FB_ASSERT(world->kind < FB_WORKLOAD_KINDS);
    FB_ASSERT(is_active(world->scenario, world->kind));
    kinds[world->kind].timer(world, node, detail & ((UINT64_C(1) << TAG_SHIFT) - 1));
}

void workload_stored(struct world *world)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        world->kind = i;
        if (is_active(world->scenario, i) && kinds[i].stored != NULL)
            kinds[i].stored(world);
    }
}

void workload_committed(struct world *world)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        world->kind = i;
        if (is_active(world->scenario, i) && kinds[i].committed != NULL)
            kinds[i].committed(world);
    }
}

uint64_t workload_object_blocks(struct world *world, uint64_t object)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS && blocks == 0; i++) {
        if (is_active(world->scenario, i) && kinds[i].object_blocks != NULL)
            blocks = kinds[i].object_blocks(world, object);
    }
    return blocks;
}

/* A client may kill a node itself, and goes on afterwards as the kind that it is. */
void workload_node_down(struct world *world, uint32_t node)
{
    uint32_t caller = world->kind;
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        world->kind = i;
        if (is_active(world->scenario, i) && kinds[i].node_down != NULL)
            kinds[i].node_down(world, node);
    }
    world->kind = caller;
}

void workload_node_up(struct world *world, uint32_t node)
{
    uint32_t caller = world->kind;
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        world->kind = i;
        if (is_active(world->scenario, i) && kinds[i].node_up != NULL)
            kinds[i].node_up(world, node);
    }
    world->kind = caller;
}

double workload_progress(const struct world *world)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        if (!is_active(world->scenario, i))
            continue;
        sum += kinds[i].progress(world);
        count++;
    }
    return count > 0 ? sum / count : 1;
}

void workload_metrics(const struct world *world, struct fb_run *run)
{
    for (uint32_t i = 0; i < FB_WORKLOAD_KINDS; i++) {
        if (is_active(world->scenario, i))
            kinds[i].metrics(world, run);
    }
}
