/* The way to the origin: how many fetches a node has in flight, and who goes next.
 *
 *     IDLE --origin_start, below fetches_max--> FETCH --DONE--> (attempt.c), origin_wake
 *       '----origin_start, at fetches_max----> QUEUED --oldest, when a fetch ends--> FETCH
 *
 * A cold start sends every miss here at once. The origin answers what is too much with 503, and
 * all back off together; a bounded queue keeps it busy instead. A queued attempt holds no memory.
 * Invariants: the list holds exactly the QUEUED attempts, oldest first. While it holds one, a fetch
 * is in flight, or the oldest's timer is due. */
#include "core/read/read.h"

static struct fb_block *block_of(struct fb_node *node, uint32_t index)
{
    FB_ASSERT(index / FB_ATTEMPTS_MAX < node->config.fills_max);
    return &node_fills(node)[index / FB_ATTEMPTS_MAX].block;
}

static bool origin_is_full(const struct fb_node *node)
{
    return node->config.fetches_max > 0 && node->fetches_used >= node->config.fetches_max;
}

static void queue_append(struct fb_node *node, uint32_t index)
{
    struct attempt *attempts = node_attempts(node);
    struct attempt *attempt = &attempts[index];
    FB_ASSERT(attempt->state == ATTEMPT_IDLE);
    attempt->state = ATTEMPT_QUEUED;
    attempt->queue_newer = FB_NONE;
    attempt->queue_older = node->fetch_newest;
    if (node->fetch_newest != FB_NONE)
        attempts[node->fetch_newest].queue_newer = index;
    else
        node->fetch_oldest = index;
    node->fetch_newest = index;
    FB_ASSERT(node->fetch_oldest != FB_NONE);
}

/* The oldest may go, if there is room. */
static void queue_wake(struct fb_node *node)
{
    if (node->fetch_oldest != FB_NONE && !origin_is_full(node))
        fb_timer_set(node_timer(node), node->fetch_oldest, node->now_ns);
}

/* Takes a QUEUED attempt out of the list; it is idle then. */
void origin_leave(struct fb_node *node, uint32_t index)
{
    struct attempt *attempts = node_attempts(node);
    struct attempt *attempt = &attempts[index];
    FB_ASSERT(attempt->state == ATTEMPT_QUEUED);
    if (attempt->queue_newer != FB_NONE)
        attempts[attempt->queue_newer].queue_older = attempt->queue_older;
    else
        node->fetch_newest = attempt->queue_older;
    if (attempt->queue_older != FB_NONE)
        attempts[attempt->queue_older].queue_newer = attempt->queue_newer;
    else
        node->fetch_oldest = attempt->queue_newer;
    attempt->lend_id = 0;
    attempt->state = ATTEMPT_IDLE;
    fb_timer_cancel(node_timer(node), index);
    queue_wake(node);
    FB_ASSERT((node->fetch_oldest == FB_NONE) == (node->fetch_newest == FB_NONE));
}

static enum fb_status origin_fetch(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_IDLE);
    FB_ASSERT(!origin_is_full(node));
    if (!attempt_reserve(node, index))
        return FB_BUSY;
    attempt->digest = node_fills(node)[index / FB_ATTEMPTS_MAX].digest; /* HOLD, else 0 */
    attempt_op(step, index, FB_OP_FETCH);
    attempt_set(node, index, ATTEMPT_FETCH, node->config.fetch_ns);
    attempt->begun_ns = node->now_ns;
    node->fetches_used++;
    node->stats.origin_fetches++;
    node->stats.origin_fetch_bytes += block_of(node, index)->size;
    return FB_OK;
}

static enum fb_why fetch_why(struct fb_node *node, uint32_t index, bool is_owner)
{
    FB_ASSERT(index / FB_ATTEMPTS_MAX < node->config.fills_max);
    if (!is_owner)
        return FB_WHY_FETCH_PAST_OWNERS;
    if (!node->config.use_peers || node->view == NULL)
        return FB_WHY_FETCH_ALONE;
    bool is_asked = node_fills(node)[index / FB_ATTEMPTS_MAX].flags & FILL_AS_OWNER;
    return is_asked ? FB_WHY_FETCH_FOR_READER : FB_WHY_FETCH_AS_OWNER;
}

/* Fetches, or queues. Errors: ABSENT: there is no origin copy; BUSY: no memory. */
enum fb_status origin_start(struct step *step, uint32_t index, bool is_owner)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_IDLE);
    if (block_of(node, index)->object == FB_OBJECT_NONE) {
        tell_why(node, FB_WHY_NO_COPY);
        return FB_ABSENT;
    }
    if (is_told(node))
        tell_why(node, fetch_why(node, index, is_owner));
    attempt->reason = is_owner ? FB_REASON_ORIGIN_OWNER : FB_REASON_ORIGIN;
    if (!origin_is_full(node))
        return origin_fetch(step, index);
    node->stats.origin_queued++;
    tell_count(node, FB_WHY_FETCH_LATER, FB_NONE, node->fetches_used, node->config.fetches_max);
    queue_append(node, index);
    FB_ASSERT(attempt->state == ATTEMPT_QUEUED);
    return FB_OK;
}

/* A QUEUED attempt's turn. */
void origin_turn(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    FB_ASSERT(node_attempts(node)[index].state == ATTEMPT_QUEUED);
    if (origin_is_full(node))
        return; /* a DONE wakes */
    origin_leave(node, index);
    enum fb_status status = origin_fetch(step, index);
    if (status != FB_OK)
        attempt_fail(step, index, status);
}

/* A fetch ended: the next one may begin. */
void origin_wake(struct step *step)
{
    struct fb_node *node = step->node;
    FB_ASSERT(node->fetches_used > 0);
    node->fetches_used--;
    queue_wake(node);
    FB_ASSERT(node->fetches_used <= node->config.fills_max * FB_ATTEMPTS_MAX);
}

void origin_check(struct fb_node *node)
{
    uint32_t fetching = 0, queued = 0, listed = 0;
    for (uint32_t i = 0; i < node->config.fills_max * FB_ATTEMPTS_MAX; i++) {
        fetching += node_attempts(node)[i].state == ATTEMPT_FETCH;
        queued += node_attempts(node)[i].state == ATTEMPT_QUEUED;
    }
    for (uint32_t i = node->fetch_oldest; i != FB_NONE; i = node_attempts(node)[i].queue_newer) {
        FB_ASSERT(node_attempts(node)[i].state == ATTEMPT_QUEUED);
        listed++;
    }
    FB_ASSERT(fetching == node->fetches_used);
    FB_ASSERT(listed == queued);
    FB_ASSERT(queued == 0 || fetching > 0 || fb_timer_is_set(node_timer(node), node->fetch_oldest));
}
