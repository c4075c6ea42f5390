/* Nanoseconds and retired user-space instructions between two points of this thread. */
#ifndef FB_CLI_COUNTER_H
#define FB_CLI_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

struct fb_counter {
    int file; /* perf event; -1: not available (virtual machine, container, paranoid kernel) */
    uint64_t begin_ns;
    uint64_t begin_instructions;
    uint64_t ns;           /* set by fb_counter_end */
    uint64_t instructions; /* 0 when not available */
};

void fb_counter_open(struct fb_counter *counter);
void fb_counter_close(struct fb_counter *counter);
bool fb_counter_has_instructions(const struct fb_counter *counter);

void fb_counter_begin(struct fb_counter *counter);
void fb_counter_end(struct fb_counter *counter);

#endif
