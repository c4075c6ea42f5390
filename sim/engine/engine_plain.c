/* The plain engine: the clock is the date of the next thing in the heaps or the fluid network. */
#include "sim/engine/engine_internal.h"

#include "core/panic.h"

#include <stddef.h>

bool fb_engine_kind_is_built(enum fb_engine_kind kind)
{
#ifdef WITH_SIM
    return kind == FB_ENGINE_SIMGRID || kind == FB_ENGINE_PLAIN;
#else
    return kind == FB_ENGINE_PLAIN;
#endif
}

static void plain_run(struct fb_engine *engine)
{
    while (!engine->is_stopped) {
        uint64_t next_ns = fb_engine_next_ns(engine);
        if (next_ns == UINT64_MAX)
            return;
        FB_ASSERT(next_ns >= engine->now_ns);
        engine->now_ns = next_ns;
        fb_engine_deliver_due(engine, NULL, 0);
    }
}

void fb_engine_run(struct fb_engine *engine)
{
#ifdef WITH_SIM
    if (engine->kind == FB_ENGINE_SIMGRID) {
        fb_simgrid_run(engine);
        return;
    }
#endif
    plain_run(engine);
}
