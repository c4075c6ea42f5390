/* An attempt's talk with peers: asking, and what the answers mean. Answers that belong to an
 * attempt which has moved on are late: an OFFER is returned at once, so the lender's slot is not
 * held.
 *
 *     ASKED or WAITING --OFFER--> PULL; no memory, or not what was asked for: returned, failed
 *                      --REFER--> ASKED of another; too many hops, or nobody: failed
 *                      --WAIT---> WAITING
 *                      --DENY---> failed: the next candidate (attempt.c)
 *     silence: patience.c */
#include "core/read/read.h"
#include "core/tier/tier.h"

enum { ANSWER_BYTES = 1 << 20 }; /* an answer takes the same for each size: pace.c counts by MiB */

/* How long a peer may be silent: what answers usually take, many times, and at most hedge_ns. Half
 * of that is given on the fastest network: a peer's processor may be busy elsewhere for a while. */
uint64_t ask_silence_ns(const struct fb_node *node)
{
    FB_ASSERT(node->config.hedge_ns >= 2);
    return pace_patience_ns(&node->answer_pace, ANSWER_BYTES, node->config.hedge_ns / 2,
                            node->config.hedge_ns);
}

/* An answer, or that there was none for so long. */
void ask_learn(struct fb_node *node, const struct attempt *attempt)
{
    FB_ASSERT(attempt->state == ATTEMPT_ASKED);
    FB_ASSERT(attempt->asked_ns <= node->now_ns);
    pace_learn(&node->answer_pace, node->now_ns - attempt->asked_ns, ANSWER_BYTES);
}

/* The ask itself; sent again with the same id when a waiting reader wants to know whether its
 * peer lives. */
static void ask_message(struct step *step, uint32_t index, uint8_t flags)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    FB_ASSERT(attempt->peer != FB_NONE);
    FB_ASSERT(attempt->peer != node->config.node);
    attempt->state = ATTEMPT_ASKED;
    attempt->asked_ns = node->now_ns;
    uint64_t answer_ns = node->now_ns + ask_silence_ns(node);
    tell_at(node, FB_WHY_ANSWER_BY, attempt->peer, answer_ns, 0);
    fb_timer_set(node_timer(node), index, answer_ns);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = attempt->peer;
    op->message =
        (struct fb_message){.kind = FB_MESSAGE_ASK,
                            .source = (uint32_t)node->config.node,
                            .ask = {.ask_id = id_make(ID_ATTEMPT, index, attempt->generation),
                                    .block = fill->block,
                                    .complaint = fill->avoid,
                                    .flags = flags,
                                    .hops = attempt->hops}};
    fill->avoid = FB_NONE;
    node->stats.asks++;
}

void ask_send(struct step *step, uint32_t index, uint32_t peer, uint8_t flags)
{
    struct attempt *attempt = &node_attempts(step->node)[index];
    FB_ASSERT(peer != FB_NONE);
    attempt->generation++;
    attempt->peer = peer;
    attempt->is_hedged = 0;
    attempt->begun_ns = 0;
    attempt->is_now = (flags & FB_MESSAGE_FLAG_NOW) != 0;
    attempt->is_writers = 0;
    ask_message(step, index, flags);
    FB_ASSERT(attempt->state == ATTEMPT_ASKED);
}

void ask_again(struct step *step, uint32_t index)
{
    const struct attempt *attempt = &node_attempts(step->node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_WAITING);
    uint8_t referred = attempt->hops > 0 ? FB_MESSAGE_FLAG_REFERRED : 0;
    ask_message(step, index, FB_MESSAGE_FLAG_AGAIN | referred);
    FB_ASSERT(attempt->state == ATTEMPT_ASKED);
}

void ask_return(struct step *step, uint32_t peer, uint64_t lend_id, struct fb_key key, bool is_kept)
{
    FB_ASSERT(peer != FB_NONE);
    FB_ASSERT(peer != step->node->config.node);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = peer;
    op->message = (struct fb_message){
        .kind = FB_MESSAGE_RETURN,
        .source = (uint32_t)step->node->config.node,
        .returned = {.lend_id = lend_id, .key = key, .flags = is_kept ? FB_MESSAGE_FLAG_KEPT : 0}};
}

static void answer_late(struct step *step, const struct fb_message *message, uint32_t index)
{
    struct fb_node *node = step->node;
    const struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(message->kind != FB_MESSAGE_ASK);
    node->stats.late_messages++;
    tell_why(node, FB_WHY_LATE);
    suspect_clear(node, message->source, true);
    if (message->kind != FB_MESSAGE_OFFER)
        return;
    bool is_duplicate = attempt->state == ATTEMPT_PULL && attempt->peer == message->source &&
                        attempt->lend_id == message->offer.lend_id;
    if (!is_duplicate)
        ask_return(step, message->source, message->offer.lend_id, message->offer.key, false);
}

static void answer_offer(struct step *step, const struct fb_message *message, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    const struct fb_message_offer *offer = &message->offer;
    FB_ASSERT(attempt->first_unit == FB_NONE);
    FB_ASSERT(fill->state == FILL_ACTIVE);
    bool is_sane = offer->span.size == fill->block.size && offer->span.region == FB_REGION_MEMORY &&
                   offer->span.peer == message->source;
    if (is_sane)
        attempt->first_unit = memory_allocate(node, fill->block.size);
    if (attempt->first_unit == FB_NONE) {
        tell_why(node, is_sane ? FB_WHY_NO_MEMORY : FB_WHY_ODD_OFFER);
        ask_return(step, message->source, offer->lend_id, offer->key, false);
        attempt_fail(step, index, is_sane ? FB_BUSY : FB_INVALID);
        return;
    }
    attempt->generation++;
    attempt->peer = message->source;
    attempt->lend_id = offer->lend_id;
    attempt->digest = offer->digest;
    attempt->reason = FB_REASON_PEER;
    if (offer->flags & FB_MESSAGE_FLAG_FETCHED)
        attempt->reason = FB_REASON_ORIGIN_PEER;
    if (attempt->hops > 0)
        attempt->reason = FB_REASON_REFERRAL;
    struct fb_op *op = step_op(step, FB_OP_PULL);
    op->op_id = id_make(ID_ATTEMPT, index, attempt->generation);
    op->span = memory_span(node, attempt->first_unit, fill->block.size);
    op->source = offer->span;
    op->block = fill->block;
    attempt->state = ATTEMPT_PULL;
    attempt->is_hedged = 0;
    if (attempt->begun_ns > 0 && attempt->hops == 0)
        pace_learn(&node->wait_pace, node->now_ns - attempt->begun_ns, fill->block.size);
    attempt->begun_ns = node->now_ns;
    fb_timer_set(node_timer(node), index,
                 node->now_ns + patience_ns(node, attempt, fill->block.size));
    node->stats.pulls++;
    node->stats.pull_bytes += fill->block.size;
}

static void answer_refer(struct step *step, const struct fb_message *message, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_ASKED || attempt->state == ATTEMPT_WAITING);
    uint32_t target = message->refer.target;
    bool is_lost = attempt->hops >= FB_HOPS_MAX || target == node->config.node || target == FB_NONE;
    if (is_lost) {
        tell_count(node, FB_WHY_REFERRED_ENOUGH, FB_NONE, 0, FB_HOPS_MAX);
        attempt_fail(step, index, FB_BUSY);
        return;
    }
    attempt->hops++;
    if (suspect_is(node, target)) {
        tell_peer(node, FB_WHY_REFERRED_ASTRAY, target);
        node_fills(node)[index / FB_ATTEMPTS_MAX].avoid = target;
        ask_send(step, index, attempt->peer, attempt->hops > 1 ? FB_MESSAGE_FLAG_REFERRED : 0);
        return;
    }
    node->stats.referrals_followed++;
    tell_count(node, FB_WHY_FOLLOW, target, attempt->hops, FB_HOPS_MAX);
    ask_send(step, index, target, FB_MESSAGE_FLAG_REFERRED);
}

/* A holder that is still pulling is given what a pull usually takes; an owner that fetches is asked
 * again every wait_ns. */
static void answer_wait(struct fb_node *node, uint32_t index)
{
    struct attempt *attempt = &node_attempts(node)[index];
    uint32_t size_bytes = node_fills(node)[index / FB_ATTEMPTS_MAX].block.size;
    FB_ASSERT(attempt->state == ATTEMPT_ASKED || attempt->state == ATTEMPT_WAITING);
    FB_ASSERT(attempt->peer != FB_NONE);
    attempt->state = ATTEMPT_WAITING;
    if (attempt->begun_ns == 0)
        attempt->begun_ns = node->now_ns;
    uint64_t again_ns = node->now_ns + patience_ns(node, attempt, size_bytes);
    tell_at(node, FB_WHY_WAIT, attempt->peer, again_ns, 0);
    fb_timer_set(node_timer(node), index, again_ns);
}

/* The peer has asked the origin as often as it may (R16). What that answered is so for this node,
 * too. That it could not be reached, or denied a peer's credentials, is the peer's trouble,
 * perhaps: this node asks for itself, once. */
static void answer_final(struct fb_node *node, uint32_t index, enum fb_status status)
{
    struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    bool is_peers = status == FB_TIMEOUT || status == FB_GONE || status == FB_DENIED;
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(status != FB_OK);
    if (!is_peers) {
        fill->flags |= FILL_FINAL;
    } else if (node->config.retries_max > 0) {
        fill->candidate = (uint8_t)node->config.replicas;
        fill->failures = (uint8_t)(node->config.retries_max - 1);
    }
}

static void answer_deny(struct step *step, const struct fb_message_deny *deny, uint32_t index)
{
    bool is_error = deny->status != FB_OK && deny->status < FB_STATUS_COUNT;
    if (is_error && (deny->flags & FB_MESSAGE_FLAG_FINAL))
        answer_final(step->node, index, (enum fb_status)deny->status);
    attempt_fail(step, index, is_error ? (enum fb_status)deny->status : FB_INVALID);
}

/* Which ask it answers; *key: of the block that it names, or NULL. */
static uint64_t answered_id(const struct fb_message *message, const struct fb_key **key)
{
    *key = NULL;
    if (message->kind == FB_MESSAGE_WAIT)
        return message->wait.ask_id;
    if (message->kind == FB_MESSAGE_DENY)
        return message->deny.ask_id;
    FB_ASSERT(message->kind == FB_MESSAGE_OFFER || message->kind == FB_MESSAGE_REFER);
    bool is_offer = message->kind == FB_MESSAGE_OFFER;
    *key = is_offer ? &message->offer.key : &message->refer.key;
    return is_offer ? message->offer.ask_id : message->refer.ask_id;
}

void ask_answer(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    const struct fb_key *key;
    uint64_t ask_id = answered_id(message, &key);
    uint32_t index = id_index(ask_id);
    bool is_mine =
        id_class(ask_id) == ID_ATTEMPT && index < node->config.fills_max * FB_ATTEMPTS_MAX;
    if (!is_mine) {
        tell_why(node, FB_WHY_LATE);
        node->stats.late_messages++;
        return;
    }
    struct attempt *attempt = &node_attempts(node)[index];
    bool is_current = attempt->generation == id_generation(ask_id) &&
                      (attempt->state == ATTEMPT_ASKED || attempt->state == ATTEMPT_WAITING) &&
                      attempt->peer == message->source;
    if (!is_current) {
        answer_late(step, message, index);
        return;
    }
    const struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    if (key != NULL && !fb_key_equal(*key, fill->block.key)) {
        answer_late(step, message, index); /* meant for what this node asked in an earlier life */
        return;
    }
    suspect_clear(node, message->source, false);
    if (attempt->state == ATTEMPT_ASKED)
        ask_learn(node, attempt);
    if (message->kind == FB_MESSAGE_OFFER) {
        answer_offer(step, message, index);
    } else if (message->kind == FB_MESSAGE_REFER) {
        answer_refer(step, message, index);
    } else if (message->kind == FB_MESSAGE_WAIT) {
        answer_wait(node, index);
    } else {
        FB_ASSERT(message->kind == FB_MESSAGE_DENY);
        answer_deny(step, &message->deny, index);
    }
}
