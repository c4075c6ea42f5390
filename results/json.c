/* summary.json and manifest.json. Keys keep their order and numbers 12 digits, so that equal
 * results are equal bytes; whatever depends on the wall clock stands in the manifest's object
 * wall_clock alone. */
#include "base/file.h"
#include "base/memory.h"
#include "results/internal.h"
#include "results/metric_names.h"

#include "core/panic.h"
#include "results/results.h"
#include "version.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SCHEMA_VERSION = 1 };

/* JSON's numbers have no end, jansson's do: one above its longest is a text with a mark, which no
 * text of ours can hold, until it is written. */
static const char unsigned_mark[] = "\001";

json_t *fb_json_unsigned(uint64_t value)
{
    char text[32];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof(text), "%s%llu", unsigned_mark, (unsigned long long)value);
    return json_string(text);
}

/* Writes the text, marked ones as the numbers that they are. */
static void text_write(const char *text, FILE *stream)
{
    static const char mark[] = "\"\\u0001";
    for (const char *at = strstr(text, mark); at != NULL; at = strstr(text, mark)) {
        fwrite(text, 1, (size_t)(at - text), stream);
        text = at + strlen(mark);
        size_t digits = strspn(text, "0123456789");
        fwrite(text, 1, digits, stream);
        text += digits + 1; /* and the mark's other quote */
    }
    fputs(text, stream);
}

void fb_json_write(json_t *root, const char *folder, const char *name, struct fb_error *error)
{
    struct fb_file file;
    fb_file_open(&file, folder, name, error);
    if (file.stream != NULL) {
        char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
        if (text == NULL)
            fb_error_set(error, "out of memory for %s", file.path);
        else
            text_write(text, file.stream);
        free(text);
        fputc('\n', file.stream);
    }
    fb_file_commit(&file, error);
    json_decref(root);
}

const char *fb_point_name(const struct fb_point *point, char *text, size_t size)
{
    size_t at = 0;
    snprintf(text, size, "(one point)");
    for (uint32_t i = 0; i < point->parameter_count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s=%s", i > 0 ? ", " : "",
                               point->parameters[i].name, point->parameters[i].value);
    return text;
}

/* Each with its mean, its interval, and what each run had, by seed. */
static json_t *metrics_json(const struct fb_point *point)
{
    json_t *metrics = json_object();
    const struct fb_run *first = point->run_count > 0 ? &point->runs[0] : NULL;
    double *values = fb_allocate(point->run_count, sizeof(*values), "figures", NULL);
    for (uint32_t m = 0; first != NULL && m < first->metric_count; m++) {
        const char *unit, *name = first->metrics[m].name;
        uint32_t count = fb_point_values(point, name, values, &unit);
        struct fb_estimate estimate = fb_estimate_of(values, count);
        json_t *runs = json_array();
        for (uint32_t r = 0; r < count; r++)
            json_array_append_new(runs, json_real(values[r]));
        json_object_set_new(metrics, name,
                            json_pack("{s:f,s:s,s:f,s:i,s:o}", "value", estimate.mean, "unit", unit,
                                      "ci95", estimate.ci95, "n", (int)estimate.n, "runs", runs));
    }
    free(values);
    return metrics;
}

void fb_summary_write(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    json_t *points = json_array();
    for (uint32_t p = 0; p < results->point_count; p++) {
        const struct fb_point *point = &results->points[p];
        json_t *parameters = json_object();
        for (uint32_t i = 0; i < point->parameter_count; i++)
            json_object_set_new(parameters, point->parameters[i].name,
                                json_string(point->parameters[i].value));
        json_array_append_new(points, json_pack("{s:o,s:s,s:o}", "parameters", parameters, "system",
                                                point->system, "metrics", metrics_json(point)));
    }
    json_t *root =
        json_pack("{s:i,s:s,s:b,s:o}", "schema_version", SCHEMA_VERSION, "experiment",
                  results->experiment, "is_partial", results->is_partial, "points", points);
    fb_json_write(root, folder, "summary.json", error);
}

uint64_t fb_results_hash(const struct fb_results *results)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a over the runs' hashes, in order */
    for (uint32_t p = 0; p < results->point_count; p++) {
        for (uint32_t r = 0; r < results->points[p].run_count; r++) {
            hash ^= results->points[p].runs[r].determinism_hash;
            hash *= UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

void fb_results_config_hash(const struct fb_results *results, char hex[65])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    FB_ASSERT(context != NULL);
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (uint32_t p = 0; p < results->point_count; p++)
        EVP_DigestUpdate(context, results->configs[p], strlen(results->configs[p]));
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    for (unsigned int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static json_t *hex_json(uint64_t value)
{
    char text[20];
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)value);
    return json_string(text);
}

static json_t *runs_json(const struct fb_results *results, uint64_t *events)
{
    json_t *runs = json_array();
    *events = 0;
    for (uint32_t p = 0; p < results->point_count; p++) {
        for (uint32_t r = 0; r < results->points[p].run_count; r++) {
            const struct fb_run *run = &results->points[p].runs[r];
            *events += run->events;
            json_array_append_new(
                runs, json_pack("{s:i,s:o,s:I,s:f,s:o,s:b}", "point", (int)p, "seed",
                                fb_json_unsigned(run->seed), "events", (json_int_t)run->events,
                                "simulated_s", run->simulated_s, "determinism_hash",
                                hex_json(run->determinism_hash), "is_partial", run->is_partial));
        }
    }
    return runs;
}

static json_t *inputs_json(const struct fb_results *results)
{
    json_t *inputs = json_object();
    for (uint32_t i = 0; i < results->input_count; i++) {
        char hex[65];
        const char *value = fb_sha256_file(results->inputs[i], hex) ? hex : "unreadable";
        json_object_set_new(inputs, results->inputs[i], json_string(value));
    }
    return inputs;
}

/* What each point was: its parameters, and the hash of its resolved config. */
static json_t *points_json(const struct fb_results *results)
{
    json_t *array = json_array();
    char name[512], hex[65];
    for (uint32_t p = 0; p < results->point_count; p++) {
        fb_sha256(results->configs[p], strlen(results->configs[p]), hex);
        fb_point_name(&results->points[p], name, sizeof(name));
        json_array_append_new(array, json_pack("{s:s,s:s}", "point", name, "sha256", hex));
    }
    return array;
}

static json_t *strings_json(const char *const *strings, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(strings[i]));
    return array;
}

static json_t *wall_clock_json(const struct fb_results *results, uint64_t events)
{
    struct rusage own, children;
    char started_at[32];
    time_t now = time(NULL) - (time_t)results->wall_s;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    long peak_kib = own.ru_maxrss > children.ru_maxrss ? own.ru_maxrss : children.ru_maxrss;
    strftime(started_at, sizeof(started_at), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    return json_pack("{s:s,s:f,s:f,s:I,s:i}", "started_at", started_at, "wall_s", results->wall_s,
                     "events_per_s", results->wall_s > 0 ? (double)events / results->wall_s : 0.0,
                     "peak_rss_bytes", (json_int_t)peak_kib * 1024, "jobs", (int)results->jobs);
}

static json_t *expectations_json(const struct fb_results *results)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < results->expectation_count; i++)
        json_array_append_new(array, json_pack("{s:s,s:b}", "check", results->expectations[i].text,
                                               "is_met", results->expectations[i].is_met));
    return array;
}

void fb_manifest_write(const struct fb_results *results, const char *folder, struct fb_error *error)
{
    char config_hash[65];
    uint64_t events;
    fb_results_config_hash(results, config_hash);
    json_t *runs = runs_json(results, &events);
    json_t *root =
        json_pack("{s:i,s:s,s:s,s:s,s:s,s:s}", "schema_version", SCHEMA_VERSION, "state",
                  results->is_partial ? "partial" : "complete", "experiment", results->experiment,
                  "version", FB_VERSION, "git_sha", FB_GIT_SHA, "engine", results->engine);
    json_object_set_new(root, "config_sha256", json_string(config_hash));
    json_object_set_new(root, "determinism_hash", hex_json(fb_results_hash(results)));
    json_object_set_new(root, "events", json_integer((json_int_t)events));
    json_object_set_new(root, "runs", runs);
    json_object_set_new(root, "inputs_sha256", inputs_json(results));
    json_object_set_new(root, "transport", json_string(results->transport));
    json_object_set_new(root, "guesses", strings_json(results->guesses, results->guess_count));
    json_object_set_new(root, "warnings", strings_json(results->warnings, results->warning_count));
    json_object_set_new(root, "expectations", expectations_json(results));
    if (results->slice != NULL)
        json_object_set_new(root, "slice", fb_slice_json(results->slice));
    if (results->preset_error != NULL)
        json_object_set_new(root, "preset_error", fb_slice_json(results->preset_error));
    json_object_set_new(root, "points", points_json(results));
    json_object_set_new(root, "config",
                        json_string(results->point_count > 0 ? results->configs[0] : ""));
    json_object_set_new(root, "wall_clock", wall_clock_json(results, events));
    fb_json_write(root, folder, "manifest.json", error);
}
