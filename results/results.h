/* What runs of an experiment gave, and the folder that it becomes (DESIGN.md section 8):
 * manifest.json, summary.json, series.csv, per_entity.csv, report.html, and *.gp with *.dat to
 * redraw.
 *
 * Everything but wall-clock fields (wall_s, events_per_s, peak_rss_bytes, started_at) is the
 * same for the same seeds and config, byte for byte. Files are written to a temporary name and
 * renamed, so that nothing half-written looks whole; manifest.json comes last and says
 * "complete" or "partial". */
#ifndef FB_RESULTS_RESULTS_H
#define FB_RESULTS_RESULTS_H

#include "base/document.h"
#include "sim/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key of the sweep and its value at a point, as the file has them. */
struct fb_parameter {
    char name[96], value[96];
};

enum { FB_PARAMETERS_MAX = 8 }; /* of a point; a sweep has fewer keys, and refuses more */

/* One point of the sweep with its seeds' runs. */
struct fb_point {
    char system[64];
    struct fb_parameter parameters[FB_PARAMETERS_MAX];
    uint32_t parameter_count;
    struct fb_run *runs;
    uint32_t run_count;
};

struct fb_expectation { /* result of one check of --expect */
    char text[256];
    bool is_met;
};

/* What a slice compares: the fluid network with SimGrid's own flows, or the experiment as it is
 * scaled down with the same unscaled. */
enum fb_slice_kind { FB_SLICE_NETWORK, FB_SLICE_PRESET };

/* One seed of at most so many nodes, once as it should be and once as it is simulated. */
struct fb_slice {
    enum fb_slice_kind kind;
    uint32_t nodes, nodes_all;
    char point[256]; /* of the sweep */
    uint64_t seed;
    struct fb_run reference, subject;
};

/* All that a results folder is made of. Whoever fills it in owns what it points to. */
struct fb_results {
    char experiment[64];
    char question[512];
    char expect[512];
    char engine[64];            /* name and version */
    char transport[256];        /* of all points, and whether this build has it, in a line */
    const char *const *configs; /* resolved YAML of each point */
    const char *const *inputs;  /* files to hash into the manifest */
    uint32_t input_count;
    const char *const *guesses;
    uint32_t guess_count;
    const char *const *warnings;
    uint32_t warning_count;
    const struct fb_expectation *expectations;
    uint32_t expectation_count;
    const struct fb_slice *slice;        /* NULL: not checked */
    const struct fb_slice *preset_error; /* NULL: not scaled, or not measured */
    struct fb_point *points;
    uint32_t point_count;
    bool is_partial;
    double wall_s;
    uint32_t jobs;
};

/* Writes the folder (made if missing). Errors: error set: cannot create, disk full; what was
 * renamed before stays, and manifest.json is missing or older. */
void fb_results_write(const struct fb_results *results, const char *folder, struct fb_error *error);

/* "cluster.nodes=8, core.policy=lru", or "(one point)". */
const char *fb_point_name(const struct fb_point *point, char *text, size_t size);

/* What a slice shows, in a line. */
void fb_slice_text(const struct fb_slice *slice, char *text, size_t size);

/* Prints the summary table for a terminal: one line a point, main metrics with confidence
 * intervals. */
void fb_results_print(const struct fb_results *results);

/* A mean over n runs, and how sure it is. */
struct fb_estimate {
    double mean;
    double ci95; /* half-width of the 95% confidence interval (Student's t); 0 when n < 2 */
    uint32_t n;
};

/* The mean of `count` values and its interval. */
struct fb_estimate fb_estimate_of(const double *values, uint32_t count);

#endif
