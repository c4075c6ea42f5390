/* Proves the flows of durable writes, put, hold, drain and repair, on scripted clusters: what is
 * acked is held by as many nodes as the level says, reaches the origin once, survives the death of
 * a holder, and every error on the way is answered or retried. After each run no node has anything
 * left. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

#include "core/key.h"

#include <string.h>

static struct fb_config put_config(void)
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

static struct fb_block put_block(uint64_t number)
{
    return script_block(SCRIPT_WRITTEN + 1, number, FLOW_BLOCK_BYTES, 1);
}

static void assert_quiet(struct script *script, uint32_t nodes, uint32_t dead)
{
    for (uint32_t i = 0; i < nodes; i++) {
        if (i != dead)
            assert_true(fb_node_is_idle(script_node(script, i)));
    }
    assert_int_equal(script_wrong_reads(script), 0);
}

static void assert_status(struct script *script, uint64_t request_id, enum fb_status status)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
}

static void write_replicated_is_held_by_both_ranks_when_acked(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    config.drain_delay_ns = 1000000000; /* nothing is drained before the ack */
    struct script *script = script_open(4, &config, 1);
    const struct fb_block block = put_block(3);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 500000000);
    assert_status(script, 1, FB_OK);
    for (uint32_t rank = 0; rank < 2; rank++) {
        const struct fb_node *holder = script_node(script, script_owner(script, &block, rank));
        assert_true(fb_node_holds(holder, block.key));
        assert_int_equal(fb_node_undrained_bytes(holder), block.size);
    }
    const uint32_t owner = script_owner(script, &block, 0);
    struct fb_found found;
    fb_node_find(script_node(script, owner), block.key, &found);
    assert_true(found.is_in_memory && found.is_owed && !found.is_coming && !found.is_on_device);
    assert_int_equal(found.owner, owner);
    assert_int_equal(script_stores(script, &block), 0);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 1);
    fb_node_find(script_node(script, owner), block.key, &found);
    assert_true(found.is_in_memory && !found.is_owed);
    for (uint32_t node = 0; node < 4; node++)
        assert_int_equal(fb_node_undrained_bytes(script_node(script, node)), 0);
    assert_quiet(script, 4, FB_NONE);
    script_close(script);
}

static void write_of_many_blocks_is_drained_once_each_and_read_back(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    struct script *script = script_open(3, &config, 2);
    for (uint64_t i = 0; i < 24; i++) {
        const struct fb_block block = put_block(i);
        script_write(script, 1000 + i * 20000000, (uint32_t)i % 3, i, &block, FB_LEVEL_REPLICATED);
        script_get(script, 1000000000 + i * 1000000, (uint32_t)(i + 1) % 3, 100 + i, &block);
    }
    script_run(script, FB_NEVER_NS - 1);
    for (uint64_t i = 0; i < 24; i++) {
        const struct fb_block block = put_block(i);
        assert_status(script, i, FB_OK);
        assert_status(script, 100 + i, FB_OK);
        assert_int_equal(script_stores(script, &block), 1);
    }
    assert_quiet(script, 3, FB_NONE);
    script_close(script);
}

static void write_origin_is_acked_when_stored(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    for (uint32_t writer = 0; writer < 4; writer++) {
        struct script *script = script_open(4, &config, 3);
        const struct fb_block block = put_block(5);
        script_write(script, 1000, writer, 1, &block, FB_LEVEL_ORIGIN);
        script_run(script, 10000000);
        assert_null(script_reply(script, 1)); /* a store takes 10 ms */
        script_run(script, FB_NEVER_NS - 1);
        assert_status(script, 1, FB_OK);
        assert_true(script_stores(script, &block) >= 1);
        assert_quiet(script, 4, FB_NONE);
        script_close(script);
    }
}

/* Held by all, with the origin to come: there is nothing to ask, so its put asks for no tick after
 * each hold_ns, plain or in fragments. */
static void write_origin_that_all_hold_rests_until_it_is_stored(void **state)
{
    (void)state;
    for (uint32_t data = 0; data <= 2; data += 2) {
        struct fb_config config = put_config();
        config.drain_delay_ns = 10000000000;
        config.erasure_data = data;
        config.erasure_parity = data / 2;
        struct script *script = script_open(4, &config, 3);
        const struct fb_block block = put_block(5);
        script_write(script, 1000, 1, 1, &block, FB_LEVEL_ORIGIN);
        script_run(script, 1000000000);
        uint64_t steps = fb_node_stats(script_node(script, 1))->steps;
        script_run(script, 9000000000);
        assert_null(script_reply(script, 1));
        assert_true(fb_node_stats(script_node(script, 1))->steps - steps < 400);
        script_run(script, FB_NEVER_NS - 1);
        assert_status(script, 1, FB_OK);
        assert_quiet(script, 4, FB_NONE);
        script_close(script);
    }
}

static void write_device_is_on_both_devices_when_acked(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    config.device_size_bytes = 16 * FLOW_BLOCK_BYTES;
    config.device_writes_max = 4;
    struct script *script = script_open(3, &config, 4);
    const struct fb_block block = put_block(1);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_DEVICE);
    script_run(script, FB_NEVER_NS - 1);
    assert_status(script, 1, FB_OK);
    for (uint32_t rank = 0; rank < 2; rank++) {
        const struct fb_node *node = script_node(script, script_owner(script, &block, rank));
        assert_int_equal(fb_node_stats(node)->device_writes, 1);
    }
    assert_quiet(script, 3, FB_NONE);
    script_close(script);
}

/* Four nodes, and a block that is held by its ranks and drained half a second later. */
static struct script *held_block(const struct fb_block *block)
{
    struct fb_config config = put_config();
    config.drain_delay_ns = 500000000;
    struct script *script = script_open(4, &config, 5);
    script_write(script, 1000, stranger_of(script, block), 1, block, FB_LEVEL_REPLICATED);
    script_run(script, 100000000);
    assert_status(script, 1, FB_OK);
    return script;
}

static void write_when_the_first_rank_dies_before_the_drain_is_drained_by_another(void **state)
{
    (void)state;
    const struct fb_block block = put_block(7);
    struct script *script = held_block(&block);
    uint32_t dead = script_owner(script, &block, 0);
    script_bury(script, 200000000, dead);
    script_run(script, FB_NEVER_NS - 1);
    assert_true(script_stores(script, &block) >= 1);
    uint32_t heir = script_owner(script, &block, 1);
    assert_int_not_equal(heir, dead);
    assert_true(fb_node_holds(script_node(script, heir), block.key)); /* repaired */
    assert_quiet(script, 4, dead);
    script_close(script);
}

/* No view tells of the death, as in a cluster whose members are a list. */
static void drain_when_the_first_rank_is_silent_for_good_is_done_by_another_holder(void **state)
{
    (void)state;
    const struct fb_block block = put_block(7);
    struct script *script = held_block(&block);
    uint32_t dead = script_owner(script, &block, 0);
    script_kill(script, dead);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 1);
    assert_quiet(script, 4, dead);
    script_close(script);
}

static struct script_fault lose_first_hold(struct script *script, uint32_t node,
                                           const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    bool is_hold = op->kind == FB_OP_SEND &&
                   (op->message.kind == FB_MESSAGE_HOLD || op->message.kind == FB_MESSAGE_HELD ||
                    op->message.kind == FB_MESSAGE_DRAINED);
    if (is_hold && *left > 0) {
        *left -= 1;
        fault.is_lost = true;
    } else if (is_hold) {
        fault.is_duplicated = true;
    }
    return fault;
}

static void write_when_messages_are_lost_or_doubled_is_acked_once(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    for (uint32_t lost = 0; lost < 6; lost++) {
        uint32_t left = lost;
        struct script *script = script_open(4, &config, 6);
        const struct fb_block block = put_block(9);
        script_set_fault(script, lose_first_hold, &left);
        script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, FB_NEVER_NS - 1);
        assert_status(script, 1, FB_OK);
        assert_true(script_stores(script, &block) >= 1);
        assert_quiet(script, 4, FB_NONE);
        script_close(script);
    }
}

/* context: kind and status of the ops that fail, how often. */
struct failing {
    uint32_t kind;
    enum fb_status status;
    uint32_t left;
};

static struct script_fault fail_ops(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    struct failing *failing = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == failing->kind && failing->left > 0) {
        failing->left--;
        fault.status = failing->status;
    }
    return fault;
}

static void write_when_ops_fail_for_a_while_is_acked_and_drained(void **state)
{
    (void)state;
    static const struct failing cases[] = {
        {FB_OP_STORE, FB_THROTTLED, 5}, {FB_OP_STORE, FB_IO, 3},  {FB_OP_PULL, FB_GONE, 2},
        {FB_OP_PULL, FB_IO, 1},         {FB_OP_DIGEST, FB_IO, 1}, {FB_OP_WRITE, FB_IO, 2},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct failing failing = cases[i];
        struct fb_config config = put_config();
        config.device_size_bytes = 16 * FLOW_BLOCK_BYTES;
        config.device_writes_max = 4;
        struct script *script = script_open(4, &config, 7);
        const struct fb_block block = put_block(11);
        script_set_fault(script, fail_ops, &failing);
        script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_DEVICE);
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(failing.left, 0);
        assert_status(script, 1, FB_OK);
        assert_true(script_stores(script, &block) >= 1);
        assert_quiet(script, 4, FB_NONE);
        uint64_t device_bytes = 0;
        for (uint32_t node = 0; node < 4; node++)
            device_bytes += fb_node_device_used_bytes(script_node(script, node));
        assert_true(device_bytes >= block.size && device_bytes % block.size == 0);
        script_close(script);
    }
}

static void write_when_a_drive_fails_for_good_is_refused_in_time(void **state)
{
    (void)state;
    struct failing failing = {FB_OP_WRITE, FB_IO, UINT32_MAX};
    struct fb_config config = put_config();
    config.device_size_bytes = 16 * FLOW_BLOCK_BYTES;
    config.device_writes_max = 4;
    struct script *script = script_open(3, &config, 8);
    const struct fb_block block = put_block(2);
    script_set_fault(script, fail_ops, &failing);
    script_write(script, 1000, stranger_of(script, &block), 1, &block, FB_LEVEL_DEVICE);
    script_run(script, 1000000000);
    assert_status(script, 1, FB_TIMEOUT);
    script_close(script);
}

/* What is refused is heard in time, costs few stores, stays owed, and is stored when that helps;
 * the drain of others goes on. */
static void write_when_the_origin_refuses_for_good_hears_why_and_stays_owed(void **state)
{
    (void)state;
    static const enum fb_status cases[] = {FB_DENIED, FB_READ_ONLY, FB_REFUSED, FB_FULL};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t writer = 0; writer < 4; writer++) {
            struct failing failing = {FB_OP_STORE, cases[i], UINT32_MAX};
            struct fb_config config = put_config();
            struct script *script = script_open(4, &config, 3);
            const struct fb_block block = put_block(5), other = put_block(6);
            script_set_fault(script, fail_ops, &failing);
            script_write(script, 1000, writer, 1, &block, FB_LEVEL_ORIGIN);
            script_run(script, 100000000);
            assert_status(script, 1, cases[i]);
            assert_true(UINT32_MAX - failing.left <= 8);
            assert_true(
                fb_node_undrained_bytes(script_node(script, script_owner(script, &block, 0))) > 0);
            failing.left = 0;
            script_write(script, 100001000, writer, 2, &other, FB_LEVEL_ORIGIN);
            script_run(script, FB_NEVER_NS - 1);
            assert_status(script, 2, FB_OK);
            assert_true(script_stores(script, &block) >= 1);
            assert_quiet(script, 4, FB_NONE);
            script_close(script);
        }
    }
}

static void write_when_undrained_blocks_fill_the_pool_is_busy(void **state)
{
    (void)state;
    struct failing failing = {FB_OP_STORE, FB_IO, UINT32_MAX};
    struct fb_config config = put_config();
    config.replicas = 1;
    config.write_quorum = 1;
    struct script *script = script_open(1, &config, 9);
    script_set_fault(script, fail_ops, &failing);
    for (uint64_t i = 0; i < 10; i++) {
        const struct fb_block block = put_block(i);
        script_write(script, 1000 + i * 1000000, 0, i, &block, FB_LEVEL_REPLICATED);
    }
    script_run(script, 100000000);
    for (uint64_t i = 0; i < 8; i++)
        assert_status(script, i, FB_OK);
    assert_status(script, 8, FB_BUSY);
    assert_status(script, 9, FB_BUSY);
    for (uint64_t i = 0; i < 8; i++) {
        const struct fb_block block = put_block(i);
        assert_true(fb_node_holds(script_node(script, 0), block.key)); /* never evicted */
    }
    failing.left = 0; /* the origin is back */
    script_run(script, FB_NEVER_NS - 1);
    assert_quiet(script, 1, FB_NONE);
    script_close(script);
}

/* Its owner has no room until its stores end: that is no reason to wait for the next round. */
static void write_when_an_owner_has_room_again_is_acked_within_the_round(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    config.replicas = 1;
    config.write_quorum = 1;
    config.hold_ns = 1000000000;
    config.drain_delay_ns = 300000000;
    struct script *script = script_open(2, &config, 9);
    uint64_t number = 0;
    for (uint32_t written = 0; written < config.dirty_max; number++) {
        const struct fb_block block = put_block(number);
        if (script_owner(script, &block, 0) == 0)
            script_write(script, 1000000 * (1 + written), 0, written, &block, FB_LEVEL_REPLICATED);
        written += script_owner(script, &block, 0) == 0;
    }
    struct fb_block block = put_block(number);
    while (script_owner(script, &block, 0) != 0)
        block = put_block(++number);
    script_write(script, 20000000, 1, 100, &block, FB_LEVEL_REPLICATED);
    script_run(script, 250000000);
    assert_null(script_reply(script, 100)); /* the owner is full */
    script_run(script, FB_NEVER_NS - 1);
    assert_status(script, 100, FB_OK);
    assert_true(script_reply_ns(script, 100) < config.drain_delay_ns + config.hold_ns / 8);
    assert_quiet(script, 2, FB_NONE);
    script_close(script);
}

/* However many may be owed: what is read has room, and what is pinned has none of theirs. */
static void write_when_nothing_drains_leaves_memory_to_reads(void **state)
{
    (void)state;
    struct failing failing = {FB_OP_STORE, FB_IO, UINT32_MAX};
    struct fb_config config = put_config();
    uint32_t written = 0;
    config.replicas = 1;
    config.write_quorum = 1;
    config.dirty_max = 4 * FLOW_BLOCKS;
    struct script *script = script_open(1, &config, 9);
    script_set_fault(script, fail_ops, &failing);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        const struct fb_block block = put_block(i);
        script_write(script, 1000 + i * 1000000, 0, i, &block, FB_LEVEL_MEMORY);
    }
    const uint64_t later_ns = 1000000 * (4 * FLOW_BLOCKS + UINT64_C(1));
    for (uint64_t i = 0; i < FLOW_BLOCKS; i++) {
        const struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, later_ns + i * 20000000, 0, 1000 + i, &block);
    }
    script_run(script, later_ns + FLOW_BLOCKS * UINT64_C(20000000));
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++)
        written += script_reply(script, i)->status == FB_OK;
    assert_in_range(written, FLOW_BLOCKS - FLOW_BLOCKS / 8 - 1, FLOW_BLOCKS - 1);
    assert_status(script, 2 * FLOW_BLOCKS - 1, FB_BUSY);
    for (uint64_t i = 0; i < FLOW_BLOCKS; i++)
        assert_status(script, 1000 + i, FB_OK);
    failing.left = 0;
    script_run(script, FB_NEVER_NS - 1);
    assert_quiet(script, 1, FB_NONE);
    script_close(script);
}

struct yield {
    uint64_t stores_end_ns[8];
    uint32_t stores, most_while_reading, most;
};

/* Reads of object 9 take a second; counts the stores under way meanwhile and after. */
static struct script_fault watch_yield(struct script *script, uint32_t node, const struct fb_op *op)
{
    struct yield *yield = script_context(script);
    uint64_t now_ns = script_now_ns(script);
    uint32_t under_way = 1;
    (void)node;
    if (op->kind == FB_OP_FETCH)
        return (struct script_fault){.delay_ns = UINT64_C(1000000000)};
    if (op->kind != FB_OP_STORE)
        return (struct script_fault){.status = FB_OK};
    for (uint32_t i = 0; i < yield->stores; i++)
        under_way += yield->stores_end_ns[i] > now_ns;
    uint32_t *most = now_ns < 900000000 ? &yield->most_while_reading : &yield->most;
    *most = under_way > *most ? under_way : *most;
    yield->stores_end_ns[yield->stores++ % 8] = now_ns + 310000000;
    return (struct script_fault){.delay_ns = 300000000};
}

static void drain_yields_to_reads_but_goes_on(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    struct yield yield = {.stores = 0};
    config.drain_yield_fills = 1;
    config.drains_max = 4;
    config.write_quorum = 1;
    config.replicas = 1;
    config.puts_max = 8;
    config.dirty_max = 16;
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, watch_yield, &yield);
    for (uint64_t i = 0; i < 6; i++) {
        struct fb_block block = put_block(i);
        script_write(script, 1000 + i * 200000, 0, i, &block, FB_LEVEL_MEMORY);
    }
    for (uint64_t i = 0; i < 3; i++) {
        struct fb_block block = script_block(9, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 500 + i, 0, 10 + i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < 6; i++)
        assert_status(script, i, FB_OK);
    assert_int_equal(yield.most_while_reading, 1); /* drains_min */
    assert_in_range(yield.most, 2, 4);
    assert_int_equal(yield.stores, 6);
    assert_quiet(script, 1, FB_NONE);
    script_close(script);
}

static void write_with_bad_arguments_is_invalid(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    struct script *script = script_open(2, &config, 10);
    struct fb_block block = put_block(1), empty = block, homeless = block;
    empty.size = 0;
    homeless.object = FB_OBJECT_NONE;
    script_write(script, 1000, 0, 1, &empty, FB_LEVEL_REPLICATED);
    script_write(script, 2000, 0, 2, &homeless, FB_LEVEL_REPLICATED);
    script_write(script, 3000, 0, 3, &block, FB_LEVEL_VOLATILE);
    script_write(script, 4000, 0, 4, &block, 99);
    script_run(script, FB_NEVER_NS - 1);
    for (uint64_t i = 1; i <= 4; i++)
        assert_status(script, i, FB_INVALID);
    assert_quiet(script, 2, FB_NONE);
    script_close(script);
}

static void put_volatile_is_found_at_its_owner_by_others(void **state)
{
    (void)state;
    struct fb_config config = put_config();
    struct script *script = script_open(4, &config, 11);
    struct fb_block block = put_block(4);
    block.object = FB_OBJECT_NONE;
    uint32_t writer = stranger_of(script, &block);
    const struct fb_request put = {
        .kind = FB_REQUEST_PUT,
        .request_id = 1,
        .block = block,
        .span = {.region = FB_REGION_CLIENT, .peer = writer, .size = block.size}};
    script_request(script, 1000, writer, &put);
    script_run(script, 100000000);
    assert_true(fb_node_holds(script_node(script, script_owner(script, &block, 0)), block.key));
    uint32_t reader = script_owner(script, &block, 1);
    script_get(script, 200000000, reader, 2, &block);
    script_run(script, FB_NEVER_NS - 1);
    assert_status(script, 1, FB_OK);
    assert_status(script, 2, FB_OK);
    assert_quiet(script, 4, FB_NONE);
    script_close(script);
}

/* Context: what becomes of fetches. */
static struct script_fault fetches_in_vain(struct script *script, uint32_t node,
                                           const struct fb_op *op)
{
    (void)node;
    const struct script_fault *fault = script_context(script);
    return op->kind == FB_OP_FETCH ? *fault : (struct script_fault){.status = FB_OK};
}

/* A holder waits for the same block at an origin that is away: the writer does not wait with it,
 * and the reader is given the writer's bytes. */
static void write_when_a_holder_reads_from_an_origin_that_is_away_is_held(void **state)
{
    (void)state;
    enum { MS = 1000000 };
    struct script_fault faults[] = {{.status = FB_THROTTLED},
                                    {.status = FB_IO, .delay_ns = 400 * MS},
                                    {.status = FB_OK, .delay_ns = 400 * MS}};
    for (uint32_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct fb_config config = put_config();
        config.backoff_ns = 50 * MS;
        struct script *script = script_open(3, &config, 1 + i);
        const struct fb_block block = put_block(3);
        uint32_t holder = script_owner(script, &block, 0);
        script_set_fault(script, fetches_in_vain, &faults[i]);
        script_get(script, MS, holder, 1, &block);
        script_run(script, 20 * MS);
        assert_null(script_reply(script, 1));
        script_write(script, 20 * MS, stranger_of(script, &block), 2, &block, FB_LEVEL_REPLICATED);
        script_run(script, 24 * MS);
        assert_non_null(script_reply(script, 2));
        assert_int_equal(script_reply(script, 2)->status, FB_OK);
        assert_non_null(script_reply(script, 1));
        assert_int_equal(script_reply(script, 1)->status, FB_OK);
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_replicated_is_held_by_both_ranks_when_acked),
        cmocka_unit_test(write_of_many_blocks_is_drained_once_each_and_read_back),
        cmocka_unit_test(write_origin_is_acked_when_stored),
        cmocka_unit_test(write_origin_that_all_hold_rests_until_it_is_stored),
        cmocka_unit_test(write_device_is_on_both_devices_when_acked),
        cmocka_unit_test(write_when_the_first_rank_dies_before_the_drain_is_drained_by_another),
        cmocka_unit_test(drain_when_the_first_rank_is_silent_for_good_is_done_by_another_holder),
        cmocka_unit_test(write_when_messages_are_lost_or_doubled_is_acked_once),
        cmocka_unit_test(write_when_ops_fail_for_a_while_is_acked_and_drained),
        cmocka_unit_test(write_when_a_drive_fails_for_good_is_refused_in_time),
        cmocka_unit_test(write_when_the_origin_refuses_for_good_hears_why_and_stays_owed),
        cmocka_unit_test(write_when_undrained_blocks_fill_the_pool_is_busy),
        cmocka_unit_test(write_when_an_owner_has_room_again_is_acked_within_the_round),
        cmocka_unit_test(write_when_nothing_drains_leaves_memory_to_reads),
        cmocka_unit_test(drain_yields_to_reads_but_goes_on),
        cmocka_unit_test(write_when_a_holder_reads_from_an_origin_that_is_away_is_held),
        cmocka_unit_test(write_with_bad_arguments_is_invalid),
        cmocka_unit_test(put_volatile_is_found_at_its_owner_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
