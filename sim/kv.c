/* KV cache clients: an LLM request trace replayed through the cache.
 *
 * Request i goes to node i mod nodes. A node handles its requests one after another, as the
 * trace orders them: match its block chain, get the matched prefix, put the blocks after it (a
 * block that is there already is touched), then the next request. That is the trace's own
 * block-level semantics, so the hit ratio can be compared with an exact replay. With copies, the
 * trace is played several times over, each copy shifted in time and with block ids of its own:
 * as many independent groups of users. Requests of all copies are dealt in order of arrival.
 *
 * What a hit saves of the time to the first token. A matched block spares the accelerator its
 * tokens' prefill and costs the time it takes to get it; gets overlap, so a request's blocks share
 * its time evenly, and each block's saving counts for the tier that it came from. Below
 * bytes_per_token * prefill_tokens_per_s a tier is slower than computing again: the break-even.
 *
 * IDLE --request arrived--> MATCHING --reply--> MOVING (gets, then puts) --last one done--> IDLE */
#include "sim/world_internal.h"

#include "core/key.h"
#include "models/trace_file.h"

#include <stdlib.h>

enum { IN_FLIGHT_MAX = 64 }; /* blocks moved at once, below the core's default of fills */
enum { RETRY_NS = 1000000 }; /* guess: a client's pause after BUSY */

enum kv_phase { IDLE, MATCHING, MOVING };
enum kv_tier { TIER_MEMORY, TIER_DEVICE, TIER_PEER, TIERS };
enum { TIMER_ARRIVAL, TIMER_COPIED, TIMER_RETRY };

struct kv_node {
    enum kv_phase phase;
    uint64_t request; /* being handled */
    uint64_t waiting; /* next one for this node that has not been handled */
    uint32_t matched; /* blocks */
    uint32_t next;    /* block to move */
    uint32_t in_flight;
    uint64_t begun_ns;
    uint64_t got_ns;     /* its last matched block was copied */
    uint32_t got[TIERS]; /* its matched blocks by the tier they came from */
    uint64_t leases[IN_FLIGHT_MAX];
    uint32_t blocks[IN_FLIGHT_MAX]; /* which block a slot moves */
    uint64_t slots_used;            /* bitmap of IN_FLIGHT_MAX */
    uint64_t slots_getting;         /* asked as gets: matched may have shrunk since */
};

static_assert(IN_FLIGHT_MAX == 64, "slots_used is one word");

/* One request of one copy of the trace. */
struct kv_arrival {
    uint64_t at_ns;
    uint32_t request, copy;
};

struct kv {
    struct fb_trace_file trace;
    struct kv_arrival *arrivals; /* in order of time, then copy, then request */
    uint64_t request_count;
    uint64_t arrived; /* requests whose time has come */
    uint64_t handled;
    struct kv_node *nodes;
    uint64_t references, prefix_hits;
    double latency_sum_s;
    double saved_s[TIERS], got_s;
    uint64_t got_blocks[TIERS];
};

void kv_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    struct fb_trace_file trace;
    const char *path = scenario->workload.kv.trace;
    fb_trace_file_load(path, &trace, error);
    if (fb_error_is_set(error))
        return;
    for (uint64_t i = 0; i < trace.request_count; i++) {
        if (trace.requests[i].block_count > FB_MATCH_KEYS_MAX)
            fb_error_set(error, "%s: request %llu has %u blocks; at most %d are supported", path,
                         (unsigned long long)i + 1, trace.requests[i].block_count,
                         FB_MATCH_KEYS_MAX);
    }
    fb_trace_file_free(&trace);
}

static int arrival_compare(const void *left_element, const void *right_element)
{
    const struct kv_arrival *left = left_element, *right = right_element;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    if (left->copy != right->copy)
        return left->copy < right->copy ? -1 : 1;
    return left->request < right->request ? -1 : left->request > right->request;
}

/* A trace of one copy keeps the file's order. */
static void arrivals_build(struct kv *kv, const struct fb_kv *spec, struct fb_error *error)
{
    uint32_t copies = spec->copies > 1 ? spec->copies : 1;
    uint64_t count = kv->trace.request_count;
    if (spec->requests_max > 0 && spec->requests_max < count)
        count = spec->requests_max;
    kv->request_count = count * copies;
    kv->arrivals = calloc(kv->request_count + 1, sizeof(*kv->arrivals));
    if (kv->arrivals == NULL) {
        fb_error_set(error, "out of memory for %llu requests of %u copies of a trace",
                     (unsigned long long)kv->request_count, copies);
        kv->request_count = 0;
        return;
    }
    for (uint64_t i = 0; i < kv->request_count; i++) {
        struct kv_arrival *arrival = &kv->arrivals[i];
        arrival->request = (uint32_t)(i % count);
        arrival->copy = (uint32_t)(i / count);
        double at = (double)kv->trace.requests[arrival->request].arrival_ns / spec->speed;
        arrival->at_ns = (uint64_t)at + arrival->copy * spec->copy_shift_ns;
    }
    if (copies > 1)
        qsort(kv->arrivals, kv->request_count, sizeof(*kv->arrivals), arrival_compare);
}

static const struct fb_trace_request *request_of(const struct kv *kv, uint64_t number)
{
    return &kv->trace.requests[kv->arrivals[number].request];
}

void kv_open(struct world *world)
{
    const struct fb_kv *spec = &world->scenario->workload.kv;
    struct kv *kv = calloc(1, sizeof(*kv));
    world->kv = kv;
    kv->nodes = calloc(world->scenario->nodes, sizeof(*kv->nodes));
    fb_trace_file_load(spec->trace, &kv->trace, world->error);
    arrivals_build(kv, spec, world->error);
    for (uint32_t i = 0; i < world->scenario->nodes; i++)
        kv->nodes[i].waiting = i;
}

void kv_close(struct world *world)
{
    if (world->kv == NULL)
        return;
    fb_trace_file_free(&world->kv->trace);
    free(world->kv->arrivals);
    free(world->kv->nodes);
    free(world->kv);
}

/* Blocks of a chain that share an owner begin at 0, 2, 8, 32, 128, ...: few groups for a long
 * chain, so that a match asks few owners, and small ones at the front, where all chats have the
 * same prompt and would otherwise crowd one owner with what follows it. */
static uint32_t group_start(uint32_t i)
{
    uint32_t start = 0;
    for (uint32_t next = 2; next <= i; next *= 4)
        start = next;
    return start;
}

/* Key of block i of a request. The trace's ids name a block together with all before it. */
static struct fb_key kv_key(const struct kv *kv, uint64_t number, uint32_t i)
{
    const uint64_t *blocks = kv->trace.blocks + request_of(kv, number)->first;
    uint64_t copy = (uint64_t)kv->arrivals[number].copy << 48;
    return (struct fb_key){.high = fb_mix((blocks[group_start(i)] + 1) ^ copy),
                           .low = fb_mix((blocks[i] + 2) ^ copy)};
}

static void kv_arrival_timer(struct world *world)
{
    struct kv *kv = world->kv;
    if (kv->arrived >= kv->request_count)
        return;
    uint64_t at_ns = kv->arrivals[kv->arrived].at_ns;
    uint64_t now_ns = world_now_ns(world);
    world_client_timer(world, (uint32_t)(kv->arrived % world->scenario->nodes),
                       at_ns > now_ns ? at_ns : now_ns, (uint64_t)TIMER_ARRIVAL << 32);
}

static void kv_begin(struct world *world, uint32_t node)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    struct fb_key keys[FB_MATCH_KEYS_MAX];
    if (state->phase != IDLE || state->waiting >= kv->arrived)
        return;
    state->request = state->waiting;
    state->waiting += world->scenario->nodes;
    state->phase = MATCHING;
    state->begun_ns = world_now_ns(world);
    const struct fb_trace_request *request = request_of(kv, state->request);
    for (uint32_t i = 0; i < request->block_count; i++)
        keys[i] = kv_key(kv, state->request, i);
    const struct fb_request match = {.kind = FB_REQUEST_MATCH,
                                     .key_count = request->block_count,
                                     .request_id = state->request,
                                     .keys = keys};
    world_request(world, node, &match);
}

static void kv_ask(struct world *world, uint32_t node, uint32_t slot)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    uint32_t i = state->blocks[slot];
    uint32_t size = (uint32_t)world->scenario->core.block_size_bytes;
    uint64_t bit = UINT64_C(1) << slot;
    state->slots_getting =
        i < state->matched ? state->slots_getting | bit : state->slots_getting & ~bit;
    struct fb_request ask = {
        .kind = i < state->matched ? FB_REQUEST_GET : FB_REQUEST_PUT,
        .request_id = slot,
        .block = {.key = kv_key(kv, state->request, i), .object = FB_OBJECT_NONE, .size = size}};
    ask.span = (struct fb_span){.region = FB_REGION_CLIENT, .peer = node, .size = size};
    if (i > 0)
        ask.parent = kv_key(kv, state->request, i - 1);
    world_request(world, node, &ask);
}

static enum kv_tier tier_of(enum fb_reason reason)
{
    if (reason == FB_REASON_MEMORY || reason == FB_REASON_COALESCED)
        return TIER_MEMORY;
    return reason == FB_REASON_DEVICE ? TIER_DEVICE : TIER_PEER;
}

/* A request ended: what its matched blocks saved. */
static void kv_save(struct world *world, struct kv_node *state)
{
    const struct fb_kv *spec = &world->scenario->workload.kv;
    struct kv *kv = world->kv;
    uint32_t blocks = state->got[TIER_MEMORY] + state->got[TIER_DEVICE] + state->got[TIER_PEER];
    if (blocks == 0 || spec->prefill_tokens_per_s <= 0)
        return;
    double took_s = (double)(state->got_ns - state->begun_ns) * 1e-9;
    double block_s = (double)spec->block_tokens / spec->prefill_tokens_per_s - took_s / blocks;
    kv->got_s += took_s;
    for (uint32_t tier = 0; tier < TIERS; tier++) {
        kv->saved_s[tier] += block_s * state->got[tier];
        kv->got_blocks[tier] += state->got[tier];
        state->got[tier] = 0;
    }
}

/* Keeps blocks moving, in order; ends the request when the last one is done. */
static void kv_move(struct world *world, uint32_t node)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    const struct fb_trace_request *request = request_of(kv, state->request);
    while (state->next < request->block_count && state->in_flight < IN_FLIGHT_MAX) {
        uint32_t slot = (uint32_t)__builtin_ctzll(~state->slots_used);
        state->slots_used |= UINT64_C(1) << slot;
        state->blocks[slot] = state->next++;
        state->in_flight++;
        kv_ask(world, node, slot);
    }
    if (state->in_flight > 0)
        return;
    kv_save(world, state);
    kv->handled++;
    kv->latency_sum_s += (double)(world_now_ns(world) - state->begun_ns) * 1e-9;
    world->end_ns = world_now_ns(world);
    state->phase = IDLE;
    kv_begin(world, node);
}

void kv_start(struct world *world)
{
    kv_arrival_timer(world);
}

static void kv_slot_end(struct world *world, uint32_t node, uint32_t slot)
{
    struct kv_node *state = &world->kv->nodes[node];
    state->slots_used &= ~(UINT64_C(1) << slot);
    state->in_flight--;
    kv_move(world, node);
}

static void kv_matched(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    state->phase = MOVING;
    state->next = 0;
    state->matched = reply->match_count;
    kv->references += request_of(kv, state->request)->block_count;
    kv->prefix_hits += reply->match_count;
    kv_move(world, node);
}

void kv_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    if (state->phase == MATCHING) {
        kv_matched(world, node, reply);
        return;
    }
    uint32_t slot = (uint32_t)reply->request_id;
    bool is_get = (state->slots_getting >> slot & 1) != 0;
    if (is_get && reply->status == FB_ABSENT) {
        if (state->matched > state->blocks[slot])
            state->matched = state->blocks[slot]; /* evicted since the match: recompute and put */
        kv_ask(world, node, slot);
        return;
    }
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + RETRY_NS,
                           (uint64_t)TIMER_RETRY << 32 | slot);
        return;
    }
    if (!is_get) {
        kv_slot_end(world, node, slot);
        return;
    }
    const struct fb_block block = {.key = kv_key(kv, state->request, state->blocks[slot]),
                                   .object = FB_OBJECT_NONE};
    if (!world_check_bytes(world, node, &reply->span, &block))
        return;
    fb_series_add(&world->series, FB_SERIES_READ, world_now_ns(world), (double)reply->span.size);
    fb_series_add(&world->series, FB_SERIES_HIT, world_now_ns(world), (double)reply->span.size);
    state->got[tier_of((enum fb_reason)reply->reason)]++;
    state->leases[slot] = reply->lease;
    world_client_timer(world, node, world_copy(world, node, reply->span.size),
                       (uint64_t)TIMER_COPIED << 32 | slot);
}

void kv_timer(struct world *world, uint32_t node, uint64_t detail)
{
    struct kv *kv = world->kv;
    uint32_t slot = (uint32_t)detail;
    if (detail >> 32 == TIMER_ARRIVAL) {
        kv->arrived++;
        kv_begin(world, node);
        kv_arrival_timer(world);
    } else if (detail >> 32 == TIMER_RETRY) {
        kv_ask(world, node, slot);
    } else {
        const struct fb_request release = {.kind = FB_REQUEST_RELEASE,
                                           .lease = kv->nodes[node].leases[slot]};
        world_request(world, node, &release);
        kv->nodes[node].got_ns = world_now_ns(world);
        kv_slot_end(world, node, slot);
    }
}

double kv_progress(const struct world *world)
{
    const struct kv *kv = world->kv;
    return kv->request_count > 0 ? (double)kv->handled / (double)kv->request_count : 1;
}

static void kv_saved_metrics(const struct world *world, struct fb_run *run)
{
    static const char *const names[TIERS] = {"ttft_saved_memory_ns", "ttft_saved_device_ns",
                                             "ttft_saved_peer_ns"};
    const struct fb_kv *spec = &world->scenario->workload.kv;
    const struct kv *kv = world->kv;
    double blocks = 0, saved_s = 0;
    if (spec->prefill_tokens_per_s <= 0 || kv->handled == 0)
        return;
    for (uint32_t tier = 0; tier < TIERS; tier++) {
        metrics_add(run, names[tier], "ns", kv->saved_s[tier] * 1e9 / (double)kv->handled);
        saved_s += kv->saved_s[tier];
        blocks += (double)kv->got_blocks[tier];
    }
    metrics_add(run, "ttft_saved_mean_ns", "ns", saved_s * 1e9 / (double)kv->handled);
    double block_bytes = (double)spec->bytes_per_token * spec->block_tokens;
    metrics_add(run, "kv_break_even_bytes_per_s", "B/s",
                (double)spec->bytes_per_token * spec->prefill_tokens_per_s);
    if (kv->got_s > 0)
        metrics_add(run, "kv_get_bytes_per_s", "B/s", blocks * block_bytes / kv->got_s);
}

void kv_metrics(const struct world *world, struct fb_run *run)
{
    const struct kv *kv = world->kv;
    metrics_add(run, "requests", "1", (double)kv->handled);
    metrics_add(run, "block_references", "1", (double)kv->references);
    metrics_add(run, "prefix_hits", "1", (double)kv->prefix_hits);
    if (kv->references > 0)
        metrics_add(run, "prefix_hit_ratio", "1", (double)kv->prefix_hits / (double)kv->references);
    if (kv->handled > 0)
        metrics_add(run, "request_latency_mean_ns", "ns",
                    kv->latency_sum_s * 1e9 / (double)kv->handled);
    kv_saved_metrics(world, run);
    metrics_add(
        run, "capacity_tokens", "1",
        (double)(world->scenario->core.memory_size_bytes / world->scenario->core.block_size_bytes) *
            world->scenario->workload.kv.block_tokens * world->scenario->nodes);
}
