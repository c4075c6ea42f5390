/* One run of a plan, on an event heap of its own: no network model, because a swarm wants every
 * order of events, not the likely one.
 *
 *     PHASE_FAULTS   requests and faults as planned
 *     PHASE_SETTLE   nothing strikes any more and every node is up: all that was asked is answered,
 *                    and every node becomes idle, within a limit that follows from the settings
 *     PHASE_AFTER    new requests: each must succeed within the limit
 *     PHASE_WHOLE    node after node, clients lease as many whole blocks as its memory has: units
 *                    that were lost to a leak would be missing
 *     PHASE_END      all quiet once more; every invariant of every node
 *
 * The same plan gives the same events: they are ordered by (time, order in which they were
 * queued), and every delay is drawn from the seed and a counter of one node. */
#include "base/memory.h"
#include "sim/swarm/swarm_internal.h"
#include "sim/swarm/swarm_store.h"
#include "sim/trace/trace_print.h"

#include <stdlib.h>
#include <string.h>

enum { COOKIE_BITS = 24, WHOLE_BLOCKS_MAX = 32, POLL_FIRST_NS = 100000 };

/* Object numbers that no plan uses: the blocks of PHASE_WHOLE. */
enum { WHOLE_OBJECT = 1000000 };

struct swarm_event *swarm_push(struct swarm *swarm, uint64_t at_ns, enum swarm_event_kind kind,
                               uint32_t node)
{
    if (swarm->event_free == FB_NONE) {
        uint32_t max = swarm->event_max > 0 ? 2 * swarm->event_max : 256;
        swarm->events = fb_grow(swarm->events, max, sizeof(*swarm->events), "events", NULL);
        FB_ASSERT(max < 1u << COOKIE_BITS);
        for (uint32_t i = swarm->event_max; i < max; i++) {
            swarm->events[i].next = i + 1 < max ? i + 1 : FB_NONE;
            swarm->events[i].is_queued = 0;
        }
        swarm->event_free = swarm->event_max;
        swarm->event_max = max;
    }
    uint32_t index = swarm->event_free;
    FB_ASSERT(index < swarm->event_max);
    FB_ASSERT(!swarm->events[index].is_queued);
    struct swarm_event *event = &swarm->events[index];
    swarm->event_free = event->next;
    event->kind = kind;
    event->node = node;
    event->life = swarm->nodes[node].life;
    event->index = 0;
    event->detail = 0;
    event->is_moved = 0;
    event->is_queued = 1;
    FB_ASSERT(at_ns >= swarm->now_ns);
    fb_event_heap_push(&swarm->heap, at_ns, swarm->sequence++ << COOKIE_BITS | index);
    return event;
}

void swarm_push_again(struct swarm *swarm, const struct swarm_event *event, uint64_t at_ns)
{
    struct swarm_event *copy =
        swarm_push(swarm, at_ns, (enum swarm_event_kind)event->kind, event->node);
    uint32_t next = copy->next;
    *copy = *event;
    copy->next = next;
    copy->is_queued = 1;
}

/* Longest that a node may take to answer: all its tries, each with every patience it has, and with
 * all the tries of the owner that it waits for. */
uint64_t swarm_limit_ns(const struct fb_swarm_plan *plan)
{
    const struct fb_config *config = &plan->config;
    uint64_t op_ns = 8 * (plan->message_ns + plan->pull_ns + plan->device_ns + plan->origin_ns) +
                     1000 * plan->step_ns + 1000000;
    uint64_t try_ns = 4 * op_ns + 3 * config->hedge_ns + 3 * config->wait_ns + config->fetch_ns +
                      100 * (config->retries_max + 1) * config->backoff_ns + 200 * config->hold_ns;
    uint64_t drain_ns = 1000 * (config->drain_check_ns + config->drain_delay_ns) + 100000 * op_ns;
    return 4 * (config->retries_max + 4) * try_ns + 2 * config->lend_ns + 100 * op_ns + drain_ns;
}

/* Fragments that are in vain are given up meanwhile: they are told of at least every 64 rounds. */
static uint64_t settle_ns(const struct fb_swarm_plan *plan)
{
    const struct fb_config *config = &plan->config;
    if (config->erasure_data == 0)
        return swarm_limit_ns(plan);
    return swarm_limit_ns(plan) + 2 * config->orphan_ns + 1000 * config->drain_check_ns;
}

static void phase_poll(struct swarm *swarm)
{
    uint64_t at_ns = swarm->now_ns + swarm->poll_ns;
    swarm->poll_ns += swarm->poll_ns / 2;
    if (swarm->now_ns < swarm->phase_end_ns && at_ns > swarm->phase_end_ns)
        at_ns = swarm->phase_end_ns;
    swarm_push(swarm, at_ns, SWARM_PHASE, 0);
}

static void phase_set(struct swarm *swarm, enum swarm_phase phase)
{
    FB_ASSERT(phase >= swarm->phase);
    swarm->phase = phase;
    swarm->phase_end_ns = swarm->now_ns + swarm->limit_ns;
    swarm->poll_ns = POLL_FIRST_NS;
    swarm->first_of_phase = swarm->request_count;
}

bool swarm_has_dead_member(const struct swarm *swarm)
{
    bool is_dead = false;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        is_dead = is_dead || (swarm->nodes[node].is_dead && (swarm->view_mask >> node & 1u));
    return is_dead;
}

/* Fewer are left than the level wants copies, or than there are fragments: several fragments of a
 * member go with it. Then DEGRADED is what the promise says. */
static bool has_few(const struct swarm *swarm, uint32_t level)
{
    const struct fb_config *config = &swarm->plan->config;
    uint64_t fragments =
        config->erasure_data > 0 ? config->erasure_data + config->erasure_parity : 0;
    uint32_t living = 0;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        living += !swarm->nodes[node].is_dead;
    return !config->degraded && (living < swarm_promised(swarm, level, 0) || living < fragments);
}

/* A write that waits for a node that is dead, and that the view still names, need not succeed, nor
 * one whose copies there can not be any more. */
static bool after_must(struct swarm *swarm, const struct fb_swarm_request *what)
{
    bool is_write = what->verb == FB_SWARM_VERB_write;
    bool is_of_dead = is_write && swarm_has_dead_member(swarm);
    bool is_of_few = is_write && has_few(swarm, swarm_level_of(what));
    if (is_of_dead)
        swarm->result->softened[FB_SWARM_SOFTENING_writes_with_dead] = 1;
    if (is_of_few)
        swarm->result->softened[FB_SWARM_SOFTENING_writes_of_few] = 1;
    return !is_of_dead && !is_of_few;
}

/* Requests like the plan's own, from every node, each of which must succeed. */
static void after_begin(struct swarm *swarm)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    phase_set(swarm, PHASE_AFTER);
    for (uint32_t i = 0; i < plan->after * plan->nodes && plan->request_count > 0; i++) {
        uint32_t node = i % plan->nodes;
        if (swarm->nodes[node].is_dead)
            continue;
        uint32_t like = (uint32_t)swarm_draw(swarm, node, plan->request_count);
        struct fb_swarm_request what = plan->requests[like];
        what.node = node;
        what.at_ns = swarm->now_ns + swarm_draw(swarm, node, plan->after * plan->origin_ns + 1);
        what.hold_ns = swarm_draw(swarm, node, plan->message_ns + 1);
        swarm_request_add(swarm, &what, after_must(swarm, &what));
    }
}

/* The next node from this one on that is not dead for good; plan->nodes: there is none. */
static uint32_t living_from(const struct swarm *swarm, uint32_t node)
{
    while (node < swarm->plan->nodes && swarm->nodes[node].is_dead)
        node++;
    return node;
}

static uint32_t whole_blocks(const struct fb_config *config)
{
    uint64_t count = config->memory_size_bytes / config->block_size_bytes;
    if (config->memory_entries_max > 0 && config->memory_entries_max < count)
        count = config->memory_entries_max;
    return count <= WHOLE_BLOCKS_MAX ? (uint32_t)count : 0;
}

static void whole_begin(struct swarm *swarm, uint32_t node)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    uint32_t count = whole_blocks(&swarm->nodes[node].config);
    phase_set(swarm, PHASE_WHOLE);
    swarm->whole_node = node;
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_swarm_request what = {.at_ns = swarm->now_ns + i * plan->origin_ns,
                                              .hold_ns = FB_NEVER_NS,
                                              .verb = FB_SWARM_VERB_get,
                                              .node = node,
                                              .object = WHOLE_OBJECT + node,
                                              .index = i,
                                              .size = (uint32_t)plan->config.block_size_bytes};
        swarm_request_add(swarm, &what, true);
    }
}

static bool whole_is_leased(const struct swarm *swarm)
{
    for (uint32_t i = swarm->first_of_phase; i < swarm->request_count; i++) {
        if (swarm->requests[i].state != REQUEST_HELD)
            return false;
    }
    return true;
}

static void whole_end(struct swarm *swarm)
{
    uint32_t count = swarm->request_count;
    for (uint32_t i = swarm->first_of_phase; i < count; i++)
        swarm_request_release(swarm, i, swarm->requests[i].tries);
    uint32_t next = living_from(swarm, swarm->whole_node + 1);
    if (next < swarm->plan->nodes)
        whole_begin(swarm, next);
    else
        phase_set(swarm, PHASE_END);
}

static void heal(struct swarm *swarm)
{
    FB_ASSERT(swarm->phase == PHASE_FAULTS);
    for (uint32_t node = 0; node < swarm->plan->nodes; node++)
        swarm_node_restart(swarm, node);
    phase_set(swarm, PHASE_SETTLE);
    swarm->phase_end_ns = swarm->now_ns + settle_ns(swarm->plan);
}

/* What keeps the phase from ending, judged when its time is over. */
static void phase_overdue(struct swarm *swarm)
{
    uint32_t open = FB_NONE, node = 0;
    for (uint32_t i = 0; i < swarm->request_count && open == FB_NONE; i++) {
        if (swarm->requests[i].state != REQUEST_ENDED && swarm->requests[i].state != REQUEST_HELD)
            open = i;
    }
    enum fb_swarm_check check = FB_SWARM_CHECK_progress;
    if (!swarm_judge(swarm, FB_SWARM_CHECK_members_settle, swarm_store_settles(swarm),
                     "the members are %x long after healing", swarm->view_mask))
        return;
    if (swarm->phase == PHASE_WHOLE)
        check = FB_SWARM_CHECK_whole_memory;
    if (open != FB_NONE && swarm->requests[open].state == REQUEST_OPEN)
        check = FB_SWARM_CHECK_all_answered;
    if (open == FB_NONE)
        check = FB_SWARM_CHECK_idle;
    bool is_idle = swarm_is_idle(swarm, &node);
    if (open == FB_NONE) {
        swarm_judge(swarm, check, is_idle, "node %u is not idle though all was quiet for long",
                    node);
        return;
    }
    const struct swarm_request *request = &swarm->requests[open];
    swarm_judge(swarm, check, false,
                "%s %u (object %u, block %u) of node %u: try %u, last status %s, %llu ms after "
                "healing",
                fb_swarm_verb_name(request->what.verb), open, request->what.object,
                request->what.index, request->what.node, request->tries,
                fb_status_name((enum fb_status)request->status),
                (unsigned long long)swarm->limit_ns / 1000000);
}

static void saw_dead(struct swarm *swarm)
{
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        if (swarm->nodes[node].is_dead)
            swarm_saw(swarm, FB_SWARM_SIGHT_settled_with_dead);
    }
}

/* Is nothing under way? When time is over a name may still wait for a dead node. */
static bool phase_is_quiet(struct swarm *swarm, bool is_late)
{
    uint32_t node;
    bool is_settled = swarm->phase == PHASE_FAULTS || swarm_store_settles(swarm);
    if (!is_settled || swarm->requests_open > 0)
        return false;
    if (swarm_is_idle(swarm, &node))
        return true;
    if (!is_late || !swarm_name_waits(swarm))
        return false;
    swarm->result->softened[FB_SWARM_SOFTENING_hidden_with_dead] = 1;
    return true;
}

static void phase_step(struct swarm *swarm)
{
    bool is_late = swarm->now_ns >= swarm->phase_end_ns;
    bool is_quiet = phase_is_quiet(swarm, is_late);
    switch (swarm->phase) {
    case PHASE_FAULTS:
        heal(swarm);
        break;
    case PHASE_SETTLE:
        if (is_quiet) {
            saw_dead(swarm);
            swarm_check_kept(swarm);
            swarm_check_quota(swarm);
            swarm_check_names(swarm);
            after_begin(swarm);
        } else if (is_late) {
            phase_overdue(swarm);
        }
        break;
    case PHASE_AFTER:
        if (is_quiet)
            whole_begin(swarm, living_from(swarm, 0));
        else if (is_late)
            phase_overdue(swarm);
        break;
    case PHASE_WHOLE:
        if (whole_is_leased(swarm))
            whole_end(swarm);
        else if (is_late)
            phase_overdue(swarm);
        break;
    case PHASE_END:
        swarm->is_over = is_quiet;
        if (is_quiet)
            swarm_check_names(swarm);
        else if (is_late)
            phase_overdue(swarm);
        break;
    }
    if (!swarm->is_over)
        phase_poll(swarm);
}

static bool fault_stops(uint32_t kind)
{
    return kind == FB_SWARM_FAULT_crash || kind == FB_SWARM_FAULT_power_cut ||
           kind == FB_SWARM_FAULT_death;
}

static void node_stop(struct swarm *swarm, uint32_t node, const struct fb_swarm_fault *fault)
{
    struct swarm_node *host = &swarm->nodes[node];
    enum fb_promise_fault cause = FB_PROMISE_crash;
    if (fault->kind == FB_SWARM_FAULT_power_cut)
        cause = FB_PROMISE_power_cut;
    if (fault->kind == FB_SWARM_FAULT_death)
        cause = FB_PROMISE_death;
    swarm->result->faults[fault->kind] += fault->kind != FB_SWARM_FAULT_crash; /* counts itself */
    host->is_drive_safe = cause == FB_PROMISE_power_cut;
    host->is_dead = cause == FB_PROMISE_death;
    swarm_node_crash(swarm, node, cause);
    swarm_push(swarm, fault->until_ns, SWARM_RESTART, node);
}

static void fault_strike(struct swarm *swarm, uint32_t index)
{
    const struct fb_swarm_fault *fault = &swarm->plan->faults[index];
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        struct swarm_node *host = &swarm->nodes[node];
        if (!(fault->nodes >> node & 1) || !host->is_up)
            continue;
        if (fault_stops(fault->kind)) {
            node_stop(swarm, node, fault);
        } else if (fault->kind == FB_SWARM_FAULT_pause) {
            swarm->result->faults[fault->kind]++;
            host->ready_ns = fault->until_ns > host->ready_ns ? fault->until_ns : host->ready_ns;
        } else if (fault->kind == FB_SWARM_FAULT_lease_lost) {
            swarm->result->faults[fault->kind]++;
            swarm_lease_lose(swarm, node);
        } else {
            swarm->result->faults[fault->kind]++;
            host->clock_ns += fault->extra_ns;
            swarm_node_arm(swarm, node);
            swarm_member_wake(swarm, node);
        }
    }
}

static void dispatch(struct swarm *swarm, struct swarm_event *event, uint64_t at_ns)
{
    struct swarm_node *host = &swarm->nodes[event->node];
    const struct fb_event view = {.kind = FB_EVENT_VIEW, .view = swarm->view};
    switch ((enum swarm_event_kind)event->kind) {
    case SWARM_REQUEST:
        swarm_request_send(swarm, event->index);
        return;
    case SWARM_RELEASE:
        swarm_request_release(swarm, event->index, event->detail);
        return;
    case SWARM_ITEM:
        swarm_item_release(swarm, event);
        return;
    case SWARM_MESSAGE:
        swarm_deliver(swarm, event);
        return;
    case SWARM_HALF:
        swarm_op_half(swarm, event);
        return;
    case SWARM_DONE:
        swarm_op_done(swarm, event);
        return;
    case SWARM_TICK:
        if (event->life == host->life && at_ns == host->tick_ns)
            swarm_node_tick(swarm, event->node);
        return;
    case SWARM_VIEW:
        if (event->life != host->life || !host->is_up)
            return;
        host->view = swarm->view;
        swarm_copies_viewed(swarm, event->node);
        swarm_node_step(swarm, event->node, &view);
        return;
    case SWARM_FAULT:
        fault_strike(swarm, event->index);
        return;
    case SWARM_LATE:
        swarm_meta_late(swarm, event);
        return;
    case SWARM_RESTART:
        swarm_node_restart(swarm, event->node);
        return;
    case SWARM_COPIES:
        if (event->detail == swarm->view_changes)
            swarm_check_copies(swarm);
        return;
    case SWARM_DETECT:
        if (!host->is_up && event->life == host->life)
            swarm_view_change(swarm, swarm->view_mask & ~(1u << event->node));
        return;
    case SWARM_MEMBER:
        swarm_member_event(swarm, event);
        return;
    case SWARM_PHASE:
        phase_step(swarm);
        return;
    }
}

static void run_open(struct swarm *swarm)
{
    const struct fb_swarm_plan *plan = swarm->plan;
    uint64_t all = plan->nodes < 32 ? (UINT64_C(1) << plan->nodes) - 1 : UINT32_MAX;
    swarm->unit_bytes =
        (plan->config.block_size_bytes + FB_UNITS_PER_CHUNK - 1) / FB_UNITS_PER_CHUNK;
    swarm->limit_ns = swarm_limit_ns(plan);
    swarm->event_free = FB_NONE;
    swarm->request_max = plan->request_count + plan->nodes * (plan->after + WHOLE_BLOCKS_MAX);
    swarm->requests = fb_allocate(swarm->request_max, sizeof(*swarm->requests), "requests", NULL);
    swarm_fault_order(swarm);
    swarm_view_change(swarm, (uint32_t)all);
    for (uint32_t node = 0; node < plan->nodes; node++)
        swarm_node_open(swarm, node);
    swarm_store_open(swarm);
    for (uint32_t i = 0; i < plan->request_count; i++)
        swarm_request_add(swarm, &plan->requests[i], false);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct fb_swarm_fault *fault = &plan->faults[i];
        bool is_moment =
            fault->kind == FB_SWARM_FAULT_crash || fault->kind == FB_SWARM_FAULT_power_cut ||
            fault->kind == FB_SWARM_FAULT_death || fault->kind == FB_SWARM_FAULT_pause ||
            fault->kind == FB_SWARM_FAULT_clock_jump || fault->kind == FB_SWARM_FAULT_lease_lost;
        if (is_moment)
            swarm_push(swarm, fault->from_ns, SWARM_FAULT, 0)->index = i;
    }
    swarm_push(swarm, plan->heal_ns, SWARM_PHASE, 0);
}

static void run_close(struct swarm *swarm)
{
    swarm->result->simulated_ns = swarm->now_ns;
    for (uint32_t node = 0; node < swarm->plan->nodes; node++) {
        if (swarm->nodes[node].is_up)
            swarm_saw_stats(swarm, node);
        swarm_node_close(&swarm->nodes[node]);
    }
    fb_event_heap_free(&swarm->heap);
    swarm_names_free(swarm);
    swarm_views_free(swarm);
    free(swarm->events);
    free(swarm->requests);
}

void fb_swarm_run(const struct fb_swarm_plan *plan, FILE *trace, struct fb_swarm_result *result)
{
    struct swarm *swarm = fb_allocate(1, sizeof(*swarm), "a swarm", NULL);
    memset(result, 0, sizeof(*result));
    result->seed = plan->seed;
    swarm->plan = plan;
    swarm->result = result;
    if (trace != NULL)
        swarm->printer = fb_trace_printer_open(trace, plan->config.block_size_bytes, true);
    for (uint32_t i = 0; i < FB_SWARM_SOFTENING_COUNT; i++)
        result->softened[i] = plan->softened >> i & 1u;
    run_open(swarm);
    while (!swarm->is_over) {
        struct fb_event_heap_entry next = fb_event_heap_pop(&swarm->heap);
        uint32_t index = (uint32_t)(next.cookie & ((1u << COOKIE_BITS) - 1));
        struct swarm_event event = swarm->events[index];
        FB_ASSERT(event.is_queued);
        FB_ASSERT(next.at_ns >= swarm->now_ns);
        swarm->events[index].is_queued = 0;
        swarm->events[index].next = swarm->event_free;
        swarm->event_free = index;
        swarm->now_ns = next.at_ns;
        result->events++;
        dispatch(swarm, &event, next.at_ns);
        swarm_judge(swarm, FB_SWARM_CHECK_progress, result->events < SWARM_EVENTS_MAX,
                    "%u events and no end after %llu ms", SWARM_EVENTS_MAX,
                    (unsigned long long)swarm->now_ns / 1000000);
    }
    if (!result->is_failed) {
        swarm_check_kept(swarm);
        swarm_check_quota(swarm);
        swarm_check_all(swarm);
    }
    run_close(swarm);
    if (swarm->printer != NULL)
        fb_trace_printer_close(swarm->printer);
    free(swarm);
}
