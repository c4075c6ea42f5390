/* An indexed 4-ary heap of deadlines. See timer.h.
 *
 * Layout: header, then node[ids_max] of {deadline, id}, then position[ids_max].
 * Invariants:
 *  1. A parent is not later than its children, by (deadline, id).
 *  2. position[node[i].id] == i for every node; position[id] == FB_NONE for ids without a deadline.
 */
#include "core/index/timer.h"

#include "core/panic.h"

struct fb_timer {
    uint32_t count;
    uint32_t ids_max;
    uint64_t reserved;
};

struct timer_node {
    uint64_t deadline_ns;
    uint32_t id;
    uint32_t reserved;
};

static_assert(sizeof(struct fb_timer) == 16, "FB_TIMER_SIZE_BYTES counts it");
static_assert(sizeof(struct timer_node) == 16, "FB_TIMER_SIZE_BYTES counts it");

static struct timer_node *timer_nodes(const struct fb_timer *timer)
{
    return (struct timer_node *)(uintptr_t)(timer + 1);
}

static uint32_t *timer_positions(const struct fb_timer *timer)
{
    return (uint32_t *)(void *)(timer_nodes(timer) + timer->ids_max);
}

void fb_timer_init(struct fb_timer *timer, uint32_t ids_max)
{
    FB_ASSERT(ids_max > 0);
    FB_ASSERT(ids_max < FB_NONE);
    *timer = (struct fb_timer){.ids_max = ids_max};
    for (uint32_t i = 0; i < ids_max; i++)
        timer_positions(timer)[i] = FB_NONE;
}

static _Bool is_before(const struct timer_node *a, const struct timer_node *b)
{
    return a->deadline_ns < b->deadline_ns || (a->deadline_ns == b->deadline_ns && a->id < b->id);
}

static void timer_place(struct fb_timer *timer, uint32_t at, struct timer_node node)
{
    FB_ASSERT(at < timer->count);
    FB_ASSERT(node.id < timer->ids_max);
    timer_nodes(timer)[at] = node;
    timer_positions(timer)[node.id] = at;
}

static void timer_rise(struct fb_timer *timer, uint32_t at)
{
    struct timer_node node = timer_nodes(timer)[at];
    FB_ASSERT(at < timer->count);
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!is_before(&node, &timer_nodes(timer)[parent]))
            break;
        timer_place(timer, at, timer_nodes(timer)[parent]);
        at = parent;
    }
    timer_place(timer, at, node);
}

static void timer_sink(struct fb_timer *timer, uint32_t at)
{
    struct timer_node node = timer_nodes(timer)[at];
    FB_ASSERT(at < timer->count);
    for (;;) {
        uint32_t first = at * 4 + 1, best = at;
        const struct timer_node *earliest = &node;
        for (uint32_t child = first; child < first + 4 && child < timer->count; child++) {
            if (is_before(&timer_nodes(timer)[child], earliest)) {
                earliest = &timer_nodes(timer)[child];
                best = child;
            }
        }
        if (best == at)
            break;
        timer_place(timer, at, *earliest);
        at = best;
    }
    timer_place(timer, at, node);
}

void fb_timer_set(struct fb_timer *timer, uint32_t id, uint64_t deadline_ns)
{
    FB_ASSERT(id < timer->ids_max);
    FB_ASSERT(deadline_ns != FB_NEVER_NS);
    uint32_t at = timer_positions(timer)[id];
    if (at == FB_NONE) {
        at = timer->count++;
        FB_ASSERT(timer->count <= timer->ids_max);
    }
    timer_place(timer, at, (struct timer_node){.deadline_ns = deadline_ns, .id = id});
    timer_rise(timer, at);
    timer_sink(timer, timer_positions(timer)[id]);
}

void fb_timer_hurry(struct fb_timer *timer, uint32_t id, uint64_t deadline_ns)
{
    FB_ASSERT(id < timer->ids_max);
    uint32_t at = timer_positions(timer)[id];
    FB_ASSERT(at == FB_NONE || at < timer->count);
    if (at == FB_NONE || timer_nodes(timer)[at].deadline_ns > deadline_ns)
        fb_timer_set(timer, id, deadline_ns);
}

_Bool fb_timer_is_set(const struct fb_timer *timer, uint32_t id)
{
    FB_ASSERT(id < timer->ids_max);
    return timer_positions(timer)[id] != FB_NONE;
}

void fb_timer_cancel(struct fb_timer *timer, uint32_t id)
{
    FB_ASSERT(id < timer->ids_max);
    uint32_t at = timer_positions(timer)[id];
    if (at == FB_NONE)
        return;
    struct timer_node last = timer_nodes(timer)[timer->count - 1];
    timer->count--;
    timer_positions(timer)[id] = FB_NONE;
    if (last.id == id)
        return;
    timer_place(timer, at, last);
    timer_rise(timer, at);
    timer_sink(timer, timer_positions(timer)[last.id]);
    FB_ASSERT(timer_positions(timer)[id] == FB_NONE);
}

uint64_t fb_timer_deadline_ns(const struct fb_timer *timer)
{
    FB_ASSERT(timer->count <= timer->ids_max);
    return timer->count > 0 ? timer_nodes(timer)[0].deadline_ns : FB_NEVER_NS;
}

uint32_t fb_timer_pop(struct fb_timer *timer, uint64_t now_ns)
{
    if (fb_timer_deadline_ns(timer) > now_ns || timer->count == 0)
        return FB_NONE;
    uint32_t id = timer_nodes(timer)[0].id;
    FB_ASSERT(timer_positions(timer)[id] == 0);
    fb_timer_cancel(timer, id);
    return id;
}

void fb_timer_check(const struct fb_timer *timer)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < timer->count; i++) {
        FB_ASSERT(timer_positions(timer)[timer_nodes(timer)[i].id] == i);
        if (i > 0)
            FB_ASSERT(!is_before(&timer_nodes(timer)[i], &timer_nodes(timer)[(i - 1) / 4]));
    }
    for (uint32_t id = 0; id < timer->ids_max; id++)
        present += timer_positions(timer)[id] != FB_NONE;
    FB_ASSERT(present == timer->count);
}
