/* The policies' queues: doubly linked through the slots, oldest to newest; and FIFO, LRU and CLOCK, which
 * need nothing more than one queue. */
#include "policy.h"

void queue_add_newest(struct fb_cache *cache, uint32_t index, uint32_t slot)
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

void queue_remove(struct fb_cache *cache, uint32_t slot)
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

void queue_move_newest(struct fb_cache *cache, uint32_t queue, uint32_t slot)
{
    FB_ASSERT(queue < 3);
    if (cache->queues[queue].newest == slot)
        return;
    queue_remove(cache, slot);
    queue_add_newest(cache, queue, slot);
    FB_ASSERT(cache->queues[queue].newest == slot);
}

void queue_check(const struct fb_cache *cache, uint32_t index)
{
    const struct queue *queue = &cache->queues[index];
    uint32_t count = 0, previous = FB_NONE;
    for (uint32_t i = queue->oldest; i != FB_NONE; i = cache_slots(cache)[i].newer) {
        FB_ASSERT(cache_slots(cache)[i].queue == index);
        FB_ASSERT(cache_slots(cache)[i].older == previous);
        previous = i;
        count++;
        FB_ASSERT(count <= cache->slots_max);
    }
    FB_ASSERT(queue->newest == previous);
    FB_ASSERT(queue->count == count);
}

void fifo_added(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(slot < cache->slots_max);
    queue_add_newest(cache, 0, slot);
    FB_ASSERT(cache->queues[0].newest == slot);
}

uint32_t fifo_victim(struct fb_cache *cache)
{
    FB_ASSERT(cache->queues[0].count == cache->count);
    FB_ASSERT((cache->queues[0].oldest == FB_NONE) == (cache->count == 0));
    return cache->queues[0].oldest;
}

void lru_touch(struct fb_cache *cache, uint32_t slot)
{
    queue_move_newest(cache, 0, slot);
}

void clock_touch(struct fb_cache *cache, uint32_t slot)
{
    FB_ASSERT(cache_slots(cache)[slot].queue == 0);
    cache_slots(cache)[slot].frequency = 1;
}

/* The oldest without a reference bit; those with one lose it and begin a new round. */
uint32_t clock_victim(struct fb_cache *cache)
{
    for (uint32_t i = 0; i <= cache->count; i++) {
        uint32_t slot = cache->queues[0].oldest;
        if (slot == FB_NONE || cache_slots(cache)[slot].frequency == 0)
            return slot;
        cache_slots(cache)[slot].frequency = 0;
        queue_move_newest(cache, 0, slot);
    }
    FB_ASSERT(cache->count > 0); /* one round clears every bit */
    return cache->queues[0].oldest;
}
