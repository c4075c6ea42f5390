/* metrics.c: each figure counts what its name says.
 * How: runs whose figures follow by hand from sizes and rates: one accelerator behind a slow
 * origin; samples smaller than blocks; a node that dies when all is read; a checkpoint's writes. */
#include "sim/world/world_internal.h"
#include "tests/sim/world.h"

static const double MIB = 1048576;

/* One accelerator, batches of 100 MB, an origin of 100 MB/s: loading binds. */
static void slow_origin_make(struct fb_scenario *scenario)
{
    scenario_make(scenario, 1, 1);
    scenario->origin.latency_ns = 1000;
    scenario->origin.read_bytes_per_s = 100000000;
    scenario->origin.stream_bytes_per_s = 100000000;
    scenario->workload.training = (struct fb_training){.files = 8,
                                                       .samples_per_file = 1,
                                                       .record_length_bytes = 100000000,
                                                       .batch_size = 1,
                                                       .read_threads = 1,
                                                       .prefetch_batches = 2,
                                                       .epochs = 1,
                                                       .computation_ns = 100000000};
}

/* 8 batches of 1 s each, and the last one's computation: 8.1 s. DLIO leaves the first step out:
 * 0.7 s of computation in the 7 s that are left. */
static void training_metrics_count_the_whole_epoch_and_leave_dlios_first_step_out(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    slow_origin_make(scenario);
    run_fine(scenario, 1, &run);
    assert_float_equal(metric(&run, "epoch_1_s"), 8.1, 0.02);
    assert_float_equal(metric(&run, "epoch_1_mib_per_s_per_accelerator"), 8e8 / MIB / 8.1, 0.3);
    assert_true(metric(&run, "epoch_1_mib_per_s_per_accelerator") <= 1e8 / MIB);
    assert_float_equal(metric(&run, "epoch_1_au"), 0.7 / 7, 0.001);
    fb_run_free(&run);
    free(scenario);
}

static void training_metrics_of_many_epochs_are_means_of_all(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    slow_origin_make(scenario);
    scenario->workload.training.epochs = 20;
    run_fine(scenario, 1, &run);
    double sum = 0;
    for (uint32_t i = 1; i <= 20; i++)
        sum += metric(&run, metrics_name("epoch_%u_au", i));
    assert_float_equal(metric(&run, "accelerator_utilisation"), sum / 20, 1e-9);
    assert_true(metric(&run, "epoch_20_au") > 0.9);
    fb_run_free(&run);
    free(scenario);
}

/* 1,000 samples of 100 KB are 1e8 bytes, though each read is lent a block of 4 MiB. */
static void throughput_counts_bytes_that_were_asked_for(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    slow_origin_make(scenario);
    scenario->origin.read_bytes_per_s = 6 * GB;
    scenario->workload.training.files = 1;
    scenario->workload.training.samples_per_file = 1000;
    scenario->workload.training.record_length_bytes = 100000;
    scenario->workload.training.batch_size = 10;
    run_fine(scenario, 1, &run);
    double bytes = metric(&run, "throughput_bytes_per_s") * metric(&run, "simulated_s");
    assert_float_equal(bytes, 1e8, 1e6);
    fb_run_free(&run);
    free(scenario);
}

static void fan_out_make(struct fb_scenario *scenario, bool has_death)
{
    scenario_make(scenario, 4, 1);
    scenario->workload.kinds = 1u << FB_WORKLOAD_FAN_OUT;
    scenario->workload.fanout = (struct fb_fanout){.object_size_bytes = 1 << 28, .window = 4};
    scenario->fault_count = has_death;
    scenario->detect_ns = GB;
    scenario->faults[0] = (struct fb_fault){
        .kind = FB_FAULT_KILL, .node = 1, .at_ns = 20 * GB, .restart_after_ns = GB};
}

/* A node that dies and comes back long after all was read has counted what it has counted. */
static void counters_outlast_a_restart(void **state)
{
    (void)state;
    static const char *const names[] = {"get_bytes", "gets", "origin_fetch_bytes", "pull_bytes",
                                        "throughput_bytes_per_s"};
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run calm, killed;
    fan_out_make(scenario, false);
    run_fine(scenario, 1, &calm);
    fan_out_make(scenario, true);
    run_fine(scenario, 1, &killed);
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(metric(&calm, names[i]) == metric(&killed, names[i]));
    assert_true(metric(&calm, "get_bytes") == 4.0 * (1 << 28));
    fb_run_free(&calm);
    fb_run_free(&killed);
    free(scenario);
}

static void percentiles_rise_and_end_at_the_longest(void **state)
{
    (void)state;
    static const char *const names[] = {"get_latency_p50_ns", "get_latency_p95_ns",
                                        "get_latency_p99_ns", "get_latency_p999_ns",
                                        "get_latency_max_ns"};
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    fan_out_make(scenario, false);
    run_fine(scenario, 1, &run);
    for (uint32_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(metric(&run, names[i - 1]) <= metric(&run, names[i]));
    assert_true(metric(&run, "fan_out_p50_s") <= metric(&run, "fan_out_p99_s"));
    assert_true(metric(&run, "fan_out_p99_s") == metric(&run, "fan_out_max_s"));
    fb_run_free(&run);
    free(scenario);
}

/* Source: nearest rank, as NIST's handbook has it, section 7.2.6.2, without interpolation. */
static void quantile_is_of_nearest_rank(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 4};
    assert_true(metrics_quantile(values, 4, 0.50) == 2);
    assert_true(metrics_quantile(values, 4, 0.51) == 3);
    assert_true(metrics_quantile(values, 4, 0.99) == 4);
    assert_true(metrics_quantile(values, 4, 1) == 4);
    assert_true(metrics_quantile(values, 1, 0.5) == 1);
}

/* All that is drained goes through the one account: its writes bind, and it says so. */
static void utilisation_of_the_origin_counts_writes(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 2, 1);
    scenario->origin.write_bytes_per_s = 100000000;
    scenario->core.replicas = 2;
    scenario->core.write_quorum = 2;
    scenario->workload.kinds = 1u << FB_WORKLOAD_CHECKPOINT;
    scenario->workload.checkpoint =
        (struct fb_checkpoint){.state_size_bytes = GB, .writers = 2, .level = 1, .window = 8};
    run_fine(scenario, 1, &run);
    assert_true(metric(&run, "utilisation_origin_write") > 0.8);
    assert_true(metric(&run, "utilisation_origin_write") <= 1);
    assert_true(metric(&run, "utilisation_origin") == metric(&run, "utilisation_origin_write"));
    assert_true(metric(&run, "utilisation_origin_read") == 0);
    fb_run_free(&run);
    free(scenario);
}

/* Of more nodes than have rows, one row says how many have none. */
static void nodes_beyond_those_with_rows_are_counted(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    for (uint32_t nodes = 64; nodes <= 66; nodes++) {
        struct fb_run run;
        uint32_t rows = 0, left_out = 0;
        fan_out_make(scenario, false);
        scenario->nodes = nodes;
        scenario->workload.fanout.object_size_bytes = 1 << 20;
        run_fine(scenario, 1, &run);
        for (uint32_t i = 0; i < run.entity_count; i++) {
            rows += strcmp(run.entities[i].name, "get_bytes") == 0;
            if (strcmp(run.entities[i].name, "left_out") != 0)
                continue;
            left_out = (uint32_t)run.entities[i].value;
            assert_string_equal(run.entities[i].entity, "nodes from 64 on");
        }
        assert_int_equal(rows, 64);
        assert_int_equal(left_out, nodes - 64);
        fb_run_free(&run);
    }
    free(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_metrics_count_the_whole_epoch_and_leave_dlios_first_step_out),
        cmocka_unit_test(training_metrics_of_many_epochs_are_means_of_all),
        cmocka_unit_test(throughput_counts_bytes_that_were_asked_for),
        cmocka_unit_test(counters_outlast_a_restart),
        cmocka_unit_test(percentiles_rise_and_end_at_the_longest),
        cmocka_unit_test(quantile_is_of_nearest_rank),
        cmocka_unit_test(utilisation_of_the_origin_counts_writes),
        cmocka_unit_test(nodes_beyond_those_with_rows_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
