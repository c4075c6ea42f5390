/* get.c, fill.c and attempt.c: local reads through memory, device, peers and origin, and every
 * error path. How: clusters of 1 to 4 scripted nodes (script.h); each test looks at replies,
 * counters and origin reads, and the script checks all invariants after every step and compares
 * every read's bytes. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

#include <stdlib.h>

#include <string.h>

enum { MS = 1000000 };

static void expect_ok(const struct script *script, uint64_t request_id, enum fb_reason reason)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, FB_OK);
    assert_int_equal(reply->reason, reason);
    assert_int_equal(reply->span.size, FLOW_BLOCK_BYTES);
    assert_int_equal(script_wrong_reads(script), 0);
}

static void expect_idle(struct script *script, uint32_t nodes)
{
    for (uint32_t i = 0; i < nodes; i++)
        assert_true(fb_node_is_idle(script_node(script, i)));
}

static void get_when_absent_fetches_once_then_hits(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_OWNER);
    script_get(script, 20 * MS, 0, 2, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 2, FB_REASON_MEMORY);
    assert_int_equal(script_reply_ns(script, 2), 20 * MS);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_fetches, 1);
    expect_idle(script, 1);
    script_close(script);
}

static void find_tells_where_a_block_is(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    struct fb_found found;
    const uint32_t owner = script_owner(script, &block, 0), reader = (owner + 1) % 3;
    script_run(script, 500); /* they have their view */
    fb_node_find(script_node(script, owner), block.key, &found);
    assert_int_equal(found.owner, owner);
    assert_false(found.is_in_memory || found.is_coming || found.is_on_device || found.is_owed);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, 1000);
    fb_node_find(script_node(script, reader), block.key, &found);
    assert_true(found.is_coming && !found.is_in_memory);
    script_run(script, FB_NEVER_NS - 1);
    fb_node_find(script_node(script, reader), block.key, &found);
    assert_true(found.is_in_memory && !found.is_coming && !found.is_on_device);
    assert_int_equal(found.owner, owner);
    fb_node_find(script_node(script, owner), block.key, &found);
    assert_true(found.is_in_memory && found.is_on_device && !found.is_owed);
    assert_int_equal(found.holder_count, 1);
    assert_int_equal(found.holders[0], reader);
    script_close(script);
}

static void get_when_filling_joins_the_fill(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    for (uint64_t i = 1; i <= 12; i++)
        script_get(script, 1000 * i, 0, i, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_OWNER);
    for (uint64_t i = 2; i <= 12; i++)
        expect_ok(script, i, FB_REASON_COALESCED);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_fetches, 1);
    expect_idle(script, 1);
    script_close(script);
}

static void get_when_slots_are_out_answers_busy_in_the_same_step(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.fills_max = 2;
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 1; i <= 3; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i, 0, i, &block);
    }
    script_run(script, 1003);
    assert_non_null(script_reply(script, 3));
    assert_int_equal(script_reply(script, 3)->status, FB_BUSY); /* R9 */
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_OWNER);
    expect_ok(script, 2, FB_REASON_ORIGIN_OWNER);
    expect_idle(script, 1);
    script_close(script);
}

static void get_when_everything_is_lent_out_answers_busy(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    script_set_hold(script, FB_NEVER_NS);
    for (uint64_t i = 0; i < FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20 * MS, 0, i, &block);
    }
    struct fb_block extra = script_block(8, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, (uint64_t)1000 * MS, 0, 100, &extra);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 100)->status, FB_BUSY);
    assert_int_equal(fb_node_stats(script_node(script, 0))->evictions, 0);
    script_close(script);
}

static void get_from_another_node_is_fetched_by_the_owner(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0);
    uint32_t reader = (owner + 1) % 3;
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_PEER);
    assert_int_equal(script_reply(script, 1)->source, owner);
    script_get(script, 50 * MS, (owner + 2) % 3, 2, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 2, FB_REASON_PEER);
    assert_int_equal(fb_node_stats(script_node(script, owner))->origin_fetches, 1);
    assert_int_equal(fb_node_stats(script_node(script, reader))->origin_fetches, 0);
    expect_idle(script, 3);
    script_close(script);
}

static struct script_fault owner_is_silent(struct script *script, uint32_t node,
                                           const struct fb_op *op)
{
    (void)node;
    uint32_t silent = *(uint32_t *)script_context(script);
    struct script_fault fault = {.status = FB_OK};
    fault.is_lost = op->kind == FB_OP_SEND && op->target == silent;
    return fault;
}

static void get_when_owner_is_silent_hedges_to_the_next_owner(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(4, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owner = script_owner(script, &block, 0), second = script_owner(script, &block, 1);
    uint32_t reader = 0;
    while (reader == owner || reader == second)
        reader++;
    script_set_fault(script, owner_is_silent, &owner);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_PEER);
    assert_int_equal(script_reply(script, 1)->source, second);
    assert_int_equal(fb_node_stats(script_node(script, reader))->hedges, 1);
    assert_int_equal(fb_node_stats(script_node(script, reader))->hedges_won, 1);
    assert_true(script_reply_ns(script, 1) < 1000 + config.hedge_ns + 12 * MS);
    expect_idle(script, 4);
    script_close(script);
}

/* The first owner says nothing, and the second can not read the origin. */
static struct script_fault owners_are_of_no_use(struct script *script, uint32_t node,
                                                const struct fb_op *op)
{
    const uint32_t *owners = script_context(script);
    bool is_failing = op->kind == FB_OP_FETCH && node == owners[1];
    return (struct script_fault){.status = is_failing ? FB_IO : FB_OK,
                                 .is_lost = op->kind == FB_OP_SEND && node == owners[0]};
}

static void get_when_a_hedge_fails_does_not_wait_for_the_silent_peer(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.wait_ns = (uint64_t)10000 * MS;
    struct script *script = script_open(4, &config, 1);
    const struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t owners[2] = {script_owner(script, &block, 0), script_owner(script, &block, 1)};
    uint32_t reader = 0;
    while (reader == owners[0] || reader == owners[1])
        reader++;
    script_set_fault(script, owners_are_of_no_use, owners);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(script_reply(script, 1)->reason, FB_REASON_ORIGIN);
    assert_true(script_reply_ns(script, 1) < 1000 * MS);
    expect_idle(script, 4);
    script_close(script);
}

struct dying {
    uint32_t node;
    uint64_t at_ns;
};

/* From a date on a node says nothing, and what is pulled from it takes 10 s to break off. */
static struct script_fault node_dies(struct script *script, uint32_t node, const struct fb_op *op)
{
    const struct dying *dying = script_context(script);
    bool is_pull = op->kind == FB_OP_PULL && op->source.peer == dying->node;
    bool is_lost =
        op->kind == FB_OP_SEND && node == dying->node && script_now_ns(script) >= dying->at_ns;
    return (struct script_fault){.status = is_pull ? FB_GONE : FB_OK,
                                 .delay_ns = is_pull ? (uint64_t)10000 * MS : 0,
                                 .is_lost = is_lost};
}

/* Another block of the same owners. */
static struct fb_block block_beside(const struct script *script, const struct fb_block *block,
                                    uint64_t object)
{
    for (uint64_t number = 1;; number++) {
        struct fb_block other = script_block(object, number, FLOW_BLOCK_BYTES, 1);
        if (script_owner(script, &other, 0) == script_owner(script, block, 0) &&
            script_owner(script, &other, 1) == script_owner(script, block, 1))
            return other;
    }
}

static void get_under_way_when_another_ask_meets_silence_is_hedged_at_once(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.wait_ns = (uint64_t)5000 * MS;
    struct script *script = script_open(4, &config, 1);
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    struct fb_block second = block_beside(script, &first, 7);
    struct dying dying = {.node = script_owner(script, &first, 0), .at_ns = (uint64_t)100 * MS};
    uint32_t reader = 0;
    while (reader == dying.node || reader == script_owner(script, &first, 1))
        reader++;
    script_set_fault(script, node_dies, &dying);
    script_get(script, 1000, reader, 1, &first);
    script_get(script, dying.at_ns + 1, reader, 2, &second);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(script_reply(script, 2)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, reader))->hedges, 2);
    /* The first ask was answered fast: silence tells in half the time. */
    assert_true(script_reply_ns(script, 1) < dying.at_ns + config.hedge_ns / 2 + 12 * MS);
    assert_int_equal(script_wrong_reads(script), 0);
    expect_idle(script, 4);
    script_close(script);
}

/* A peer says nothing between two dates, and then all at once: its machine was busy. */
struct stall {
    uint32_t node;
    uint64_t begin_ns, end_ns;
};

static struct script_fault node_stalls(struct script *script, uint32_t node, const struct fb_op *op)
{
    const struct stall *stall = script_context(script);
    uint64_t now_ns = script_now_ns(script);
    bool is_held = op->kind == FB_OP_SEND && node == stall->node && now_ns >= stall->begin_ns &&
                   now_ns < stall->end_ns;
    return (struct script_fault){.status = FB_OK, .delay_ns = is_held ? stall->end_ns - now_ns : 0};
}

/* Who gave the second of two blocks, asked for after the lender stalled `count` times. */
static bool stalled_peer_is_asked(uint32_t count)
{
    const struct fb_config config = flow_config();
    struct script *script = script_open(4, &config, 1);
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    struct fb_block second = block_beside(script, &first, 7);
    struct stall stall = {.node = script_owner(script, &first, 0)};
    uint32_t reader = 0;
    while (reader == stall.node || reader == script_owner(script, &first, 1))
        reader++;
    script_set_fault(script, node_stalls, &stall);
    for (uint32_t i = 0; i < count; i++) {
        struct fb_block block = i == 0 ? first : block_beside(script, &first, 8);
        stall.begin_ns = i * (config.suspect_ns + 1000 * MS);
        stall.end_ns = stall.begin_ns + 40 * MS;
        script_get(script, stall.begin_ns + 1000, reader, 1 + i, &block);
        script_run(script, stall.end_ns + 20 * MS);
        assert_int_equal(script_reply(script, 1 + i)->status, FB_OK);
        assert_true(script_reply_ns(script, 1 + i) < stall.end_ns);
    }
    script_get(script, stall.end_ns + 30 * MS, reader, 9, &second);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 9)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, reader))->suspicions, count);
    bool is_asked = script_reply(script, 9)->source == stall.node;
    expect_idle(script, 4);
    script_close(script);
    return is_asked;
}

static void get_after_a_late_answer_asks_the_peer_again(void **state)
{
    (void)state;
    assert_true(stalled_peer_is_asked(1));
}

static void get_after_a_second_late_answer_leaves_the_peer_alone(void **state)
{
    (void)state;
    assert_false(stalled_peer_is_asked(2));
}

static struct script_fault all_peers_are_silent(struct script *script, uint32_t node,
                                                const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = FB_OK, .is_lost = op->kind == FB_OP_SEND};
}

static void get_when_all_owners_are_silent_reads_the_origin(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(4, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t reader = 0;
    while (reader == script_owner(script, &block, 0) || reader == script_owner(script, &block, 1))
        reader++;
    script_set_fault(script, all_peers_are_silent, NULL);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN);
    expect_idle(script, 4);
    script_close(script);
}

/* Fails the first ops of a kind with a status, as many as asked for. */
struct failing {
    enum fb_op_kind kind;
    enum fb_status status;
    uint32_t left, seen;
};

static struct script_fault op_fails(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    struct failing *failing = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == failing->kind)
        failing->seen++;
    if (op->kind == failing->kind && failing->left > 0) {
        failing->left--;
        fault.status = failing->status;
    }
    return fault;
}

static void get_when_origin_throttles_backs_off_and_succeeds(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct failing failing = {.kind = FB_OP_FETCH, .status = FB_THROTTLED, .left = 3};
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, op_fails, &failing);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 1, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(failing.seen, 4);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_errors, 3);
    assert_true(script_reply_ns(script, 1) > 40 * MS);
    script_close(script);
}

static void get_when_origin_keeps_failing_gives_the_error(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct failing failing = {.kind = FB_OP_FETCH, .status = FB_IO, .left = 1000};
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_set_fault(script, op_fails, &failing);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_IO);
    assert_int_equal(failing.seen, config.retries_max + 1);
    expect_idle(script, 1);
    script_close(script);
}

static void get_when_a_pull_fails_tries_the_next_source(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct failing failing = {.kind = FB_OP_PULL, .status = FB_GONE, .left = 1};
    struct script *script = script_open(3, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    uint32_t reader = (script_owner(script, &block, 0) + 1) % 3;
    script_set_fault(script, op_fails, &failing);
    script_get(script, 1000, reader, 1, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(fb_node_stats(script_node(script, reader))->pull_errors, 1);
    assert_int_equal(script_wrong_reads(script), 0);
    expect_idle(script, 3);
    script_close(script);
}

static void get_from_device_after_memory_evicted_it(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct script *script = script_open(1, &config, 1);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20 * MS, 0, i, &block);
    }
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, (uint64_t)2000 * MS, 0, 100, &first);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 100, FB_REASON_DEVICE);
    assert_int_equal(fb_node_stats(script_node(script, 0))->origin_fetches, 2 * FLOW_BLOCKS);
    expect_idle(script, 1);
    script_close(script);
}

static void device_fails_once(uint64_t retries_max)
{
    struct fb_config config = flow_config();
    config.retries_max = retries_max;
    config.device_size_bytes = 4ull * FLOW_BLOCKS * FLOW_BLOCK_BYTES;
    struct failing failing = {.kind = FB_OP_READ, .status = FB_IO, .left = 1};
    struct script *script = script_open(1, &config, 1);
    script_set_fault(script, op_fails, &failing);
    for (uint64_t i = 0; i < 2 * FLOW_BLOCKS; i++) {
        struct fb_block block = script_block(7, i, FLOW_BLOCK_BYTES, 1);
        script_get(script, 1000 + i * 20 * MS, 0, i, &block);
    }
    struct fb_block first = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, (uint64_t)2000 * MS, 0, 100, &first);
    script_run(script, FB_NEVER_NS);
    expect_ok(script, 100, FB_REASON_ORIGIN_OWNER);
    assert_int_equal(fb_node_stats(script_node(script, 0))->device_errors, 1);
    expect_idle(script, 1);
    script_close(script);
}

static void get_when_the_device_fails_falls_back_to_the_origin(void **state)
{
    (void)state;
    device_fails_once(flow_config().retries_max);
    device_fails_once(0); /* also when there is no try left: the origin was not asked */
}

static void get_with_a_wrong_size_is_invalid(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, 1000, 0, 1, &block);
    struct fb_block shorter = block, larger = block, empty = block;
    shorter.size = 100;
    larger.size = FLOW_BLOCK_BYTES + 1;
    empty.size = 0;
    script_get(script, 20 * MS, 0, 2, &shorter);
    script_get(script, 20 * MS, 0, 3, &larger);
    script_get(script, 20 * MS, 0, 4, &empty);
    script_run(script, FB_NEVER_NS);
    for (uint64_t i = 2; i <= 4; i++)
        assert_int_equal(script_reply(script, i)->status, FB_INVALID);
    script_close(script);
}

static void release_twice_is_ignored(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    script_get(script, 1000, 0, 1, &block);
    script_run(script, FB_NEVER_NS);
    struct fb_request again = {.kind = FB_REQUEST_RELEASE, .lease = script_reply(script, 1)->lease};
    script_request(script, 30 * MS, 0, &again);
    again.lease = UINT64_MAX;
    script_request(script, 31 * MS, 0, &again);
    script_run(script, FB_NEVER_NS);
    expect_idle(script, 1);
    script_close(script);
}

static void put_then_get_returns_the_bytes(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_block block = script_block(7, 0, FLOW_BLOCK_BYTES, 1);
    block.object = FB_OBJECT_NONE;
    const struct fb_request put = {.kind = FB_REQUEST_PUT,
                                   .request_id = 1,
                                   .block = block,
                                   .span = {.region = FB_REGION_CLIENT, .size = FLOW_BLOCK_BYTES}};
    script_get(script, 1000, 0, 2, &block);
    script_request(script, 2000, 0, &put);
    script_get(script, 3000, 0, 3, &block);
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 2)->status, FB_ABSENT);
    assert_int_equal(script_reply(script, 2)->reason, FB_REASON_ABSENT);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    expect_ok(script, 3, FB_REASON_COALESCED);
    expect_idle(script, 1);
    script_close(script);
}

/* The answer to an ask of an earlier life: same id, another block. By hand, without a script. */
static void get_when_an_offer_names_another_block_returns_it(void **state)
{
    (void)state;
    struct fb_config config = flow_config();
    struct fb_op ops[FB_STEP_OPS_MAX];
    const struct fb_member members[2] = {{.node = 0, .domain = 0, .weight = 1, .is_up = 1},
                                         {.node = 1, .domain = 1, .weight = 1, .is_up = 1}};
    struct fb_view *view = calloc(1, fb_view_size_bytes(2));
    struct fb_node *node = calloc(1, fb_node_size_bytes(&config));
    assert_int_equal(fb_view_build(view, fb_view_size_bytes(2), 1, members, 2, 1), FB_OK);
    assert_int_equal(fb_node_init(node, fb_node_size_bytes(&config), &config, 1), FB_OK);
    struct fb_block block = script_block(1, 0, FLOW_BLOCK_BYTES, 1);
    for (uint64_t i = 1; fb_view_owner(view, block.key, 0) != 1; i++)
        block = script_block(1, i, FLOW_BLOCK_BYTES, 1);
    struct fb_event event = {.kind = FB_EVENT_VIEW, .view = view};
    fb_node_step(node, 1, &event, ops);
    event = (struct fb_event){.kind = FB_EVENT_REQUEST,
                              .request = {.kind = FB_REQUEST_GET, .block = block}};
    assert_int_equal(fb_node_step(node, 2, &event, ops), 1);
    assert_int_equal(ops[0].message.kind, FB_MESSAGE_ASK);
    event = (struct fb_event){
        .kind = FB_EVENT_MESSAGE,
        .message = {
            .kind = FB_MESSAGE_OFFER,
            .source = 1,
            .offer = {.ask_id = ops[0].message.ask.ask_id,
                      .lend_id = 77,
                      .key = block.key,
                      .span = {.region = FB_REGION_MEMORY, .peer = 1, .size = FLOW_BLOCK_BYTES}}}};
    event.message.offer.key.high++;
    assert_int_equal(fb_node_step(node, 3, &event, ops), 1);
    assert_int_equal(ops[0].kind, FB_OP_SEND);
    assert_int_equal(ops[0].message.kind, FB_MESSAGE_RETURN);
    assert_int_equal(ops[0].message.returned.lend_id, 77);
    event.message.offer.key.high--;
    assert_int_equal(fb_node_step(node, 4, &event, ops), 1);
    assert_int_equal(ops[0].kind, FB_OP_PULL); /* the right one is still awaited */
    free(node);
    free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_when_absent_fetches_once_then_hits),
        cmocka_unit_test(find_tells_where_a_block_is),
        cmocka_unit_test(get_when_filling_joins_the_fill),
        cmocka_unit_test(get_when_slots_are_out_answers_busy_in_the_same_step),
        cmocka_unit_test(get_when_everything_is_lent_out_answers_busy),
        cmocka_unit_test(get_from_another_node_is_fetched_by_the_owner),
        cmocka_unit_test(get_when_owner_is_silent_hedges_to_the_next_owner),
        cmocka_unit_test(get_when_a_hedge_fails_does_not_wait_for_the_silent_peer),
        cmocka_unit_test(get_under_way_when_another_ask_meets_silence_is_hedged_at_once),
        cmocka_unit_test(get_after_a_late_answer_asks_the_peer_again),
        cmocka_unit_test(get_after_a_second_late_answer_leaves_the_peer_alone),
        cmocka_unit_test(get_when_all_owners_are_silent_reads_the_origin),
        cmocka_unit_test(get_when_origin_throttles_backs_off_and_succeeds),
        cmocka_unit_test(get_when_origin_keeps_failing_gives_the_error),
        cmocka_unit_test(get_when_a_pull_fails_tries_the_next_source),
        cmocka_unit_test(get_from_device_after_memory_evicted_it),
        cmocka_unit_test(get_when_the_device_fails_falls_back_to_the_origin),
        cmocka_unit_test(get_with_a_wrong_size_is_invalid),
        cmocka_unit_test(release_twice_is_ignored),
        cmocka_unit_test(put_then_get_returns_the_bytes),
        cmocka_unit_test(get_when_an_offer_names_another_block_returns_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
