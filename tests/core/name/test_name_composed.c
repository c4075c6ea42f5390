/* name_finish.c: a version that the origin has shown is finished, though a stranger puts an
 * object over it before its record says so, when its blocks are nowhere any more: by who
 * composed it, also when another has taken it on meanwhile. How: scripted nodes (script.h), of
 * which one cannot change records for a while. */
#include "core/name/name.h"

#include "tests/support/name.h"

static const struct fb_reply *run_fine(struct script *script, const struct fb_request *request)
{
    const struct fb_reply *reply = run(script, 0, request);
    assert_int_equal(reply->status, FB_OK);
    return reply;
}

/* Node 0 commits a version of the name; which. */
static uint64_t commit(struct script *script)
{
    const struct fb_request begin = {.kind = FB_REQUEST_NAME_BEGIN,
                                     .request_id = 1,
                                     .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                     .wall_ns = S};
    const struct fb_reply reply = *run_fine(script, &begin);
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_DEVICE,
                                        .block_size_bytes = FLOW_BLOCK_BYTES,
                                        .version = reply.version,
                                        .size = 10};
    const struct fb_request change = {.kind = FB_REQUEST_NAME_COMMIT,
                                      .request_id = 2,
                                      .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                      .record = fb_name_record(&facts, reply.record.version),
                                      .replaced = reply.replaced};
    (void)run_fine(script, &change);
    return reply.version;
}

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
    struct fb_config config = flow_config();
    bool is_over = false;
    clock_ns = 0;
    config.names_max = 8;
    config.records = 2;
    config.metas_max = 8;
    struct script *script = script_open(nodes, &config, 1);
    script_set_fault(script, unheard, &is_over);
    uint64_t version = commit(script);
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
