/* Component files: hardware, networks, transports, origins. Each number in them is a map with
 * `value` and exactly one of `source` (where it is published) and `guess` (a range, and how to
 * measure it). Guesses that are not overridden go to the scenario, so that reports can list what a
 * conclusion rests on. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include <stdio.h>
#include <string.h>

void fb_text_copy(struct fb_map *map, const char *key, char *text, uint64_t size)
{
    const char *value = fb_map_text(map, key);
    if (strlen(value) >= size) {
        fb_map_fault(map, key, "is longer than %llu bytes: shorten it",
                     (unsigned long long)size - 1);
        value = "";
    }
    snprintf(text, size, "%s", value);
}

void fb_schema_check(struct fb_map *map)
{
    if (!fb_map_has(map, "schema_version")) {
        fb_map_fault(map, "schema_version", "the key is missing: add schema_version: %d",
                     FB_SCHEMA_VERSION);
        return;
    }
    uint64_t version = fb_map_count(map, "schema_version", 0, UINT32_MAX);
    if (version != FB_SCHEMA_VERSION)
        fb_map_fault(map, "schema_version", "%llu is not supported: this program reads version %d",
                     (unsigned long long)version, FB_SCHEMA_VERSION);
}

void fb_component_open(struct fb_loader *loader, struct fb_map *map, const char *key,
                       const char *folder, struct fb_component *component)
{
    char path[FB_PATH_MAX];
    component->loader = loader;
    component->name[0] = '\0';
    fb_file_find(loader, map, key, folder, path);
    component->document = fb_document_open(path, loader->error);
    component->map = fb_document_root(component->document, loader->error);
    if (component->document == NULL)
        return;
    fb_schema_check(&component->map);
    fb_text_copy(&component->map, "name", component->name, sizeof(component->name));
    /* Free text for people. */
    fb_map_text_or(&component->map, "notes", "");
}

void fb_component_close(struct fb_component *component)
{
    fb_map_close(&component->map);
    fb_map_close(&component->override);
    fb_document_close(component->document);
    component->document = NULL;
}

static void guess_add(struct fb_component *component, struct fb_map *fact, const char *key)
{
    struct fb_scenario *scenario = component->loader->scenario;
    const char *range = fb_map_text(fact, "guess");
    if (strstr(range, " to ") == NULL) {
        fb_map_fault(fact, "guess",
                     "\"%.64s\" has no range: write e.g. \"1 us to 3 us, measure "
                     "with ib_write_lat\"",
                     range);
        return;
    }
    if (scenario->guess_count == FB_GUESSES_MAX) {
        fb_map_fault(fact, "guess", "more than %d guesses in one scenario", FB_GUESSES_MAX);
        return;
    }
    snprintf(scenario->guesses[scenario->guess_count++], FB_GUESS_SIZE, "%s %s: %s (%s)",
             component->name, key, fb_map_text(fact, "value"), range);
}

/* The map to read `value` from. Checks that the fact says where its number comes from. */
static struct fb_map fact_enter(struct fb_component *component, const char *key)
{
    struct fb_map *map = &component->map;
    if (fb_map_is_plain(map, key))
        fb_map_fault(map, key, "is a bare value: write it as value: with source: or guess:");
    struct fb_map fact = fb_map_child(map, key, true);
    bool has_source = fb_map_has(&fact, "source");
    bool has_guess = fb_map_has(&fact, "guess");
    fb_map_has(&fact, "value");
    if (fact.node != NULL && has_source == has_guess)
        fb_map_fault(map, key,
                     has_source
                         ? "has both source: and guess:: keep one"
                         : "has neither source: nor guess:: say where the number comes from, or "
                           "give a range");
    if (has_source && fb_map_text(&fact, "source")[0] == '\0')
        fb_map_fault(&fact, "source", "is empty: name the data sheet or page");
    if (has_guess)
        guess_add(component, &fact, key);
    fb_map_close(&fact);
    return fact;
}

/* Where the number is: the override under `key`, else the fact under "value". */
struct place {
    struct fb_map map;
    const char *name;
};

static struct place place_choose(struct fb_component *component, const char *key)
{
    if (!fb_map_has(&component->override, key))
        return (struct place){.map = fact_enter(component, key), .name = "value"};
    fb_map_has(&component->map, key);
    return (struct place){.map = component->override, .name = key};
}

uint64_t fb_fact_count(struct fb_component *component, const char *key, uint64_t min, uint64_t max)
{
    struct place place = place_choose(component, key);
    return fb_map_count(&place.map, place.name, min, max);
}

uint64_t fb_fact_bytes(struct fb_component *component, const char *key, uint64_t min, uint64_t max)
{
    struct place place = place_choose(component, key);
    return fb_map_bytes(&place.map, place.name, min, max);
}

uint64_t fb_fact_ns(struct fb_component *component, const char *key, uint64_t min, uint64_t max)
{
    struct place place = place_choose(component, key);
    return fb_map_ns(&place.map, place.name, min, max);
}

uint64_t fb_fact_rate(struct fb_component *component, const char *key, uint64_t min, uint64_t max)
{
    struct place place = place_choose(component, key);
    return fb_map_rate(&place.map, place.name, min, max);
}

double fb_fact_number(struct fb_component *component, const char *key, double min, double max)
{
    struct place place = place_choose(component, key);
    return fb_map_number(&place.map, place.name, min, max);
}

bool fb_fact_flag(struct fb_component *component, const char *key)
{
    struct place place = place_choose(component, key);
    if (!fb_map_has(&place.map, place.name))
        fb_map_fault(&place.map, place.name, "the key is missing: write true or false");
    return fb_map_flag_or(&place.map, place.name, false);
}
