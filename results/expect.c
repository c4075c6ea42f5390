/* See expect.h. */
#include "results/expect.h"

#include "base/memory.h"
#include "results/metric_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t parameters_load(struct fb_map *map, const char *name,
                                struct fb_parameter parameters[FB_PARAMETERS_MAX])
{
    struct fb_map child = fb_map_child(map, name, false);
    uint32_t count = 0;
    if (fb_map_key_count(&child) > FB_PARAMETERS_MAX)
        fb_map_fault(map, name, "has more than %d keys, which no point has: remove some",
                     FB_PARAMETERS_MAX);
    while (count < fb_map_key_count(&child) && count < FB_PARAMETERS_MAX) {
        struct fb_parameter *parameter = &parameters[count];
        const char *key = fb_map_key(&child, count++);
        snprintf(parameter->name, sizeof(parameter->name), "%s", key);
        snprintf(parameter->value, sizeof(parameter->value), "%s", fb_map_text_or(&child, key, ""));
    }
    return count;
}

static void check_load(struct fb_map *map, struct fb_check *check)
{
    memset(check, 0, sizeof(*check));
    snprintf(check->metric, sizeof(check->metric), "%s", fb_map_text_or(map, "metric", ""));
    if (check->metric[0] == 0)
        fb_map_fault(map, NULL, "a check needs a metric, e.g. metric: accelerator_utilisation");
    check->min = fb_map_number_or(map, "min", -INFINITY, -INFINITY, INFINITY);
    check->max = fb_map_number_or(map, "max", INFINITY, -INFINITY, INFINITY);
    if (isinf(check->min) && isinf(check->max))
        fb_map_fault(map, NULL, "a check needs min, max, or both");
    if (check->min > check->max)
        fb_map_fault(map, "min", "is more than max: no value can be between them");
    check->at_count = parameters_load(map, "at", check->at);
    check->over_count = parameters_load(map, "over", check->over);
    if (check->over_count == 0) {
        check->over_count = parameters_load(map, "minus", check->over);
        check->is_difference = check->over_count > 0;
    }
    fb_map_close(map);
}

uint32_t fb_checks_load(const char *path, struct fb_check **checks, struct fb_error *error)
{
    *checks = NULL;
    struct fb_document *document = fb_document_open(path, error);
    if (document == NULL)
        return 0;
    struct fb_map root = fb_document_root(document, error);
    uint32_t count = fb_map_list_count(&root, "checks");
    *checks = fb_allocate((uint64_t)count + 1, sizeof(**checks), "checks", error);
    for (uint32_t i = 0; i < count && !fb_error_is_set(error); i++) {
        struct fb_map map = fb_map_list_map(&root, "checks", i);
        check_load(&map, &(*checks)[i]);
    }
    fb_document_close(document);
    return count;
}

/* The point's value of a parameter; NULL: it has none of that name. */
static const char *parameter_value(const struct fb_parameter *parameters, uint32_t count,
                                   const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(parameters[i].name, name) == 0)
            return parameters[i].value;
    }
    return NULL;
}

static bool check_names(const struct fb_check *check, const struct fb_point *point)
{
    for (uint32_t a = 0; a < check->at_count; a++) {
        const char *value =
            parameter_value(point->parameters, point->parameter_count, check->at[a].name);
        if (value == NULL || strcmp(check->at[a].value, value) != 0)
            return false;
    }
    return true;
}

/* The point whose parameters are those of `point`, but for the ones that `over` gives. */
static const struct fb_point *point_under(const struct fb_check *check,
                                          const struct fb_results *results,
                                          const struct fb_point *point)
{
    for (uint32_t p = 0; p < results->point_count; p++) {
        const struct fb_point *other = &results->points[p];
        bool is_it = other->parameter_count == point->parameter_count;
        for (uint32_t i = 0; is_it && i < other->parameter_count; i++) {
            const struct fb_parameter *parameter = &other->parameters[i];
            const char *wanted = parameter_value(check->over, check->over_count, parameter->name);
            if (wanted == NULL)
                wanted =
                    parameter_value(point->parameters, point->parameter_count, parameter->name);
            is_it = wanted != NULL && strcmp(wanted, parameter->value) == 0;
        }
        if (is_it)
            return other;
    }
    return NULL;
}

/* What is checked at a point: the metric, its ratio or difference; n is 0 when it cannot be had. */
static struct fb_estimate check_value(const struct fb_check *check,
                                      const struct fb_results *results,
                                      const struct fb_point *point)
{
    const char *unit;
    struct fb_estimate value = fb_point_estimate(point, check->metric, &unit);
    if (check->over_count == 0)
        return value;
    const struct fb_point *under = point_under(check, results, point);
    struct fb_estimate base = {.n = 0};
    if (under != NULL)
        base = fb_point_estimate(under, check->metric, &unit);
    value.n = base.n > 0 && (check->is_difference || base.mean != 0) ? value.n : 0;
    if (value.n > 0)
        value.mean = check->is_difference ? value.mean - base.mean : value.mean / base.mean;
    return value;
}

static void range_text(const struct fb_check *check, char *text, size_t size)
{
    if (isinf(check->min))
        snprintf(text, size, "at most %.6g", check->max);
    else if (isinf(check->max))
        snprintf(text, size, "at least %.6g", check->min);
    else
        snprintf(text, size, "%.6g to %.6g", check->min, check->max);
}

/* One more, not met so far; NULL: no memory. */
static struct fb_expectation *expectation_add(struct fb_expectations *expectations,
                                              struct fb_error *error)
{
    struct fb_expectation *list = fb_grow(expectations->list, (uint64_t)expectations->count + 1,
                                          sizeof(*list), "checks", error);
    if (list == NULL)
        return NULL;
    expectations->list = list;
    list[expectations->count].is_met = false;
    return &list[expectations->count++];
}

static void point_evaluate(const struct fb_check *check, const struct fb_results *results,
                           const struct fb_point *point, struct fb_expectation *expectation)
{
    char range[64], name[128] = "";
    size_t at = 0;
    range_text(check, range, sizeof(range));
    for (uint32_t i = 0; i < point->parameter_count && at < sizeof(name); i++)
        at += (size_t)snprintf(name + at, sizeof(name) - at, " %s=%s", point->parameters[i].name,
                               point->parameters[i].value);
    struct fb_estimate estimate = check_value(check, results, point);
    expectation->is_met =
        estimate.n > 0 && estimate.mean >= check->min && estimate.mean <= check->max;
    const char *kind = check->over_count == 0 ? ""
                       : check->is_difference ? "difference "
                                              : "ratio ";
    if (estimate.n > 0)
        snprintf(expectation->text, sizeof(expectation->text), "%s%s: %s%.6g, expected %s",
                 check->metric, name, kind, estimate.mean, range);
    else
        snprintf(expectation->text, sizeof(expectation->text), "%s%s: no such metric",
                 check->metric, name);
}

void fb_check_evaluate(const struct fb_check *check, const struct fb_results *results,
                       struct fb_expectations *expectations, struct fb_error *error)
{
    bool is_named = false;
    for (uint32_t p = 0; p < results->point_count; p++) {
        if (!check_names(check, &results->points[p]))
            continue;
        is_named = true;
        struct fb_expectation *expectation = expectation_add(expectations, error);
        if (expectation == NULL)
            return;
        point_evaluate(check, results, &results->points[p], expectation);
    }
    struct fb_expectation *unnamed = is_named ? NULL : expectation_add(expectations, error);
    if (unnamed != NULL)
        snprintf(unnamed->text, sizeof(unnamed->text), "%s: the check names no point of this run",
                 check->metric);
}
