/* world/transport.c: what moving bytes takes of a node's processors, as models/transports says.
 * How: one transfer by hand, to the nanosecond; then whole runs of two nodes and of eight, where
 * only one thing binds at a time: the processors, whatever the ports are, or the ports, or one of
 * eight ports. */
#include "sim/world/transport.h"
#include "sim/world/world_internal.h"
#include "tests/sim/world.h"

#include <math.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

enum { MEBIBYTE = 1 << 20, MESSAGE_NS = 2000, SEND_NS = 150000, RECEIVE_NS = 250000 };

/* A transport that takes the time of one thread at each end. */
static void transport_make(struct fb_scenario *scenario)
{
    scenario->transport = (struct fb_transport_model){.is_built = true,
                                                      .threads = 1,
                                                      .send_message_ns = MESSAGE_NS,
                                                      .receive_message_ns = MESSAGE_NS,
                                                      .send_mebibyte_ns = SEND_NS,
                                                      .receive_mebibyte_ns = RECEIVE_NS,
                                                      .efficiency = 1,
                                                      .header_bytes = 48,
                                                      .message_bytes_max = 1 << 30,
                                                      .piece_bytes = MEBIBYTE / 4,
                                                      .gone_ns = 1000000000};
}

static void nobody_calls(void *context, uint64_t cookie, enum fb_status status)
{
    (void)context;
    (void)cookie;
    (void)status;
}

struct bench {
    struct fb_scenario scenario;
    struct fb_error error;
    struct world world;
};

/* Nodes whose steps take no time, so that what is billed is the transport's alone. */
static struct bench *bench_open(uint32_t nodes)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct fb_engine_host hosts[8];
    const struct fb_engine_leaf leaf = {.up_bytes_per_s = 0};
    char text[256] = "";
    scenario_make(&bench->scenario, nodes, 1);
    transport_make(&bench->scenario);
    bench->scenario.hardware.core_step_ns = bench->scenario.hardware.submit_ns = 0;
    for (uint32_t i = 0; i < nodes; i++)
        hosts[i] = (struct fb_engine_host){.up_bytes_per_s = GB, .down_bytes_per_s = GB};
    const struct fb_engine_network network = {
        .hosts = hosts, .leaves = &leaf, .host_count = nodes, .leaf_count = 1};
    bench->world = (struct world){.scenario = &bench->scenario,
                                  .seed = 1,
                                  .pending_free = FB_NONE,
                                  .hash = XXH3_createState(),
                                  .error = &bench->error};
    XXH3_64bits_reset(bench->world.hash);
    bench->world.engine = fb_engine_open(FB_ENGINE_PLAIN, FB_FLOWS_FLUID, &network, nobody_calls,
                                         &bench->world, text, sizeof(text));
    assert_non_null(bench->world.engine);
    return bench;
}

/* After the scenario was changed. */
static struct world *bench_start(struct bench *bench)
{
    world_open(&bench->world);
    assert_string_equal(bench->error.text, "");
    return &bench->world;
}

static void bench_close(struct bench *bench)
{
    world_close(&bench->world);
    fb_engine_close(bench->world.engine);
    XXH3_freeState(bench->world.hash);
    free(bench);
}

static void transfer_takes_as_long_as_the_slower_end(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    struct world *world = bench_start(bench);
    uint64_t worked_ns = world_transfer_begin(world, 0, 1, 4 * MEBIBYTE);
    /* The asker: a message and 4 MiB; the lender is done sooner. */
    assert_int_equal(worked_ns, 2000 + 4 * 250000);
    /* The lender: the request of 48 bytes in, the answer and 4 MiB out. */
    assert_int_equal(fb_station_busy_ns(world->hosts[0].transport), 2000 + 11 + 2000 + 4 * 150000);
    assert_int_equal(fb_station_busy_ns(world->hosts[1].transport), 2000 + 4 * 250000);
    /* The flow may end at once, or later: then the last quarter MiB is still to be received. */
    assert_int_equal(world_transfer_end_ns(world, 4 * MEBIBYTE, worked_ns), worked_ns);
    assert_int_equal(world_transfer_end_ns(world, 4 * MEBIBYTE, 0), 250000 / 4);
    bench_close(bench);

    bench = bench_open(2);
    bench->scenario.transport.send_mebibyte_ns = 400000;
    world = bench_start(bench);
    assert_int_equal(world_transfer_begin(world, 0, 1, 4 * MEBIBYTE),
                     2000 + 11 + 2000 + 4 * 400000 + 250000 / 4);
    bench_close(bench);
}

/* One piece: the asker begins when the lender has ended. */
static void transfer_of_64_bytes_takes_three_messages(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    struct world *world = bench_start(bench);
    assert_int_equal(world_transfer_begin(world, 0, 1, 64), 2000 + 11 + 2000 + 9 + 2000 + 15);
    bench_close(bench);
}

static void transfers_wait_for_their_turn_and_for_the_cores(void **state)
{
    (void)state;
    struct bench *bench = bench_open(3);
    struct world *world = bench_start(bench);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(world_transfer_begin(world, (uint32_t)i % 2 * 2, 1, 4 * MEBIBYTE),
                         i * 1002000);
    bench_close(bench);

    bench = bench_open(2);
    bench->scenario.hardware.cpu_cores = 1;
    world = bench_start(bench);
    assert_int_equal(world_cores_take(world, 1, 0, 5000000), 5000000); /* a digest, say */
    assert_int_equal(world_transfer_begin(world, 0, 1, 4 * MEBIBYTE), 5000000 + 1002000);
    bench_close(bench);

    bench = bench_open(2);
    bench->scenario.transport.threads = 2;
    world = bench_start(bench);
    for (uint64_t i = 1; i <= 10; i++) /* each by one thread, two at a time */
        assert_int_equal(world_transfer_begin(world, 0, 1, 4 * MEBIBYTE), (i + 1) * 501000);
    bench_close(bench);
}

static void transfer_loads_memory_with_its_copies(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    bench->scenario.hardware.memory_bytes_per_s = GB;
    bench->scenario.transport.receive_copies = 1.5;
    struct world *world = bench_start(bench);
    assert_int_equal(world_transfer_begin(world, 0, 1, 4 * MEBIBYTE), 6 * MEBIBYTE);
    assert_int_equal(fb_station_busy_ns(world->hosts[0].memory), 0);
    bench_close(bench);
}

static void transfer_of_one_side_takes_nothing_of_the_lender(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    bench->scenario.transport.is_one_sided = true;
    bench->scenario.transport.receive_mebibyte_ns = 0;
    struct world *world = bench_start(bench);
    assert_int_equal(world_transfer_begin(world, 0, 1, 4 * MEBIBYTE), 2000);
    assert_int_equal(fb_station_busy_ns(world->hosts[0].transport), 0);
    bench_close(bench);
}

static void step_pays_for_messages_by_their_size(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    bench->scenario.hardware.submit_ns = 700;
    struct world *world = bench_start(bench);
    struct fb_event event = {.kind = FB_EVENT_MESSAGE, .message = {.kind = FB_MESSAGE_WAIT}};
    struct fb_op op = {.kind = FB_OP_SEND, .message = {.kind = FB_MESSAGE_WAIT}};
    /* 48 + 104 bytes. */
    assert_int_equal(world_message_bytes(world, &event.message), 152);
    assert_int_equal(world_event_cost_ns(world, &event), 2000 + 152 * 250000 / MEBIBYTE);
    assert_int_equal(world_op_cost_ns(world, 0, &op), 2000 + 152 * 150000 / MEBIBYTE);
    op.message.kind = FB_MESSAGE_MATCH_ASK;
    op.message.match_ask.key_count = 100;
    assert_int_equal(world_op_cost_ns(world, 0, &op), 2000 + 1752 * 150000 / MEBIBYTE);
    op = (struct fb_op){.kind = FB_OP_PULL, .source = {.region = FB_REGION_MEMORY, .peer = 1}};
    assert_int_equal(world_op_cost_ns(world, 0, &op), 2000 + 48 * 150000 / MEBIBYTE);
    assert_int_equal(world_op_cost_ns(world, 1, &op), 700); /* its own memory */
    op.source.region = FB_REGION_CLIENT;
    assert_int_equal(world_op_cost_ns(world, 0, &op), 700);
    event.kind = FB_EVENT_TICK;
    assert_int_equal(world_event_cost_ns(world, &event), 0);
    bench_close(bench);
}

static void fetch_is_billed_to_those_who_speak_to_the_origin(void **state)
{
    (void)state;
    struct bench *bench = bench_open(2);
    bench->scenario.origin.client_request_ns = 10000;
    bench->scenario.origin.client_read_mebibyte_ns = 700000;
    bench->scenario.origin.client_write_mebibyte_ns = 500000;
    struct world *world = bench_start(bench);
    for (uint64_t i = 1; i <= 4; i++) /* parts of a block, one after the other */
        assert_int_equal(world_origin_work(world, 0, MEBIBYTE, false), i * (10000 + 700000));
    /* A store of four by the same thread, after it; and a request that carries nothing. */
    assert_int_equal(world_origin_work(world, 0, 4 * MEBIBYTE, true), 50000 + 4 * 1200000);
    assert_int_equal(world_origin_work(world, 0, 0, true), 60000 + 4 * 1200000);
    /* Others are not held up: of four cores the transport has one, and digests have two. */
    assert_int_equal(world_transfer_begin(world, 1, 0, MEBIBYTE), 252000);
    assert_int_equal(world_cores(world), 2);
    assert_int_equal(world_cores_take(world, 0, 0, 1000000), 1000000);
    assert_int_equal(world_cores_take(world, 0, 0, 1000000), 1500000);
    bench_close(bench);
}

/* Every node reads one object, of which the origin gives each block once. */
static void fan_out_make(struct fb_scenario *scenario, uint32_t nodes, uint64_t size_bytes)
{
    scenario_make(scenario, nodes, 1);
    scenario->workload.kinds = 1u << FB_WORKLOAD_FAN_OUT;
    scenario->workload.fanout = (struct fb_fanout){.object_size_bytes = size_bytes, .window = 16};
    scenario->origin.read_bytes_per_s = scenario->origin.stream_bytes_per_s = 1000 * GB;
    scenario->origin.latency_ns = 100000;
}

static double fan_out_s(const struct fb_scenario *scenario, double *pulled_bytes, double *cpu)
{
    struct fb_run run;
    run_fine(scenario, 1, &run);
    double time_s = metric(&run, "fan_out_max_s");
    *pulled_bytes = metric(&run, "pull_bytes");
    *cpu = metric(&run, "utilisation_cpu");
    assert_true(metric(&run, "fan_out_unfinished") == 0);
    fb_run_free(&run);
    return time_s;
}

static void world_by_tcp_is_bound_by_processors_whatever_the_port(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    double times[3], pulled_bytes, cpu;
    for (uint32_t i = 0; i < 3; i++) {
        static const uint64_t rates[] = {50, 500, 5000};
        fan_out_make(scenario, 8, GB);
        transport_make(scenario);
        scenario->hardware.nic.rate_bytes_per_s = rates[i] * GB;
        times[i] = fan_out_s(scenario, &pulled_bytes, &cpu);
        /* Seven of eight blocks come from peers: each was sent and received by one of 8 threads. */
        assert_true(pulled_bytes > 6.9e9);
        assert_true(times[i] * 8 * 1e9 > pulled_bytes / MEBIBYTE * (SEND_NS + RECEIVE_NS));
        assert_true(cpu > 0.9 && cpu <= 1);
    }
    assert_true(times[1] > 0.95 * times[0] && times[2] > 0.95 * times[0]);
    scenario->transport.threads = 2; /* twice the threads, half of the time */
    assert_true(fan_out_s(scenario, &pulled_bytes, &cpu) < 0.6 * times[2]);
    free(scenario);
}

static void world_by_rdma_is_bound_by_its_port(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    double times[2], pulled_bytes, cpu;
    for (uint32_t i = 0; i < 2; i++) {
        fan_out_make(scenario, 8, GB);
        scenario->hardware.nic.rate_bytes_per_s = 5 * GB * (1 + i);
        times[i] = fan_out_s(scenario, &pulled_bytes, &cpu);
        double port = (double)scenario->hardware.nic.rate_bytes_per_s * 0.96;
        assert_true(times[i] >= 1e9 / port && times[i] < 1.2 * 1e9 / port);
        assert_true(cpu < 0.05);
    }
    assert_true(times[0] > 1.8 * times[1]);
    free(scenario);
}

static void world_reads_the_origin_no_faster_than_its_clients_work(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    double pulled_bytes, cpu;
    fan_out_make(scenario, 8, GB);
    assert_true(fan_out_s(scenario, &pulled_bytes, &cpu) < 0.1);
    scenario->origin.client_read_mebibyte_ns = 10000000;
    /* An owner fetches what it owns: an eighth of the object in the mean. */
    assert_true(fan_out_s(scenario, &pulled_bytes, &cpu) > 1e9 / 8 / MEBIBYTE * 0.01);
    free(scenario);
}

/* Where the port to the origin is another, it alone binds what is fetched, and pulls are not held
 * up by it. */
static void world_fetches_by_the_front_port_and_pulls_by_the_other(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    double pulled_bytes, cpu, apart_s, shared_s;
    fan_out_make(scenario, 1, GB);
    scenario->hardware.front_nic = scenario->hardware.nic;
    scenario->hardware.front_nic.rate_bytes_per_s = GB;
    apart_s = fan_out_s(scenario, &pulled_bytes, &cpu);
    assert_true(apart_s > 1 / 0.96 && apart_s < 1.1 / 0.96);
    /* Two ports of 1 GB/s: half of the object comes through each at once, or all through one. */
    fan_out_make(scenario, 2, GB);
    scenario->hardware.nic.rate_bytes_per_s = GB;
    shared_s = fan_out_s(scenario, &pulled_bytes, &cpu);
    scenario->hardware.front_nic = scenario->hardware.nic;
    apart_s = fan_out_s(scenario, &pulled_bytes, &cpu);
    assert_true(shared_s > 1 / 0.96 && apart_s < 0.7 * shared_s);
    free(scenario);
}

static double drained_s(uint64_t write_mebibyte_ns)
{
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    struct fb_run run;
    scenario_make(scenario, 4, 1);
    scenario->workload.kinds = 1u << FB_WORKLOAD_CHECKPOINT;
    scenario->workload.checkpoint = (struct fb_checkpoint){.state_size_bytes = GB,
                                                           .writers = 4,
                                                           .level = FB_LEVEL_REPLICATED,
                                                           .window = 4,
                                                           .failures_per_1000_node_days = 6.5};
    scenario->origin.client_write_mebibyte_ns = write_mebibyte_ns;
    run_fine(scenario, 1, &run);
    double time_s = metric(&run, "checkpoint_drained_s");
    fb_run_free(&run);
    free(scenario);
    return time_s;
}

static void world_stores_no_faster_than_its_clients_work(void **state)
{
    (void)state;
    assert_true(drained_s(0) < 1);
    assert_true(drained_s(10000000) > 1e9 / 4 / MEBIBYTE * 0.01);
}

/* One block of 1 GB, which one of the two has: a pull is one port's, unless it is striped. It is
 * read from the origin in eight parts, by all ports; in one, by one, however pulls go. */
static void world_gives_one_pull_one_port_of_eight(void **state)
{
    (void)state;
    struct fb_scenario *scenario = malloc(sizeof(*scenario));
    double times[4], pulled_bytes, cpu;
    for (uint32_t i = 0; i < 4; i++) {
        fan_out_make(scenario, 2, GB);
        scenario->origin_client.part_bytes = i == 3 ? 0 : GB / 8;
        scenario->core.block_size_bytes = GB;
        scenario->core.wait_ns = scenario->core.hedge_ns = 60 * GB;
        scenario->transport.message_bytes_max = 1 << 30; /* one work request */
        scenario->hardware.nic.count = i == 0 ? 1 : 8;
        scenario->hardware.nic.rate_bytes_per_s = i == 0 ? 40 * GB : 5 * GB;
        scenario->transport.is_striped = i >= 2;
        times[i] = fan_out_s(scenario, &pulled_bytes, &cpu);
        assert_true(pulled_bytes == 1e9);
    }
    double longer_s = 1e9 / (5e9 * 0.96) - 1e9 / (40e9 * 0.96);
    assert_true(fabs(times[1] - times[0] - longer_s) < 1e-4);
    assert_true(fabs(times[2] - times[0]) < 1e-4);
    assert_true(fabs(times[3] - times[0] - longer_s) < 1e-4);
    free(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_takes_as_long_as_the_slower_end),
        cmocka_unit_test(transfer_of_64_bytes_takes_three_messages),
        cmocka_unit_test(transfers_wait_for_their_turn_and_for_the_cores),
        cmocka_unit_test(transfer_loads_memory_with_its_copies),
        cmocka_unit_test(transfer_of_one_side_takes_nothing_of_the_lender),
        cmocka_unit_test(step_pays_for_messages_by_their_size),
        cmocka_unit_test(fetch_is_billed_to_those_who_speak_to_the_origin),
        cmocka_unit_test(world_by_tcp_is_bound_by_processors_whatever_the_port),
        cmocka_unit_test(world_by_rdma_is_bound_by_its_port),
        cmocka_unit_test(world_reads_the_origin_no_faster_than_its_clients_work),
        cmocka_unit_test(world_fetches_by_the_front_port_and_pulls_by_the_other),
        cmocka_unit_test(world_stores_no_faster_than_its_clients_work),
        cmocka_unit_test(world_gives_one_pull_one_port_of_eight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
