/* An experiment file into a scenario.
 *
 * Order: the file, then `--set` assignments, then the sweep point's settings; then each part is
 * read and checked against the parts before it: hardware, network, transport, origin, cluster size,
 * the origin's client, workload, core. Every map is closed, so that a key nobody knows is an error.
 */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include "models/scenario/engine_choice.h"
#include "models/scenario/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_DEFAULT = 5, SEEDS_MAX = 1000, NODES_MAX = 1 << 20, LABEL_MAX = 512 };

static void cluster_load(struct fb_loader *loader, struct fb_map *root)
{
    struct fb_scenario *scenario = loader->scenario;
    struct fb_map cluster = fb_map_child(root, "cluster", true);
    struct fb_map override = fb_map_child(root, "override", false);
    fb_hardware_load(loader, &cluster, &override);
    fb_network_load(loader, &cluster, &override);
    fb_transport_load(loader, &cluster, &override);
    fb_origin_load(loader, &cluster, &override);
    fb_metadata_load(loader, &cluster, &override);
    fb_map_close(&override);
    const struct fb_network *network = &scenario->network;
    uint32_t accelerators = scenario->hardware.accelerators;
    scenario->nodes = (uint32_t)fb_map_count(&cluster, "nodes", 1, NODES_MAX);
    scenario->accelerators =
        (uint32_t)fb_map_count_or(&cluster, "accelerators", accelerators, 0, 64);
    if (scenario->accelerators == 0)
        scenario->accelerators = accelerators;
    uint64_t hosts_max = (uint64_t)network->hosts_per_leaf * network->leaves_max;
    if (scenario->nodes > hosts_max)
        fb_map_fault(&cluster, "nodes",
                     "%u nodes do not fit the network %s, which holds %llu (%u on "
                     "each of %u leaves): lower nodes or choose a larger network",
                     scenario->nodes, network->name, (unsigned long long)hosts_max,
                     network->hosts_per_leaf, network->leaves_max);
    if (scenario->accelerators > accelerators)
        fb_map_fault(&cluster, "accelerators",
                     "%u is more than the %u of %s: lower it, or set "
                     "override.hardware.accelerators",
                     scenario->accelerators, accelerators, scenario->hardware.name);
    fb_map_close(&cluster);
}

static void simulation_load(struct fb_loader *loader, struct fb_map *root)
{
    static const char *const engines[] = {
        [FB_ENGINE_SIMGRID] = "simgrid", [FB_ENGINE_PLAIN] = "plain"};
    static const char *const networks[] = {[FB_FLOWS_LMM] = "lmm", [FB_FLOWS_FLUID] = "fluid"};
    struct fb_scenario *scenario = loader->scenario;
    struct fb_map map = fb_map_child(root, "simulation", false);
    scenario->engine = fb_map_choice(&map, "engine", engines, 2, FB_ENGINE_SIMGRID);
    bool is_plain = scenario->engine == FB_ENGINE_PLAIN;
    scenario->flows =
        fb_map_choice(&map, "network", networks, 2, is_plain ? FB_FLOWS_FLUID : FB_FLOWS_LMM);
    if (is_plain && scenario->flows == FB_FLOWS_LMM)
        fb_map_fault(&map, "network", "lmm needs the engine simgrid: write fluid");
    fb_map_close(&map);
}

/* The name becomes a folder's. */
static void name_load(struct fb_map *root, struct fb_scenario *scenario)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *name = scenario->experiment;
    fb_text_copy(root, "experiment", scenario->experiment, sizeof(scenario->experiment));
    if (name[0] == '.' || name[0] == '\0' || name[strspn(name, fine)] != '\0')
        fb_map_fault(root, "experiment",
                     "\"%s\" can not be a folder's name: use letters, digits, - and _", name);
}

static void root_load(struct fb_loader *loader, struct fb_map *root)
{
    struct fb_scenario *scenario = loader->scenario;
    fb_schema_check(root);
    name_load(root, scenario);
    fb_text_copy(root, "question", scenario->question, sizeof(scenario->question));
    fb_text_copy(root, "expect", scenario->expect, sizeof(scenario->expect));
    snprintf(scenario->system, sizeof(scenario->system), "forebay");
    if (fb_map_has(root, "system"))
        fb_text_copy(root, "system", scenario->system, sizeof(scenario->system));
    scenario->seeds = (uint32_t)fb_map_count_or(root, "seeds", SEEDS_DEFAULT, 1, SEEDS_MAX);
    scenario->first_seed = fb_map_count_or(root, "first_seed", 1, 0, UINT64_MAX - SEEDS_MAX);
    /* Read elsewhere: sweep.c, unscaled.c, results/expect.c. */
    fb_map_has(root, "sweep");
    fb_map_has(root, "unscaled");
    fb_map_has(root, "checks");
    simulation_load(loader, root);
    cluster_load(loader, root);
    fb_origin_client_load(loader, root);
    fb_workload_load(loader, root);
    fb_core_load(loader, root);
    fb_faults_load(loader, root);
    fb_map_close(root);
}

/* A setting's label says where the sweep stands in the file. */
static void point_apply(struct fb_document *document, const struct fb_sweep_point *point,
                        struct fb_error *error)
{
    struct fb_map root = fb_document_root(document, error);
    struct fb_map sweep = fb_map_child(&root, "sweep", false);
    for (uint32_t i = 0; i < point->setting_count; i++) {
        const struct fb_point_setting *setting = &point->settings[i];
        char place[FB_MAP_PLACE_MAX];
        char label[LABEL_MAX];
        fb_map_place(&sweep, setting->name, place, sizeof(place));
        snprintf(label, sizeof(label), "%s: sweep of %s", place, setting->name);
        fb_document_set_value(document, setting->name, setting->value, label, error);
    }
}

void fb_scenario_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      const struct fb_sweep_point *point, struct fb_scenario *scenario,
                      struct fb_error *error)
{
    memset(scenario, 0, sizeof(*scenario));
    struct fb_document *document = fb_document_open(path, error);
    if (document == NULL)
        return;
    for (uint32_t i = 0; i < assignment_count; i++)
        fb_document_set(document, assignments[i], error);
    if (point != NULL)
        point_apply(document, point, error);
    struct fb_loader loader = {.scenario = scenario, .error = error};
    struct fb_map root = fb_document_root(document, error);
    snprintf(scenario->inputs[scenario->input_count++], FB_PATH_MAX, "%s", path);
    if (!fb_error_is_set(error))
        root_load(&loader, &root);
    if (!fb_error_is_set(error)) {
        scenario->resolved = fb_scenario_text(scenario);
        if (scenario->resolved == NULL)
            fb_error_set(error, "%s: out of memory", path);
    }
    fb_document_close(document);
}

void fb_scenario_free(struct fb_scenario *scenario)
{
    free(scenario->resolved);
    scenario->resolved = NULL;
}
