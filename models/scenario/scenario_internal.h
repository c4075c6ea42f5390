/* What the scenario's loaders share: the loader's state, finding files, and component files whose
 * every number says where it comes from. */
#ifndef FB_MODELS_SCENARIO_SCENARIO_INTERNAL_H
#define FB_MODELS_SCENARIO_SCENARIO_INTERNAL_H

#include "base/core_fields.h"
#include "base/file.h"

struct fb_scenario;

enum { FB_SCHEMA_VERSION = 1 };

struct fb_loader {
    struct fb_scenario *scenario;
    struct fb_error *error;
    const char *fallback; /* the file's name where the key is absent; NULL: it is required */
};

/* A component file being read, and the experiment's overrides of its facts. */
struct fb_component {
    struct fb_loader *loader;
    struct fb_document *document;
    struct fb_map map;
    struct fb_map override; /* absent map when nothing is overridden */
    char name[FB_NAME_MAX];
};

/* Copies a text value; errors: longer than `size` allows, missing. */
void fb_text_copy(struct fb_map *map, const char *key, char *text, uint64_t size);

/* Checks `schema_version`. */
void fb_schema_check(struct fb_map *map);

/* Finds the file that `key` names and adds it to the scenario's inputs. A name without slash and
 * suffix is FOLDER/NAME.yaml in the program's data; folder NULL: no names, only paths. A path is
 * relative to the map's file (to the current folder when it came with --set), then to the program's
 * data. Errors: no such file; the message names the nearest. */
void fb_file_find(struct fb_loader *loader, struct fb_map *map, const char *key, const char *folder,
                  char path[FB_PATH_MAX]);

/* Opens the component that `key` of `map` names. override: taken over. */
void fb_component_open(struct fb_loader *loader, struct fb_map *map, const char *key,
                       const char *folder, struct fb_component *component);
void fb_component_close(struct fb_component *component);

/* A fact: the override's value, else `KEY: {value: V, source: S}` or `guess: RANGE`. */
uint64_t fb_fact_count(struct fb_component *component, const char *key, uint64_t min, uint64_t max);
uint64_t fb_fact_bytes(struct fb_component *component, const char *key, uint64_t min, uint64_t max);
uint64_t fb_fact_ns(struct fb_component *component, const char *key, uint64_t min, uint64_t max);
uint64_t fb_fact_rate(struct fb_component *component, const char *key, uint64_t min, uint64_t max);
double fb_fact_number(struct fb_component *component, const char *key, double min, double max);
bool fb_fact_flag(struct fb_component *component, const char *key);

/* Parts of the experiment, each from its own file. `cluster` holds the names, `override` the facts
 * that the experiment sets. */
void fb_hardware_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override);
void fb_network_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override);
void fb_transport_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override);
void fb_metadata_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override);
void fb_origin_load(struct fb_loader *loader, struct fb_map *cluster, struct fb_map *override);
/* The experiment's `origin`: how its nodes use it. */
void fb_origin_client_load(struct fb_loader *loader, struct fb_map *root);
void fb_workload_load(struct fb_loader *loader, struct fb_map *root);
/* After cluster: nodes are checked. */
void fb_faults_load(struct fb_loader *loader, struct fb_map *root);
/* After workload: a KV block is the default block size. After hardware: capacities are checked. */
void fb_core_load(struct fb_loader *loader, struct fb_map *root);

/* The scenario as YAML, malloc'ed; NULL: out of memory. */
char *fb_scenario_text(const struct fb_scenario *scenario);

#endif
