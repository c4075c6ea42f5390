/* timer.c: deadlines come out in order, lower ids first at equal ones, each at most once.
 * How: random set, move, cancel and pop beside an array that is searched in full;
 * fb_timer_check after each step. */
#include "core/index/random.h"
#include "core/index/timer.h"
#include "tests/support/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDS = 61 };

static uint64_t first_seed = 20261123;

static struct fb_timer *timer_open(uint32_t ids_max)
{
    struct fb_timer *timer = test_malloc(FB_TIMER_SIZE_BYTES(ids_max));
    fb_timer_init(timer, ids_max);
    return timer;
}

/* Earliest of the array; FB_NONE when there is none. */
static uint32_t naive_first(const uint64_t deadlines[IDS])
{
    uint32_t first = FB_NONE;
    for (uint32_t id = 0; id < IDS; id++) {
        if (deadlines[id] == FB_NEVER_NS)
            continue;
        if (first == FB_NONE || deadlines[id] < deadlines[first])
            first = id;
    }
    return first;
}

static void timer_under_random_operations_does_what_an_array_does(void **state)
{
    (void)state;
    uint64_t deadlines[IDS];
    uint32_t pops = 0;
    struct fb_random random;
    struct fb_timer *timer = timer_open(IDS);
    printf("seed %llu (argument)\n", (unsigned long long)first_seed);
    fb_random_init(&random, first_seed);
    for (uint32_t id = 0; id < IDS; id++)
        deadlines[id] = FB_NEVER_NS;
    for (uint32_t i = 0; i < 50000; i++) {
        uint32_t id = (uint32_t)fb_random_below(&random, IDS), first = naive_first(deadlines);
        uint64_t choice = fb_random_below(&random, 10);
        uint64_t now_ns = fb_random_below(&random, 100); /* few values: many ties */
        if (choice < 5) {
            fb_timer_set(timer, id, now_ns);
            deadlines[id] = now_ns;
        } else if (choice < 6) {
            fb_timer_hurry(timer, id, now_ns);
            deadlines[id] = now_ns < deadlines[id] ? now_ns : deadlines[id];
        } else if (choice < 7) {
            fb_timer_cancel(timer, id);
            deadlines[id] = FB_NEVER_NS;
        } else {
            bool is_due = first != FB_NONE && deadlines[first] <= now_ns;
            assert_int_equal(fb_timer_pop(timer, now_ns), is_due ? first : FB_NONE);
            if (is_due)
                deadlines[first] = FB_NEVER_NS;
            pops += is_due;
        }
        fb_timer_check(timer);
        first = naive_first(deadlines);
        assert_true(fb_timer_deadline_ns(timer) ==
                    (first == FB_NONE ? FB_NEVER_NS : deadlines[first]));
    }
    assert_true(pops > 1000);
    test_free(timer);
}

static void timer_without_deadlines_is_never_due(void **state)
{
    (void)state;
    struct fb_timer *timer = timer_open(1);
    assert_true(fb_timer_deadline_ns(timer) == FB_NEVER_NS);
    assert_int_equal(fb_timer_pop(timer, FB_NEVER_NS), FB_NONE);
    fb_timer_cancel(timer, 0);
    fb_timer_check(timer);
    test_free(timer);
}

static void timer_pop_at_equal_deadlines_gives_the_lower_id_first(void **state)
{
    (void)state;
    struct fb_timer *timer = timer_open(16);
    for (uint32_t i = 0; i < 16; i++)
        fb_timer_set(timer, i * 7 % 16, 1000);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(fb_timer_pop(timer, 1000), i);
    test_free(timer);
}

static void timer_pop_before_the_deadline_returns_none(void **state)
{
    (void)state;
    struct fb_timer *timer = timer_open(4);
    fb_timer_set(timer, 2, FB_NEVER_NS - 1);
    assert_int_equal(fb_timer_pop(timer, FB_NEVER_NS - 2), FB_NONE);
    assert_int_equal(fb_timer_pop(timer, FB_NEVER_NS - 1), 2);
    test_free(timer);
}

static void timer_set_again_moves_the_deadline(void **state)
{
    (void)state;
    struct fb_timer *timer = timer_open(4);
    fb_timer_set(timer, 1, 50);
    fb_timer_set(timer, 3, 60);
    fb_timer_set(timer, 1, 70);
    assert_int_equal(fb_timer_pop(timer, 100), 3);
    assert_int_equal(fb_timer_pop(timer, 100), 1);
    assert_int_equal(fb_timer_pop(timer, 100), FB_NONE);
    test_free(timer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_under_random_operations_does_what_an_array_does),
        cmocka_unit_test(timer_without_deadlines_is_never_due),
        cmocka_unit_test(timer_pop_at_equal_deadlines_gives_the_lower_id_first),
        cmocka_unit_test(timer_pop_before_the_deadline_returns_none),
        cmocka_unit_test(timer_set_again_moves_the_deadline),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
