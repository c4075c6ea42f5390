/* station.c against closed forms: latency, bandwidth, operation rate, queue depth, mixed reads
 * and writes. How: every date is computed by hand; a random run is compared with a naive model
 * with a list of slots. */
#include "core/index/random.h"
#include "sim/engine/station.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t seed = 7;

static struct fb_station *station_open(const struct fb_station_config *config)
{
    struct fb_station *station = test_malloc(fb_station_size_bytes(config));
    fb_station_init(station, config);
    return station;
}

static void submit_alone_takes_latency_and_transfer(void **state)
{
    (void)state;
    const struct fb_station_config config = {
        .latency_ns = {70000, 12000}, .bytes_per_s = {14000000000, 10000000000}, .parallelism = 8};
    struct fb_station *station = station_open(&config);
    assert_int_equal(fb_station_submit(station, 1000, FB_STATION_READ, 14000000),
                     1000 + 1000000 + 70000);
    assert_int_equal(fb_station_submit(station, 5000000, FB_STATION_WRITE, 10000000),
                     5000000 + 1000000 + 12000);
    assert_int_equal(fb_station_busy_ns(station), 2000000);
    test_free(station);
}

static void submit_many_keeps_the_rate_exact(void **state)
{
    (void)state;
    const struct fb_station_config config = {.bytes_per_s = {7000000000, 1}, .parallelism = 64};
    struct fb_station *station = station_open(&config);
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < 700000; i++)
        end_ns = fb_station_submit(station, 0, FB_STATION_READ, 4096);
    assert_int_equal(end_ns, 409600000); /* 700,000 * 4096 B / 7 GB/s: no drift */
    test_free(station);
}

static void submit_small_operations_is_bound_by_their_rate(void **state)
{
    (void)state;
    const struct fb_station_config config = {
        .bytes_per_s = {14000000000, 1}, .operations_per_s = {1000000, 1}, .parallelism = 1024};
    struct fb_station *station = station_open(&config);
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < 1000; i++)
        end_ns = fb_station_submit(station, 0, FB_STATION_READ, 512);
    assert_int_equal(end_ns, 1000000);
    test_free(station);
}

static void submit_beyond_the_queue_depth_waits_for_a_slot(void **state)
{
    (void)state;
    const struct fb_station_config config = {.latency_ns = {100, 100}, .parallelism = 2};
    struct fb_station *station = station_open(&config);
    assert_int_equal(fb_station_submit(station, 0, FB_STATION_READ, 1), 100);
    assert_int_equal(fb_station_submit(station, 0, FB_STATION_READ, 1), 100);
    assert_int_equal(fb_station_submit(station, 0, FB_STATION_READ, 1), 200);
    assert_int_equal(fb_station_submit(station, 150, FB_STATION_READ, 1), 250);
    fb_station_reset(station, 160);
    assert_int_equal(fb_station_submit(station, 160, FB_STATION_READ, 1), 260);
    test_free(station);
}

/* The same rules, with a plain list of slots. */
static uint64_t naive_submit(const struct fb_station_config *config, uint64_t *slots,
                             uint64_t *pipe_ns, uint64_t now_ns, uint32_t kind, uint64_t size)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < config->parallelism; i++) {
        if (slots[i] < slots[first])
            first = i;
    }
    uint64_t start_ns = now_ns > *pipe_ns ? now_ns : *pipe_ns;
    start_ns = start_ns > slots[first] ? start_ns : slots[first];
    *pipe_ns = start_ns + size * 1000000000 / config->bytes_per_s[kind];
    slots[first] = *pipe_ns + config->latency_ns[kind];
    return slots[first];
}

static void submit_at_random_agrees_with_a_naive_model(void **state)
{
    (void)state;
    struct fb_random random;
    printf("seed %llu\n", (unsigned long long)seed);
    fb_random_init(&random, seed);
    for (uint32_t round = 0; round < 20; round++) {
        struct fb_station_config config = {
            .latency_ns = {fb_random_below(&random, 5000), fb_random_below(&random, 5000)},
            .bytes_per_s = {1000000000, 500000000}, /* whole ns a byte: no remainders */
            .parallelism = 1 + (uint32_t)fb_random_below(&random, 16)};
        struct fb_station *station = station_open(&config);
        uint64_t slots[16] = {0}, pipe_ns = 0, now_ns = 0;
        for (uint32_t i = 0; i < 2000; i++) {
            uint32_t kind = (uint32_t)fb_random_below(&random, 2);
            uint64_t size = fb_random_below(&random, 2000);
            now_ns += fb_random_below(&random, 3000);
            uint64_t expected = naive_submit(&config, slots, &pipe_ns, now_ns, kind, size);
            assert_int_equal(fb_station_submit(station, now_ns, kind, size), expected);
        }
        test_free(station);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submit_alone_takes_latency_and_transfer),
        cmocka_unit_test(submit_many_keeps_the_rate_exact),
        cmocka_unit_test(submit_small_operations_is_bound_by_their_rate),
        cmocka_unit_test(submit_beyond_the_queue_depth_waits_for_a_slot),
        cmocka_unit_test(submit_at_random_agrees_with_a_naive_model),
    };
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
