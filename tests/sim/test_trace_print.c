/* trace_print.c: a trace's lines, and the names in them.
 * How: events, ops and decisions made by hand against the text that is to be read. */
#include "sim/trace/trace_print.h"
#include "tests/support/unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096 };

static struct page {
    FILE *stream;
    char *text;
    size_t size, read; /* up to there it was looked at */
    struct fb_trace_printer *printer;
} page;

static int page_open(void **state)
{
    (void)state;
    page = (struct page){.read = 0};
    page.stream = open_memstream(&page.text, &page.size);
    page.printer = fb_trace_printer_open(page.stream, BLOCK_BYTES, false);
    return 0;
}

static int page_close(void **state)
{
    (void)state;
    fb_trace_printer_close(page.printer);
    fclose(page.stream);
    free(page.text);
    return 0;
}

/* What was printed since. */
static const char *page_rest(void)
{
    fflush(page.stream);
    const char *rest = page.text + page.read;
    page.read = page.size;
    return rest;
}

static void expect_event(uint64_t now_ns, const struct fb_event *event, const char *expected)
{
    fb_trace_print_event(page.printer, now_ns, 2, event);
    assert_string_equal(page_rest(), expected);
}

static void expect_op(const struct fb_op *op, const char *expected)
{
    fb_trace_print_ops(page.printer, op, 1, NULL);
    assert_string_equal(page_rest(), expected);
}

static const struct fb_block block = {
    .key = {.high = 0x1f, .low = 3}, .object = 7, .offset = 8192, .size = BLOCK_BYTES};

static const uint64_t attempt_id = UINT64_C(1) << 56 | 77;

static void print_event_of_each_kind_has_its_line(void **state)
{
    (void)state;
    expect_event(0, &(struct fb_event){.kind = FB_EVENT_TICK}, "      0.000 ms n2 < tick\n");
    expect_event(1500, &(struct fb_event){.kind = FB_EVENT_VIEW}, "   0.001500 ms n2 < view\n");
    expect_event(
        UINT64_C(1234567890000),
        &(struct fb_event){.kind = FB_EVENT_REQUEST,
                           .request = {.kind = FB_REQUEST_GET, .request_id = 10, .block = block}},
        "1234567.890 ms n2 < get: o7/2 4 KiB, request 10\n");
    expect_event(2000,
                 &(struct fb_event){.kind = FB_EVENT_REQUEST,
                                    .request = {.kind = FB_REQUEST_RELEASE, .lease = 0xbeef}},
                 "      0.002 ms n2 < release: lease 2.1\n");
    expect_event(
        2000,
        &(struct fb_event){.kind = FB_EVENT_DONE, .done = {.op_id = attempt_id, .status = FB_IO}},
        "      0.002 ms n2 < done ?: io, attempt 2.1\n");
}

static void print_message_has_the_ids_of_who_asked(void **state)
{
    (void)state;
    struct fb_event event = {.kind = FB_EVENT_MESSAGE,
                             .message = {.kind = FB_MESSAGE_ASK,
                                         .source = 1,
                                         .ask = {.ask_id = attempt_id,
                                                 .block = block,
                                                 .complaint = 3,
                                                 .flags = FB_MESSAGE_FLAG_REFERRED,
                                                 .hops = 2}}};
    expect_event(
        2000, &event,
        "      0.002 ms n2 < ask from n1: o7/2 4 KiB, attempt 1.1, complaint n3, referred, "
        "hops 2\n");
    struct fb_op op = {.kind = FB_OP_SEND,
                       .target = 1,
                       .message = {.kind = FB_MESSAGE_OFFER,
                                   .source = 2,
                                   .offer = {.ask_id = attempt_id,
                                             .lend_id = attempt_id,
                                             .digest = 0xabc,
                                             .key = block.key,
                                             .size = block.size}}};
    expect_op(&op, "               n2 > offer to n1: o7/2, attempt 1.1, loan 2.1, digest d1, "
                   "4 KiB\n");
    op.message = (struct fb_message){
        .kind = FB_MESSAGE_DENY, .source = 2, .deny = {.ask_id = attempt_id, .status = FB_BUSY}};
    expect_op(&op, "               n2 > deny to n1: attempt 1.1, busy\n");
}

static void print_done_says_what_the_op_was(void **state)
{
    (void)state;
    fb_trace_print_event(page.printer, 0, 2, &(struct fb_event){.kind = FB_EVENT_TICK});
    (void)page_rest();
    expect_op(&(struct fb_op){.kind = FB_OP_PULL,
                              .op_id = attempt_id,
                              .span = {.size = 4096},
                              .source = {.region = FB_REGION_MEMORY, .peer = 9},
                              .block = block},
              "               n2 > pull from n9: o7/2 4 KiB, attempt 2.1\n");
    expect_event(3000, &(struct fb_event){.kind = FB_EVENT_DONE, .done = {.op_id = attempt_id}},
                 "      0.003 ms n2 < done pull: o7/2, attempt 2.1\n");
    /* The next op of that attempt has its number, another one does not. */
    expect_op(
        &(struct fb_op){
            .kind = FB_OP_DIGEST, .op_id = attempt_id + 1, .span = {.size = 1000}, .block = block},
        "               n2 > digest: o7/2 1000 B, attempt 2.1\n");
    expect_op(
        &(struct fb_op){
            .kind = FB_OP_DIGEST, .op_id = attempt_id + 4, .span = {.size = 1000}, .block = block},
        "               n2 > digest: o7/2 1000 B, attempt 2.2\n");
}

static void print_name_of(uint64_t object, struct fb_key key, uint64_t offset, const char *expected)
{
    char line[128];
    snprintf(line, sizeof(line), "      0.000 ms n2 < prefetch: %s 1 B\n", expected);
    expect_event(
        0,
        &(struct fb_event){
            .kind = FB_EVENT_REQUEST,
            .request = {.kind = FB_REQUEST_PREFETCH,
                        .block = {.key = key, .object = object, .offset = offset, .size = 1}}},
        line);
}

static void print_names_are_given_once(void **state)
{
    (void)state;
    fb_trace_print_object(page.printer, 70, "weights");
    print_name_of(70, (struct fb_key){1, 1}, 0, "weights/0");
    print_name_of(70, (struct fb_key){2, 1}, BLOCK_BYTES, "weights/1");
    print_name_of(70, (struct fb_key){2, 5}, BLOCK_BYTES, "weights/1.2"); /* a later version */
    print_name_of(UINT64_C(1) << 50, (struct fb_key){3, 1}, 0, "O1/0");
    for (uint64_t i = 0; i < 27; i++) {
        char letter[3] = {(char)('A' + i % 26), i < 26 ? 0 : '2', 0};
        print_name_of(FB_OBJECT_NONE, (struct fb_key){10, i}, 0, letter);
    }
    print_name_of(70, (struct fb_key){2, 1}, BLOCK_BYTES, "weights/1");
    print_name_of(FB_OBJECT_NONE, (struct fb_key){10, 1}, 0, "B");
}

static void print_new_names_with_their_keys(void **state)
{
    (void)state;
    struct fb_trace_printer *printer = fb_trace_printer_open(page.stream, BLOCK_BYTES, true);
    const struct fb_event event = {
        .kind = FB_EVENT_REQUEST,
        .request = {.kind = FB_REQUEST_GET, .request_id = 1, .block = block}};
    fb_trace_print_event(printer, 0, 0, &event);
    fb_trace_print_event(printer, 0, 0, &event);
    assert_string_equal(page_rest(), "      0.000 ms n0 < get: o7/2 4 KiB, request 1\n"
                                     "             # o7/2 is key 1f.3\n"
                                     "      0.000 ms n0 < get: o7/2 4 KiB, request 1\n");
    fb_trace_printer_close(printer);
}

static void print_reasons_stand_before_the_op_that_they_are_of(void **state)
{
    (void)state;
    const struct fb_op ops[2] = {{.kind = FB_OP_REPLY, .reply = {.request_id = 1, .source = 2}},
                                 {.kind = FB_OP_REPLY, .reply = {.request_id = 2, .source = 2}}};
    struct fb_decisions decisions = {
        .count = 3,
        .now_ns = 1000,
        .list = {{.why = FB_WHY_QUORUM, .op = 0, .count = 2, .of = 3, .peer = FB_NONE},
                 {.why = FB_WHY_EVICT, .op = 1, .key = {0x1f, 3}, .peer = FB_NONE},
                 {.why = FB_WHY_STORE_FAILED, .op = 2, .count = FB_BUSY, .at_ns = 1501000}}};
    fb_trace_print_event(page.printer, 0, 2, &(struct fb_event){.kind = FB_EVENT_TICK});
    (void)page_rest();
    fb_trace_print_ops(page.printer, ops, 2, &decisions);
    assert_string_equal(page_rest(),
                        "               n2 | 2 of 3 that the level wants hold it -> acknowledged\n"
                        "               n2 > reply to request 1: memory, from n2\n"
                        "               n2 | memory is full -> A goes, the policy's next\n"
                        "               n2 > reply to request 2: memory, from n2\n"
                        "               n2 | busy -> stored again in 1.5 ms at the earliest\n");
}

/* No mark is misspelled, no text is missing. */
static void print_reason_of_each_kind_is_a_sentence(void **state)
{
    (void)state;
    for (uint32_t why = 0; why < FB_WHY_COUNT; why++) {
        struct fb_decisions decisions = {.count = 1, .list = {{.why = why, .peer = 1}}};
        fb_trace_print_ops(page.printer, NULL, 0, &decisions);
        const char *line = page_rest();
        assert_true(strlen(line) > 25 && strlen(line) < 130);
        assert_null(strchr(line, '{'));
    }
}

static void print_reasons_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    struct fb_op ops[FB_STEP_OPS_MAX] = {{.kind = FB_OP_COUNT}};
    struct fb_decisions decisions = {.ops = ops};
    for (uint32_t i = 0; i < FB_DECISIONS_MAX + 3; i++)
        fb_decide_count(&decisions, FB_WHY_JOIN, FB_NONE, 0, 0);
    assert_int_equal(decisions.count, FB_DECISIONS_MAX);
    assert_int_equal(decisions.left_out, 3);
    fb_trace_print_ops(page.printer, ops, 0, &decisions);
    assert_non_null(strstr(page_rest(), "n0 | 3 reasons more\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(print_event_of_each_kind_has_its_line, page_open,
                                        page_close),
        cmocka_unit_test_setup_teardown(print_message_has_the_ids_of_who_asked, page_open,
                                        page_close),
        cmocka_unit_test_setup_teardown(print_done_says_what_the_op_was, page_open, page_close),
        cmocka_unit_test_setup_teardown(print_names_are_given_once, page_open, page_close),
        cmocka_unit_test_setup_teardown(print_new_names_with_their_keys, page_open, page_close),
        cmocka_unit_test_setup_teardown(print_reasons_stand_before_the_op_that_they_are_of,
                                        page_open, page_close),
        cmocka_unit_test_setup_teardown(print_reason_of_each_kind_is_a_sentence, page_open,
                                        page_close),
        cmocka_unit_test_setup_teardown(print_reasons_beyond_the_limit_are_counted, page_open,
                                        page_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
