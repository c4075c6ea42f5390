/* Checks that an experiment file makes of its own results, for `forebay run --expect`:
 *     checks:
 *       - {metric: prefix_hit_ratio, at: {core.memory_blocks: 5859}, min: 0.13545, max: 0.13555}
 *       - {metric: fan_out_p99_s, at: {inject: true}, over: {inject: false}, max: 1.2}
 * `at` chooses points by parameter (all points when left out); min and max are inclusive, one
 * may be left out. With `over`, what is checked is the ratio to the point that differs in nothing
 * but the parameters that it gives; with `minus`, the difference. */
#ifndef FB_RESULTS_EXPECT_H
#define FB_RESULTS_EXPECT_H

#include "results/results.h"

/* One check as the experiment has it. */
struct fb_check {
    char metric[64];
    struct fb_parameter at[FB_PARAMETERS_MAX];
    uint32_t at_count;
    struct fb_parameter over[FB_PARAMETERS_MAX];
    uint32_t over_count; /* 0: the value itself */
    bool is_difference;  /* `minus` */
    double min, max;
};

/* Reads `checks` of an experiment; returns how many. *checks is the caller's to free. Errors:
 * error set: the file; a metric or range that is missing; more keys than a point can have. */
uint32_t fb_checks_load(const char *path, struct fb_check **checks, struct fb_error *error);

/* What checks gave, in the order in which they were evaluated. */
struct fb_expectations {
    struct fb_expectation *list; /* the caller's to free */
    uint32_t count;
};

/* Evaluates one check on every point that it names: one expectation a point is appended. A check
 * that names no point, or a metric that is missing, is not met. Errors: error set: no memory. */
void fb_check_evaluate(const struct fb_check *check, const struct fb_results *results,
                       struct fb_expectations *expectations, struct fb_error *error);

#endif
