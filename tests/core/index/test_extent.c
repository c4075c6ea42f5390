/* extent.c: extents do not overlap, lie inside a chunk, and are the best fit.
 * How: random allocate and free beside an array of units that is searched in full;
 * fb_extents_check after each step. A freed extent that is freed again must panic, which a child
 * process shows. */
#include "core/index/extent.h"
#include "core/index/random.h"
#include "tests/support/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 9, UNITS = CHUNKS * FB_UNITS_PER_CHUNK };

static uint64_t first_seed = 20261123;

static struct fb_extents *extents_open(uint32_t chunks)
{
    struct fb_extents *extents = test_malloc(FB_EXTENTS_SIZE_BYTES(chunks));
    fb_extents_init(extents, chunks);
    return extents;
}

/* Longest free run of a chunk, and the first run of at least `units` in it. */
static uint32_t naive_run(const bool taken[UNITS], uint32_t chunk, uint32_t units, uint32_t *first)
{
    uint32_t longest = 0, run = 0;
    *first = FB_NONE;
    for (uint32_t i = 0; i < FB_UNITS_PER_CHUNK; i++) {
        uint32_t unit = chunk * FB_UNITS_PER_CHUNK + i;
        run = taken[unit] ? 0 : run + 1;
        longest = run > longest ? run : longest;
        if (run == units && *first == FB_NONE)
            *first = unit + 1 - units;
    }
    return longest;
}

/* Shortest longest run that is enough, over all chunks; 0: none. */
static uint32_t naive_best(const bool taken[UNITS], uint32_t units)
{
    uint32_t best = 0, first;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        uint32_t longest = naive_run(taken, chunk, units, &first);
        if (longest >= units && (best == 0 || longest < best))
            best = longest;
    }
    return best;
}

struct live {
    uint32_t first, units;
};

static uint32_t allocate_as_expected(struct fb_extents *extents, bool taken[UNITS], uint32_t units)
{
    uint32_t best = naive_best(taken, units), first = fb_extents_allocate(extents, units), lowest;
    if (best == 0) {
        assert_int_equal(first, FB_NONE);
        return FB_NONE;
    }
    assert_in_range(first, 0, UNITS - units);
    assert_int_equal(first / FB_UNITS_PER_CHUNK, (first + units - 1) / FB_UNITS_PER_CHUNK);
    assert_int_equal(naive_run(taken, first / FB_UNITS_PER_CHUNK, units, &lowest), best);
    assert_int_equal(first, lowest);
    for (uint32_t i = 0; i < units; i++) {
        assert_false(taken[first + i]);
        taken[first + i] = true;
    }
    return first;
}

static void extents_under_random_operations_never_overlap(void **state)
{
    (void)state;
    bool taken[UNITS] = {false};
    struct live live[UNITS];
    uint32_t live_count = 0, refused = 0;
    uint64_t used_units = 0;
    struct fb_random random;
    struct fb_extents *extents = extents_open(CHUNKS);
    printf("seed %llu (argument)\n", (unsigned long long)first_seed);
    fb_random_init(&random, first_seed);
    for (uint32_t i = 0; i < 30000; i++) {
        bool is_filling = i / 1000 % 2 == 0; /* full and empty by turns */
        if (live_count == 0 || fb_random_below(&random, 10) < (is_filling ? 7 : 3)) {
            uint32_t units = 1 + (uint32_t)fb_random_below(&random, FB_UNITS_PER_CHUNK);
            units = fb_random_below(&random, 3) == 0 ? units : 1 + units / 8;
            units = units > FB_UNITS_PER_CHUNK ? FB_UNITS_PER_CHUNK : units;
            uint32_t first = allocate_as_expected(extents, taken, units);
            refused += first == FB_NONE;
            if (first != FB_NONE) {
                live[live_count++] = (struct live){.first = first, .units = units};
                used_units += units;
            }
        } else {
            uint32_t at = (uint32_t)fb_random_below(&random, live_count);
            fb_extents_free(extents, live[at].first, live[at].units);
            memset(taken + live[at].first, 0, live[at].units * sizeof(bool));
            used_units -= live[at].units;
            live[at] = live[--live_count];
        }
        fb_extents_check(extents);
        assert_int_equal(fb_extents_used_units(extents), used_units);
    }
    assert_true(refused > 100);
    while (live_count > 0) {
        live_count--;
        fb_extents_free(extents, live[live_count].first, live[live_count].units);
    }
    fb_extents_check(extents);
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) /* everything has grown together again */
        assert_int_not_equal(fb_extents_allocate(extents, FB_UNITS_PER_CHUNK), FB_NONE);
    test_free(extents);
}

static void extents_of_whole_chunks_fill_in_order(void **state)
{
    (void)state;
    struct fb_extents *extents = extents_open(3);
    for (uint32_t chunk = 0; chunk < 3; chunk++)
        assert_int_equal(fb_extents_allocate(extents, 64), chunk * 64);
    assert_int_equal(fb_extents_allocate(extents, 1), FB_NONE);
    fb_extents_free(extents, 64, 64);
    assert_int_equal(fb_extents_allocate(extents, 1), 64);
    assert_int_equal(fb_extents_allocate(extents, 64), FB_NONE);
    assert_int_equal(fb_extents_used_units(extents), 129);
    test_free(extents);
}

/* A child that must die of SIGABRT. */
static bool does_panic(struct fb_extents *extents, uint32_t first, uint32_t units)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        fb_extents_free(extents, first, units);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void extents_free_twice_panics(void **state)
{
    (void)state;
    struct fb_extents *extents = extents_open(2);
    uint32_t first = fb_extents_allocate(extents, 10);
    assert_false(does_panic(extents, first, 10));
    fb_extents_free(extents, first, 10);
    assert_true(does_panic(extents, first, 10));
    assert_true(does_panic(extents, 2 * 64, 1)); /* beyond the last chunk */
    test_free(extents);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents_under_random_operations_never_overlap),
        cmocka_unit_test(extents_of_whole_chunks_fill_in_order),
        cmocka_unit_test(extents_free_twice_panics),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
