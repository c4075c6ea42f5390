/* Error paths of the flows that the flows' own tests leave out (the table in README.md): a slow
 * origin, a drive that takes no write or gives other bytes back, a holder that dies before the
 * acknowledgement or is sent other bytes.
 * How: scripted clusters with one fault each; afterwards no node has anything left. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

struct trouble {
    uint32_t kind; /* of op */
    enum fb_status status;
    uint64_t delay_ns;
    uint32_t left, seen; /* ops still to trouble; ops of the kind */
    bool is_garbled;
};

static struct script_fault trouble_op(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct trouble *trouble = script_context(script);
    (void)node;
    if (op->kind != trouble->kind)
        return (struct script_fault){.status = FB_OK};
    trouble->seen++;
    if (trouble->left == 0)
        return (struct script_fault){.status = FB_OK};
    trouble->left--;
    return (struct script_fault){.status = trouble->status,
                                 .delay_ns = trouble->delay_ns,
                                 .is_garbled = trouble->is_garbled};
}

static struct fb_config write_config(void)
{
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.write_quorum = 2;
    config.puts_max = 4;
    config.dirty_max = 8;
    config.drains_max = 2;
    config.hold_ns = 2000000;
    config.drain_delay_ns = 50000;
    config.drain_check_ns = 5000000;
    return config;
}

static void expect_quiet(struct script *script, uint32_t nodes, uint32_t dead)
{
    for (uint32_t i = 0; i < nodes; i++)
        if (i != dead)
            assert_true(fb_node_is_idle(script_node(script, i)));
    assert_int_equal(script_wrong_reads(script), 0);
}

static void expect_ok(struct script *script, uint64_t request_id)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, FB_OK);
}

static void get_when_a_fetch_hangs_begins_a_second_one(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct trouble trouble = {.kind = FB_OP_FETCH, .delay_ns = 20 * config.fetch_ns, .left = 1};
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, trouble_op, &trouble);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1);
    assert_int_equal(trouble.seen, 2);
    assert_true(script_reply_ns(script, 1) > config.fetch_ns);
    assert_true(script_reply_ns(script, 1) < 2 * config.fetch_ns);
    expect_quiet(script, 1, FB_NONE);
    script_close(script);
}

/* Small blocks, which lie side by side. */
static struct fb_block small_block(uint64_t number)
{
    return script_block(7, number, FLOW_BLOCK_BYTES / FB_UNITS_PER_CHUNK, 1);
}

static void read_all(struct script *script, uint64_t request_id, uint64_t first, uint64_t count)
{
    uint64_t at_ns = script_now_ns(script);
    for (uint64_t i = 0; i < count; i++) {
        const struct fb_block block = small_block(first + i);
        script_get(script, at_ns + i, 0, request_id + i, &block);
    }
    script_run(script, at_ns + 100000000);
    for (uint64_t i = 0; i < count; i++)
        expect_ok(script, request_id + i);
}

/* A fetch that hangs writes when it ends, long after another brought the block: its memory is
 * nobody else's until then, whatever has become free meanwhile. */
static void memory_of_a_fetch_that_hangs_is_nobodys_until_it_ends(void **state)
{
    (void)state;
    enum { BEFORE = 4, AFTER = 6 };
    const struct fb_config config = flow_config();
    struct trouble trouble = {.kind = FB_OP_FETCH, .delay_ns = 20 * config.fetch_ns};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, trouble_op, &trouble);
    read_all(script, 1, 0, BEFORE);
    const struct fb_block slow = small_block(100);
    trouble.left = 1;
    uint64_t begin_ns = script_now_ns(script);
    script_get(script, begin_ns, 0, 50, &slow);
    const struct fb_request forget = {
        .kind = FB_REQUEST_FORGET, .request_id = 60, .block = small_block(0)};
    script_request(script, begin_ns + config.fetch_ns + 5000000, 0, &forget); /* both fetch */
    script_run(script, begin_ns + 2 * config.fetch_ns);
    expect_ok(script, 50);
    read_all(script, 100, 200, AFTER);
    script_run(script, begin_ns + 30 * config.fetch_ns); /* the slow one has written */
    read_all(script, 120, 200, AFTER);
    expect_quiet(script, 1, FB_NONE);
    script_close(script);
}

/* Readers may go without digests, writers do not: a holder that pulls other bytes pulls again. */
static void write_without_digests_is_digested_all_the_same(void **state)
{
    (void)state;
    struct fb_config config = write_config();
    config.check_digest = 0;
    for (uint32_t garbled = 0; garbled < 2; garbled++) {
        struct trouble trouble = {.kind = FB_OP_PULL, .is_garbled = true};
        struct script *script = script_open(3, &config, 4);
        const struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 5, FLOW_BLOCK_BYTES, 1);
        uint32_t holder = script_owner(script, &block, 0);
        script_set_fault(script, trouble_op, &trouble);
        script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_REPLICATED);
        while (script_now_ns(script) < 1000) /* the client's bytes come first, as they are */
            script_run(script, script_now_ns(script) + 1000);
        trouble.left = garbled;
        script_run(script, 40000000);
        expect_ok(script, 1);
        script_get(script, 40000000, holder, 2, &block);
        script_run(script, FB_NEVER_NS - 1);
        expect_ok(script, 2);
        assert_int_equal(trouble.left, 0);
        assert_int_equal(script_stores(script, &block), 1);
        expect_quiet(script, 3, FB_NONE);
        script_close(script);
    }
}

static void drain_when_a_store_hangs_keeps_the_block_until_it_ends(void **state)
{
    (void)state;
    const struct fb_config config = write_config();
    const uint64_t slow_ns = UINT64_C(1000000000);
    struct trouble trouble = {.kind = FB_OP_STORE, .delay_ns = slow_ns, .left = 1};
    struct script *script = script_open(3, &config, 4);
    struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 5, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, trouble_op, &trouble);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, slow_ns / 2);
    expect_ok(script, 1);
    assert_true(fb_node_holds(script_node(script, script_owner(script, &block, 0)), block.key));
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 1);
    expect_quiet(script, 3, FB_NONE);
    script_close(script);
}

/* A full drive answers writes with an error: reads go on from memory and origin. */
static void get_when_the_drive_is_full_is_served_all_the_same(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct trouble trouble = {.kind = FB_OP_WRITE, .status = FB_FULL, .left = UINT32_MAX};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, trouble_op, &trouble);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20000000, 0, i, &block);
    }
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, UINT64_C(2000000000), 0, 100, &first);
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++)
        expect_ok(script, i);
    expect_ok(script, 100);
    assert_true(trouble.seen > 0);
    assert_int_equal(fb_node_stats(script_node(script, 0))->device_errors, trouble.seen);
    expect_quiet(script, 1, FB_NONE);
    script_close(script);
}

static void write_when_a_holder_dies_before_the_ack_is_acked_by_the_next_view(void **state)
{
    (void)state;
    struct fb_config config = write_config();
    config.hedge_ns = 50000000; /* nobody is taken for silent before the view tells */
    config.hold_ns = 200000000;
    struct script *script = script_open(4, &config, 9);
    struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 6, FLOW_BLOCK_BYTES, 1);
    uint32_t dead = script_owner(script, &block, 1);
    script_kill(script, dead);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_REPLICATED);
    script_bury(script, 3000000, dead);
    script_run(script, FB_NEVER_NS - 1);
    expect_ok(script, 1);
    assert_true(script_reply_ns(script, 1) > 3000000);
    assert_true(script_stores(script, &block) >= 1);
    expect_quiet(script, 4, dead);
    script_close(script);
}

/* The owner has the block on its drive only, and the drive gives an error: who asked for it gets
 * it all the same. */
static void serve_when_the_drive_fails_reads_the_origin_again(void **state)
{
    (void)state;
    enum { MS = 1000000 };
    struct fb_config config = flow_config();
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct trouble trouble = {.kind = FB_OP_READ, .status = FB_IO, .left = 1};
    struct script *script = script_open(2, &config, 1);
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &first, 0);
    for (uint64_t i = 0; i < 3 * FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20 * MS, owner, i, &block);
    }
    script_set_fault(script, trouble_op, &trouble);
    script_get(script, (uint64_t)3000 * MS, 1 - owner, 100, &first);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 100);
    assert_true(trouble.seen > 0 && trouble.left == 0);
    assert_int_equal(fb_node_stats(script_node(script, owner))->device_errors, 1);
    expect_quiet(script, 2, FB_NONE);
    script_close(script);
}

/* What a holder pulls of a writer is compared with what the writer said it is. */
static void write_when_a_holder_is_sent_other_bytes_pulls_them_again(void **state)
{
    (void)state;
    const struct fb_config config = write_config();
    struct trouble trouble = {.kind = FB_OP_PULL, .is_garbled = true, .left = 1};
    struct script *script = script_open(3, &config, 4);
    struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 5, FLOW_BLOCK_BYTES, 1);
    uint32_t writer = script_owner(script, &block, 0), holder = script_owner(script, &block, 1);
    script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 2000); /* its own copy of the client's bytes is under way, as it is */
    script_set_fault(script, trouble_op, &trouble);
    script_run(script, FB_NEVER_NS - 1);
    expect_ok(script, 1);
    assert_int_equal(trouble.left, 0);
    assert_int_equal(trouble.seen, 2);
    assert_int_equal(fb_node_stats(script_node(script, holder))->digest_errors, 1);
    assert_int_equal(script_stores(script, &block), 1);
    expect_quiet(script, 3, FB_NONE);
    script_close(script);
}

/* A drive without room for a while: nothing is acked at the drive's level before it has it. */
static void write_when_a_drive_is_full_for_a_while_is_acked_once_it_is_written(void **state)
{
    (void)state;
    struct fb_config config = write_config();
    config.device_size_bytes = 16ull * FLOW_BLOCK_BYTES;
    config.device_writes_max = 4;
    struct trouble trouble = {.kind = FB_OP_WRITE, .status = FB_FULL, .left = 3};
    struct script *script = script_open(3, &config, 8);
    struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 7, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, trouble_op, &trouble);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_DEVICE);
    script_run(script, FB_NEVER_NS - 1);
    expect_ok(script, 1);
    assert_int_equal(trouble.left, 0);
    assert_int_equal(trouble.seen, 5); /* three that failed, and one on each of two drives */
    assert_true(script_stores(script, &block) >= 1);
    expect_quiet(script, 3, FB_NONE);
    script_close(script);
}

/* The drive gives other bytes back than were written: they are not served, and the copy is not
 * asked again. */
static void get_when_the_drive_gives_other_bytes_reads_the_origin_again(void **state)
{
    (void)state;
    enum { MS = 1000000 };
    struct fb_config config = flow_config();
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct trouble trouble = {.kind = FB_OP_READ, .is_garbled = true, .left = 1};
    struct script *script = script_open(1, &config, 1);
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20 * MS, 0, i, &block);
    }
    script_set_fault(script, trouble_op, &trouble);
    script_get(script, (uint64_t)2000 * MS, 0, 100, &first);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 100);
    const struct fb_stats *stats = fb_node_stats(script_node(script, 0));
    assert_int_equal(trouble.seen, 1);
    assert_int_equal(stats->digest_errors, 1);
    assert_int_equal(stats->origin_fetches, 2 * FLOW_BLOCKS + 1);
    assert_int_equal(script_reply(script, 100)->reason, FB_REASON_ORIGIN_OWNER);
    expect_quiet(script, 1, FB_NONE);
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_when_a_holder_is_sent_other_bytes_pulls_them_again),
        cmocka_unit_test(write_when_a_drive_is_full_for_a_while_is_acked_once_it_is_written),
        cmocka_unit_test(get_when_the_drive_gives_other_bytes_reads_the_origin_again),
        cmocka_unit_test(serve_when_the_drive_fails_reads_the_origin_again),
        cmocka_unit_test(get_when_a_fetch_hangs_begins_a_second_one),
        cmocka_unit_test(memory_of_a_fetch_that_hangs_is_nobodys_until_it_ends),
        cmocka_unit_test(write_without_digests_is_digested_all_the_same),
        cmocka_unit_test(drain_when_a_store_hangs_keeps_the_block_until_it_ends),
        cmocka_unit_test(get_when_the_drive_is_full_is_served_all_the_same),
        cmocka_unit_test(write_when_a_holder_dies_before_the_ack_is_acked_by_the_next_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
