/* tenant.c, pin.c and forget.c: what clients may say about keeping: quotas, time to live, pins,
 * and that nobody wants a block any more. How: scripted nodes (script.h). */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

enum { MS = 1000000 };

static const uint64_t SECOND_NS = UINT64_C(1000000000);

static struct fb_block block_of(uint32_t tenant, uint64_t number)
{
    struct fb_block block = script_block(7 + tenant, number, FLOW_BLOCK_BYTES, 1);
    block.tenant = tenant;
    return block;
}

static void limit(struct script *script, uint32_t tenant, uint64_t quota_blocks, uint64_t ttl_ns)
{
    const struct fb_request request = {.kind = FB_REQUEST_TENANT,
                                       .request_id = 4000 + tenant,
                                       .block = {.tenant = tenant},
                                       .quota_bytes = quota_blocks * FLOW_BLOCK_BYTES,
                                       .ttl_ns = ttl_ns};
    script_request(script, 1, 0, &request);
}

static const struct fb_stats *stats_of(struct script *script)
{
    return fb_node_stats(script_node(script, 0));
}

static bool holds(struct script *script, uint32_t tenant, uint64_t number)
{
    return fb_node_holds(script_node(script, 0), block_of(tenant, number).key);
}

static void read_blocks(struct script *script, uint64_t from_ns, uint32_t tenant, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct fb_block block = block_of(tenant, i);
        script_get(script, from_ns + i * 20 * MS, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(script_reply(script, i)->status, FB_OK);
}

static void quota_evicts_the_tenants_own_blocks_only(void **state)
{
    (void)state;
    const struct fb_config config = flow_config(); /* 16 blocks */
    struct script *script = script_open(1, &config, 1);
    limit(script, 1, 4, 0);
    read_blocks(script, 1000, 2, 6);
    read_blocks(script, 1000 * MS, 1, 20);
    assert_int_equal(script_reply(script, 4001)->status, FB_OK);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(holds(script, 2, i));
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(holds(script, 1, i), i >= 16);
    assert_int_equal(stats_of(script)->tenant_evictions, 16);
    assert_int_equal(stats_of(script)->evictions, 0);
    script_close(script);
}

static void quota_keeps_what_was_used_lately(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    limit(script, 1, 4, 0);
    read_blocks(script, 1000, 1, 4);
    struct fb_block first = block_of(1, 0), other = block_of(1, 9);
    script_get(script, 1000 * MS, 0, 50, &first);
    script_get(script, 1001 * MS, 0, 51, &other);
    script_run(script, FB_NEVER_NS);
    assert_true(holds(script, 1, 0));
    assert_false(holds(script, 1, 1));
    script_close(script);
}

static void quota_when_all_is_lent_serves_without_keeping(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    script_set_hold(script, 500 * MS);
    limit(script, 1, 2, 0);
    for (uint64_t i = 0; i < 4; i++) {
        struct fb_block block = block_of(1, i);
        script_get(script, 1000 + i, 0, i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(script_reply(script, i)->status, FB_OK);
        assert_int_equal(holds(script, 1, i), i < 2);
    }
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static void block_older_than_its_time_to_live_is_fetched_again(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 8 * FLOW_BLOCK_BYTES;
    struct script *script = script_open(1, &config, 1);
    limit(script, 1, 0, 2 * SECOND_NS);
    struct fb_block mortal = block_of(1, 0), other = block_of(0, 0);
    static const uint64_t at_ns[] = {1, 1000, 2500, 3500};
    for (uint64_t i = 0; i < 4; i++) {
        script_get(script, at_ns[i] * MS, 0, i, &mortal);
        script_get(script, at_ns[i] * MS, 0, 10 + i, &other);
    }
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->reason, FB_REASON_MEMORY);
    assert_int_equal(script_reply(script, 2)->reason, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(script_reply(script, 3)->reason, FB_REASON_MEMORY); /* young again */
    assert_int_equal(script_reply(script, 13)->reason, FB_REASON_MEMORY);
    assert_int_equal(stats_of(script)->expired, 1);
    assert_int_equal(stats_of(script)->device_writes, 1); /* the other's */
    script_close(script);
}

static void tenant_that_is_unknown_is_invalid(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = block_of(1, 0);
    block.tenant = 8;
    script_get(script, 1000, 0, 1, &block);
    const struct fb_request request = {
        .kind = FB_REQUEST_TENANT, .request_id = 2, .block = {.tenant = 8}};
    script_request(script, 1000, 0, &request);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_INVALID);
    assert_int_equal(script_reply(script, 2)->status, FB_INVALID);
    script_close(script);
}

static void pin_block(struct script *script, uint64_t at_ns, uint64_t id, uint64_t number,
                      uint64_t ttl_ns)
{
    const struct fb_request request = {
        .kind = FB_REQUEST_PIN, .request_id = id, .block = block_of(0, number), .ttl_ns = ttl_ns};
    script_request(script, at_ns, 0, &request);
}

static void pinned_blocks_stay_until_their_end(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.memory_size_bytes = 4 * FLOW_BLOCK_BYTES;
    config.memory_entries_max = 4;
    struct script *script = script_open(1, &config, 1);
    pin_block(script, 1000, 100, 50, 3 * SECOND_NS);
    pin_block(script, 1000, 101, 51, 3600 * SECOND_NS);
    for (uint64_t i = 0; i < 10; i++) { /* twice the memory */
        struct fb_block block = block_of(0, i);
        script_get(script, (100 + i * 20) * MS, 0, i, &block);
    }
    script_run(script, 2 * SECOND_NS);
    assert_int_equal(script_reply(script, 100)->status, FB_OK);
    assert_true(holds(script, 0, 50) && holds(script, 0, 51));
    const struct fb_request unpin = {.kind = FB_REQUEST_UNPIN,
                                     .lease = script_reply(script, 101)->lease};
    script_request(script, 5 * SECOND_NS, 0, &unpin);
    script_request(script, 6 * SECOND_NS, 0, &unpin); /* not current any more: ignored */
    script_run(script, FB_NEVER_NS);
    assert_int_equal(stats_of(script)->pins, 2);
    assert_int_equal(stats_of(script)->pins_expired, 1);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static struct script_fault origin_fails(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_FETCH ? FB_IO : FB_OK};
}

static void pin_that_can_not_be_had_is_refused(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.pins_max = 1;
    struct script *script = script_open(1, &config, 1);
    pin_block(script, 1000, 100, 50, 0); /* for how long? */
    pin_block(script, 1001, 101, 51, SECOND_NS);
    pin_block(script, 1002, 102, 52, SECOND_NS);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 100)->status, FB_INVALID);
    assert_int_equal(script_reply(script, 101)->status, FB_OK);
    assert_int_equal(script_reply(script, 102)->status, FB_BUSY);
    script_set_fault(script, origin_fails, NULL);
    pin_block(script, 10 * SECOND_NS, 103, 53, SECOND_NS);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 103)->status, FB_IO);
    assert_true(fb_node_is_idle(script_node(script, 0)));
    script_close(script);
}

static void forget_block(struct script *script, uint64_t at_ns, uint32_t node, uint64_t id,
                         const struct fb_block *block)
{
    const struct fb_request request = {
        .kind = FB_REQUEST_FORGET, .request_id = id, .block = *block};
    script_request(script, at_ns, node, &request);
}

static void forget_drops_the_block_here_and_at_its_ranks(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 8 * FLOW_BLOCK_BYTES;
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = block_of(0, 0);
    uint32_t owner = script_owner(script, &block, 0), reader = (owner + 1) % 3;
    script_get(script, 1000, reader, 1, &block);
    script_run(script, 500 * MS);
    assert_true(fb_node_holds(script_node(script, owner), block.key));
    assert_true(fb_node_holds(script_node(script, reader), block.key));
    forget_block(script, 501 * MS, reader, 2, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_false(fb_node_holds(script_node(script, owner), block.key));
    assert_false(fb_node_holds(script_node(script, reader), block.key));
    script_close(script);
}

static void forget_of_an_undrained_block_gives_the_write_up(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.drain_delay_ns = 1000 * (uint64_t)MS;
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(SCRIPT_WRITTEN + 1, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    script_write(script, 1000, owner, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 500 * MS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    forget_block(script, 501 * MS, owner, 2, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_stores(script, &block), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(fb_node_is_idle(script_node(script, i)));
        assert_false(fb_node_holds(script_node(script, i), block.key));
    }
    script_close(script);
}

static void forget_of_a_lent_block_waits_for_its_return(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = block_of(0, 0);
    script_set_hold(script, 200 * MS);
    script_get(script, 1000, 0, 1, &block);
    forget_block(script, 1001, 0, 2, &block); /* being acquired */
    forget_block(script, 100 * MS, 0, 3, &block);
    script_run(script, 150 * MS);
    assert_int_equal(script_reply(script, 2)->status, FB_BUSY);
    assert_int_equal(script_reply(script, 3)->status, FB_OK);
    assert_true(holds(script, 0, 0));
    script_run(script, FB_NEVER_NS);
    assert_false(holds(script, 0, 0));
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

static struct script_fault drive_slow(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.delay_ns = op->kind == FB_OP_WRITE ? 400 * (uint64_t)MS : 0};
}

/* Its write to the drive ends after that: it must not bring the block back. */
static void forget_of_a_block_being_written_to_the_drive_lasts(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 8 * FLOW_BLOCK_BYTES;
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = block_of(0, 0);
    script_set_fault(script, drive_slow, NULL);
    script_get(script, 1000, 0, 1, &block);
    forget_block(script, 200 * MS, 0, 2, &block);
    script_run(script, 300 * MS);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_int_equal(stats_of(script)->device_writes, 1);
    assert_true(holds(script, 0, 0)); /* in memory, from where it is being written */
    script_run(script, FB_NEVER_NS);
    assert_false(holds(script, 0, 0));
    script_get(script, 1000 * MS, 0, 3, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 3)->reason, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(stats_of(script)->device_writes, 2);
    assert_true(holds(script, 0, 0));
    script_close(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quota_evicts_the_tenants_own_blocks_only),
        cmocka_unit_test(quota_keeps_what_was_used_lately),
        cmocka_unit_test(quota_when_all_is_lent_serves_without_keeping),
        cmocka_unit_test(block_older_than_its_time_to_live_is_fetched_again),
        cmocka_unit_test(tenant_that_is_unknown_is_invalid),
        cmocka_unit_test(pinned_blocks_stay_until_their_end),
        cmocka_unit_test(pin_that_can_not_be_had_is_refused),
        cmocka_unit_test(forget_drops_the_block_here_and_at_its_ranks),
        cmocka_unit_test(forget_of_an_undrained_block_gives_the_write_up),
        cmocka_unit_test(forget_of_a_lent_block_waits_for_its_return),
        cmocka_unit_test(forget_of_a_block_being_written_to_the_drive_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
