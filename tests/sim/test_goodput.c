/* goodput.c against what can be said without drawing: no failures, the first-order formula of Young
 * and Daly when failures are rare, and what losing undrained checkpoints must cost. */
#include "tests/support/unit.h"

#include "sim/clients/goodput.h"

#include <math.h>

enum { DRAWS = 200 };

static const double DAY_S = 86400;

static struct fb_goodput usual(void)
{
    return (struct fb_goodput){.mttf_s = 20000,
                               .interval_s = fb_goodput_interval_s(20000, 2),
                               .stall_s = 2,
                               .drained_s = 100,
                               .restore_s = 30,
                               .job_s = 54 * DAY_S};
}

static void draw_without_failures_is_the_share_of_work(void **state)
{
    (void)state;
    struct fb_goodput goodput = usual();
    goodput.mttf_s = 1e18;
    double exact = goodput.interval_s / (goodput.interval_s + goodput.stall_s);
    assert_true(fabs(fb_goodput_draw(&goodput, 3, 1) - exact) < 1e-4);
}

static void draw_when_failures_are_rare_agrees_with_the_formula(void **state)
{
    (void)state;
    const struct fb_goodput goodput = usual();
    double share = goodput.interval_s / (goodput.interval_s + goodput.stall_s);
    double rework_s = (goodput.interval_s + goodput.stall_s) / 2 + goodput.restore_s;
    double formula = share * (1 - rework_s / goodput.mttf_s);
    double drawn = fb_goodput_draw(&goodput, DRAWS, 1);
    assert_true(fabs(drawn - formula) < 0.001);
}

static void draw_at_the_interval_of_daly_is_near_the_best(void **state)
{
    (void)state;
    struct fb_goodput goodput = usual();
    double best = fb_goodput_draw(&goodput, DRAWS, 1);
    goodput.interval_s *= 4;
    assert_true(fb_goodput_draw(&goodput, DRAWS, 1) < best);
    goodput.interval_s /= 16;
    assert_true(fb_goodput_draw(&goodput, DRAWS, 1) < best);
}

/* A failure within drained_s of a checkpoint costs its interval too: with the interval as long as
 * the drain nearly every failure does. */
static void draw_when_undrained_is_lost_costs_another_interval(void **state)
{
    (void)state;
    struct fb_goodput goodput = usual();
    goodput.drained_s = goodput.interval_s + goodput.stall_s;
    double kept = fb_goodput_draw(&goodput, DRAWS, 1);
    goodput.loses = true;
    double lost = fb_goodput_draw(&goodput, DRAWS, 1);
    double expected = goodput.interval_s / goodput.mttf_s;
    assert_true(kept - lost > 0.9 * expected);
    assert_true(kept - lost < 1.1 * expected);
}

/* Drains that fall behind by more checkpoints than are kept cost goodput, and never give any: where
 * next to none ends before a failure next to nothing counts. */
static void draw_when_drains_never_keep_up_gives_no_more_than_slower_ones_would(void **state)
{
    (void)state;
    struct fb_goodput goodput = usual();
    double round_s = goodput.interval_s + goodput.stall_s, before = 1;
    goodput.loses = true;
    goodput.mttf_s = 300 * round_s; /* several times as many checkpoints as are kept */
    for (uint32_t times = 1; times <= 1024; times *= 2) {
        goodput.drained_s = times * round_s;
        double drawn = fb_goodput_draw(&goodput, DRAWS, 1);
        assert_true(drawn >= 0 && drawn <= before);
        before = drawn;
    }
    assert_true(before < 0.02);
}

static void draw_with_the_same_seed_is_the_same(void **state)
{
    (void)state;
    const struct fb_goodput goodput = usual();
    assert_true(fb_goodput_draw(&goodput, 5, 7) == fb_goodput_draw(&goodput, 5, 7));
    assert_true(fb_goodput_draw(&goodput, 5, 7) != fb_goodput_draw(&goodput, 5, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draw_without_failures_is_the_share_of_work),
        cmocka_unit_test(draw_when_failures_are_rare_agrees_with_the_formula),
        cmocka_unit_test(draw_at_the_interval_of_daly_is_near_the_best),
        cmocka_unit_test(draw_when_undrained_is_lost_costs_another_interval),
        cmocka_unit_test(draw_when_drains_never_keep_up_gives_no_more_than_slower_ones_would),
        cmocka_unit_test(draw_with_the_same_seed_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
