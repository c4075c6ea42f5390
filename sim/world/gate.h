/* Limits of requests a second, above which a store refuses: a gate per account, prefix, object. */
#ifndef FB_SIM_WORLD_GATE_H
#define FB_SIM_WORLD_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing has come through yet. */
struct fb_gate {
    uint64_t full_ns; /* when the requests that came through keep the rate */
};

/* May one more request come through? */
bool fb_gate_is_open(const struct fb_gate *gate, uint64_t now_ns, uint64_t window_ns);

/* One comes through. per_s 0: there is no limit. */
void fb_gate_take(struct fb_gate *gate, uint64_t now_ns, uint64_t per_s);

/* An object's gate, and how many of its blocks the store has. */
struct fb_gate_object {
    uint64_t object; /* and one: 0 is no object's */
    uint64_t blocks;
    struct fb_gate gate;
};

/* By their objects, open addressing. Zeroed: none. */
struct fb_gate_objects {
    struct fb_gate_object *slots;
    uint64_t mask, count;
};

/* The object's; made when there is none. Valid until the next call. */
struct fb_gate_object *fb_gate_object(struct fb_gate_objects *objects, uint64_t object,
                                      uint64_t now_ns);
/* Frees all of them. */
void fb_gate_objects_close(struct fb_gate_objects *objects);

#endif
