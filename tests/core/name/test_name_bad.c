/* name.c, name_collect.c: a record that says more than can be is bad: nobody does what it says, and
 * it can be removed. How: a scripted node (script.h) whose store holds such a record. */
#include "core/name/name.h"

#include "tests/support/name.h"

static enum fb_status ask(struct script *script, enum fb_request_kind kind, uint64_t request_id)
{
    const struct fb_request request = {.kind = kind,
                                       .request_id = request_id,
                                       .block = {.key = NAME, .object = FB_OBJECT_NONE},
                                       .wall_ns = clock_ns};
    return (enum fb_status)run(script, 0, &request)->status;
}

static void record_of_more_blocks_than_a_file_has_is_bad_until_it_is_removed(void **state)
{
    (void)state;
    const struct fb_config config = name_config();
    struct script *script = script_open(1, &config, 1);
    const uint64_t most = (FLOW_BLOCK_BYTES + 1024) * (uint64_t)FB_NAME_BLOCKS_MAX;
    struct fb_name_facts facts = {.state = FB_NAME_CACHED,
                                  .level = FB_LEVEL_REPLICATED,
                                  .node = 0,
                                  .block_size_bytes = FLOW_BLOCK_BYTES,
                                  .version = S,
                                  .size = most};
    const struct fb_meta possible = fb_name_record(&facts, 1);
    assert_int_equal(fb_name_read(&possible).state, FB_NAME_CACHED);
    facts.size = most + FB_NAME_BLOCKS_MAX;
    const struct fb_meta impossible = fb_name_record(&facts, 1);
    assert_int_equal(fb_name_read(&impossible).state, FB_NAME_BAD);
    script_record_put(script, NAME, impossible);
    rest(script, 70 * S);
    struct fb_bad_name bad;
    assert_true(fb_node_bad_name(script_node(script, 0), 0, &bad));
    assert_int_equal(bad.status, FB_CORRUPT);
    assert_int_equal(ask(script, FB_REQUEST_NAME_LOOK, 1), FB_CORRUPT);
    assert_int_equal(ask(script, FB_REQUEST_NAME_REMOVE, 2), FB_OK);
    rest(script, 10 * S);
    assert_false(fb_node_bad_name(script_node(script, 0), 0, &bad));
    assert_int_equal(ask(script, FB_REQUEST_NAME_LOOK, 3), FB_ABSENT);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_of_more_blocks_than_a_file_has_is_bad_until_it_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
