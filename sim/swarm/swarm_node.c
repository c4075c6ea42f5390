/* The life of a node: it begins with nothing (R10), steps, ticks, is checked, crashes.
 *
 *     down --swarm_node_restart--> up --swarm_node_crash--> down
 *
 * Every beginning is another life. Completions of an earlier life are dropped, messages and
 * requests that come late are not. A step takes time; a node that is busy or paused is asked again
 * when it is ready. */
#include "base/memory.h"
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"

#include "core/trace.h"
#include "sim/trace/trace_print.h"

#include <stdlib.h>
#include <string.h>

uint64_t swarm_node_now_ns(const struct swarm *swarm, uint32_t node)
{
    return swarm->now_ns + swarm->nodes[node].clock_ns;
}

static void node_begin(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    FB_ASSERT(!host->is_up);
    FB_ASSERT(!host->is_dead);
    uint64_t size_bytes = fb_node_size_bytes(&host->config);
    uint64_t seed = swarm_draw(swarm, node, UINT64_MAX);
    FB_ASSERT(size_bytes > 0);
    enum fb_status status = fb_node_init(host->core, size_bytes, &host->config, seed);
    FB_ASSERT(status == FB_OK);
    swarm_poison(swarm, node, host->memory, host->memory_units);
    memset(host->readers, 0, host->memory_units * sizeof(*host->readers));
    memset(host->lent_ns, 0, host->memory_units * sizeof(*host->lent_ns));
    memset(host->writers, 0, host->memory_units * sizeof(*host->writers));
    host->is_up = true;
    host->view = NULL;
    host->ops_open = 0;
    host->loan_count = 0;
    host->hold_count = 0;
    host->tick_ns = FB_NEVER_NS;
    host->ready_ns = swarm->now_ns;
    swarm_view_tell(swarm, node, swarm_spread(swarm, node, swarm->plan->message_ns));
    swarm_node_tick(swarm, node);
    swarm_tenant_begin(swarm, node);
}

void swarm_node_open(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_config *config = &swarm->plan->config;
    uint64_t unit = swarm->unit_bytes;
    host->memory_units = (uint32_t)(config->memory_size_bytes / unit) + FB_UNITS_PER_CHUNK;
    host->device_units = (uint32_t)(config->device_size_bytes / unit) + FB_UNITS_PER_CHUNK;
    host->memory = fb_allocate(host->memory_units, sizeof(*host->memory), "a node", NULL);
    host->device = fb_allocate(host->device_units, sizeof(*host->device), "a node", NULL);
    host->config = *config;
    host->config.node = node;
    host->unflushed = fb_allocate(host->device_units, sizeof(*host->unflushed), "a node", NULL);
    host->chunks = (uint32_t)(config->device_size_bytes / config->block_size_bytes);
    host->pages = fb_allocate(host->chunks, sizeof(*host->pages), "a node", NULL);
    for (uint32_t i = 0; i < host->chunks; i++)
        host->pages[i] = fb_allocate(1, sizeof(*host->pages[i]), "a node", NULL);
    host->readers = fb_allocate(host->memory_units, sizeof(*host->readers), "a node", NULL);
    host->lent_ns = fb_allocate(host->memory_units, sizeof(*host->lent_ns), "a node", NULL);
    host->writers = fb_allocate(host->memory_units, sizeof(*host->writers), "a node", NULL);
    host->core = fb_allocate(1, fb_node_size_bytes(config), "a node", NULL);
    host->clock_ns = swarm_draw(swarm, node, UINT64_C(1) << 40);
    host->steps_to_check = swarm->plan->check_every;
    node_begin(swarm, node);
}

void swarm_node_close(struct swarm_node *host)
{
    free(host->core);
    free(host->memory);
    free(host->device);
    free(host->unflushed);
    for (uint32_t i = 0; i < host->chunks; i++)
        free(host->pages[i]);
    free(host->pages);
    free(host->readers);
    free(host->lent_ns);
    free(host->writers);
}

/* It starts with other settings: smaller pools, half the memory, another policy. */
static void node_change(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    struct fb_config config = host->config;
    uint64_t *const pools[] = {&config.dirty_max,   &config.fills_max,  &config.waiters_max,
                               &config.puts_max,    &config.drains_max, &config.device_writes_max,
                               &config.matches_max, &config.retries_max};
    for (uint32_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        if (swarm_draw(swarm, node, 2) == 0)
            *pools[i] = (*pools[i] + 1) / 2;
    }
    uint64_t chunks = config.memory_size_bytes / config.block_size_bytes;
    if (swarm_draw(swarm, node, 2) == 0)
        config.memory_size_bytes = (chunks + 1) / 2 * config.block_size_bytes;
    config.policy = swarm_draw(swarm, node, FB_POLICY_COUNT);
    bool is_smaller = fb_node_size_bytes(&config) <= fb_node_size_bytes(&swarm->plan->config);
    if (fb_config_fault(&config) == NULL && is_smaller)
        host->config = config;
}

void swarm_node_crash(struct swarm *swarm, uint32_t node, enum fb_promise_fault cause)
{
    struct swarm_node *host = &swarm->nodes[node];
    if (!host->is_up)
        return;
    swarm->result->faults[FB_SWARM_FAULT_crash]++;
    if (host->ops_open > 0)
        swarm_saw(swarm, FB_SWARM_SIGHT_crash_with_ops);
    if (host->loan_count > 0)
        swarm_saw(swarm, FB_SWARM_SIGHT_crash_while_lending);
    swarm_saw_stats(swarm, node);
    swarm_drive_crash(swarm, node, cause == FB_PROMISE_power_cut);
    host->is_up = false;
    host->life++;
    swarm->view_changes++;
    swarm_copies_strike(swarm, node, cause);
    swarm_request_lost(swarm, node);
    if (swarm->plan->detect_ns < FB_NEVER_NS && !swarm_store_is_used(swarm))
        swarm_push(swarm, swarm->now_ns + swarm->plan->detect_ns, SWARM_DETECT, node);
}

void swarm_node_restart(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    if (host->is_up || host->is_dead)
        return;
    host->life++;
    swarm->view_changes++;
    swarm_drive_restart(swarm, node);
    swarm_copies_restart(swarm, node);
    if (swarm_fault(swarm, FB_SWARM_FAULT_settings, node, FB_NONE))
        node_change(swarm, node);
    node_begin(swarm, node);
    swarm_member_begin(swarm, node);
    if (!swarm_store_is_used(swarm) && !(swarm->view_mask >> node & 1))
        swarm_view_change(swarm, swarm->view_mask | 1u << node);
}

/* Queues the TICK that the node wants, unless an earlier one is queued. */
void swarm_node_arm(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    FB_ASSERT(host->is_up);
    uint64_t deadline_ns = fb_node_deadline_ns(host->core);
    if (deadline_ns == FB_NEVER_NS)
        return;
    uint64_t at_ns = deadline_ns > host->clock_ns ? deadline_ns - host->clock_ns : 0;
    /* A node that always wants ticks must not starve what waits for it. */
    if (at_ns < host->ready_ns)
        at_ns = host->ready_ns + host->was_tick;
    if (at_ns < swarm->now_ns)
        at_ns = swarm->now_ns;
    if (at_ns >= host->tick_ns)
        return;
    host->tick_ns = at_ns;
    swarm_push(swarm, at_ns, SWARM_TICK, node);
}

/* Does a copy of the node, whose clock stands still and whose ops nobody carries out, have enough
 * of TICKs at last? Steps take time in most plans, so that the node itself is never twice at one
 * instant. */
static bool node_comes_to_rest(struct swarm *swarm, uint32_t node)
{
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    uint64_t size_bytes = fb_node_size_bytes(&swarm->nodes[node].config);
    uint64_t now_ns = swarm_node_now_ns(swarm, node);
    struct fb_op ops[FB_STEP_OPS_MAX];
    struct fb_node *copy = fb_allocate(1, size_bytes, "a node", NULL);
    memcpy(copy, swarm->nodes[node].core, size_bytes);
    uint32_t ticks = 0;
    while (ticks < SWARM_SPINS_MAX && fb_node_deadline_ns(copy) <= now_ns) {
        (void)fb_node_step(copy, now_ns, &tick, ops);
        ticks++;
    }
    free(copy);
    return ticks < SWARM_SPINS_MAX;
}

void swarm_node_tick(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    host->tick_ns = FB_NEVER_NS;
    bool is_due = fb_node_deadline_ns(host->core) <= swarm_node_now_ns(swarm, node);
    if (!is_due || host->ready_ns > swarm->now_ns) {
        swarm_node_arm(swarm, node);
        return;
    }
    swarm_node_step(swarm, node, &tick);
    host->spins =
        fb_node_deadline_ns(host->core) <= swarm_node_now_ns(swarm, node) ? host->spins + 1 : 0;
    if (host->spins < SWARM_SPINS_LOOK)
        return;
    host->spins = 0;
    swarm_judge(swarm, FB_SWARM_CHECK_no_spin, node_comes_to_rest(swarm, node),
                "node %u wants ticks for ever at one instant", node);
}

static void node_record(struct swarm *swarm, const struct fb_trace_record *record)
{
    const uint64_t *words = (const uint64_t *)(const void *)record;
    uint64_t digest = swarm->result->digest;
    for (uint32_t i = 0; i < sizeof(*record) / sizeof(*words); i++)
        digest = fb_mix(digest ^ words[i]) + i;
    swarm->result->digest = digest;
}

static void node_busy(struct swarm *swarm, uint32_t node)
{
    struct swarm_node *host = &swarm->nodes[node];
    const struct fb_swarm_fault *slow = swarm_fault(swarm, FB_SWARM_FAULT_slow_node, node, FB_NONE);
    host->ready_ns = swarm->now_ns + swarm->plan->step_ns;
    if (slow != NULL)
        host->ready_ns += swarm_draw(swarm, node, slow->extra_ns + 1);
}

static void node_op(struct swarm *swarm, uint32_t node, const struct fb_op *op)
{
    if (op->kind == FB_OP_REPLY)
        swarm_reply(swarm, node, &op->reply);
    else if (op->kind == FB_OP_SEND)
        swarm_send(swarm, node, op);
    else
        swarm_op(swarm, node, op);
}

/* The core's step, printed where somebody wants to read it. */
static uint32_t node_think(struct swarm *swarm, uint32_t node, const struct fb_event *event,
                           struct fb_op ops[FB_STEP_OPS_MAX])
{
    struct fb_node *core = swarm->nodes[node].core;
    uint64_t now_ns = swarm_node_now_ns(swarm, node);
    struct fb_decisions decisions;
    if (swarm->printer == NULL)
        return fb_node_step(core, now_ns, event, ops);
    fb_trace_print_event(swarm->printer, swarm->now_ns, node, event);
    uint32_t count = fb_node_step_told(core, now_ns, event, ops, &decisions);
    fb_trace_print_ops(swarm->printer, ops, count, &decisions);
    return count;
}

void swarm_node_step(struct swarm *swarm, uint32_t node, const struct fb_event *event)
{
    struct swarm_node *host = &swarm->nodes[node];
    struct fb_op ops[FB_STEP_OPS_MAX];
    struct fb_trace_record record;
    FB_ASSERT(host->is_up);
    if (swarm->is_over)
        return;
    fb_trace_event(&record, swarm->now_ns, node, event);
    node_record(swarm, &record);
    node_busy(swarm, node);
    host->was_tick = event->kind == FB_EVENT_TICK;
    uint32_t count = node_think(swarm, node, event, ops);
    FB_ASSERT(count <= FB_STEP_OPS_MAX);
    swarm->result->steps++;
    for (uint32_t i = 0; i < count && !swarm->is_over; i++) {
        fb_trace_op(&record, swarm->now_ns, node, &ops[i]);
        node_record(swarm, &record);
        node_op(swarm, node, &ops[i]);
    }
    if (host->steps_to_check-- <= 1) {
        host->steps_to_check = swarm->plan->check_every;
        fb_node_check(host->core);
    }
    swarm_node_arm(swarm, node);
}
