/* The comparison of a slice's two runs (run_slice.c), for the manifest, the report and the
 * terminal: headline metrics that both runs have, and how far what is simulated is from what it
 * stands for. */
#include "results/internal.h"

#include "core/panic.h"
#include "results/metric_names.h"
#include "results/results.h"

#include <math.h>
#include <string.h>

/* What the two runs are called. */
struct names {
    const char *title, *reference, *subject;
    const char *reference_key, *subject_key;
    const char *prefix;
};

static const struct names *names_of(const struct fb_slice *slice)
{
    static const struct names names[] = {
        [FB_SLICE_NETWORK] = {.title = "The network's model",
                              .reference = "SimGrid (lmm)",
                              .subject = "fluid",
                              .reference_key = "lmm",
                              .subject_key = "fluid",
                              .prefix = ""},
        [FB_SLICE_PRESET] = {.title = "The scaled preset",
                             .reference = "unscaled",
                             .subject = "scaled",
                             .reference_key = "unscaled",
                             .subject_key = "scaled",
                             .prefix = "preset error, "},
    };
    return &names[slice->kind];
}

static void claim_text(enum fb_slice_kind kind, double percent, char *text, size_t size)
{
    if (kind == FB_SLICE_NETWORK)
        snprintf(text, size, "fluid is within %.2f%% of SimGrid's own flows", percent);
    else
        snprintf(text, size, "scaled is within %.2f%% of unscaled", percent);
}

static const struct fb_metric *metric_find(const struct fb_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->metric_count; i++)
        if (strcmp(run->metrics[i].name, name) == 0)
            return &run->metrics[i];
    return NULL;
}

uint32_t fb_slice_rows(const struct fb_slice *slice, struct fb_slice_row rows[FB_SLICE_ROWS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
        FB_ASSERT(count < FB_SLICE_ROWS_MAX);
        const struct fb_metric *reference = metric_find(&slice->reference, fb_metric_headlines[i]);
        const struct fb_metric *subject = metric_find(&slice->subject, fb_metric_headlines[i]);
        if (reference == NULL || subject == NULL)
            continue;
        /* Scaled down there is less to check: that is no error. */
        if (slice->kind == FB_SLICE_PRESET && strcmp(reference->name, "oracle_checks") == 0)
            continue;
        double apart = subject->value - reference->value;
        rows[count++] = (struct fb_slice_row){
            .metric = reference->name,
            .unit = reference->unit,
            .reference = reference->value,
            .subject = subject->value,
            .difference = apart == 0 ? 0 : apart / fabs(reference->value),
        };
    }
    return count;
}

json_t *fb_slice_json(const struct fb_slice *slice)
{
    const struct names *names = names_of(slice);
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    uint32_t count = fb_slice_rows(slice, rows);
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < count; i++) {
        json_t *difference =
            isfinite(rows[i].difference) ? json_real(rows[i].difference) : json_null();
        json_object_set_new(metrics, rows[i].metric,
                            json_pack("{s:s,s:f,s:f,s:o}", "unit", rows[i].unit,
                                      names->reference_key, rows[i].reference, names->subject_key,
                                      rows[i].subject, "difference", difference));
    }
    return json_pack("{s:i,s:i,s:s,s:o,s:o}", "nodes", (int)slice->nodes, "of_nodes",
                     (int)slice->nodes_all, "point", slice->point, "seed",
                     fb_json_unsigned(slice->seed), "metrics", metrics);
}

void fb_slice_text(const struct fb_slice *slice, char *text, size_t size)
{
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    char buffer[96], claim[96] = "";
    const struct names *names = names_of(slice);
    uint32_t count = fb_slice_rows(slice, rows);
    uint32_t worst = 0;
    for (uint32_t i = 1; i < count; i++)
        if (fabs(rows[i].difference) > fabs(rows[worst].difference))
            worst = i;
    if (count > 0)
        claim_text(slice->kind, fabs(rows[worst].difference) * 100, claim, sizeof(claim));
    if (count == 0)
        snprintf(text, size, "%sslice of %u nodes: no metric to compare", names->prefix,
                 slice->nodes);
    else
        snprintf(text, size,
                 "%sslice of %u of %u nodes, seed %llu: %s in all of %u metrics (furthest: %s)",
                 names->prefix, slice->nodes, slice->nodes_all, (unsigned long long)slice->seed,
                 claim, count, fb_metric_label(rows[worst].metric, buffer, sizeof(buffer)));
}

void fb_slice_report(FILE *stream, const struct fb_slice *slice)
{
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    char text[320], buffer[96];
    const struct names *names = names_of(slice);
    uint32_t count = fb_slice_rows(slice, rows);
    fb_slice_text(slice, text, sizeof(text));
    fprintf(
        stream,
        "<h2>%s</h2><p>%s. Each node does what it does in the whole run; what all use together is "
        "cut by their "
        "number.</p>\n<table><tr><th>metric</th><th>%s</th><th>%s</th><th>difference</th></tr>\n",
        names->title, text, names->reference, names->subject);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_slice_row *row = &rows[i];
        fprintf(stream, "<tr><td>%s</td><td>%s</td>",
                fb_metric_label(row->metric, buffer, sizeof(buffer)),
                fb_metric_format(row->metric, row->unit, row->reference, text));
        fprintf(stream, "<td>%s</td>",
                fb_metric_format(row->metric, row->unit, row->subject, text));
        if (isfinite(row->difference))
            fprintf(stream, "<td>%+.3f%%</td></tr>\n", row->difference * 100);
        else
            fputs("<td>–</td></tr>\n", stream);
    }
    fputs("</table>\n", stream);
}
