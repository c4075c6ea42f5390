/* The check of a queue; see queue.h. */
#include "core/index/queue.h"

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
