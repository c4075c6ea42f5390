/* patience.c: what becomes of an attempt that waits. Most of it is proved with get (test_get.c);
 * here: a node waits for an owner only while the view says that it is to ask that one first. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

#include "core/node/node.h"

#include <stdlib.h>

enum { PEER = 1 };

static struct fb_view *view_of(uint32_t first, uint32_t count, uint64_t version)
{
    const struct fb_member members[2] = {{.node = first, .domain = 0, .weight = 1, .is_up = 1},
                                         {.node = first + 1, .domain = 1, .weight = 1, .is_up = 1}};
    struct fb_view *view = calloc(1, fb_view_size_bytes(count));
    assert_int_equal(fb_view_build(view, fb_view_size_bytes(count), version, members, count, count),
                     FB_OK);
    return view;
}

static uint32_t step_at(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                        struct fb_op ops[FB_STEP_OPS_MAX])
{
    uint32_t count = fb_node_step(node, now_ns, event, ops);
    fb_node_check(node);
    return count;
}

/* The peer was the only owner when it was asked, and lets this node wait. Then both are; who ranks
 * first is not to wait for the other, which may wait for it. */
static void get_that_waits_when_ranks_change_asks_by_the_new_ranks(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.replicas = 2;
    for (uint32_t rank = 0; rank < 2; rank++) {
        struct fb_op ops[FB_STEP_OPS_MAX];
        struct fb_view *before = view_of(PEER, 1, 1), *after = view_of(0, 2, 2);
        struct fb_node *node = calloc(1, fb_node_size_bytes(&config));
        assert_int_equal(fb_node_init(node, fb_node_size_bytes(&config), &config, 1), FB_OK);
        struct fb_block block = script_block(1, 0, FLOW_BLOCK_BYTES, 1);
        for (uint64_t i = 1; fb_view_owner(after, block.key, rank) != 0; i++)
            block = script_block(1, i, FLOW_BLOCK_BYTES, 1);
        const struct fb_event views[2] = {{.kind = FB_EVENT_VIEW, .view = before},
                                          {.kind = FB_EVENT_VIEW, .view = after}};
        struct fb_event event = {.kind = FB_EVENT_TICK};
        step_at(node, 1, &event, ops);
        step_at(node, 1, &views[0], ops);
        event = (struct fb_event){.kind = FB_EVENT_REQUEST,
                                  .request = {.kind = FB_REQUEST_GET, .block = block}};
        assert_int_equal(step_at(node, 2, &event, ops), 1);
        assert_int_equal(ops[0].message.kind, FB_MESSAGE_ASK);
        event = (struct fb_event){.kind = FB_EVENT_MESSAGE,
                                  .message = {.kind = FB_MESSAGE_WAIT,
                                              .source = PEER,
                                              .wait = {.ask_id = ops[0].message.ask.ask_id}}};
        assert_int_equal(step_at(node, 3, &event, ops), 0);
        step_at(node, 4, &views[1], ops);
        event = (struct fb_event){.kind = FB_EVENT_TICK};
        assert_int_equal(step_at(node, fb_node_deadline_ns(node), &event, ops), 1);
        assert_int_equal(ops[0].kind, rank == 0 ? FB_OP_FETCH : FB_OP_SEND);
        if (rank == 1)
            assert_int_equal(ops[0].message.kind, FB_MESSAGE_ASK);
        free(node);
        free(before);
        free(after);
    }
}

static struct script_fault all_are_silent(struct script *script, uint32_t node,
                                          const struct fb_op *op)
{
    bool is_reader = node == *(const uint32_t *)script_context(script);
    return (struct script_fault){.is_lost = op->kind == FB_OP_SEND && !is_reader};
}

/* Each of them is asked for the first time: nobody tries again. */
static void get_without_retries_reads_the_origin_when_all_owners_are_silent(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.retries_max = 0;
    struct script *script = script_open(4, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t reader = 0;
    while (reader == script_owner(script, &block, 0) || reader == script_owner(script, &block, 1))
        reader++;
    script_set_fault(script, all_are_silent, &reader);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(script_reply(script, 1)->reason, FB_REASON_ORIGIN);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_that_waits_when_ranks_change_asks_by_the_new_ranks),
        cmocka_unit_test(get_without_retries_reads_the_origin_when_all_owners_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
