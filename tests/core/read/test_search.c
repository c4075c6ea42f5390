/* Proves the verdict LOST on scripted clusters (R20): a read of what is nowhere ends with it, and
 * soon; a read of what somebody holds, wherever that is and while it moves, never does; while a
 * member is silent that may hold it, or the members are not known, the read is BUSY. Then whom a
 * large cluster's member asks. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

#include <stdlib.h>

enum { NODES = 6 };

static const uint64_t SECOND_NS = UINT64_C(1000000000);

static struct fb_config search_config(void)
{
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.write_quorum = 2;
    config.puts_max = 4;
    config.dirty_max = 16;
    config.drains_max = 2;
    config.hold_ns = 2000000;
    config.drain_delay_ns = 50000;
    config.drain_check_ns = 5000000;
    return config;
}

static struct fb_config coded_config(void)
{
    struct fb_config config = search_config();
    config.erasure_data = 3;
    config.erasure_parity = 2;
    config.drain_delay_ns = 10 * SECOND_NS;
    config.drain_check_ns = SECOND_NS / 10;
    return config;
}

static struct fb_block search_block(uint64_t number)
{
    return script_block(SCRIPT_WRITTEN + 1, number, FLOW_BLOCK_BYTES, 1);
}

static void assert_status(struct script *script, uint64_t request_id, enum fb_status status)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
    assert_int_equal(reply->reason == FB_REASON_LOST, status == FB_LOST);
}

static void read_of_what_is_nowhere_is_lost_soon(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    for (uint32_t node = 0; node < NODES; node++) {
        struct script *script = script_open(NODES, &config, 1);
        const struct fb_block block = search_block(node);
        script_get(script, 1000, node, 1, &block);
        script_run(script, SECOND_NS / 5);
        assert_status(script, 1, FB_LOST);
        assert_int_equal(fb_node_stats(script_node(script, node))->replies[FB_REASON_LOST], 1);
        script_run(script, FB_NEVER_NS - 1);
        for (uint32_t i = 0; i < NODES; i++)
            assert_true(fb_node_is_idle(script_node(script, i)));
        script_close(script);
    }
}

/* Answers take several times as long as members are given the first time. */
static struct script_fault answer_slowly(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_answer = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_SOUGHT;
    return (struct script_fault){.delay_ns = is_answer ? 5000000 : 0};
}

static void read_of_what_slow_members_have_not_got_is_lost(void **state)
{
    (void)state;
    const struct fb_config config = search_config();
    for (uint32_t node = 0; node < NODES; node++) {
        struct script *script = script_open(NODES, &config, 1);
        const struct fb_block block = search_block(node);
        script_set_fault(script, answer_slowly, NULL);
        script_get(script, 1000, node, 1, &block);
        script_run(script, SECOND_NS);
        assert_status(script, 1, FB_LOST);
        script_close(script);
    }
}

/* Each read has one try: how slow members are is known from those before it. */
static void reads_of_one_try_learn_how_slow_members_are(void **state)
{
    enum { READS = 12 };
    (void)state;
    struct fb_config config = search_config();
    config.retries_max = 0;
    struct script *script = script_open(NODES, &config, 1);
    script_set_fault(script, answer_slowly, NULL);
    for (uint64_t i = 0; i < READS; i++) {
        const struct fb_block block = search_block(i);
        script_get(script, 1000 + i * SECOND_NS / 10, 0, 1 + i, &block);
    }
    script_run(script, 2 * SECOND_NS);
    assert_status(script, 1, FB_BUSY);
    assert_status(script, READS, FB_LOST);
    script_close(script);
}

static void read_alone_is_lost_with_the_first_word_of_the_origin(void **state)
{
    (void)state;
    const struct fb_config config = search_config();
    struct script *script = script_open(1, &config, 1);
    const struct fb_block block = search_block(3);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, SECOND_NS);
    assert_status(script, 1, FB_LOST);
    script_close(script);
}

/* Nobody but the writer has it: no HOLD arrives. */
static struct script_fault lose_holds(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_hold = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_HOLD;
    return (struct script_fault){.is_lost = is_hold};
}

static void read_of_what_a_stranger_holds_finds_it(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    config.drain_delay_ns = 10 * SECOND_NS;
    for (uint32_t node = 0; node < NODES; node++) {
        struct script *script = script_open(NODES, &config, 1);
        const struct fb_block block = search_block(7);
        script_set_fault(script, lose_holds, NULL);
        script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_MEMORY);
        script_run(script, SECOND_NS / 1000);
        assert_status(script, 1, FB_OK);
        script_get(script, SECOND_NS / 500, node, 2, &block);
        script_run(script, SECOND_NS / 2);
        assert_status(script, 2, FB_OK);
        assert_int_equal(script_stores(script, &block), 0);
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
}

static void read_of_what_a_silent_member_may_hold_is_busy_until_it_is_none(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    config.drain_delay_ns = 10 * SECOND_NS;
    struct script *script = script_open(NODES, &config, 1);
    const struct fb_block block = search_block(7);
    uint32_t writer = stranger_of(script, &block), reader = (writer + 1) % NODES;
    script_set_fault(script, lose_holds, NULL);
    script_write(script, 1000, writer, 1, &block, FB_LEVEL_MEMORY);
    script_run(script, SECOND_NS / 1000);
    assert_status(script, 1, FB_OK);
    script_kill(script, writer);
    script_get(script, SECOND_NS / 500, reader, 2, &block);
    script_run(script, SECOND_NS);
    assert_status(script, 2, FB_BUSY);
    script_bury(script, SECOND_NS, FB_NONE);
    script_get(script, SECOND_NS + 1000000, reader, 3, &block);
    script_run(script, 2 * SECOND_NS);
    assert_status(script, 3, FB_LOST);
    assert_true(script_reply_ns(script, 3) < SECOND_NS + SECOND_NS / 5);
    script_close(script);
}

/* Readers that go by the members for what the origin has are told no lie of what it has not got. */
static void read_without_peers_of_what_a_member_owes_finds_it(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    config.use_peers = 0;
    config.drain_delay_ns = SECOND_NS;
    for (uint32_t i = 0; i < 2 * NODES; i++) {
        uint32_t writer = 3, reader = i % NODES;
        config.place_local = i >= NODES;
        config.write_quorum = config.place_local ? 1 : 2;
        struct script *script = script_open(NODES, &config, i);
        const struct fb_block block = search_block(7), none = search_block(8);
        script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, SECOND_NS / 10);
        assert_status(script, 1, FB_OK);
        script_get(script, SECOND_NS / 5, reader, 2, &block);
        script_get(script, SECOND_NS / 5, reader, 3, &none);
        script_run(script, SECOND_NS / 2);
        assert_int_equal(script_stores(script, &block), 0);
        assert_status(script, 2, FB_OK);
        assert_status(script, 3, FB_LOST);
        script_run(script, 3 * SECOND_NS);
        assert_true(script_stores(script, &block) > 0);
        const struct fb_stats *stats = fb_node_stats(script_node(script, (reader + 1) % NODES));
        const struct fb_block other = script_block(5, i, FLOW_BLOCK_BYTES, 1);
        uint64_t asks = stats->asks;
        script_get(script, 3 * SECOND_NS, (reader + 1) % NODES, 4, &other);
        script_run(script, 4 * SECOND_NS);
        assert_status(script, 4, FB_OK);
        assert_int_equal(stats->asks, asks);
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
}

/* The block goes from its writer to its owners, to the origin, and out of all caches, while it is
 * looked for. */
static void read_of_what_moves_is_never_lost(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    config.keep_peer_blocks = 0;
    uint32_t found = 0;
    for (uint64_t i = 0; i < 150; i++) {
        struct script *script = script_open(NODES, &config, i);
        const struct fb_block block = search_block(i % 16);
        script_write(script, 1000, (uint32_t)i % NODES, 1, &block, FB_LEVEL_MEMORY);
        for (uint64_t now_ns = 1000; script_reply(script, 1) == NULL; now_ns += 10000)
            script_run(script, now_ns);
        assert_status(script, 1, FB_OK);
        for (uint64_t k = 0; k < 20; k++) {
            const struct fb_block other = script_block(5, 100 * i + k, FLOW_BLOCK_BYTES, 1);
            script_get(script, script_now_ns(script) + k * 100000, (uint32_t)k % NODES, 100 + k,
                       &other);
        }
        script_get(script, script_now_ns(script) + i * 50000, (uint32_t)(i / NODES) % NODES, 2,
                   &block);
        script_run(script, 5 * SECOND_NS);
        const struct fb_reply *reply = script_reply(script, 2);
        assert_non_null(reply);
        assert_true(reply->status == FB_OK || reply->status == FB_BUSY);
        found += reply->status == FB_OK;
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
    assert_true(found > 130);
}

/* Of a coded block as many nodes die as it can't survive, or as it can. */
static void read_of_a_coded_block_is_lost_only_with_too_many_fragments(void **state)
{
    (void)state;
    struct fb_config config = coded_config();
    uint32_t lost = 0, kept = 0;
    for (uint32_t dead = 1; dead < 1u << NODES; dead++) {
        struct script *script = script_open(NODES, &config, 3);
        const struct fb_block block = search_block(4);
        uint32_t writer = 2, reader = (uint32_t)__builtin_ctz(~dead);
        if (!(dead >> writer & 1u) || __builtin_popcount(dead) > 4) {
            script_close(script);
            continue;
        }
        script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, SECOND_NS / 5);
        assert_status(script, 1, FB_OK);
        for (uint32_t i = 0; i < NODES; i++) {
            if (dead >> i & 1u)
                script_kill(script, i);
        }
        script_bury(script, SECOND_NS / 4, FB_NONE);
        for (uint64_t i = 0; i < 10; i++) /* as a client that hears BUSY */
            script_get(script, SECOND_NS / 3 + i * SECOND_NS / 10, reader, 2 + i, &block);
        script_run(script, 4 * SECOND_NS);
        const struct fb_reply *last = script_reply(script, 11);
        assert_non_null(last);
        assert_true(last->status == FB_OK || last->status == FB_LOST);
        if (__builtin_popcount(dead) <= 2)
            assert_int_equal(last->status, FB_OK);
        for (uint64_t i = 0; i < 10 && last->status == FB_OK; i++)
            assert_int_not_equal(script_reply(script, 2 + i)->status, FB_LOST);
        lost += last->status == FB_LOST;
        kept += last->status == FB_OK;
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
    assert_true(lost > 0);
    assert_true(kept > 0);
}

/* A node by itself, before it hears of anybody. */
static struct fb_node *node_open(struct fb_config *config, uint64_t number)
{
    config->node = (uint32_t)number;
    uint64_t node_bytes = fb_node_size_bytes(config);
    struct fb_node *node = calloc(1, node_bytes);
    struct fb_op ops[FB_STEP_OPS_MAX];
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    assert_non_null(node);
    assert_int_equal(fb_node_init(node, node_bytes, config, 1), FB_OK);
    assert_int_equal(fb_node_step(node, 1, &tick, ops), 0);
    return node;
}

static struct fb_view *view_open(uint32_t count)
{
    struct fb_member members[200];
    uint64_t view_bytes = fb_view_size_bytes(count);
    struct fb_view *view = calloc(1, view_bytes);
    assert_non_null(view);
    assert_true(count <= 200);
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct fb_member){.node = i, .domain = i, .weight = 1, .is_up = 1};
    assert_int_equal(fb_view_build(view, view_bytes, 1, members, count, 2), FB_OK);
    return view;
}

/* The one op of a step that is a FETCH is answered: the origin has not got it. */
static uint32_t fetch_is_absent(struct fb_node *node, uint64_t now_ns, struct fb_op *ops)
{
    assert_int_equal(ops[0].kind, FB_OP_FETCH);
    const struct fb_event done = {.kind = FB_EVENT_DONE,
                                  .done = {.op_id = ops[0].op_id, .status = FB_ABSENT}};
    return fb_node_step(node, now_ns, &done, ops);
}

/* The origin takes nothing, and long to say that it has not got the block. */
static struct script_fault fetch_slowly(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_STORE ? FB_IO : FB_OK,
                                 .delay_ns = op->kind == FB_OP_FETCH ? SECOND_NS / 2 : 0};
}

/* The writer is gone. The block's owner reads it from the origin, and meanwhile the fragments come
 * that make it: what the origin says then is no verdict. */
static void read_of_a_coded_block_that_can_be_made_meanwhile_is_served(void **state)
{
    (void)state;
    struct fb_config config = coded_config();
    config.fetch_ns = 2 * SECOND_NS;
    for (uint64_t number = 0; number < 8; number++) {
        struct script *script = script_open(NODES, &config, 1);
        const struct fb_block block = search_block(number);
        uint32_t writer = stranger_of(script, &block);
        script_set_fault(script, fetch_slowly, NULL);
        script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, SECOND_NS / 20);
        assert_status(script, 1, FB_OK);
        script_bury(script, SECOND_NS / 20, writer);
        script_get(script, SECOND_NS / 20 + 20000, script_owner(script, &block, 0), 2, &block);
        script_run(script, 2 * SECOND_NS);
        assert_status(script, 2, FB_OK);
        assert_int_equal(script_stores(script, &block), 0);
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
}

/* More members than can be asked: the owners are, and nobody else. */
static void search_of_many_members_asks_the_owners(void **state)
{
    (void)state;
    struct fb_config config = search_config();
    struct fb_view *view = view_open(200);
    const struct fb_block block = search_block(1);
    struct fb_node *node = node_open(&config, fb_view_owner(view, block.key, 0));
    struct fb_op ops[FB_STEP_OPS_MAX];
    const struct fb_event look = {.kind = FB_EVENT_VIEW, .view = view};
    const struct fb_event get = {.kind = FB_EVENT_REQUEST,
                                 .request = {.kind = FB_REQUEST_GET, .block = block}};
    fb_node_step(node, 1, &look, ops);
    assert_int_equal(fb_node_step(node, 1, &get, ops), 1);
    assert_int_equal(fetch_is_absent(node, 1, ops), 1);
    assert_int_equal(ops[0].message.kind, FB_MESSAGE_SEEK);
    assert_int_equal(ops[0].target, fb_view_owner(view, block.key, 1));
    free(node);
    free(view);
}

/* The view comes while the read tries again, or never. */
static void read_before_a_view_is_busy_or_searches_once_it_is_there(void **state)
{
    (void)state;
    for (uint32_t has_view = 0; has_view < 2; has_view++) {
        struct fb_config config = search_config();
        struct fb_view *view = view_open(NODES);
        const struct fb_block block = search_block(1);
        struct fb_node *node = node_open(&config, fb_view_owner(view, block.key, 0));
        struct fb_op ops[FB_STEP_OPS_MAX];
        const struct fb_event tick = {.kind = FB_EVENT_TICK};
        const struct fb_event look = {.kind = FB_EVENT_VIEW, .view = view};
        const struct fb_event get = {.kind = FB_EVENT_REQUEST,
                                     .request = {.kind = FB_REQUEST_GET, .block = block}};
        assert_int_equal(fb_node_step(node, 1, &get, ops), 1);
        uint64_t now_ns = 1;
        uint32_t count = 1;
        while (count == 1 && ops[0].kind == FB_OP_FETCH) {
            count = fetch_is_absent(node, now_ns, ops);
            if (has_view)
                fb_node_step(node, now_ns, &look, ops);
            while (count == 0 && fb_node_deadline_ns(node) != FB_NEVER_NS) {
                now_ns = fb_node_deadline_ns(node);
                count = fb_node_step(node, now_ns, &tick, ops);
            }
        }
        assert_true(count > 0);
        if (has_view) {
            assert_int_equal(ops[0].kind, FB_OP_SEND);
            assert_int_equal(ops[0].message.kind, FB_MESSAGE_SEEK);
        } else {
            assert_int_equal(ops[0].kind, FB_OP_REPLY);
            assert_int_equal(ops[0].reply.status, FB_BUSY);
        }
        free(node);
        free(view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_of_what_is_nowhere_is_lost_soon),
        cmocka_unit_test(read_of_what_slow_members_have_not_got_is_lost),
        cmocka_unit_test(reads_of_one_try_learn_how_slow_members_are),
        cmocka_unit_test(read_alone_is_lost_with_the_first_word_of_the_origin),
        cmocka_unit_test(read_of_what_a_stranger_holds_finds_it),
        cmocka_unit_test(read_of_what_a_silent_member_may_hold_is_busy_until_it_is_none),
        cmocka_unit_test(read_without_peers_of_what_a_member_owes_finds_it),
        cmocka_unit_test(read_of_what_moves_is_never_lost),
        cmocka_unit_test(read_of_a_coded_block_is_lost_only_with_too_many_fragments),
        cmocka_unit_test(read_of_a_coded_block_that_can_be_made_meanwhile_is_served),
        cmocka_unit_test(search_of_many_members_asks_the_owners),
        cmocka_unit_test(read_before_a_view_is_busy_or_searches_once_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
