/* See event_heap.h. 4-ary, because a node's children share a cache line. */
#include "sim/engine/event_heap.h"

#include "base/memory.h"
#include "core/panic.h"

#include <stdlib.h>

static int is_before(const struct fb_event_heap_entry *a, const struct fb_event_heap_entry *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->cookie < b->cookie);
}

void fb_event_heap_push(struct fb_event_heap *heap, uint64_t at_ns, uint64_t cookie)
{
    if (heap->count == heap->count_max) {
        uint64_t count = heap->count_max > 0 ? heap->count_max * 2 : 1024;
        heap->entries = fb_grow(heap->entries, count, sizeof(*heap->entries), "events", NULL);
        heap->count_max = count;
    }
    const struct fb_event_heap_entry entry = {.at_ns = at_ns, .cookie = cookie};
    uint64_t at = heap->count++;
    while (at > 0 && is_before(&entry, &heap->entries[(at - 1) / 4])) {
        heap->entries[at] = heap->entries[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap->entries[at] = entry;
}

uint64_t fb_event_heap_next_ns(const struct fb_event_heap *heap)
{
    return heap->count > 0 ? heap->entries[0].at_ns : UINT64_MAX;
}

struct fb_event_heap_entry fb_event_heap_pop(struct fb_event_heap *heap)
{
    FB_ASSERT(heap->count > 0);
    struct fb_event_heap_entry first = heap->entries[0];
    struct fb_event_heap_entry last = heap->entries[--heap->count];
    uint64_t at = 0;
    for (;;) {
        uint64_t best = at * 4 + 1;
        if (best >= heap->count)
            break;
        uint64_t end = best + 4 < heap->count ? best + 4 : heap->count;
        for (uint64_t child = best + 1; child < end; child++) {
            if (is_before(&heap->entries[child], &heap->entries[best]))
                best = child;
        }
        if (!is_before(&heap->entries[best], &last))
            break;
        heap->entries[at] = heap->entries[best];
        at = best;
    }
    if (heap->count > 0)
        heap->entries[at] = last;
    FB_ASSERT(heap->count == 0 || !is_before(&heap->entries[0], &first));
    return first;
}

void fb_event_heap_free(struct fb_event_heap *heap)
{
    free(heap->entries);
    *heap = (struct fb_event_heap){.entries = NULL};
}
