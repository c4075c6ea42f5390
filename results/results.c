/* Writes a results folder and prints the summary. The manifest comes last: a folder without a
 * manifest of its own run is not a result. */
#include "results/internal.h"
#include "results/metric_names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fb_run_free(struct fb_run *run)
{
    free(run->metrics);
    free(run->series);
    free(run->entities);
    free(run->latencies);
    memset(run, 0, sizeof(*run));
}

void fb_results_write(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    struct fb_plot plots[FB_PLOTS_MAX];
    char manifest[1200];
    fb_folder_make(folder, error);
    if (fb_error_is_set(error))
        return;
    snprintf(manifest, sizeof(manifest), "%s/manifest.json", folder);
    unlink(manifest); /* an older run's; the folder is incomplete from here on */
    fb_summary_write(results, folder, error);
    if (!fb_error_is_set(error))
        fb_csv_write(results, folder, error);
    uint32_t count = 0;
    if (!fb_error_is_set(error))
        count = fb_plots_write(results, folder, plots, error);
    if (!fb_error_is_set(error))
        fb_report_write(results, folder, plots, count, error);
    for (uint32_t i = 0; i < count; i++)
        free(plots[i].svg);
    if (!fb_error_is_set(error))
        fb_manifest_write(results, folder, error);
}

void fb_results_print(const struct fb_results *results)
{
    char name[256], buffer[96], text[48];
    bool is_terminal = isatty(STDOUT_FILENO);
    const char *bold = is_terminal ? "\033[1m" : "", *plain = is_terminal ? "\033[0m" : "";
    for (uint32_t p = 0; p < results->point_count; p++) {
        const struct fb_point *point = &results->points[p];
        printf("%s%s%s  %s\n", bold, results->experiment, plain,
               point->parameter_count > 0 ? fb_point_name(point, name, sizeof(name)) : "");
        for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
            const char *metric = fb_metric_headlines[i], *unit;
            struct fb_estimate estimate = fb_point_estimate(point, metric, &unit);
            if (estimate.n == 0)
                continue;
            printf("  %-44s %12s", fb_metric_label(metric, buffer, sizeof(buffer)),
                   fb_metric_format(metric, unit, estimate.mean, text));
            if (estimate.n > 1)
                printf("  ± %s", fb_metric_format(metric, unit, estimate.ci95, text));
            printf("\n");
        }
    }
}
