/* Peers that were silent or broke off: a circuit breaker for each.
 *
 *     trusted --suspect_add--> suspected until a date, longer each time --date passed--> on trial
 *        ^------------------------- suspect_clear: it answered ---------------------------'
 *
 * An answer that comes late ends a first suspicion, and that only: a machine that was busy for a
 * moment is on trial at once; one that is slow time and again is left alone.
 *
 * A suspected peer is not asked, and what is under way with it is hedged at once (patience.c), so
 * that it costs one silence and not one for each block; this is faster than any lease. On trial it
 * is asked again, and one failure suspects it for twice as long. The table is small: two peers of
 * one slot make each other forgotten, which costs a silence. */
#include "core/key.h"
#include "core/read/read.h"

enum { DOUBLINGS_MAX = 6 };

static struct suspect *suspect_slot(struct fb_node *node, uint32_t peer)
{
    static_assert((FB_SUSPECTS_MAX & (FB_SUSPECTS_MAX - 1)) == 0, "a slot is a mask of the hash");
    FB_ASSERT(peer != FB_NONE);
    return &node->suspects[fb_mix(peer) & (FB_SUSPECTS_MAX - 1)];
}

void suspect_add(struct fb_node *node, uint32_t peer)
{
    struct suspect *suspect = suspect_slot(node, peer);
    if (suspect->failures == 0 || suspect->peer != peer)
        *suspect = (struct suspect){.peer = peer};
    FB_ASSERT(suspect->peer == peer);
    uint32_t doublings = suspect->failures < DOUBLINGS_MAX ? suspect->failures : DOUBLINGS_MAX;
    suspect->until_ns = node->now_ns + (node->config.suspect_ns << doublings);
    suspect->failures++;
    node->stats.suspicions++;
}

/* A suspected peer has answered: blocks that are held for it are looked at now. */
static void suspect_over(struct fb_node *node)
{
    FB_ASSERT(node->standins_held <= node->dirty_used);
    if (node->standins_held == 0)
        return;
    node->drain_round_ns = node->now_ns;
    fb_timer_set(node_timer(node), timer_of_drain(node), node->now_ns);
    FB_ASSERT(node->dirty_used > 0);
}

void suspect_clear(struct fb_node *node, uint32_t peer, bool is_late)
{
    struct suspect *suspect = suspect_slot(node, peer);
    FB_ASSERT(peer != node->config.node);
    if (suspect->peer != peer)
        return;
    bool was_suspected = suspect_is(node, peer);
    if (!is_late)
        *suspect = (struct suspect){.peer = peer};
    else if (suspect->failures == 1 && suspect->until_ns > node->now_ns)
        suspect->until_ns = node->now_ns;
    if (was_suspected && !suspect_is(node, peer))
        suspect_over(node);
}

bool suspect_is(struct fb_node *node, uint32_t peer)
{
    const struct suspect *suspect = suspect_slot(node, peer);
    FB_ASSERT(peer != node->config.node);
    return suspect->failures > 0 && suspect->peer == peer && suspect->until_ns > node->now_ns;
}
