/* Replays a request trace against the core's index and one eviction policy: no bytes, no simulated
 * time. Used by `forebay replay` and `forebay bench cache`. */
#ifndef FB_CLI_RUN_REPLAY_H
#define FB_CLI_RUN_REPLAY_H

#include "core/index/cache.h"
#include "models/trace/trace_file.h"

/* What a replay counted, in a pass, and how long one took. */
struct fb_replay {
    uint64_t block_hits;
    uint64_t prefix_hits; /* blocks before a request's first miss */
    uint64_t passes;
    double
        seconds; /* median over the passes, each from an empty cache; no loading, no allocation */
};

/* Distinct blocks of a trace. Errors: 0 when memory is short. */
uint64_t fb_replay_unique_blocks(const struct fb_trace_file *trace);

/* Takes each request's blocks in order; one that is missing is inserted and, when capacity_blocks
 * are held, another evicted. Repeats for at least 5 passes and 0.2 s, but no more than 10 s.
 * capacity_blocks: 1..2^31. unique_blocks: as above; a larger cache is not allocated, since it
 * would never evict. Errors: error set when memory is short. */
void fb_replay_run(const struct fb_trace_file *trace, uint64_t unique_blocks, enum fb_policy policy,
                   uint64_t capacity_blocks, struct fb_replay *replay, struct fb_error *error);

#endif
