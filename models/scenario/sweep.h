/* The points of an experiment: all combinations of the values that it sweeps; and what it would set
 * if it were not scaled down. */
#ifndef FB_MODELS_SCENARIO_SWEEP_H
#define FB_MODELS_SCENARIO_SWEEP_H

#include "base/document.h"

/* One point of a sweep: the assignments that make it. */
struct fb_point_setting {
    char name[96]; /* dotted key */
    char value[96];
};

/* Keys that a sweep has and points that they make, at most; bytes of an assignment with its
 * zero. */
enum { FB_SWEEP_KEYS_MAX = 6, FB_SWEEP_POINTS_MAX = 10000, FB_ASSIGNMENT_MAX = 192 };

/* A combination: a value of each key that is swept, in the file's order. */
struct fb_sweep_point {
    struct fb_point_setting settings[FB_SWEEP_KEYS_MAX];
    uint32_t setting_count;
};

/* Reads only the sweep of an experiment file: all combinations, first key slowest. One point
 * without settings when the file has no sweep. An assignment to a swept key pins it: the key is
 * then no part of the points. *points is the caller's to free. Errors: 0 and error set. */
uint32_t fb_sweep_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                       struct fb_sweep_point **points, struct fb_error *error);

/* Keys that `unscaled` has at most. */
enum { FB_UNSCALED_MAX = 12 };

/* Reads only the map `unscaled` of an experiment file: what it would set if it were not scaled down
 * to be simulated at its size, as assignments "key=value". Returns how many; 0: it is not scaled,
 * or error set. */
uint32_t fb_unscaled_load(const char *path, char assignments[FB_UNSCALED_MAX][FB_ASSIGNMENT_MAX],
                          struct fb_error *error);

#endif
