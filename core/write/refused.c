/* Owed blocks that the origin refuses for good (R16), and what they mean for writers.
 *
 *     gone <--dirty_clear-- owed --its store is refused--> refused --dirty_clear--> gone
 *                             ^                               |
 *                             '------it fails otherwise-------'
 *
 * A writer who was answered at a lower level than the origin's hears of no refusal: his block is
 * safe here. But such blocks stay, and when they have the room, BUSY would be said to all writers
 * for ever, of what no waiting mends. So a write that finds no room hears the refusal, whoever
 * refuses it and whatever it finds too little of, once all that is owed is refused, and nothing was
 * stored or handed on for two of the drain's rounds: before that, room may come from what is not.
 * What writers give up makes room for others, and is no sign that more will come; what is to be
 * let go still, the drain finds when it looks next. What still fits is taken. */
#include "core/write/write.h"

enum { REFUSED_ROUNDS = 2 };

void refused_set(struct fb_node *node, uint32_t index, enum fb_status status)
{
    struct dirty *dirty = &node_dirty(node)[index];
    FB_ASSERT(dirty->slot != FB_NONE);
    FB_ASSERT(status < FB_STATUS_COUNT);
    node->refused_used -= dirty->refusal != FB_OK;
    dirty->refusal = (uint8_t)status;
    if (status == FB_OK)
        return;
    if (node->refused_used++ == 0)
        node->refused_ns = node->now_ns;
    node->refused_status = status;
    FB_ASSERT(node->refused_used <= node->dirty_used);
}

/* Is it of use to wait until some of it has gone? BUSY; or what stands in the way. */
enum fb_status refused_verdict(const struct fb_node *node)
{
    uint64_t since_ns =
        node->refused_ns > node->dirty_left_ns ? node->refused_ns : node->dirty_left_ns;
    FB_ASSERT(node->refused_used <= node->dirty_used);
    FB_ASSERT(since_ns <= node->now_ns);
    bool is_all = node->refused_used > 0 && node->refused_used == node->dirty_used &&
                  node->drain_next == FB_NONE;
    bool is_long = node->now_ns - since_ns >= REFUSED_ROUNDS * node->config.drain_check_ns;
    return is_all && is_long ? (enum fb_status)node->refused_status : FB_BUSY;
}

void put_refused(struct step *step, uint32_t slot, enum fb_status status)
{
    struct fb_node *node = step->node;
    FB_ASSERT(status != FB_OK);
    FB_ASSERT(step_room(step) > 0);
    for (uint32_t i = 0; node->puts_used > 0 && i < node->config.puts_max; i++) {
        struct put *put = &node_puts(node)[i];
        if (put->slot == slot && !put->is_answered && put->level == FB_LEVEL_ORIGIN) {
            put_reply(step, put, status, 0);
            return;
        }
    }
}
