/* What KV cache clients report.
 *
 * What a hit saves of the time to the first token. A matched block spares the accelerator its
 * tokens' prefill and costs the time that prefill waits for it; gets overlap, so a request's blocks
 * share its time evenly, and each block's saving counts for the tier that it came from. Below
 * bytes_per_token * prefill_tokens_per_s a tier is slower than computing again: the break-even. */
#include "sim/clients/kinds.h"

#include "core/panic.h"
#include "sim/clients/kv_internal.h"

/* A request ended: what its matched pieces saved. */
void kv_save(struct world *world, uint32_t node)
{
    const struct fb_kv *spec = &world->scenario->workload.kv;
    struct kv *kv = world->kv;
    struct kv_node *state = &kv->nodes[node];
    uint32_t pieces = state->got[TIER_MEMORY] + state->got[TIER_DEVICE] + state->got[TIER_PEER];
    if (pieces == 0 || spec->prefill_tokens_per_s <= 0)
        return;
    FB_ASSERT(state->phase == MOVING);
    FB_ASSERT(pieces <= kv_request_of(kv, state->request)->block_count * kv_layer_groups(world));
    double exposed_s = (double)kv_pull_exposed_ns(world, node) * 1e-9;
    double piece_s =
        (double)spec->block_tokens / spec->prefill_tokens_per_s / kv_layer_groups(world) -
        exposed_s / pieces;
    kv->got_s += (double)(state->got_ns - state->begun_ns) * 1e-9;
    kv->exposed_s += exposed_s;
    for (uint32_t tier = 0; tier < TIERS; tier++) {
        kv->saved_s[tier] += piece_s * state->got[tier];
        kv->got_pieces[tier] += state->got[tier];
        state->got[tier] = 0;
    }
}

static void kv_saved_metrics(const struct world *world, struct fb_run *run)
{
    static const char *const names[TIERS] = {"ttft_saved_memory_ns", "ttft_saved_device_ns",
                                             "ttft_saved_peer_ns"};
    const struct fb_kv *spec = &world->scenario->workload.kv;
    const struct kv *kv = world->kv;
    double pieces = 0, saved_s = 0;
    if (spec->prefill_tokens_per_s <= 0 || kv->handled == 0)
        return;
    for (uint32_t tier = 0; tier < TIERS; tier++) {
        metrics_add(run, names[tier], "ns", kv->saved_s[tier] * 1e9 / (double)kv->handled);
        saved_s += kv->saved_s[tier];
        pieces += (double)kv->got_pieces[tier];
    }
    metrics_add(run, "ttft_saved_mean_ns", "ns", saved_s * 1e9 / (double)kv->handled);
    metrics_add(run, "kv_exposed_mean_ns", "ns", kv->exposed_s * 1e9 / (double)kv->handled);
    double piece_bytes =
        (double)spec->bytes_per_token * spec->block_tokens / kv_layer_groups(world);
    metrics_add(run, "kv_break_even_bytes_per_s", "B/s",
                (double)spec->bytes_per_token * spec->prefill_tokens_per_s);
    if (kv->got_s > 0)
        metrics_add(run, "kv_get_bytes_per_s", "B/s", pieces * piece_bytes / kv->got_s);
}

/* A node has one request at a time. One that comes meanwhile waits, and that counts: it shows a
 * cache that is overloaded. */
static void add_latencies(const struct world *world, struct fb_run *run)
{
    const struct kv *kv = world->kv;
    FB_ASSERT(kv->handled <= kv->arrived);
    double handled = (double)kv->handled, all_s = (double)world->end_ns * 1e-9;
    metrics_add(run, "request_latency_mean_ns", "ns", kv->latency_sum_s * 1e9 / handled);
    metrics_add(run, "request_wait_mean_ns", "ns", kv->wait_sum_s * 1e9 / handled);
    metrics_add(run, "request_wait_max_ns", "ns", (double)kv->wait_ns_max);
    metrics_add(run, "requests_busy_share", "1", kv->busy_sum_s / (all_s * world->scenario->nodes));
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
        add_latencies(world, run);
    kv_saved_metrics(world, run);
    metrics_add(
        run, "capacity_tokens", "1",
        (double)(world->scenario->core.memory_size_bytes / world->scenario->core.block_size_bytes) *
            world->scenario->workload.kv.block_tokens / kv_layer_groups(world) *
            world->scenario->nodes);
}
