/* `forebay run --check-slice`: how far the fluid network is from SimGrid's own flows. */
#ifndef FB_CLI_RUN_RUN_SLICE_H
#define FB_CLI_RUN_RUN_SLICE_H

#include "models/scenario/scenario.h"
#include "results/results.h"

/* Nodes of a slice that compares the networks, and of one that compares presets, at most. */
enum { FB_SLICE_NODES = 512, FB_SLICE_PRESET_NODES = 256 };

/* How the two runs of a slice are made. */
struct fb_slice_how {
    uint64_t seed;
    uint32_t side_by_side;
    bool is_quiet;
};

/* What a slice of `nodes` of a larger scenario is: the load and the shares of what all nodes use
 * together shrink with their number, so that each node does what it did. */
void fb_slice_scenario(const struct fb_scenario *whole, uint32_t nodes, struct fb_scenario *slice);

/* Runs one seed of a slice with both networks, side by side unless side_by_side is 1. Errors: error
 * set, and the slice holds nothing. */
void fb_slice_run(const struct fb_scenario *whole, uint64_t seed, uint32_t nodes_max,
                  uint32_t side_by_side, bool is_quiet, struct fb_slice *slice,
                  struct fb_error *error);

/* Runs slices of 8, 16, ... nodes up to FB_SLICE_NODES as long as SimGrid can be expected to get
 * the next one done in minutes, and keeps the largest. Errors: as above, of the first one. */
void fb_slice_grow(const struct fb_scenario *whole, uint64_t seed, uint32_t side_by_side,
                   bool is_quiet, struct fb_slice *slice, struct fb_error *error);

/* Runs one seed of a slice as the experiment is scaled down, and unscaled: the scaled preset's
 * error. Errors: error set, and the slice holds nothing. */
void fb_slice_preset(const struct fb_scenario *scaled, const struct fb_scenario *unscaled,
                     const struct fb_slice_how *how, struct fb_slice *slice,
                     struct fb_error *error);

#endif
