/* Is a block that the origin has not got anywhere? What was promised is with its writer, its ranks,
 * or the holders of its fragments, until it is at the origin; under views that change it may be
 * with others. An attempt that hears from the origin that it has no such block asks them all.
 *
 *     FETCH --ABSENT--> SEARCH --SEEK to everybody, SOUGHT from everybody-->
 *        ^                |--one has all of it---------------------> ASKED of that one
 *        |                |--one is silent, or starts, or is just being given it, or there are
 *        |                |  fragments enough to make it-----------> failed with BUSY
 *        |                '--nobody has it--.
 *        '--for SEARCHES_MAX times ---------'
 *     FETCH --ABSENT, and it was searched for so often--> the fill fails with LOST
 *
 * 1. A block on its way from a holder to another, or to the origin, may be missed by one search:
 *    each was asked when the other had it. Holders give a block away only to others that hold it
 *    already, or when it is stored; so the second search, or the fetch after it, finds it.
 * 2. Everybody is the members that are up while they are at most SEARCH_MAX, else the block's ranks
 *    and those who should have its fragments: whoever holds a block that is not theirs to hold
 *    brings it to them after a change of members (put_repair).
 * 3. A view that changes begins the search again. Without one nobody knows who the members are, and
 *    the read is BUSY.
 * 4. Writes are spread with use_peers = 0, too; readers there go by the members for what the origin
 *    has, and need them for what it has not got yet.
 * 5. Members are given longer with each try, up to wait_ns: the slowest of many answers may take
 *    longer than one does, and what is always too late for a fixed time would never be LOST. How
 *    long they took is kept for later searches, since a read may have one try.
 *
 * Does not: wait for members that are down; they may bring it back. */
#include "core/read/search.h"
#include "core/read/read.h"
#include "core/tier/tier.h"

#include "core/key.h"
#include "core/place/spread.h"

enum { SEARCH_MAX = 64, SEARCHES_MAX = 2, DOUBLINGS_MAX = 4, ANSWERS_MANY = 16 };

static bool search_is_of_all(const struct fb_node *node)
{
    FB_ASSERT(node->view != NULL);
    FB_ASSERT(SEARCH_MAX >= FB_RANKS_MAX + FB_FRAGMENTS_MAX);
    return fb_view_member_count(node->view) <= SEARCH_MAX;
}

uint32_t search_count(const struct fb_node *node)
{
    if (node->view == NULL)
        return 0;
    FB_ASSERT(node->config.erasure_data + node->config.erasure_parity <= 2 * FB_FRAGMENTS_MAX);
    if (search_is_of_all(node))
        return fb_view_member_count(node->view);
    uint64_t fragments = node->config.erasure_data + node->config.erasure_parity;
    return FB_RANKS_MAX + (node->config.erasure_data > 0 ? (uint32_t)fragments : 0);
}

/* FB_NONE: nobody, or this node. */
static uint32_t search_target(const struct fb_node *node, struct fb_key key, uint32_t i)
{
    uint32_t targets[FB_FRAGMENTS_MAX], target;
    FB_ASSERT(i < search_count(node));
    if (search_is_of_all(node)) {
        const struct fb_member *member = fb_view_member(node->view, i);
        target = member->is_up ? member->node : FB_NONE;
    } else if (i < FB_RANKS_MAX) {
        target = fb_view_owner(node->view, key, i);
    } else {
        fb_spread(node->view, key, search_count(node) - FB_RANKS_MAX, targets);
        target = targets[i - FB_RANKS_MAX];
    }
    return target != node->config.node ? target : FB_NONE;
}

enum fb_status search_here(struct fb_node *node, struct fb_key key, uint32_t *fragments)
{
    uint64_t count = node->config.erasure_data + node->config.erasure_parity;
    uint32_t slot = fb_cache_find(node_cache(node), key);
    const struct entry *entry = slot != FB_NONE ? &node_entries(node)[slot] : NULL;
    *fragments = 0;
    FB_ASSERT(count <= 2 * FB_FRAGMENTS_MAX);
    for (uint32_t i = 0; node->config.erasure_data > 0 && i < count; i++) {
        uint32_t at = fb_cache_find(node_cache(node), fragment_key(key, i));
        bool is_here = at != FB_NONE && node_entries(node)[at].state == ENTRY_RESIDENT;
        *fragments |= (uint32_t)is_here << i;
    }
    if ((entry != NULL && entry->state == ENTRY_RESIDENT) || device_find(node, key) != FB_NONE)
        return FB_OK;
    /* Readers wait for each other's word, not for each other. */
    bool is_brought = entry != NULL && node_fills(node)[entry->fill].flags & (FILL_PUT | FILL_MEND);
    FB_ASSERT(entry == NULL || entry->state == ENTRY_FILLING);
    /* A node that begins does not know all of its drive, but what it looks for itself. */
    bool is_unknown = entry == NULL && node_is_recovering(node);
    return is_brought || is_unknown ? FB_BUSY : FB_ABSENT;
}

void search_answer(struct step *step, const struct fb_message *message)
{
    uint32_t fragments;
    struct fb_node *node = step->node;
    FB_ASSERT(message->kind == FB_MESSAGE_SEEK);
    FB_ASSERT(message->source != node->config.node);
    enum fb_status status = search_here(node, message->seek.key, &fragments);
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = message->source;
    op->message = (struct fb_message){.kind = FB_MESSAGE_SOUGHT,
                                      .source = (uint32_t)node->config.node,
                                      .sought = {.ask_id = message->seek.ask_id,
                                                 .key = message->seek.key,
                                                 .fragments = fragments,
                                                 .status = (uint8_t)status}};
}

bool search_is_enough(const struct fb_node *node, uint32_t fragments, uint32_t size_bytes)
{
    uint32_t data = (uint32_t)node->config.erasure_data, found = bits_count(fragments);
    FB_ASSERT(data <= FB_FRAGMENTS_MAX);
    for (uint32_t i = 0; i < data; i++)
        found += fragment_bytes(&node->config, size_bytes, i) == 0;
    FB_ASSERT(size_bytes > 0);
    return data > 0 && found >= data;
}

/* Everybody has answered, or was given time to. */
static void search_end(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    FB_ASSERT(fill->state == FILL_ACTIVE);
    FB_ASSERT(attempt->state == ATTEMPT_SEARCH);
    if (attempt->peer != FB_NONE) {
        attempt->hops = 1; /* as if the owner had referred to it */
        ask_send(step, index, attempt->peer, FB_MESSAGE_FLAG_REFERRED);
        return;
    }
    if (attempt->is_unsure || search_is_enough(node, attempt->fragments, fill->block.size)) {
        fill->is_unsure = 1;
        attempt_fail(step, index, FB_BUSY);
        return;
    }
    fill->searches++;
    fill->candidate = (uint8_t)node->config.replicas; /* the origin once more */
    attempt_release(node, index, false);
    attempt_start(step, index / FB_ATTEMPTS_MAX);
}

uint64_t search_patience_ns(const struct fb_node *node, uint32_t tries)
{
    uint64_t once_ns = node->config.hedge_ns, most_ns = node->config.wait_ns;
    uint32_t doublings = tries > node->search_doublings ? tries : node->search_doublings;
    uint64_t longer_ns = once_ns << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    FB_ASSERT(once_ns > 0);
    if (longer_ns <= most_ns)
        return longer_ns;
    return once_ns > most_ns ? once_ns : most_ns;
}

/* Somebody was silent for as long as he was given, or all have answered: now and then less time is
 * tried, since one member that is away for long would make all searches long for ever. */
static void patience_learn(struct fb_node *node, bool is_silent)
{
    FB_ASSERT(node->search_doublings <= DOUBLINGS_MAX);
    FB_ASSERT(node->search_answers < ANSWERS_MANY);
    if (is_silent) {
        node->search_doublings += node->search_doublings < DOUBLINGS_MAX;
        node->search_answers = 0;
    } else if (node->search_doublings > 0 && ++node->search_answers == ANSWERS_MANY) {
        node->search_doublings--;
        node->search_answers = 0;
    }
}

bool search_ask_one(struct step *step, struct fb_key key, uint32_t i, uint64_t id)
{
    uint32_t target = search_target(step->node, key, i);
    FB_ASSERT(step_room(step) > 0);
    if (target == FB_NONE)
        return false;
    struct fb_op *op = step_op(step, FB_OP_SEND);
    op->target = target;
    op->message = (struct fb_message){.kind = FB_MESSAGE_SEEK,
                                      .source = (uint32_t)step->node->config.node,
                                      .seek = {.ask_id = id, .key = key}};
    FB_ASSERT(target != step->node->config.node);
    return true;
}

static void search_send(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    struct fb_key key = node_fills(node)[index / FB_ATTEMPTS_MAX].block.key;
    uint64_t id = id_make(ID_ATTEMPT, index, attempt->generation);
    uint32_t count = search_count(node);
    FB_ASSERT(count <= SEARCH_MAX);
    for (uint32_t sent = 0; attempt->next < count && sent < SEEKS_A_STEP && step_room(step) > 1;) {
        uint32_t i = attempt->next++;
        if (!search_ask_one(step, key, i, id))
            continue;
        attempt->waiting |= UINT64_C(1) << i;
        sent++;
    }
    uint32_t failures = node_fills(node)[index / FB_ATTEMPTS_MAX].failures;
    uint64_t patience_ns = attempt->next < count ? 0 : search_patience_ns(node, failures);
    fb_timer_set(node_timer(node), index, node->now_ns + patience_ns);
}

/* From the beginning, under the view as it is now. */
static void search_ask(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    const struct fill *fill = &node_fills(node)[index / FB_ATTEMPTS_MAX];
    uint32_t fragments;
    FB_ASSERT(attempt->state == ATTEMPT_SEARCH);
    FB_ASSERT(attempt->first_unit == FB_NONE);
    (void)search_here(node, fill->block.key, &fragments);
    attempt->generation++;
    attempt->peer = FB_NONE;
    attempt->waiting = 0;
    attempt->next = 0;
    attempt->is_unsure = 0;
    attempt->fragments = fragments;
    attempt->view_version = fb_view_version(node->view);
    node->stats.searches++;
    search_send(step, index);
}

bool search_begin(struct step *step, uint32_t fill_index)
{
    struct fb_node *node = step->node;
    struct fill *fill = &node_fills(node)[fill_index];
    uint32_t index = fill_index * FB_ATTEMPTS_MAX;
    FB_ASSERT(fill->state == FILL_ACTIVE);
    if (fill->searches >= SEARCHES_MAX || search_count(node) == 0)
        return false;
    if (node_attempts(node)[index].state != ATTEMPT_IDLE)
        index++;
    FB_ASSERT(node_attempts(node)[index].state == ATTEMPT_IDLE);
    attempt_set(node, index, ATTEMPT_SEARCH, node->config.hedge_ns);
    fill->is_joined = 0;
    tell_count(node, FB_WHY_SEARCH, FB_NONE, search_count(node), 0);
    search_ask(step, index);
    return true;
}

void search_timer(struct step *step, uint32_t index)
{
    struct fb_node *node = step->node;
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(attempt->state == ATTEMPT_SEARCH);
    FB_ASSERT(node->view != NULL);
    if (attempt->view_version != fb_view_version(node->view)) {
        search_ask(step, index);
    } else if (attempt->next < search_count(node)) {
        search_send(step, index);
    } else {
        attempt->is_unsure |= attempt->waiting != 0;
        if (attempt->waiting != 0)
            patience_learn(node, true);
        search_end(step, index);
    }
}

uint64_t search_answered(const struct fb_node *node, struct fb_key key, uint64_t waiting,
                         uint32_t source)
{
    FB_ASSERT(source != FB_NONE);
    for (uint32_t i = 0; i < search_count(node); i++) {
        bool is_asked = waiting >> i & 1u;
        if (is_asked && search_target(node, key, i) == source)
            waiting &= ~(UINT64_C(1) << i);
    }
    return waiting;
}

static void search_learn(struct fb_node *node, uint32_t index, const struct fb_message *message)
{
    struct attempt *attempt = &node_attempts(node)[index];
    struct fb_key key = node_fills(node)[index / FB_ATTEMPTS_MAX].block.key;
    FB_ASSERT(attempt->state == ATTEMPT_SEARCH);
    FB_ASSERT(message->kind == FB_MESSAGE_SOUGHT);
    uint64_t waiting = search_answered(node, key, attempt->waiting, message->source);
    if (waiting == attempt->waiting)
        return; /* it has answered before */
    attempt->waiting = waiting;
    attempt->fragments |= message->sought.fragments & ((1u << FB_FRAGMENTS_MAX) - 1);
    uint8_t status = message->sought.status;
    attempt->is_unsure |= status != FB_OK && status != FB_ABSENT;
    if (status == FB_OK)
        attempt->peer = message->source;
}

void search_heard(struct step *step, const struct fb_message *message)
{
    struct fb_node *node = step->node;
    uint64_t ask_id = message->sought.ask_id;
    uint32_t index = id_index(ask_id);
    bool is_mine = id_class(ask_id) == ID_ATTEMPT &&
                   index < node->config.fills_max * FB_ATTEMPTS_MAX &&
                   node_attempts(node)[index].state == ATTEMPT_SEARCH &&
                   node_attempts(node)[index].generation == id_generation(ask_id);
    suspect_clear(node, message->source, !is_mine);
    if (!is_mine) {
        node->stats.late_messages += id_class(ask_id) != ID_MEND && id_class(ask_id) != ID_NAME;
        return;
    }
    struct attempt *attempt = &node_attempts(node)[index];
    FB_ASSERT(node->view != NULL);
    if (attempt->view_version != fb_view_version(node->view))
        return; /* the timer begins it again */
    search_learn(node, index, message);
    bool is_over = attempt->next == search_count(node) && attempt->waiting == 0;
    if (is_over)
        patience_learn(node, false);
    if (is_over || attempt->peer != FB_NONE)
        search_end(step, index);
}
