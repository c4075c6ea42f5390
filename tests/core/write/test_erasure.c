/* Proves durable writes under an erasure code on scripted clusters: an acked block is at the origin
 * in the end whichever m nodes die, the writer among them or not, whatever messages are lost, slow
 * or doubled; reads of it return its bytes or are refused, never others; and after each run no
 * node has anything left. What is lost costs next to nothing, however long it is lost. Then that
 * fragments are spread over nodes and domains. */
#include "tests/support/unit.h"

#include "tests/support/flow.h"

#include "core/key.h"
#include "core/place/spread.h"

#include <stdlib.h>
#include <string.h>

enum { NODES = 8, DATA = 4, PARITY = 2 };

static struct fb_config erasure_config(void)
{
    struct fb_config config = flow_config();
    config.replicas = 2;
    config.write_quorum = 3;
    config.erasure_data = DATA;
    config.erasure_parity = PARITY;
    config.puts_max = 4;
    config.dirty_max = 16;
    config.drains_max = 2;
    config.hold_ns = 2000000;
    config.drain_delay_ns = 50000;
    config.drain_check_ns = 5000000;
    return config;
}

static struct fb_block erasure_block(uint64_t number, uint32_t size_bytes)
{
    return script_block(SCRIPT_WRITTEN + 1, number, size_bytes, 1);
}

static void assert_status(struct script *script, uint64_t request_id, enum fb_status status)
{
    const struct fb_reply *reply = script_reply(script, request_id);
    assert_non_null(reply);
    assert_int_equal(reply->status, status);
}

static void assert_quiet(struct script *script, uint32_t dead)
{
    for (uint32_t i = 0; i < NODES; i++) {
        if (!(dead >> i & 1u))
            assert_true(fb_node_is_idle(script_node(script, i)));
    }
    assert_int_equal(script_wrong_reads(script), 0);
}

static uint64_t count_of(struct script *script, uint32_t dead, size_t counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        const char *stats = (const char *)fb_node_stats(script_node(script, i));
        if (!(dead >> i & 1u))
            sum += *(const uint64_t *)(const void *)(stats + counter);
    }
    return sum;
}

static void write_of_any_size_is_acked_drained_and_read_back(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {FLOW_BLOCK_BYTES, 1, 64, 65, 200, 4095, 3000, 1024};
    struct fb_config config = erasure_config();
    struct script *script = script_open(NODES, &config, 1);
    for (uint64_t i = 0; i < 8; i++) {
        const struct fb_block block = erasure_block(i, sizes[i]);
        script_write(script, 1000 + i * 20000000, (uint32_t)i, i, &block, FB_LEVEL_REPLICATED);
        script_get(script, 1000000000 + i * 1000000, (uint32_t)(i + 3) % NODES, 100 + i, &block);
    }
    script_run(script, FB_NEVER_NS - 1);
    for (uint64_t i = 0; i < 8; i++) {
        const struct fb_block block = erasure_block(i, sizes[i]);
        assert_status(script, i, FB_OK);
        assert_status(script, 100 + i, FB_OK);
        assert_int_equal(script_stores(script, &block), 1);
    }
    assert_quiet(script, 0);
    script_close(script);
}

static void write_is_acked_before_the_drain_and_can_be_read(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 1000000000;
    for (uint32_t reader = 0; reader < NODES; reader++) {
        struct script *script = script_open(NODES, &config, 2);
        const struct fb_block block = erasure_block(3, FLOW_BLOCK_BYTES);
        script_write(script, 1000, 5, 1, &block, FB_LEVEL_REPLICATED);
        script_get(script, 100000000, reader, 2, &block);
        script_run(script, 500000000);
        assert_status(script, 1, FB_OK);
        assert_status(script, 2, FB_OK);
        assert_int_equal(script_stores(script, &block), 0);
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(script_stores(script, &block), 1);
        assert_quiet(script, 0);
        script_close(script);
    }
}

/* Holders take their fragments one long after the other, so that an ack comes between two. */
static struct script_fault hold_in_turn(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)script;
    bool is_hold = op->kind == FB_OP_PULL && op->source.region == FB_REGION_MEMORY;
    return (struct script_fault){.delay_ns = is_hold ? node * UINT64_C(300000) : 0};
}

/* Every set of up to PARITY nodes dies the moment the write is acked. */
static void write_survives_any_deaths_of_as_many_as_parity(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 500000000;
    uint64_t mends = 0;
    for (uint32_t dead = 0; dead < 1u << NODES; dead++) {
        if (__builtin_popcount(dead) > PARITY || dead == 0)
            continue;
        struct script *script = script_open(NODES, &config, 3);
        const struct fb_block block = erasure_block(7, FLOW_BLOCK_BYTES);
        script_set_fault(script, hold_in_turn, NULL);
        script_write(script, 1000, 5, 1, &block, FB_LEVEL_REPLICATED);
        for (uint64_t now = 1000; script_reply(script, 1) == NULL; now += 1000)
            script_run(script, now);
        assert_status(script, 1, FB_OK);
        for (uint32_t i = 0; i < NODES; i++) {
            if (dead >> i & 1u)
                script_kill(script, i);
        }
        script_bury(script, script_now_ns(script) + 30000000, FB_NONE);
        uint32_t reader = (uint32_t)__builtin_ctz(~dead);
        script_get(script, 2000000000, reader, 2, &block);
        script_run(script, 10000000000);
        assert_true(script_stores(script, &block) >= 1);
        assert_status(script, 2, FB_OK);
        assert_quiet(script, dead);
        mends += count_of(script, dead, offsetof(struct fb_stats, mends));
        script_close(script);
    }
    assert_true(mends >= NODES - 1); /* those with the writer */
}

struct rough {
    uint32_t left;
    uint64_t seed;
};

/* Loses, doubles and delays messages; every few pulls fail. */
static struct script_fault be_rough(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    struct rough *rough = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    rough->seed = fb_mix(rough->seed + 1);
    uint64_t dice = rough->seed % 100;
    if (rough->left == 0)
        return fault;
    rough->left--;
    if (op->kind == FB_OP_SEND)
        fault = (struct script_fault){.is_lost = dice<25, .is_duplicated = dice> 70,
                                      .delay_ns = dice > 90 ? 3000000 : 0};
    else if (op->kind != FB_OP_FETCH && dice < 15)
        fault.status = FB_IO;
    return fault;
}

static void write_with_lost_messages_and_errors_is_drained_also_without_its_writer(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.retries_max = 12;
    config.drain_delay_ns = 200000000;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rough rough = {.left = 300, .seed = seed};
        struct script *script = script_open(NODES, &config, seed);
        const struct fb_block block = erasure_block(seed, FLOW_BLOCK_BYTES - (uint32_t)seed);
        uint32_t writer = (uint32_t)(seed % NODES), other = (writer + 3) % NODES;
        script_set_fault(script, be_rough, &rough);
        script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 150000000);
        assert_non_null(script_reply(script, 1));
        bool is_acked = script_reply(script, 1)->status == FB_OK;
        rough.left = 200;
        script_kill(script, writer);
        script_kill(script, other);
        script_bury(script, 160000000, FB_NONE);
        script_run(script, 3000000000);
        if (is_acked)
            assert_true(script_stores(script, &block) >= 1);
        assert_int_equal(script_wrong_reads(script), 0);
        script_close(script);
    }
}

/* context: how often. Digests of pulled fragments come out wrong: other bytes than were sent. */
static struct script_fault fail_digests(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)node;
    uint32_t *left = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_DIGEST && op->block.object == FB_OBJECT_NONE && *left > 0) {
        *left -= 1;
        fault.status = FB_CORRUPT;
    }
    return fault;
}

static void mend_with_corrupt_fragments_takes_others(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 200000000;
    for (uint32_t bad = 1; bad < 12; bad++) {
        uint32_t left = bad;
        struct script *script = script_open(NODES, &config, bad);
        const struct fb_block block = erasure_block(1, FLOW_BLOCK_BYTES);
        script_set_fault(script, fail_digests, &left);
        script_write(script, 1000, 2, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 100000000);
        assert_status(script, 1, FB_OK);
        script_bury(script, 110000000, 2);
        script_run(script, FB_NEVER_NS - 1);
        assert_true(script_stores(script, &block) >= 1);
        assert_quiet(script, 1u << 2);
        script_close(script);
    }
}

struct wrong {
    uint32_t node, skip;
    bool is_done;
};

/* One digest of the node's comes out wrong. */
static struct script_fault digest_wrong(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    struct wrong *wrong = script_context(script);
    bool is_it =
        op->kind == FB_OP_DIGEST && node == wrong->node && !wrong->is_done && wrong->skip-- == 0;
    wrong->is_done = wrong->is_done || is_it;
    return (struct script_fault){.is_garbled = is_it};
}

/* Whichever of the writer's digests is wrong, the first of the whole block included: what was acked
 * can be made of its fragments, and has the block's bytes. */
static void write_with_a_wrong_digest_outlives_its_writer(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 500000000;
    config.retries_max = 12;
    for (uint32_t skip = 0; skip < 10; skip++) {
        struct wrong wrong = {.node = 5, .skip = skip};
        struct script *script = script_open(NODES, &config, 3);
        const struct fb_block block = erasure_block(7, FLOW_BLOCK_BYTES);
        script_set_fault(script, digest_wrong, &wrong);
        script_write(script, 1000, wrong.node, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 200000000);
        assert_status(script, 1, FB_OK);
        assert_true(wrong.is_done || skip >= 8);
        script_bury(script, 210000000, wrong.node);
        script_get(script, 3000000000, 1, 2, &block);
        script_run(script, 10000000000);
        assert_true(script_stores(script, &block) >= 1);
        assert_status(script, 2, FB_OK);
        assert_quiet(script, 1u << wrong.node);
        script_close(script);
    }
}

/* One node's answers are lost for good. */
static struct script_fault slow_holds(struct script *script, uint32_t node, const struct fb_op *op)
{
    const uint32_t *slow = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_HELD && node == *slow)
        fault.is_lost = true;
    return fault;
}

static void write_with_a_silent_target_is_acked_when_the_quorum_allows(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.write_quorum = 2;
    config.drain_delay_ns = 100000000;
    for (uint32_t slow = 0; slow < NODES; slow++) {
        struct script *script = script_open(NODES, &config, 5);
        const struct fb_block block = erasure_block(9, FLOW_BLOCK_BYTES);
        script_set_fault(script, slow_holds, &slow);
        script_write(script, 1000, 6, 1, &block, FB_LEVEL_REPLICATED);
        script_run(script, 50000000);
        assert_status(script, 1, FB_OK);
        script_run(script, FB_NEVER_NS - 1);
        assert_int_equal(script_stores(script, &block), 1);
        assert_quiet(script, 0);
        script_close(script);
    }
}

static struct script_fault fail_encode(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)script;
    (void)node;
    return (struct script_fault){.status = op->kind == FB_OP_ENCODE ? FB_INVALID : FB_OK};
}

/* Else holders that are full of fragments could make no block of them, and would stay full. */
static void holders_of_fragments_keep_a_record_free(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.dirty_max = 2;
    config.drain_delay_ns = 1000000000;
    struct script *script = script_open(NODES, &config, 8);
    for (uint64_t i = 0; i < 4; i++) {
        const struct fb_block block = erasure_block(i, FLOW_BLOCK_BYTES);
        script_write(script, 1000 + i * 2000000, (uint32_t)i % 2, i, &block, FB_LEVEL_REPLICATED);
    }
    script_run(script, 500000000);
    uint64_t full = 0;
    for (uint32_t node = 2; node < NODES; node++) {
        uint64_t bytes = fb_node_undrained_bytes(script_node(script, node));
        assert_true(bytes == 0 || bytes == FLOW_BLOCK_BYTES / DATA);
        full += bytes > 0;
    }
    assert_true(full > 0);
    assert_true(count_of(script, 0, offsetof(struct fb_stats, busy_answers)) > 0);
    script_run(script, FB_NEVER_NS - 1);
    assert_quiet(script, 0);
    script_close(script);
}

/* Nobody is heard who tells of a fragment. */
static struct script_fault tell_in_vain(struct script *script, uint32_t node,
                                        const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_told = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_FRAGMENT;
    return (struct script_fault){.is_lost = is_told};
}

/* The block's first rank has a fragment itself, and asks those who should have the others. */
static void mend_asks_holders_that_it_does_not_hear(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 200000000;
    struct script *script = script_open(NODES, &config, 7);
    const struct fb_block block = erasure_block(4, FLOW_BLOCK_BYTES);
    script_set_fault(script, tell_in_vain, NULL);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 100000000);
    assert_status(script, 1, FB_OK);
    script_bury(script, 110000000, 0);
    script_run(script, UINT64_C(4000000000));
    assert_int_equal(script_stores(script, &block), 1);
    assert_int_equal(count_of(script, 1, offsetof(struct fb_stats, mends)), 1);
    script_close(script);
}

static void fragments_of_which_too_few_are_left_go_after_a_while(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 500000000;
    config.orphan_ns = UINT64_C(2000000000);
    struct script *script = script_open(NODES, &config, 9);
    const uint32_t dead = 0x1f;
    const struct fb_block block = erasure_block(1, FLOW_BLOCK_BYTES);
    script_write(script, 1000, 0, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 100000000);
    assert_status(script, 1, FB_OK);
    for (uint32_t i = 0; i < NODES; i++) {
        if (dead >> i & 1u)
            script_kill(script, i);
    }
    script_bury(script, 110000000, FB_NONE);
    script_run(script, 2000000000);
    uint64_t kept_bytes = 0;
    for (uint32_t i = 5; i < NODES; i++)
        kept_bytes += fb_node_undrained_bytes(script_node(script, i));
    assert_true(kept_bytes > 0);
    assert_int_equal(count_of(script, dead, offsetof(struct fb_stats, orphans_dropped)), 0);
    script_run(script, FB_NEVER_NS - 1);
    assert_int_equal(script_stores(script, &block), 0);
    assert_int_equal(count_of(script, dead, offsetof(struct fb_stats, orphans_dropped)),
                     kept_bytes / (FLOW_BLOCK_BYTES / DATA));
    assert_quiet(script, dead);
    script_close(script);
}

/* Runs for hours of the cluster's time. Whatever is asked again for ever costs steps. */
static void assert_few_steps(struct script *script, uint32_t hours, uint64_t steps_max)
{
    const uint64_t MINUTE_NS = UINT64_C(60000000000);
    uint64_t begin_ns = script_now_ns(script);
    uint64_t before = count_of(script, 0, offsetof(struct fb_stats, steps));
    for (uint32_t i = 0; i < 60 * hours; i++) {
        script_run(script, begin_ns + i * MINUTE_NS);
        uint64_t steps = count_of(script, 0, offsetof(struct fb_stats, steps)) - before;
        assert_true(steps <= steps_max);
    }
}

struct forgetting {
    struct fb_request request;
    uint32_t first; /* rank */
    uint32_t node;  /* whose client forgets */
    bool is_done;
};

/* When a holder tells of its fragment the block is forgotten at its first rank, which has told
 * itself just now, and nowhere else, before that word comes. */
static struct script_fault forget_when_told(struct script *script, uint32_t node,
                                            const struct fb_op *op)
{
    struct forgetting *forgetting = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    if (op->kind != FB_OP_SEND)
        return fault;
    if (op->message.kind == FB_MESSAGE_FORGET && op->target != forgetting->first)
        fault.is_lost = true;
    if (op->message.kind != FB_MESSAGE_FRAGMENT || node == forgetting->first)
        return fault;
    fault.delay_ns = 100000000;
    if (!forgetting->is_done)
        script_request(script, script_now_ns(script) + 10000000, forgetting->node,
                       &forgetting->request);
    forgetting->is_done = true;
    return fault;
}

/* The first rank's own fragment, which it counts on, goes before it is taken. */
static void mend_whose_own_fragment_goes_ends(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.erasure_data = 2;
    config.erasure_parity = 0;
    config.write_quorum = 1;
    config.drain_delay_ns = UINT64_C(1000000000);
    config.drain_check_ns = UINT64_C(1000000000);
    config.orphan_ns = UINT64_C(3600000000000);
    const struct fb_block block = erasure_block(4, FLOW_BLOCK_BYTES);
    struct script *script = script_open(NODES, &config, 7);
    struct forgetting forgetting = {.first = script_owner(script, &block, 0)};
    uint32_t writer = (forgetting.first + 3) % NODES;
    forgetting.node = writer;
    forgetting.request =
        (struct fb_request){.kind = FB_REQUEST_FORGET, .request_id = 2, .block = block};
    script_set_fault(script, forget_when_told, &forgetting);
    script_write(script, 1000, writer, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 100000000);
    assert_status(script, 1, FB_OK);
    script_kill(script, writer);
    script_restart(script, 110000000, writer, false);
    assert_few_steps(script, 3, 1000);
    assert_status(script, 2, FB_OK);
    assert_quiet(script, 0);
    assert_int_equal(count_of(script, 0, offsetof(struct fb_stats, orphans_dropped)), 1);
    script_close(script);
}

/* Nodes die and come back with nothing, at any time and however few are left. */
static void blocks_that_are_lost_cost_few_steps(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_check_ns = UINT64_C(1000000000);
    config.drain_delay_ns = UINT64_C(2000000000);
    config.orphan_ns = UINT64_C(3600000000000);
    config.retries_max = 12;
    uint64_t dropped = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        config.erasure_data = seed % 2 == 0 ? 2 : DATA;
        config.erasure_parity = seed % 4;
        config.write_quorum = config.erasure_parity > 1 ? 2 : 1;
        struct rough rough = {.left = 400, .seed = seed};
        struct script *script = script_open(NODES, &config, seed);
        script_set_fault(script, be_rough, &rough);
        for (uint64_t i = 0; i < 6; i++) {
            const struct fb_block block = erasure_block(i, FLOW_BLOCK_BYTES - (uint32_t)seed);
            script_write(script, 1000 + i * 100000000, (uint32_t)i % 3, i, &block,
                         FB_LEVEL_REPLICATED);
        }
        for (uint64_t i = 0; i < 8; i++) {
            uint64_t dice = fb_mix(seed * 100 + i);
            script_run(script, script_now_ns(script) + dice % UINT64_C(2000000000));
            uint32_t node = (uint32_t)(dice >> 40) % NODES;
            script_kill(script, node);
            script_run(script, script_now_ns(script) + (dice >> 20) % UINT64_C(300000000));
            script_restart(script, script_now_ns(script), node, false);
        }
        rough.left = 0;
        assert_few_steps(script, 4, 4000);
        assert_quiet(script, 0);
        dropped += count_of(script, 0, offsetof(struct fb_stats, orphans_dropped));
        script_close(script);
    }
    assert_true(dropped > 0);
}

/* R13 */
static void encode_without_a_coder_is_refused(void **state)
{
    (void)state;
    struct fb_config config = erasure_config();
    config.drain_delay_ns = 100000000;
    struct script *script = script_open(NODES, &config, 6);
    const struct fb_block block = erasure_block(9, FLOW_BLOCK_BYTES);
    script_set_fault(script, fail_encode, NULL);
    script_write(script, 1000, 6, 1, &block, FB_LEVEL_REPLICATED);
    script_run(script, 50000000);
    assert_status(script, 1, FB_TIMEOUT);
    script_close(script);
}

static void spread_is_over_nodes_and_domains(void **state)
{
    (void)state;
    enum { MEMBERS = 24, DOMAINS = 8 };
    struct fb_member members[MEMBERS];
    uint64_t view_bytes = fb_view_size_bytes(MEMBERS);
    struct fb_view *view = calloc(1, view_bytes), *next = calloc(1, view_bytes);
    for (uint32_t i = 0; i < MEMBERS; i++)
        members[i] = (struct fb_member){.node = i, .domain = i % DOMAINS, .weight = 1, .is_up = 1};
    assert_int_equal(fb_view_build(view, view_bytes, 1, members, MEMBERS, 3), FB_OK);
    members[5].is_up = 0;
    assert_int_equal(fb_view_build(next, view_bytes, 2, members, MEMBERS, 3), FB_OK);
    uint32_t moved = 0;
    for (uint64_t n = 0; n < 500; n++) {
        const struct fb_key key = {.high = fb_mix(n), .low = 1};
        uint32_t targets[FB_FRAGMENTS_MAX], later[FB_FRAGMENTS_MAX], domains = 0, nodes = 0;
        fb_spread(view, key, 6, targets);
        fb_spread(next, key, 6, later);
        for (uint32_t i = 0; i < 6; i++) {
            domains |= 1u << targets[i] % DOMAINS;
            moved += targets[i] != later[i] && targets[i] != 5;
            assert_int_not_equal(later[i], 5);
        }
        assert_int_equal(__builtin_popcount(domains), 6);
        fb_spread(view, key, 16, targets);
        for (uint32_t i = 0; i < 16; i++)
            nodes |= 1u << targets[i];
        assert_int_equal(__builtin_popcount(nodes), 16);
        assert_int_equal(targets[0], fb_view_owner(view, key, 0));
    }
    assert_true(moved < 500 * 6 / 10);
    free(view);
    free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_of_any_size_is_acked_drained_and_read_back),
        cmocka_unit_test(write_is_acked_before_the_drain_and_can_be_read),
        cmocka_unit_test(write_survives_any_deaths_of_as_many_as_parity),
        cmocka_unit_test(write_with_lost_messages_and_errors_is_drained_also_without_its_writer),
        cmocka_unit_test(mend_with_corrupt_fragments_takes_others),
        cmocka_unit_test(write_with_a_silent_target_is_acked_when_the_quorum_allows),
        cmocka_unit_test(write_with_a_wrong_digest_outlives_its_writer),
        cmocka_unit_test(mend_whose_own_fragment_goes_ends),
        cmocka_unit_test(blocks_that_are_lost_cost_few_steps),
        cmocka_unit_test(holders_of_fragments_keep_a_record_free),
        cmocka_unit_test(mend_asks_holders_that_it_does_not_hear),
        cmocka_unit_test(fragments_of_which_too_few_are_left_go_after_a_while),
        cmocka_unit_test(encode_without_a_coder_is_refused),
        cmocka_unit_test(spread_is_over_nodes_and_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
