/* serve.c: loans, referrals, waiting, and what happens when readers die or messages misbehave.
 * How: scripted clusters (script.h). The referral tree is shown by many readers of one block:
 * the origin is read once, no node lends more than lend_max at a time, and everybody gets the
 * right bytes. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { MS = 1000000 };

static uint64_t sum_origin_fetches(struct script *script, uint32_t nodes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nodes; i++)
        sum += fb_node_stats(script_node(script, i))->origin_fetches;
    return sum;
}

static uint64_t sum_referrals(struct script *script, uint32_t nodes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nodes; i++)
        sum += fb_node_stats(script_node(script, i))->referrals_given;
    return sum;
}

static void serve_many_readers_of_one_block_reads_the_origin_once(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(8, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    for (uint32_t i = 0; i < 8; i++)
        script_get(script, 1000 + i, i, 1 + i, &block);
    script_run(script, FB_NEVER_NS);
    for (uint32_t i = 0; i < 8; i++) {
        assert_non_null(script_reply(script, 1 + i));
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
        assert_true(fb_node_is_idle(script_node(script, i)));
    }
    assert_int_equal(sum_origin_fetches(script, 8), 1);
    assert_true(sum_referrals(script, 8) > 0);
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

struct lends {
    uint32_t open, open_max, lender;
};

static struct script_fault count_lends(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct lends *lends = script_context(script);
    if (op->kind == FB_OP_SEND && node == lends->lender && op->message.kind == FB_MESSAGE_OFFER &&
        ++lends->open > lends->open_max)
        lends->open_max = lends->open;
    if (op->kind == FB_OP_SEND && op->target == lends->lender &&
        op->message.kind == FB_MESSAGE_RETURN)
        lends->open--;
    return (struct script_fault){.status = FB_OK};
}

static void serve_never_lends_a_block_more_than_lend_max_times(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(8, &config, 3);
    struct fb_block block = script_block(9, 0, FLOW_BLOCK_BYTES, 1);
    struct lends lends = {.lender = script_owner(script, &block, 0)};
    script_set_fault(script, count_lends, &lends);
    for (uint32_t i = 0; i < 8; i++)
        script_get(script, 1000, i, 1 + i, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(lends.open, 0);
    assert_int_equal(lends.open_max, config.lend_max);
    script_close(script);
}

static struct script_fault returns_are_lost(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_return = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_RETURN;
    return (struct script_fault){.status = FB_OK, .is_lost = is_return};
}

static void serve_when_returns_are_lost_loans_expire(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    script_set_fault(script, returns_are_lost, NULL);
    script_get(script, 1000, (owner + 1) % 3, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, owner))->lends_expired, 1);
    assert_true(fb_node_is_idle(script_node(script, owner)));
    script_close(script);
}

/* Pulls from the node in the context take longer than a loan. */
static struct script_fault port_is_slow(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    const uint32_t *slow = script_context(script);
    bool is_slow = op->kind == FB_OP_PULL && op->source.peer == *slow;
    (void)node;
    return (struct script_fault){.status = FB_OK, .delay_ns = is_slow ? 30 * MS : 0};
}

/* The only readers of a slow lender are late ones: it must know them, or nobody else serves. */
static void serve_late_return_of_the_only_reader_makes_it_a_source(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.lend_max = 2;
    struct script *script = script_open(5, &config, 1);
    const struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0), first = (owner + 1) % 5;
    script_set_fault(script, port_is_slow, &owner);
    script_get(script, 1000, first, 1, &block);
    for (uint32_t i = 2; i < 5; i++)
        script_get(script, (uint64_t)100 * MS + i, (owner + i) % 5, i, &block);
    script_run(script, FB_NEVER_NS);
    assert_true(fb_node_stats(script_node(script, owner))->late_messages > 0);
    assert_int_equal(script_reply(script, 4)->reason, FB_REASON_REFERRAL);
    assert_int_equal(script_reply(script, 4)->source, first);
    assert_true(script_reply_ns(script, 4) < (uint64_t)110 * MS);
    script_close(script);
}

static struct script_fault everything_twice(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = FB_OK,
                                 .is_duplicated = op->kind == FB_OP_SEND,
                                 .delay_ns = op->kind == FB_OP_SEND ? op->message.kind * 3000u : 0};
}

static void serve_when_messages_come_twice_nothing_leaks(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.waiters_max = 64;
    struct script *script = script_open(8, &config, 5);
    script_set_fault(script, everything_twice, NULL);
    for (uint32_t i = 0; i < 64; i++) {
        struct fb_block block = script_block(7, i % 5, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 7000, i % 8, 1 + i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
    for (uint32_t i = 0; i < 8; i++)
        assert_true(fb_node_is_idle(script_node(script, i)));
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

static void serve_when_the_borrower_dies_others_still_read(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(6, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    for (uint32_t i = 0; i < 6; i++)
        script_get(script, 1000 + 100 * i, i, 1 + i, &block);
    uint32_t victim = (owner + 1) % 6;
    script_run(script, 10 * MS + 60000); /* offers are out, pulls in flight */
    script_kill(script, victim);
    script_run(script, FB_NEVER_NS);
    for (uint32_t i = 0; i < 6; i++) {
        if (i == victim)
            continue;
        assert_non_null(script_reply(script, 1 + i));
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
        assert_true(fb_node_is_idle(script_node(script, i)));
    }
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

/* A block that is lent, evicted after the loan expired, and overwritten while a slow pull is
 * under way: the reader must notice by the digest (R5). */
static struct script_fault first_pull_is_slow(struct script *script, uint32_t node,
                                              const struct fb_op *op)
{
    (void)node;
    uint32_t *pulls = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_PULL && op->block.object == 7 && (*pulls)++ == 0)
        fault.delay_ns = (uint64_t)900 * MS;
    return fault;
}

static void serve_when_lent_memory_is_reused_the_digest_catches_it(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.use_peers = 1;
    config.replicas = 1;
    config.write_quorum = 1;
    config.wait_ns = (uint64_t)2000 * MS; /* patience: no hedge before the slow pull ends */
    struct script *script = script_open(2, &config, 1);
    uint32_t pulls = 0;
    uint64_t number = 0;
    struct fb_block block = script_block(7, number, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    script_set_fault(script, first_pull_is_slow, &pulls);
    script_get(script, 1000, 1 - owner, 1, &block);
    for (uint32_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        struct fb_block other = script_block(100 + i, 0, FLOW_BLOCK_BYTES, 1);
        script_get(script, (uint64_t)100 * MS + i * 20 * MS, owner, 10 + i, &other);
    }
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, 1 - owner))->digest_errors, 1);
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

static void serve_when_nothing_is_kept_readers_do_not_serve(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.keep_peer_blocks = 0;
    struct script *script = script_open(6, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    for (uint32_t i = 0; i < 6; i++)
        script_get(script, 1000, i, 1 + i, &block);
    script_run(script, FB_NEVER_NS);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
        assert_true(fb_node_is_idle(script_node(script, i)));
    }
    script_get(script, (uint64_t)1000 * MS, (owner + 1) % 6, 50, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 50)->reason, FB_REASON_PEER);
    assert_int_equal(sum_origin_fetches(script, 6), 1);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serve_many_readers_of_one_block_reads_the_origin_once),
        cmocka_unit_test(serve_never_lends_a_block_more_than_lend_max_times),
        cmocka_unit_test(serve_when_returns_are_lost_loans_expire),
        cmocka_unit_test(serve_late_return_of_the_only_reader_makes_it_a_source),
        cmocka_unit_test(serve_when_messages_come_twice_nothing_leaks),
        cmocka_unit_test(serve_when_the_borrower_dies_others_still_read),
        cmocka_unit_test(serve_when_lent_memory_is_reused_the_digest_catches_it),
        cmocka_unit_test(serve_when_nothing_is_kept_readers_do_not_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
