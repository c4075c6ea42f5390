/* A scenario: everything that one run of the simulator needs, resolved from an experiment file, the
 * component files that it names, and overrides. Plain values; no YAML beyond scenario.c. */
#ifndef FB_MODELS_SCENARIO_SCENARIO_H
#define FB_MODELS_SCENARIO_SCENARIO_H

#include "core/config.h"
#include "models/scenario/cluster.h"
#include "models/scenario/workload.h"

/* Guesses that are listed, bytes of each with its zero, and files that a scenario is read from. */
enum { FB_GUESSES_MAX = 64, FB_GUESS_SIZE = 240, FB_INPUTS_MAX = 16 };

/* One point of an experiment, ready to run with any seed. */
struct fb_scenario {
    char experiment[FB_NAME_MAX];
    char question[512];
    char expect[512]; /* what the author expects, in words */
    char system[FB_NAME_MAX];
    uint32_t nodes;
    uint32_t accelerators; /* per node, at most the hardware's; 0 given: the hardware's */
    uint32_t engine;       /* enum fb_engine_kind */
    uint32_t flows;        /* enum fb_engine_flows */
    uint32_t seeds;
    uint64_t first_seed;
    struct fb_hardware hardware;
    struct fb_network network;
    struct fb_transport_model transport;
    struct fb_origin_model origin;
    struct fb_origin_client origin_client; /* of each node */
    struct fb_metadata metadata;
    struct fb_config core;
    struct fb_workload workload;
    struct fb_fault faults[FB_FAULTS_MAX];
    uint32_t fault_count;
    uint64_t detect_ns;              /* from a node's death to the view without it: its lease */
    char workload_file[FB_PATH_MAX]; /* the DLIO file or trace, as the experiment names it */
    /* "nic-400g latency: 2 us (1 us to 3 us; measure with ib_write_lat)" */
    char guesses[FB_GUESSES_MAX][FB_GUESS_SIZE];
    uint32_t guess_count;
    char *resolved; /* YAML of everything above, for the manifest; fb_scenario_free */
    char inputs[FB_INPUTS_MAX][FB_PATH_MAX]; /* files read, for the manifest's hashes */
    uint32_t input_count;
};

struct fb_sweep_point;

/* Loads an experiment with `assignments` ("key=value") and the settings of `point` (may be NULL).
 * Component files (hardware, network, origin, workload) are found by name in models/ beside the
 * program's data, or by path relative to the experiment file. Errors: error set; scenario unusable.
 */
void fb_scenario_load(const char *path, const char *const *assignments, uint32_t assignment_count,
                      const struct fb_sweep_point *point, struct fb_scenario *scenario,
                      struct fb_error *error);
/* Frees what loading it allocated, and it may be loaded anew. */
void fb_scenario_free(struct fb_scenario *scenario);

#endif
