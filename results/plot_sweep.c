/* A metric over a sweep: x is the numeric parameter with the most values, one curve for each
 * combination of the others; bars when no parameter is numeric. Error bars are 95% confidence
 * intervals. */
#include "base/file.h"
#include "results/internal.h"
#include "results/metric_names.h"
#include "results/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CURVES_MAX = 7 };

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text != 0 && *end == 0;
}

static uint32_t distinct_values(const struct fb_results *results, uint32_t parameter)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < results->point_count; p++) {
        bool is_new = true;
        for (uint32_t q = 0; q < p && is_new; q++)
            is_new = strcmp(results->points[p].parameters[parameter].value,
                            results->points[q].parameters[parameter].value) != 0;
        count += is_new;
    }
    return count;
}

/* The x parameter, or UINT32_MAX when none is numeric with two values or more. */
static uint32_t choose_axis(const struct fb_results *results)
{
    uint32_t best = UINT32_MAX, most = 1;
    for (uint32_t i = 0; i < results->points[0].parameter_count; i++) {
        bool is_numeric = true;
        for (uint32_t p = 0; p < results->point_count; p++)
            is_numeric = is_numeric && is_number(results->points[p].parameters[i].value);
        uint32_t values = is_numeric ? distinct_values(results, i) : 0;
        if (values > most) {
            most = values;
            best = i;
        }
    }
    return best;
}

/* The curve a point belongs to: its parameters but x. */
static void curve_name(const struct fb_point *point, uint32_t axis, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < point->parameter_count && at < size; i++) {
        if (i == axis)
            continue;
        const char *dot = strrchr(point->parameters[i].name, '.');
        at += (size_t)snprintf(text + at, size - at, "%s%s %s", at > 0 ? ", " : "",
                               dot != NULL ? dot + 1 : point->parameters[i].name,
                               point->parameters[i].value);
    }
}

struct sweep_sheet {
    struct fb_file data, script;
    double factor;
    const char *unit;
};

static bool sheet_open(struct sweep_sheet *sheet, const struct fb_results *results,
                       const char *folder, const char *name, const char *metric,
                       struct fb_error *error)
{
    char file[64];
    const char *unit = "";
    double largest = 0;
    for (uint32_t p = 0; p < results->point_count; p++)
        largest = fmax(largest, fb_point_estimate(&results->points[p], metric, &unit).mean);
    sheet->factor = fb_metric_axis(metric, unit, largest, &sheet->unit);
    snprintf(file, sizeof(file), "%s.dat", name);
    fb_file_open(&sheet->data, folder, file, error);
    snprintf(file, sizeof(file), "%s.gp", name);
    fb_file_open(&sheet->script, folder, file, error);
    return !fb_error_is_set(error);
}

static void script_head(struct sweep_sheet *sheet, const char *name, const char *metric)
{
    char buffer[96], label[160];
    snprintf(label, sizeof(label), "%s%s%s", fb_metric_label(metric, buffer, sizeof(buffer)),
             sheet->unit[0] ? ", " : "", sheet->unit);
    fprintf(sheet->script.stream,
            "set terminal svg size 760,340 dynamic font 'Helvetica,13' background '#ffffff'\n"
            "set output '%s.svg'\nset border 3 lc rgb '#888888'\n"
            "set tics nomirror out scale 0.5 textcolor rgb '#333333'\n"
            "set grid ytics lc rgb '#e4e4e4' lw 1\nset yrange [0:*]\n"
            "set key outside top left horizontal samplen 2 textcolor rgb '#333333' noenhanced\n"
            "set ylabel noenhanced ",
            name);
    fb_plot_text(sheet->script.stream, label);
    fputs("\n", sheet->script.stream);
}

static void point_line(struct sweep_sheet *sheet, const struct fb_point *point, const char *metric,
                       const char *x)
{
    const char *unit;
    struct fb_estimate estimate = fb_point_estimate(point, metric, &unit);
    if (estimate.n > 0)
        fprintf(sheet->data.stream, "%s %.9g %.9g\n", x, estimate.mean * sheet->factor,
                estimate.ci95 * sheet->factor);
}

static void write_curves(struct sweep_sheet *sheet, const struct fb_results *results,
                         const char *name, const char *metric, uint32_t axis)
{
    static const char *const colours[CURVES_MAX] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                    "#E69F00", "#56B4E9", "#555555"};
    char names[CURVES_MAX][128];
    uint32_t curves = 0;
    bool is_cut = false;
    double least = INFINITY, most = 0;
    for (uint32_t p = 0; p < results->point_count; p++) {
        char curve[128];
        curve_name(&results->points[p], axis, curve, sizeof(curve));
        double x = strtod(results->points[p].parameters[axis].value, NULL);
        least = fmin(least, x);
        most = fmax(most, x);
        uint32_t c = 0;
        while (c < curves && strcmp(names[c], curve) != 0)
            c++;
        if (c == curves && curves < CURVES_MAX)
            snprintf(names[curves++], sizeof(names[0]), "%s", curve);
        else if (c == curves)
            is_cut = true;
    }
    if (is_cut)
        fputs("set key title 'the first of them; summary.json has all'\n", sheet->script.stream);
    fputs("set xlabel noenhanced ", sheet->script.stream);
    fb_plot_text(sheet->script.stream, results->points[0].parameters[axis].name);
    fputs("\n", sheet->script.stream);
    if (least > 0 && most / least >= 16)
        fputs("set logscale x\n", sheet->script.stream);
    fputs("set offsets graph 0.03, graph 0.03, graph 0.05, 0\nplot ", sheet->script.stream);
    for (uint32_t c = 0; c < curves; c++) {
        for (uint32_t p = 0; p < results->point_count; p++) {
            char curve[128];
            curve_name(&results->points[p], axis, curve, sizeof(curve));
            if (strcmp(curve, names[c]) == 0)
                point_line(sheet, &results->points[p], metric,
                           results->points[p].parameters[axis].value);
        }
        fputs("\n\n", sheet->data.stream);
        fprintf(sheet->script.stream,
                "%s'%s.dat' index %u using 1:2:3 with yerrorbars pt 7 ps 0.5 lc rgb '%s' notitle, "
                "'' index %u using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb '%s' ",
                c > 0 ? ", " : "", name, c, colours[c], c, colours[c]);
        fputs(names[c][0] ? "title " : "notitle", sheet->script.stream);
        if (names[c][0])
            fb_plot_text(sheet->script.stream, names[c]);
    }
    fputs("\n", sheet->script.stream);
}

static void write_bars(struct sweep_sheet *sheet, const struct fb_results *results,
                       const char *name, const char *metric)
{
    for (uint32_t p = 0; p < results->point_count; p++) {
        char label[256], x[300];
        curve_name(&results->points[p], UINT32_MAX, label, sizeof(label));
        snprintf(x, sizeof(x), "%u \"%s\"", p + 1, label);
        point_line(sheet, &results->points[p], metric, x);
    }
    fprintf(sheet->script.stream,
            "set style fill solid 1 noborder\nset boxwidth 0.6\nset xtics noenhanced\n"
            "plot '%s.dat' using 1:3:xtic(2) with boxes lc rgb '#0072B2' notitle, "
            "'' using 1:3:4 with yerrorbars pt 0 lc rgb '#333333' notitle\n",
            name);
}

bool fb_plot_sweep(const struct fb_results *results, const char *folder, const char *name,
                   const char *metric, struct fb_error *error)
{
    struct sweep_sheet sheet;
    const char *unit;
    if (results->point_count < 2 || results->points[0].parameter_count == 0)
        return false;
    if (fb_point_estimate(&results->points[0], metric, &unit).n == 0)
        return false;
    if (!sheet_open(&sheet, results, folder, name, metric, error))
        return false;
    script_head(&sheet, name, metric);
    uint32_t axis = choose_axis(results);
    if (axis != UINT32_MAX)
        write_curves(&sheet, results, name, metric, axis);
    else
        write_bars(&sheet, results, name, metric);
    fb_file_commit(&sheet.data, error);
    fb_file_commit(&sheet.script, error);
    return true;
}
