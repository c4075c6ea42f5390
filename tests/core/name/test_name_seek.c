/* name_seek.c: a commit whose bytes are nowhere ends with the verdict LOST, soon, and stops nobody;
 * one whose bytes somebody has, or may have, never does; members that come back are asked again; a
 * lost name can be removed and written anew. How: scripted nodes (script.h), whose origin misses a
 * block until it is stored. */
#include "core/name/name.h"

#include "tests/support/name.h"

enum { NODES = 4 };

static struct script *seek_open(uint32_t erasure)
{
    struct fb_config config = name_config();
    config.replicas = 2;
    config.write_quorum = erasure > 0 ? 1 : 2;
    config.puts_max = 4;
    config.dirty_max = 16;
    config.drains_max = 2;
    config.hold_ns = 2 * MS;
    config.drain_delay_ns = 100 * S; /* what is written stays owed */
    config.drain_check_ns = 5 * MS;
    config.erasure_data = erasure;
    config.erasure_parity = erasure > 0 ? 1 : 0;
    return script_open(NODES, &config, 1);
}

static struct fb_request ask(enum fb_request_kind kind, uint64_t request_id)
{
    return (struct fb_request){.kind = kind,
                               .request_id = request_id,
                               .block = {.key = NAME, .object = FB_OBJECT_NONE},
                               .wall_ns = clock_ns};
}

/* Writes the name from a node, whose commit misses the block. Request ids id and id + 1. */
static void commit(struct script *script, uint32_t node, uint64_t id,
                   const struct fb_block *missing)
{
    struct fb_request request = ask(FB_REQUEST_NAME_BEGIN, id);
    const struct fb_reply begin = *run(script, node, &request);
    const struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                        .level = FB_LEVEL_MEMORY,
                                        .node = node,
                                        .block_size_bytes = FLOW_BLOCK_BYTES,
                                        .version = begin.version,
                                        .size = 10};
    script_shown(script, NAME)->missing = *missing;
    request = ask(FB_REQUEST_NAME_COMMIT, id + 1);
    request.record = fb_name_record(&facts, begin.record.version);
    request.replaced = begin.replaced;
    assert_int_equal(run(script, node, &request)->status, FB_OK);
}

static struct fb_block block_of(uint64_t number)
{
    return script_block(SCRIPT_WRITTEN + 1, number, FLOW_BLOCK_BYTES, 1);
}

static void assert_lost(struct script *script, uint32_t node, bool is_lost)
{
    struct fb_bad_name bad;
    bool is_found = false;
    for (uint32_t i = 0; i < 8; i++) {
        bool is_it = fb_node_bad_name(script_node(script, node), i, &bad);
        is_found = is_found || (is_it && bad.status == FB_LOST && fb_key_equal(bad.key, NAME));
    }
    assert_int_equal(is_found, is_lost);
    if (is_lost)
        assert_true(fb_node_stats(script_node(script, node))->names_lost > 0);
}

static enum fb_name_state state_of(struct script *script)
{
    struct fb_meta record = script_record(script, NAME);
    return fb_name_read(&record).state;
}

static void commit_of_what_is_nowhere_is_lost_and_rests(void **state)
{
    (void)state;
    struct script *script = seek_open(0);
    const struct fb_block block = block_of(3);
    commit(script, 0, 1, &block);
    rest(script, 3 * S);
    assert_lost(script, 0, true);
    assert_int_equal(state_of(script), FB_NAME_CACHED);
    assert_int_equal(fb_node_stats(script_node(script, 0))->names_lost, 1);
    uint64_t searches = fb_node_stats(script_node(script, 0))->searches;
    rest(script, 60 * S);
    assert_lost(script, 0, true);
    assert_int_equal(fb_node_stats(script_node(script, 0))->searches, searches);
    assert_int_equal(fb_node_stats(script_node(script, 0))->names_given_up, 1);
    script_close(script);
}

/* Answers take several times as long as members are given the first time. */
static struct script_fault answer_slowly(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_answer = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_SOUGHT;
    return (struct script_fault){.delay_ns = is_answer ? 5 * MS : 0};
}

static void commit_of_what_slow_members_have_not_got_is_lost(void **state)
{
    (void)state;
    struct script *script = seek_open(0);
    const struct fb_block block = block_of(3);
    script_set_fault(script, answer_slowly, NULL);
    commit(script, 0, 1, &block);
    rest(script, 20 * S);
    assert_lost(script, 0, true);
    script_close(script);
}

static void lost_name_is_removed_and_written_anew(void **state)
{
    (void)state;
    struct script *script = seek_open(0);
    const struct fb_block block = block_of(3), none = {.size = 0};
    commit(script, 0, 1, &block);
    rest(script, 3 * S);
    assert_lost(script, 0, true);
    struct fb_request removal = ask(FB_REQUEST_NAME_REMOVE, 3);
    assert_int_equal(run(script, 1, &removal)->status, FB_OK); /* by another than its keeper */
    rest(script, 30 * S);
    assert_lost(script, 0, false);
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    commit(script, 2, 4, &none);
    rest(script, S);
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    assert_true(script_shown(script, NAME)->version > 0);
    script_close(script);
}

static void write(struct script *script, uint32_t node, uint64_t id, const struct fb_block *block)
{
    script_write(script, clock_ns + 1000, node, id, block, FB_LEVEL_MEMORY);
    rest(script, 20 * MS);
    assert_int_equal(script_reply(script, id)->status, FB_OK);
}

static void commit_of_what_a_member_owes_is_not_lost(void **state)
{
    (void)state;
    for (uint32_t writer = 0; writer < NODES; writer++) {
        struct script *script = seek_open(0);
        const struct fb_block block = block_of(writer);
        write(script, writer, 9, &block);
        commit(script, 0, 1, &block);
        rest(script, 60 * S);
        assert_lost(script, 0, false);
        assert_int_equal(fb_node_stats(script_node(script, 0))->names_lost, 0);
        rest(script, 90 * S); /* it is drained */
        assert_int_equal(state_of(script), FB_NAME_ORIGIN);
        script_close(script);
    }
}

/* Enough of its fragments are left, though nobody has it whole. */
static void commit_of_a_coded_block_is_lost_with_too_few_fragments(void **state)
{
    (void)state;
    uint32_t lost = 0;
    for (uint64_t number = 0; number < 6; number++) {
        struct script *script = seek_open(2);
        const struct fb_block block = block_of(number);
        write(script, 3, 9, &block);
        script_kill(script, 3);
        commit(script, 0, 1, &block);
        rest(script, 2 * S);
        assert_lost(script, 0, false); /* a member is silent */
        script_bury(script, clock_ns + 1, 3);
        rest(script, 200 * S);
        struct fb_bad_name bad;
        bool is_lost = fb_node_bad_name(script_node(script, 0), 0, &bad);
        assert_int_equal(is_lost, script_stores(script, &block) == 0);
        assert_int_equal(state_of(script), is_lost ? FB_NAME_CACHED : FB_NAME_ORIGIN);
        lost += is_lost;
        script_close(script);
    }
    assert_int_equal(lost, 0); /* two of three fragments are left, whoever has the third */
}

static void commit_of_what_a_silent_member_may_have_waits_for_it(void **state)
{
    (void)state;
    struct script *script = seek_open(0);
    const struct fb_block block = block_of(3);
    script_kill(script, 3);
    commit(script, 0, 1, &block);
    rest(script, 60 * S);
    assert_lost(script, 0, false);
    script_bury(script, clock_ns + 1, 3);
    rest(script, 12 * S);
    assert_lost(script, 0, true);
    script_close(script);
}

/* As when one comes back with its drive. */
static void commit_is_finished_once_members_bring_its_block(void **state)
{
    (void)state;
    struct script *script = seek_open(0);
    const struct fb_block block = block_of(3);
    commit(script, 0, 1, &block);
    rest(script, 5 * S);
    assert_lost(script, 0, true);
    write(script, 1, 9, &block);
    script_bury(script, clock_ns + 1, 3); /* members change */
    rest(script, 60 * S);
    assert_int_equal(fb_node_stats(script_node(script, 0))->names_lost, 1);
    rest(script, 60 * S); /* it is drained */
    assert_int_equal(state_of(script), FB_NAME_ORIGIN);
    assert_lost(script, 0, false);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_of_what_is_nowhere_is_lost_and_rests),
        cmocka_unit_test(commit_of_what_slow_members_have_not_got_is_lost),
        cmocka_unit_test(lost_name_is_removed_and_written_anew),
        cmocka_unit_test(commit_of_what_a_member_owes_is_not_lost),
        cmocka_unit_test(commit_of_a_coded_block_is_lost_with_too_few_fragments),
        cmocka_unit_test(commit_of_what_a_silent_member_may_have_waits_for_it),
        cmocka_unit_test(commit_is_finished_once_members_bring_its_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
