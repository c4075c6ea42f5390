/* trace.c: records keep what matters of events and ops, and their text is as golden files have it.
 * How: one event and op of each kind against its line; fields at their largest against the stated
 * length. */
#include "core/trace.h"
#include "tests/support/unit.h"

#include <stdbool.h>
#include <string.h>

static void expect_event(const struct fb_event *event, const char *expected)
{
    struct fb_trace_record record;
    char text[FB_TRACE_TEXT_MAX];
    memset(&record, 0xa5, sizeof(record));
    memset(text, '#', sizeof(text));
    fb_trace_event(&record, 1500, 2, event);
    uint32_t length = fb_trace_format(&record, text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void expect_op(const struct fb_op *op, const char *expected)
{
    struct fb_trace_record record;
    char text[FB_TRACE_TEXT_MAX];
    memset(&record, 0xa5, sizeof(record));
    memset(text, '#', sizeof(text));
    fb_trace_op(&record, UINT64_C(1234567890123), 41, op);
    uint32_t length = fb_trace_format(&record, text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static const struct fb_block block = {
    .key = {.high = 0x1f, .low = 3}, .object = 7, .offset = 8192, .size = 4096};

static void trace_event_of_each_kind_has_its_line(void **state)
{
    (void)state;
    expect_event(&(struct fb_event){.kind = FB_EVENT_TICK}, "        1500 n2 < tick");
    expect_event(&(struct fb_event){.kind = FB_EVENT_VIEW}, "        1500 n2 < view");
    expect_event(
        &(struct fb_event){.kind = FB_EVENT_REQUEST,
                           .request = {.kind = FB_REQUEST_GET, .request_id = 10, .block = block}},
        "        1500 n2 < request get key=1f.3 id=a size=4096");
    expect_event(&(struct fb_event){.kind = FB_EVENT_REQUEST,
                                    .request = {.kind = FB_REQUEST_RELEASE, .lease = 0xbeef}},
                 "        1500 n2 < request release id=beef");
    expect_event(&(struct fb_event){.kind = FB_EVENT_REQUEST,
                                    .request = {.kind = FB_REQUEST_MATCH, .key_count = 12}},
                 "        1500 n2 < request match detail=12");
    expect_event(&(struct fb_event){.kind = FB_EVENT_DONE,
                                    .done = {.op_id = 0x77, .status = FB_IO, .digest = 0xd1}},
                 "        1500 n2 < done io id=77 digest=d1");
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
    expect_event(&event,
                 "        1500 n2 < message offer key=1f.3 id=100 size=4096 peer=1 digest=abc");
    event.message.kind = FB_MESSAGE_RETURN; /* its id is the loan's */
    event.message.returned = (struct fb_message_returned){.lend_id = 0x200, .key = block.key};
    expect_event(&event, "        1500 n2 < message return key=1f.3 id=200 peer=1");
    event.message.kind = FB_MESSAGE_DENY;
    event.message.deny = (struct fb_message_deny){.ask_id = 0x100, .status = FB_THROTTLED};
    expect_event(&event, "        1500 n2 < message deny throttled id=100 peer=1");
    event.message.kind = FB_MESSAGE_REFER;
    event.message.refer = (struct fb_message_refer){.ask_id = 0x100, .key = block.key, .target = 9};
    expect_event(&event, "        1500 n2 < message refer key=1f.3 id=100 peer=1 detail=9");
}

static void trace_op_of_each_kind_has_its_line(void **state)
{
    (void)state;
    expect_op(&(struct fb_op){.kind = FB_OP_REPLY,
                              .reply = {.request_id = 5,
                                        .reason = FB_REASON_REFERRAL,
                                        .source = 3,
                                        .span = {.size = 512}}},
              "1234567890123 n41 > reply referral id=5 size=512 peer=3");
    expect_op(
        &(struct fb_op){.kind = FB_OP_SEND,
                        .target = 4,
                        .message = {.kind = FB_MESSAGE_ASK,
                                    .ask = {.ask_id = 6, .block = block, .complaint = FB_NONE}}},
        "1234567890123 n41 > send ask key=1f.3 id=6 size=4096 peer=4");
    expect_op(&(struct fb_op){.kind = FB_OP_PULL,
                              .op_id = 8,
                              .span = {.size = 4096, .offset = 1024},
                              .source = {.peer = 2},
                              .block = block},
              "1234567890123 n41 > pull key=1f.3 id=8 size=4096 peer=2 detail=2");
}

static void trace_format_of_the_longest_record_fits(void **state)
{
    (void)state;
    char text[FB_TRACE_TEXT_MAX];
    uint32_t longest = 0;
    for (uint32_t direction = 0; direction < 2; direction++) {
        for (uint32_t kind = 0; kind < (direction == 0 ? 5u : (uint32_t)FB_OP_COUNT); kind++) {
            for (uint32_t subkind = 0; subkind < 8; subkind++) {
                bool has_subkind = direction == 0 ? kind <= FB_EVENT_MESSAGE : kind <= FB_OP_SEND;
                struct fb_trace_record record = {.time_ns = UINT64_MAX,
                                                 .node = UINT32_MAX - 1,
                                                 .direction = (uint8_t)direction,
                                                 .kind = (uint8_t)kind,
                                                 .subkind = has_subkind ? (uint8_t)subkind : 0,
                                                 .status = FB_THROTTLED,
                                                 .key_high = UINT64_MAX,
                                                 .key_low = UINT64_MAX,
                                                 .id = UINT64_MAX,
                                                 .size = UINT64_MAX,
                                                 .peer = UINT32_MAX - 1,
                                                 .detail = UINT32_MAX,
                                                 .digest = UINT64_MAX};
                uint32_t length = fb_trace_format(&record, text);
                assert_int_equal(length, strlen(text));
                longest = length > longest ? length : longest;
            }
        }
    }
    assert_in_range(longest, 190, FB_TRACE_TEXT_MAX - 1);
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
        cmocka_unit_test(trace_event_of_each_kind_has_its_line),
        cmocka_unit_test(trace_event_of_messages_tells_the_other_node),
        cmocka_unit_test(trace_op_of_each_kind_has_its_line),
        cmocka_unit_test(trace_format_of_the_longest_record_fits),
        cmocka_unit_test(trace_record_of_equal_ops_has_equal_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
