/* Writes a results folder. The manifest comes last: a folder without a
 * manifest of its own run is not a result. */
#include "base/file.h"
#include "results/internal.h"
#include "results/results.h"

#include <stdlib.h>
#include <unistd.h>

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
