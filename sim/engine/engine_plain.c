/* The plain engine: the clock is the date of the next thing in the heaps or the fluid network. */
#include "sim/engine/engine_internal.h"

#include "core/panic.h"

#include <stddef.h>

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
    if (engine->kind == FB_ENGINE_SIMGRID)
        fb_simgrid_find()->run(engine);
    else
        plain_run(engine);
}
