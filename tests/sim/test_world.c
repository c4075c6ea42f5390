/* world.c and its clients: whole runs of small clusters on the plain engine.
 * How: a scenario built by hand, no files. Checks the closed forms that hold where nothing else
 * binds, that the same seed gives the same hash, and that both engines agree where flows do not
 * compete. */
#include "core/key.h"
#include "sim/engine/engine.h"
#include "sim/clients/workload.h"
#include "sim/world/world.h"
#include "tests/support/temporary.h"
#include "tests/support/unit.h"
#include "tests/sim/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void world_training_warm_reads_at_demand_and_fetches_each_byte_once(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 4, 2);
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "epoch_2_au") > 0.99);
    double demand = metric(&run, "demand_mib_per_s_per_accelerator");
    double reached = metric(&run, "epoch_2_mib_per_s_per_accelerator");
    assert_true(reached > 0.99 * demand && reached <= 1.0001 * demand);
    assert_true(metric(&run, "origin_fetch_bytes") == 64 * 10000000.0);
    assert_true(metric(&run, "digest_errors") == 0);
    fb_run_free(&run);
    free(scenario);
}

static void world_training_is_bound_by_the_origin_when_cold(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 4, 2);
    scenario->workload.training.epochs = 1;
    scenario->workload.training.files = 640;
    scenario->workload.training.computation_ns = 1000000;
    scenario->workload.training.read_threads = 8;
    run_fine(scenario, 1, &run);
    double bytes_per_s = 640 * 10000000.0 / metric(&run, "epoch_1_s");
    assert_true(bytes_per_s > 0.90 * 6 * (double)GB && bytes_per_s <= 6 * (double)GB);
    assert_true(metric(&run, "utilisation_origin") <= 1);
    fb_run_free(&run);
    free(scenario);
}

static void world_with_the_same_seed_gives_the_same_hash(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run first, second, other;
    scenario_make(scenario, 4, 2);
    scenario->workload.training.record_length_stdev_bytes = 3000000;
    scenario->origin.latency_sigma = 0.5;
    run_fine(scenario, 1, &first);
    run_fine(scenario, 1, &second);
    run_fine(scenario, 2, &other);
    assert_true(first.determinism_hash == second.determinism_hash);
    assert_true(first.determinism_hash != other.determinism_hash);
    assert_int_equal(first.metric_count, second.metric_count);
    for (uint32_t i = 0; i < first.metric_count; i++)
        assert_true(first.metrics[i].value == second.metrics[i].value);
    fb_run_free(&first);
    fb_run_free(&second);
    fb_run_free(&other);
    free(scenario);
}

static void world_with_too_few_samples_is_refused(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_error error = {.text = ""};
    scenario_make(scenario, 4, 2);
    scenario->workload.training.files = 15;
    fb_workload_check(scenario, &error);
    assert_non_null(strstr(error.text, "workload.files"));
    free(scenario);
}

static void world_with_more_blocks_than_a_reader_counts_is_refused(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    scenario_make(scenario, 4, 1);
    scenario->workload.kinds = 1u << FB_WORKLOAD_FAN_OUT;
    for (uint64_t blocks = (1 << 30) - 1; blocks <= 1 << 30; blocks++) {
        struct fb_error error = {.text = ""};
        scenario->workload.fanout = (struct fb_fanout){
            .object_size_bytes = blocks * scenario->core.block_size_bytes, .window = 4};
        fb_workload_check(scenario, &error);
        assert_int_equal(fb_error_is_set(&error), blocks == 1 << 30);
    }
    struct fb_error error = {.text = ""};
    fb_workload_check(scenario, &error);
    assert_non_null(strstr(error.text, "workload.object_size: 1073741824 blocks"));
    assert_non_null(strstr(error.text, "set core.block_size higher"));
    free(scenario);
}

/* A chain of 3 requests: the second shares 2 blocks with the first, the third repeats the
 * second. */
static void world_kv_counts_prefix_hits_as_the_trace_has_them(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    struct temporary files;
    const char text[] = "{\"timestamp\": 0, \"input_length\": 2048, \"output_length\": 1, "
                        "\"hash_ids\": [0, 1, 2, 3]}\n"
                        "{\"timestamp\": 5, \"input_length\": 1536, \"output_length\": 1, "
                        "\"hash_ids\": [0, 1, 9]}\n"
                        "{\"timestamp\": 9, \"input_length\": 1536, \"output_length\": 1, "
                        "\"hash_ids\": [0, 1, 9]}\n";
    temporary_begin(&files);
    const char *path = temporary_write(&files, "trace", text);
    scenario_make(scenario, 1, 1);
    scenario->workload.kinds = 1u << FB_WORKLOAD_KV;
    scenario->workload.kv =
        (struct fb_kv){.block_tokens = 512, .bytes_per_token = 100, .window = 16, .speed = 1};
    snprintf(scenario->workload.kv.trace, sizeof(scenario->workload.kv.trace), "%s", path);
    scenario->core.block_size_bytes = 51200;
    scenario->core.memory_size_bytes = 16 * 51200;
    scenario->core.memory_entries_max = 16;
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "block_references") == 10);
    assert_true(metric(&run, "prefix_hits") == 5);
    fb_run_free(&run);
    scenario->workload.kv.copies = 3; /* have nothing in common, and overlap in time */
    scenario->workload.kv.copy_shift_ns = 4000000;
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "requests") == 9);
    assert_true(metric(&run, "block_references") == 30);
    assert_true(metric(&run, "prefix_hits") == 15);
    fb_run_free(&run);
    scenario->workload.kv.copies =
        1; /* in four pieces a block: the same hits, by lists of pieces */
    scenario->workload.kv.layer_groups = 4;
    scenario->workload.kv.prefill_tokens_per_s = 1e6;
    scenario->core.block_size_bytes = 12800;
    scenario->core.memory_entries_max = 64;
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "prefix_hits") == 5);
    assert_true(metric(&run, "gather_ranges") == 5 * 4);
    assert_true(metric(&run, "puts") == 5 * 4);
    assert_true(metric(&run, "kv_exposed_mean_ns") > 0);
    temporary_end(&files);
    fb_run_free(&run);
    free(scenario);
}

/* The workload itself kills a node, and goes on with the restore: without a metadata store nothing
 * comes between. Three of four nodes are left, and each block has two holders. */
static void world_checkpoint_restores_after_it_killed_a_node(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 4, 1);
    scenario->detect_ns = 10000000;
    scenario->core.replicas = 2;
    scenario->core.write_quorum = 2;
    scenario->workload.kinds = 1u << FB_WORKLOAD_CHECKPOINT;
    scenario->workload.checkpoint =
        (struct fb_checkpoint){.state_size_bytes = 8 * scenario->core.block_size_bytes,
                               .writers = 4,
                               .readers = 4,
                               .level = FB_LEVEL_REPLICATED,
                               .window = 2,
                               .kill_when_durable = 1,
                               .failures_per_1000_node_days = 1};
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "restore_s") > 0);
    assert_true(metric(&run, "restore_absent_blocks") == 0);
    assert_true(metric(&run, "checkpoint_lost_bytes") == 0);
    /* Three readers: two parts begin within a block, which is read in two ranges. */
    assert_true(metric(&run, "gather_ranges") == 8 + 2);
    assert_true(metric(&run, "get_bytes") == 8 * (double)scenario->core.block_size_bytes);
    fb_run_free(&run);
    free(scenario);
}

static double checkpoint_stall_s(uint64_t port_queue_ns, uint64_t state_size_bytes)
{
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 4, 1);
    scenario->network.port_queue_ns = port_queue_ns;
    scenario->workload.kinds = 1u << FB_WORKLOAD_CHECKPOINT;
    scenario->workload.checkpoint = (struct fb_checkpoint){.state_size_bytes = state_size_bytes,
                                                           .writers = 4,
                                                           .level = FB_LEVEL_REPLICATED,
                                                           .window = 4,
                                                           .failures_per_1000_node_days = 6.5};
    scenario->core.write_quorum = 2;
    run_fine(scenario, 1, &run);
    double stall_s = metric(&run, "checkpoint_stall_s");
    fb_run_free(&run);
    free(scenario);
    return stall_s;
}

/* Holds and pulls wait behind bulk in full ports; never for longer than the bulk takes. */
static void world_with_queues_in_its_ports_is_slower_by_what_waits_there(void **state)
{
    (void)state;
    const uint64_t one = 4194304, many = 400 * one;
    double alone_s = checkpoint_stall_s(0, one), busy_s = checkpoint_stall_s(0, many);
    assert_true(checkpoint_stall_s(1000000, one) == alone_s);
    assert_true(checkpoint_stall_s(1000000, many) > busy_s + 0.001);
    assert_true(checkpoint_stall_s(1000000000, many) < 4 * busy_s);
}

static void world_stops_when_told_to(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    struct fb_error error = {.text = ""};
    volatile int stop = 1;
    scenario_make(scenario, 4, 2);
    fb_world_run(scenario, 1, &stop, 0, 1, &run, &error);
    assert_false(fb_error_is_set(&error));
    assert_true(run.is_partial);
    fb_run_free(&run);
    free(scenario);
}

/* One reader, one stream: no flows compete, so both engines must give the same dates. */
static void world_on_both_engines_agrees_on_uncontended_work(void **state)
{
    (void)state;
    if (!fb_engine_kind_is_built(FB_ENGINE_SIMGRID)) {
        print_message("simgrid is not in this build, left out\n");
        return;
    }
    double seconds[2];
    for (uint32_t i = 0; i < 2; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct fb_scenario *scenario = malloc(sizeof(*scenario));
            struct fb_run run;
            signal(SIGABRT, SIG_DFL);
            signal(SIGSEGV, SIG_DFL);
            scenario_make(scenario, 2, 1);
            scenario->nodes = 1;
            scenario->workload.training.read_threads = 1;
            scenario->workload.training.record_length_bytes = 4000000; /* one block a sample */
            scenario->engine = i == 0 ? FB_ENGINE_PLAIN : FB_ENGINE_SIMGRID;
            scenario->flows = i == 0 ? FB_FLOWS_FLUID : FB_FLOWS_LMM;
            run_fine(scenario, 1, &run);
            double result = metric(&run, "simulated_s");
            _exit(write(ends[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
        }
        assert_int_equal(read(ends[0], &seconds[i], sizeof(double)), sizeof(double));
        int status;
        waitpid(child, &status, 0);
        close(ends[0]);
        close(ends[1]);
    }
    double difference = seconds[0] - seconds[1];
    assert_true(difference < 1e-6 && difference > -1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(world_training_warm_reads_at_demand_and_fetches_each_byte_once),
        cmocka_unit_test(world_training_is_bound_by_the_origin_when_cold),
        cmocka_unit_test(world_with_the_same_seed_gives_the_same_hash),
        cmocka_unit_test(world_with_too_few_samples_is_refused),
        cmocka_unit_test(world_with_more_blocks_than_a_reader_counts_is_refused),
        cmocka_unit_test(world_kv_counts_prefix_hits_as_the_trace_has_them),
        cmocka_unit_test(world_checkpoint_restores_after_it_killed_a_node),
        cmocka_unit_test(world_with_queues_in_its_ports_is_slower_by_what_waits_there),
        cmocka_unit_test(world_stops_when_told_to),
        cmocka_unit_test(world_on_both_engines_agrees_on_uncontended_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
