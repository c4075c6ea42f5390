/* Options of `forebay run`. */
#ifndef FB_CLI_RUN_RUN_OPTIONS_H
#define FB_CLI_RUN_RUN_OPTIONS_H

#include "base/document.h"

#include <stdbool.h>
#include <stdint.h>

/* How often --set may be given. */
enum { FB_ASSIGNMENTS_MAX = 64 };

/* The options as they were given; texts are argv's own. */
struct fb_run_options {
    const char *experiment; /* path */
    const char *folder;     /* --out; NULL: results/EXPERIMENT */
    const char *assignments[FB_ASSIGNMENTS_MAX];
    uint32_t assignment_count;
    uint64_t seed; /* 0: the experiment's */
    uint32_t seeds;
    uint32_t jobs; /* 0: as many as there are cores */
    bool does_slice;
    uint32_t slice_nodes;      /* 0: as many as SimGrid gets done in minutes */
    uint64_t memory_max_bytes; /* 0: nearly all of this machine's */
    bool does_expect, is_quiet;
};

/* Errors: error set, exit code 2. */
void fb_run_options_parse(int argc, char **argv, struct fb_run_options *options,
                          struct fb_error *error);

#endif
