/* report.html: one file without scripts or network, made to be read, printed and forwarded. */
#include "base/file.h"
#include "results/internal.h"
#include "results/metric_names.h"

#include "results/results.h"
#include "version.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
    "<style>"
    ":root{--ink:#1c1f23;--soft:#5b636d;--line:#e2e5e9;--tint:#f6f7f9;--blue:#0072B2}"
    "*{box-sizing:border-box}body{margin:0;background:#fff;color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}"
    "main{max-width:860px;margin:0 auto;padding:40px 32px 64px}"
    "h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}"
    "h2{font-size:17px;margin:36px 0 8px}p{margin:6px 0}.soft{color:var(--soft)}"
    ".question{font-size:18px;margin:10px 0 18px;max-width:44em}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:12px;"
    "margin:20px 0}.tile{border:1px solid var(--line);border-radius:8px;padding:12px 14px}"
    ".tile b{display:block;font-size:22px;font-weight:600;letter-spacing:-.01em;"
    "font-variant-numeric:tabular-nums}.tile "
    "span{color:var(--soft);font-size:13px;line-height:1.35;"
    "display:block}.tile i{font-style:normal;color:var(--soft);font-size:13px}"
    "figure{margin:20px 0 8px;break-inside:avoid}figcaption{font-weight:600;margin:0 0 4px}"
    "figure svg{max-width:100%;height:auto;display:block}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}"
    "th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--line);"
    "vertical-align:bottom}th:first-child,td:first-child{text-align:left}"
    "th{color:var(--soft);font-weight:600}td em{font-style:normal;color:var(--soft)}"
    ".scroll td+td{white-space:nowrap}.scroll td em{display:block}"
    ".scroll{overflow-x:auto}details{margin:8px 0}summary{cursor:pointer;color:var(--blue)}"
    "pre{background:var(--tint);padding:12px 14px;border-radius:8px;font-size:12px;"
    "line-height:1.45;overflow:auto}code{font-size:13px;overflow-wrap:anywhere}"
    ".banner{background:#fdecea;border:1px solid #f3b6ae;color:#7a1c10;padding:10px 14px;"
    "border-radius:8px;margin:14px 0}.met{color:#00684a}.missed{color:#b3261e}"
    "ul{margin:6px 0;padding-left:20px}li{margin:2px 0}"
    "footer{margin-top:40px;border-top:1px solid var(--line);padding-top:14px;font-size:13px;"
    "color:var(--soft)}@media print{main{padding:0}details>*{display:block}}"
    "</style>";

static void put_escaped(FILE *stream, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '&')
            fputs("&amp;", stream);
        else if (*text == '<')
            fputs("&lt;", stream);
        else if (*text == '>')
            fputs("&gt;", stream);
        else
            fputc(*text, stream);
    }
}

static void put_paragraph(FILE *stream, const char *class, const char *text)
{
    fprintf(stream, "<p class=\"%s\">", class);
    put_escaped(stream, text);
    fputs("</p>\n", stream);
}

/* "97.3% ± 0.4%"; the interval is left out when there is none. */
static void put_estimate(FILE *stream, const char *name, const char *unit,
                         struct fb_estimate estimate, const char *tag)
{
    char text[48];
    if (estimate.n == 0) {
        fputs("–", stream);
        return;
    }
    fputs(fb_metric_format(name, unit, estimate.mean, text), stream);
    if (estimate.n > 1)
        fprintf(stream, " <%s>± %s</%s>", tag, fb_metric_format(name, unit, estimate.ci95, text),
                tag);
}

static void put_tiles(FILE *stream, const struct fb_point *point)
{
    fputs("<div class=\"tiles\">", stream);
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
        const char *name = fb_metric_headlines[i], *unit;
        char buffer[96], text[48];
        struct fb_estimate estimate = fb_point_estimate(point, name, &unit);
        if (estimate.n == 0)
            continue;
        fprintf(stream, "<div class=\"tile\"><span>%s</span><b>%s</b>",
                fb_metric_label(name, buffer, sizeof(buffer)),
                fb_metric_format(name, unit, estimate.mean, text));
        if (estimate.n > 1)
            fprintf(stream, "<i>± %s (95%%, %u seeds)</i>",
                    fb_metric_format(name, unit, estimate.ci95, text), estimate.n);
        fputs("</div>", stream);
    }
    fputs("</div>\n", stream);
}

/* One row a point: its parameters, then the headline metrics that any point has. */
static void put_points_table(FILE *stream, const struct fb_results *results)
{
    fputs("<h2>All points</h2><div class=\"scroll\"><table><tr><th>point</th>", stream);
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
        char buffer[96];
        const char *unit;
        if (fb_point_estimate(&results->points[0], fb_metric_headlines[i], &unit).n > 0)
            fprintf(stream, "<th>%s</th>",
                    fb_metric_label(fb_metric_headlines[i], buffer, sizeof(buffer)));
    }
    fputs("</tr>\n", stream);
    for (uint32_t p = 0; p < results->point_count; p++) {
        char name[256];
        fputs("<tr><td>", stream);
        put_escaped(stream, fb_point_name(&results->points[p], name, sizeof(name)));
        fputs("</td>", stream);
        for (uint32_t i = 0; fb_metric_headlines[i] != NULL; i++) {
            const char *unit;
            if (fb_point_estimate(&results->points[0], fb_metric_headlines[i], &unit).n == 0)
                continue;
            struct fb_estimate estimate =
                fb_point_estimate(&results->points[p], fb_metric_headlines[i], &unit);
            fputs("<td>", stream);
            put_estimate(stream, fb_metric_headlines[i], unit, estimate, "em");
            fputs("</td>", stream);
        }
        fputs("</tr>\n", stream);
    }
    fputs("</table></div>\n", stream);
}

static void put_metrics_table(FILE *stream, const struct fb_point *point)
{
    char name[256];
    fputs("<details><summary>Every metric of ", stream);
    put_escaped(stream, fb_point_name(point, name, sizeof(name)));
    fputs("</summary><table><tr><th>metric</th><th>mean ± 95%</th></tr>\n", stream);
    for (uint32_t m = 0; point->run_count > 0 && m < point->runs[0].metric_count; m++) {
        const char *metric = point->runs[0].metrics[m].name, *unit;
        struct fb_estimate estimate = fb_point_estimate(point, metric, &unit);
        fprintf(stream, "<tr><td>%s</td><td>", metric);
        put_estimate(stream, metric, unit, estimate, "em");
        fputs("</td></tr>\n", stream);
    }
    fputs("</table></details>\n", stream);
}

static void put_plots(FILE *stream, const struct fb_plot *plots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fputs("<figure><figcaption>", stream);
        put_escaped(stream, plots[i].title);
        fputs("</figcaption>", stream);
        const char *svg = plots[i].svg != NULL ? strstr(plots[i].svg, "<svg") : NULL;
        if (svg != NULL)
            fputs(svg, stream);
        else
            fprintf(stream,
                    "<p class=\"soft\">Not drawn: gnuplot failed or is missing; "
                    "<code>gnuplot %s.gp</code> draws it.</p>",
                    plots[i].name);
        fputs("</figure>\n", stream);
    }
}

static void put_list(FILE *stream, const char *title, const char *const *items, uint32_t count)
{
    if (count == 0)
        return;
    fprintf(stream, "<h2>%s</h2><ul>", title);
    for (uint32_t i = 0; i < count; i++) {
        fputs("<li>", stream);
        put_escaped(stream, items[i]);
        fputs("</li>\n", stream);
    }
    fputs("</ul>\n", stream);
}

static void put_expectations(FILE *stream, const struct fb_results *results)
{
    if (results->expect[0] != 0) {
        fputs("<h2>Expected</h2>", stream);
        put_paragraph(stream, "", results->expect);
    }
    if (results->expectation_count == 0)
        return;
    fputs("<ul>", stream);
    for (uint32_t i = 0; i < results->expectation_count; i++) {
        bool is_met = results->expectations[i].is_met;
        fprintf(stream, "<li><b class=\"%s\">%s</b> ", is_met ? "met" : "missed",
                is_met ? "met" : "not met");
        put_escaped(stream, results->expectations[i].text);
        fputs("</li>\n", stream);
    }
    fputs("</ul>\n", stream);
}

static void put_reproduction(FILE *stream, const struct fb_results *results)
{
    const struct fb_point *point = &results->points[0];
    char hex[65];
    fb_results_config_hash(results, hex);
    fprintf(stream,
            "<footer>forebay %s, source %s, engine %s, %u point%s, %u seed%s from %llu. "
            "Determinism hash <code>%016llx</code>, config SHA-256 <code>%.16s</code>. "
            "The same version, config and seeds give this file again, byte for byte.",
            FB_VERSION, FB_GIT_SHA, results->engine, results->point_count,
            results->point_count == 1 ? "" : "s", point->run_count,
            point->run_count == 1 ? "" : "s",
            (unsigned long long)(point->run_count > 0 ? point->runs[0].seed : 0),
            (unsigned long long)fb_results_hash(results), hex);
    fputs(" Data: <code>summary.json</code>, <code>series.csv</code>, "
          "<code>per_entity.csv</code>; redraw: <code>gnuplot NAME.gp</code>.</footer>\n",
          stream);
}

static void put_transport(FILE *stream, const struct fb_results *results)
{
    fputs("<p class=\"soft\">Transport: ", stream);
    put_escaped(stream, results->transport);
    fputs("</p>\n", stream);
}

static void put_body(FILE *stream, const struct fb_results *results, const struct fb_plot *plots,
                     uint32_t plot_count)
{
    fputs("<main><p class=\"soft\">Forebay experiment</p><h1>", stream);
    put_escaped(stream, results->experiment);
    fputs("</h1>\n", stream);
    put_paragraph(stream, "question", results->question);
    put_transport(stream, results);
    if (results->is_partial)
        fputs("<div class=\"banner\">Partial: the run was stopped before its end. Figures cover "
              "only what was simulated.</div>\n",
              stream);
    if (results->point_count == 1)
        put_tiles(stream, &results->points[0]);
    put_expectations(stream, results);
    if (results->point_count > 1)
        put_points_table(stream, results);
    char advice[1024];
    if (fb_advice_text(results, advice, sizeof(advice))[0] != 0) {
        fputs("<h2>Which to use</h2>", stream);
        put_paragraph(stream, "advice", advice);
    }
    fputs("<h2>Figures</h2>", stream);
    put_plots(stream, plots, plot_count);
    if (results->slice != NULL)
        fb_slice_report(stream, results->slice);
    if (results->preset_error != NULL)
        fb_slice_report(stream, results->preset_error);
    put_list(stream, "Warnings", results->warnings, results->warning_count);
    put_list(stream, "Guesses that the model rests on", results->guesses, results->guess_count);
    fputs("<h2>Details</h2>", stream);
    for (uint32_t p = 0; p < results->point_count && p < 12; p++)
        put_metrics_table(stream, &results->points[p]);
    fputs("<details><summary>Resolved configuration</summary><pre>", stream);
    put_escaped(stream, results->configs[0]);
    fputs("</pre></details>\n", stream);
    put_reproduction(stream, results);
    fputs("</main>\n", stream);
}

void fb_report_write(const struct fb_results *results, const char *folder,
                     const struct fb_plot *plots, uint32_t plot_count, struct fb_error *error)
{
    struct fb_file file;
    fb_file_open(&file, folder, "report.html", error);
    if (file.stream != NULL) {
        fputs("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<meta name=\"viewport\" content=\"width=device-width\"><title>",
              file.stream);
        put_escaped(file.stream, results->experiment);
        fprintf(file.stream, " - Forebay</title>%s</head><body>\n", style);
        put_body(file.stream, results, plots, plot_count);
        fputs("</body></html>\n", file.stream);
    }
    fb_file_commit(&file, error);
}
