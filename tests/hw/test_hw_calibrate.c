/* hw/measure: the line through what answers of several sizes cost, from costs that lie on a line,
 * nearly on one, and on none.
 * How: by hand; what is measured is shown by tests/daemon/hw_calibrate_test.py. */
#include "hw/measure/calibrate.h"
#include "tests/support/unit.h"

#include <string.h>

static void fit_of_a_line_is_that_line(void **state)
{
    (void)state;
    struct fb_answer_cost cost;
    memset(&cost, 0, sizeof(cost));
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS; i++) {
        cost.cpu_ns[0][i] = 4000 + fb_calibrate_answer_bytes[i] / 4;
        cost.cpu_ns[1][i] = 3000;
    }
    fb_calibrate_fit(&cost, 0);
    fb_calibrate_fit(&cost, 1);
    assert_in_range(cost.message_ns[0], 3999, 4001);
    assert_in_range(cost.mebibyte_ns[0], 262143, 262145); /* 2^20 / 4 */
    assert_in_range(cost.message_ns[1], 2999, 3001);
    assert_in_range(cost.mebibyte_ns[1], 0, 1);
}

/* A tenth more for the smallest and a tenth less for the largest: each part is a tenth off, not
 * more, since no size counts more than another. */
static void fit_of_noise_is_near(void **state)
{
    (void)state;
    struct fb_answer_cost cost;
    memset(&cost, 0, sizeof(cost));
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS; i++)
        cost.cpu_ns[0][i] = 4000 + fb_calibrate_answer_bytes[i] / 4;
    cost.cpu_ns[0][0] = cost.cpu_ns[0][0] * 11 / 10;
    cost.cpu_ns[0][4] = cost.cpu_ns[0][4] * 9 / 10;
    fb_calibrate_fit(&cost, 0);
    assert_in_range(cost.message_ns[0], 4000, 4400);
    assert_in_range(cost.mebibyte_ns[0], 235929, 262144);
}

/* Large answers that cost less than small ones: nothing is below 0. */
static void fit_of_what_falls_has_no_slope(void **state)
{
    (void)state;
    struct fb_answer_cost cost;
    memset(&cost, 0, sizeof(cost));
    for (uint32_t i = 0; i < FB_CALIBRATE_ANSWERS; i++)
        cost.cpu_ns[0][i] = 10000 - 1000 * i;
    fb_calibrate_fit(&cost, 0);
    assert_int_equal(cost.mebibyte_ns[0], 0);
    assert_in_range(cost.message_ns[0], 6000, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_of_a_line_is_that_line),
        cmocka_unit_test(fit_of_noise_is_near),
        cmocka_unit_test(fit_of_what_falls_has_no_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
