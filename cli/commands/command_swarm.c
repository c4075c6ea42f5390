/* `forebay swarm`: many clusters under faults, each from one seed; what they showed, as tables; and
 * for every failure a script that runs it again, made small on request. */
#include "base/options.h"
#include "cli/command.h"
#include "cli/commands/command_swarm.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option table[] = {{"seeds", required_argument, NULL, 'n'},
                                      {"first-seed", required_argument, NULL, 's'},
                                      {"seconds", required_argument, NULL, 't'},
                                      {"jobs", required_argument, NULL, 'j'},
                                      {"beyond", no_argument, NULL, 'b'},
                                      {"minimise", no_argument, NULL, 'm'},
                                      {"json", no_argument, NULL, 'o'},
                                      {"script", required_argument, NULL, 'f'},
                                      {"trace", no_argument, NULL, 'r'},
                                      {"out", required_argument, NULL, 'd'},
                                      {"see-all", no_argument, NULL, 'a'},
                                      {"until-failure", no_argument, NULL, 'u'},
                                      {NULL, 0, NULL, 0}};

static bool parse_number(const char *name, const char *text, uint64_t max, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == 0 && errno == 0 && *value > 0 && *value <= max)
        return true;
    fprintf(stderr, "forebay swarm: --%s %s: must be a whole number from 1 to %" PRIu64 "\n", name,
            text, max);
    return false;
}

static bool parse_flag(int option, struct swarm_options *options)
{
    if (option == 'b')
        options->is_beyond = true;
    else if (option == 'm')
        options->does_minimise = true;
    else if (option == 'o')
        options->is_json = true;
    else if (option == 'r')
        options->does_trace = true;
    else if (option == 'a')
        options->must_see_all = true;
    else if (option == 'u')
        options->stops_early = true;
    else if (option == 'f')
        options->script = optarg;
    else if (option == 'd')
        options->folder = optarg;
    else
        return false;
    return true;
}

static bool parse(int argc, char **argv, struct swarm_options *options)
{
    uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    bool is_fine = true;
    optind = 1;
    for (;;) {
        int option = fb_options_next(argc, argv, "", table, NULL);
        if (option == -1 || !is_fine)
            break;
        if (option == 'n') {
            is_fine = parse_number("seeds", optarg, UINT32_MAX, &options->seeds);
        } else if (option == 's') {
            is_fine = parse_number("first-seed", optarg, INT64_MAX, &options->first_seed);
        } else if (option == 't') {
            is_fine = parse_number("seconds", optarg, 86400, &options->seconds);
        } else if (option == 'j') {
            is_fine = parse_number("jobs", optarg, SWARM_JOBS_MAX, &jobs);
        } else if (!parse_flag(option, options)) {
            return false; /* getopt has said why */
        }
    }
    if (is_fine && optind < argc) {
        fprintf(stderr, "forebay swarm: %s: what is that? A plan is given with --script\n",
                argv[optind]);
        return false;
    }
    if (options->seeds == 0)
        options->seeds = options->seconds > 0 ? UINT32_MAX : 1000;
    options->jobs = jobs < SWARM_JOBS_MAX ? (uint32_t)jobs : SWARM_JOBS_MAX;
    return is_fine;
}

static bool script_write(const char *path, const struct fb_swarm_plan *plan,
                         const struct fb_swarm_result *result)
{
    FILE *stream = fopen(path, "w");
    if (stream == NULL) {
        fprintf(stderr, "forebay swarm: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    fprintf(stream, "# seed %" PRIu64 ", commit %s\n# %s: %s\n", result->seed, FB_GIT_SHA,
            result->check, result->text);
    fb_swarm_plan_write(plan, stream);
    return fclose(stream) == 0;
}

/* A failure's last words, and how to see it again. */
static void failure_print(const struct swarm_options *options, const struct fb_swarm_result *first)
{
    char path[512];
    static struct fb_swarm_result result;
    printf("seed %" PRIu64 " (commit %s): %s: %s\n", first->seed, FB_GIT_SHA, first->check,
           first->text);
    if (!options->does_minimise) {
        printf("    forebay swarm%s --first-seed %" PRIu64 " --seeds 1 --minimise\n",
               options->is_beyond ? " --beyond" : "", first->seed);
        return;
    }
    struct fb_swarm_plan *plan = fb_swarm_plan_make(first->seed, options->is_beyond);
    uint32_t runs = swarm_child_minimise(plan, first);
    swarm_child_run(plan, NULL, &result);
    snprintf(path, sizeof(path), "%s/swarm-%" PRIu64 ".txt", options->folder, first->seed);
    mkdir(options->folder, 0777);
    if (script_write(path, plan, &result))
        printf("    after %u runs: %u nodes, %u faults, %u requests: %s: %s\n"
               "    forebay swarm --script %s --trace\n",
               runs, plan->nodes, plan->fault_count, plan->request_count, result.check, result.text,
               path);
    fb_swarm_plan_free(plan);
}

static int run_script(const struct swarm_options *options)
{
    char error[FB_SWARM_TEXT_MAX];
    static struct fb_swarm_result result;
    FILE *stream = fopen(options->script, "r");
    if (stream == NULL) {
        fprintf(stderr, "forebay swarm: %s: %s\n", options->script, strerror(errno));
        return FB_EXIT_USAGE;
    }
    struct fb_swarm_plan *plan = fb_swarm_plan_read(stream, options->script, error);
    fclose(stream);
    if (plan == NULL) {
        fprintf(stderr, "forebay swarm: %s\n", error);
        return FB_EXIT_USAGE;
    }
    bool is_run = swarm_child_run(plan, options->does_trace ? stdout : NULL, &result);
    if (!is_run)
        fprintf(stderr, "forebay swarm: cannot start a process: %s\n", strerror(errno));
    else if (result.is_failed)
        printf("%s: %s: %s\n", options->script, result.check, result.text);
    else
        printf("%s: fine, %" PRIu64 " events\n", options->script, result.events);
    fb_swarm_plan_free(plan);
    return is_run && !result.is_failed ? FB_EXIT_FINE : FB_EXIT_FAILED;
}

static int run_trace(const struct swarm_options *options)
{
    static struct fb_swarm_result result;
    struct fb_swarm_plan *plan = fb_swarm_plan_make(options->first_seed, options->is_beyond);
    bool is_run = swarm_child_run(plan, stdout, &result);
    fb_swarm_plan_free(plan);
    if (is_run && result.is_failed)
        printf("seed %" PRIu64 ": %s: %s\n", result.seed, result.check, result.text);
    return is_run && !result.is_failed ? FB_EXIT_FINE : FB_EXIT_FAILED;
}

int fb_command_swarm(int argc, char **argv)
{
    struct swarm_options options = {.first_seed = 1, .folder = "swarm-failures"};
    if (!parse(argc, argv, &options))
        return FB_EXIT_USAGE;
    if (options.script != NULL)
        return run_script(&options);
    if (options.does_trace)
        return run_trace(&options);
    static struct swarm_totals totals;
    if (!options.is_json)
        printf("swarm: seeds from %" PRIu64 ", %u jobs, commit %s%s\n", options.first_seed,
               options.jobs, FB_GIT_SHA, options.is_beyond ? ", beyond the atlas" : "");
    if (!swarm_jobs_run(&options, &totals)) {
        fprintf(stderr, "forebay swarm: cannot start a process: %s\n", strerror(errno));
        return FB_EXIT_FAILED;
    }
    if (options.is_json)
        swarm_print_json(&options, &totals);
    else
        swarm_print(&options, &totals);
    uint64_t count =
        totals.failure_count < SWARM_FAILURES_MAX ? totals.failure_count : SWARM_FAILURES_MAX;
    for (uint64_t i = 0; i < count && !options.is_json; i++)
        failure_print(&options, &totals.failures[i]);
    bool is_unseen = options.must_see_all && swarm_unseen(&totals) > 0;
    return totals.failure_count == 0 && !is_unseen ? FB_EXIT_FINE : FB_EXIT_FAILED;
}
