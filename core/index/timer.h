/* Deadlines of a node: an indexed 4-ary heap of (deadline, id), ids 0..ids_max-1, one deadline per
 * id. Lives inside the caller's memory; no pointers inside. Ties: the lower id first. */
#ifndef FB_CORE_INDEX_TIMER_H
#define FB_CORE_INDEX_TIMER_H

#include "core/limits.h"

struct fb_timer; /* header, then the heap and the positions, contiguous */

/* Bytes to reserve, 8-aligned; usable in static_assert. */
#define FB_TIMER_SIZE_BYTES(ids_max) (16u + (((uint64_t)(ids_max)*20u + 7u) & ~UINT64_C(7)))

/* No deadline is set. ids_max: 1 or more; the block is FB_TIMER_SIZE_BYTES(ids_max) bytes, any
 * content. */
void fb_timer_init(struct fb_timer *timer, uint32_t ids_max);

/* Sets or moves the deadline of `id`. */
void fb_timer_set(struct fb_timer *timer, uint32_t id, uint64_t deadline_ns);

/* Sets the deadline of `id`, unless it has an earlier one. For what happens again and again: each
 * time would put off what the first was for. */
void fb_timer_hurry(struct fb_timer *timer, uint32_t id, uint64_t deadline_ns);

/* Has `id` a deadline? */
_Bool fb_timer_is_set(const struct fb_timer *timer, uint32_t id);

/* Forgets the deadline of `id`; no effect when it has none. */
void fb_timer_cancel(struct fb_timer *timer, uint32_t id);

/* The earliest deadline; FB_NEVER_NS when there is none. */
uint64_t fb_timer_deadline_ns(const struct fb_timer *timer);

/* Takes out the earliest id when its deadline is <= now_ns, else returns FB_NONE. */
uint32_t fb_timer_pop(struct fb_timer *timer, uint64_t now_ns);

/* Asserts that heap and positions agree. For tests. */
void fb_timer_check(const struct fb_timer *timer);

#endif
