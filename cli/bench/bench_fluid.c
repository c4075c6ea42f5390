/* `forebay bench fluid`: completions a second of the fluid network (sim/fluid/fluid.c) at several
 * sizes, and SimGrid's own flows (CM02) beside it at sizes up to RIVAL_FLOWS flows. So that every
 * run has the same comparison, that size is measured for it even when nobody asked for it. Loads:
 * see bench_fluid_loop.c. */
#include "base/options.h"
#include "cli/bench/bench.h"
#include "cli/bench/bench_fluid.h"
#include "cli/command.h"

#include "base/document.h"
#include "base/units.h"
#include "sim/engine/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIZES_MAX = 8,
    HOSTS_MAX = 1000000,
    FLOWS_MAX = 64,
    RAILS = 8,
    HOSTS_PER_LEAF = 32,
    LEAVES_PER_POD = 16,
    SIMGRID_SECONDS = 60,
    RIVAL_FLOWS = 8000,
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

struct row {
    uint64_t host_count;
    uint64_t flow_count;
    struct fb_fluid_loop_result fluid[FB_LOADS];
    struct fb_fluid_loop_result simgrid[FB_LOADS];
    bool has_simgrid[FB_LOADS]; /* it was asked, whatever it got done */
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

/* "1000,10000": up to SIZES_MAX of them. */
static void parse_sizes(char *text, struct options *options, struct fb_error *error)
{
    char *rest = NULL;
    options->size_count = 0;
    for (char *item = strtok_r(text, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        if (options->size_count == SIZES_MAX) {
            fb_error_set(error, "--hosts: at most %d sizes", SIZES_MAX);
            return;
        }
        options->host_counts[options->size_count++] =
            parse_count("hosts", item, 2, HOSTS_MAX, error);
    }
    if (options->size_count == 0)
        fb_error_set(error, "--hosts: it needs a number, or some with commas between");
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
        parse_sizes(optarg, options, error);
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
        int option = fb_options_next(argc, argv, "", table, NULL);
        if (option == -1)
            break;
        if (option == '?') {
            fb_error_set(error, "%s", fb_options_fault());
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
    bool has_rate = row->has_simgrid[load] && (result->is_complete || load == FB_LOAD_STEADY);
    return has_rate && result->completions > 0 ? rate_of(result) : -1;
}

static double ratio_of(const struct row *row, uint32_t load)
{
    double simgrid = simgrid_rate(row, load);
    return simgrid > 0 ? rate_of(&row->fluid[load]) / simgrid : -1;
}

static void print_head(const struct options *options)
{
    printf("%s %llu:1, %llu flows a host, tolerance %g, one core, seconds of processor time\n"
           "steady: to random peers, one that ends is followed by another; one link: so, all from "
           "host 0\n",
           options->fabric, (unsigned long long)options->oversubscription,
           (unsigned long long)options->flows_per_host, options->tolerance);
    printf("%9s %9s %14s %12s %12s %10s %14s %14s\n", "hosts", "flows", "completions/s", "events/s",
           "bytes/flow", "RSS", "relaxations/c.", "one link, c./s");
}

static void print_row(const struct row *row)
{
    char bytes[32];
    const struct fb_fluid_loop_result *fluid = &row->fluid[FB_LOAD_STEADY];
    printf("%9llu %9llu %14.0f %12.0f %12.0f %10s %14.1f %14.0f\n",
           (unsigned long long)row->host_count, (unsigned long long)row->flow_count, rate_of(fluid),
           2 * rate_of(fluid), (double)fluid->memory_bytes / (double)row->flow_count,
           fb_format_bytes(bytes, (double)fluid->rss_bytes),
           (double)fluid->counts.relaxations / (double)fluid->completions,
           rate_of(&row->fluid[FB_LOAD_ONE_LINK]));
    fflush(stdout);
}

/* SimGrid did not get done what it was asked for: at least a bound can be told. */
static void print_bound(const struct options *options, const struct row *row, uint32_t load)
{
    double simgrid_max = (double)row->flow_count / (double)options->simgrid_seconds;
    if (load == FB_LOAD_BURST)
        printf("   under %7.1f  over %4.0f\n", simgrid_max,
               rate_of(&row->fluid[load]) / simgrid_max);
    else
        printf(" %14s %9s\n", "none", "-");
}

static void print_rivals(const struct options *options, const struct row *rows, uint32_t count)
{
    static const char *const names[FB_LOADS] = {
        [FB_LOAD_STEADY] = "steady",
        [FB_LOAD_BURST] = "burst",
        [FB_LOAD_ONE_LINK] = "one link",
    };
    printf("\nSimGrid's lmm (CM02), completions/s; *: what it got done in %llu s\n%9s %9s %9s %14s "
           "%14s %9s\n",
           (unsigned long long)options->simgrid_seconds, "hosts", "flows", "load", "here",
           "SimGrid", "ratio");
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t load = 0; load < FB_LOADS; load++) {
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

/* One figure; negative: there is none. */
static void print_json_value(double value)
{
    if (value < 0)
        printf("null");
    else
        printf("%.10g", value);
}

static double value_or_none(double value, bool is_there)
{
    return is_there ? value : -1;
}

/* What is told of one size, by name. */
struct figure {
    const char *name;
    double value;
};

enum { FIGURES = 10 };

static void figures_fill(const struct row *row, struct figure figures[FIGURES])
{
    const struct fb_fluid_loop_result *fluid = &row->fluid[FB_LOAD_STEADY];
    const struct fb_fluid_loop_result *one_link = &row->fluid[FB_LOAD_ONE_LINK];
    const struct figure filled[FIGURES] = {
        {"hosts", (double)row->host_count},
        {"flows", (double)row->flow_count},
        {"completions_per_s", round(rate_of(fluid))},
        {"events_per_s", round(2 * rate_of(fluid))},
        {"bytes_per_flow", round((double)fluid->memory_bytes / (double)row->flow_count)},
        {"rss_bytes", (double)fluid->rss_bytes},
        {"relaxations_per_completion",
         (double)fluid->counts.relaxations / (double)fluid->completions},
        {"one_link_completions_per_s",
         value_or_none(round(rate_of(one_link)), one_link->completions > 0)},
        {"simgrid_completions_per_s", simgrid_rate(row, FB_LOAD_STEADY)},
        {"ratio", ratio_of(row, FB_LOAD_STEADY)},
    };
    memcpy(figures, filled, sizeof(filled));
}

/* All rows' figures, as lists, or of the only row as they are; then the comparison. */
static void print_json(const struct options *options, const struct row *rows,
                       const struct row *rival)
{
    struct figure figures[SIZES_MAX][FIGURES];
    bool is_list = options->size_count > 1;
    for (uint32_t i = 0; i < options->size_count; i++)
        figures_fill(&rows[i], figures[i]);
    printf("{\"fabric\": \"%s\", \"flows_per_host\": %llu, \"oversubscription\": %llu, "
           "\"tolerance\": %g",
           options->fabric, (unsigned long long)options->flows_per_host,
           (unsigned long long)options->oversubscription, options->tolerance);
    for (uint32_t j = 0; j < FIGURES; j++) {
        printf(",\n \"%s\": %s", figures[0][j].name, is_list ? "[" : "");
        for (uint32_t i = 0; i < options->size_count; i++) {
            printf("%s", i > 0 ? ", " : "");
            print_json_value(figures[i][j].value);
        }
        printf("%s", is_list ? "]" : "");
    }
    const struct figure rival_figures[] = {
        {"flows", rival == NULL ? -1 : (double)rival->flow_count},
        {"here", rival == NULL ? -1 : round(rate_of(&rival->fluid[FB_LOAD_STEADY]))},
        {"simgrid", rival == NULL ? -1 : simgrid_rate(rival, FB_LOAD_STEADY)},
        {"ratio", rival == NULL ? -1 : ratio_of(rival, FB_LOAD_STEADY)},
        {"burst_here", rival == NULL ? -1 : round(rate_of(&rival->fluid[FB_LOAD_BURST]))},
        {"burst_simgrid", rival == NULL ? -1 : simgrid_rate(rival, FB_LOAD_BURST)},
        {"burst_ratio", rival == NULL ? -1 : ratio_of(rival, FB_LOAD_BURST)},
    };
    printf(",\n \"coupled\": {");
    for (uint32_t j = 0; j < sizeof(rival_figures) / sizeof(rival_figures[0]); j++) {
        printf("%s\"%s\": ", j > 0 ? ", " : "", rival_figures[j].name);
        print_json_value(rival_figures[j].value);
    }
    printf("}}\n");
}

/* Measures one size: here, and if wanted SimGrid. */
static bool row_measure(const struct options *options, struct fb_fluid_loop *loop,
                        uint64_t host_count, bool has_simgrid, struct row *row)
{
    loop->fabric.host_count = (uint32_t)host_count;
    *row =
        (struct row){.host_count = host_count, .flow_count = host_count * options->flows_per_host};
    for (uint32_t load = 0; load < FB_LOADS; load++) {
        loop->load = (enum fb_fluid_load)load;
        row->has_simgrid[load] = has_simgrid && load != FB_LOAD_ONE_LINK;
        if (!fb_fluid_loop_run(loop, &row->fluid[load]))
            return false;
        if (row->has_simgrid[load] && !fb_fluid_loop_run_simgrid(loop, &row->simgrid[load]))
            return false;
    }
    return true;
}

/* Measures all sizes. rival: the row of RIVAL_FLOWS, one of these or one more; NULL: none. */
static bool sizes_measure(const struct options *options, struct fb_fluid_loop *loop,
                          struct row *rows, const struct row **rival)
{
    /* SimGrid has no fabric but the leaf-spine built for it here. */
    bool has_simgrid = fb_engine_kind_is_built(FB_ENGINE_SIMGRID) && options->simgrid_seconds > 0 &&
                       loop->fabric.kind == FB_FABRIC_LEAF_SPINE;
    uint64_t rival_hosts = RIVAL_FLOWS / options->flows_per_host;
    *rival = NULL;
    for (uint32_t i = 0; i < options->size_count; i++) {
        uint64_t host_count = options->host_counts[i];
        if (!row_measure(options, loop, host_count, has_simgrid && host_count <= rival_hosts,
                         &rows[i]))
            return false;
        if (!options->is_json)
            print_row(&rows[i]);
        if (has_simgrid && host_count == rival_hosts)
            *rival = &rows[i];
    }
    if (!has_simgrid || *rival != NULL)
        return true;
    *rival = &rows[options->size_count];
    return row_measure(options, loop, rival_hosts, true, &rows[options->size_count]);
}

int fb_bench_fluid(int argc, char **argv)
{
    struct options options = {
        .host_counts = {1000, 10000, 100000},
        .size_count = 3,
        .flows_per_host = 4,
        .oversubscription = 2,
        .simgrid_seconds = SIMGRID_SECONDS,
        .fabric = "leaf-spine",
        .tolerance = FB_FLUID_TOLERANCE,
    };
    struct fb_error error = {.text = ""};
    struct row rows[SIZES_MAX + 1];
    const struct row *rival = NULL;
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
    if (!sizes_measure(&options, &loop, rows, &rival)) {
        fprintf(stderr, "forebay bench fluid: a measurement died: is there memory for it?\n");
        return FB_EXIT_FAILED;
    }
    if (options.is_json)
        print_json(&options, rows, rival);
    else if (rival != NULL)
        print_rivals(&options, rows,
                     rival == &rows[options.size_count] ? options.size_count + 1
                                                        : options.size_count);
    return FB_EXIT_FINE;
}
