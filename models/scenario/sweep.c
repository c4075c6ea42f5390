/* The sweep of an experiment: `sweep: {KEY: [VALUES], ...}` into all combinations. */
#include "models/scenario/sweep.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sweep {
    struct fb_map map;
    const char *keys[FB_SWEEP_KEYS_MAX];
    uint32_t counts[FB_SWEEP_KEYS_MAX];
    uint32_t key_count;
    uint32_t point_count;
};

static bool is_pinned(const char *key, const char *const *assignments, uint32_t count)
{
    size_t length = strlen(key);
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(assignments[i], key, length) == 0 && assignments[i][length] == '=')
            return true;
    return false;
}

static void value_check(struct fb_map *map, const char *key, const char *value)
{
    if (strlen(value) >= sizeof(((struct fb_point_setting *)NULL)->value))
        fb_map_fault(map, key, "\"%.32s...\" is too long for a swept value", value);
    if (strlen(key) >= sizeof(((struct fb_point_setting *)NULL)->name))
        fb_map_fault(map, key, "the key is too long");
}

/* What belongs to all points together can not differ between them. */
static bool is_of_the_run(const char *key)
{
    static const char *const keys[] = {"schema_version", "experiment", "question", "expect",
                                       "seeds",          "sweep",      "unscaled", "checks"};
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t length = strlen(keys[i]);
        if (strncmp(key, keys[i], length) == 0 && (key[length] == '\0' || key[length] == '.'))
            return true;
    }
    return false;
}

static void key_add(struct sweep *sweep, const char *key)
{
    if (is_of_the_run(key))
        fb_map_fault(&sweep->map, key, "is of the whole run and can not be swept: set it once");
    uint32_t count = fb_map_list_count(&sweep->map, key);
    if (count == 0)
        fb_map_fault(&sweep->map, key, "has no values: write a list, e.g. [1, 2, 4]");
    for (uint32_t i = 0; i < count; i++)
        value_check(&sweep->map, key, fb_map_list_text(&sweep->map, key, i));
    if (sweep->key_count == FB_SWEEP_KEYS_MAX) {
        fb_map_fault(&sweep->map, key, "more than %d swept keys: remove one", FB_SWEEP_KEYS_MAX);
        return;
    }
    if ((uint64_t)sweep->point_count * count > FB_SWEEP_POINTS_MAX) {
        fb_map_fault(&sweep->map, key, "the sweep has more than %d points: shorten its lists",
                     FB_SWEEP_POINTS_MAX);
        return;
    }
    sweep->keys[sweep->key_count] = key;
    sweep->counts[sweep->key_count++] = count;
    sweep->point_count *= count;
}

/* Point i in the order of counting, the first key being the slowest digit. */
static void point_fill(struct sweep *sweep, uint32_t i, struct fb_sweep_point *point)
{
    point->setting_count = sweep->key_count;
    for (uint32_t k = sweep->key_count; k-- > 0;) {
        struct fb_point_setting *setting = &point->settings[k];
        const char *value = fb_map_list_text(&sweep->map, sweep->keys[k], i % sweep->counts[k]);
        snprintf(setting->name, sizeof(setting->name), "%s", sweep->keys[k]);
        snprintf(setting->value, sizeof(setting->value), "%s", value);
        i /= sweep->counts[k];
    }
}

uint32_t fb_sweep_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                       struct fb_sweep_point **points, struct fb_error *error)
{
    *points = NULL;
    struct fb_document *document = fb_document_open(path, error);
    if (document == NULL)
        return 0;
    for (uint32_t i = 0; i < assignment_count; i++)
        fb_document_set(document, assignments[i], error);
    struct fb_map root = fb_document_root(document, error);
    struct sweep sweep = {.map = fb_map_child(&root, "sweep", false), .point_count = 1};
    for (uint32_t i = 0; i < fb_map_key_count(&sweep.map) && !fb_error_is_set(error); i++) {
        const char *key = fb_map_key(&sweep.map, i);
        if (!is_pinned(key, assignments, assignment_count))
            key_add(&sweep, key);
    }
    if (!fb_error_is_set(error)) {
        *points = fb_allocate(sweep.point_count, sizeof(**points), "points of a sweep", error);
        for (uint32_t i = 0; i < sweep.point_count && *points != NULL; i++)
            point_fill(&sweep, i, &(*points)[i]);
    }
    fb_document_close(document);
    return *points == NULL ? 0 : sweep.point_count;
}
