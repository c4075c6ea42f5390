/* origin.c, gate.c: a block is as many requests as it has parts, a node has as many as it may, and
 * each limit of a store is one: a thousandth of it changes a run.
 * How: one node or a few read, or write, what they never had; requests are counted, and times are
 * compared with the closed form that holds where nothing else binds. */
#include "base/origin_client.h"
#include "sim/world/gate.h"
#include "tests/sim/world.h"

static const uint64_t MIB = 1048576;

/* One node reads 64 blocks of 16 MiB, of one object in 1,024 each; no latency but the origin's. */
static void reader_make(struct fb_scenario *scenario)
{
    scenario_make(scenario, 1, 1);
    scenario->core.block_size_bytes = 16 * MIB;
    scenario->origin_client =
        (struct fb_origin_client){.part_bytes = 4 * MIB, .requests_max = 16, .tries_max = 7};
    scenario->origin.stream_bytes_per_s = 100000000;
    scenario->workload.kinds = 1u << FB_WORKLOAD_FAN_OUT;
    scenario->workload.fanout =
        (struct fb_fanout){.object_size_bytes = 64 * 16 * MIB, .window = 32};
}

/* One node writes as much, which is drained. */
static void writer_make(struct fb_scenario *scenario)
{
    reader_make(scenario);
    scenario->core.replicas = 1;
    scenario->core.write_quorum = 1;
    scenario->workload.kinds = 1u << FB_WORKLOAD_CHECKPOINT;
    scenario->workload.checkpoint = (struct fb_checkpoint){.state_size_bytes = 64 * 16 * MIB,
                                                           .writers = 1,
                                                           .level = FB_LEVEL_MEMORY,
                                                           .window = 16,
                                                           .failures_per_1000_node_days = 1};
}

static struct fb_run run_of(const struct fb_scenario *scenario)
{
    struct fb_run run;
    run_fine(scenario, 1, &run);
    return run;
}

static void block_is_as_many_requests_as_it_has_parts(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    static const struct {
        uint64_t part_bytes, requests, largest;
    } cases[] = {{4 * 1048576, 256, 4 * 1048576},
                 {0, 64, 16 * 1048576},
                 {16 * 1048576, 64, 16 * 1048576},
                 {6 * 1048576, 192, 6 * 1048576}};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reader_make(scenario);
        scenario->origin_client.part_bytes = cases[i].part_bytes;
        struct fb_run run = run_of(scenario);
        assert_true(metric(&run, "origin_reads") == (double)cases[i].requests);
        assert_true(metric(&run, "origin_read_bytes_max") == (double)cases[i].largest);
        assert_true(metric(&run, "origin_fetch_bytes") == 64.0 * 16 * 1048576);
        fb_run_free(&run);
    }
    free(scenario);
}

/* Of 16 requests at once each takes 10 ms and 4 MiB at 100 MB/s. */
static void requests_at_once_bound_what_a_node_reads(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    for (uint32_t limit = 1; limit <= 16; limit *= 4) {
        reader_make(scenario);
        scenario->origin_client.requests_max = limit;
        struct fb_run run = run_of(scenario);
        double request_s = 0.010 + 4 * 1048576 / 1e8;
        assert_true(metric(&run, "origin_requests_max") == limit);
        assert_float_equal(metric(&run, "simulated_s"), 256 * request_s / limit,
                           0.02 * 256 * request_s / limit);
        fb_run_free(&run);
    }
    free(scenario);
}

static double seconds_with(void (*change)(struct fb_scenario *), double *throttled)
{
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    reader_make(scenario);
    scenario->workload.fanout.object_size_bytes = 16 * 16 * MIB;
    scenario->origin_client.tries_max = 20;
    if (change != NULL)
        change(scenario);
    struct fb_run run = run_of(scenario);
    double seconds = metric(&run, "simulated_s");
    *throttled = metric(&run, "origin_throttled");
    fb_run_free(&run);
    free(scenario);
    return seconds;
}

static void stream_less(struct fb_scenario *scenario)
{
    scenario->origin.stream_bytes_per_s /= 1000;
    scenario->core.fetch_ns = UINT64_C(600000000000);
}

static void rate_less(struct fb_scenario *scenario)
{
    scenario->origin.requests_per_s /= 1000;
}

static void object_less(struct fb_scenario *scenario)
{
    scenario->origin.object_requests_per_s = 1;
    scenario->origin.rate_window_ns = 0;
}

static void prefix_less(struct fb_scenario *scenario)
{
    scenario->origin.prefix_reads_per_s = 20;
    scenario->origin.prefix_split_ns = UINT64_C(3600000000000);
    scenario->origin.rate_window_ns = GB / 10;
}

static void prefix_splits(struct fb_scenario *scenario)
{
    prefix_less(scenario);
    scenario->origin.prefix_split_ns = GB / 10;
}

static void at_once_less(struct fb_scenario *scenario)
{
    scenario->origin.requests_max = 2;
}

static void thousandth_of_a_stream_slows_a_run_as_much(void **state)
{
    (void)state;
    double throttled, before = seconds_with(NULL, &throttled);
    assert_true(throttled == 0);
    double after = seconds_with(stream_less, &throttled);
    assert_true(after > 500 * before);
    assert_true(throttled == 0);
}

static void thousandth_of_the_requests_a_second_throttles_and_slows_a_run(void **state)
{
    (void)state;
    double throttled, before = seconds_with(NULL, &throttled);
    double after = seconds_with(rate_less, &throttled);
    /* 64 requests, of which 20 go at once, at 20 a second. */
    assert_true(throttled > 0 && after > 2.0 && after > 3 * before);
}

static void other_limits_of_a_store_throttle_and_slow_a_run(void **state)
{
    (void)state;
    double throttled, before = seconds_with(NULL, &throttled);
    static void (*const changes[])(struct fb_scenario *) = {object_less, prefix_less, at_once_less};
    for (uint32_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        double after = seconds_with(changes[i], &throttled);
        assert_true(throttled > 0 && after > 2 * before);
    }
}

static void prefix_that_is_split_has_twice_the_rate(void **state)
{
    (void)state;
    double throttled_whole, throttled_split;
    double whole = seconds_with(prefix_less, &throttled_whole);
    double split = seconds_with(prefix_splits, &throttled_split);
    assert_true(split < whole && throttled_split < throttled_whole && throttled_split > 0);
}

/* A block of 16 MiB in parts of 6 MiB: 3, and one request before and after them; each object, of a
 * block here, is committed by 7 requests and 2 more. */
static void stores_in_parts_and_commits_are_charged_as_requests(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    writer_make(scenario);
    scenario->origin_client.part_bytes = 6 * MIB;
    struct fb_run run = run_of(scenario);
    double alone_s = metric(&run, "checkpoint_drained_s");
    assert_true(metric(&run, "origin_writes") == 64);
    assert_true(metric(&run, "origin_write_bytes_max") == 16.0 * 1048576);
    fb_run_free(&run);
    scenario->origin.store_part_bytes_min = 5 * MIB;
    run = run_of(scenario);
    assert_true(metric(&run, "origin_writes") == 64 * 5);
    assert_true(metric(&run, "origin_write_bytes_max") == 6.0 * 1048576);
    fb_run_free(&run);
    scenario->origin.store_part_bytes_min = 0;
    scenario->origin.commit_requests = 7;
    scenario->origin.commit_block_requests = 2;
    run = run_of(scenario);
    assert_true(metric(&run, "origin_writes") == 64 * (1 + 9));
    assert_true(metric(&run, "checkpoint_drained_s") > alone_s + 9 * 0.010);
    fb_run_free(&run);
    free(scenario);
}

static void stores_have_the_stream_rate_at_most(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    writer_make(scenario);
    struct fb_run run = run_of(scenario);
    double before = metric(&run, "checkpoint_drained_s");
    fb_run_free(&run);
    scenario->origin.stream_bytes_per_s /= 100;
    run = run_of(scenario);
    assert_true(metric(&run, "checkpoint_drained_s") > 50 * before);
    fb_run_free(&run);
    free(scenario);
}

/* 12 a second and a window of half a second: 7 at once, then one each twelfth. */
static void gate_lets_a_window_through_and_then_its_rate(void **state)
{
    (void)state;
    struct fb_gate gate = {.full_ns = 0};
    uint32_t count = 0;
    for (uint64_t now_ns = GB; now_ns < 3 * GB; now_ns += 1000000) {
        while (fb_gate_is_open(&gate, now_ns, GB / 2)) {
            fb_gate_take(&gate, now_ns, 12);
            count++;
        }
        assert_true(now_ns > GB || count == 7);
    }
    assert_in_range(count, 7 + 23, 7 + 24);
}

static void objects_keep_their_gates_and_counts_apart(void **state)
{
    (void)state;
    struct fb_gate_objects objects = {.count = 0};
    for (uint64_t i = 0; i < 5000; i++) {
        struct fb_gate_object *object = fb_gate_object(&objects, i, 0);
        assert_true(object->blocks == 0);
        object->blocks = i;
        fb_gate_take(&object->gate, 0, 1);
    }
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(fb_gate_object(&objects, i, 0)->blocks == i);
    fb_gate_objects_close(&objects);
}

static void parts_of_any_size_make_the_whole(void **state)
{
    (void)state;
    for (uint64_t size = 1; size < 40; size++) {
        for (uint64_t part = 0; part < 45; part++) {
            uint64_t at = 0, count = 0;
            for (; at < size; count++)
                at += fb_origin_part(part, size, at);
            assert_true(at == size && count == fb_origin_parts(part, size));
        }
    }
    assert_true(fb_origin_store_part(8, 5) == 8 && fb_origin_store_part(3, 5) == 5);
    assert_true(fb_origin_store_part(0, 5) == 0 && fb_origin_store_part(8, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_is_as_many_requests_as_it_has_parts),
        cmocka_unit_test(requests_at_once_bound_what_a_node_reads),
        cmocka_unit_test(thousandth_of_a_stream_slows_a_run_as_much),
        cmocka_unit_test(thousandth_of_the_requests_a_second_throttles_and_slows_a_run),
        cmocka_unit_test(other_limits_of_a_store_throttle_and_slow_a_run),
        cmocka_unit_test(prefix_that_is_split_has_twice_the_rate),
        cmocka_unit_test(stores_in_parts_and_commits_are_charged_as_requests),
        cmocka_unit_test(stores_have_the_stream_rate_at_most),
        cmocka_unit_test(gate_lets_a_window_through_and_then_its_rate),
        cmocka_unit_test(objects_keep_their_gates_and_counts_apart),
        cmocka_unit_test(parts_of_any_size_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
