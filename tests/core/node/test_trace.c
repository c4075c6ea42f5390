/* trace.c: records keep what matters of events and ops, and ids say what they are of.
 * How: one event and op of each kind against its whole record; ids of a flow, and of none. */
#include "core/node/node.h"
#include "core/trace.h"
#include "tests/support/unit.h"

#include <string.h>

static void expect_event(const struct fb_event *event, struct fb_trace_record expected)
{
    struct fb_trace_record record;
    memset(&record, 0xa5, sizeof(record));
    fb_trace_event(&record, 1500, 2, event);
    expected.time_ns = 1500;
    expected.node = 2;
    expected.kind = (uint8_t)event->kind;
    assert_memory_equal(&record, &expected, sizeof(record));
}

static void expect_op(const struct fb_op *op, struct fb_trace_record expected)
{
    struct fb_trace_record record;
    memset(&record, 0xa5, sizeof(record));
    fb_trace_op(&record, UINT64_C(1234567890123), 41, op);
    expected.time_ns = UINT64_C(1234567890123);
    expected.node = 41;
    expected.direction = 1;
    expected.kind = (uint8_t)op->kind;
    assert_memory_equal(&record, &expected, sizeof(record));
}

static const struct fb_block block = {
    .key = {.high = 0x1f, .low = 3}, .object = 7, .offset = 8192, .size = 4096};

static void trace_event_of_each_kind_has_its_record(void **state)
{
    (void)state;
    const struct fb_trace_record none = {.peer = FB_NONE};
    expect_event(&(struct fb_event){.kind = FB_EVENT_TICK}, none);
    expect_event(&(struct fb_event){.kind = FB_EVENT_VIEW}, none);
    expect_event(
        &(struct fb_event){.kind = FB_EVENT_REQUEST,
                           .request = {.kind = FB_REQUEST_GET, .request_id = 10, .block = block}},
        (struct fb_trace_record){
            .peer = FB_NONE, .key_high = 0x1f, .key_low = 3, .id = 10, .size = 4096});
    expect_event(
        &(struct fb_event){.kind = FB_EVENT_REQUEST,
                           .request = {.kind = FB_REQUEST_RELEASE, .lease = 0xbeef}},
        (struct fb_trace_record){.subkind = FB_REQUEST_RELEASE, .peer = FB_NONE, .id = 0xbeef});
    expect_event(
        &(struct fb_event){.kind = FB_EVENT_REQUEST,
                           .request = {.kind = FB_REQUEST_MATCH, .key_count = 12}},
        (struct fb_trace_record){.subkind = FB_REQUEST_MATCH, .peer = FB_NONE, .detail = 12});
    expect_event(
        &(struct fb_event){.kind = FB_EVENT_DONE,
                           .done = {.op_id = 0x77, .status = FB_IO, .digest = 0xd1}},
        (struct fb_trace_record){.status = FB_IO, .peer = FB_NONE, .id = 0x77, .digest = 0xd1});
}

static void trace_event_of_messages_tells_the_other_node(void **state)
{
    (void)state;
    struct fb_event event = {.kind = FB_EVENT_MESSAGE,
                             .message = {.kind = FB_MESSAGE_OFFER,
                                         .source = 1,
                                         .offer = {.ask_id = 0x100,
                                                   .lend_id = 0x200,
                                                   .digest = 0xabc,
                                                   .key = block.key,
                                                   .size = block.size}}};
    struct fb_trace_record expected = {.subkind = FB_MESSAGE_OFFER,
                                       .key_high = 0x1f,
                                       .key_low = 3,
                                       .id = 0x100,
                                       .size = 4096,
                                       .peer = 1,
                                       .digest = 0xabc};
    expect_event(&event, expected);
    event.message.kind = FB_MESSAGE_RETURN; /* its id is the loan's */
    event.message.returned = (struct fb_message_returned){.lend_id = 0x200, .key = block.key};
    expected.subkind = FB_MESSAGE_RETURN;
    expected.id = 0x200;
    expected.size = 0;
    expected.digest = 0;
    expect_event(&event, expected);
    event.message.kind = FB_MESSAGE_REFER;
    event.message.refer = (struct fb_message_refer){.ask_id = 0x100, .key = block.key, .target = 9};
    expected.subkind = FB_MESSAGE_REFER;
    expected.id = 0x100;
    expected.detail = 9;
    expect_event(&event, expected);
    event.message.kind = FB_MESSAGE_DENY;
    event.message.deny = (struct fb_message_deny){.ask_id = 0x100, .status = FB_THROTTLED};
    expect_event(&event,
                 (struct fb_trace_record){
                     .subkind = FB_MESSAGE_DENY, .status = FB_THROTTLED, .id = 0x100, .peer = 1});
}

static void trace_op_of_each_kind_has_its_record(void **state)
{
    (void)state;
    expect_op(
        &(struct fb_op){.kind = FB_OP_REPLY,
                        .reply = {.request_id = 5,
                                  .reason = FB_REASON_REFERRAL,
                                  .source = 3,
                                  .span = {.size = 512}}},
        (struct fb_trace_record){.subkind = FB_REASON_REFERRAL, .id = 5, .size = 512, .peer = 3});
    expect_op(
        &(struct fb_op){.kind = FB_OP_SEND,
                        .target = 4,
                        .message = {.kind = FB_MESSAGE_ASK,
                                    .ask = {.ask_id = 6, .block = block, .complaint = FB_NONE}}},
        (struct fb_trace_record){.subkind = FB_MESSAGE_ASK,
                                 .key_high = 0x1f,
                                 .key_low = 3,
                                 .id = 6,
                                 .size = 4096,
                                 .peer = 4});
    expect_op(&(struct fb_op){.kind = FB_OP_PULL,
                              .op_id = 8,
                              .span = {.size = 4096, .offset = 1024},
                              .source = {.peer = 2},
                              .block = block},
              (struct fb_trace_record){
                  .key_high = 0x1f, .key_low = 3, .id = 8, .size = 4096, .peer = 2, .detail = 2});
}

/* The classes stand in core/state/ids.h: 1 is an attempt, the last a mend. */
static void trace_id_says_what_it_is_of(void **state)
{
    (void)state;
    assert_string_equal(fb_node_id_name(UINT64_C(1) << 56), "attempt");
    assert_string_equal(fb_node_id_name(UINT64_C(5) << 56), "store");
    assert_string_equal(fb_node_id_name(UINT64_C(13) << 56), "mend");
    assert_string_equal(fb_node_id_name(0), "id");
    assert_string_equal(fb_node_id_name(UINT64_MAX), "id");
    for (uint64_t class = 1; class <= 13; class ++)
        assert_string_not_equal(fb_node_id_name(class << 56), "id");
}

static void trace_id_of_the_same_attempt_follows(void **state)
{
    (void)state;
    const uint64_t first = UINT64_C(1) << 56 | UINT64_C(3) << 32 | 100;
    assert_true(fb_node_id_follows(first, first + 1));
    assert_false(fb_node_id_follows(first, first));
    assert_false(fb_node_id_follows(first, first + 2)); /* begun anew meanwhile */
    assert_false(fb_node_id_follows(first, first + 1 + (UINT64_C(1) << 32)));
    assert_false(fb_node_id_follows(first + (UINT64_C(3) << 56), first + (UINT64_C(3) << 56) + 1));
}

/* Records are hashed: the same event must give the same bytes, padding included. */
static void trace_record_of_equal_ops_has_equal_bytes(void **state)
{
    (void)state;
    struct fb_trace_record a, b;
    struct fb_op op;
    memset(&a, 0x11, sizeof(a));
    memset(&b, 0x22, sizeof(b));
    memset(&op, 0, sizeof(op));
    op.kind = FB_OP_FETCH;
    op.block = block;
    fb_trace_op(&a, 5, 1, &op);
    fb_trace_op(&b, 5, 1, &op);
    assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_event_of_each_kind_has_its_record),
        cmocka_unit_test(trace_event_of_messages_tells_the_other_node),
        cmocka_unit_test(trace_op_of_each_kind_has_its_record),
        cmocka_unit_test(trace_id_says_what_it_is_of),
        cmocka_unit_test(trace_id_of_the_same_attempt_follows),
        cmocka_unit_test(trace_record_of_equal_ops_has_equal_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
