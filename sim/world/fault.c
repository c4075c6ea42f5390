/* Nodes that fail, on a schedule drawn from the seed before the run.
 *
 *     up --kill--> down --restart_after--> up, with an empty memory (R10); drives kept or lost
 *     up --slow--> up, ports at a fraction of their rate
 *
 * A node that is down hears nothing and says nothing. What others pull from it fails when the
 * transport gives it up (gone_ns); the members learn of it detect_after later, when its lease has
 * run out, by a new view; a restarted node joins with the next view at once. */
#include "base/memory.h"
#include "core/panic.h"
#include "sim/world/world_clients.h"
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The cookie's detail: what happens, and by which entry of the schedule. */
enum { STEP_BEGIN, STEP_RESTART, STEP_DETECT, STEP_VIEW };

static void fault_timer(struct world *world, uint32_t node, uint64_t at_ns, uint32_t step,
                        uint32_t fault)
{
    FB_ASSERT(node < world->scenario->nodes);
    FB_ASSERT(step <= STEP_VIEW);
    uint32_t index = world_pending(world, PENDING_FAULT, node);
    world->pending[index].detail = (uint64_t)step << 32 | fault;
    world_timer(world, at_ns, index);
}

/* `share` of all nodes, never the same twice in one entry: a partial shuffle. */
static void fault_draw(struct world *world, uint32_t index, uint32_t *order)
{
    const struct fb_fault *fault = &world->scenario->faults[index];
    uint32_t nodes = world->scenario->nodes;
    uint32_t count = (uint32_t)lround(fault->share * nodes);
    FB_ASSERT(count <= nodes);
    for (uint32_t i = 0; i < nodes; i++)
        order[i] = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = i + (uint32_t)gsl_rng_uniform_int(world->random, nodes - i);
        uint32_t node = order[j];
        order[j] = order[i];
        order[i] = node;
        double late = gsl_ran_flat(world->random, 0, (double)fault->spread_ns);
        fault_timer(world, node, fault->at_ns + (uint64_t)late, STEP_BEGIN, index);
    }
}

void fault_start(struct world *world)
{
    const struct fb_scenario *scenario = world->scenario;
    uint32_t *order = fb_allocate(scenario->nodes, sizeof(*order), "faults", world->error);
    if (order == NULL)
        return;
    for (uint32_t i = 0; i < scenario->fault_count; i++) {
        if (scenario->faults[i].node == UINT32_MAX)
            fault_draw(world, i, order);
        else
            fault_timer(world, scenario->faults[i].node, scenario->faults[i].at_ns, STEP_BEGIN, i);
    }
    free(order);
}

static void fault_slow(struct world *world, uint32_t node, double factor)
{
    FB_ASSERT(factor > 0);
    uint64_t rate = (uint64_t)((double)world_port_bytes_per_s(world) * factor);
    uint64_t front = (uint64_t)((double)world_front_bytes_per_s(world) * factor);
    fb_engine_set_capacity(world->engine, node, rate, rate);
    if (world_front(world, node) != node)
        fb_engine_set_capacity(world->engine, world_front(world, node), front, front);
    world->hosts[node].is_slow = factor < 1;
}

void fault_kill(struct world *world, uint32_t node, uint64_t restart_after_ns, bool is_drive_lost)
{
    struct host *host = &world->hosts[node];
    uint64_t now_ns = world_now_ns(world);
    FB_ASSERT(world->died_ns <= now_ns);
    if (!host->is_up)
        return;
    host->is_up = false;
    world->died_ns = now_ns;
    host->life++;
    host->deaths++;
    fb_engine_set_up(world->engine, node, false);
    fb_engine_set_up(world->engine, world_front(world, node), false);
    workload_node_down(world, node);
    fault_timer(world, node, now_ns + world->scenario->detect_ns, STEP_DETECT, 0);
    if (restart_after_ns > 0)
        fault_timer(world, node, now_ns + restart_after_ns, STEP_RESTART, is_drive_lost);
}

static void fault_restart(struct world *world, uint32_t node, bool is_drive_lost)
{
    struct host *host = &world->hosts[node];
    if (host->is_up)
        return;
    FB_ASSERT(host->deaths > 0);
    host->is_up = true;
    host->tick_ns = FB_NEVER_NS;
    host->cpu_free_ns = world_now_ns(world);
    fb_engine_set_up(world->engine, node, true);
    fb_engine_set_up(world->engine, world_front(world, node), true);
    world_host_reset(world, node);
    if (is_drive_lost)
        world_drive_empty(world, node);
    if (host->is_member) {
        const struct fb_event view = {.kind = FB_EVENT_VIEW, .view = world->view};
        world_event(world, node, &view);
    } else {
        host->is_member = true;
        world_view_change(world);
    }
    workload_node_up(world, node);
}

void fault_step(struct world *world, uint32_t node, uint64_t detail)
{
    uint32_t index = (uint32_t)detail;
    struct host *host = &world->hosts[node];
    FB_ASSERT(node < world->scenario->nodes);
    switch (detail >> 32) {
    case STEP_BEGIN:
        FB_ASSERT(index < world->scenario->fault_count);
        if (world->scenario->faults[index].kind == FB_FAULT_KILL)
            fault_kill(world, node, world->scenario->faults[index].restart_after_ns,
                       world->scenario->faults[index].is_drive_lost);
        else
            fault_slow(world, node, world->scenario->faults[index].factor);
        return;
    case STEP_RESTART:
        fault_restart(world, node, index == 1);
        return;
    case STEP_DETECT:
        if (host->is_up || !host->is_member)
            return; /* it came back before its lease ran out, or is out already */
        host->is_member = false;
        if (!world->view_is_stale)
            fault_timer(world, node, world_now_ns(world), STEP_VIEW, 0);
        world->view_is_stale = true;
        return;
    case STEP_VIEW: /* after all that were found out at this moment: one view for them together */
        FB_ASSERT(world->view_is_stale);
        world->view_is_stale = false;
        world_view_change(world);
        return;
    }
}
