/* `forebay bench fluid`: completions a second of the fluid network (sim/fluid.c) at several sizes,
 * and SimGrid's own flows (CM02) beside it as long as they keep up: the first size that SimGrid
 * does not get done in its time is the last one it is asked for. Rates are compared under two
 * loads, see bench_fluid_loop.c. */
#include "cli/bench.h"
#include "cli/bench_fluid.h"
#include "cli/command.h"

#include "models/document.h"
#include "models/units.h"
#include "sim/engine.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIZES_MAX = 4,
    HOSTS_MAX = 1000000,
    FLOWS_MAX = 64,
    RAILS = 8,
    HOSTS_PER_LEAF = 32,
    LEAVES_PER_POD = 16,
    SIMGRID_SECONDS = 30,
};

static const uint64_t PORT_BYTES_PER_S = 12500000000u; /* 100 Gbit/s; the rate does not matter */

struct options {
    uint64_t host_counts[SIZES_MAX];
    uint32_t size_count;
    uint64_t flows_per_host;
    uint64_t oversubscription;
    uint64_t simgrid_seconds;
    const char *fabric;
    double tolerance;
    bool is_json;
};

/* Both loads of one size. */
enum { STEADY, BURST, LOADS };

struct row {
    uint64_t host_count;
    uint64_t flow_count;
    struct fb_fluid_loop_result fluid[LOADS];
    struct fb_fluid_loop_result simgrid[LOADS];
    bool has_simgrid[LOADS]; /* it was asked, whatever it got done */
};

static uint64_t parse_count(const char *name, const char *text, uint64_t min, uint64_t max,
                            struct fb_error *error)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < min || value > max)
        fb_error_set(error, "--%s %s: must be a whole number from %llu to %llu", name, text,
                     (unsigned long long)min, (unsigned long long)max);
    return value;
}

static double parse_tolerance(const char *text, struct fb_error *error)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !(value >= 0 && value <= 0.1))
        fb_error_set(error, "--tolerance %s: must be a number from 0 to 0.1", text);
    return value;
}

static void parse_option(int option, struct options *options, struct fb_error *error)
{
    if (option == 'h') {
        options->size_count = 1;
        options->host_counts[0] = parse_count("hosts", optarg, 2, HOSTS_MAX, error);
    } else if (option == 'k') {
        options->flows_per_host = parse_count("flows-per-host", optarg, 1, FLOWS_MAX, error);
    } else if (option == 'o') {
        options->oversubscription = parse_count("oversubscription", optarg, 1, 64, error);
    } else if (option == 's') {
        options->simgrid_seconds = parse_count("simgrid-seconds", optarg, 0, 3600, error);
    } else if (option == 't') {
        options->tolerance = parse_tolerance(optarg, error);
    } else if (option == 'f') {
        options->fabric = optarg;
    } else {
        options->is_json = true;
    }
}

static void parse(int argc, char **argv, struct options *options, struct fb_error *error)
{
    static const struct option table[] = {{"hosts", required_argument, NULL, 'h'},
                                          {"flows-per-host", required_argument, NULL, 'k'},
                                          {"oversubscription", required_argument, NULL, 'o'},
                                          {"simgrid-seconds", required_argument, NULL, 's'},
                                          {"tolerance", required_argument, NULL, 't'},
                                          {"fabric", required_argument, NULL, 'f'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (;;) {
        int at = optind, option = getopt_long(argc, argv, "", table, NULL);
        if (option == -1)
            break;
        if (option == '?') {
            fb_error_set(error,
                         "%s: no such option, or its value is missing: see forebay help bench",
                         argv[at]);
            return;
        }
        parse_option(option, options, error);
    }
    if (optind < argc)
        fb_error_set(error, "%s: it takes options only", argv[optind]);
}

/* The fabric by its name; 2:1 is where a switch's uplinks carry half of what its ports could. */
static struct fb_fabric fabric_make(const struct options *options, struct fb_error *error)
{
    struct fb_fabric fabric = {
        .kind = FB_FABRIC_LEAF_SPINE,
        .ports_per_host = 1,
        .hosts_per_leaf = HOSTS_PER_LEAF,
        .leaves_per_pod = LEAVES_PER_POD,
        .leaf_uplinks = 1,
        .pod_uplinks = 1,
        .port_bytes_per_s = PORT_BYTES_PER_S,
        .leaf_oversubscription = (double)options->oversubscription,
        .pod_oversubscription = 1,
    };
    if (strcmp(options->fabric, "leaf-spine") == 0)
        return fabric;
    if (strcmp(options->fabric, "fat-tree") == 0) {
        /* Half of the oversubscription, as a factor, at either stage. */
        fabric.kind = FB_FABRIC_FAT_TREE;
        fabric.leaf_oversubscription = sqrt((double)options->oversubscription);
        fabric.pod_oversubscription = fabric.leaf_oversubscription;
        fabric.leaf_uplinks = 4;
        fabric.pod_uplinks = 4;
    } else if (strcmp(options->fabric, "rail") == 0) {
        fabric.kind = FB_FABRIC_RAIL;
        fabric.ports_per_host = RAILS;
        fabric.leaf_uplinks = 4;
        fabric.host_bytes_per_s = RAILS * PORT_BYTES_PER_S;
    } else {
        fb_error_set(error, "--fabric %s: it is one of leaf-spine, fat-tree, rail",
                     options->fabric);
    }
    return fabric;
}

static double rate_of(const struct fb_fluid_loop_result *result)
{
    return result->seconds > 0 ? (double)result->completions / result->seconds : 0;
}

/* SimGrid's rate; negative: there is none. Of a burst only a whole one counts: its end is the
 * fastest part. */
static double simgrid_rate(const struct row *row, uint32_t load)
{
    const struct fb_fluid_loop_result *result = &row->simgrid[load];
    bool has_rate = row->has_simgrid[load] && (result->is_complete || load == STEADY);
    return has_rate && result->completions > 0 ? rate_of(result) : -1;
}

static double ratio_of(const struct row *row, uint32_t load)
{
    double simgrid = simgrid_rate(row, load);
    return simgrid > 0 ? rate_of(&row->fluid[load]) / simgrid : -1;
}

static void print_row(const struct row *row)
{
    char bytes[32];
    const struct fb_fluid_loop_result *fluid = &row->fluid[STEADY];
    printf("%9llu %9llu %14.0f %12.0f %12.0f %10s %14.1f\n", (unsigned long long)row->host_count,
           (unsigned long long)row->flow_count, rate_of(fluid), 2 * rate_of(fluid),
           (double)fluid->memory_bytes / (double)row->flow_count,
           fb_format_bytes(bytes, (double)fluid->rss_bytes),
           (double)fluid->counts.relaxations / (double)fluid->completions);
    fflush(stdout);
}

static void print_head(const struct options *options)
{
    printf("%s %llu:1, %llu flows a host to random peers, tolerance %g, one core\n\n"
           "steady: one that ends is followed by another\n",
           options->fabric, (unsigned long long)options->oversubscription,
           (unsigned long long)options->flows_per_host, options->tolerance);
    printf("%9s %9s %14s %12s %12s %10s %14s\n", "hosts", "flows", "completions/s", "events/s",
           "bytes/flow", "RSS", "relaxations/c.");
}

/* SimGrid did not get done what it was asked for: at least a bound can be told. */
static void print_bound(const struct options *options, const struct row *row, uint32_t load)
{
    double simgrid_max = (double)row->flow_count / (double)options->simgrid_seconds;
    if (load == BURST)
        printf("   under %7.1f  over %4.0f\n", simgrid_max,
               rate_of(&row->fluid[load]) / simgrid_max);
    else
        printf(" %14s %9s\n", "none", "-");
}

static void print_rivals(const struct options *options, const struct row *rows)
{
    static const char *const names[LOADS] = {[STEADY] = "steady", [BURST] = "burst"};
    printf("\nSimGrid's lmm (CM02), completions/s; *: what it got done in %llu s\n%9s %9s %9s %14s "
           "%14s %9s\n",
           (unsigned long long)options->simgrid_seconds, "hosts", "flows", "load", "here",
           "SimGrid", "ratio");
    for (uint32_t i = 0; i < options->size_count; i++) {
        for (uint32_t load = 0; load < LOADS; load++) {
            const struct row *row = &rows[i];
            if (!row->has_simgrid[load])
                continue;
            printf("%9llu %9llu %9s %14.0f", (unsigned long long)row->host_count,
                   (unsigned long long)row->flow_count, names[load], rate_of(&row->fluid[load]));
            if (simgrid_rate(row, load) < 0)
                print_bound(options, row, load);
            else
                printf(" %13.1f%s %9.0f\n", simgrid_rate(row, load),
                       row->simgrid[load].is_complete ? " " : "*", ratio_of(row, load));
        }
    }
}

/* One figure: of all rows as a list, or of the only one as it is. Negative: there is none. */
static void print_json_list(const char *name, const struct options *options, const double *values)
{
    bool is_list = options->size_count > 1;
    printf(",\n \"%s\": %s", name, is_list ? "[" : "");
    for (uint32_t i = 0; i < options->size_count; i++) {
        printf("%s", i > 0 ? ", " : "");
        if (values[i] < 0)
            printf("null");
        else
            printf("%.10g", values[i]);
    }
    printf("%s", is_list ? "]" : "");
}

static void print_json(const struct options *options, const struct row *rows)
{
    enum {
        HOSTS,
        FLOWS,
        DONE,
        EVENTS,
        BYTES,
        RSS,
        RELAXED,
        SIMGRID,
        RATIO,
        BURST_DONE,
        BURST_SIMGRID,
        BURST_RATIO,
        COUNT
    };
    static const char *const names[COUNT] = {
        [HOSTS] = "hosts",
        [FLOWS] = "flows",
        [DONE] = "completions_per_s",
        [EVENTS] = "events_per_s",
        [BYTES] = "bytes_per_flow",
        [RSS] = "rss_bytes",
        [RELAXED] = "relaxations_per_completion",
        [SIMGRID] = "simgrid_completions_per_s",
        [RATIO] = "ratio",
        [BURST_DONE] = "burst_completions_per_s",
        [BURST_SIMGRID] = "burst_simgrid_completions_per_s",
        [BURST_RATIO] = "burst_ratio",
    };
    double values[COUNT][SIZES_MAX];
    for (uint32_t i = 0; i < options->size_count; i++) {
        const struct row *row = &rows[i];
        const struct fb_fluid_loop_result *fluid = &row->fluid[STEADY];
        values[HOSTS][i] = (double)row->host_count;
        values[FLOWS][i] = (double)row->flow_count;
        values[DONE][i] = round(rate_of(fluid));
        values[EVENTS][i] = round(2 * rate_of(fluid));
        values[BYTES][i] = round((double)fluid->memory_bytes / (double)row->flow_count);
        values[RSS][i] = (double)fluid->rss_bytes;
        values[RELAXED][i] = (double)fluid->counts.relaxations / (double)fluid->completions;
        values[SIMGRID][i] = simgrid_rate(row, STEADY);
        values[RATIO][i] = ratio_of(row, STEADY);
        values[BURST_DONE][i] =
            row->fluid[BURST].completions > 0 ? round(rate_of(&row->fluid[BURST])) : -1;
        values[BURST_SIMGRID][i] = simgrid_rate(row, BURST);
        values[BURST_RATIO][i] = ratio_of(row, BURST);
    }
    printf("{\"fabric\": \"%s\", \"flows_per_host\": %llu, \"oversubscription\": %llu, "
           "\"tolerance\": %g",
           options->fabric, (unsigned long long)options->flows_per_host,
           (unsigned long long)options->oversubscription, options->tolerance);
    for (uint32_t i = 0; i < COUNT; i++)
        print_json_list(names[i], options, values[i]);
    printf("}\n");
}

/* Asks SimGrid under one load; false: it need not be asked for more. */
static bool simgrid_measure(const struct fb_fluid_loop *loop, struct row *row, uint32_t load,
                            bool *is_fine)
{
    row->has_simgrid[load] = true;
    *is_fine = *is_fine && fb_fluid_loop_run_simgrid(loop, &row->simgrid[load]);
    return row->simgrid[load].is_complete;
}

static bool sizes_measure(const struct options *options, struct fb_fluid_loop *loop,
                          struct row *rows)
{
    /* SimGrid has no fabric but the leaf-spine built for it here. */
    bool has_simgrid = fb_engine_kind_is_built(FB_ENGINE_SIMGRID) && options->simgrid_seconds > 0 &&
                       loop->fabric.kind == FB_FABRIC_LEAF_SPINE;
    bool keeps_up[LOADS] = {has_simgrid, has_simgrid};
    bool is_fine = true;
    for (uint32_t i = 0; i < options->size_count && is_fine; i++) {
        struct row *row = &rows[i];
        loop->fabric.host_count = (uint32_t)options->host_counts[i];
        *row = (struct row){.host_count = options->host_counts[i]};
        row->flow_count = row->host_count * options->flows_per_host;
        for (uint32_t load = 0; load < LOADS && is_fine; load++) {
            loop->is_burst = load == BURST;
            if (load == STEADY || keeps_up[load])
                is_fine = fb_fluid_loop_run(loop, &row->fluid[load]);
            if (keeps_up[load])
                keeps_up[load] = simgrid_measure(loop, row, load, &is_fine);
        }
        if (!options->is_json)
            print_row(row);
    }
    return is_fine;
}

int fb_bench_fluid(int argc, char **argv)
{
    struct options options = {
        .host_counts = {1000, 2000, 10000, 100000},
        .size_count = SIZES_MAX,
        .flows_per_host = 4,
        .oversubscription = 2,
        .simgrid_seconds = SIMGRID_SECONDS,
        .fabric = "leaf-spine",
        .tolerance = FB_FLUID_TOLERANCE,
    };
    struct fb_error error = {.text = ""};
    struct row rows[SIZES_MAX];
    parse(argc, argv, &options, &error);
    struct fb_fluid_loop loop = {
        .fabric = fabric_make(&options, &error),
        .flows_per_host = (uint32_t)options.flows_per_host,
        .tolerance = options.tolerance,
        .seconds_max = (uint32_t)options.simgrid_seconds,
    };
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay bench fluid: %s\n", error.text);
        return FB_EXIT_USAGE;
    }
    if (!options.is_json)
        print_head(&options);
    if (!sizes_measure(&options, &loop, rows)) {
        fprintf(stderr, "forebay bench fluid: a measurement died: is there memory for it?\n");
        return FB_EXIT_FAILED;
    }
    if (options.is_json)
        print_json(&options, rows);
    else if (rows[0].has_simgrid[STEADY])
        print_rivals(&options, rows);
    return FB_EXIT_FINE;
}
