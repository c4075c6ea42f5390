/* Timers of a simulated world: a 4-ary heap of (date, cookie), earliest first, ties by cookie. */
#ifndef FB_SIM_ENGINE_EVENT_HEAP_H
#define FB_SIM_ENGINE_EVENT_HEAP_H

#include <stdint.h>

/* A date, and whose it is. */
struct fb_event_heap_entry {
    uint64_t at_ns, cookie;
};

/* The heap; zeroed it is empty. */
struct fb_event_heap {
    struct fb_event_heap_entry *entries;
    uint64_t count, count_max;
};

#ifdef __cplusplus
extern "C" {
#endif

/* Adds an entry, O(log count). Without memory the program ends. */
void fb_event_heap_push(struct fb_event_heap *heap, uint64_t at_ns, uint64_t cookie);
/* The earliest entry's date; UINT64_MAX: the heap is empty. */
uint64_t fb_event_heap_next_ns(const struct fb_event_heap *heap);
/* Takes the earliest entry, which must be there. */
struct fb_event_heap_entry fb_event_heap_pop(struct fb_event_heap *heap);
/* Frees its memory, and it is empty. */
void fb_event_heap_free(struct fb_event_heap *heap);

#ifdef __cplusplus
}
#endif

#endif
