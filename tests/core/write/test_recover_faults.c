/* Proves that a node which starts again ends its start, with what can be had, when something goes
 * wrong meanwhile: bytes of its drive are damaged, reads or the scan fail or are put off, there is
 * less memory than is owed, and peers start at the same moment. */
#include "tests/core/write/recover.h"

static struct script_fault garbled_reads(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)script;
    return (struct script_fault){.status = FB_OK,
                                 .is_garbled = node == 0 && op->kind == FB_OP_READ};
}

/* A promised block whose bytes are damaged on one drive comes from the other holder; with no other
 * it is counted as lost, and never served. */
static void damaged_promise_is_mended_or_counted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) { /* whether readers look at digests or not */
        const uint32_t nodes = 1 + i % 2;
        struct fb_config config = nodes == 1 ? lone_config() : recover_config();
        config.check_digest = i < 2;
        struct script *script = script_open(nodes, &config, 1);
        bool is_closed = true;
        const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
        script_set_fault(script, closed_origin, &is_closed);
        script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
        script_run(script, 20 * MS);
        assert_int_equal(script_reply(script, 1)->status, FB_OK);
        script_kill(script, 0);
        script_restart(script, 30 * MS, 0, true);
        script_set_fault(script, garbled_reads, NULL);
        script_run(script, (uint64_t)10000 * MS);
        assert_int_equal(stats_of(script, 0)->recover_losses, nodes == 1);
        assert_int_equal(script_stores(script, &block) > 0, nodes == 2);
        assert_int_equal(script_wrong_reads(script), 0);
        assert_true(fb_node_is_idle(script_node(script, 0)));
        script_close(script);
    }
}

static struct script_fault garbled_everywhere(struct script *script, uint32_t node,
                                              const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = FB_OK, .is_garbled = op->kind == FB_OP_READ};
}

/* Each looks for what it lost with the other, which begins itself and cannot say: both end, so that
 * durable writes are taken again. */
static void nodes_that_begin_together_do_not_wait_for_each_other(void **state)
{
    (void)state;
    enum { BLOCKS = 6 };
    const struct fb_config config = lone_config();
    struct script *script = script_open(2, &config, 1);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        script_write(script, 1000 + i, 0, 1 + i, &block, FB_LEVEL_DEVICE);
    }
    script_run(script, 20 * MS);
    uint64_t losses = 0, acked = 0;
    for (uint32_t i = 0; i < BLOCKS; i++)
        acked += script_reply(script, 1 + i)->status == FB_OK;
    for (uint32_t node = 0; node < 2; node++)
        script_kill(script, node);
    for (uint32_t node = 0; node < 2; node++)
        script_restart(script, 30 * MS, node, true);
    script_set_fault(script, garbled_everywhere, NULL);
    script_run(script, FB_NEVER_NS - 1);
    for (uint32_t node = 0; node < 2; node++) {
        assert_true(stats_of(script, node)->recover_losses > 0); /* each had some */
        losses += stats_of(script, node)->recover_losses;
        assert_false(fb_node_is_recovering(script_node(script, node)));
        assert_true(fb_node_is_idle(script_node(script, node)));
    }
    assert_int_equal(losses, acked);
    script_close(script);
}

/* Context: scans that go well, then how many fail. */
static struct script_fault failing_scan(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    if (op->kind != FB_OP_SCAN || left[0] > 0) {
        left[0] -= op->kind == FB_OP_SCAN;
        return (struct script_fault){.status = FB_OK};
    }
    if (left[1] == 0)
        return (struct script_fault){.status = FB_OK};
    left[1]--;
    return (struct script_fault){.status = FB_IO};
}

static struct script_fault busy_scan(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    uint32_t *turn = script_context(script);
    bool is_busy = op->kind == FB_OP_SCAN && ++*turn % 3 != 0;
    return (struct script_fault){.status = is_busy ? FB_BUSY : FB_OK};
}

/* A driver that has no room for a name gives the header later. */
static void scan_that_is_put_off_is_asked_for_again(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = read_then_restart(&config, 6, true);
    uint32_t turn = 0;
    script_set_fault(script, busy_scan, &turn);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered, 6);
    assert_int_equal(stats_of(script, 0)->device_errors, 0);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    assert_int_equal(turn, 3 * 7);
    script_close(script);
}

static void drive_that_fails_in_the_scan_gives_what_was_found(void **state)
{
    (void)state;
    for (uint32_t failures = 1; failures <= 100; failures += 99) {
        const struct fb_config config = recover_config();
        struct script *script = read_then_restart(&config, 6, true);
        uint32_t left[2] = {3, failures};
        script_set_fault(script, failing_scan, left);
        script_run(script, FB_NEVER_NS - 1);
        bool is_passing = failures == 1; /* then the scan begins again */
        assert_int_equal(stats_of(script, 0)->recovered, is_passing ? 6 : 3);
        assert_int_equal(stats_of(script, 0)->device_errors, is_passing ? 1 : 4);
        assert_true(fb_node_is_idle(script_node(script, 0)));
        script_close(script);
    }
}

/* Context: reads of the drive that fail, then digests that come out wrong. */
static struct script_fault failing_reads(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    if (op->kind != FB_OP_READ || left[0] + left[1] == 0)
        return (struct script_fault){.status = op->kind == FB_OP_STORE ? FB_IO : FB_OK};
    bool is_garbled = left[0] == 0;
    left[is_garbled]--;
    return (struct script_fault){.status = is_garbled ? FB_OK : FB_IO, .is_garbled = is_garbled};
}

/* An owed block that is on no other drive: one failed read, or one wrong digest, is not the end. */
static void owed_block_whose_read_fails_is_read_again(void **state)
{
    (void)state;
    const struct fb_config config = lone_config();
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    for (uint32_t run = 0; run < 3; run++) {
        struct script *script = script_open(1, &config, 1);
        uint32_t left[2] = {run != 1, run != 0};
        bool is_closed = true;
        script_set_fault(script, closed_origin, &is_closed);
        script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
        script_run(script, 20 * MS);
        assert_int_equal(script_reply(script, 1)->status, FB_OK);
        script_kill(script, 0);
        script_restart(script, 30 * MS, 0, true);
        script_set_fault(script, failing_reads, left);
        script_run(script, (uint64_t)1000 * MS);
        assert_int_equal(left[0] + left[1], 0);
        assert_int_equal(stats_of(script, 0)->recover_losses, 0);
        assert_int_equal(stats_of(script, 0)->recovered_owed, 1);
        script_close(script);
    }
}

/* A node that starts with less memory than it owes takes what has room, drains it, and then the
 * rest; what waits is not given up however long the origin is away. */
static void more_owed_than_memory_is_taken_in_turns(void **state)
{
    (void)state;
    enum { BLOCKS = 8 };
    struct fb_config config = recover_config();
    config.replicas = 1;
    config.write_quorum = 1;
    struct script *script = script_open(1, &config, 1);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        script_write(script, 1000 + i * MS, 0, 1 + i, &block, FB_LEVEL_DEVICE);
    }
    script_run(script, 50 * MS);
    config.memory_size_bytes = 3 * FLOW_BLOCK_BYTES;
    script_kill(script, 0);
    script_set_config(script, &config);
    script_restart(script, 60 * MS, 0, true);
    script_run(script, (uint64_t)2000 * MS);
    assert_int_equal(stats_of(script, 0)->recover_losses, 0);
    is_closed = false;
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recover_losses, 0);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        assert_true(script_stores(script, &block) > 0);
    }
    script_close(script);
}

/* Context: scans that go well, scans that fail then, reads that fail. */
static struct script_fault cut_scans(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    uint32_t *counter = op->kind == FB_OP_READ ? &left[2] : left[0] > 0 ? &left[0] : &left[1];
    bool counts = (op->kind == FB_OP_SCAN || op->kind == FB_OP_READ) && *counter > 0;
    *counter -= counts;
    bool fails = (counts && counter != &left[0]) || op->kind == FB_OP_STORE;
    return (struct script_fault){.status = fails ? FB_IO : FB_OK};
}

/* Rounds whose scan breaks off have not tried what the scan did not come to: reads and scans that
 * fail do not add up to a loss. */
static void scans_that_break_off_are_no_tries_of_a_read(void **state)
{
    (void)state;
    const struct fb_config config = lone_config();
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    for (uint32_t cuts = 3; cuts <= 4; cuts++) {
        struct script *script = script_open(1, &config, 1);
        uint32_t left[3] = {2, cuts, 1};
        bool is_closed = true;
        script_set_fault(script, closed_origin, &is_closed);
        script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
        script_run(script, 20 * MS);
        assert_int_equal(script_reply(script, 1)->status, FB_OK);
        script_kill(script, 0);
        script_restart(script, 30 * MS, 0, true);
        script_set_fault(script, cut_scans, left);
        script_run(script, (uint64_t)1000 * MS);
        assert_int_equal(left[0] + left[1] + left[2], 0);
        bool is_had = cuts == 3; /* four: the drive is gone */
        assert_int_equal(stats_of(script, 0)->recovered_owed, is_had);
        assert_false(fb_node_is_recovering(script_node(script, 0)));
        script_close(script);
    }
}

static uint32_t owed_headers(struct script *script, struct fb_key key)
{
    uint32_t owed = 0;
    const struct fb_header *header;
    for (uint32_t n = 0; (header = script_header(script, 0, n)) != NULL; n++)
        owed += fb_key_equal(header->key, key) && header->state == FB_HEADER_OWED;
    return owed;
}

static void start_again(struct script *script)
{
    uint64_t at_ns = script_now_ns(script) + MS;
    script_kill(script, 0);
    script_restart(script, at_ns, 0, true);
    script_run(script, at_ns + 50 * MS);
}

/* An older copy of the block, long given up, is found before the one that is owed. */
static void owed_copy_is_found_behind_an_older_one(void **state)
{
    (void)state;
    const struct fb_config config = lone_config();
    struct script *script = script_open(1, &config, 1);
    const struct fb_block other = block_of(0);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 1, FLOW_BLOCK_BYTES, 1);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    script_get(script, 1000, 0, 1, &other);
    script_write(script, 100 * MS, 0, 2, &block, FB_LEVEL_DEVICE);
    script_run(script, 110 * MS);
    struct fb_header *older = script_header(script, 0, 0);
    assert_int_equal(older->state, FB_HEADER_CLEAN);
    older->key = block.key;
    start_again(script);
    assert_int_equal(stats_of(script, 0)->recovered_owed, 1);
    assert_int_equal(owed_headers(script, block.key), 1);
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

/* A block that was read lies on the drive as a cache's copy, which is nobody's promise. A write of
 * it to drives makes one that is, and is found again. */
static void cached_block_that_is_written_is_owed_by_its_header(void **state)
{
    (void)state;
    enum { OTHERS = DRIVE_BLOCKS };
    const struct fb_config config = lone_config();
    struct script *script = script_open(1, &config, 1);
    const struct fb_block block = block_of(0);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, 100 * MS);
    assert_non_null(script_header(script, 0, 0));
    assert_int_equal(owed_headers(script, block.key), 0);
    script_write(script, 100 * MS, 0, 2, &block, FB_LEVEL_DEVICE);
    script_run(script, 110 * MS);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_int_equal(owed_headers(script, block.key), 1);
    start_again(script);
    assert_int_equal(stats_of(script, 0)->recovered_owed, 1);
    for (uint32_t i = 0; i < OTHERS; i++) { /* they take all that is free of the drive */
        const struct fb_block other = block_of(1 + i);
        script_get(script, script_now_ns(script) + MS, 0, 3 + i, &other);
        script_run(script, script_now_ns(script) + 20 * MS);
    }
    start_again(script);
    assert_int_equal(stats_of(script, 0)->recovered_owed, 1);
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

/* Context: scans until one breaks off. Drives give other bytes, always. */
static struct script_fault damaged_drive(struct script *script, uint32_t node,
                                         const struct fb_op *op)
{
    uint32_t *left = script_context(script);
    bool counts = op->kind == FB_OP_SCAN && node == 0 && *left > 0;
    *left -= counts;
    if (op->kind == FB_OP_STORE || (counts && *left == 0))
        return (struct script_fault){.status = op->kind == FB_OP_STORE ? FB_THROTTLED : FB_IO};
    return (struct script_fault){.status = FB_OK, .is_garbled = op->kind == FB_OP_READ};
}

/* A copy whose bytes were wrong is none, in later rounds, too: the node that is asked to hold the
 * block on its drive writes it there. */
static void damaged_copy_is_not_promised_in_a_later_round(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = script_open(2, &config, 1);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t left = 2;
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    script_write(script, 1000, 1, 1, &block, FB_LEVEL_DEVICE);
    script_run(script, 20 * MS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    script_kill(script, 0);
    script_restart(script, 30 * MS, 0, true);
    script_set_fault(script, damaged_drive, &left);
    script_run(script, 30 * MS + 20 * config.backoff_ns);
    assert_int_equal(left, 0);
    assert_false(fb_node_is_recovering(script_node(script, 0)));
    assert_int_equal(fb_node_undrained_bytes(script_node(script, 0)), FLOW_BLOCK_BYTES);
    assert_int_equal(stats_of(script, 0)->device_writes, 0);
    script_run(script, 300 * MS);
    script_write(script, 300 * MS, 1, 3, &block, FB_LEVEL_DEVICE);
    script_run(script, 400 * MS);
    assert_int_equal(script_reply(script, 3)->status, FB_OK);
    assert_int_equal(stats_of(script, 0)->device_writes, 1);
    script_close(script);
}

/* Drives give other bytes, and headers late. */
static struct script_fault damaged_and_late(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_STORE ? FB_THROTTLED : FB_OK,
                                 .delay_ns = op->kind == FB_OP_SCAN ? 50000 : 0,
                                 .is_garbled = op->kind == FB_OP_READ};
}

/* A reader's fill takes the block from a peer while its header is found: that says nothing of the
 * drive's copy, which is wrong. */
static void damaged_copy_is_not_promised_for_a_reader_s_bytes(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = script_open(2, &config, 1);
    struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    for (uint64_t i = 1; script_owner(script, &block, 0) != 1; i++)
        block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, damaged_and_late, NULL);
    script_write(script, MS, 1, 1, &block, FB_LEVEL_DEVICE);
    script_run(script, 20 * MS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    script_kill(script, 0);
    script_restart(script, 30 * MS, 0, true);
    script_get(script, 30 * MS + 1000, 0, 2, &block);
    script_run(script, 100 * MS);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_false(fb_node_is_recovering(script_node(script, 0)));
    assert_int_equal(fb_node_undrained_bytes(script_node(script, 0)), FLOW_BLOCK_BYTES);
    script_write(script, 100 * MS, 1, 3, &block, FB_LEVEL_DEVICE);
    script_run(script, 200 * MS);
    assert_int_equal(script_reply(script, 3)->status, FB_OK);
    assert_int_equal(stats_of(script, 0)->device_writes, 1);
    script_close(script);
}

/* Both holders start again, the second rank with another drive: it is given its copy back. The
 * first rank asks nobody whether the block is at the origin, and so hears of no loss. */
static void what_is_found_again_is_spread_again(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = script_open(2, &config, 1);
    struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    for (uint64_t i = 1; script_owner(script, &block, 0) != 0; i++)
        block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
    script_run(script, 20 * MS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    script_kill(script, 0);
    script_kill(script, 1);
    script_restart(script, 30 * MS, 1, false);
    script_restart(script, 40 * MS, 0, true);
    script_run(script, 200 * MS);
    assert_int_equal(stats_of(script, 1)->recovered_owed, 0);
    assert_int_equal(fb_node_undrained_bytes(script_node(script, 1)), FLOW_BLOCK_BYTES);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_promise_is_mended_or_counted),
        cmocka_unit_test(nodes_that_begin_together_do_not_wait_for_each_other),
        cmocka_unit_test(scan_that_is_put_off_is_asked_for_again),
        cmocka_unit_test(drive_that_fails_in_the_scan_gives_what_was_found),
        cmocka_unit_test(owed_block_whose_read_fails_is_read_again),
        cmocka_unit_test(scans_that_break_off_are_no_tries_of_a_read),
        cmocka_unit_test(owed_copy_is_found_behind_an_older_one),
        cmocka_unit_test(cached_block_that_is_written_is_owed_by_its_header),
        cmocka_unit_test(damaged_copy_is_not_promised_in_a_later_round),
        cmocka_unit_test(damaged_copy_is_not_promised_for_a_reader_s_bytes),
        cmocka_unit_test(more_owed_than_memory_is_taken_in_turns),
        cmocka_unit_test(what_is_found_again_is_spread_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
