/* See gate.h. A request takes its share of time, 1/rate, from its gate: as long as what is taken
 * lies at most a window ahead of the clock, another may come through.
 * Source: the generic cell rate algorithm, ITU-T I.371. */
#include "sim/world/gate.h"

#include "base/memory.h"
#include "core/key.h"

#include <stdlib.h>

static const uint64_t second_ns = 1000000000;

bool fb_gate_is_open(const struct fb_gate *gate, uint64_t now_ns, uint64_t window_ns)
{
    return gate->full_ns <= now_ns + window_ns;
}

void fb_gate_take(struct fb_gate *gate, uint64_t now_ns, uint64_t per_s)
{
    if (per_s == 0)
        return;
    if (gate->full_ns < now_ns)
        gate->full_ns = now_ns;
    gate->full_ns += second_ns / per_s;
}

static struct fb_gate_object *slot_find(const struct fb_gate_objects *objects, uint64_t name)
{
    uint64_t at = fb_mix(name) & objects->mask;
    while (objects->slots[at].object != 0 && objects->slots[at].object != name)
        at = (at + 1) & objects->mask;
    return &objects->slots[at];
}

/* Those that remember nothing stay behind. */
static void objects_grow(struct fb_gate_objects *objects, uint64_t now_ns)
{
    struct fb_gate_objects grown = {.mask = objects->slots == NULL ? 1023 : objects->mask * 2 + 1};
    grown.slots = fb_allocate(grown.mask + 1, sizeof(*grown.slots), "objects of the origin", NULL);
    for (uint64_t i = 0; objects->slots != NULL && i <= objects->mask; i++) {
        const struct fb_gate_object *slot = &objects->slots[i];
        if (slot->object == 0 || (slot->blocks == 0 && slot->gate.full_ns <= now_ns))
            continue;
        *slot_find(&grown, slot->object) = *slot;
        grown.count++;
    }
    free(objects->slots);
    *objects = grown;
}

struct fb_gate_object *fb_gate_object(struct fb_gate_objects *objects, uint64_t object,
                                      uint64_t now_ns)
{
    if (objects->slots == NULL || objects->count * 2 > objects->mask)
        objects_grow(objects, now_ns);
    struct fb_gate_object *slot = slot_find(objects, object + 1);
    objects->count += slot->object == 0;
    slot->object = object + 1;
    return slot;
}

void fb_gate_objects_close(struct fb_gate_objects *objects)
{
    free(objects->slots);
}
