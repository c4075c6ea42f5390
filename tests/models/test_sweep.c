/* Proves that a sweep becomes all its combinations in a fixed order, that assignments pin keys, and
 * that mistakes are named with their line, also when they show only in a point's scenario. */
#include "models/scenario/sweep.h"
#include "tests/models/experiment.h"

static uint32_t sweep_text(const char *text, const char *const *assignments, uint32_t count,
                           struct fb_sweep_point **points)
{
    error = (struct fb_error){.text = ""};
    return fb_sweep_load(temporary_write(&files, "s.yaml", text), assignments, count, points,
                         &error);
}

static void sweep_gives_all_combinations_first_key_slowest(void **state)
{
    (void)state;
    struct fb_sweep_point *points;
    assert_int_equal(sweep_text("a: 1\n", NULL, 0, &points), 1);
    assert_int_equal(points[0].setting_count, 0);
    free(points);
    const char *text =
        "sweep:\n  core.policy: [lru, fifo]\n  core.memory_size: [1 GiB, 2 GiB, 3 GiB]\n"
        "  cluster.nodes: 4\n";
    assert_int_equal(sweep_text(text, NULL, 0, &points), 6);
    assert_int_equal(points[4].setting_count, 3);
    assert_string_equal(points[4].settings[0].name, "core.policy");
    assert_string_equal(points[4].settings[0].value, "fifo");
    assert_string_equal(points[4].settings[1].value, "2 GiB");
    assert_string_equal(points[4].settings[2].value, "4");
    assert_string_equal(points[2].settings[0].value, "lru");
    assert_string_equal(points[2].settings[1].value, "3 GiB");
    free(points);
    const char *const pinned[] = {"core.policy=lru", "sweep.cluster.nodes=[1, 2]"};
    assert_int_equal(sweep_text(text, pinned, 2, &points), 6);
    assert_int_equal(points[0].setting_count, 2);
    assert_string_equal(points[1].settings[1].value, "2");
    free(points);
}

static void sweep_of_wrong_form_says_what_to_write(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sweep: [1]\n", "s.yaml:1:1: sweep: is not a map: write keys and values"},
        {"sweep: {a: []}\n", "s.yaml:1:9: sweep.a: has no values: write a list, e.g. [1, 2, 4]"},
        {"sweep: {a: [[1]]}\n", "element 1 is not a plain value"},
        {"sweep: {a: [1], b: [1], c: [1], d: [1], e: [1], f: [1], g: [1]}\n",
         "more than 6 swept keys: remove one"},
        {"sweep:\n  a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n  b: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n"
         "  c: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n  d: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n  e: [1, 2]\n",
         "the sweep has more than 10000 points: shorten its lists"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fb_sweep_point *points = NULL;
        assert_int_equal(sweep_text(cases[i][0], NULL, 0, &points), 0);
        assert_null(points);
        assert_line_holds(error.text, cases[i][1]);
    }
}

static void load_of_sweep_point_applies_it_and_names_its_line(void **state)
{
    (void)state;
    char text[2048];
    snprintf(text, sizeof(text), "%ssweep:\n  core.policy: [lru, sieve, lur]\n", good);
    struct fb_sweep_point *points;
    uint32_t count = sweep_text(text, NULL, 0, &points);
    assert_int_equal(count, 3);
    const char *path = temporary_write(&files, "s.yaml", text);
    fb_scenario_load(path, NULL, 0, &points[1], &scenario, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(scenario.core.policy, FB_POLICY_SIEVE);
    fb_scenario_free(&scenario);
    fb_scenario_load(path, NULL, 0, &points[2], &scenario, &error);
    assert_line_holds(error.text,
                      "s.yaml:12:3: sweep of core.policy: core.policy: \"lur\" is not known");
    free(points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sweep_gives_all_combinations_first_key_slowest),
        TEST(sweep_of_wrong_form_says_what_to_write),
        TEST(load_of_sweep_point_applies_it_and_names_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
