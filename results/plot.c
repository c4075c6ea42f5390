/* The report's plots. Each is NAME.dat and NAME.gp in the results folder, so that anybody can
 * redraw it, and is drawn by gnuplot into an SVG that the report takes in. Colours are Okabe and
 * Ito's, safe for the colour-blind; every axis names its unit. */
#include "base/file.h"
#include "results/internal.h"

#include "core/panic.h"
#include "results/metric_names.h"
#include "results/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#555555"};
enum { COLOURS = sizeof(colours) / sizeof(colours[0]) };

static const char head[] =
    "set terminal svg size 760,%d dynamic font 'Helvetica,13' background '#ffffff'\n"
    "set output '%s.svg'\n"
    "set border 3 lc rgb '#888888'\nset tics nomirror out scale 0.5 textcolor rgb '#333333'\n"
    "set grid ytics lc rgb '#e4e4e4' lw 1\nset key outside top left horizontal samplen 2 "
    "textcolor rgb '#333333' noenhanced\n";

void fb_plot_text(FILE *script, const char *text)
{
    fputc('\'', script);
    for (; *text != 0; text++) {
        if (*text == '\'')
            fputc('\'', script);
        fputc(*text, script);
    }
    fputc('\'', script);
}

struct sheet { /* a plot being written */
    struct fb_file data, script;
};

static bool sheet_open(struct sheet *sheet, const char *folder, const char *name, int height,
                       struct fb_error *error)
{
    char file[64];
    snprintf(file, sizeof(file), "%s.dat", name);
    fb_file_open(&sheet->data, folder, file, error);
    snprintf(file, sizeof(file), "%s.gp", name);
    fb_file_open(&sheet->script, folder, file, error);
    if (fb_error_is_set(error))
        return false;
    fprintf(sheet->script.stream, head, height, name);
    return true;
}

static void sheet_close(struct sheet *sheet, struct fb_error *error)
{
    fb_file_commit(&sheet->data, error);
    fb_file_commit(&sheet->script, error);
}

static double series_largest(const struct fb_run *run, const char *const *names, uint32_t count)
{
    double largest = 0;
    for (uint32_t i = 0; i < run->series_count; i++) {
        for (uint32_t n = 0; n < count; n++) {
            if (strcmp(run->series[i].name, names[n]) == 0 && run->series[i].value > largest)
                largest = run->series[i].value;
        }
    }
    return largest;
}

/* Mean of a series: where the largest value is far above it, only a log scale shows both. */
static double series_mean(const struct fb_run *run, const char *name)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->series_count; i++) {
        if (strcmp(run->series[i].name, name) != 0)
            continue;
        sum += run->series[i].value;
        count++;
    }
    return count > 0 ? sum / count : 0;
}

static const struct fb_run *first_run(const struct fb_results *results)
{
    for (uint32_t p = 0; p < results->point_count; p++) {
        if (results->points[p].run_count > 0)
            return &results->points[p].runs[0];
    }
    return NULL;
}

/* Curves over time of one run, one data block a curve. */
static bool plot_time(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    static const char *const names[] = {"read_bytes_per_s", "device_bytes_per_s",
                                        "peer_bytes_per_s", "origin_bytes_per_s"};
    static const char *const titles[] = {"given to clients", "from drives", "from peers",
                                         "from the origin"};
    const struct fb_run *run = first_run(results);
    struct sheet sheet;
    const char *unit;
    if (run == NULL || run->series_count == 0)
        return false;
    double largest = series_largest(run, names, 4);
    double factor = fb_metric_axis("rate", "B/s", largest, &unit);
    bool is_wide = largest > 20 * series_mean(run, names[0]);
    if (!sheet_open(&sheet, folder, "throughput", 300, error))
        return false;
    for (uint32_t n = 0; n < 4; n++) {
        fprintf(sheet.data.stream, "# time_s %s\n", names[n]);
        for (uint32_t i = 0; i < run->series_count; i++) {
            if (strcmp(run->series[i].name, names[n]) == 0)
                fprintf(sheet.data.stream, "%.9g %.9g\n", run->series[i].time_s,
                        run->series[i].value * factor);
        }
        fputs("\n\n", sheet.data.stream);
    }
    fprintf(sheet.script.stream,
            "set xlabel 'simulated time, s'\nset ylabel '%s%s'\n"
            "set xrange [0:*]\n%splot ",
            unit, is_wide ? ", log scale" : "",
            is_wide ? "set logscale y\nset format y '%g'\n" : "set yrange [0:*]\n");
    for (uint32_t n = 0; n < 4; n++)
        fprintf(sheet.script.stream,
                "%s'throughput.dat' index %u with steps lw 2 lc rgb '%s' "
                "title '%s'",
                n > 0 ? ", " : "", n, colours[n], titles[n]);
    fputs("\n", sheet.script.stream);
    sheet_close(&sheet, error);
    return true;
}

static bool plot_hits(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    const struct fb_run *run = first_run(results);
    static const char *const names[] = {"hit_ratio"};
    struct sheet sheet;
    if (run == NULL || series_largest(run, names, 1) <= 0)
        return false;
    if (!sheet_open(&sheet, folder, "hit_ratio", 240, error))
        return false;
    for (uint32_t i = 0; i < run->series_count; i++) {
        if (strcmp(run->series[i].name, "hit_ratio") == 0)
            fprintf(sheet.data.stream, "%.9g %.9g\n", run->series[i].time_s,
                    run->series[i].value * 100);
    }
    fprintf(sheet.script.stream,
            "set xlabel 'simulated time, s'\nset ylabel '%% of bytes'\nset yrange [0:102]\n"
            "set xrange [0:*]\nplot 'hit_ratio.dat' with steps lw 2 lc rgb '%s' notitle\n",
            colours[2]);
    sheet_close(&sheet, error);
    return true;
}

/* Read latency as a cumulative curve, one a point, at most as many as there are colours. */
static bool plot_latency(const struct fb_results *results, const char *folder,
                         struct fb_error *error)
{
    const struct fb_run *first = first_run(results);
    struct sheet sheet;
    if (first == NULL || first->latency_count == 0)
        return false;
    if (!sheet_open(&sheet, folder, "latency", 300, error))
        return false;
    fputs("set logscale x\nset xlabel 'read latency, ms (log scale)'\nset ylabel '% of reads'\n"
          "set yrange [0:102]\nset grid xtics ytics lc rgb '#e4e4e4' lw 1\n"
          "set format x '%g'\nplot ",
          sheet.script.stream);
    for (uint32_t p = 0; p < results->point_count && p < COLOURS; p++) {
        const struct fb_point *point = &results->points[p];
        char name[256];
        if (point->run_count == 0)
            continue;
        fb_point_name(point, name, sizeof(name));
        for (uint32_t i = 0; i < point->runs[0].latency_count; i++)
            fprintf(sheet.data.stream, "%.9g %.9g\n",
                    fmax(point->runs[0].latencies[i].latency_ns, 100) * 1e-6,
                    point->runs[0].latencies[i].share * 100);
        fputs("\n\n", sheet.data.stream);
        fprintf(sheet.script.stream, "%s'latency.dat' index %u with lines lw 2 lc rgb '%s' title ",
                p > 0 ? ", " : "", p, colours[p]);
        fb_plot_text(sheet.script.stream, point->parameter_count > 0 ? name : "all reads");
    }
    fputs("\n", sheet.script.stream);
    sheet_close(&sheet, error);
    return true;
}

struct bar {
    char label[96];
    double value;
};

static uint32_t bars_with_prefix(const struct fb_point *point, const char *prefix, struct bar *bars,
                                 uint32_t bars_max)
{
    uint32_t count = 0;
    const struct fb_run *run = &point->runs[0];
    for (uint32_t m = 0; m < run->metric_count && count < bars_max; m++) {
        const char *name = run->metrics[m].name, *unit;
        char buffer[96];
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        double value = fb_point_estimate(point, name, &unit).mean;
        if (value <= 0)
            continue;
        snprintf(bars[count].label, sizeof(bars[count].label), "%s",
                 fb_metric_label(name, buffer, sizeof(buffer)));
        bars[count++].value = value;
    }
    return count;
}

static void bars_script(struct sheet *sheet, const char *name, const struct bar *bars,
                        uint32_t count, double factor, const char *unit, const char *colour)
{
    double largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        double value = bars[i].value * factor;
        largest = value > largest ? value : largest;
        fprintf(sheet->data.stream, "%u \"%s\" %.9g\n", count - i, bars[i].label, value);
    }
    fprintf(sheet->script.stream,
            "set style fill solid 1 noborder\nset yrange [0.4:%u.6]\nset xrange [0:%.9g]\n"
            "unset key\nset lmargin 26\nset grid xtics noytics lc rgb '#e4e4e4' lw 1\n"
            "set xlabel '%s'\nset border 2 lc rgb '#888888'\n"
            "plot '%s.dat' using ($3/2):1:($3/2):(0.32):ytic(2) with boxxyerror lc rgb '%s', '' "
            "using 3:1:(sprintf(' %%.3g', $3)) with labels left textcolor rgb '#333333'\n",
            count, largest > 0 ? largest * 1.14 : 1, unit, name, colour);
}

static bool plot_bars(const struct fb_results *results, const char *folder, const char *name,
                      const char *prefix, struct fb_error *error)
{
    struct bar bars[16];
    struct sheet sheet;
    if (first_run(results) == NULL)
        return false;
    uint32_t count = bars_with_prefix(&results->points[0], prefix, bars, 16);
    if (count == 0 || !sheet_open(&sheet, folder, name, 70 + 30 * (int)count, error))
        return false;
    bars_script(&sheet, name, bars, count, 100, "%", colours[0]);
    sheet_close(&sheet, error);
    return true;
}

static bool plot_tiers(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    static const char *const names[] = {"get_bytes", "device_read_bytes", "pull_bytes",
                                        "origin_fetch_bytes", "device_write_bytes"};
    struct bar bars[5] = {{.value = 0}};
    struct sheet sheet;
    uint32_t count = 0;
    double largest = 0;
    for (uint32_t i = 0; i < 5 && first_run(results) != NULL; i++) {
        char buffer[96];
        const char *unit;
        struct fb_estimate estimate = fb_point_estimate(&results->points[0], names[i], &unit);
        if (estimate.n == 0 || estimate.mean <= 0)
            continue;
        snprintf(bars[count].label, sizeof(bars[count].label), "%s",
                 fb_metric_label(names[i], buffer, sizeof(buffer)));
        bars[count++].value = estimate.mean;
        largest = fmax(largest, estimate.mean);
    }
    if (count == 0 || !sheet_open(&sheet, folder, "tiers", 70 + 30 * (int)count, error))
        return false;
    const char *unit;
    double factor = fb_metric_axis("bytes", "B", largest, &unit);
    bars_script(&sheet, "tiers", bars, count, factor, unit, colours[1]);
    sheet_close(&sheet, error);
    return true;
}

/* Runs gnuplot on NAME.gp in the folder; the SVG, or NULL. */
static char *draw(const char *folder, const char *name)
{
    char script[64], path[1200];
    snprintf(script, sizeof(script), "%s.gp", name);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(folder) != 0 || freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        execlp("gnuplot", "gnuplot", script, (char *)NULL);
        _exit(127);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s.svg", folder, name);
    char *svg = fb_file_read(path, NULL);
    unlink(path); /* the report holds it; *.gp draws it again */
    return svg;
}

static void plot_add(struct fb_plot *plots, uint32_t *count, const char *folder, const char *name,
                     const char *title)
{
    FB_ASSERT(*count < FB_PLOTS_MAX);
    struct fb_plot *plot = &plots[(*count)++];
    snprintf(plot->name, sizeof(plot->name), "%s", name);
    snprintf(plot->title, sizeof(plot->title), "%s", title);
    plot->svg = draw(folder, name);
}

/* One sweep plot for each of the first two headline metrics that the experiment has. */
static void plot_sweeps(const struct fb_results *results, const char *folder, struct fb_plot *plots,
                        uint32_t *count, struct fb_error *error)
{
    uint32_t drawn = 0;
    for (uint32_t i = 0; fb_metric_headlines[i] != NULL && drawn < 2; i++) {
        char name[32], title[160], buffer[96];
        const char *metric = fb_metric_headlines[i];
        snprintf(name, sizeof(name), "sweep_%u", drawn + 1);
        if (!fb_plot_sweep(results, folder, name, metric, error))
            continue;
        snprintf(title, sizeof(title), "%s over the sweep",
                 fb_metric_label(metric, buffer, sizeof(buffer)));
        plot_add(plots, count, folder, name, title);
        drawn++;
    }
}

static void binding_title(const struct fb_results *results, char *title, size_t size)
{
    struct bar bars[16];
    uint32_t count = bars_with_prefix(&results->points[0], "utilisation_", bars, 16), best = 0;
    for (uint32_t i = 1; i < count; i++)
        best = bars[i].value > bars[best].value ? i : best;
    snprintf(title, size, "Utilisation of resources, mean over the run: %s is used most",
             count > 0 ? bars[best].label : "nothing");
}

uint32_t fb_plots_write(const struct fb_results *results, const char *folder,
                        struct fb_plot plots[FB_PLOTS_MAX], struct fb_error *error)
{
    uint32_t count = 0;
    char title[160];
    const char *of = results->point_count > 1 ? " (first point of the sweep)" : "";
    plot_sweeps(results, folder, plots, &count, error);
    snprintf(title, sizeof(title), "Throughput over time%s", of);
    if (plot_time(results, folder, error))
        plot_add(plots, &count, folder, "throughput", title);
    snprintf(title, sizeof(title), "Hit ratio over time: bytes not fetched from the origin%s", of);
    if (plot_hits(results, folder, error))
        plot_add(plots, &count, folder, "hit_ratio", title);
    if (plot_latency(results, folder, error))
        plot_add(plots, &count, folder, "latency", "Read latency, cumulative");
    snprintf(title, sizeof(title), "Where reads were served from%s", of);
    if (plot_bars(results, folder, "sources", "reads_share_", error))
        plot_add(plots, &count, folder, "sources", title);
    snprintf(title, sizeof(title), "Bytes by tier%s", of);
    if (plot_tiers(results, folder, error))
        plot_add(plots, &count, folder, "tiers", title);
    if (results->point_count > 0 && results->points[0].run_count > 0)
        binding_title(results, title, sizeof(title));
    if (plot_bars(results, folder, "utilisation", "utilisation_", error))
        plot_add(plots, &count, folder, "utilisation", title);
    return count;
}
