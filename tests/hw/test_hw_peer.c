/* What a peer may send does not end a node: messages of any content whose frame is in order reach
 * the core, and no assertion of it may depend on them.
 * How: a node with a small cache is given client requests, random messages from its peers (fields
 * drawn from few values, so that they meet what is there) and DONE for its ops; every step ends in
 * fb_node_check. */
#include "core/node/node.h"

#include "core/index/random.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 4, STEPS = 400000, OPS_MAX = 4096 };

static uint64_t first_seed = 20261126;
static struct fb_op pending[OPS_MAX];
static uint32_t pending_count;
static uint64_t leases[64], ids[64], lends[64];
static struct fb_key keys[8];

static uint64_t one_of(struct fb_random *random, const uint64_t *list)
{
    return fb_random_below(random, 8) == 0 ? fb_random_next(random)
                                           : list[fb_random_below(random, 64)];
}

/* The driver sees to it that clients give back only what they have, and once. */
static uint64_t lease_take(struct fb_random *random)
{
    uint64_t at = fb_random_below(random, 64), lease = leases[at];
    leases[at] = UINT64_MAX;
    return lease;
}

static struct fb_block block_draw(struct fb_random *random)
{
    static const uint32_t sizes[] = {4096, 4096, 4096, 4096, 1, 0, 4097, UINT32_MAX};
    uint64_t number = fb_random_below(random, 40);
    return (struct fb_block){.key = {.high = number, .low = number / 10},
                             .object = fb_random_below(random, 4) == 0 ? FB_OBJECT_NONE : number,
                             .offset = number * 4096,
                             .size = sizes[fb_random_below(random, 8)]};
}

static struct fb_message message_draw(struct fb_random *random)
{
    struct fb_message message;
    struct fb_message_flat flat = {
        .kind = (uint8_t)fb_random_below(random, FB_MESSAGE_SOUGHT + 3),
        .status = (uint8_t)fb_random_below(random, FB_STATUS_COUNT + 2),
        .flags = (uint8_t)fb_random_below(random, 16),
        .level = (uint8_t)fb_random_below(random, fb_random_below(random, 4) == 0 ? 256 : 5),
        .source = 1 + (uint32_t)fb_random_below(random, NODES - 1),
        .ask_id = one_of(random, ids),
        .lend_id = one_of(random, lends),
        .digest = fb_random_below(random, 3),
        .node = (uint32_t)fb_random_below(random, 8) == 0
                    ? FB_NONE
                    : (uint32_t)fb_random_below(random, NODES + 2),
        .block = block_draw(random)};
    uint32_t holder = (uint32_t)fb_random_below(random, 2 * NODES);
    flat.span = (struct fb_span){.region = (uint32_t)fb_random_below(random, 4),
                                 .peer = holder < NODES ? holder : flat.source,
                                 .offset = fb_random_below(random, 1 << 20),
                                 .size = flat.block.size};
    if (flat.kind == FB_MESSAGE_MATCH_ASK) {
        flat.count = (uint32_t)fb_random_below(random, 9);
        flat.keys = keys;
    }
    if (flat.kind == FB_MESSAGE_MATCH_TELL)
        flat.count = (uint32_t)fb_random_next(random);
    bool has_fragment = flat.kind == FB_MESSAGE_HOLD || flat.kind == FB_MESSAGE_FRAGMENT ||
                        flat.kind == FB_MESSAGE_DRAIN_ASK;
    if (has_fragment && fb_random_below(random, 2) > 0)
        flat.count = (uint32_t)fb_random_below(random, fb_random_below(random, 8) ? 6 : 99);
    if (has_fragment && flat.count > 0 && fb_random_below(random, 2) > 0)
        flat.node = 1 + (uint32_t)fb_random_below(random, 4097);
    fb_message_unpack(&message, &flat);
    return message;
}

/* A drive's table of headers is as long as it likes, and says what it likes. */
static void scan_draw(struct fb_random *random, const struct fb_op *op, struct fb_done *done)
{
    const struct fb_block block = block_draw(random);
    done->next = op->source.offset + 1 + fb_random_below(random, 64);
    done->header = (struct fb_header){.key = block.key,
                                      .object = block.object,
                                      .offset = block.offset,
                                      .digest = fb_random_below(random, 3),
                                      .position = 64 * fb_random_below(random, 4096),
                                      .size = block.size,
                                      .state = (uint32_t)fb_random_below(random, 4)};
}

static struct fb_event event_draw(struct fb_random *random)
{
    struct fb_event event = {.kind = FB_EVENT_MESSAGE};
    uint64_t draw = fb_random_below(random, 10);
    if (draw < 3 && pending_count > 0) {
        uint32_t index = (uint32_t)fb_random_below(random, pending_count);
        const struct fb_op op = pending[index];
        pending[index] = pending[--pending_count];
        event = (struct fb_event){.kind = FB_EVENT_DONE, .done = {.op_id = op.op_id}};
        event.done.digest = fb_random_below(random, 3);
        if (fb_random_below(random, 5) == 0)
            event.done.status = 1 + (uint32_t)fb_random_below(random, FB_STATUS_COUNT - 1);
        else if (op.kind == FB_OP_SCAN)
            scan_draw(random, &op, &event.done);
        return event;
    }
    if (draw < 6) {
        event = (struct fb_event){.kind = FB_EVENT_REQUEST};
        event.request.kind = (uint32_t)fb_random_below(random, FB_REQUEST_MATCH + 1);
        event.request.block = block_draw(random);
        event.request.level = (uint32_t)fb_random_below(random, FB_LEVEL_COUNT + 1);
        event.request.lease = lease_take(random);
        event.request.span = (struct fb_span){.size = event.request.block.size};
        event.request.keys = keys;
        event.request.key_count = (uint32_t)fb_random_below(random, 9);
        return event;
    }
    event.message = message_draw(random);
    return event;
}

/* Remembers what later messages may refer to. */
static void ops_take(struct fb_random *random, const struct fb_op *ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)fb_random_below(random, 64);
        if (ops[i].kind == FB_OP_REPLY) {
            bool is_lent = ops[i].reply.status == FB_OK && ops[i].reply.span.size > 0;
            leases[at] = is_lent ? ops[i].reply.lease : leases[at];
        } else if (ops[i].kind == FB_OP_SEND) {
            struct fb_message_flat flat;
            fb_message_pack(&flat, &ops[i].message);
            ids[at] = flat.ask_id;
            lends[at] = flat.lend_id;
        } else if (ops[i].kind >= FB_OP_READ) {
            assert_true(pending_count < OPS_MAX);
            pending[pending_count++] = ops[i];
        }
    }
}

static struct fb_view *view_make(void)
{
    struct fb_member members[NODES];
    uint64_t size_bytes = fb_view_size_bytes(NODES);
    struct fb_view *view = test_malloc(size_bytes);
    for (uint32_t i = 0; i < NODES; i++)
        members[i] = (struct fb_member){.node = i, .domain = i, .weight = 1, .is_up = 1};
    assert_int_equal(fb_view_build(view, size_bytes, 1, members, NODES, 2), FB_OK);
    return view;
}

static void messages_try(uint64_t erasure_data)
{
    struct fb_random random;
    struct fb_config config;
    struct fb_op ops[FB_STEP_OPS_MAX];
    uint64_t now_ns = 0;
    fb_random_init(&random, first_seed);
    memset(leases, 0xff, sizeof(leases));
    fb_config_init_scale(&config);
    config.block_size_bytes = 4096;
    config.memory_size_bytes = 16 * 4096;
    config.device_size_bytes = 16 * 4096;
    config.memory_entries_max = 24;
    config.device_entries_max = 24;
    config.fills_max = 12;
    config.erasure_data = erasure_data;
    pending_count = 0;
    uint64_t size_bytes = fb_node_size_bytes(&config);
    struct fb_node *node = test_malloc(size_bytes);
    struct fb_view *view = view_make();
    assert_int_equal(fb_node_init(node, size_bytes, &config, first_seed), FB_OK);
    struct fb_event event = {.kind = FB_EVENT_VIEW, .view = view};
    for (uint32_t i = 0; i < STEPS; i++) {
        ops_take(&random, ops, fb_node_step(node, now_ns, &event, ops));
        if (i % 16 == 0)
            fb_node_check(node);
        now_ns += fb_random_below(&random, 3000000);
        if (fb_node_deadline_ns(node) <= now_ns)
            event = (struct fb_event){.kind = FB_EVENT_TICK};
        else
            event = event_draw(&random);
    }
    assert_true(fb_node_stats(node)->late_messages > 1000);
    assert_true(fb_node_stats(node)->bad_messages > 1000);
    assert_true(fb_node_stats(node)->asks_served > 100);
    test_free(node);
    test_free(view);
}

static void messages_of_any_content_do_no_harm(void **state)
{
    (void)state;
    messages_try(0);
}

static void messages_with_erasure_code_do_no_harm(void **state)
{
    (void)state;
    messages_try(2);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)first_seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages_of_any_content_do_no_harm),
                                       cmocka_unit_test(messages_with_erasure_code_do_no_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
