/* The writers of a results folder, one file each; called by results.c. */
#ifndef FB_RESULTS_INTERNAL_H
#define FB_RESULTS_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fb_error;
struct fb_results;
struct fb_slice;

void fb_summary_write(const struct fb_results *results, const char *folder, struct fb_error *error);
void fb_manifest_write(const struct fb_results *results, const char *folder,
                       struct fb_error *error);
void fb_csv_write(const struct fb_results *results, const char *folder, struct fb_error *error);

/* A plot of the report: its title, and where its parts are. */
struct fb_plot {
    char name[32]; /* NAME.gp, NAME.dat, NAME.svg */
    char title[160];
    char *svg; /* malloc'ed; NULL: gnuplot failed */
};

enum { FB_PLOTS_MAX = 10 };

/* Writes *.dat and *.gp, runs gnuplot, reads the SVG back. Returns how many there are. */
uint32_t fb_plots_write(const struct fb_results *results, const char *folder,
                        struct fb_plot plots[FB_PLOTS_MAX], struct fb_error *error);

/* Writes the text as gnuplot's 'string'. */
void fb_plot_text(FILE *script, const char *text);

/* Writes NAME.dat and NAME.gp of a metric over the sweep; false: there is no sweep or no such
 * metric. */
bool fb_plot_sweep(const struct fb_results *results, const char *folder, const char *name,
                   const char *metric, struct fb_error *error);

void fb_report_write(const struct fb_results *results, const char *folder,
                     const struct fb_plot *plots, uint32_t plot_count, struct fb_error *error);

/* SHA-256 over the points' configs, one after another. */
void fb_results_config_hash(const struct fb_results *results, char hex[65]);

/* Hash over every run's determinism hash, in order. */
uint64_t fb_results_hash(const struct fb_results *results);

/* A headline metric of a slice's two runs. */
struct fb_slice_row {
    const char *metric, *unit;
    double reference, subject;
    double difference; /* of subject, over reference; infinite when that has 0 */
};

enum { FB_SLICE_ROWS_MAX = 32 };

uint32_t fb_slice_rows(const struct fb_slice *slice, struct fb_slice_row rows[FB_SLICE_ROWS_MAX]);
json_t *fb_slice_json(const struct fb_slice *slice);
void fb_slice_report(FILE *stream, const struct fb_slice *slice);

/* What the figures of a placement experiment say one should use, and why, as a sentence or two; ""
 * when they are of something else. */
const char *fb_advice_text(const struct fb_results *results, char *text, size_t size);

/* A number up to UINT64_MAX; fb_json_write makes it one. */
json_t *fb_json_unsigned(uint64_t value);

void fb_json_write(json_t *root, const char *folder, const char *name, struct fb_error *error);

#endif
