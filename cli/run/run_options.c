/* Parses the options of `forebay run`. --engine is shorthand for --set simulation.engine=NAME. */
#include "base/options.h"
#include "cli/run/run_options.h"

#include "cli/run/run_slice.h"
#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option table[] = {{"out", required_argument, NULL, 'o'},
                                      {"seed", required_argument, NULL, 's'},
                                      {"seeds", required_argument, NULL, 'n'},
                                      {"jobs", required_argument, NULL, 'j'},
                                      {"engine", required_argument, NULL, 'e'},
                                      {"set", required_argument, NULL, 'k'},
                                      {"max-memory", required_argument, NULL, 'm'},
                                      {"expect", no_argument, NULL, 'x'},
                                      {"check-slice", optional_argument, NULL, 'c'},
                                      {"quiet", no_argument, NULL, 'q'},
                                      {NULL, 0, NULL, 0}};

static uint64_t parse_count(const char *name, const char *text, uint64_t max,
                            struct fb_error *error)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value == 0 || value > max) {
        fb_error_set(error, "--%s %s: must be a whole number from 1 to %llu", name, text,
                     (unsigned long long)max);
        return 1;
    }
    return value;
}

static uint64_t parse_memory(const char *text, struct fb_error *error)
{
    uint64_t value = 0;
    if (!fb_parse_bytes(text, &value) || value == 0)
        fb_error_set(error, "--max-memory '%s': must be a size with its unit, e.g. '12 GiB'", text);
    return value;
}

static void add_assignment(struct fb_run_options *options, const char *assignment,
                           struct fb_error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        fb_error_set(error, "--set %s: must be key=value, e.g. --set core.policy=lru", assignment);
    else if (options->assignment_count == FB_ASSIGNMENTS_MAX)
        fb_error_set(error, "--set: at most %d settings", FB_ASSIGNMENTS_MAX);
    else
        options->assignments[options->assignment_count++] = assignment;
}

static void set_engine(struct fb_run_options *options, const char *name, struct fb_error *error)
{
    static char assignment[64];
    if (strcmp(name, "simgrid") != 0 && strcmp(name, "plain") != 0) {
        fb_error_set(error, "--engine %s: must be simgrid or plain", name);
        return;
    }
    snprintf(assignment, sizeof(assignment), "simulation.engine=%s", name);
    add_assignment(options, assignment, error);
    if (strcmp(name, "plain") == 0)
        add_assignment(options, "simulation.network=fluid", error);
}

static void set_slice(struct fb_run_options *options, const char *nodes, struct fb_error *error)
{
    options->does_slice = true;
    if (nodes != NULL)
        options->slice_nodes = (uint32_t)parse_count("check-slice", nodes, FB_SLICE_NODES, error);
}

void fb_run_options_parse(int argc, char **argv, struct fb_run_options *options,
                          struct fb_error *error)
{
    memset(options, 0, sizeof(*options));
    opterr = 0;
    optind = 1;
    for (;;) {
        int option = fb_options_next(argc, argv, "", table, NULL);
        if (option == -1)
            break;
        if (option == 'o')
            options->folder = optarg;
        else if (option == 's')
            options->seed = parse_count("seed", optarg, UINT64_MAX, error);
        else if (option == 'n')
            options->seeds = (uint32_t)parse_count("seeds", optarg, 1000, error);
        else if (option == 'j')
            options->jobs = (uint32_t)parse_count("jobs", optarg, 256, error);
        else if (option == 'e')
            set_engine(options, optarg, error);
        else if (option == 'k')
            add_assignment(options, optarg, error);
        else if (option == 'c')
            set_slice(options, optarg, error);
        else if (option == 'm')
            options->memory_max_bytes = parse_memory(optarg, error);
        else if (option == 'x')
            options->does_expect = true;
        else if (option == 'q')
            options->is_quiet = true;
        else
            fb_error_set(error, "%s", fb_options_fault());
    }
    if (optind < argc)
        options->experiment = argv[optind];
    if (optind + 1 < argc)
        fb_error_set(error, "%s: only one experiment a run", argv[optind + 1]);
    if (options->experiment == NULL)
        fb_error_set(error, "which experiment? e.g. forebay run experiments/quickstart.yaml");
}
