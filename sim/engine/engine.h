/* The simulated world's own seam: a clock, timers and network transfers. Two implementations:
 * engine_simgrid.cpp (SimGrid is the clock, the timer queue and, with network lmm, the flows) and
 * engine_plain.c (an event heap and the fluid network; needs no SimGrid).
 *
 * Contract:
 * 1. Every cookie given to timer or transfer comes back through the callback exactly once,
 * unless it
 *     is a timer that was cancelled.
 *  2. Time is integer nanoseconds and never goes back. What comes back at the same nanosecond comes
 *     sorted by cookie: the world puts (kind, node, op) into the cookie.
 *  3. A transfer takes size / fair share; latency is the world's, charged with timers.
 *  4. A transfer with a host that is down fails in the same nanosecond with FB_GONE, through the
 *     callback; transfers in flight fail when a host or link goes down.
 *  5. Callbacks may start timers and transfers, and stop the run. */
#ifndef FB_SIM_ENGINE_ENGINE_H
#define FB_SIM_ENGINE_ENGINE_H

#include "core/io.h"
#include "models/scenario/engine_choice.h"

#include <stdbool.h>

/* A host's port to its leaf switch, each direction with its own capacity. */
struct fb_engine_host {
    uint32_t leaf;
    uint64_t up_bytes_per_s;        /* host to leaf */
    uint64_t down_bytes_per_s;      /* leaf to host */
    uint64_t flow_bytes_per_s;      /* cap of each flow out of this host; 0: none */
    uint64_t flow_down_bytes_per_s; /* of each flow into it */
    uint32_t flow_weight;           /* of flows from and to it, the larger of both counts; 0 is 1 */
};

/* A leaf's uplinks, taken together, to a core that never blocks. 0: unlimited, no link is made. */
struct fb_engine_leaf {
    uint64_t up_bytes_per_s;
    uint64_t down_bytes_per_s;
};

/* Hosts 0..host_count-1. A route is: source's up, leaf's up, leaf's down, target's down; the leaf's
 * links only where the leaves differ. Traffic of a host with itself takes no time on the
 * network. */
struct fb_engine_network {
    const struct fb_engine_host *hosts;
    const struct fb_engine_leaf *leaves;
    uint32_t host_count;
    uint32_t leaf_count;
};

/* status: FB_OK or FB_GONE. */
typedef void fb_engine_callback(void *context, uint64_t cookie, enum fb_status status);

struct fb_engine;

/* Opens an engine at time 0. The network is copied. context outlives the engine.
 * One SimGrid engine per process (SimGrid's limit): a second one gives NULL.
 * Errors: NULL, with one line in error (error_size bytes). */
struct fb_engine *fb_engine_open(enum fb_engine_kind kind, enum fb_engine_flows flows,
                                 const struct fb_engine_network *network,
                                 fb_engine_callback *callback, void *context, char *error,
                                 uint64_t error_size);
/* Frees it; what is under way is dropped without a callback. */
void fb_engine_close(struct fb_engine *engine);

/* The simulated time; within a callback, that of what came back. */
uint64_t fb_engine_now_ns(const struct fb_engine *engine);

/* at_ns: now or later. */
void fb_engine_timer(struct fb_engine *engine, uint64_t at_ns, uint64_t cookie);

/* Starts a transfer. size_bytes 0 completes now. */
void fb_engine_transfer(struct fb_engine *engine, uint32_t source, uint32_t target,
                        uint64_t size_bytes, uint64_t cookie);

/* Takes a host's port down or up. Down fails what is in flight there. */
void fb_engine_set_up(struct fb_engine *engine, uint32_t host, bool is_up);

/* Changes a host's port capacities from now on; > 0. */
void fb_engine_set_capacity(struct fb_engine *engine, uint32_t host, uint64_t up_bytes_per_s,
                            uint64_t down_bytes_per_s);

/* How long the bytes that are under way through a host's port, which is full, take to cross it: no
 * message can wait in its queue for longer. 0: it is not full, or the flows are SimGrid's. */
uint64_t fb_engine_backlog_ns(struct fb_engine *engine, uint32_t host, bool is_up);

/* Runs until nothing is left or fb_engine_stop was called. */
void fb_engine_run(struct fb_engine *engine);
/* Has fb_engine_run return once what is due at this nanosecond was delivered. */
void fb_engine_stop(struct fb_engine *engine);

/* Events delivered so far. */
uint64_t fb_engine_events(const struct fb_engine *engine);

/* Is there such an engine here? It is loaded then, also for the processes that are forked later. */
bool fb_engine_kind_is_built(enum fb_engine_kind kind);

#endif
