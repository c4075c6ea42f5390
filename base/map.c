/* Maps being read: children, lists, free keys, and the check that every key was known.
 *
 * A key becomes known by being asked for. fb_map_close walks the map's keys and reports the first
 * one that nobody asked for, with the nearest known name when it is near enough to be a typing
 * error. */
#include "base/document.h"
#include "base/document_internal.h"

#include "core/panic.h"
#include "base/units.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_MAX = FB_MAP_PLACE_MAX + FB_MAP_PATH_MAX + 80 };

static void name_remember(struct fb_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->name_count; i++)
        if (strcmp(map->names[i], name) == 0)
            return;
    FB_ASSERT(map->name_count < FB_MAP_NAMES_MAX);
    map->names[map->name_count++] = name;
}

struct fb_map fb_document_root(struct fb_document *document, struct fb_error *error)
{
    struct fb_map map = {.document = document, .error = error};
    if (document == NULL)
        return map;
    map.node = fy_document_root(document->tree);
    snprintf(map.place, sizeof(map.place), "%.*s", FB_MAP_PLACE_MAX - 1, document->path);
    return map;
}

/* Where the key of a pair stands; an override's key stands where the override does. */
static void pair_place(struct fb_map *map, struct fy_node_pair *pair, char *place, uint64_t size)
{
    struct fy_node *value = fy_node_pair_value(pair);
    bool is_override = value != NULL && fb_node_label(value) != NULL;
    fb_node_place(map->document, is_override ? value : fy_node_pair_key(pair), place, size);
}

struct fy_node_pair *fb_map_pair(struct fb_map *map, const char *name)
{
    name_remember(map, name);
    if (map->node == NULL)
        return NULL;
    return fy_node_mapping_lookup_pair_by_simple_key(map->node, name, strlen(name));
}

bool fb_map_has(struct fb_map *map, const char *name)
{
    return fb_map_pair(map, name) != NULL;
}

bool fb_map_is_assigned(struct fb_map *map, const char *name)
{
    struct fy_node_pair *pair = fb_map_pair(map, name);
    const char *label = pair == NULL ? NULL : fb_node_label(fy_node_pair_value(pair));
    return label != NULL && strncmp(label, "--set ", 6) == 0;
}

bool fb_map_is_plain(struct fb_map *map, const char *name)
{
    struct fy_node_pair *pair = fb_map_pair(map, name);
    struct fy_node *value = pair == NULL ? NULL : fy_node_pair_value(pair);
    return value != NULL && fy_node_is_scalar(value) && !fb_node_is_empty(value);
}

void fb_map_place(struct fb_map *map, const char *name, char *place, uint64_t size)
{
    struct fy_node_pair *pair = name == NULL ? NULL : fb_map_pair(map, name);
    if (pair == NULL)
        snprintf(place, size, "%s", map->place);
    else if (fb_map_is_plain(map, name))
        fb_node_place(map->document, fy_node_pair_value(pair), place, size);
    else
        pair_place(map, pair, place, size);
}

/* "PLACE: KEY: ", or just "PLACE: " where the place is an assignment to that very key. */
static void prefix_write(const struct fb_map *map, const char *place, const char *name,
                         char prefix[PREFIX_MAX])
{
    char assigned[FB_MAP_PATH_MAX + 96];
    snprintf(assigned, sizeof(assigned), "--set %s%.64s", map->path, name);
    if (strcmp(place, assigned) == 0)
        snprintf(prefix, PREFIX_MAX, "%s: ", place);
    else
        snprintf(prefix, PREFIX_MAX, "%s: %s%.64s: ", place, map->path, name);
}

void fb_map_fault(struct fb_map *map, const char *name, const char *format, ...)
{
    if (fb_error_is_set(map->error))
        return;
    char place[sizeof(map->place)];
    char prefix[PREFIX_MAX];
    char text[sizeof(map->error->text)];
    fb_map_place(map, name, place, sizeof(place));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(prefix, sizeof(prefix), "%s: ", place);
    if (name != NULL)
        prefix_write(map, place, name, prefix);
    fb_error_set(map->error, "%s%s", prefix, text);
}

/* A map for `node`, which must be a map; `name` is what errors call it. */
static struct fb_map map_enter(struct fb_map *parent, struct fy_node *node, const char *name)
{
    struct fb_map map = {.document = parent->document, .node = node, .error = parent->error};
    size_t length = strnlen(parent->path, sizeof(map.path) - 64);
    snprintf(map.path, sizeof(map.path), "%.*s%.62s.", (int)length, parent->path, name);
    snprintf(map.place, sizeof(map.place), "%s", parent->place);
    return map;
}

struct fb_map fb_map_child(struct fb_map *map, const char *name, bool is_required)
{
    struct fy_node_pair *pair = fb_map_pair(map, name);
    struct fy_node *value = pair == NULL ? NULL : fy_node_pair_value(pair);
    if (value != NULL && fb_node_is_empty(value))
        value = NULL;
    if (value == NULL && is_required)
        fb_map_fault(map, name, pair == NULL ? "the key is missing: add it" : "is empty: fill it");
    else if (value != NULL && !fy_node_is_mapping(value))
        fb_map_fault(map, name, "is not a map: write keys and values below it");
    struct fb_map child = map_enter(map, fb_error_is_set(map->error) ? NULL : value, name);
    if (pair != NULL)
        pair_place(map, pair, child.place, sizeof(child.place));
    return child;
}

/* The list element i, or the value itself when it is no list. */
static struct fy_node *element_find(struct fb_map *map, const char *name, uint32_t i)
{
    struct fy_node_pair *pair = fb_map_pair(map, name);
    struct fy_node *value = pair == NULL ? NULL : fy_node_pair_value(pair);
    if (fb_node_is_empty(value))
        return NULL;
    if (!fy_node_is_sequence(value))
        return i == 0 ? value : NULL;
    return fy_node_sequence_get_by_index(value, (int)i);
}

uint32_t fb_map_list_count(struct fb_map *map, const char *name)
{
    struct fy_node *first = element_find(map, name, 0);
    if (first == NULL)
        return 0;
    struct fy_node *value = fy_node_pair_value(fb_map_pair(map, name));
    return fy_node_is_sequence(value) ? (uint32_t)fy_node_sequence_item_count(value) : 1;
}

const char *fb_map_list_text(struct fb_map *map, const char *name, uint32_t i)
{
    struct fy_node *element = element_find(map, name, i);
    bool is_text = element != NULL && fy_node_is_scalar(element) && !fy_node_is_alias(element) &&
                   !fb_node_is_empty(element);
    const char *text = is_text ? fy_node_get_scalar0(element) : NULL;
    if (text == NULL)
        fb_map_fault(map, name, "element %u is not a plain value", i + 1);
    return text == NULL ? "" : text;
}

struct fb_map fb_map_list_map(struct fb_map *map, const char *name, uint32_t i)
{
    struct fy_node *element = element_find(map, name, i);
    if (element == NULL || !fy_node_is_mapping(element)) {
        fb_map_fault(map, name, "element %u is not a map: write keys and values", i + 1);
        element = NULL;
    }
    char numbered[FB_MAP_PATH_MAX];
    snprintf(numbered, sizeof(numbered), "%s.%u", name, i);
    struct fb_map child = map_enter(map, element, numbered);
    struct fy_node_pair *first = element == NULL ? NULL : fy_node_mapping_get_by_index(element, 0);
    if (first != NULL)
        pair_place(map, first, child.place, sizeof(child.place));
    return child;
}

uint32_t fb_map_key_count(struct fb_map *map)
{
    return map->node == NULL ? 0 : (uint32_t)fy_node_mapping_item_count(map->node);
}

const char *fb_map_key(struct fb_map *map, uint32_t i)
{
    struct fy_node_pair *pair =
        map->node == NULL ? NULL : fy_node_mapping_get_by_index(map->node, (int)i);
    FB_ASSERT(pair != NULL);
    const char *text = fy_node_get_scalar0(fy_node_pair_key(pair));
    return text == NULL ? "" : text;
}

/* One is the other with an ending: memory_size_bytes, memory_size. */
static bool is_extension(const char *key, const char *name)
{
    size_t shorter = strlen(key) < strlen(name) ? strlen(key) : strlen(name);
    return shorter >= 4 && strncmp(key, name, shorter) == 0;
}

/* Near enough for a typing error: two letters, a third of a long name, or an ending. */
static const char *name_nearest(const struct fb_map *map, const char *key)
{
    uint32_t length = (uint32_t)strnlen(key, 63);
    uint32_t least = length / 3 > 2 ? length / 3 : 2;
    const char *nearest = NULL;
    const char *extension = NULL;
    for (uint32_t i = 0; i < map->name_count; i++) {
        uint32_t distance = fb_edit_distance(key, map->names[i]);
        if (extension == NULL && is_extension(key, map->names[i]))
            extension = map->names[i];
        if (distance > least || (nearest != NULL && distance == least))
            continue;
        least = distance;
        nearest = map->names[i];
    }
    return nearest != NULL ? nearest : extension;
}

static void unknown_report(struct fb_map *map, struct fy_node_pair *pair, const char *key)
{
    char place[sizeof(map->place)];
    char prefix[PREFIX_MAX];
    pair_place(map, pair, place, sizeof(place));
    prefix_write(map, place, key, prefix);
    const char *nearest = name_nearest(map, key);
    if (nearest != NULL) {
        fb_error_set(map->error, "%sunknown key: did you mean %s?", prefix, nearest);
        return;
    }
    char list[320] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < map->name_count && length < sizeof(list) - 72; i++)
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%.64s",
                                   i == 0 ? "" : ", ", map->names[i]);
    fb_error_set(map->error, "%sunknown key: known here: %s", prefix, list);
}

void fb_map_close(struct fb_map *map)
{
    if (map->node == NULL || fb_error_is_set(map->error))
        return;
    void *iterator = NULL;
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(map->node, &iterator)) != NULL) {
        struct fy_node *key = fy_node_pair_key(pair);
        const char *text = key == NULL ? NULL : fy_node_get_scalar0(key);
        bool is_known = false;
        for (uint32_t i = 0; i < map->name_count && text != NULL; i++)
            is_known = is_known || strcmp(map->names[i], text) == 0;
        if (is_known)
            continue;
        unknown_report(map, pair, text == NULL ? "" : text);
        return;
    }
}

void fb_map_close_lenient(struct fb_map *map)
{
    map->node = NULL;
}
