/* stats.c: every reason and status has a name of its own, in lower case and underscores.
 * How: all of them, pairwise. */
#include "core/stats.h"
#include "tests/support/unit.h"

#include <string.h>

static void expect_metric_name(const char *name)
{
    assert_non_null(name);
    assert_in_range(strlen(name), 2, 20);
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
}

static void reason_name_of_each_is_distinct(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++) {
        expect_metric_name(fb_reason_name((enum fb_reason)i));
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(fb_reason_name((enum fb_reason)i),
                                    fb_reason_name((enum fb_reason)j));
    }
    assert_string_equal(fb_reason_name(FB_REASON_MEMORY), "memory");
    assert_string_equal(fb_reason_name(FB_REASON_ORIGIN_PEER), "origin_peer");
    assert_string_equal(fb_reason_name(FB_REASON_REFUSED), "refused");
}

static void status_name_of_each_is_distinct(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FB_STATUS_COUNT; i++) {
        expect_metric_name(fb_status_name((enum fb_status)i));
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(fb_status_name((enum fb_status)i),
                                    fb_status_name((enum fb_status)j));
    }
    assert_string_equal(fb_status_name(FB_OK), "ok");
    assert_string_equal(fb_status_name(FB_CONFLICT), "conflict");
}

static void counter_names_are_distinct_and_described(void **state)
{
    (void)state;
    static const char *const names[] = {
#define COUNTER_NAME(name, unit, help) #name,
        FB_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    static const char *const helps[] = {
#define COUNTER_HELP(name, unit, help) help,
        FB_COUNTERS(COUNTER_HELP)
#undef COUNTER_HELP
    };
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_in_range(strlen(helps[i]), 5, 100);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
}

static void origin_is_read_for_three_reasons(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (uint32_t i = 0; i < FB_REASON_COUNT; i++) {
        _Bool is_named = strncmp(fb_reason_name((enum fb_reason)i), "origin", 6) == 0;
        assert_int_equal(fb_reason_is_origin((enum fb_reason)i), is_named);
        count += is_named;
    }
    assert_int_equal(count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reason_name_of_each_is_distinct),
        cmocka_unit_test(status_name_of_each_is_distinct),
        cmocka_unit_test(counter_names_are_distinct_and_described),
        cmocka_unit_test(origin_is_read_for_three_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
