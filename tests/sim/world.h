/* A small cluster on the plain engine, built by hand, and what a run of it gave. */
#ifndef FB_TESTS_SIM_WORLD_H
#define FB_TESTS_SIM_WORLD_H

#include "core/key.h"
#include "sim/engine/engine.h"
#include "sim/world/world.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t GB = 1000000000;

/* What is between the nodes and behind them. */
static inline void around_make(struct fb_scenario *scenario)
{
    scenario->network = (struct fb_network){.hosts_per_leaf = 4,
                                            .leaves_max = 16,
                                            .oversubscription = 1,
                                            .leaf_latency_ns = 500,
                                            .core_latency_ns = 1500};
    /* Processors do nothing for it. */
    scenario->transport = (struct fb_transport_model){.is_one_sided = true,
                                                      .threads = 1,
                                                      .send_message_ns = 200,
                                                      .efficiency = 0.96,
                                                      .message_bytes_max = 1048576,
                                                      .piece_bytes = 1048576,
                                                      .gone_ns = 500000000};
}

static inline void scenario_origin_make(struct fb_scenario *scenario)
{
    scenario->origin = (struct fb_origin_model){.accounts = 1,
                                                .latency_ns = 10000000,
                                                .read_bytes_per_s = 6 * GB,
                                                .write_bytes_per_s = 3 * GB,
                                                .requests_per_s = 20000,
                                                .stream_bytes_per_s = GB,
                                                .requests_max = 1000,
                                                .client_threads = 1,
                                                .prefix_split_ns = 1,
                                                .rate_window_ns = GB};
    scenario->origin_client =
        (struct fb_origin_client){.part_bytes = 0, .requests_max = 1000, .tries_max = 7};
}

static inline void scenario_make(struct fb_scenario *scenario, uint32_t nodes,
                                 uint32_t accelerators)
{
    memset(scenario, 0, sizeof(*scenario));
    snprintf(scenario->experiment, sizeof(scenario->experiment), "test");
    scenario->nodes = nodes;
    scenario->accelerators = accelerators;
    scenario->engine = FB_ENGINE_PLAIN;
    scenario->flows = FB_FLOWS_FLUID;
    scenario->hardware = (struct fb_hardware){.accelerators = accelerators,
                                              .cpu_cores = 4,
                                              .memory_size_bytes = 64 * GB,
                                              .memory_bytes_per_s = 100 * GB,
                                              .core_step_ns = 300,
                                              .submit_ns = 200,
                                              .digest_bytes_per_s = 20 * GB,
                                              .encode_bytes_per_s = 10 * GB,
                                              .client_read_ahead = 4,
                                              .client_retry_ns = 1000000,
                                              .nic = {.count = 1,
                                                      .rate_bytes_per_s = 50 * GB,
                                                      .latency_ns = 2000,
                                                      .work_requests_per_s = 1480000},
                                              .drive = {.count = 1,
                                                        .queue_depth = 128,
                                                        .size_bytes = 1000 * GB,
                                                        .read_latency_ns = 70000,
                                                        .write_latency_ns = 12000,
                                                        .read_bytes_per_s = 14 * GB,
                                                        .write_bytes_per_s = 10 * GB,
                                                        .read_operations_per_s = 3300000,
                                                        .write_operations_per_s = 400000}};
    around_make(scenario);
    scenario_origin_make(scenario);
    fb_config_init(&scenario->core);
    scenario->core.block_size_bytes = 4194304;
    scenario->core.memory_size_bytes = 16 * 1073741824ull;
    scenario->core.hedge_ns = 500000000;
    scenario->workload.kinds = 1u << FB_WORKLOAD_TRAINING;
    scenario->workload.training = (struct fb_training){.files = 64,
                                                       .samples_per_file = 1,
                                                       .record_length_bytes = 10000000,
                                                       .batch_size = 2,
                                                       .read_threads = 2,
                                                       .prefetch_batches = 2,
                                                       .epochs = 2,
                                                       .computation_ns = 100000000,
                                                       .au_target = 0.9,
                                                       .shuffle_files = true};
}

static inline double metric(const struct fb_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->metric_count; i++) {
        if (strcmp(run->metrics[i].name, name) == 0)
            return run->metrics[i].value;
    }
    fail_msg("no metric %s", name);
    return 0;
}

static inline void run_fine(const struct fb_scenario *scenario, uint64_t seed, struct fb_run *run)
{
    struct fb_error error = {.text = ""};
    fb_world_run(scenario, seed, NULL, 0, 1, run, &error);
    if (fb_error_is_set(&error))
        fail_msg("%s", error.text);
    assert_false(run->is_partial);
}

#endif
