/* How long a put waits before it asks again.
 *
 *     asked --put_silence_ns--> once more --put_silence_ns--> replaced --hold_ns--> the next round
 *       '--a target has no room: asked again before that, the more often the longer it has waited
 *     held by all, while the client waits for the origin --> asked again when one has lost it
 *
 * A node of no rank lets go of its copy when all targets say that they hold the block. If it told
 * another HELD meanwhile, the copy stays for a round more and all are asked once more: the other
 * may count on this copy in place of a target whose HELD came before.
 * Room comes with each store, and is whose ask comes next: a writer that asked once a round found
 * it taken by others, round after round. Only while somebody waits for the put: what is repaired or
 * was given up does not hurry a node that is full for long. */
#include "core/write/write.h"

#include "core/read/read.h"

enum { BUSY_ASKS = 32, DOUBLINGS_MAX = 6 };

uint64_t put_pause_ns(const struct fb_node *node, const struct put *put)
{
    uint64_t tries = node->config.retries_max;
    uint64_t late = put->failures > tries ? put->failures - tries : 0;
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(node->config.hold_ns > 0);
    return node->config.hold_ns << (late < DOUBLINGS_MAX ? late : DOUBLINGS_MAX);
}

uint64_t put_rest_ns(const struct fb_node *node)
{
    FB_ASSERT(node->config.hold_ns > 0);
    FB_ASSERT(node->puts_used > 0);
    return node->config.hold_ns << DOUBLINGS_MAX;
}

/* Time that targets are given to show that they live: what peers may take to answer, twice, since
 * they pull besides; and half a round at most. */
uint64_t put_silence_ns(const struct fb_node *node)
{
    uint64_t silence_ns = 2 * ask_silence_ns(node), most_ns = node->config.hold_ns / 4;
    FB_ASSERT(most_ns > 0);
    return silence_ns < most_ns ? silence_ns : most_ns;
}

enum fb_status put_vain(const struct fb_node *node, const struct put *put, bool is_silent)
{
    enum { ROUNDS_LEAST = 2 }; /* a drive may be slow */
    enum fb_status verdict = refused_verdict(node);
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(verdict != FB_OK);
    bool has_few = !put->is_coded && put->target_count < put_copies(node, put->level);
    if (has_few && !node->config.degraded)
        return FB_DEGRADED; /* members went: it is not for want of room */
    if (!is_silent && put->failures >= ROUNDS_LEAST && verdict != FB_BUSY)
        return verdict;
    if (put->failures <= node->config.retries_max)
        return FB_OK;
    return is_silent ? FB_DEGRADED : FB_TIMEOUT;
}

bool put_is_room_wanted(enum fb_status status)
{
    FB_ASSERT(status < FB_STATUS_COUNT);
    return status == FB_BUSY || status == FB_FULL;
}

void put_wait(struct fb_node *node, uint32_t index)
{
    const struct put *put = &node_puts(node)[index];
    uint64_t pause_ns = node->config.hold_ns / BUSY_ASKS + 1;
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(put->since_ns <= node->now_ns);
    pause_ns /= 1 + (node->now_ns - put->since_ns) / (4 * pause_ns);
    if (pause_ns < node->config.backoff_ns)
        pause_ns = node->config.backoff_ns;
    fb_timer_set(node_timer(node), timer_of_put(node, index), put->due_ns);
    if (!put->is_answered && (put->busy & ~(uint32_t)put->held) != 0)
        fb_timer_hurry(node_timer(node), timer_of_put(node, index),
                       node->now_ns + pause_ns / 2 + fb_random_below(&node->random, pause_ns));
}

void put_due(struct fb_node *node, uint32_t index, uint64_t pause_ns)
{
    struct put *put = &node_puts(node)[index];
    put->due_ns = node->now_ns + pause_ns;
    tell_at(node, FB_WHY_PUT_AGAIN, FB_NONE, put->due_ns, 0);
    FB_ASSERT(put->due_ns >= node->now_ns);
    put_wait(node, index);
}

void put_without_room(struct fb_node *node, uint32_t index, uint32_t place)
{
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(place < FB_RANKS_MAX);
    if (bits_has(put->busy, place))
        return; /* it will be asked */
    put->busy |= (uint8_t)(1u << place);
    put_wait(node, index);
}

/* Another node was told that this one holds the block. */
void put_rely(struct fb_node *node, uint32_t slot)
{
    FB_ASSERT(slot < node->memory_entries_max);
    FB_ASSERT(node_entries(node)[slot].flags & ENTRY_DIRTY);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        if (node_puts(node)[i].slot == slot)
            node_puts(node)[i].is_relied = 1;
    }
}

/* All targets hold it: are they to be asked once more before this copy goes? Then they will be. */
bool put_is_relied_on(struct fb_node *node, uint32_t index)
{
    struct put *put = &node_puts(node)[index];
    FB_ASSERT(put->slot != FB_NONE);
    FB_ASSERT(put->is_answered);
    if (!put->is_relied || put->level == FB_LEVEL_VOLATILE)
        return false;
    tell_why(node, FB_WHY_RELIED);
    put->is_relied = 0;
    put->held = 0;
    put->asks = 0;
    put_due(node, index, node->config.hold_ns);
    return true;
}
