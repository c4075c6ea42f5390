/* Proves that a node which starts again finds what is on its drive: cached blocks are read without
 * the origin, promised ones are held and drained as if nothing had happened, what a header claims
 * and the bytes do not is not served, and nothing is written to the drive before the scan is over.
 * And that the page of headers that drivers keep has no two that overlap. */
#include "tests/support/unit.h"

#include "core/tier/header.h"
#include "core/index/random.h"
#include "tests/core/write/recover.h"

#include <string.h>

static void blocks_of_the_drive_are_read_without_the_origin(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = read_then_restart(&config, 6, true);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered, 6);
    assert_int_equal(stats_of(script, 0)->recovered_bytes, 6 * FLOW_BLOCK_BYTES);
    for (uint32_t i = 0; i < 6; i++) {
        const struct fb_block block = block_of(i);
        script_get(script, script_now_ns(script) + 1000, 0, 100 + i, &block);
    }
    script_run(script, FB_NEVER_NS - 1);
    for (uint32_t i = 0; i < 6; i++)
        expect_read(script, 100 + i, FB_REASON_DEVICE);
    assert_int_equal(stats_of(script, 0)->origin_fetches, 0);
    assert_int_equal(script_wrong_reads(script), 0);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static void empty_drive_or_no_wish_finds_nothing(void **state)
{
    (void)state;
    struct fb_config config = recover_config();
    for (uint32_t run = 0; run < 2; run++) {
        config.recover = run;
        struct script *script = read_then_restart(&config, 6, run == 0);
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(stats_of(script, 0)->recovered, 0);
        assert_true(fb_node_is_idle(script_node(script, 0)));
        script_close(script);
    }
}

static void header_whose_bytes_are_others_is_not_served(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = read_then_restart(&config, 2, true);
    const struct fb_block first = block_of(0), second = block_of(1);
    /* The headers of the two blocks change places: a lost write, a misdirected one. */
    struct fb_header *one = script_header(script, 0, 0), *other = script_header(script, 0, 1);
    const struct fb_header swapped = *one;
    one->key = other->key;
    one->digest = other->digest;
    other->key = swapped.key;
    other->digest = swapped.digest;
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered, 2);
    script_get(script, script_now_ns(script) + 1000, 0, 100, &first);
    script_get(script, script_now_ns(script) + 1000, 0, 101, &second);
    script_run(script, FB_NEVER_NS - 1);
    expect_read(script, 100, FB_REASON_ORIGIN_OWNER);
    expect_read(script, 101, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(stats_of(script, 0)->digest_errors, 2);
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

static void headers_that_make_no_sense_are_left(void **state)
{
    (void)state;
    const struct fb_config config = recover_config();
    struct script *script = read_then_restart(&config, 6, true);
    script_header(script, 0, 5)->position = UINT64_MAX - 4095; /* far outside */
    script_header(script, 0, 4)->position += 32;               /* between units */
    script_header(script, 0, 3)->size = FLOW_BLOCK_BYTES + 1;
    script_header(script, 0, 2)->digest = 0;
    script_header(script, 0, 1)->key = script_header(script, 0, 0)->key;
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered, 1);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

/* As the scan goes on, the drive is not written and nothing durable begins; reads are served. */
static struct script_fault slow_scan(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    bool *is_over = script_context(script);
    if (op->kind == FB_OP_WRITE)
        assert_true(*is_over);
    return (struct script_fault){.status = FB_OK, .delay_ns = op->kind == FB_OP_SCAN ? 20 * MS : 0};
}

static void drive_is_not_written_before_the_scan_is_over(void **state)
{
    (void)state;
    const struct fb_config config = lone_config();
    struct script *script = read_then_restart(&config, 6, true);
    const struct fb_block block = block_of(20);
    const struct fb_block written = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    bool is_over = false;
    uint64_t begin_ns = script_now_ns(script);
    script_set_fault(script, slow_scan, &is_over);
    script_get(script, begin_ns + 2 * MS, 0, 100, &block);
    script_write(script, begin_ns + 3 * MS, 0, 101, &written, FB_LEVEL_DEVICE);
    script_run(script, begin_ns + 100 * MS);
    expect_read(script, 100, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(script_reply(script, 101)->status, FB_BUSY);
    assert_int_equal(stats_of(script, 0)->device_writes, 0);
    is_over = true;
    script_run(script, begin_ns + 200 * MS);
    script_write(script, begin_ns + 201 * MS, 0, 102, &written, FB_LEVEL_DEVICE);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_reply(script, 102)->status, FB_OK);
    assert_int_equal(stats_of(script, 0)->device_writes, 1);
    script_close(script);
}

static void all_holders_die_and_nothing_promised_is_lost(void **state)
{
    (void)state;
    enum { BLOCKS = 4, NODES = 2 };
    const struct fb_config config = recover_config();
    struct script *script = script_open(NODES, &config, 1);
    bool is_closed = true;
    script_set_fault(script, closed_origin, &is_closed);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        script_write(script, 1000 + i * MS, 0, 1 + i, &block, FB_LEVEL_DEVICE);
    }
    script_run(script, 100 * MS);
    for (uint32_t i = 0; i < BLOCKS; i++)
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
    for (uint32_t node = 0; node < NODES; node++) {
        script_kill(script, node);
        script_restart(script, 110 * MS, node, true);
    }
    script_run(script, 200 * MS);
    for (uint32_t node = 0; node < NODES; node++) {
        assert_int_equal(stats_of(script, node)->recovered_owed, BLOCKS);
        assert_int_equal(fb_node_undrained_bytes(script_node(script, node)),
                         BLOCKS * FLOW_BLOCK_BYTES);
    }
    is_closed = false;
    script_run(script, FB_NEVER_NS - 1);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        assert_true(script_stores(script, &block) > 0);
        script_get(script, script_now_ns(script) + 1000, 1, 50 + i, &block);
    }
    script_run(script, FB_NEVER_NS - 1);
    for (uint32_t i = 0; i < BLOCKS; i++)
        assert_int_equal(script_reply(script, 50 + i)->status, FB_OK);
    for (uint32_t node = 0; node < NODES; node++) {
        assert_true(fb_node_is_idle(script_node(script, node)));
        assert_int_equal(stats_of(script, node)->recover_losses, 0);
        for (uint32_t n = 0; script_header(script, node, n) != NULL; n++)
            assert_int_equal(script_header(script, node, n)->state, FB_HEADER_CLEAN);
    }
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

/* What was drained before the crash is not stored again. */
static void drained_block_is_clean_after_a_restart(void **state)
{
    (void)state;
    const struct fb_config config = lone_config();
    struct script *script = script_open(1, &config, 1);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 1);
    script_kill(script, 0);
    script_restart(script, script_now_ns(script) + MS, 0, true);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered, 1);
    assert_int_equal(stats_of(script, 0)->recovered_owed, 0);
    assert_int_equal(script_stores(script, &block), 1);
    script_close(script);
}

/* More owed blocks than there are fills, waiters or records: they take turns. */
static void owed_blocks_take_turns(void **state)
{
    (void)state;
    enum { BLOCKS = 8 };
    struct fb_config config = recover_config();
    config.fills_max = 2;
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
    script_kill(script, 0);
    script_restart(script, 60 * MS, 0, true);
    is_closed = false;
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(stats_of(script, 0)->recovered_owed, BLOCKS);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    for (uint32_t i = 0; i < BLOCKS; i++) {
        const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
        assert_int_equal(script_stores(script, &block), 1);
    }
    script_close(script);
}

/* A node that starts with fewer entries for its drive than it had drops cached blocks, never owed
 * ones, wherever they lie; owed ones take turns. */
static void owed_blocks_are_found_with_fewer_entries(void **state)
{
    (void)state;
    enum { CACHED = 6, OWED = 3 };
    for (uint32_t entries = 1; entries <= 4; entries++) {
        struct fb_config config = recover_config();
        config.replicas = 1;
        config.write_quorum = 1;
        struct script *script = script_open(1, &config, 1);
        bool is_closed = true;
        script_set_fault(script, closed_origin, &is_closed);
        for (uint32_t i = 0; i < CACHED; i++) {
            const struct fb_block block = block_of(i);
            script_get(script, 1000 + i * 1000, 0, 1 + i, &block);
        }
        for (uint32_t i = 0; i < OWED; i++) {
            const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
            script_write(script, 10 * MS + i * MS, 0, 100 + i, &block, FB_LEVEL_DEVICE);
        }
        script_run(script, 50 * MS);
        script_kill(script, 0);
        config.device_entries_max = entries;
        script_set_config(script, &config);
        script_restart(script, 60 * MS, 0, true);
        is_closed = false;
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(stats_of(script, 0)->recovered_owed, OWED);
        assert_int_equal(stats_of(script, 0)->recover_losses, 0);
        for (uint32_t i = 0; i < OWED; i++) {
            const struct fb_block block = script_block(SCRIPT_WRITTEN, i, FLOW_BLOCK_BYTES, 1);
            assert_int_equal(script_stores(script, &block), 1);
        }
        assert_true(fb_node_is_idle(script_node(script, 0)));
        script_close(script);
    }
}

static struct script_fault slow_write(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    const enum fb_status *status = script_context(script);
    bool is_write = op->kind == FB_OP_WRITE;
    return (struct script_fault){.status = is_write ? *status : FB_OK,
                                 .delay_ns = is_write ? 50 * MS : 0};
}

/* A block is stored at the origin before it is on the drive: its header owes nothing. */
static void block_drained_while_it_is_written_is_not_owed(void **state)
{
    (void)state;
    struct fb_config config = recover_config();
    config.replicas = 1;
    config.write_quorum = 1;
    enum fb_status status = FB_OK;
    struct script *script = script_open(1, &config, 1);
    const struct fb_block block = script_block(SCRIPT_WRITTEN, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, slow_write, &status);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_DEVICE);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 1);
    assert_int_equal(stats_of(script, 0)->device_writes, 1);
    assert_int_equal(script_header(script, 0, 0)->state, FB_HEADER_CLEAN);
    script_close(script);
}

/* Random writes and marks against an array that remembers who wrote each unit last. */
static void page_has_the_last_writer_of_each_unit(void **state)
{
    (void)state;
    enum { UNIT = 512, WRITES = 20000 };
    static struct fb_header_page page;
    struct fb_random random;
    uint64_t owner[FB_UNITS_PER_CHUNK] = {0}; /* 1 + number of the write */
    fb_random_init(&random, 20261124);
    for (uint64_t write = 1; write <= WRITES; write++) {
        uint32_t first = (uint32_t)fb_random_below(&random, FB_UNITS_PER_CHUNK);
        uint32_t units = 1 + (uint32_t)fb_random_below(&random, FB_UNITS_PER_CHUNK - first);
        const struct fb_header header = {.digest = write,
                                         .position = (uint64_t)(640 + first) * UNIT,
                                         .size = units * UNIT -
                                                 (uint32_t)fb_random_below(&random, UNIT),
                                         .state = FB_HEADER_OWED};
        fb_header_put(&page, UNIT, &header);
        for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
            uint64_t touched = owner[unit];
            bool is_hit = unit >= first && unit < first + units;
            for (uint32_t k = 0; is_hit && touched != 0 && k < FB_UNITS_PER_CHUNK; k++)
                owner[k] = owner[k] == touched ? 0 : owner[k];
        }
        for (uint32_t unit = first; unit < first + units; unit++)
            owner[unit] = write;
        if (write % 3 == 0)
            fb_header_settle(&page, UNIT, header.position);
        uint64_t seen = 0;
        for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
            const struct fb_header *at = &page.headers[unit];
            bool is_first = owner[unit] != 0 && owner[unit] != seen;
            assert_int_equal(at->state != FB_HEADER_NONE, is_first);
            if (is_first)
                assert_int_equal(at->digest, owner[unit]);
            seen = owner[unit];
        }
        assert_int_equal(page.headers[first].state,
                         write % 3 == 0 ? FB_HEADER_CLEAN : FB_HEADER_OWED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_the_drive_are_read_without_the_origin),
        cmocka_unit_test(empty_drive_or_no_wish_finds_nothing),
        cmocka_unit_test(header_whose_bytes_are_others_is_not_served),
        cmocka_unit_test(headers_that_make_no_sense_are_left),
        cmocka_unit_test(drive_is_not_written_before_the_scan_is_over),
        cmocka_unit_test(all_holders_die_and_nothing_promised_is_lost),
        cmocka_unit_test(drained_block_is_clean_after_a_restart),
        cmocka_unit_test(owed_blocks_take_turns),
        cmocka_unit_test(owed_blocks_are_found_with_fewer_entries),
        cmocka_unit_test(block_drained_while_it_is_written_is_not_owed),
        cmocka_unit_test(page_has_the_last_writer_of_each_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
