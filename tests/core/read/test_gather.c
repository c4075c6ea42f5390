/* gather.c and prefetch.c: lists of ranges, answered in their order whatever the order in which the
 * blocks come, bounded, each with its own status; and hints. How: scripted nodes (script.h); every
 * lent byte is compared. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { MS = 1000000, FIRST = 10 };

static struct fb_range whole(uint64_t number)
{
    return (struct fb_range){.block = script_block(7, number, FLOW_BLOCK_BYTES, 1),
                             .size = FLOW_BLOCK_BYTES};
}

static void expect_idle(struct script *script, uint32_t nodes)
{
    assert_int_equal(script_wrong_reads(script), 0);
    for (uint32_t i = 0; i < nodes; i++)
        assert_true(fb_node_is_idle(script_node(script, i)));
}

static void expect_in_order(const struct script *script, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(script_reply(script, FIRST + i));
        assert_int_equal(script_reply(script, FIRST + i)->item, i);
        if (i > 0)
            assert_int_equal(script_reply_turn(script, FIRST + i),
                             script_reply_turn(script, FIRST + i - 1) + 1);
    }
}

/* The first FETCH of block 0 takes longest. */
static struct script_fault first_is_slow(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_first = op->kind == FB_OP_FETCH && op->block.offset == 0;
    return (struct script_fault){.delay_ns = is_first ? 40 * MS : 0};
}

static void gather_when_blocks_come_out_of_order_answers_in_order(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(3, &config, 1);
    struct fb_range ranges[6];
    for (uint64_t i = 0; i < 6; i++)
        ranges[i] = whole(i);
    script_set_fault(script, first_is_slow, NULL);
    script_gather(script, 1000, 0, FIRST, ranges, 6);
    script_run(script, FB_NEVER_NS);
    expect_in_order(script, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(script_reply(script, FIRST + i)->status, FB_OK);
    assert_true(script_reply_ns(script, FIRST) > 40 * MS);
    assert_int_equal(fb_node_stats(script_node(script, 0))->gather_ranges, 6);
    expect_idle(script, 3);
    script_close(script);
}

static void gather_when_the_first_is_slow_reads_the_others_behind_it(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.gather_window = 2;
    struct script *script = script_open(1, &config, 1);
    struct fb_range ranges[5]; /* four of them one after the other take as long as the slow one */
    for (uint64_t i = 0; i < 5; i++)
        ranges[i] = whole(i);
    script_set_fault(script, first_is_slow, NULL);
    script_gather(script, 1000, 0, FIRST, ranges, 5);
    script_run(script, FB_NEVER_NS);
    expect_in_order(script, 5);
    assert_true(script_reply_ns(script, FIRST) > 40 * MS);
    assert_int_equal(script_reply_ns(script, FIRST + 4), script_reply_ns(script, FIRST));
    expect_idle(script, 1);
    script_close(script);
}

static void gather_lends_the_asked_bytes_of_each_block(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_range ranges[2] = {whole(0), whole(0)};
    ranges[0].offset = 0;
    ranges[0].size = 100;
    ranges[1].offset = 0;
    ranges[1].size = FLOW_BLOCK_BYTES / 2;
    script_gather(script, 1000, 0, FIRST, ranges, 2);
    script_run(script, FB_NEVER_NS);
    expect_in_order(script, 2);
    assert_int_equal(script_reply(script, FIRST)->span.size, 100);
    assert_int_equal(script_reply(script, FIRST + 1)->span.size, FLOW_BLOCK_BYTES / 2);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_fetches, 1);
    assert_int_equal(fb_node_stats(script_node(script, 0))->get_bytes, 100 + FLOW_BLOCK_BYTES / 2);
    expect_idle(script, 1);
    script_close(script);
}

static void gather_with_an_offset_lends_from_there(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct fb_event event = {.kind = FB_EVENT_REQUEST,
                             .request = {.kind = FB_REQUEST_GET,
                                         .request_id = 1,
                                         .block = script_block(7, 0, FLOW_BLOCK_BYTES, 1)}};
    struct script *script = script_open(1, &config, 1);
    script_get(script, 1000, 0, 1, &event.request.block);
    script_run(script, FB_NEVER_NS);
    struct fb_range range = whole(0);
    range.offset = 1000;
    range.size = 96;
    event.request = (struct fb_request){
        .kind = FB_REQUEST_GATHER, .request_id = 2, .range_count = 1, .ranges = &range};
    struct fb_op ops[FB_STEP_OPS_MAX];
    uint64_t now_ns = script_now_ns(script);
    assert_int_equal(fb_node_step(script_node(script, 0), now_ns, &event, ops), 0);
    event = (struct fb_event){.kind = FB_EVENT_TICK};
    assert_int_equal(fb_node_deadline_ns(script_node(script, 0)), now_ns);
    assert_int_equal(fb_node_step(script_node(script, 0), now_ns, &event, ops), 1);
    assert_int_equal(ops[0].reply.span.offset,
                     script_reply(script, 1)->span.offset + 1000); /* the block has not moved */
    assert_int_equal(ops[0].reply.span.size, 96);
    script_close(script);
}

static struct script_fault second_is_gone(struct script *script, uint32_t node,
                                          const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_second = op->kind == FB_OP_FETCH && op->block.offset == FLOW_BLOCK_BYTES;
    return (struct script_fault){.status = is_second ? FB_IO : FB_OK};
}

static void gather_when_one_block_fails_answers_the_others(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    const struct fb_range ranges[3] = {whole(0), whole(1), whole(2)};
    script_set_fault(script, second_is_gone, NULL);
    script_gather(script, 1000, 0, FIRST, ranges, 3);
    script_run(script, FB_NEVER_NS);
    expect_in_order(script, 3);
    assert_int_equal(script_reply(script, FIRST)->status, FB_OK);
    assert_int_equal(script_reply(script, FIRST + 1)->status, FB_IO);
    assert_int_equal(script_reply(script, FIRST + 2)->status, FB_OK);
    expect_idle(script, 1);
    script_close(script);
}

static void gather_longer_than_the_fills_and_the_window_is_served_whole(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.fills_max = 2;
    config.gather_window = 3;
    config.memory_size_bytes = 4 * FLOW_BLOCK_BYTES;
    config.memory_entries_max = 4;
    struct script *script = script_open(1, &config, 1);
    struct fb_range ranges[16];
    for (uint64_t i = 0; i < 16; i++)
        ranges[i] = whole(i);
    script_gather(script, 1000, 0, FIRST, ranges, 16);
    script_run(script, FB_NEVER_NS);
    expect_in_order(script, 16);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(script_reply(script, FIRST + i)->status, FB_OK);
    expect_idle(script, 1);
    script_close(script);
}

static void gather_when_the_client_holds_all_memory_refuses_the_rest(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.memory_size_bytes = 4 * FLOW_BLOCK_BYTES;
    config.memory_entries_max = 4;
    struct script *script = script_open(1, &config, 1);
    struct fb_range ranges[6];
    for (uint64_t i = 0; i < 6; i++)
        ranges[i] = whole(i);
    script_set_hold(script, FB_NEVER_NS);
    script_gather(script, 1000, 0, FIRST, ranges, 6);
    script_run(script, FB_NEVER_NS); /* ends: that is half of what is shown */
    expect_in_order(script, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(script_reply(script, FIRST + i)->status, i < 4 ? FB_OK : FB_BUSY);
    script_close(script);
}

static void gather_beyond_the_limits_is_refused_at_once(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.gathers_max = 1;
    config.gather_ranges_max = 4;
    struct script *script = script_open(1, &config, 1);
    struct fb_range ranges[5];
    for (uint64_t i = 0; i < 5; i++)
        ranges[i] = whole(i);
    script_gather(script, 1000, 0, 100, ranges, 5); /* longer than any may be */
    script_gather(script, 1001, 0, 200, ranges, 3);
    script_gather(script, 1002, 0, 300, ranges, 2); /* the record is taken */
    ranges[0].offset = 1;
    script_gather(script, 1003, 0, 400, ranges, 1); /* past the block's end */
    script_gather(script, 1004, 0, 500, ranges, 0);
    script_run(script, 1004);
    assert_int_equal(script_reply(script, 100)->status, FB_INVALID);
    assert_int_equal(script_reply(script, 100)->item, FB_NONE);
    assert_int_equal(script_reply(script, 300)->status, FB_BUSY);
    assert_int_equal(script_reply(script, 400)->status, FB_INVALID);
    assert_int_equal(script_reply(script, 500)->status, FB_INVALID);
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(script_reply(script, 200 + i)->status, FB_OK);
    expect_idle(script, 1);
    script_close(script);
}

static void prefetch_brings_the_block_before_the_read(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    const struct fb_request hint = {.kind = FB_REQUEST_PREFETCH, .block = block};
    uint32_t reader = (script_owner(script, &block, 0) + 1) % 3;
    script_request(script, 1000, reader, &hint);
    script_get(script, 100 * MS, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->reason, FB_REASON_MEMORY);
    assert_int_equal(script_reply_ns(script, 1), 100 * MS);
    expect_idle(script, 3);
    script_close(script);
}

static void prefetch_leaves_fills_for_readers(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.fills_max = 4;
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 0; i < 6; i++) {
        const struct fb_request hint = {.kind = FB_REQUEST_PREFETCH,
                                        .block = script_block(7, i, FLOW_BLOCK_BYTES, 1)};
        script_request(script, 1000, 0, &hint);
    }
    struct fb_block wanted = script_block(8, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, 1001, 0, 1, &wanted);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, 0))->prefetches, 6);
    assert_int_equal(fb_node_stats(script_node(script, 0))->prefetch_skips, 3);
    expect_idle(script, 1);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_when_blocks_come_out_of_order_answers_in_order),
        cmocka_unit_test(gather_when_the_first_is_slow_reads_the_others_behind_it),
        cmocka_unit_test(gather_lends_the_asked_bytes_of_each_block),
        cmocka_unit_test(gather_with_an_offset_lends_from_there),
        cmocka_unit_test(gather_when_one_block_fails_answers_the_others),
        cmocka_unit_test(gather_longer_than_the_fills_and_the_window_is_served_whole),
        cmocka_unit_test(gather_when_the_client_holds_all_memory_refuses_the_rest),
        cmocka_unit_test(gather_beyond_the_limits_is_refused_at_once),
        cmocka_unit_test(prefetch_brings_the_block_before_the_read),
        cmocka_unit_test(prefetch_leaves_fills_for_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
