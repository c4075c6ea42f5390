/* A table from what a trace tells apart (a kind and two words) to a number. */
#ifndef FB_SIM_TRACE_TRACE_MAP_H
#define FB_SIM_TRACE_TRACE_MAP_H

#include <stdint.h>

struct trace_map_slot {
    uint64_t high, low, value;
    uint32_t kind;
    uint32_t is_used;
};

/* All zero: an empty one. */
struct trace_map {
    struct trace_map_slot *slots;
    uint64_t count, slots_max;
};

/* The value of a key, to read and to write; it is 0 when the key is new. It stays where it is until
 * the next call. */
uint64_t *trace_map_at(struct trace_map *map, uint32_t kind, uint64_t high, uint64_t low);

void trace_map_free(struct trace_map *map);

#endif
