/* How metrics are shown: labels for people, and values in units that they use. */
#ifndef FB_RESULTS_METRIC_NAMES_H
#define FB_RESULTS_METRIC_NAMES_H

#include "results/results.h"

/* Label of a metric, e.g. "Accelerator utilisation (AU)"; the name itself with blanks when
 * unknown. */
const char *fb_metric_label(const char *name, char *buffer, size_t size);

/* Value with unit: "97.3%", "48.2 GB/s", "1.23 ms", "1,024". text holds 48 bytes. */
const char *fb_metric_format(const char *name, const char *unit, double value, char *text);

/* Factor and unit for an axis: value * factor in unit. */
double fb_metric_axis(const char *name, const char *unit, double largest, const char **axis_unit);

bool fb_metric_is_share(const char *name, const char *unit);

/* Metrics worth a tile or a column, most important first; NULL ends the list. */
extern const char *const fb_metric_headlines[];

/* What each run that has the metric has, by seed, and its unit; how many do. values: room for one
 * of each run of the point. */
uint32_t fb_point_values(const struct fb_point *point, const char *name, double *values,
                         const char **unit);

/* Mean and interval of a metric over a point's runs; n is 0 when no run has it. */
struct fb_estimate fb_point_estimate(const struct fb_point *point, const char *name,
                                     const char **unit);

#endif
