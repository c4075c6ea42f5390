/* Open addressing, at most half full; see trace_map.h. */
#include "sim/trace/trace_map.h"

#include "base/memory.h"
#include "core/key.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 64 };

static struct trace_map_slot *slot_of(const struct trace_map *map, uint32_t kind, uint64_t high,
                                      uint64_t low)
{
    uint64_t at = fb_mix(high ^ fb_mix(low ^ fb_mix(kind)));
    for (;; at++) {
        struct trace_map_slot *slot = &map->slots[at & (map->slots_max - 1)];
        if (!slot->is_used || (slot->kind == kind && slot->high == high && slot->low == low))
            return slot;
    }
}

static void map_grow(struct trace_map *map)
{
    const struct trace_map old = *map;
    map->slots_max = old.slots_max > 0 ? 2 * old.slots_max : SLOTS_FIRST;
    map->slots = fb_allocate(map->slots_max, sizeof(*map->slots), "names of a trace", NULL);
    for (uint64_t i = 0; i < old.slots_max; i++) {
        const struct trace_map_slot *slot = &old.slots[i];
        if (slot->is_used)
            *slot_of(map, slot->kind, slot->high, slot->low) = *slot;
    }
    free(old.slots);
}

uint64_t *trace_map_at(struct trace_map *map, uint32_t kind, uint64_t high, uint64_t low)
{
    if (2 * map->count >= map->slots_max)
        map_grow(map);
    struct trace_map_slot *slot = slot_of(map, kind, high, low);
    if (!slot->is_used) {
        *slot = (struct trace_map_slot){.high = high, .low = low, .kind = kind, .is_used = 1};
        map->count++;
    }
    return &slot->value;
}

void trace_map_free(struct trace_map *map)
{
    free(map->slots);
    *map = (struct trace_map){.slots = NULL};
}
