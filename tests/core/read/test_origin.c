/* origin.c and the drive's admission: bounded fetches, a drive that is too slow, and one that may
 * only be written so much. How: scripted nodes (script.h); the test counts the fetches in flight
 * and slows drives down. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { MS = 1000000 };

struct flight {
    uint64_t ends_ns[64];
    uint32_t count, most;
};

static struct script_fault count_fetches(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    struct flight *flight = script_context(script);
    uint64_t now_ns = script_now_ns(script);
    uint32_t live = 0;
    (void)node;
    if (op->kind != FB_OP_FETCH)
        return (struct script_fault){.status = FB_OK};
    flight->ends_ns[flight->count++ % 64] = now_ns + 10 * MS;
    for (uint32_t i = 0; i < 64; i++)
        live += flight->ends_ns[i] > now_ns;
    if (live > flight->most)
        flight->most = live;
    return (struct script_fault){.status = FB_OK};
}

static void fetches_above_the_limit_wait_their_turn(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    struct flight flight = {.count = 0};
    config.fetches_max = 2;
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, count_fetches, &flight);
    for (uint64_t i = 0; i < 8; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(script_reply(script, i)->status, FB_OK);
        if (i > 0) /* oldest first */
            assert_true(script_reply_ns(script, i) >= script_reply_ns(script, i - 1));
    }
    assert_int_equal(flight.most, 2);
    assert_int_equal(flight.count, 8);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_queued, 6);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static struct script_fault first_fails(struct script *script, uint32_t node, const struct fb_op *op)
{
    uint32_t *fetches = script_context(script);
    (void)node;
    if (op->kind != FB_OP_FETCH)
        return (struct script_fault){.status = FB_OK};
    return (struct script_fault){.status = (*fetches)++ < 3 ? FB_THROTTLED : FB_OK};
}

static void fetches_that_fail_leave_their_turn_to_others(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    uint32_t fetches = 0;
    config.fetches_max = 1;
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, first_fails, &fetches);
    for (uint64_t i = 0; i < 4; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(script_reply(script, i)->status, FB_OK);
    assert_int_equal(fetches, 7);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static struct script_fault drive_is_slow(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.delay_ns = op->kind == FB_OP_READ ? 200 * MS : 0};
}

/* Reads 4 blocks in turns with room for one in memory; returns the drive's reads. */
static uint64_t read_in_turns(bool is_slow, bool may_bypass, uint64_t *bypasses)
{
    struct fb_config config = flow_config();
    config.device_size_bytes = 8 * FLOW_BLOCK_BYTES;
    config.memory_size_bytes = FLOW_BLOCK_BYTES * 2;
    config.memory_entries_max = 2;
    config.bypass = may_bypass;
    config.wait_ns = 1000 * MS;
    struct script *script = script_open(1, &config, 1);
    if (is_slow)
        script_set_fault(script, drive_is_slow, NULL);
    for (uint64_t i = 0; i < 44; i++) {
        struct fb_block block = script_block(7, i % 4, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 300 * MS, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 44; i++)
        assert_int_equal(script_reply(script, i)->status, FB_OK);
    assert_int_equal(script_wrong_reads(script), 0);
    *bypasses = fb_node_stats(script_node(script, 0))->device_bypasses;
    uint64_t reads = fb_node_stats(script_node(script, 0))->device_reads;
    script_close(script);
    return reads;
}

static void drive_slower_than_the_origin_is_passed_by_and_looked_at_again(void **state)
{
    (void)state;
    uint64_t bypasses;
    assert_int_equal(read_in_turns(false, true, &bypasses), 40);
    assert_int_equal(bypasses, 0);
    assert_int_equal(read_in_turns(true, false, &bypasses), 40);
    assert_int_equal(bypasses, 0);
    uint64_t reads = read_in_turns(true, true, &bypasses);
    assert_int_equal(reads + bypasses, 40);
    assert_in_range(reads, 2, 8); /* the first, then one in sixteen */
}

static void drive_is_written_no_faster_than_its_budget(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 64 * FLOW_BLOCK_BYTES;
    config.device_write_bytes_per_s = 2 * FLOW_BLOCK_BYTES; /* two blocks a second */
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 0; i < 40; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 100 * MS, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    const struct fb_stats *stats = fb_node_stats(script_node(script, 0));
    assert_int_equal(stats->device_writes + stats->device_write_skips, 40);
    assert_in_range(stats->device_writes, 8, 12); /* 4 s of it and a second's burst */
    script_close(script);
}

struct refusal {
    enum fb_status status;
    bool is_final;
    uint32_t seen;
    uint64_t delay_ns;
};

static struct script_fault fetch_is_refused(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    struct refusal *refusal = script_context(script);
    (void)node;
    if (op->kind != FB_OP_FETCH)
        return (struct script_fault){.status = FB_OK};
    refusal->seen++;
    return (struct script_fault){
        .status = refusal->status, .is_final = refusal->is_final, .delay_ns = refusal->delay_ns};
}

/* The driver has asked often enough: one fetch, or one of the owner's and, where that was perhaps
 * the owner's own trouble, one of the reader's. */
static void get_when_origin_fails_for_good_does_not_ask_again(void **state)
{
    (void)state;
    static const struct {
        enum fb_status status;
        bool is_final;
        uint32_t alone, others;
    } cases[] = {
        {FB_DENIED, false, 1, 2}, {FB_REFUSED, false, 1, 1}, {FB_IO, true, 1, 1},
        {FB_TIMEOUT, true, 1, 2}, {FB_GONE, true, 1, 2},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t nodes = 1; nodes <= 2; nodes++) {
            const struct fb_config config = flow_config();
            struct refusal refusal = {.status = cases[i].status, .is_final = cases[i].is_final};
            struct script *script = script_open(nodes, &config, 1);
            struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
            script_set_fault(script, fetch_is_refused, &refusal);
            uint32_t reader = nodes == 1 ? 0 : 1 - script_owner(script, &block, 0);
            script_get(script, 1000, reader, 1, &block);
            script_run(script, FB_NEVER_NS);
            assert_int_equal(script_reply(script, 1)->status, cases[i].status);
            assert_int_equal(refusal.seen, nodes == 1 ? cases[i].alone : cases[i].others);
            for (uint32_t node = 0; node < nodes; node++)
                assert_true(fb_node_is_idle(script_node(script, node)));
            script_close(script);
        }
    }
}

/* A fetch and its hedge, which must not hedge each other without end. */
static void get_when_a_slow_origin_fails_for_good_asks_twice(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct refusal refusal = {
        .status = FB_TIMEOUT, .is_final = true, .delay_ns = 3 * config.fetch_ns};
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, fetch_is_refused, &refusal);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_TIMEOUT);
    assert_in_range(refusal.seen, 1, 2);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetches_above_the_limit_wait_their_turn),
        cmocka_unit_test(fetches_that_fail_leave_their_turn_to_others),
        cmocka_unit_test(drive_slower_than_the_origin_is_passed_by_and_looked_at_again),
        cmocka_unit_test(drive_is_written_no_faster_than_its_budget),
        cmocka_unit_test(get_when_origin_fails_for_good_does_not_ask_again),
        cmocka_unit_test(get_when_a_slow_origin_fails_for_good_asks_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
