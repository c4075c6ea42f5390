/* histogram.c: every value falls into the bucket whose range holds it, and buckets are 12.5% wide.
 * How: all bucket edges, and the values beside them. */
#include "core/histogram.h"
#include "tests/support/unit.h"

#include <string.h>

static void histogram_bucket_of_each_start_is_that_bucket(void **state)
{
    (void)state;
    for (uint32_t bucket = 0; bucket < FB_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t start_ns = fb_histogram_bucket_start_ns(bucket);
        uint64_t end_ns = fb_histogram_bucket_start_ns(bucket + 1);
        assert_true(start_ns < end_ns);
        assert_int_equal(fb_histogram_bucket(start_ns), bucket);
        assert_int_equal(fb_histogram_bucket(end_ns - 1), bucket);
        if (bucket >= 8)
            assert_true((end_ns - start_ns) * 8 <= start_ns); /* 12.5% */
    }
}

static void histogram_bucket_covers_2_to_the_43_ns(void **state)
{
    (void)state;
    assert_true(fb_histogram_bucket_start_ns(0) == 0);
    assert_true(fb_histogram_bucket_start_ns(FB_HISTOGRAM_BUCKETS) == UINT64_C(1) << 43);
}

static void histogram_bucket_of_larger_values_is_the_last(void **state)
{
    (void)state;
    assert_int_equal(fb_histogram_bucket(UINT64_C(1) << 43), FB_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(fb_histogram_bucket(UINT64_MAX), FB_HISTOGRAM_BUCKETS - 1);
}

static void histogram_add_counts_in_one_bucket(void **state)
{
    (void)state;
    static struct fb_histogram histogram;
    memset(&histogram, 0, sizeof(histogram));
    fb_histogram_add(&histogram, 1000);
    fb_histogram_add(&histogram, 1001);
    fb_histogram_add(&histogram, 0);
    assert_int_equal(histogram.counts[fb_histogram_bucket(1000)], 2);
    assert_int_equal(histogram.counts[0], 1);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS; i++)
        sum += histogram.counts[i];
    assert_int_equal(sum, 3);
}

static void histogram_merge_adds_counts_and_keeps_the_largest(void **state)
{
    (void)state;
    static struct fb_histogram sum, part;
    memset(&sum, 0, sizeof(sum));
    memset(&part, 0, sizeof(part));
    fb_histogram_add(&sum, 1000);
    fb_histogram_add(&part, 1000);
    fb_histogram_add(&part, 5000);
    part.counts[3] = UINT32_MAX;
    sum.counts[3] = 1;
    fb_histogram_merge(&sum, &part);
    assert_int_equal(sum.counts[fb_histogram_bucket(1000)], 2);
    assert_int_equal(sum.counts[fb_histogram_bucket(5000)], 1);
    assert_int_equal(sum.counts[3], UINT32_MAX);
    assert_true(sum.max_ns == 5000);
}

static void histogram_add_to_a_full_bucket_stays_full(void **state)
{
    (void)state;
    static struct fb_histogram histogram;
    memset(&histogram, 0, sizeof(histogram));
    histogram.counts[5] = UINT32_MAX;
    fb_histogram_add(&histogram, 5);
    assert_int_equal(histogram.counts[5], UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram_bucket_of_each_start_is_that_bucket),
        cmocka_unit_test(histogram_bucket_covers_2_to_the_43_ns),
        cmocka_unit_test(histogram_bucket_of_larger_values_is_the_last),
        cmocka_unit_test(histogram_add_counts_in_one_bucket),
        cmocka_unit_test(histogram_merge_adds_counts_and_keeps_the_largest),
        cmocka_unit_test(histogram_add_to_a_full_bucket_stays_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
