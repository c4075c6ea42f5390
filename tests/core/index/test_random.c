/* random.c: the generator gives its published numbers, and bounded draws are uniform.
 * How: known outputs of SplitMix64 and xoshiro256**, and counts within five standard deviations. */
#include "core/index/random.h"
#include "tests/support/unit.h"

#include <string.h>

static void random_init_seeds_by_splitmix64(void **state)
{
    (void)state;
    /* First four outputs for seed 1234567, as in Vigna's splitmix64.c. */
    static const uint64_t expected[4] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431)};
    struct fb_random random;
    fb_random_init(&random, 1234567);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(random.state[i] == expected[i]);
}

static void random_next_gives_the_reference_sequence(void **state)
{
    (void)state;
    /* State 1, 2, 3, 4: the outputs of Blackman and Vigna's xoshiro256starstar.c. */
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        UINT64_C(1215971899390074240),
                                        UINT64_C(1216172134540287360),
                                        UINT64_C(607988272756665600),
                                        UINT64_C(16172922978634559625)};
    struct fb_random random = {.state = {1, 2, 3, 4}};
    for (uint32_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(fb_random_next(&random) == expected[i]);
}

static void random_below_is_uniform(void **state)
{
    (void)state;
    enum { BOUND = 7, DRAWS = 700000 };
    uint32_t counts[BOUND] = {0};
    struct fb_random random;
    fb_random_init(&random, 1);
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint64_t value = fb_random_below(&random, BOUND);
        assert_in_range(value, 0, BOUND - 1);
        counts[value]++;
    }
    for (uint32_t i = 0; i < BOUND; i++)
        assert_in_range(counts[i], 100000 - 1500, 100000 + 1500); /* 5 * sqrt(n p (1 - p)) = 1464 */
}

/* Of 3 * 2^62 values plain multiplication gives every third one twice as often as the others. */
static void random_below_of_a_huge_bound_is_unbiased(void **state)
{
    (void)state;
    const uint64_t bound = UINT64_C(3) << 62;
    uint32_t thirds[3] = {0};
    struct fb_random random;
    fb_random_init(&random, 2);
    for (uint32_t i = 0; i < 90000; i++) {
        uint64_t value = fb_random_below(&random, bound);
        assert_true(value < bound);
        thirds[value % 3]++;
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range(thirds[i], 30000 - 710, 30000 + 710);
}

static void random_below_one_is_zero(void **state)
{
    (void)state;
    struct fb_random random;
    fb_random_init(&random, 3);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(fb_random_below(&random, 1), 0);
}

static void random_of_the_same_seed_repeats(void **state)
{
    (void)state;
    struct fb_random a, b, other;
    fb_random_init(&a, 99);
    fb_random_init(&b, 99);
    fb_random_init(&other, 100);
    uint32_t same = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t value = fb_random_next(&a);
        assert_true(value == fb_random_next(&b));
        same += value == fb_random_next(&other);
    }
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_init_seeds_by_splitmix64),
        cmocka_unit_test(random_next_gives_the_reference_sequence),
        cmocka_unit_test(random_below_is_uniform),
        cmocka_unit_test(random_below_of_a_huge_bound_is_unbiased),
        cmocka_unit_test(random_below_one_is_zero),
        cmocka_unit_test(random_of_the_same_seed_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
