/* The comparison of a slice's two runs (run_slice.c), for the manifest, the report and the
 * terminal: headline metrics that both runs have, and how far fluid is from lmm. */
#include "results/internal.h"
#include "results/metric_names.h"

#include <math.h>
#include <string.h>

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
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL && count < FB_SLICE_ROWS_MAX; i++) {
        const struct fb_metric *lmm = metric_find(&slice->lmm, fb_metric_headlines[i]);
        const struct fb_metric *fluid = metric_find(&slice->fluid, fb_metric_headlines[i]);
        if (lmm == NULL || fluid == NULL)
            continue;
        double apart = fluid->value - lmm->value;
        rows[count++] = (struct fb_slice_row){
            .metric = lmm->name,
            .unit = lmm->unit,
            .lmm = lmm->value,
            .fluid = fluid->value,
            .difference = apart == 0 ? 0 : apart / fabs(lmm->value),
        };
    }
    return count;
}

json_t *fb_slice_json(const struct fb_slice *slice)
{
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    uint32_t count = fb_slice_rows(slice, rows);
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < count; i++) {
        json_t *difference =
            isfinite(rows[i].difference) ? json_real(rows[i].difference) : json_null();
        json_object_set_new(metrics, rows[i].metric,
                            json_pack("{s:s,s:f,s:f,s:o}", "unit", rows[i].unit, "lmm", rows[i].lmm,
                                      "fluid", rows[i].fluid, "difference", difference));
    }
    return json_pack("{s:i,s:i,s:s,s:I,s:o}", "nodes", (int)slice->nodes, "of_nodes",
                     (int)slice->nodes_all, "point", slice->point, "seed", (json_int_t)slice->seed,
                     "metrics", metrics);
}

void fb_slice_text(const struct fb_slice *slice, char *text, size_t size)
{
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    char buffer[96];
    uint32_t count = fb_slice_rows(slice, rows);
    uint32_t worst = 0;
    for (uint32_t i = 1; i < count; i++)
        if (fabs(rows[i].difference) > fabs(rows[worst].difference))
            worst = i;
    if (count == 0)
        snprintf(text, size, "slice of %u nodes: no metric to compare", slice->nodes);
    else
        snprintf(text, size,
                 "slice of %u of %u nodes, seed %llu: fluid is within %.2f%% of SimGrid's own "
                 "flows in all of %u metrics (furthest: %s)",
                 slice->nodes, slice->nodes_all, (unsigned long long)slice->seed,
                 fabs(rows[worst].difference) * 100, count,
                 fb_metric_label(rows[worst].metric, buffer, sizeof(buffer)));
}

void fb_slice_report(FILE *stream, const struct fb_slice *slice)
{
    struct fb_slice_row rows[FB_SLICE_ROWS_MAX];
    char text[320], buffer[96];
    uint32_t count = fb_slice_rows(slice, rows);
    fb_slice_text(slice, text, sizeof(text));
    fprintf(stream,
            "<h2>The network's model</h2><p>%s. Each node does what it does in the whole run; what "
            "all use together is cut by their number.</p>\n<table><tr><th>metric</th><th>SimGrid "
            "(lmm)</th><th>fluid</th><th>difference</th></tr>\n",
            text);
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_slice_row *row = &rows[i];
        fprintf(stream, "<tr><td>%s</td><td>%s</td>",
                fb_metric_label(row->metric, buffer, sizeof(buffer)),
                fb_metric_format(row->metric, row->unit, row->lmm, text));
        fprintf(stream, "<td>%s</td>", fb_metric_format(row->metric, row->unit, row->fluid, text));
        if (isfinite(row->difference))
            fprintf(stream, "<td>%+.3f%%</td></tr>\n", row->difference * 100);
        else
            fputs("<td>–</td></tr>\n", stream);
    }
    fputs("</table>\n", stream);
}
