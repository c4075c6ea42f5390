/* The longest prefix of a chain of keys that is cached, in one round trip.
 *
 * Keys that this node holds count at once. The rest is split into runs of consecutive keys with one
 * owner; every run's owner is asked at the same time, at most FB_MATCH_RUNS_MAX of them. The
 * answer is the keys before the first that is missing. A match does not touch the eviction
 * policy.
 *
 *     (free) --match_request, remote runs--> asked --last match_tell | match_timer--> reply, (free)
 *
 * An owner that stays silent for hedge_ns counts as holding nothing. */
#include "core/read/read.h"
#include "core/tier/tier.h"

static bool match_is_here(struct fb_node *node, struct fb_key key)
{
    uint32_t slot = memory_find(node, key);
    FB_ASSERT(slot == FB_NONE || slot < node->memory_entries_max);
    if (slot != FB_NONE && node_entries(node)[slot].state == ENTRY_RESIDENT)
        return true; /* one that is being filled may come to nothing */
    return device_find(node, key) != FB_NONE;
}

static void match_reply(struct step *step, uint64_t request_id, enum fb_status status,
                        uint32_t count)
{
    FB_ASSERT(count <= FB_MATCH_KEYS_MAX);
    FB_ASSERT(step_room(step) > 0);
    struct fb_op *op = step_op(step, FB_OP_REPLY);
    op->reply = (struct fb_reply){.request_id = request_id,
                                  .status = status,
                                  .reason = count > 0 ? FB_REASON_MEMORY : FB_REASON_ABSENT,
                                  .source = FB_NONE,
                                  .match_count = count};
}

static uint32_t match_owner(const struct fb_node *node, struct fb_key key)
{
    if (node->view == NULL || !node->config.use_peers)
        return (uint32_t)node->config.node;
    return fb_view_owner(node->view, key, 0);
}

/* Splits the keys into local hits and remote runs; returns how many keys the runs may yield. */
static uint32_t match_plan(struct fb_node *node, const struct fb_request *request,
                           struct match *match)
{
    FB_ASSERT(request->key_count <= FB_MATCH_KEYS_MAX);
    match->run_count = 0;
    for (uint32_t i = 0; i < request->key_count; i++) {
        struct match_run *last = match->run_count > 0 ? &match->runs[match->run_count - 1] : NULL;
        if (match_is_here(node, request->keys[i]))
            continue;
        uint32_t owner = match_owner(node, request->keys[i]);
        if (owner == node->config.node || owner == FB_NONE)
            return i;
        if (last != NULL && last->peer == owner && last->first + last->count == i) {
            last->count++;
            continue;
        }
        if (match->run_count == FB_MATCH_RUNS_MAX)
            return i;
        match->runs[match->run_count++] =
            (struct match_run){.peer = owner, .first = i, .count = 1, .held = FB_NONE};
    }
    return request->key_count;
}

static struct match *match_find_free(struct fb_node *node, uint32_t *index)
{
    FB_ASSERT(node->matches_used <= node->config.matches_max);
    for (uint32_t i = 0; i < node->config.matches_max; i++) {
        if (node_matches(node)[i].run_count == 0) {
            *index = i;
            return &node_matches(node)[i];
        }
    }
    FB_ASSERT(node->matches_used == node->config.matches_max);
    return NULL;
}

static void match_send(struct step *step, const struct fb_request *request, uint32_t index,
                       uint32_t run)
{
    struct match *match = &node_matches(step->node)[index];
    FB_ASSERT(run < match->run_count);
    FB_ASSERT(match->runs[run].count > 0);
    tell_count(step->node, FB_WHY_SHARE, match->runs[run].peer, match->runs[run].count, 0);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = match->runs[run].peer;
    op->message = (struct fb_message){
        .kind = FB_MESSAGE_MATCH_ASK,
        .source = (uint32_t)step->node->config.node,
        .match_ask = {.ask_id =
                          id_make(ID_MATCH, index * FB_MATCH_RUNS_MAX + run, match->generation),
                      .keys = request->keys + match->runs[run].first,
                      .key_count = match->runs[run].count}};
}

void match_request(struct step *step, const struct fb_request *request)
{
    struct fb_node *node = step->node;
    FB_ASSERT(request->kind == FB_REQUEST_MATCH);
    node->stats.matches++;
    if (request->key_count > FB_MATCH_KEYS_MAX) {
        match_reply(step, request->request_id, FB_INVALID, 0);
        return;
    }
    uint32_t index = 0;
    struct match *match = match_find_free(node, &index);
    if (match == NULL) {
        node->stats.busy_answers++;
        match_reply(step, request->request_id, FB_BUSY, 0);
        return;
    }
    uint32_t generation = match->generation + 1;
    *match = (struct match){.request_id = request->request_id, .generation = generation};
    match->key_count = match_plan(node, request, match);
    if (match->run_count == 0) {
        match_reply(step, request->request_id, FB_OK, match->key_count);
        return;
    }
    node->matches_used++;
    for (uint32_t run = 0; run < match->run_count; run++)
        match_send(step, request, index, run);
    fb_timer_set(node_timer(node), timer_of_match(node, index),
                 node->now_ns + node->config.hedge_ns);
}

/* The owner's side: how many of the keys, from the first on, are here? */
void match_ask(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_MATCH_ASK);
    const struct fb_message_match_ask *ask = &message->match_ask;
    uint32_t count = ask->key_count <= FB_MATCH_KEYS_MAX ? ask->key_count : 0;
    uint32_t held = 0;
    while (held < count && match_is_here(node, ask->keys[held]))
        held++;
    FB_ASSERT(held <= count);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = message->source;
    op->message = (struct fb_message){.kind = FB_MESSAGE_MATCH_TELL,
                                      .source = (uint32_t)node->config.node,
                                      .match_tell = {.ask_id = ask->ask_id, .held = held}};
}

/* Replies with the keys before the first missing one; runs without an answer hold nothing. */
static void match_end(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct match *match = &node_matches(node)[index];
    FB_ASSERT(match->run_count > 0);
    FB_ASSERT(node->matches_used > 0);
    uint32_t count = match->key_count;
    for (uint32_t run = 0; run < match->run_count; run++) {
        const struct match_run *record = &match->runs[run];
        uint32_t held = record->held == FB_NONE ? 0 : record->held;
        if (held < record->count) {
            count = record->first + held;
            break;
        }
    }
    fb_timer_cancel(node_timer(node), timer_of_match(node, index));
    match_reply(step, match->request_id, FB_OK, count);
    match->run_count = 0;
    node->matches_used--;
}

void match_tell(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_MATCH_TELL);
    const struct fb_message_match_tell *tell = &message->match_tell;
    uint32_t index = id_index(tell->ask_id) / FB_MATCH_RUNS_MAX;
    uint32_t run = id_index(tell->ask_id) % FB_MATCH_RUNS_MAX;
    bool is_mine = id_class(tell->ask_id) == ID_MATCH && index < node->config.matches_max &&
                   run < node_matches(node)[index].run_count &&
                   node_matches(node)[index].generation == id_generation(tell->ask_id) &&
                   node_matches(node)[index].runs[run].held == FB_NONE;
    if (!is_mine) {
        node->stats.late_messages++;
        return;
    }
    struct match *match = &node_matches(node)[index];
    uint32_t count = match->runs[run].count;
    match->runs[run].held = tell->held < count ? tell->held : count;
    match->answered++;
    FB_ASSERT(match->answered <= match->run_count);
    if (match->answered == match->run_count)
        match_end(step, index);
}

void match_timer(struct step *step, uint32_t index)
{
    FB_ASSERT(index < step->node->config.matches_max);
    FB_ASSERT(node_matches(step->node)[index].run_count > 0);
    step->node->stats.timeouts++;
    match_end(step, index);
}
