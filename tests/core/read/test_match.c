/* match.c: the longest cached prefix of a chain, alone and across owners.
 * How: scripted clusters; blocks are put on the nodes that own them, then chains are matched. */
#include "tests/support/flow.h"
#include "tests/support/unit.h"

#include "core/key.h"

enum { MS = 1000000, KEYS = 12 };

static struct fb_key chain_key(uint64_t chain, uint32_t i, uint32_t group)
{
    return (struct fb_key){.high = fb_mix(chain * 100 + i / group + 1), .low = i + 1};
}

static void put_key(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                    struct fb_key key)
{
    const struct fb_request put = {
        .kind = FB_REQUEST_PUT,
        .request_id = request_id,
        .block = {.key = key, .object = FB_OBJECT_NONE, .size = FLOW_BLOCK_BYTES},
        .span = {.region = FB_REGION_CLIENT, .peer = node, .size = FLOW_BLOCK_BYTES}};
    script_request(script, at_ns, node, &put);
}

static uint32_t match(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                      const struct fb_key *keys, uint32_t count)
{
    const struct fb_request request = {
        .kind = FB_REQUEST_MATCH, .request_id = request_id, .keys = keys, .key_count = count};
    script_request(script, at_ns, node, &request);
    script_run(script, FB_NEVER_NS);
    assert_non_null(script_reply(script, request_id));
    assert_int_equal(script_reply(script, request_id)->status, FB_OK);
    return script_reply(script, request_id)->match_count;
}

static void match_alone_counts_to_the_first_missing(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(1, &config, 1);
    struct fb_key keys[KEYS];
    for (uint32_t i = 0; i < KEYS; i++) {
        keys[i] = chain_key(1, i, 4);
        if (i != 7)
            put_key(script, 1000 + i, 0, i, keys[i]);
    }
    script_run(script, FB_NEVER_NS);
    assert_int_equal(match(script, 50 * MS, 0, 100, keys, KEYS), 7);
    assert_int_equal(match(script, 60 * MS, 0, 101, keys, 5), 5);
    assert_int_equal(match(script, 70 * MS, 0, 102, keys + 7, 3), 0);
    assert_int_equal(match(script, 80 * MS, 0, 103, keys, 0), 0);
    script_close(script);
}

/* Puts every block of the chain on its owner, but one. */
static void put_on_owners(struct script *script, const struct fb_key *keys, uint32_t missing)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        const struct fb_block block = {.key = keys[i]};
        if (i != missing)
            put_key(script, 1000 + i, script_owner(script, &block, 0), i, keys[i]);
    }
    script_run(script, FB_NEVER_NS);
}

static void match_across_owners_takes_one_round_trip(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(4, &config, 1);
    struct fb_key keys[KEYS];
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = chain_key(3, i, 2);
    put_on_owners(script, keys, 10);
    for (uint32_t node = 0; node < 4; node++) {
        uint64_t at_ns = (50 + node * 10) * (uint64_t)MS;
        assert_int_equal(match(script, at_ns, node, 100 + node, keys, KEYS), 10);
        assert_true(script_reply_ns(script, 100 + node) <= at_ns + 20000); /* there and back */
        assert_true(fb_node_is_idle(script_node(script, node)));
    }
    script_close(script);
}

static struct script_fault tells_are_lost(struct script *script, uint32_t node,
                                          const struct fb_op *op)
{
    (void)script;
    (void)node;
    bool is_tell = op->kind == FB_OP_SEND && op->message.kind == FB_MESSAGE_MATCH_TELL;
    return (struct script_fault){.status = FB_OK, .is_lost = is_tell};
}

static void match_when_owners_are_silent_counts_what_is_here(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    struct script *script = script_open(4, &config, 1);
    struct fb_key keys[KEYS];
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = chain_key(3, i, 2);
    put_on_owners(script, keys, FB_NONE);
    script_set_fault(script, tells_are_lost, NULL);
    const struct fb_block first = {.key = keys[0]};
    uint32_t node = script_owner(script, &first, 0);
    uint32_t count = match(script, 50 * MS, node, 100, keys, KEYS);
    assert_in_range(count, 2, KEYS - 1); /* its own group at least, not all */
    assert_true(fb_node_is_idle(script_node(script, node)));
    script_close(script);
}

static void match_when_out_of_slots_is_busy(void **state)
{
    (void)state;
    const struct fb_config config = flow_config(); /* matches_max 2 */
    struct script *script = script_open(2, &config, 1);
    struct fb_key keys[1] = {chain_key(5, 0, 1)};
    for (uint64_t i = 2; keys[0].high == 0 || fb_view_partition(keys[0]) == 0; i++)
        keys[0] = chain_key(i, 0, 1);
    const struct fb_block block = {.key = keys[0]};
    uint32_t asker = 1 - script_owner(script, &block, 0);
    const struct fb_request request = {.kind = FB_REQUEST_MATCH, .keys = keys, .key_count = 1};
    for (uint64_t i = 0; i < 3; i++) {
        struct fb_request numbered = request;
        numbered.request_id = i;
        script_request(script, 1000, asker, &numbered);
    }
    script_run(script, FB_NEVER_NS);
    assert_int_equal(script_reply(script, 0)->status, FB_OK);
    assert_int_equal(script_reply(script, 1)->status, FB_OK);
    assert_int_equal(script_reply(script, 2)->status, FB_BUSY);
    script_close(script);
}

static void match_of_too_many_keys_is_invalid(void **state)
{
    (void)state;
    const struct fb_config config = flow_config();
    uint64_t size_bytes = fb_node_size_bytes(&config);
    struct fb_node *node = test_malloc(size_bytes);
    assert_int_equal(fb_node_init(node, size_bytes, &config, 1), FB_OK);
    static struct fb_key keys[FB_MATCH_KEYS_MAX + 1];
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {.kind = FB_REQUEST_MATCH, .keys = keys, .key_count = FB_MATCH_KEYS_MAX + 1}};
    struct fb_op ops[FB_STEP_OPS_MAX];
    assert_int_equal(fb_node_step(node, 1, &event, ops), 1);
    assert_int_equal(ops[0].reply.status, FB_INVALID);
    test_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_alone_counts_to_the_first_missing),
        cmocka_unit_test(match_across_owners_takes_one_round_trip),
        cmocka_unit_test(match_when_owners_are_silent_counts_what_is_here),
        cmocka_unit_test(match_when_out_of_slots_is_busy),
        cmocka_unit_test(match_of_too_many_keys_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
