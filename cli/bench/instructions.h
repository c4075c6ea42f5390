/* How many instructions a function retires. */
#ifndef FB_CLI_BENCH_INSTRUCTIONS_H
#define FB_CLI_BENCH_INSTRUCTIONS_H

#include <stdint.h>

/* Runs function(argument) in a child process and counts its user-space instructions; what it does
 * to memory stays in the child. 0: the system forbids tracing a child. */
uint64_t fb_instructions_count(void (*function)(void *argument), void *argument);

#endif
