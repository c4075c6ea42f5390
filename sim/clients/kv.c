/* KV cache clients: an LLM request trace replayed through the cache.
 *
 * Request i goes to node i mod nodes. A node handles its requests one after another, as the
 * trace orders them: match its block chain, get the matched prefix, put the blocks after it (a
 * block that is there already is touched), then the next request. That is the trace's own
 * block-level semantics, so the hit ratio can be compared with an exact replay. With copies, the
 * trace is played several times over, each copy shifted in time and with block ids of its own:
 * as many independent groups of users. Requests of all copies are dealt in order of arrival.
 *
 * A block is read and put whole, or, with layer_groups above one, in as many pieces: then the
 * matched ones are pulled first, layer by layer (kv_layers.c).
 *
 *     IDLE --request arrived--> MATCHING --reply--> MOVING (gets, then puts) --last done--> IDLE
 *                                          '-> PULLING --last piece--^ */
#include "base/memory.h"
#include "sim/clients/kinds.h"
#include "sim/clients/kv_internal.h"

#include "core/key.h"
#include "core/panic.h"
#include <stdlib.h>

uint32_t kv_layer_groups(const struct world *world)
{
    uint32_t groups = world->scenario->workload.kv.layer_groups;
    return groups > 1 ? groups : 1;
}

/* A pull is one list, which a node must be able to take. */
static void layers_check(const struct fb_scenario *scenario, const struct fb_trace_file *trace,
                         struct fb_error *error)
{
    const struct fb_config *core = &scenario->core;
    uint64_t groups = scenario->workload.kv.layer_groups, most = 0;
    for (uint64_t i = 0; i < trace->request_count; i++)
        most = trace->requests[i].block_count > most ? trace->requests[i].block_count : most;
    if (groups > 1 && (core->gathers_max == 0 || core->gather_ranges_max < most * groups))
        fb_error_set(error,
                     "workload.layer_groups: the longest chain is %llu pieces, and a node takes "
                     "core.gather_ranges_max, %llu, in core.gathers_max lists, %llu: set them "
                     "higher",
                     (unsigned long long)(most * groups),
                     (unsigned long long)core->gather_ranges_max,
                     (unsigned long long)core->gathers_max);
}

/* hash_ids stand for block_tokens each, the last one for what is left. */
static void tokens_check(const struct fb_scenario *scenario, const struct fb_trace_file *trace,
                         struct fb_error *error)
{
    uint64_t block = scenario->workload.kv.block_tokens;
    for (uint64_t i = 0; i < trace->request_count && !fb_error_is_set(error); i++) {
        const struct fb_trace_request *request = &trace->requests[i];
        uint64_t blocks = (request->input_tokens + block - 1) / block;
        if (request->input_tokens == 0 || request->block_count == blocks)
            continue; /* no count of tokens is known: a trace of keys */
        fb_error_set(error,
                     "%s: request %llu has %u hash_ids for %u tokens, and workload.block_tokens "
                     "%llu makes %llu of them: set it to the trace's own",
                     scenario->workload.kv.trace, (unsigned long long)i + 1, request->block_count,
                     request->input_tokens, (unsigned long long)block, (unsigned long long)blocks);
    }
}

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
    tokens_check(scenario, &trace, error);
    layers_check(scenario, &trace, error);
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
    kv->arrivals =
        fb_allocate(kv->request_count + 1, sizeof(*kv->arrivals), "the requests of a trace", error);
    if (kv->arrivals == NULL) {
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

const struct fb_trace_request *kv_request_of(const struct kv *kv, uint64_t number)
{
    FB_ASSERT(number < kv->request_count);
    FB_ASSERT(kv->arrivals[number].request < kv->trace.request_count);
    return &kv->trace.requests[kv->arrivals[number].request];
}

void kv_open(struct world *world)
{
    const struct fb_kv *spec = &world->scenario->workload.kv;
    struct kv *kv = fb_allocate(1, sizeof(*kv), "KV clients", world->error);
    uint32_t nodes = world->scenario->nodes;
    world->kv = kv;
    if (kv == NULL)
        return;
    kv->nodes = fb_allocate(nodes, sizeof(*kv->nodes), "KV clients", world->error);
    if (spec->layer_groups > 1)
        kv->pulls = fb_allocate(nodes, sizeof(*kv->pulls), "KV clients", world->error);
    fb_trace_file_load(spec->trace, &kv->trace, world->error);
    arrivals_build(kv, spec, world->error);
    for (uint32_t i = 0; i < nodes && kv->nodes != NULL; i++)
        kv->nodes[i].waiting = i;
}

void kv_close(struct world *world)
{
    if (world->kv == NULL)
        return;
    for (uint32_t i = 0; world->kv->pulls != NULL && i < world->scenario->nodes; i++)
        free(world->kv->pulls[i].leases);
    free(world->kv->pulls);
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

/* Key of a piece of block i of a request; a block's first piece stands for it. The trace's ids name
 * a block together with all before it. */
static struct fb_key kv_key(const struct kv *kv, uint64_t number, uint32_t i, uint32_t layer)
{
    FB_ASSERT(i < kv_request_of(kv, number)->block_count);
    const uint64_t *blocks = kv->trace.blocks + kv_request_of(kv, number)->first;
    uint64_t copy = (uint64_t)kv->arrivals[number].copy << 48;
    uint64_t low = fb_mix((blocks[i] + 2) ^ copy);
    return (struct fb_key){.high = fb_mix((blocks[group_start(i)] + 1) ^ copy),
                           .low = layer > 0 ? fb_mix(low + layer) : low};
}

struct fb_block kv_piece(const struct world *world, uint32_t node, uint32_t block, uint32_t layer)
{
    const struct kv *kv = world->kv;
    return (struct fb_block){.key = kv_key(kv, kv->nodes[node].request, block, layer),
                             .object = FB_OBJECT_NONE,
                             .size = (uint32_t)world->scenario->core.block_size_bytes};
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
    FB_ASSERT(state->in_flight == 0);
    FB_ASSERT(state->slots_used == 0);
    state->request = state->waiting;
    state->waiting += world->scenario->nodes;
    state->phase = MATCHING;
    state->begun_ns = world_now_ns(world);
    const struct fb_trace_request *request = kv_request_of(kv, state->request);
    for (uint32_t i = 0; i < request->block_count; i++)
        keys[i] = kv_key(kv, state->request, i, 0);
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
    FB_ASSERT(slot < FB_KV_WINDOW_MAX);
    FB_ASSERT(state->slots_used >> slot & 1u);
    uint32_t i = state->pieces[slot] / kv_layer_groups(world);
    uint32_t layer = state->pieces[slot] % kv_layer_groups(world);
    uint32_t size = (uint32_t)world->scenario->core.block_size_bytes;
    uint64_t bit = UINT64_C(1) << slot;
    state->slots_getting =
        i < state->matched ? state->slots_getting | bit : state->slots_getting & ~bit;
    struct fb_request ask = {.kind = i < state->matched ? FB_REQUEST_GET : FB_REQUEST_PUT,
                             .request_id = slot,
                             .block = kv_piece(world, node, i, layer)};
    ask.span = (struct fb_span){.region = FB_REGION_CLIENT, .peer = node, .size = size};
    if (i > 0)
        ask.parent = kv_key(kv, state->request, i - 1, layer);
    world_request(world, node, &ask);
}

enum kv_tier kv_tier_of(enum fb_reason reason)
{
    if (reason == FB_REASON_MEMORY || reason == FB_REASON_COALESCED)
        return TIER_MEMORY;
    return reason == FB_REASON_DEVICE ? TIER_DEVICE : TIER_PEER;
}

/* Keeps pieces moving, in order; ends the request when the last one is done. */
void kv_move(struct world *world, uint32_t node)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    const struct fb_trace_request *request = kv_request_of(kv, state->request);
    uint32_t pieces = request->block_count * kv_layer_groups(world);
    uint32_t window = world->scenario->workload.kv.window;
    while (state->next < pieces && state->in_flight < window) {
        FB_ASSERT(~state->slots_used != 0);
        uint32_t slot = (uint32_t)__builtin_ctzll(~state->slots_used);
        state->slots_used |= UINT64_C(1) << slot;
        state->pieces[slot] = state->next++;
        state->in_flight++;
        kv_ask(world, node, slot);
    }
    if (state->in_flight > 0)
        return;
    kv_save(world, node);
    FB_ASSERT(kv->handled < kv->arrived);
    kv->handled++;
    uint64_t arrived_ns = kv->arrivals[state->request].at_ns;
    FB_ASSERT(state->begun_ns >= arrived_ns);
    kv->latency_sum_s += (double)(world_now_ns(world) - arrived_ns) * 1e-9;
    kv->wait_sum_s += (double)(state->begun_ns - arrived_ns) * 1e-9;
    if (kv->wait_ns_max < state->begun_ns - arrived_ns)
        kv->wait_ns_max = state->begun_ns - arrived_ns;
    kv->busy_sum_s += (double)(world_now_ns(world) - state->begun_ns) * 1e-9;
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
    FB_ASSERT(state->slots_used >> slot & 1u);
    FB_ASSERT(state->in_flight > 0);
    state->slots_used &= ~(UINT64_C(1) << slot);
    state->in_flight--;
    kv_move(world, node);
}

static void kv_matched(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    FB_ASSERT(reply->match_count <= kv_request_of(kv, state->request)->block_count);
    state->phase = MOVING;
    state->next = 0;
    state->matched = reply->match_count;
    state->got_ns = state->begun_ns;
    kv->references += kv_request_of(kv, state->request)->block_count;
    kv->prefix_hits += reply->match_count;
    if (kv->pulls == NULL || state->matched == 0) {
        kv_move(world, node);
        return;
    }
    state->phase = PULLING;
    kv_pull_begin(world, node);
}

void kv_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    if (state->phase == MATCHING) {
        kv_matched(world, node, reply);
        return;
    }
    if (state->phase == PULLING) {
        kv_pull_reply(world, node, reply);
        return;
    }
    uint32_t slot = (uint32_t)reply->request_id;
    bool is_get = (state->slots_getting >> slot & 1) != 0;
    if (is_get && reply->status == FB_ABSENT) {
        if (state->matched > state->pieces[slot])
            state->matched = state->pieces[slot]; /* evicted since the match: recompute and put */
        kv_ask(world, node, slot);
        return;
    }
    if (reply->status != FB_OK) {
        world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world),
                           (uint64_t)TIMER_RETRY << 32 | slot);
        return;
    }
    if (!is_get) {
        kv_slot_end(world, node, slot);
        return;
    }
    const struct fb_block block = kv_piece(world, node, state->pieces[slot], 0);
    if (!world_check_bytes(world, node, &reply->span, &block))
        return;
    metrics_read(world, reply->span.size, true);
    state->got[kv_tier_of((enum fb_reason)reply->reason)]++;
    state->leases[slot] = reply->lease;
    world_client_timer(world, node, world_copy(world, node, reply->span.size),
                       (uint64_t)TIMER_COPIED << 32 | slot);
}

void kv_timer(struct world *world, uint32_t node, uint64_t detail)
{
    struct kv *kv = world->kv;
    uint32_t slot = (uint32_t)detail;
    if (detail >> 32 == TIMER_ARRIVAL) {
        FB_ASSERT(kv->arrived < kv->request_count);
        kv->arrived++;
        kv_begin(world, node);
        kv_arrival_timer(world);
    } else if (detail >> 32 == TIMER_RETRY) {
        kv_ask(world, node, slot);
    } else if (detail >> 32 != TIMER_COPIED) {
        kv_pull_timer(world, node, detail);
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
