/* `forebay bench scale`: what the whole simulator does at several numbers of nodes: start-up time,
 * events and flow completions a second, memory a node.
 *
 * The load is a fan-out of the scale preset: every node reads the same 8 blocks, 4 at once, over
 * leaves that are oversubscribed 2:1. Each size is a process of its own, one after the other, so
 * that its peak of memory is its own. The experiment is written to a temporary file: it is read as
 * any other. */
#include "cli/bench/bench.h"
#include "cli/command.h"
#include "cli/run/run_jobs.h"

#include "base/units.h"
#include "sim/clients/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZES_MAX = 8, NODES_MAX = 1000000 };

static const char EXPERIMENT[] =
    "schema_version: 1\n"
    "experiment: bench-scale\n"
    "question: \"How fast is the simulator?\"\n"
    "expect: \"It ends.\"\n"
    "cluster: {nodes: 2, accelerators: 4, hardware: gpu-node-h100, network: leaf-spine-400g-2to1, "
    "origin: azure-blob-large}\n"
    "override: {hardware: {nic: {count: 1}}, origin: {accounts: 8}}\n"
    "simulation: {engine: plain, network: fluid}\n"
    "core: {preset: scale, policy: lru, block_size: 64 MiB, memory_size: 1 GiB, device_size: 0 B, "
    "waiters_max: 1024, hedge: 1 s, wait: 20 s, fetch: 600 s, lend: 60 s}\n"
    "workload: {kind: fan-out, object_size: 512 MiB, window: 4}\n"
    "seeds: 1\n";

struct row {
    uint32_t nodes;
    struct fb_run run;
};

/* What is told of one size, by name. */
struct figure {
    const char *name;
    double value;
};

enum { FIGURES = 9 };

static double metric_of(const struct fb_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->metric_count; i++)
        if (strcmp(run->metrics[i].name, name) == 0)
            return run->metrics[i].value;
    return 0;
}

static void figures_fill(const struct row *row, struct figure figures[FIGURES])
{
    const struct fb_run *run = &row->run;
    double busy_s = run->wall_s - run->start_s;
    double flows = metric_of(run, "pulls") + metric_of(run, "origin_fetches");
    const struct figure filled[FIGURES] = {
        {"nodes", row->nodes},
        {"start_s", run->start_s},
        {"wall_s", run->wall_s},
        {"processor_s", run->processor_s},
        {"events_per_s", busy_s > 0 ? (double)run->events / busy_s : 0},
        {"completions_per_s", busy_s > 0 ? flows / busy_s : 0},
        {"bytes_per_node", (double)run->peak_rss_bytes / row->nodes},
        {"rss_bytes", (double)run->peak_rss_bytes},
        {"completions", flows},
    };
    memcpy(figures, filled, sizeof(filled));
}

/* Runs one size in a child. Errors: error set. */
static void row_measure(const char *path, uint32_t nodes, struct row *row, struct fb_error *error)
{
    static struct fb_scenario scenario;
    char assignment[64];
    const char *const assignments[] = {assignment};
    bool is_stopped = false;
    snprintf(assignment, sizeof(assignment), "cluster.nodes=%u", nodes);
    row->nodes = nodes;
    fb_scenario_load(path, assignments, 1, NULL, &scenario, error);
    if (!fb_error_is_set(error)) {
        struct fb_job job = {.scenario = &scenario, .seed = scenario.first_seed, .run = &row->run};
        const struct fb_jobs one = {
            .list = &job, .count = 1, .side_by_side = 1, .is_quiet = true, .title = "bench"};
        fb_jobs_run(&one, &is_stopped, error);
        if (!job.is_done && !fb_error_is_set(error))
            fb_error_set(error, "stopped before its end");
    }
    fb_scenario_free(&scenario);
}

static void print_row(const struct row *row)
{
    struct figure figures[FIGURES];
    char bytes[32], rss[32];
    figures_fill(row, figures);
    printf("%9u %10.2f %10.2f %12.2f %12.0f %15.0f %12s %10s\n", row->nodes, figures[1].value,
           figures[2].value, figures[3].value, figures[4].value, figures[5].value,
           fb_format_bytes(bytes, figures[6].value), fb_format_bytes(rss, figures[7].value));
    fflush(stdout);
}

/* Lists as those of `bench fluid`; one size alone: plain values. */
static void print_json(const struct row *rows, uint32_t count)
{
    struct figure figures[SIZES_MAX][FIGURES];
    for (uint32_t i = 0; i < count; i++)
        figures_fill(&rows[i], figures[i]);
    for (uint32_t j = 0; j < FIGURES; j++) {
        printf("%s\"%s\": %s", j == 0 ? "{" : ",\n ", figures[0][j].name, count > 1 ? "[" : "");
        for (uint32_t i = 0; i < count; i++)
            printf("%s%.10g", i > 0 ? ", " : "", figures[i][j].value);
        printf("%s", count > 1 ? "]" : "");
    }
    printf("}\n");
}

/* "1000,10000"; returns how many, 0: what is no list of numbers of nodes. */
static uint32_t parse_sizes(const char *text, uint32_t sizes[SIZES_MAX])
{
    for (uint32_t count = 0; count < SIZES_MAX; text++) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || value < 2 || value > NODES_MAX)
            return 0;
        sizes[count++] = (uint32_t)value;
        if (*end == 0)
            return count;
        if (*end != ',')
            return 0;
        text = end;
    }
    return 0;
}

/* Writes the experiment where it can be read as a file. */
static bool experiment_write(char path[FB_BENCH_PATH_BYTES])
{
    int file = fb_bench_file(path, ".yaml");
    size_t length = sizeof(EXPERIMENT) - 1;
    if (file < 0)
        return false;
    bool is_written = write(file, EXPERIMENT, length) == (ssize_t)length;
    return close(file) == 0 && is_written;
}

int fb_bench_scale(int argc, char **argv)
{
    uint32_t sizes[SIZES_MAX] = {1000, 10000, 100000}, count = 3;
    struct row rows[SIZES_MAX] = {{.nodes = 0}};
    struct fb_error error = {.text = ""};
    char path[FB_BENCH_PATH_BYTES];
    bool is_json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (strcmp(argv[i], "--hosts") != 0 || i + 1 == argc ||
                 (count = parse_sizes(argv[++i], sizes)) == 0) {
            fprintf(stderr,
                    "forebay bench scale: '%s': it takes --json and --hosts N[,N]..., at most %d "
                    "numbers from 2 to %d\n",
                    argv[i], SIZES_MAX, NODES_MAX);
            return FB_EXIT_USAGE;
        }
    }
    if (!experiment_write(path)) {
        fprintf(stderr, "forebay bench scale: cannot write %s\n", path);
        return FB_EXIT_FAILED;
    }
    if (!is_json)
        printf("%9s %10s %10s %12s %12s %15s %12s %10s\n", "nodes", "start, s", "wall, s",
               "processor, s", "events/s", "completions/s", "bytes/node", "RSS");
    for (uint32_t i = 0; i < count && !fb_error_is_set(&error); i++) {
        row_measure(path, sizes[i], &rows[i], &error);
        if (!is_json && !fb_error_is_set(&error))
            print_row(&rows[i]);
    }
    unlink(path);
    if (is_json && !fb_error_is_set(&error))
        print_json(rows, count);
    for (uint32_t i = 0; i < count; i++)
        fb_run_free(&rows[i].run);
    if (fb_error_is_set(&error))
        fprintf(stderr, "forebay bench scale: %s\n", error.text);
    return fb_error_is_set(&error) ? FB_EXIT_FAILED : FB_EXIT_FINE;
}
