/* node.c and the contract of the seam (R1 to R12), on random scripts.
 * How: clusters of 1 to 8 nodes with a random mix of requests and message faults (lost, twice,
 * late) and op errors, seed printed and accepted as argument. The script checks the invariants
 * after every step and the bytes of every read; at the end every request has exactly one reply
 * and every node is idle. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

#include "core/index/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, ROUNDS = 60, REQUESTS = 300 };

static uint64_t first_seed = 20261123;

struct chaos {
    struct fb_random random;
    uint32_t loss_percent, twice_percent, error_percent;
};

static struct script_fault chaos_fault(struct script *script, uint32_t node, const struct fb_op *op)
{
    (void)node;
    struct chaos *chaos = script_context(script);
    struct script_fault fault = {.status = FB_OK};
    fault.delay_ns = fb_random_below(&chaos->random, 2 * MS);
    if (op->kind == FB_OP_SEND) {
        fault.is_lost = fb_random_below(&chaos->random, 100) < chaos->loss_percent;
        fault.is_duplicated = fb_random_below(&chaos->random, 100) < chaos->twice_percent;
        return fault;
    }
    static const enum fb_status errors[] = {FB_IO, FB_GONE, FB_THROTTLED, FB_TIMEOUT};
    if (op->kind != FB_OP_DIGEST && fb_random_below(&chaos->random, 100) < chaos->error_percent)
        fault.status = errors[fb_random_below(&chaos->random, 4)];
    return fault;
}

static struct fb_config chaos_config(struct fb_random *random)
{
    struct fb_config config = flow_config();
    config.policy = fb_random_below(random, FB_POLICY_COUNT);
    config.memory_entries_max = 1 + fb_random_below(random, FLOW_BLOCKS);
    config.fills_max = 1 + fb_random_below(random, 8);
    config.waiters_max = 1 + fb_random_below(random, 16);
    config.lends_max = 1 + fb_random_below(random, 8);
    config.lend_max = 2 + fb_random_below(random, 3);
    config.keep_peer_blocks = fb_random_below(random, 4) > 0;
    config.device_writes_max = fb_random_below(random, 4);
    config.retries_max = fb_random_below(random, 6);
    if (fb_random_below(random, 2) == 0)
        config.device_size_bytes = (1 + fb_random_below(random, 32)) * FLOW_BLOCK_BYTES;
    return config;
}

static void chaos_round(uint64_t seed)
{
    struct chaos chaos;
    fb_random_init(&chaos.random, seed);
    const struct fb_config config = chaos_config(&chaos.random);
    uint32_t nodes = 1 + (uint32_t)fb_random_below(&chaos.random, SCRIPT_NODES_MAX);
    chaos.loss_percent = (uint32_t)fb_random_below(&chaos.random, 20);
    chaos.twice_percent = (uint32_t)fb_random_below(&chaos.random, 20);
    chaos.error_percent = (uint32_t)fb_random_below(&chaos.random, 20);
    struct script *script = script_open(nodes, &config, seed);
    script_set_fault(script, chaos_fault, &chaos);
    script_set_hold(script, 1 + fb_random_below(&chaos.random, 10 * MS));
    for (uint32_t i = 0; i < REQUESTS; i++) {
        uint32_t size = 1 + (uint32_t)fb_random_below(&chaos.random, 3) * 1000;
        uint64_t object = fb_random_below(&chaos.random, 40);
        struct fb_block block = script_block(object, 0, size, size);
        uint64_t at_ns = 1 + fb_random_below(&chaos.random, (uint64_t)2000 * MS);
        script_get(script, at_ns, (uint32_t)fb_random_below(&chaos.random, nodes), i, &block);
    }
    script_run(script, FB_NEVER_NS);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        if (script_reply(script, i) == NULL)
            fail_msg("seed %llu: request %u has no reply", (unsigned long long)seed, i);
    }
    for (uint32_t i = 0; i < nodes; i++) {
        if (!fb_node_is_idle(script_node(script, i)))
            fail_msg("seed %llu: node %u is not idle at the end", (unsigned long long)seed, i);
    }
    assert_int_equal(script_wrong_reads(script), 0);
    script_close(script);
}

static void node_under_random_faults_answers_all_and_leaks_nothing(void **state)
{
    (void)state;
    printf("seed %llu, %d rounds (argument: first seed)\n", (unsigned long long)first_seed, ROUNDS);
    for (uint64_t i = 0; i < ROUNDS; i++)
        chaos_round(first_seed + i);
}

static void node_with_the_same_seed_gives_the_same_trace(void **state)
{
    (void)state;
    char *texts[2];
    for (uint32_t run = 0; run < 2; run++) {
        const struct fb_config config = flow_config();
        struct script *script = script_open(4, &config, 42);
        script_trace(script);
        struct chaos chaos = {.loss_percent = 10, .twice_percent = 10, .error_percent = 10};
        fb_random_init(&chaos.random, 42);
        script_set_fault(script, chaos_fault, &chaos);
        for (uint32_t i = 0; i < 50; i++) {
            struct fb_block block = script_block(i % 9, 0, FLOW_BLOCK_BYTES, 1);
            script_get(script, 1000 + i * 50000, i % 4, i, &block);
        }
        script_run(script, FB_NEVER_NS);
        texts[run] = strdup(script_text(script));
        script_close(script);
    }
    assert_string_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

/* Whoever listens changes nothing: all that nodes count is the same. */
static void node_that_tells_why_does_the_same(void **state)
{
    (void)state;
    struct fb_stats counted[2][4];
    for (uint32_t run = 0; run < 2; run++) {
        const struct fb_config config = flow_config();
        struct script *script = script_open(4, &config, 43);
        struct chaos chaos = {.loss_percent = 10, .twice_percent = 10, .error_percent = 10};
        fb_random_init(&chaos.random, 43);
        script_set_fault(script, chaos_fault, &chaos);
        if (run == 1)
            script_trace(script);
        for (uint32_t i = 0; i < 50; i++) {
            struct fb_block block = script_block(i % 9, 0, FLOW_BLOCK_BYTES, 1);
            script_get(script, 1000 + i * 50000, i % 4, i, &block);
        }
        script_run(script, FB_NEVER_NS);
        for (uint32_t node = 0; node < 4; node++)
            counted[run][node] = *fb_node_stats(script_node(script, node));
        assert_true(run == 0 || strstr(script_text(script), " | ") != NULL);
        script_close(script);
    }
    assert_true(counted[0][0].steps > 50);
    assert_memory_equal(counted[0], counted[1], sizeof(counted[0]));
}

static void node_after_init_wants_a_tick_at_once(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    uint64_t size_bytes = fb_node_size_bytes(&config);
    struct fb_node *node = test_malloc(size_bytes);
    assert_int_equal(fb_node_init(node, size_bytes - 1, &config, 1), FB_INVALID);
    assert_int_equal(fb_node_init(node, size_bytes, &config, 1), FB_OK);
    assert_int_equal(fb_node_deadline_ns(node), 0); /* R10 */
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    struct fb_op ops[FB_STEP_OPS_MAX];
    assert_int_equal(fb_node_step(node, 5, &tick, ops), 0);
    assert_true(fb_node_deadline_ns(node) == FB_NEVER_NS);
    test_free(node);
}

static void node_state_is_position_independent(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    uint64_t size_bytes = fb_node_size_bytes(&config);
    struct fb_node *node = test_malloc(size_bytes), *copy = test_malloc(size_bytes);
    assert_int_equal(fb_node_init(node, size_bytes, &config, 1), FB_OK);
    struct fb_block block = script_block(1, 0, FLOW_BLOCK_BYTES, 1);
    const struct fb_event get = {.kind = FB_EVENT_REQUEST,
                                 .request = {.kind = FB_REQUEST_GET, .block = block}};
    struct fb_op ops[FB_STEP_OPS_MAX], copied[FB_STEP_OPS_MAX];
    assert_int_equal(fb_node_step(node, 10, &get, ops), 1);
    memcpy(copy, node, size_bytes);
    const struct fb_event done = {.kind = FB_EVENT_DONE, .done = {.op_id = ops[0].op_id}};
    memset(ops, 0, sizeof(ops));
    memset(copied, 0, sizeof(copied));
    assert_int_equal(fb_node_step(node, 20, &done, ops), 1);
    assert_int_equal(fb_node_step(copy, 20, &done, copied), 1);
    assert_memory_equal(node, copy, size_bytes);
    assert_int_equal(ops[0].op_id, copied[0].op_id);
    test_free(node);
    test_free(copy);
}

static void node_of_the_scale_preset_fits_64_KiB(void **state)
{
    (void)state;
    assert_in_range(fb_node_scale_size_bytes(), 1, 64 * 1024);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_under_random_faults_answers_all_and_leaks_nothing),
        cmocka_unit_test(node_with_the_same_seed_gives_the_same_trace),
        cmocka_unit_test(node_that_tells_why_does_the_same),
        cmocka_unit_test(node_after_init_wants_a_tick_at_once),
        cmocka_unit_test(node_state_is_position_independent),
        cmocka_unit_test(node_of_the_scale_preset_fits_64_KiB),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
