/* What happens when an attempt has taken longer than it should.
 *
 *     ASKED    silent for several times what answers take, at most hedge_ns (ask.c): the peer is
 *              suspected; hedge, then give up
 *     WAITING  at an owner: asked again every wait_ns whether it lives; hedge when it takes several
 *              times what owners take. At a holder: given up, its owner asked for another
 *     PULL     from a holder, several times the usual: complain, and hedge through its owner
 *              from an owner, wait_ns: hedge
 *     FETCH    fetch_ns, READ wait_ns: hedge
 *     BACKOFF  over: the next candidate
 *     once the peer is suspected: PULL: hedge at once; WAITING: given up at once
 *     QUEUED   its turn for the origin
 *
 * Slowness is judged against what is usual (pace.c), and a judgement is itself a lesson: when all
 * of the network becomes slow, the usual follows. Reactions to slowness are paid from a credit that
 * finished fills earn, one in HEDGE_COST, so that load can not feed on itself.
 * Source of the budget: Dean, Barroso, The Tail at Scale, CACM 2013. */
#include "core/read/search.h"
#include "core/read/read.h"

static struct fill *fill_of(struct fb_node *node, uint32_t attempt)
{
    FB_ASSERT(attempt / FB_ATTEMPTS_MAX < node->config.fills_max);
    return &node_fills(node)[attempt / FB_ATTEMPTS_MAX];
}

static bool is_alone(struct fb_node *node, uint32_t index)
{
    static_assert(FB_ATTEMPTS_MAX == 2, "an attempt has one sibling");
    return node_attempts(node)[index ^ 1u].state == ATTEMPT_IDLE;
}

/* How long a peer that waits or sends is given: a holder what is usual, an owner wait_ns. */
uint64_t patience_ns(const struct fb_node *node, const struct attempt *attempt, uint32_t size_bytes)
{
    FB_ASSERT(size_bytes > 0);
    if (attempt->hops == 0)
        return node->config.wait_ns;
    return pace_patience_ns(&node->pull_pace, size_bytes, node->config.hedge_ns,
                            node->config.wait_ns);
}

static bool credit_take(struct fb_node *node)
{
    FB_ASSERT(node->hedge_credit <= HEDGE_CREDIT_MAX);
    if (node->hedge_credit < HEDGE_COST)
        return false;
    node->hedge_credit -= HEDGE_COST;
    return true;
}

/* Begins the second attempt. False: there may be none. */
static bool hedge(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    const struct fill *fill = fill_of(node, index);
    FB_ASSERT(fill->state == FILL_ACTIVE);
    if (attempt->is_hedged || !is_alone(node, index) || (fill->flags & FILL_PUT) ||
        (fill->flags & FILL_FINAL) || fill->block.object == FB_OBJECT_NONE ||
        fill->failures > node->config.retries_max)
        return false;
    attempt->is_hedged = 1;
    fb_timer_set(node_timer(node), index, node->now_ns + node->config.wait_ns);
    node->stats.hedges++;
    tell_why(node, FB_WHY_HEDGE);
    attempt_start(step, index / FB_ATTEMPTS_MAX);
    node_attempts(node)[index ^ 1u].is_hedge = 1;
    return true;
}

/* Waiting at, or pulling from, a holder that its owner referred to. */
static void holder_hurry(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = fill_of(node, index);
    FB_ASSERT(attempt->hops > 0);
    FB_ASSERT(attempt->begun_ns <= node->now_ns);
    pace_learn(&node->pull_pace, node->now_ns - attempt->begun_ns, fill->block.size);
    uint64_t again_ns = node->now_ns + patience_ns(node, attempt, fill->block.size);
    bool is_over = node->now_ns - attempt->begun_ns >= node->config.wait_ns;
    bool may_act = !attempt->is_hedged && is_alone(node, index) && credit_take(node);
    if (attempt->state == ATTEMPT_WAITING && (is_over || may_act)) {
        tell_peer(node, FB_WHY_HOLDER_SLOW, attempt->peer);
        attempt_fail(step, index, FB_TIMEOUT); /* it may be dead: nothing else would tell */
        return;
    }
    if (!may_act) {
        fb_timer_set(node_timer(node), index, again_ns);
        return;
    }
    tell_peer(node, FB_WHY_HOLDER_SLOW, attempt->peer);
    fill->avoid = attempt->peer;
    fill->candidate = 0;
    if (!hedge(step, index))
        fb_timer_set(node_timer(node), index, again_ns);
}

/* An owner that would not be waited for under the present view: it is none, or ranks behind this
 * node, which would ask it for what it has now at most (attempt.c). Two nodes that joined each
 * other's fills under old views would otherwise wait for each other without end. */
static bool is_past_owner(const struct fb_node *node, const struct fill *fill,
                          const struct attempt *attempt)
{
    FB_ASSERT(attempt->peer != FB_NONE);
    FB_ASSERT(node->config.replicas <= FB_RANKS_MAX);
    if (attempt->hops > 0 || node->view == NULL)
        return false;
    for (uint32_t rank = 0; rank < node->config.replicas; rank++) {
        uint32_t owner = fb_view_owner(node->view, fill->block.key, rank);
        if (owner == attempt->peer)
            return false;
        if (owner == node->config.node)
            return true;
    }
    return true;
}

/* Begins again with the owners of now; nobody has failed. */
static void ask_present_owners(struct step *step, uint32_t index)
{
    FB_ASSERT(fill_of(step->node, index)->state == FILL_ACTIVE);
    tell_peer(step->node, FB_WHY_OWNERS_ANEW, node_attempts(step->node)[index].peer);
    fill_of(step->node, index)->candidate = 0;
    attempt_release(step->node, index, false);
    attempt_start(step, index / FB_ATTEMPTS_MAX);
}

/* An owner has not answered yet: does it live, and is it much slower than owners are? */
static void owner_hurry(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    uint32_t size_bytes = fill_of(node, index)->block.size;
    uint64_t begun_ns = attempt->begun_ns;
    FB_ASSERT(attempt->state == ATTEMPT_WAITING);
    uint64_t limit_ns =
        pace_patience_ns(&node->wait_pace, size_bytes, node->config.wait_ns, node->config.fetch_ns);
    bool is_late = node->now_ns - begun_ns > limit_ns;
    if (is_late)
        pace_learn(&node->wait_pace, node->now_ns - begun_ns, size_bytes);
    tell_peer(node, FB_WHY_STILL_THERE, attempt->peer);
    ask_again(step, index);
    attempt->begun_ns = begun_ns;
    if (!is_late || !is_alone(node, index) || !credit_take(node))
        return;
    uint64_t answer_ns = node->now_ns + node->config.hedge_ns;
    if (hedge(step, index))
        fb_timer_set(node_timer(node), index, answer_ns);
}

void peer_suspect(struct fb_node *node, uint32_t peer)
{
    FB_ASSERT(peer != FB_NONE);
    tell_peer(node, FB_WHY_SILENT, peer);
    suspect_add(node, peer);
    FB_ASSERT(suspect_is(node, peer));
    for (uint32_t i = 0; i < node->config.fills_max * FB_ATTEMPTS_MAX; i++) {
        const struct attempt *attempt = &node_attempts(node)[i];
        bool is_under_way = attempt->state == ATTEMPT_PULL || attempt->state == ATTEMPT_WAITING;
        bool is_wanted = fill_of(node, i)->state == FILL_ACTIVE; /* else its sibling has won */
        if (is_under_way && is_wanted && attempt->peer == peer && !attempt->is_hedged)
            fb_timer_set(node_timer(node), i, node->now_ns);
    }
}

/* The attempt's peer is suspected. A pull can not be given up (R3), only hedged; a wait is worth
 * nothing, and would keep the fill from a second attempt elsewhere. */
static void go_elsewhere(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->peer != FB_NONE);
    if (attempt->hops > 0) {
        fill_of(node, index)->avoid = attempt->peer;
        fill_of(node, index)->candidate = 0;
    }
    if (attempt->state != ATTEMPT_WAITING && hedge(step, index))
        return;
    if (attempt->state == ATTEMPT_PULL) {
        fb_timer_set(node_timer(node), index, node->now_ns + node->config.wait_ns);
        return;
    }
    node->stats.timeouts++;
    attempt_fail(step, index, FB_TIMEOUT);
}

static bool is_suspected(struct fb_node *node, const struct attempt *attempt)
{
    FB_ASSERT(attempt->state != ATTEMPT_IDLE);
    return attempt->peer != FB_NONE && suspect_is(node, attempt->peer);
}

void attempt_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(fill_of(node, index)->state == FILL_ACTIVE);
    switch ((enum attempt_state)attempt->state) {
    case ATTEMPT_BACKOFF:
        tell_why(node, FB_WHY_PAUSE_OVER);
        attempt_release(node, index, false);
        attempt_start(step, index / FB_ATTEMPTS_MAX);
        return;
    case ATTEMPT_WAITING:
        if (is_past_owner(node, fill_of(node, index), attempt))
            ask_present_owners(step, index);
        else if (is_suspected(node, attempt))
            go_elsewhere(step, index);
        else if (attempt->hops > 0)
            holder_hurry(step, index);
        else
            owner_hurry(step, index);
        return;
    case ATTEMPT_ASKED:
        ask_learn(node, attempt);
        peer_suspect(node, attempt->peer);
        go_elsewhere(step, index);
        return;
    case ATTEMPT_PULL:
        if (is_suspected(node, attempt))
            go_elsewhere(step, index);
        else if (attempt->hops > 0)
            holder_hurry(step, index);
        else
            hedge(step, index);
        return;
    case ATTEMPT_DIGEST:
    case ATTEMPT_FETCH:
    case ATTEMPT_READ:
    case ATTEMPT_DECODE:
        hedge(step, index); /* or wait: DONE will come (R3) */
        return;
    case ATTEMPT_QUEUED:
        origin_turn(step, index);
        return;
    case ATTEMPT_SEARCH:
        search_timer(step, index);
        return;
    case ATTEMPT_IDLE:
        break;
    }
    FB_ASSERT(false);
}
