/* Layer-wise pull: a matched prefix comes in the order in which prefill needs it, the first group
 * of layers of all its blocks, then the second, in one GATHER. A block is kept in a piece a group.
 *
 *     LISTED --piece came--> COPIED --lease given back--> ended       last piece: the puts follow
 *       |--absent: evicted since the match--> ended, the match ends before its block
 *       '--else--> asked again, alone, after a pause
 *
 * What of the pull prefill waits for. The tokens that were not matched are computed group by group,
 * each as soon as the one before it is computed and its KV of the prefix is there; the time beyond
 * that of the computation alone is exposed. Read whole, all of the pull is. */
#include "sim/clients/kv_internal.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdlib.h>

static const struct fb_kv *spec(const struct world *world)
{
    return &world->scenario->workload.kv;
}

static struct fb_range range_of(const struct world *world, uint32_t node, uint32_t piece)
{
    uint32_t blocks = world->kv->pulls[node].blocks;
    FB_ASSERT(blocks > 0);
    FB_ASSERT(piece / blocks < kv_layer_groups(world));
    const struct fb_block block = kv_piece(world, node, piece % blocks, piece / blocks);
    return (struct fb_range){.block = block, .size = block.size};
}

static void list_ask(struct world *world, uint32_t node)
{
    struct kv_pull *pull = &world->kv->pulls[node];
    uint32_t count = pull->blocks * kv_layer_groups(world);
    struct fb_range *ranges = fb_allocate(count, sizeof(*ranges), "a gather", NULL);
    for (uint32_t i = 0; i < count; i++)
        ranges[i] = range_of(world, node, i);
    const struct fb_request list = {.kind = FB_REQUEST_GATHER,
                                    .request_id = (uint64_t)LIST_BIT << WORD_SHIFT,
                                    .range_count = count,
                                    .ranges = ranges};
    world_request(world, node, &list);
    free(ranges);
}

static void piece_ask(struct world *world, uint32_t node, uint32_t piece)
{
    const struct fb_range range = range_of(world, node, piece);
    const struct fb_request again = {.kind = FB_REQUEST_GATHER,
                                     .request_id = (uint64_t)PIECE_BIT << WORD_SHIFT | piece,
                                     .range_count = 1,
                                     .ranges = &range};
    world_request(world, node, &again);
}

void kv_pull_begin(struct world *world, uint32_t node)
{
    struct kv_pull *pull = &world->kv->pulls[node];
    FB_ASSERT(pull->left == 0);
    FB_ASSERT(kv_layer_groups(world) <= FB_KV_LAYER_GROUPS_MAX);
    pull->blocks = world->kv->nodes[node].matched;
    pull->left = pull->blocks * kv_layer_groups(world);
    for (uint32_t i = 0; i < kv_layer_groups(world); i++) {
        pull->layer_left[i] = pull->blocks;
        pull->layer_ns[i] = world_now_ns(world);
    }
    if (pull->left > pull->room) {
        pull->room = pull->left;
        pull->leases = fb_grow(pull->leases, pull->room, sizeof(*pull->leases), "leases", NULL);
    }
    list_ask(world, node);
}

static void piece_ended(struct world *world, uint32_t node, uint32_t piece)
{
    struct kv_node *state = &world->kv->nodes[node];
    struct kv_pull *pull = &world->kv->pulls[node];
    uint32_t layer = piece / pull->blocks;
    FB_ASSERT(state->phase == PULLING);
    FB_ASSERT(pull->layer_left[layer] > 0);
    pull->left--;
    pull->layer_left[layer]--;
    if (pull->layer_left[layer] == 0)
        pull->layer_ns[layer] = world_now_ns(world);
    if (pull->left > 0)
        return;
    state->got_ns = world_now_ns(world);
    state->phase = MOVING;
    state->next = state->matched * kv_layer_groups(world);
    kv_move(world, node);
}

static void piece_came(struct world *world, uint32_t node, uint32_t piece,
                       const struct fb_reply *reply)
{
    FB_ASSERT(piece < world->kv->pulls[node].room);
    const struct fb_range range = range_of(world, node, piece);
    if (!world_check_bytes(world, node, &reply->span, &range.block))
        return;
    metrics_read(world, reply->span.size, true);
    world->kv->nodes[node].got[kv_tier_of((enum fb_reason)reply->reason)]++;
    world->kv->pulls[node].leases[piece] = reply->lease;
    world_client_timer(world, node, world_copy(world, node, reply->span.size),
                       (uint64_t)TIMER_PIECE_COPIED << WORD_SHIFT | piece);
}

void kv_pull_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct kv_node *state = &world->kv->nodes[node];
    bool is_list = reply->request_id >> WORD_SHIFT == LIST_BIT;
    uint64_t later_ns = world_now_ns(world) + world_retry_ns(world);
    if (is_list && reply->item == FB_NONE) {
        world_client_timer(world, node, later_ns, (uint64_t)TIMER_LIST << WORD_SHIFT);
        return;
    }
    uint32_t piece = is_list ? reply->item : (uint32_t)reply->request_id;
    uint32_t block = piece % world->kv->pulls[node].blocks;
    if (reply->status == FB_OK) {
        piece_came(world, node, piece, reply);
    } else if (reply->status == FB_ABSENT) {
        state->matched = state->matched > block ? block : state->matched;
        piece_ended(world, node, piece);
    } else {
        world_client_timer(world, node, later_ns, (uint64_t)TIMER_PIECE << WORD_SHIFT | piece);
    }
}

void kv_pull_timer(struct world *world, uint32_t node, uint64_t detail)
{
    uint32_t piece = (uint32_t)detail;
    if (detail >> WORD_SHIFT == TIMER_LIST) {
        list_ask(world, node);
    } else if (detail >> WORD_SHIFT == TIMER_PIECE) {
        piece_ask(world, node, piece);
    } else {
        const struct fb_request release = {.kind = FB_REQUEST_RELEASE,
                                           .lease = world->kv->pulls[node].leases[piece]};
        world_request(world, node, &release);
        piece_ended(world, node, piece);
    }
}

uint64_t kv_pull_exposed_ns(const struct world *world, uint32_t node)
{
    const struct kv_node *state = &world->kv->nodes[node];
    FB_ASSERT(state->got_ns >= state->begun_ns);
    if (world->kv->pulls == NULL)
        return state->got_ns - state->begun_ns;
    const struct kv_pull *pull = &world->kv->pulls[node];
    uint32_t groups = kv_layer_groups(world);
    FB_ASSERT(state->matched <= kv_request_of(world->kv, state->request)->block_count);
    uint32_t missed = kv_request_of(world->kv, state->request)->block_count - state->matched;
    double tokens = (double)missed * spec(world)->block_tokens;
    uint64_t group_ns = (uint64_t)(tokens / spec(world)->prefill_tokens_per_s * 1e9 / groups);
    uint64_t computed_ns = state->begun_ns;
    for (uint32_t i = 0; i < groups; i++)
        computed_ns =
            (computed_ns > pull->layer_ns[i] ? computed_ns : pull->layer_ns[i]) + group_ns;
    FB_ASSERT(computed_ns >= state->begun_ns + groups * group_ns);
    return computed_ns - state->begun_ns - groups * group_ns;
}
