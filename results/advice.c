/* Which placement a finished experiment speaks for: of those that move at most 1.05 times the
 * minimum the one whose fullest node has least, and of those within a tenth of that, which is
 * chance, the one whose tables are built in the fewest steps; each judged by its worst point. Where
 * the best of all changes but one fails at that one, the sentence says so, and names what to use if
 * that change is not to be expected. */
#include "results/internal.h"
#include "results/metric_names.h"
#include "results/results.h"

#include <stdio.h>
#include <string.h>

enum { WAYS_MAX = 8 };

static const double moved_max = 1.05, imbalance_slack = 1.1;

struct way {
    const char *name;
    double moved, moved_second; /* worst points, the worst change apart: x of the minimum */
    const char *moved_at;       /* the change that is worst */
    double imbalance;           /* worst point: x of the mean */
    double steps;               /* worst point, to build a table */
    double metadata;            /* worst point, share of what the store can answer */
};

static const char *parameter_of(const struct fb_point *point, const char *name)
{
    for (uint32_t i = 0; i < point->parameter_count; i++) {
        if (strcmp(point->parameters[i].name, name) == 0)
            return point->parameters[i].value;
    }
    return NULL;
}

static double figure(const struct fb_point *point, const char *metric)
{
    const char *unit;
    struct fb_estimate estimate = fb_point_estimate(point, metric, &unit);
    return estimate.n > 0 ? estimate.mean : 0;
}

static struct way *way_of(struct way ways[WAYS_MAX], uint32_t *count, const char *name)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    }
    if (*count == WAYS_MAX)
        return NULL;
    ways[*count] = (struct way){.name = name, .moved_at = ""};
    return &ways[(*count)++];
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void way_add(struct way *way, const struct fb_point *point)
{
    const char *change = parameter_of(point, "workload.change");
    double moved = figure(point, "placement_moved_over_minimum");
    if (moved > way->moved) {
        way->moved_second = way->moved;
        way->moved = moved;
        way->moved_at = change != NULL ? change : "";
    } else {
        way->moved_second = larger(way->moved_second, moved);
    }
    way->imbalance = larger(way->imbalance, figure(point, "placement_imbalance"));
    way->steps = larger(way->steps, figure(point, "placement_build_steps"));
    way->metadata = larger(way->metadata, figure(point, "placement_metadata_share"));
}

/* The evenest that needs no directory and moves little: at every change, or at all but one. */
static const struct way *way_best(const struct way *ways, uint32_t count, bool is_every_change)
{
    const struct way *best = NULL;
    double least = 0;
    for (uint32_t i = 0; i < count; i++) {
        double moved = is_every_change ? ways[i].moved : ways[i].moved_second;
        bool is_fit = moved <= moved_max && ways[i].metadata <= 0;
        if (is_fit && (least <= 0 || ways[i].imbalance < least))
            least = ways[i].imbalance;
    }
    for (uint32_t i = 0; i < count; i++) {
        double moved = is_every_change ? ways[i].moved : ways[i].moved_second;
        bool is_fit = moved <= moved_max && ways[i].metadata <= 0 &&
                      ways[i].imbalance <= least * imbalance_slack;
        if (is_fit && (best == NULL || ways[i].steps < best->steps))
            best = &ways[i];
    }
    return best;
}

static size_t add_way(char *text, size_t size, const char *word, const struct way *way)
{
    return (size_t)snprintf(text, size,
                            "%s%s: it moves %.2fx the minimum at most, its fullest node has %.2fx "
                            "the mean, a table costs %.1f million steps. ",
                            word, way->name, way->moved, way->imbalance, way->steps / 1e6);
}

const char *fb_advice_text(const struct fb_results *results, char *text, size_t size)
{
    struct way ways[WAYS_MAX];
    uint32_t count = 0;
    size_t at = 0;
    text[0] = 0;
    for (uint32_t p = 0; p < results->point_count; p++) {
        const char *name = parameter_of(&results->points[p], "workload.placement");
        struct way *way = name != NULL ? way_of(ways, &count, name) : NULL;
        if (way != NULL)
            way_add(way, &results->points[p]);
        if (way == NULL && name != NULL) {
            snprintf(text, size, "No advice: more than %d ways of placement.", WAYS_MAX);
            return text;
        }
    }
    const struct way *safe = way_best(ways, count, true), *even = way_best(ways, count, false);
    if (count < 2 || safe == NULL || even == NULL)
        return text;
    at += add_way(text + at, size - at, "Use ", safe);
    if (even != safe && at < size)
        at +=
            (size_t)snprintf(text + at, size - at,
                             "Use %s instead where the change \"%s\" does not happen, at which it "
                             "moves %.0fx the minimum: else it moves %.2fx at most, and its "
                             "fullest node has %.2fx the mean, for %.1f million steps a table. ",
                             even->name, even->moved_at, even->moved, even->moved_second,
                             even->imbalance, even->steps / 1e6);
    for (uint32_t i = 0; i < count && at < size; i++) {
        if (ways[i].metadata > 0)
            at += (size_t)snprintf(text + at, size - at,
                                   "A %s asks up to %.2fx of what the metadata store can answer. ",
                                   ways[i].name, ways[i].metadata);
    }
    return text;
}
