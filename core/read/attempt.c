/* An attempt: one way of acquiring a fill's block. A fill has two, the second is the hedge.
 *
 *             ask_send           OFFER          DONE                  DONE
 *     IDLE ------------> ASKED ---------> PULL ------> DIGEST ----------------> fill_finish
 *       |                 |  ^ WAIT        ^            ^  ^
 *       |                 v  |  REFER      |            |  |
 *       |               WAITING -----------'            |  |     (asks again every wait_ns)
 *       |-- origin --> (QUEUED) ---------> FETCH -------'  |
 *       |-- own device ------------------> READ -----------'
 *       '-- client's bytes (put) --------> PULL
 *       '-- fragments (mend.c) -------> DECODE ------' (as READ)
 *     FETCH --ABSENT--> SEARCH --of all members, see search.c--> ASKED, FETCH, or failed
 *     any --attempt_fail--> IDLE, then the next candidate at once, or BACKOFF, or the fill fails
 *
 * Candidates in order: own device; the block's owners by rank; the origin. A node that is the
 * owner at a rank, or that a peer asked, goes straight to the origin, so the origin is read once
 * per cluster. The hedge begins with the next candidate when the peer is silent for hedge_ns,
 * when a pull or a read takes wait_ns, or a fetch fetch_ns. A peer that answers WAIT is not
 * hurried: it is asked again every wait_ns and must only show that it lives, so a slow origin is
 * not asked twice for one block. Every attempt owns its extent until its op is DONE: a late
 * write can not hit memory of others (R5). */
#include "core/read/read.h"
#include "core/tier/tier.h"
#include "core/read/search.h"

static struct fill *attempt_fill(struct fb_node *node, uint32_t index)
{
    FB_ASSERT(index / FB_ATTEMPTS_MAX < node->config.fills_max);
    return &node_fills(node)[index / FB_ATTEMPTS_MAX];
}

static struct attempt *attempt_other(struct fb_node *node, uint32_t index)
{
    static_assert(FB_ATTEMPTS_MAX == 2, "an attempt has one sibling");
    return &node_attempts(node)[index ^ 1u];
}

bool attempt_has_op(const struct attempt *attempt)
{
    switch ((enum attempt_state)attempt->state) {
    case ATTEMPT_PULL:
    case ATTEMPT_DIGEST:
    case ATTEMPT_FETCH:
    case ATTEMPT_READ:
    case ATTEMPT_DECODE:
        return true;
    case ATTEMPT_SEARCH:
    case ATTEMPT_IDLE:
    case ATTEMPT_ASKED:
    case ATTEMPT_WAITING:
    case ATTEMPT_BACKOFF:
    case ATTEMPT_QUEUED:
        return false;
    }
    FB_ASSERT(false);
    return false;
}

void attempt_set(struct fb_node *node, uint32_t index, enum attempt_state state,
                 uint64_t patience_ns)
{
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(state != ATTEMPT_IDLE);
    FB_ASSERT(patience_ns > 0);
    attempt->state = (uint8_t)state;
    attempt->is_hedged = 0;
    fb_timer_set(node_timer(node), index, node->now_ns + patience_ns);
}

/* The attempt's next op, on its own extent. */
struct fb_op *attempt_op(struct step *step, uint32_t index, enum fb_op_kind kind)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = attempt_fill(node, index);
    FB_ASSERT(attempt->first_unit != FB_NONE);
    attempt->generation++;
    struct fb_op *op = step_op(step, kind);
    op->op_id = id_make(ID_ATTEMPT, index, attempt->generation);
    op->span = memory_span(node, attempt->first_unit, fill->block.size);
    op->source = (struct fb_span){.peer = FB_NONE};
    op->block = fill->block;
    return op;
}

bool attempt_reserve(struct fb_node *node, uint32_t index)
{
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->first_unit == FB_NONE);
    attempt->first_unit = memory_allocate(node, attempt_fill(node, index)->block.size);
    return attempt->first_unit != FB_NONE;
}

static enum fb_status start_device(struct step *step, uint32_t index, uint32_t device_slot)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(device_slot != FB_NONE);
    if (!attempt_reserve(node, index))
        return FB_BUSY;
    struct device_entry *entry = &node_device_entries(node)[device_slot];
    FB_ASSERT(entry->is_resident);
    entry->pins++;
    fb_cache_touch(node_device_cache(node), device_slot);
    tell_why(node, FB_WHY_READ_DRIVE);
    attempt->device_slot = device_slot;
    attempt->digest = entry->digest;
    attempt->reason = FB_REASON_DEVICE;
    struct fb_op *op = attempt_op(step, index, FB_OP_READ);
    op->source = device_span(node, device_slot);
    attempt_set(node, index, ATTEMPT_READ, node->config.wait_ns);
    attempt->begun_ns = node->now_ns;
    node->stats.device_reads++;
    node->stats.device_read_bytes += entry->size_bytes;
    return FB_OK;
}

static enum fb_status start_client(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt_fill(node, index)->flags & (FILL_PUT | FILL_HOLD));
    if (!attempt_reserve(node, index))
        return FB_BUSY;
    bool is_clients = attempt_fill(node, index)->put_source.region == FB_REGION_CLIENT;
    tell_peer(node, is_clients ? FB_WHY_TAKE_CLIENT : FB_WHY_TAKE_WRITER,
              attempt_fill(node, index)->put_source.peer);
    attempt->reason = FB_REASON_MEMORY;
    attempt->digest = attempt_fill(node, index)->digest;
    struct fb_op *op = attempt_op(step, index, FB_OP_PULL);
    op->source = attempt_fill(node, index)->put_source;
    attempt_set(node, index, ATTEMPT_PULL, node->config.wait_ns);
    return FB_OK;
}

/* Is this node to fetch the block itself: asked by a peer, or its owner at a rank before the
 * candidate? */
static bool acts_as_owner(const struct fb_node *node, const struct fill *fill)
{
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(node->config.replicas <= FB_RANKS_MAX);
    if (fill->flags & FILL_AS_OWNER)
        return true;
    for (uint32_t rank = 0; rank < fill->candidate && rank < node->config.replicas; rank++) {
        if (node->view != NULL &&
            fb_view_owner(node->view, fill->block.key, rank) == node->config.node)
            return true;
    }
    return false;
}

/* Asks the next owner in rank order, or goes to the origin when the ranks are used up. An owner
 * goes to the origin at once, but for one that has just come up empty: the others may have the
 * block. They must not let it wait: they may be waiting for it themselves. */
static enum fb_status start_remote(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct fill *fill = attempt_fill(node, index);
    bool is_cold = node->now_ns - node->started_ns < node->config.warm_ns;
    bool has_peers = node->config.use_peers && node->view != NULL;
    bool is_owner = acts_as_owner(node, fill);
    while (has_peers && (!is_owner || is_cold) && fill->candidate < node->config.replicas) {
        uint32_t peer = fb_view_owner(node->view, fill->block.key, fill->candidate++);
        if (peer == node->config.node) {
            is_owner = true;
        } else if (peer != FB_NONE && peer != attempt_other(node, index)->peer &&
                   !suspect_is(node, peer)) {
            tell_count(node, is_owner ? FB_WHY_ASK_NOW : FB_WHY_ASK_RANK, peer, fill->candidate,
                       node->config.replicas);
            ask_send(step, index, peer, is_owner ? FB_MESSAGE_FLAG_NOW : 0);
            return FB_OK;
        } else if (peer != FB_NONE && is_told(node) && suspect_is(node, peer)) {
            tell_count(node, FB_WHY_SUSPECTED, peer, fill->candidate, node->config.replicas);
        }
    }
    fill->candidate = (uint8_t)node->config.replicas;
    bool is_known = fill->flags & (FILL_FETCH | FILL_HOLD);
    uint32_t writer = is_known ? FB_NONE : fragment_writer(node, fill);
    if (writer == FB_NONE || !has_peers)
        return origin_start(step, index, is_owner || !has_peers);
    /* A fragment is here: it is not at the origin, or not the whole of it. Its writer has it. */
    if (writer == node->config.node || writer == attempt_other(node, index)->peer ||
        suspect_is(node, writer))
        return FB_BUSY;
    tell_peer(node, FB_WHY_ASK_WRITER, writer);
    ask_send(step, index, writer, FB_MESSAGE_FLAG_NOW);
    node_attempts(node)[index].is_writers = 1;
    return FB_OK;
}

/* A fragment is asked of the one who said that it has it. */
static enum fb_status start_fragment(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct fill *fill = attempt_fill(node, index);
    FB_ASSERT(fill->put_source.peer != node->config.node);
    FB_ASSERT(fill->put_source.peer != FB_NONE);
    if (attempt_other(node, index)->state != ATTEMPT_IDLE)
        return FB_BUSY;
    tell_peer(node, FB_WHY_ASK_FRAGMENT, fill->put_source.peer);
    ask_send(step, index, fill->put_source.peer, FB_MESSAGE_FLAG_NOW | FB_MESSAGE_FLAG_REFERRED);
    return FB_OK;
}

static enum fb_status start_mend(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    const struct fill *fill = attempt_fill(node, index);
    FB_ASSERT(fill->mend < mend_count(node));
    if (attempt_other(node, index)->state != ATTEMPT_IDLE || !attempt_reserve(node, index))
        return FB_BUSY;
    tell_why(node, FB_WHY_DECODE);
    attempt->reason = FB_REASON_PEER;
    attempt->digest = fill->digest;
    struct fb_op *op = attempt_op(step, index, FB_OP_DECODE);
    op->fragments = &node_mends(node)[fill->mend].plan;
    attempt_set(node, index, ATTEMPT_DECODE, node->config.wait_ns);
    return FB_OK;
}

static void attempt_reset(struct fb_node *node, uint32_t index)
{
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_IDLE);
    FB_ASSERT(attempt->first_unit == FB_NONE);
    *attempt = (struct attempt){.generation = attempt->generation + 1,
                                .peer = FB_NONE,
                                .first_unit = FB_NONE,
                                .device_slot = FB_NONE};
}

static void attempt_back_off(struct fb_node *node, uint32_t index)
{
    struct fill *fill = attempt_fill(node, index);
    uint64_t base_ns = node->config.backoff_ns << (fill->failures < 6 ? fill->failures : 6);
    FB_ASSERT(base_ns > 0);
    uint64_t pause_ns = base_ns / 2 + fb_random_below(&node->random, base_ns);
    tell_at(node, FB_WHY_BACK_OFF, FB_NONE, node->now_ns + pause_ns, 0);
    attempt_set(node, index, ATTEMPT_BACKOFF, pause_ns > 0 ? pause_ns : 1);
    if (fill->candidate >= node->config.replicas)
        fill->candidate = 0;
}

/* Starts the fill's idle attempt with the next candidate. */
void attempt_start(struct step *step, uint32_t fill_index)
{
    struct fb_node *node = step->node;
    struct fill *fill = &node_fills(node)[fill_index];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    uint32_t index = fill_index * FB_ATTEMPTS_MAX;
    if (node_attempts(node)[index].state != ATTEMPT_IDLE)
        index++;
    attempt_reset(node, index);
    bool is_alone = attempt_other(node, index)->state == ATTEMPT_IDLE;
    uint32_t device_slot = is_alone ? device_find(node, fill->block.key) : FB_NONE;
    bool has_next =
        (node->config.use_peers && node->view != NULL) || fill->block.object != FB_OBJECT_NONE;
    /* What is found again after a start may be nowhere else. */
    bool may_pass_by = device_slot != FB_NONE && has_next && !node_is_recovering(node);
    if (may_pass_by && device_is_passed_by(node)) {
        tell_why(node, FB_WHY_PASS_DRIVE);
        device_slot = FB_NONE;
    }
    enum fb_status status;
    if (fill->flags & FILL_PUT)
        status = start_client(step, index);
    else if (fill->flags & FILL_MEND)
        status = start_mend(step, index);
    else if (fill->flags & FILL_FRAGMENT)
        status = start_fragment(step, index);
    else if (device_slot != FB_NONE)
        status = start_device(step, index, device_slot);
    else
        status = start_remote(step, index);
    if (status == FB_OK || !is_alone)
        return;
    bool is_final = status == FB_ABSENT || fill->failures >= node->config.retries_max;
    if (is_final) {
        fill_fail(node, fill_index, status);
        return;
    }
    fill->failures++;
    attempt_back_off(node, index);
}

/* Gives back what the attempt holds; it has no op in flight. */
void attempt_release(struct fb_node *node, uint32_t index, bool is_bad)
{
    struct attempt *attempt = &node_attempts(node)[index];
    if (attempt->device_slot != FB_NONE)
        device_read_end(node, attempt->device_slot, is_bad);
    attempt->device_slot = FB_NONE;
    if (attempt->state == ATTEMPT_QUEUED)
        origin_leave(node, index);
    if (attempt->first_unit != FB_NONE)
        memory_free(node, attempt->first_unit, attempt_fill(node, index)->block.size);
    attempt->first_unit = FB_NONE;
    attempt->peer = FB_NONE;
    attempt->state = ATTEMPT_IDLE;
    attempt->generation++;
    fb_timer_cancel(node_timer(node), index);
}

void attempt_abandon(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    if (attempt->state == ATTEMPT_DIGEST && attempt->first_unit == FB_NONE) {
        attempt_release(node, index, false); /* the winner: its extent is the entry's now */
        return;
    }
    fb_timer_cancel(node_timer(node), index);
    if (attempt->state != ATTEMPT_IDLE && !attempt_has_op(attempt))
        attempt_release(node, index, false);
    FB_ASSERT(attempt->state == ATTEMPT_IDLE || attempt_has_op(attempt));
}

static bool is_of_writer(const struct fill *fill, const struct attempt *attempt)
{
    FB_ASSERT(fill->state == FILL_ACTIVE);
    bool is_arriving = attempt->state == ATTEMPT_PULL || attempt->state == ATTEMPT_DIGEST;
    return is_arriving && attempt->peer == FB_NONE && attempt->reason == FB_REASON_MEMORY;
}

void attempt_bring(struct step *step, uint32_t fill_index, const struct fb_span *source)
{
    struct fb_node *node = step->node;
    struct fill *fill = &node_fills(node)[fill_index];
    uint32_t index = fill_index * FB_ATTEMPTS_MAX, free = FB_NONE;
    FB_ASSERT(fill->flags & FILL_HOLD);
    FB_ASSERT(fill->digest != 0);
    for (uint32_t i = index; i < index + FB_ATTEMPTS_MAX; i++) {
        const struct attempt *attempt = &node_attempts(node)[i];
        if (is_of_writer(fill, attempt))
            return;
        bool is_idle = attempt->state == ATTEMPT_IDLE;
        if (is_idle || (free == FB_NONE && !attempt_has_op(attempt)))
            free = i;
    }
    if (free == FB_NONE)
        return;
    if (node_attempts(node)[free].state != ATTEMPT_IDLE)
        attempt_release(node, free, false);
    attempt_reset(node, free);
    fill->put_source = *source;
    (void)start_client(step, free); /* no memory: it goes on as it was */
}

/* Is it hedged, with but a silent peer to wait for? A fill that is left with it waits for long. */
static bool is_vain(struct fb_node *node, const struct attempt *attempt)
{
    FB_ASSERT(attempt->is_hedged <= 1);
    return attempt->state == ATTEMPT_ASKED && attempt->is_hedged && suspect_is(node, attempt->peer);
}

/* A mend knows of its fragments otherwise. */
static bool may_search(const struct fill *fill)
{
    const uint8_t others = FILL_PUT | FILL_MEND | FILL_FRAGMENT | FILL_FETCH;
    FB_ASSERT(fill->state == FILL_ACTIVE);
    return !(fill->flags & others) && fill->block.object != FB_OBJECT_NONE;
}

/* Who is silent says nothing of the block: those who come after are asked, the origin last, however
 * few tries there are. Else members that are dead and not known for it would hide it for ever. */
static bool has_next_candidate(const struct fill *fill, enum fb_status status, bool is_origin)
{
    FB_ASSERT(status != FB_OK);
    bool was_silent = status == FB_TIMEOUT || status == FB_GONE;
    return was_silent && !is_origin && may_search(fill);
}

/* The origin has not got the block: everybody is asked for it, or it is LOST; BUSY if the members
 * are not known yet. True: they are asked. */
static bool attempt_searches(struct step *step, uint32_t fill_index, bool is_origin,
                             enum fb_status *status)
{
    struct fill *fill = &node_fills(step->node)[fill_index];
    FB_ASSERT(*status != FB_OK);
    if (*status != FB_ABSENT || !is_origin || !may_search(fill))
        return false;
    if (search_begin(step, fill_index))
        return true;
    bool is_lost = step->node->view != NULL && !fill->is_joined;
    if (is_lost)
        tell_why(step->node, FB_WHY_LOST);
    *status = is_lost ? FB_LOST : FB_BUSY;
    if (fill->is_joined)
        fill->searches = 0; /* what was said before he came says nothing to who joined since */
    return false;
}

static void failure_count(struct fill *fill)
{
    FB_ASSERT(fill->state == FILL_ACTIVE);
    if (fill->failures < UINT8_MAX)
        fill->failures++;
}

void attempt_fail(struct step *step, uint32_t index, enum fb_status status)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = attempt_fill(node, index);
    FB_ASSERT(status != FB_OK);
    bool is_origin = attempt->state == ATTEMPT_FETCH;
    bool is_bad = status == FB_CORRUPT || status == FB_IO;
    /* The drive's copy goes with this: it cannot fail again, and the others were not asked yet. */
    bool is_lost_copy = is_bad && attempt->device_slot != FB_NONE;
    bool was_referred = attempt->hops > 0, is_writers = attempt->is_writers;
    bool is_hearsay = was_referred || (attempt->is_now && !(fill->flags & FILL_FRAGMENT));
    uint32_t peer = attempt->peer;
    tell_status(node, FB_WHY_FAIL, peer, status);
    attempt_release(node, index, is_bad);
    if (fill->state != FILL_ACTIVE) {
        fill_drain(node, index / FB_ATTEMPTS_MAX);
        return;
    }
    /* A stale referral, or an owner that is busy: ask that owner again. The next rank would have to
     * read the origin for a block that the cluster holds. */
    bool is_busy = status == FB_BUSY && peer != FB_NONE;
    fill->is_unsure |= is_busy;
    if (was_referred && !is_busy)
        fill->avoid = peer;
    if ((was_referred || is_busy) && fill->candidate > 0 &&
        fill->candidate <= node->config.replicas && fill->failures < node->config.retries_max)
        fill->candidate--;
    /* What the origin does not have the silent peer may. */
    if (status != FB_ABSENT && is_vain(node, attempt_other(node, index)))
        attempt_release(node, index ^ 1u, false);
    if (attempt_other(node, index)->state != ATTEMPT_IDLE) {
        if (is_origin) /* else two attempts that hedge each other fail in turns for ever */
            failure_count(fill);
        return;
    }
    if (attempt_searches(step, index / FB_ATTEMPTS_MAX, is_origin, &status))
        return;
    /* A fragment has one holder, who would know; an owner has searched everywhere. Neither knew of
     * the fragments that a mend has brought since. */
    bool is_certain = (status == FB_ABSENT && (is_origin || (fill->flags & FILL_FRAGMENT))) ||
                      (status == FB_LOST && !was_referred) || (fill->flags & FILL_FINAL);
    bool is_made = fill->flags & FILL_MEND;
    bool has_next = is_lost_copy || (!is_writers && has_next_candidate(fill, status, is_origin));
    bool is_spent = fill->failures >= node->config.retries_max && !has_next;
    if ((is_certain && !is_made) || is_spent) {
        /* Only the origin can say that it has no such block, and an owner that asked it. */
        is_hearsay |= peer != FB_NONE && acts_as_owner(node, fill);
        bool is_unsure = status == FB_ABSENT && is_hearsay && fill->block.object != FB_OBJECT_NONE;
        fill_fail(node, index / FB_ATTEMPTS_MAX, is_unsure ? FB_BUSY : status);
        return;
    }
    failure_count(fill);
    node->stats.retries++;
    /* The writer may be asked next again: nobody else is left. */
    if (status_needs_pause(status, is_origin) || is_writers)
        attempt_back_off(node, index);
    else
        attempt_start(step, index / FB_ATTEMPTS_MAX);
}

/* Nobody has looked at the bytes: whatever digest they were said to have is not known to be theirs,
 * and they are never promised for it. */
static void attempt_trusted(struct step *step, uint32_t index)
{
    struct attempt *attempt = &node_attempts(step->node)[index];
    FB_ASSERT(!step->node->config.check_digest);
    FB_ASSERT(attempt->state == ATTEMPT_DIGEST);
    attempt->digest = 0;
    fill_finish(step, index / FB_ATTEMPTS_MAX, index);
}

/* Bytes are in memory: check them, or trust them when digests are off. What a client wrote is
 * checked always: a writer that gave up does not know who still pulls. */
static void attempt_arrived(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    bool is_written = attempt_fill(node, index)->flags & (FILL_PUT | FILL_HOLD);
    FB_ASSERT(attempt->first_unit != FB_NONE);
    if (attempt->state == ATTEMPT_PULL && attempt->peer != FB_NONE) {
        pace_learn(&node->pull_pace, node->now_ns - attempt->begun_ns,
                   attempt_fill(node, index)->block.size);
        ask_return(step, attempt->peer, attempt->lend_id, attempt_fill(node, index)->block.key,
                   node->config.keep_peer_blocks);
    }
    if (attempt->state == ATTEMPT_FETCH || attempt->state == ATTEMPT_READ)
        pace_learn(attempt->state == ATTEMPT_FETCH ? &node->fetch_pace : &node->device_pace,
                   node->now_ns - attempt->begun_ns, attempt_fill(node, index)->block.size);
    attempt_set(node, index, ATTEMPT_DIGEST, node->config.wait_ns);
    if (node->config.check_digest || is_written)
        attempt_op(step, index, FB_OP_DIGEST);
    else
        attempt_trusted(step, index);
}

static void attempt_digested(struct step *step, uint32_t index, uint64_t digest)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_DIGEST);
    const struct fill *fill = attempt_fill(node, index);
    bool is_held = (fill->flags & FILL_HOLD) && fill->digest != 0; /* wherever it comes from */
    bool is_known = attempt->peer != FB_NONE || attempt->device_slot != FB_NONE || is_held;
    if (is_known && digest != (is_held ? fill->digest : attempt->digest)) {
        node->stats.digest_errors++;
        tell_why(node, FB_WHY_DIGEST_WRONG);
        attempt_fail(step, index, FB_CORRUPT);
        return;
    }
    attempt->digest = digest;
    fill_finish(step, index / FB_ATTEMPTS_MAX, index);
}

static void attempt_count_error(struct fb_node *node, const struct attempt *attempt)
{
    FB_ASSERT(attempt_has_op(attempt));
    if (attempt->state == ATTEMPT_FETCH)
        node->stats.origin_errors++;
    if (attempt->state == ATTEMPT_READ)
        node->stats.device_errors++;
    if (attempt->state == ATTEMPT_PULL)
        node->stats.pull_errors++;
}

void attempt_done(struct step *step, uint32_t index, const struct fb_done *done)
{
    struct fb_node *node = step->node;
    FB_ASSERT(index < node->config.fills_max * FB_ATTEMPTS_MAX);
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt_has_op(attempt)); /* R3: one DONE an op */
    FB_ASSERT(attempt->generation == id_generation(done->op_id));
    bool is_pull = attempt->state == ATTEMPT_PULL && attempt->peer != FB_NONE;
    if (attempt->state == ATTEMPT_FETCH)
        origin_wake(step);
    bool is_wanted = attempt_fill(node, index)->state == FILL_ACTIVE;
    if (done->status != FB_OK || !is_wanted) {
        if (is_pull)
            ask_return(step, attempt->peer, attempt->lend_id, attempt_fill(node, index)->block.key,
                       false);
        if (done->status != FB_OK)
            attempt_count_error(node, attempt);
        if (done->status == FB_GONE && is_pull)
            peer_suspect(node, attempt->peer);
        if (attempt->state == ATTEMPT_FETCH && done->status != FB_OK &&
            (done->is_final || status_is_for_good((enum fb_status)done->status)))
            attempt_fill(node, index)->flags |= FILL_FINAL;
        attempt_fail(step, index, done->status != FB_OK ? done->status : FB_TIMEOUT);
        return;
    }
    if (attempt->state == ATTEMPT_DIGEST)
        attempt_digested(step, index, done->digest);
    else
        attempt_arrived(step, index);
}

void attempt_check(struct fb_node *node)
{
    for (uint32_t i = 0; i < node->config.fills_max * FB_ATTEMPTS_MAX; i++) {
        const struct attempt *attempt = &node_attempts(node)[i];
        const struct fill *fill = attempt_fill(node, i);
        if (fill->state == FILL_FREE)
            FB_ASSERT(attempt->state == ATTEMPT_IDLE);
        if (attempt_has_op(attempt))
            FB_ASSERT(attempt->first_unit != FB_NONE);
        else
            FB_ASSERT(attempt->first_unit == FB_NONE);
        if (fill->state == FILL_ACTIVE && i % FB_ATTEMPTS_MAX == 0)
            FB_ASSERT(attempt->state != ATTEMPT_IDLE ||
                      attempt_other(node, i)->state != ATTEMPT_IDLE);
    }
}
