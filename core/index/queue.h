/* A cache's queues, private to core/: doubly linked through the slots, oldest to newest. Inline:
 * every hit and miss is here. */
#ifndef FB_CORE_INDEX_QUEUE_H
#define FB_CORE_INDEX_QUEUE_H

#include "core/index/slots.h"
#include "core/panic.h"

static inline void queue_add_newest(struct fb_cache *cache, uint32_t index, uint32_t slot)
{
    struct queue *queue = &cache->queues[index];
    struct slot *slots = cache_slots(cache);
    FB_ASSERT(slots[slot].queue == SLOT_FREE);
    slots[slot].queue = (uint8_t)index;
    slots[slot].newer = FB_NONE;
    slots[slot].older = queue->newest;
    if (queue->newest != FB_NONE)
        slots[queue->newest].newer = slot;
    else
        queue->oldest = slot;
    queue->newest = slot;
    queue->count++;
    FB_ASSERT(queue->count <= cache->slots_max);
}

static inline void queue_remove(struct fb_cache *cache, uint32_t slot)
{
    struct slot *slots = cache_slots(cache);
    FB_ASSERT(slots[slot].queue < 3);
    struct queue *queue = &cache->queues[slots[slot].queue];
    FB_ASSERT(queue->count > 0);
    if (slots[slot].newer != FB_NONE)
        slots[slots[slot].newer].older = slots[slot].older;
    else
        queue->newest = slots[slot].older;
    if (slots[slot].older != FB_NONE)
        slots[slots[slot].older].newer = slots[slot].newer;
    else
        queue->oldest = slots[slot].newer;
    queue->count--;
    slots[slot].queue = SLOT_FREE;
}

static inline void queue_move_newest(struct fb_cache *cache, uint32_t queue, uint32_t slot)
{
    FB_ASSERT(queue < 3);
    if (cache->queues[queue].newest == slot)
        return;
    queue_remove(cache, slot);
    queue_add_newest(cache, queue, slot);
    FB_ASSERT(cache->queues[queue].newest == slot);
}

void queue_check(const struct fb_cache *cache, uint32_t queue);

#endif
