/* The summary for a terminal: a list for one point, a table with a row a point for a sweep. */
#include "results/internal.h"
#include "results/metric_names.h"
#include "results/results.h"

#include <string.h>
#include <unistd.h>

enum { COLUMNS_MAX = 6 };

/* Some point has it, and not as a plain zero. */
static bool is_telling(const struct fb_results *results, const char *metric)
{
    const char *unit;
    for (uint32_t p = 0; p < results->point_count; p++) {
        if (fb_point_estimate(&results->points[p], metric, &unit).mean != 0)
            return true;
    }
    return false;
}

static void print_list(const struct fb_results *results, const struct fb_point *point)
{
    char buffer[96], text[48];
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
        const char *metric = fb_metric_headlines[i], *unit;
        struct fb_estimate estimate = fb_point_estimate(point, metric, &unit);
        if (estimate.n == 0 || !is_telling(results, metric))
            continue;
        printf("  %-44s %12s", fb_metric_label(metric, buffer, sizeof(buffer)),
               fb_metric_format(metric, unit, estimate.mean, text));
        if (estimate.n > 1)
            printf("  ± %s", fb_metric_format(metric, unit, estimate.ci95, text));
        printf("\n");
    }
}

/* "fluid, 8" for parameters simulation.network and cluster.nodes, whose names the header has. */
static void print_values(const struct fb_point *point)
{
    char text[200] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < point->parameter_count && at < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? ", " : "",
                               point->parameters[i].value);
    printf("  %-28s", text);
}

static void print_header(const struct fb_point *point, const char *const *metrics, uint32_t count)
{
    char buffer[96];
    for (uint32_t i = 0; i < count; i++)
        printf("  %c  %s\n", 'A' + i, fb_metric_label(metrics[i], buffer, sizeof(buffer)));
    char text[200] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < point->parameter_count && at < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? ", " : "",
                               point->parameters[i].name);
    printf("  %-28s", text);
    for (uint32_t i = 0; i < count; i++)
        printf(" %12c", 'A' + i);
    printf("\n");
}

static void print_table(const struct fb_results *results)
{
    const char *metrics[COLUMNS_MAX];
    char text[48];
    uint32_t count = 0, left = 0;
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
        bool is_column = is_telling(results, fb_metric_headlines[i]);
        if (is_column && count < COLUMNS_MAX)
            metrics[count++] = fb_metric_headlines[i];
        else
            left += is_column;
    }
    print_header(&results->points[0], metrics, count);
    for (uint32_t p = 0; p < results->point_count; p++) {
        print_values(&results->points[p]);
        for (uint32_t i = 0; i < count; i++) {
            const char *unit;
            struct fb_estimate estimate = fb_point_estimate(&results->points[p], metrics[i], &unit);
            printf(" %12s",
                   estimate.n == 0 ? "-" : fb_metric_format(metrics[i], unit, estimate.mean, text));
        }
        printf("\n");
    }
    if (left > 0)
        printf("%u more columns: summary.json\n", left);
}

void fb_results_print(const struct fb_results *results)
{
    bool is_terminal = isatty(STDOUT_FILENO);
    printf("%s%s%s\n", is_terminal ? "\033[1m" : "", results->experiment,
           is_terminal ? "\033[0m" : "");
    if (results->point_count == 1)
        print_list(results, &results->points[0]);
    else if (results->point_count > 1)
        print_table(results);
    printf("transport: %s\n", results->transport);
    char advice[1024];
    if (fb_advice_text(results, advice, sizeof(advice))[0] != 0)
        printf("%s\n", advice);
}
