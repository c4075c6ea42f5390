/* What the two engines have in common. Timers are always in the event heap; flows are either the
 * fluid solver's or SimGrid's. engine.c holds the loop; a backend is its clock and, with lmm,
 * its flows. */
#ifndef FB_SIM_ENGINE_ENGINE_INTERNAL_H
#define FB_SIM_ENGINE_ENGINE_INTERNAL_H

#ifdef __cplusplus
extern "C" {
#endif

#include "sim/engine/engine.h"
#include "sim/engine/event_heap.h"
#include "sim/fluid/fluid.h"

struct fb_engine {
    enum fb_engine_kind kind;
    enum fb_engine_flows flows;
    fb_engine_callback *callback;
    void *context;
    struct fb_engine_host *hosts;
    struct fb_engine_leaf *leaves;
    uint32_t host_count, leaf_count;
    bool *is_up;
    uint64_t now_ns;
    uint64_t events;
    bool is_stopped;
    struct fb_event_heap timers;
    struct fb_event_heap failures; /* cookies that fail at a date */
    struct fb_fluid *fluid;        /* NULL with lmm */
    void *simgrid;                 /* engine_simgrid.cpp's own */
};

/* Delivers everything that is due at now_ns, sorted by cookie. extra: completions that the
 * backend saw. Used by the backends' loops. */
void fb_engine_deliver_due(struct fb_engine *engine, uint64_t *extra, uint32_t extra_count);

/* The next date at which something is due; UINT64_MAX: nothing. */
uint64_t fb_engine_next_ns(struct fb_engine *engine);

/* engine_simgrid.cpp, which is a module of its own (engine_load.c). Of lmm only: transfer, set_up,
 * set_capacity. */
struct fb_simgrid {
    bool (*open)(struct fb_engine *engine, char *error, uint64_t error_size);
    void (*close)(struct fb_engine *engine);
    void (*transfer)(struct fb_engine *engine, uint32_t source, uint32_t target,
                     uint64_t size_bytes, uint64_t cookie);
    void (*set_up)(struct fb_engine *engine, uint32_t host, bool is_up);
    void (*set_capacity)(struct fb_engine *engine, uint32_t host, uint64_t up_bytes_per_s,
                         uint64_t down_bytes_per_s);
    void (*run)(struct fb_engine *engine);
    /* Date, in seconds, at which SimGrid's own disk model ends `count` reads of size_bytes that
     * start together: the cross-check of station.c. */
    double (*disk_read_s)(uint64_t bytes_per_s, uint64_t size_bytes, uint32_t count);
};

/* What the module calls of the program that has loaded it. */
struct fb_simgrid_hooks {
    void (*deliver_due)(struct fb_engine *engine, uint64_t *extra, uint32_t extra_count);
    uint64_t (*next_ns)(struct fb_engine *engine);
    void (*heap_push)(struct fb_event_heap *heap, uint64_t at_ns, uint64_t cookie);
};

/* The module's own symbol. */
typedef const struct fb_simgrid *fb_simgrid_module(const struct fb_simgrid_hooks *hooks);
fb_simgrid_module fb_simgrid_calls;

/* Loads the module, once. NULL: there is none, in this build or where it is installed. */
const struct fb_simgrid *fb_simgrid_find(void);

#ifdef __cplusplus
}
#endif

#endif
