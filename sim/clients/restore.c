/* The restore of a checkpoint: every reader reads one contiguous part of the state's bytes, of as
 * many equal parts as there are readers, whoever wrote them (resharding). A part begins and ends
 * anywhere in a block; its ranges are asked for in lists, by GATHER.
 *
 *     gather  IDLE --asked--> OPEN --last range read or absent--> IDLE, and the next is asked
 *     range   ASKED --bytes--> COPIED --lease given back--> done
 *               |--absent--> done, counted: lost, or not at the origin yet
 *               '--else--> asked again, alone, after a pause */
#include "sim/clients/checkpoint_internal.h"

#include "core/panic.h"
#include "sim/clients/kinds.h"

static const struct fb_checkpoint *spec(const struct world *world)
{
    return &world->scenario->workload.checkpoint;
}

/* A reader's part in as few lists as a node takes. How many ranges are under way is the core's
 * gather_window. */
uint32_t restore_gather_ranges(const struct fb_scenario *scenario)
{
    const struct fb_checkpoint *checkpoint = &scenario->workload.checkpoint;
    if (checkpoint->readers == 0)
        return 0;
    uint64_t block = scenario->core.block_size_bytes;
    uint64_t ranges = checkpoint->state_size_bytes / checkpoint->readers / block + 2;
    ranges = (ranges + RESTORE_GATHERS - 1) / RESTORE_GATHERS;
    uint64_t most = scenario->core.gather_ranges_max / RESTORE_GATHERS;
    return (uint32_t)(ranges < most ? ranges : most);
}

void restore_check(const struct fb_scenario *scenario, struct fb_error *error)
{
    const struct fb_config *core = &scenario->core;
    if (scenario->workload.checkpoint.readers == 0)
        return;
    if (core->gathers_max < RESTORE_GATHERS || restore_gather_ranges(scenario) == 0)
        fb_error_set(error,
                     "workload.readers: a reader asks for %u lists of ranges at once: set "
                     "core.gathers_max, %llu, and core.gather_ranges_max, %llu, to %u at least",
                     (unsigned)RESTORE_GATHERS, (unsigned long long)core->gathers_max,
                     (unsigned long long)core->gather_ranges_max, (unsigned)RESTORE_GATHERS);
}

/* Where part `part` of `parts` begins. */
static uint64_t part_begin(uint64_t bytes, uint64_t part, uint64_t parts)
{
    FB_ASSERT(part <= parts);
    return bytes / parts * part + bytes % parts * part / parts;
}

void restore_start(struct world *world)
{
    struct checkpoint *state = world->checkpoint;
    uint64_t bytes = spec(world)->state_size_bytes;
    uint64_t block = world->scenario->core.block_size_bytes;
    uint32_t up = checkpoint_nodes_up(world), part = 0;
    uint32_t count = spec(world)->readers < up ? spec(world)->readers : up;
    FB_ASSERT(!state->is_restoring);
    state->is_restoring = true;
    state->restore_begun_ns = world_now_ns(world);
    for (uint32_t i = 0; i < world->scenario->nodes && part < count; i++) {
        if (!world->hosts[i].is_up)
            continue;
        uint64_t begin = part_begin(bytes, part, count);
        uint64_t end = part_begin(bytes, part + 1, count);
        uint64_t first = begin / block;
        state->nodes[i] =
            (struct checkpoint_node){.first = first,
                                     .count = end > begin ? (end - 1) / block - first + 1 : 0,
                                     .begin_byte = begin,
                                     .end_byte = end};
        state->restore_ranges += state->nodes[i].count;
        part++;
        world_client_timer(world, i, world_now_ns(world), checkpoint_word(WORD_START, 0));
    }
}

static struct fb_range range_of(const struct world *world, uint32_t node, uint64_t number)
{
    const struct checkpoint_node *client = &world->checkpoint->nodes[node];
    const struct fb_block block = checkpoint_block(world, client->first + number);
    uint64_t end = block.offset + block.size;
    uint64_t from = block.offset > client->begin_byte ? block.offset : client->begin_byte;
    uint64_t to = end < client->end_byte ? end : client->end_byte;
    FB_ASSERT(number < client->count);
    FB_ASSERT(from < to);
    return (struct fb_range){
        .block = block, .offset = (uint32_t)(from - block.offset), .size = (uint32_t)(to - from)};
}

static uint64_t range_in(const struct world *world, uint32_t node, uint32_t slot)
{
    const struct checkpoint *state = world->checkpoint;
    const struct restore_gather *gather = &state->nodes[node].gathers[slot / state->gather_ranges];
    FB_ASSERT(slot < state->slots_per_node);
    FB_ASSERT(slot % state->gather_ranges < gather->count);
    return gather->first + slot % state->gather_ranges;
}

/* Asks for `count` ranges from `first` on. */
static void ranges_ask(struct world *world, uint32_t node, uint64_t request_id, uint64_t first,
                       uint32_t count)
{
    struct fb_range *ranges = world->checkpoint->ranges;
    FB_ASSERT(count > 0);
    FB_ASSERT(count <= world->checkpoint->gather_ranges);
    for (uint32_t i = 0; i < count; i++)
        ranges[i] = range_of(world, node, first + i);
    const struct fb_request request = {.kind = FB_REQUEST_GATHER,
                                       .request_id = request_id,
                                       .range_count = count,
                                       .ranges = ranges};
    world_request(world, node, &request);
}

static void gather_ask(struct world *world, uint32_t node, uint32_t index)
{
    const struct restore_gather *gather = &world->checkpoint->nodes[node].gathers[index];
    ranges_ask(world, node, checkpoint_word(WORD_GATHER, index), gather->first, gather->count);
}

static void gather_next(struct world *world, uint32_t node, uint32_t index)
{
    struct checkpoint_node *client = &world->checkpoint->nodes[node];
    struct restore_gather *gather = &client->gathers[index];
    uint64_t left = client->count - client->asked;
    uint32_t most = world->checkpoint->gather_ranges;
    FB_ASSERT(gather->left == 0);
    FB_ASSERT(client->asked <= client->count);
    if (left == 0)
        return;
    gather->first = client->asked;
    gather->count = left < most ? (uint32_t)left : most;
    gather->left = gather->count;
    client->asked += gather->count;
    gather_ask(world, node, index);
}

void restore_node_start(struct world *world, uint32_t node)
{
    FB_ASSERT(world->checkpoint->is_restoring);
    for (uint32_t i = 0; i < RESTORE_GATHERS; i++)
        gather_next(world, node, i);
}

/* So many ranges more have ended. */
static void read_count(struct world *world, uint64_t ranges)
{
    struct checkpoint *state = world->checkpoint;
    FB_ASSERT(state->read + ranges <= state->restore_ranges);
    state->read += ranges;
    if (ranges > 0 && state->read == state->restore_ranges)
        state->restored_ns = world_now_ns(world);
}

static void range_ended(struct world *world, uint32_t node, uint32_t slot)
{
    struct checkpoint *state = world->checkpoint;
    struct checkpoint_node *client = &state->nodes[node];
    uint32_t index = slot / state->gather_ranges;
    FB_ASSERT(client->done < client->count);
    FB_ASSERT(client->gathers[index].left > 0);
    client->done++;
    client->gathers[index].left--;
    world->end_ns = world_now_ns(world);
    if (client->done == client->count)
        client->ended_ns = world_now_ns(world);
    read_count(world, 1);
    if (client->gathers[index].left == 0)
        gather_next(world, node, index);
}

static void pause_before(struct world *world, uint32_t node, uint64_t word)
{
    world_client_timer(world, node, world_now_ns(world) + world_retry_ns(world), word);
}

void restore_reply(struct world *world, uint32_t node, const struct fb_reply *reply)
{
    struct checkpoint *state = world->checkpoint;
    bool is_list = reply->request_id >> 32 == WORD_GATHER;
    uint32_t slot = (uint32_t)reply->request_id;
    if (is_list && reply->item == FB_NONE) {
        pause_before(world, node, reply->request_id);
        return;
    }
    if (is_list)
        slot = slot * state->gather_ranges + reply->item;
    FB_ASSERT(slot < state->slots_per_node);
    if (reply->status == FB_LOST) {
        state->failed_reads++;
        range_ended(world, node, slot);
        return;
    }
    if (reply->status != FB_OK) {
        pause_before(world, node, checkpoint_word(WORD_RANGE, slot));
        return;
    }
    const struct fb_range range = range_of(world, node, range_in(world, node, slot));
    struct fb_span span = reply->span;
    span.offset -= range.offset; /* the block's start, where its content is known */
    if (!world_check_bytes(world, node, &span, &range.block))
        return;
    state->nodes[node].read_bytes += range.size;
    metrics_read(world, range.size, reply->source != FB_NONE);
    *checkpoint_slot(world, node, slot) = reply->lease;
    world_client_timer(world, node, world_copy(world, node, range.size),
                       checkpoint_word(WORD_COPIED, slot));
}

void restore_timer(struct world *world, uint32_t node, uint64_t detail)
{
    uint32_t index = (uint32_t)detail;
    if (detail >> 32 == WORD_GATHER) {
        gather_ask(world, node, index);
    } else if (detail >> 32 == WORD_RANGE) {
        ranges_ask(world, node, detail, range_in(world, node, index), 1);
    } else {
        const struct fb_request release = {.kind = FB_REQUEST_RELEASE,
                                           .lease = *checkpoint_slot(world, node, index)};
        world_request(world, node, &release);
        range_ended(world, node, index);
    }
}

/* What it had not read is not waited for. */
void restore_node_down(struct world *world, uint32_t node)
{
    struct checkpoint_node *client = &world->checkpoint->nodes[node];
    FB_ASSERT(client->done <= client->count);
    uint64_t left = client->count - client->done;
    client->count = client->done;
    client->asked = client->done;
    read_count(world, left);
}
