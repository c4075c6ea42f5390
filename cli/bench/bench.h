/* Benchmarks of `forebay bench`. Each gets argv from its own name on, prints its figures and
 * returns the exit code. All take --json, which prints one JSON object instead of text. */
#ifndef FB_CLI_BENCH_BENCH_H
#define FB_CLI_BENCH_BENCH_H

#include <stdint.h>

/* Bytes of the path of a benchmark's file, with its zero. */
enum { FB_BENCH_PATH_BYTES = 256 };

int fb_bench_step(int argc, char **argv);  /* cost of one step of the core */
uint64_t fb_bench_step_ns(void);           /* its mean over a hit and a miss, a million blocks */
int fb_bench_cache(int argc, char **argv); /* index and eviction policies on a trace */
int fb_bench_fluid(int argc, char **argv); /* coupled flows, beside SimGrid's */
int fb_bench_scale(int argc, char **argv); /* the whole simulator, by nodes */
int fb_bench_place(int argc, char **argv); /* partition tables: builds and lookups */

/* Makes and opens a file under TMPDIR, which the benchmark unlinks. -1: it cannot be had. */
int fb_bench_file(char path[FB_BENCH_PATH_BYTES], const char *ending);

#endif
