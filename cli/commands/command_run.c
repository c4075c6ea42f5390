/* `forebay run`: an experiment becomes a results folder. */
#include "base/clock.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/run/run_folder.h"
#include "cli/run/run_jobs.h"
#include "cli/run/run_memory.h"
#include "cli/run/run_options.h"
#include "cli/run/run_slice.h"

#include "models/scenario/sweep.h"
#include "results/expect.h"
#include "base/file.h"
#include "sim/engine/engine.h"
#include "sim/clients/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
    struct fb_run_options options;
    struct fb_sweep_point *points;
    struct fb_scenario *scenarios;
    uint32_t point_count;
    struct fb_results results;
    struct fb_scenario unscaled; /* is_scaled */
    bool is_scaled;
    struct fb_slice slice, preset_error;
    struct fb_check *checks;
    uint32_t check_count;
    struct fb_expectations expectations;
    const char **inputs, **guesses, **configs;
    struct fb_run_folder folder;
};

static uint32_t session_seeds(const struct session *session)
{
    return session->options.seeds > 0 ? session->options.seeds : session->scenarios[0].seeds;
}

/* The first point as the experiment says it would be, were it not scaled down; what is set on the
 * command line holds for both. */
static void session_load_unscaled(struct session *session, struct fb_error *error)
{
    const struct fb_run_options *options = &session->options;
    char texts[FB_UNSCALED_MAX][FB_ASSIGNMENT_MAX];
    const char *assignments[FB_UNSCALED_MAX + FB_ASSIGNMENTS_MAX];
    uint32_t count = fb_unscaled_load(options->experiment, texts, error);
    for (uint32_t i = 0; i < count; i++)
        assignments[i] = texts[i];
    for (uint32_t i = 0; i < options->assignment_count; i++)
        assignments[count + i] = options->assignments[i];
    if (count == 0)
        return;
    session->is_scaled = true;
    fb_scenario_load(options->experiment, assignments, count + options->assignment_count,
                     &session->points[0], &session->unscaled, error);
}

/* What is read from the file alone must not seem to be set. */
static void assignments_check(const struct fb_run_options *options, struct fb_error *error)
{
    static const char *const parts[] = {"checks", "unscaled"};
    for (uint32_t i = 0; i < options->assignment_count; i++) {
        size_t length = strcspn(options->assignments[i], ".[= ");
        for (uint32_t k = 0; k < 2; k++) {
            if (strlen(parts[k]) == length &&
                strncmp(parts[k], options->assignments[i], length) == 0)
                fb_error_set(error,
                             "--set %s: is read from the experiment's file alone: write it "
                             "there",
                             parts[k]);
        }
    }
}

static void session_load(struct session *session, struct fb_error *error)
{
    const struct fb_run_options *options = &session->options;
    assignments_check(options, error);
    if (fb_error_is_set(error))
        return;
    session->point_count = fb_sweep_load(options->experiment, options->assignments,
                                         options->assignment_count, &session->points, error);
    if (fb_error_is_set(error))
        return;
    session->scenarios =
        fb_allocate(session->point_count, sizeof(*session->scenarios), "points", NULL);
    session->results.points =
        fb_allocate(session->point_count, sizeof(*session->results.points), "points", NULL);
    for (uint32_t i = 0; i < session->point_count && !fb_error_is_set(error); i++)
        fb_scenario_load(options->experiment, options->assignments, options->assignment_count,
                         &session->points[i], &session->scenarios[i], error);
    for (uint32_t i = 0; i < session->point_count && !fb_error_is_set(error); i++)
        fb_workload_check(&session->scenarios[i], error);
    if (!fb_error_is_set(error))
        session_load_unscaled(session, error);
    if (fb_error_is_set(error))
        return;
    uint32_t jobs = options->jobs > 0 ? options->jobs : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t runs = session->point_count * session_seeds(session);
    jobs = jobs < runs ? jobs : runs;
    session->results.jobs = fb_run_memory(session->scenarios, session->point_count,
                                          options->memory_max_bytes, jobs, error);
    if (!fb_error_is_set(error))
        session->check_count = fb_checks_load(options->experiment, &session->checks, error);
}

/* Adds a text, unless it is there. */
static void text_add(const char **list, uint32_t *count, const char *text)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(list[i], text) == 0)
            return;
    }
    list[(*count)++] = text;
}

/* What any of the points rests on: inputs, guesses; and the config of each. */
static void points_gather(struct session *session)
{
    struct fb_results *results = &session->results;
    uint64_t points = session->point_count;
    session->inputs = fb_allocate(points * FB_INPUTS_MAX, sizeof(*session->inputs), "points", NULL);
    session->guesses =
        fb_allocate(points * FB_GUESSES_MAX, sizeof(*session->guesses), "points", NULL);
    session->configs = fb_allocate(points, sizeof(*session->configs), "points", NULL);
    for (uint32_t p = 0; p < points; p++) {
        const struct fb_scenario *scenario = &session->scenarios[p];
        session->configs[p] = scenario->resolved;
        for (uint32_t i = 0; i < scenario->input_count; i++)
            text_add(session->inputs, &results->input_count, scenario->inputs[i]);
        for (uint32_t i = 0; i < scenario->guess_count; i++)
            text_add(session->guesses, &results->guess_count, scenario->guesses[i]);
    }
    results->inputs = session->inputs;
    results->guesses = session->guesses;
    results->configs = session->configs;
}

/* Names what bytes go by; figures of what nobody can run yet say so. */
static void transport_describe(struct session *session)
{
    char *text = session->results.transport;
    size_t size = sizeof(session->results.transport), used = 0;
    for (uint32_t p = 0; p < session->point_count && used < size; p++) {
        const struct fb_transport_model *transport = &session->scenarios[p].transport;
        bool is_told = false;
        for (uint32_t i = 0; i < p; i++)
            is_told = is_told || strcmp(session->scenarios[i].transport.name, transport->name) == 0;
        if (is_told)
            continue;
        const char *built =
            transport->is_built ? "" : ": not in this build; figures are of a build to come";
        used += (size_t)snprintf(text + used, size - used, "%s%s%s", p > 0 ? ", " : "",
                                 transport->name, built);
    }
}

static void results_describe(struct session *session)
{
    const struct fb_scenario *first = &session->scenarios[0];
    struct fb_results *results = &session->results;
    snprintf(results->experiment, sizeof(results->experiment), "%s", first->experiment);
    snprintf(results->question, sizeof(results->question), "%s", first->question);
    snprintf(results->expect, sizeof(results->expect), "%s", first->expect);
    const char *engine = first->engine == FB_ENGINE_SIMGRID ? "simgrid" : "plain";
    const char *network = first->flows == FB_FLOWS_LMM ? "lmm" : "fluid";
    snprintf(results->engine, sizeof(results->engine), "%s, network %s", engine,
             first->engine == FB_ENGINE_PLAIN ? "fluid" : network);
    results->point_count = session->point_count;
    transport_describe(session);
    points_gather(session);
}

static void point_describe(struct session *session, uint32_t index, uint32_t seeds)
{
    struct fb_point *point = &session->results.points[index];
    const struct fb_sweep_point *sweep = &session->points[index];
    snprintf(point->system, sizeof(point->system), "%s", session->scenarios[index].system);
    for (uint32_t i = 0; i < sweep->setting_count; i++) {
        snprintf(point->parameters[i].name, sizeof(point->parameters[i].name), "%s",
                 sweep->settings[i].name);
        snprintf(point->parameters[i].value, sizeof(point->parameters[i].value), "%s",
                 sweep->settings[i].value);
    }
    point->parameter_count = sweep->setting_count;
    point->runs = fb_allocate(seeds, sizeof(*point->runs), "runs", NULL);
    point->run_count = seeds;
}

/* Drops runs that never ended, so that only figures that exist are reported. */
static void points_compact(struct session *session, const struct fb_job *jobs, uint32_t seeds)
{
    for (uint32_t p = 0; p < session->point_count; p++) {
        struct fb_point *point = &session->results.points[p];
        uint32_t kept = 0;
        for (uint32_t r = 0; r < seeds; r++) {
            if (!jobs[p * seeds + r].is_done)
                continue;
            point->runs[kept] = point->runs[r];
            session->results.is_partial |= point->runs[kept].is_partial;
            kept++;
        }
        session->results.is_partial |= kept < seeds;
        point->run_count = kept;
    }
}

static void session_simulate(struct session *session, struct fb_error *error)
{
    const struct fb_run_options *options = &session->options;
    uint32_t seeds = session_seeds(session);
    uint32_t count = session->point_count * seeds;
    struct fb_job *jobs = fb_allocate(count, sizeof(*jobs), "runs", NULL);
    bool is_stopped = false;
    for (uint32_t p = 0; p < session->point_count; p++) {
        uint64_t first = options->seed > 0 ? options->seed : session->scenarios[p].first_seed;
        point_describe(session, p, seeds);
        for (uint32_t r = 0; r < seeds; r++)
            jobs[p * seeds + r] = (struct fb_job){.scenario = &session->scenarios[p],
                                                  .seed = first + r,
                                                  .point = p,
                                                  .run = &session->results.points[p].runs[r]};
    }
    uint32_t found = fb_run_folder_resume(&session->folder, jobs, count);
    if (found > 0)
        fprintf(stderr, "forebay: %u of %u runs were done before, and are kept\n", found, count);
    const struct fb_jobs all = {.list = jobs,
                                .count = count,
                                .side_by_side = session->results.jobs,
                                .is_quiet = options->is_quiet,
                                .title = session->results.experiment,
                                .folder = &session->folder};
    fb_jobs_run(&all, &is_stopped, error);
    points_compact(session, jobs, seeds);
    session->results.is_partial |= is_stopped;
    free(jobs);
}

/* Checks the point of most nodes; false when it could not be done. */
static bool session_slice(struct session *session)
{
    const struct fb_run_options *options = &session->options;
    struct fb_error error = {.text = ""};
    uint32_t largest = 0;
    for (uint32_t p = 1; p < session->point_count; p++)
        if (session->scenarios[p].nodes > session->scenarios[largest].nodes)
            largest = p;
    uint64_t seed = options->seed > 0 ? options->seed : session->scenarios[0].first_seed;
    if (options->slice_nodes > 0)
        fb_slice_run(&session->scenarios[largest], seed, options->slice_nodes,
                     session->results.jobs, options->is_quiet, &session->slice, &error);
    else
        fb_slice_grow(&session->scenarios[largest], seed, session->results.jobs, options->is_quiet,
                      &session->slice, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay: %s\n", error.text);
        return false;
    }
    fb_point_name(&session->results.points[largest], session->slice.point,
                  sizeof(session->slice.point));
    session->results.slice = &session->slice;
    return true;
}

/* Measures what scaling down costs, where the experiment says how it would be unscaled; false when
 * that failed. */
static bool session_preset(struct session *session)
{
    const struct fb_run_options *options = &session->options;
    struct fb_error error = {.text = ""};
    const struct fb_slice_how how = {.seed = options->seed > 0 ? options->seed
                                                               : session->scenarios[0].first_seed,
                                     .side_by_side = session->results.jobs,
                                     .is_quiet = options->is_quiet};
    if (!session->is_scaled)
        return true;
    fb_slice_preset(&session->scenarios[0], &session->unscaled, &how, &session->preset_error,
                    &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay: %s\n", error.text);
        return false;
    }
    fb_point_name(&session->results.points[0], session->preset_error.point,
                  sizeof(session->preset_error.point));
    session->results.preset_error = &session->preset_error;
    return true;
}

/* Prints one line a check; false when one is not met. */
static bool session_expect(struct session *session, struct fb_error *error)
{
    struct fb_expectations *all = &session->expectations;
    bool is_met = true;
    for (uint32_t i = 0; i < session->check_count && !fb_error_is_set(error); i++)
        fb_check_evaluate(&session->checks[i], &session->results, all, error);
    for (uint32_t i = 0; i < all->count; i++) {
        is_met = is_met && all->list[i].is_met;
        if (session->options.does_expect)
            printf("%s  %s\n", all->list[i].is_met ? "met    " : "NOT MET", all->list[i].text);
    }
    session->results.expectations = all->list;
    session->results.expectation_count = all->count;
    return is_met;
}

static void print_slice(const struct fb_slice *slice)
{
    char text[320];
    if (slice == NULL)
        return;
    fb_slice_text(slice, text, sizeof(text));
    printf("%s\n", text);
}

static void session_free(struct session *session)
{
    for (uint32_t p = 0; session->results.points != NULL && p < session->point_count; p++) {
        for (uint32_t r = 0; r < session->results.points[p].run_count; r++)
            fb_run_free(&session->results.points[p].runs[r]);
        free(session->results.points[p].runs);
    }
    for (uint32_t p = 0; session->scenarios != NULL && p < session->point_count; p++)
        fb_scenario_free(&session->scenarios[p]);
    fb_run_free(&session->slice.reference);
    fb_run_free(&session->slice.subject);
    fb_scenario_free(&session->unscaled);
    fb_run_free(&session->preset_error.reference);
    fb_run_free(&session->preset_error.subject);
    fb_run_folder_close(&session->folder);
    free(session->inputs);
    free(session->guesses);
    free(session->configs);
    free(session->checks);
    free(session->expectations.list);
    free(session->results.points);
    free(session->scenarios);
    free(session->points);
    free(session);
}

static int fail(struct session *session, const struct fb_error *error, int code)
{
    fprintf(stderr, "forebay: %s\n", error->text);
    session_free(session);
    return code;
}

static void session_folder(struct session *session, struct fb_error *error)
{
    char path[FB_PATH_MAX];
    const char *experiment = session->scenarios[0].experiment;
    snprintf(path, sizeof(path), "results/%s", experiment);
    fb_run_folder_open(&session->folder,
                       session->options.folder != NULL ? session->options.folder : path, error);
    if (!fb_error_is_set(error))
        fb_run_folder_begin(&session->folder, experiment, error);
    if (session->folder.had_results && !session->options.is_quiet)
        fprintf(stderr, "forebay: %s holds an earlier run's results, which this run replaces\n",
                session->folder.path);
}

int fb_command_run(int argc, char **argv)
{
    struct session *session = fb_allocate(1, sizeof(*session), "the run", NULL);
    struct fb_error error = {.text = ""};
    const char *folder = session->folder.path;
    double begun_s = fb_clock_s();
    session->folder.lock = -1;
    fb_run_options_parse(argc, argv, &session->options, &error);
    if (!fb_error_is_set(&error))
        session_load(session, &error);
    if (!fb_error_is_set(&error))
        session_folder(session, &error); /* before the work, which may be long */
    if (!fb_error_is_set(&error))
        results_describe(session);
    if (fb_error_is_set(&error))
        return fail(session, &error, FB_EXIT_USAGE);
    session_simulate(session, &error);
    if (fb_error_is_set(&error))
        return fail(session, &error, FB_EXIT_FAILED);
    bool is_sliced =
        !session->options.does_slice || session->results.is_partial || session_slice(session);
    is_sliced = (session->results.is_partial || session_preset(session)) && is_sliced;
    session->results.wall_s = fb_clock_s() - begun_s;
    bool is_met = session_expect(session, &error);
    if (!fb_error_is_set(&error))
        fb_results_write(&session->results, folder, &error);
    if (fb_error_is_set(&error))
        return fail(session, &error, FB_EXIT_FAILED);
    if (!session->results.is_partial)
        fb_run_folder_end(&session->folder);
    if (!session->options.is_quiet) {
        fb_results_print(&session->results);
        print_slice(session->results.slice);
        print_slice(session->results.preset_error);
        printf("report: %s/report.html\n", folder);
    }
    bool is_partial = session->results.is_partial;
    if (is_partial)
        fprintf(stderr, "forebay: stopped; %s is marked partial\n", folder);
    bool is_fine = !is_partial && is_sliced && (is_met || !session->options.does_expect);
    session_free(session);
    return is_fine ? FB_EXIT_FINE : FB_EXIT_FAILED;
}
