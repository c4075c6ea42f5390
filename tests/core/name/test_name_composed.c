/* name_finish.c: a version that the origin has shown is finished, though a stranger puts an
 * object over it before its record says so, when its blocks are nowhere any more: by who
 * composed it, also when another has taken it on meanwhile. How: scripted nodes (script.h), of
 * which one cannot change records for a while. */
#include "tests/support/name_write.h"

static struct fb_name_facts facts_now(struct script *script)
{
    struct fb_meta record = script_record(script, NAME);
    return fb_name_read(&record);
}

/* Node 0 cannot say that a version is at the origin, until the context is set. */
static struct script_fault unheard(struct script *script, uint32_t node, const struct fb_op *op)
{
    const bool *is_over = script_context(script);
    bool is_said = op->kind == FB_OP_META_PUT && op->record.version > 0 &&
                   fb_name_read(&op->record).state == FB_NAME_ORIGIN;
    bool is_struck = is_said && node == 0 && !*is_over;
    return (struct script_fault){.status = is_struck ? FB_BUSY : FB_OK};
}

/* A stranger's object is there for a while; then the store hears node 0 again. keeper: who has the
 * name until then. */
static void assert_finished(uint32_t nodes, uint64_t away_ns, uint32_t keeper)
{
    const struct fb_config config = name_config();
    bool is_over = false;
    struct script *script = script_open(nodes, &config, 1);
    script_set_fault(script, unheard, &is_over);
    uint64_t version = write_name(script, 0, 1, S);
    rest(script, 100 * MS);
    assert_int_equal(script_shown(script, NAME)->blocks, version);
    *script_shown(script, NAME) = (struct script_shown){.version = 1, .size = 3};
    script_shown(script, NAME)->is_missing = true; /* what it was made of */
    rest(script, away_ns);
    assert_int_equal(facts_now(script).state, FB_NAME_CACHED);
    assert_int_equal(facts_now(script).node, keeper);
    is_over = true;
    rest(script, 20 * S);
    assert_int_equal(facts_now(script).state, FB_NAME_ORIGIN);
    assert_int_equal(facts_now(script).version, version);
    assert_int_equal(script_shown(script, NAME)->version, 1);
    for (uint32_t i = 0; i < nodes; i++)
        assert_int_equal(fb_node_unfinished_names(script_node(script, i)), 0);
    script_close(script);
}

static void composed_and_overwritten_is_finished_when_the_store_hears(void **state)
{
    (void)state;
    assert_finished(1, 5 * S, 0);
}

static void composed_and_taken_on_is_finished_by_who_composed_it(void **state)
{
    (void)state;
    assert_finished(2, 40 * S, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composed_and_overwritten_is_finished_when_the_store_hears),
        cmocka_unit_test(composed_and_taken_on_is_finished_by_who_composed_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
