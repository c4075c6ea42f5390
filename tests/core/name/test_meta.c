/* meta.c: lookups and commits by compare-and-swap (R14): all or nothing, never over a version that
 * was not seen, also when the store is silent, throttles, applies without answering, or two commit
 * at once. How: scripted nodes (script.h) and its metadata store. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { MS = 1000000 };

static const struct fb_key NAME = {.high = 0x6e, .low = 1};

static struct fb_request commit(uint64_t request_id, uint64_t version, uint64_t value)
{
    return (struct fb_request){.kind = FB_REQUEST_COMMIT,
                               .request_id = request_id,
                               .block = {.key = NAME, .object = FB_OBJECT_NONE},
                               .record = {.version = version, .value = {0, value}, .size = 10}};
}

static struct fb_request lookup(uint64_t request_id)
{
    return (struct fb_request){.kind = FB_REQUEST_LOOKUP,
                               .request_id = request_id,
                               .block = {.key = NAME, .object = FB_OBJECT_NONE}};
}

static void expect(const struct script *script, uint64_t request_id, enum fb_status status,
                   uint64_t version, uint64_t value)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
    assert_int_equal(reply->record.version, version);
    assert_int_equal(reply->record.value.low, value);
}

/* What META_PUTs meet, one after the other; the last for all further ones. */
struct plan {
    struct script_fault puts[4], gets[4];
    uint32_t put, get;
};

static struct script_fault follow(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct plan *plan = script_context(script);
    (void)node;
    if (op->kind == FB_OP_META_PUT)
        return plan->puts[plan->put < 3 ? plan->put++ : 3];
    if (op->kind == FB_OP_META_GET)
        return plan->gets[plan->get < 3 ? plan->get++ : 3];
    return (struct script_fault){.status = FB_OK};
}

static void commit_then_lookup_finds_it(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(2, &config, 1);
    struct fb_request request = lookup(1);
    script_request(script, 1000, 1, &request);
    request = commit(2, 0, 77);
    script_request(script, 10 * MS, 0, &request);
    request = lookup(3);
    script_request(script, 20 * MS, 1, &request);
    request = commit(4, 1, 78);
    script_request(script, 30 * MS, 1, &request);
    script_run(script, FB_NEVER_NS);
    expect(script, 1, FB_ABSENT, 0, 0);
    expect(script, 2, FB_OK, 1, 77);
    expect(script, 3, FB_OK, 1, 77);
    expect(script, 4, FB_OK, 2, 78);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static void commit_of_two_at_once_is_won_by_one(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(2, &config, 1);
    struct fb_request request = commit(1, 0, 77);
    script_request(script, 1000, 0, &request);
    request = commit(2, 0, 78);
    script_request(script, 1001, 1, &request);
    script_run(script, FB_NEVER_NS);
    expect(script, 1, FB_OK, 1, 77);
    expect(script, 2, FB_CONFLICT, 1, 77);
    assert_int_equal(fb_node_stats(script_node(script, 1))->meta_conflicts, 1);
    script_close(script);
}

/* Runs one commit of value 77 over an absent record under a plan. */
static struct script *commit_under(struct plan *plan, const struct fb_config *config)
{
    struct script *script = script_open(1, config, 1);
    script_set_fault(script, follow, plan);
    struct fb_request request = commit(1, 0, 77);
    script_request(script, 1000, 0, &request);
    script_run(script, FB_NEVER_NS);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    return script;
}

static void commit_applied_but_not_answered_is_won(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct plan plan = {.puts = {{.status = FB_TIMEOUT, .is_applied = true}}};
    struct script *script = commit_under(&plan, &config);
    expect(script, 1, FB_OK, 1, 77);
    assert_int_equal(plan.put, 1); /* it was not sent again */
    script_close(script);
}

static void commit_lost_on_the_way_is_sent_again(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct plan plan = {.puts = {{.status = FB_IO}, {.status = FB_THROTTLED}}};
    struct script *script = commit_under(&plan, &config);
    expect(script, 1, FB_OK, 1, 77);
    assert_int_equal(plan.put, 3);
    script_close(script);
}

static void commit_applied_late_is_won_all_the_same(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    /* The first is applied just as the second, which then loses against it. */
    struct plan plan = {.puts = {{.status = FB_TIMEOUT}, {.status = FB_OK, .delay_ns = 5 * MS}}};
    struct script *script = script_open(2, &config, 1);
    script_set_fault(script, follow, &plan);
    struct fb_request request = commit(1, 0, 77);
    script_request(script, 1000, 0, &request);
    request = commit(2, 0, 77); /* stands for the delayed one: the same value at the same version */
    script_request(script, 3 * MS, 1, &request);
    script_run(script, FB_NEVER_NS);
    expect(script, 1, FB_OK, 1, 77);
    assert_int_equal(script_record(script, NAME).version, 1);
    script_close(script);
}

static void commit_when_the_store_is_silent_says_timeout(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct plan plan = {.puts = {{.status = FB_TIMEOUT, .is_applied = true}}};
    for (uint32_t i = 0; i < 4; i++)
        plan.gets[i].status = FB_TIMEOUT;
    struct script *script = commit_under(&plan, &config);
    expect(script, 1, FB_TIMEOUT, 0, 0);
    script_close(script);
}

static void commit_when_throttled_for_long_was_surely_not_applied(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct plan plan = {.put = 0};
    for (uint32_t i = 0; i < 4; i++)
        plan.puts[i].status = FB_THROTTLED;
    struct script *script = commit_under(&plan, &config);
    expect(script, 1, FB_THROTTLED, 0, 0);
    assert_int_equal(script_record(script, NAME).version, 0);
    script_close(script);
}

/* What a store refuses it has not done, and asking again is of no use; but of a commit that may
 * have been applied before nothing is known. */
static void commit_that_is_refused_ends_at_once_unless_it_may_be_applied(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct plan plan = {.puts = {{.status = FB_REFUSED}}};
    struct script *script = commit_under(&plan, &config);
    expect(script, 1, FB_REFUSED, 0, 0);
    assert_int_equal(plan.put, 1);
    script_close(script);
    plan = (struct plan){.puts = {{.status = FB_TIMEOUT, .is_applied = true}}};
    for (uint32_t i = 0; i < 4; i++)
        plan.gets[i].status = FB_REFUSED;
    script = commit_under(&plan, &config);
    expect(script, 1, FB_TIMEOUT, 0, 0);
    script_close(script);
}

static void commit_beyond_the_slots_is_busy_at_once(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.metas_max = 1;
    struct script *script = script_open(1, &config, 1);
    struct fb_request request = commit(1, 0, 77);
    script_request(script, 1000, 0, &request);
    request = lookup(2);
    script_request(script, 1001, 0, &request);
    script_run(script, 1001);
    expect(script, 2, FB_BUSY, 0, 0); /* R9 */
    script_run(script, FB_NEVER_NS);
    expect(script, 1, FB_OK, 1, 77);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_then_lookup_finds_it),
        cmocka_unit_test(commit_of_two_at_once_is_won_by_one),
        cmocka_unit_test(commit_applied_but_not_answered_is_won),
        cmocka_unit_test(commit_lost_on_the_way_is_sent_again),
        cmocka_unit_test(commit_applied_late_is_won_all_the_same),
        cmocka_unit_test(commit_when_the_store_is_silent_says_timeout),
        cmocka_unit_test(commit_when_throttled_for_long_was_surely_not_applied),
        cmocka_unit_test(commit_that_is_refused_ends_at_once_unless_it_may_be_applied),
        cmocka_unit_test(commit_beyond_the_slots_is_busy_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
