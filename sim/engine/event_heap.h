/* Timers of a simulated world: a 4-ary heap of (date, cookie), earliest first, ties by cookie. */
#ifndef FB_SIM_ENGINE_EVENT_HEAP_H
#define FB_SIM_ENGINE_EVENT_HEAP_H

#include <stdint.h>

struct fb_event_heap_entry {
    uint64_t at_ns, cookie;
};

struct fb_event_heap { /* zeroed: empty */
    struct fb_event_heap_entry *entries;
    uint64_t count, count_max;
};

#ifdef __cplusplus
extern "C" {
#endif

void fb_event_heap_push(struct fb_event_heap *heap, uint64_t at_ns, uint64_t cookie);
uint64_t fb_event_heap_next_ns(const struct fb_event_heap *heap); /* UINT64_MAX: empty */
struct fb_event_heap_entry fb_event_heap_pop(struct fb_event_heap *heap);
void fb_event_heap_free(struct fb_event_heap *heap);

#ifdef __cplusplus
}
#endif

#endif
