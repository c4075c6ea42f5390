/* The swarm itself, and what it once found.
 * How: every script in tests/swarm is a failure that was made small and is mended: each must run to
 * its end without one. Fresh plans must run without a failure too, give the same events when run
 * again, and be the same after they were written as text and read back. A plan that fails when it
 * is asked for too much is made small, and stays failing. */
#include "tests/support/unit.h"

#include "sim/swarm/swarm.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS = 40, PATH_MAX_BYTES = 512 };

static uint64_t first_seed = 1;

static void plan_must_hold(const struct fb_swarm_plan *plan, const char *name)
{
    static struct fb_swarm_result result;
    printf("%s\n", name); /* before: an assertion of the core ends the process */
    fflush(stdout);
    fb_swarm_run(plan, NULL, &result);
    if (result.is_failed)
        fail_msg("%s: %s: %s", name, result.check, result.text);
}

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".txt") == 0;
}

static void swarm_scripts_of_mended_failures_hold(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir("tests/swarm", &entries, is_script, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX_BYTES], error[FB_SWARM_TEXT_MAX];
        snprintf(path, sizeof(path), "tests/swarm/%s", entries[i]->d_name);
        FILE *stream = fopen(path, "r");
        assert_non_null(stream);
        struct fb_swarm_plan *plan = fb_swarm_plan_read(stream, path, error);
        fclose(stream);
        if (plan == NULL)
            fail_msg("%s", error);
        plan_must_hold(plan, path);
        fb_swarm_plan_free(plan);
        free(entries[i]);
    }
    free(entries);
}

static void swarm_of_fresh_plans_holds(void **state)
{
    (void)state;
    printf("seeds from %llu (argument: first seed)\n", (unsigned long long)first_seed);
    for (uint64_t i = 0; i < PLANS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "seed %llu", (unsigned long long)(first_seed + i));
        struct fb_swarm_plan *plan = fb_swarm_plan_make(first_seed + i, false);
        plan_must_hold(plan, name);
        fb_swarm_plan_free(plan);
    }
}

static void swarm_run_again_gives_the_same_digest(void **state)
{
    (void)state;
    static struct fb_swarm_result once, twice;
    for (uint64_t i = 0; i < 5; i++) {
        struct fb_swarm_plan *plan = fb_swarm_plan_make(first_seed + i, false);
        fb_swarm_run(plan, NULL, &once);
        fb_swarm_run(plan, NULL, &twice);
        assert_true(once.digest == twice.digest);
        assert_memory_equal(&once, &twice, sizeof(once));
        fb_swarm_plan_free(plan);
    }
}

static struct fb_swarm_plan *through_text(const struct fb_swarm_plan *plan)
{
    char error[FB_SWARM_TEXT_MAX] = "";
    FILE *stream = tmpfile();
    assert_non_null(stream);
    fb_swarm_plan_write(plan, stream);
    rewind(stream);
    struct fb_swarm_plan *copy = fb_swarm_plan_read(stream, "plan", error);
    fclose(stream);
    if (copy == NULL)
        fail_msg("%s", error);
    return copy;
}

static void swarm_plan_through_text_is_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + PLANS; seed++) {
        struct fb_swarm_plan *plan = fb_swarm_plan_make(seed, seed % 2 == 0);
        struct fb_swarm_plan *copy = through_text(plan);
        assert_int_equal(copy->request_count, plan->request_count);
        assert_memory_equal(copy->requests, plan->requests,
                            plan->request_count * sizeof(*plan->requests));
        struct fb_swarm_request *requests = copy->requests;
        copy->requests = plan->requests;
        assert_memory_equal(copy, plan, sizeof(*plan));
        copy->requests = requests;
        fb_swarm_plan_free(copy);
        fb_swarm_plan_free(plan);
    }
}

static void plan_must_be_refused(const char *text, const char *reason)
{
    char error[FB_SWARM_TEXT_MAX] = "";
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(stream);
    assert_null(fb_swarm_plan_read(stream, "plan", error));
    fclose(stream);
    if (strstr(error, reason) == NULL)
        fail_msg("'%s' does not say '%s'", error, reason);
}

static void swarm_plan_of_bad_text_names_its_line(void **state)
{
    (void)state;
    plan_must_be_refused("nodes 3\nknots 4\n", "plan:2: knots: no such figure");
    plan_must_be_refused("nodes three\n", "plan:1: nodes three: not a number");
    plan_must_be_refused("nodes 3\nset\n", "plan:2: set : no such setting");
    plan_must_be_refused("nodes 3\nset lend_max\n", "plan:2: lend_max: a number is missing");
    plan_must_be_refused("nodes 3\nset lend_max 1\n", "set lend_max: out of its range");
    plan_must_be_refused("fault flood nodes 1\n", "plan:1: fault flood: no such kind");
    plan_must_be_refused("fault loss knots 1\n", "plan:1: knots: no such figure");
    plan_must_be_refused("nodes 3\nfault loss until_ns 5\n", "fault 0 lasts longer than heal_ns");
    plan_must_be_refused("request take node 0\n", "plan:1: request take: no such operation");
    plan_must_be_refused("nodes 3\nrequest get node 3\n", "a request goes to node 3 of 3");
    plan_must_be_refused("nodes 3\nrequest match count 99\n", "is over");
    plan_must_be_refused("nodes 40\n", "nodes and domains");
}

/* A plan of so many nodes and faults, and of a match of so many keys, is read, or is refused. */
static void plan_of(uint32_t nodes, uint32_t faults, uint32_t keys, const char *reason)
{
    char text[4096], error[FB_SWARM_TEXT_MAX] = "";
    size_t at = (size_t)snprintf(
        text, sizeof(text), "nodes %u\ndomains %u\nrequest match count %u\n", nodes, nodes, keys);
    for (uint32_t i = 0; i < faults; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "fault loss\n");
    if (reason != NULL) {
        plan_must_be_refused(text, reason);
        return;
    }
    FILE *stream = fmemopen(text, strlen(text), "r");
    assert_non_null(stream);
    struct fb_swarm_plan *plan = fb_swarm_plan_read(stream, "plan", error);
    fclose(stream);
    assert_string_equal(error, "");
    assert_int_equal(plan->fault_count, faults);
    fb_swarm_plan_free(plan);
}

static void swarm_plan_at_its_limits_is_read_and_beyond_is_refused(void **state)
{
    (void)state;
    plan_of(32, 96, 32, NULL);
    plan_of(33, 96, 32, "nodes and domains are from 1 to 32");
    plan_of(32, 97, 32, "plan:100: more than 96 faults");
    plan_of(32, 96, 33, "plan:3: request match: node, index or count is over 32");
}

/* Judged as failing: any plan in which node 2 is asked to match. */
static bool has_a_match_on_node_2(void *context, const struct fb_swarm_plan *plan)
{
    (void)context;
    for (uint32_t i = 0; i < plan->request_count; i++) {
        if (plan->requests[i].verb == FB_SWARM_VERB_match && plan->requests[i].node == 2)
            return true;
    }
    return false;
}

static void swarm_minimise_keeps_only_what_fails(void **state)
{
    (void)state;
    uint64_t seed = first_seed;
    struct fb_swarm_plan *plan = fb_swarm_plan_make(seed, false);
    while (!has_a_match_on_node_2(NULL, plan) || plan->request_count < 50) {
        fb_swarm_plan_free(plan);
        plan = fb_swarm_plan_make(++seed, false);
    }
    uint32_t runs = fb_swarm_minimise(plan, has_a_match_on_node_2, NULL, 2000);
    assert_in_range(runs, 1, 2000);
    assert_int_equal(plan->request_count, 1);
    assert_int_equal(plan->fault_count, 0);
    assert_int_equal(plan->nodes, 3);
    assert_true(has_a_match_on_node_2(NULL, plan));
    fb_swarm_plan_free(plan);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swarm_scripts_of_mended_failures_hold),
        cmocka_unit_test(swarm_of_fresh_plans_holds),
        cmocka_unit_test(swarm_run_again_gives_the_same_digest),
        cmocka_unit_test(swarm_plan_through_text_is_the_same),
        cmocka_unit_test(swarm_plan_of_bad_text_names_its_line),
        cmocka_unit_test(swarm_plan_at_its_limits_is_read_and_beyond_is_refused),
        cmocka_unit_test(swarm_minimise_keeps_only_what_fails),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
