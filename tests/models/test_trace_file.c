/* Proves that both trace forms load as written and that a malformed line is named: by small files,
 * by the shipped samples, and by a loaded copy's agreement with a line-by-line count. */
#include "models/trace/trace_file.h"

#include "tests/support/temporary.h"

#include <zlib.h>

static struct temporary files;
static struct fb_error error;
static struct fb_trace_file trace;

static int begin(void **state)
{
    (void)state;
    error = (struct fb_error){.text = ""};
    temporary_begin(&files);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fb_trace_file_free(&trace);
    temporary_end(&files);
    return 0;
}

static void load_text(const char *text)
{
    error = (struct fb_error){.text = ""};
    fb_trace_file_free(&trace);
    fb_trace_file_load(temporary_write(&files, "t.txt", text), &trace, &error);
}

static void load_of_json_lines_gives_requests_and_blocks(void **state)
{
    (void)state;
    load_text(
        "{\"timestamp\": 0, \"input_length\": 700, \"output_length\": 5, \"hash_ids\": [3, 4]}\n"
        "\n"
        "{\"timestamp\": 1.5, \"input_length\": 0, \"output_length\": 0, \"hash_ids\": []}\r\n"
        "  {\"hash_ids\": [9], \"timestamp\": 2, \"input_length\": 1, \"output_length\": 2, "
        "\"type\": \"x\"}");
    assert_string_equal(error.text, "");
    assert_int_equal(trace.request_count, 3);
    assert_int_equal(trace.block_count, 3);
    assert_int_equal(trace.requests[0].arrival_ns, 0);
    assert_int_equal(trace.requests[0].input_tokens, 700);
    assert_int_equal(trace.requests[0].output_tokens, 5);
    assert_int_equal(trace.requests[0].first, 0);
    assert_int_equal(trace.requests[0].block_count, 2);
    assert_int_equal(trace.requests[1].arrival_ns, 1500000);
    assert_int_equal(trace.requests[1].first, 2);
    assert_int_equal(trace.requests[1].block_count, 0);
    assert_int_equal(trace.requests[2].arrival_ns, 2000000);
    assert_int_equal(trace.requests[2].first, 2);
    assert_int_equal(trace.blocks[0], 3);
    assert_int_equal(trace.blocks[1], 4);
    assert_int_equal(trace.blocks[2], 9);
}

static void load_of_keys_gives_numbers_and_hashes(void **state)
{
    (void)state;
    load_text("12\n\nalpha\n 12 \nbeta\nalpha\n18446744073709551615\n18446744073709551616\n");
    assert_string_equal(error.text, "");
    assert_int_equal(trace.request_count, 7);
    assert_int_equal(trace.block_count, 7);
    assert_int_equal(trace.blocks[0], 12);
    assert_int_equal(trace.blocks[2], 12);
    assert_int_equal(trace.blocks[1], trace.blocks[4]);
    assert_true(trace.blocks[1] != trace.blocks[3]);
    assert_true(trace.blocks[5] == UINT64_MAX);
    assert_true(trace.blocks[6] != UINT64_MAX && trace.blocks[6] != 0);
    for (uint64_t i = 0; i < 7; i++) {
        assert_int_equal(trace.requests[i].first, i);
        assert_int_equal(trace.requests[i].block_count, 1);
    }
}

#define GOOD "{\"timestamp\": 7, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [1]}\n"

static void load_of_malformed_lines_names_file_line_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "t.txt: no requests in it"},
        {"\n \n", "t.txt: no requests in it"},
        {GOOD "{\"timestamp\": 8,\n", "t.txt:2: no JSON object: "},
        {GOOD "\n[1]\n", "t.txt:3: no JSON object: another value"},
        {GOOD "plain\n", "t.txt:2: no JSON object: "},
        {GOOD GOOD "{}\n", "t.txt:3: \"timestamp\" is missing: write milliseconds"},
        {"{\"timestamp\": \"x\"}\n", "t.txt:1: \"timestamp\" is no time"},
        {"{\"timestamp\": -1}\n", "t.txt:1: \"timestamp\" is no time"},
        {"{\"timestamp\": 1e300}\n", "t.txt:1: \"timestamp\" is no time"},
        {GOOD "{\"timestamp\": 6, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": []}\n",
         "t.txt:2: \"timestamp\" goes back: sort the file by timestamp"},
        {"{\"timestamp\": 1}\n", "t.txt:1: \"input_length\" is missing: write a whole number"},
        {"{\"timestamp\": 1, \"input_length\": -1}\n",
         "t.txt:1: \"input_length\" is no token count"},
        {"{\"timestamp\": 1, \"input_length\": 5000000000}\n",
         "\"input_length\" is no token count"},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1.5}\n",
         "t.txt:1: \"output_length\" is no token count"},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n",
         "t.txt:1: \"hash_ids\" is missing or no list"},
        {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [1, -2]}\n",
         "t.txt:1: \"hash_ids\" holds what is no whole number >= 0"},
        {"{\"timestamp\": 1, \"timestamp\": 1}\n", "t.txt:1: no JSON object: duplicate"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_text(cases[i].text);
        assert_line_holds(error.text, cases[i].expected);
        assert_null(trace.requests);
        assert_null(trace.blocks);
    }
}

static void load_of_missing_file_says_so(void **state)
{
    (void)state;
    fb_trace_file_load("/nonexistent/t.jsonl", &trace, &error);
    assert_line_holds(error.text, "/nonexistent/t.jsonl: cannot open: No such file");
    error = (struct fb_error){.text = ""};
    fb_trace_file_load(files.folder, &trace, &error);
    assert_line_holds(error.text, "cannot read: Is a directory");
}

static void load_tells_forms_apart_by_content(void **state)
{
    (void)state;
    static const struct {
        const char *text, *form;
        uint64_t requests;
    } cases[] = {
        {GOOD GOOD, "JSON lines with hash_ids", 2},
        {"\xef\xbb\xbf" GOOD, "JSON lines with hash_ids", 1},
        {"1\n2\n2\n", "one key a line", 3},
        {"time,obj_id,obj_size\n1,5,4096\n2,6,4096\n", "CSV with obj_id", 2},
        {"Timestamp , Key\n1.5, abc\n", "CSV with obj_id", 1},
        {"id,x\n7,8\n", "CSV with obj_id", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_text(cases[i].text);
        assert_string_equal(error.text, "");
        assert_string_equal(trace.form, cases[i].form);
        assert_int_equal(trace.request_count, cases[i].requests);
        assert_int_equal(trace.requests[0].arrival_ns, 0);
    }
}

static void load_of_csv_gives_ids_and_times_from_the_first(void **state)
{
    (void)state;
    load_text("obj_id,size,time\n5,4096,1700000000\nalpha,1,1700000001.5\n5,4096,1700000002\n");
    assert_string_equal(error.text, "");
    assert_int_equal(trace.blocks[0], 5);
    assert_int_equal(trace.blocks[2], 5);
    assert_true(trace.blocks[1] != 5);
    assert_int_equal(trace.requests[1].arrival_ns, 1500000000);
    assert_int_equal(trace.requests[2].arrival_ns, 2000000000);
}

static void load_of_csv_with_the_most_columns_and_with_one_more(void **state)
{
    (void)state;
    for (uint32_t before = 63; before <= 64; before++) {
        char text[512] = "";
        for (uint32_t line = 0; line < 2; line++) {
            for (uint32_t i = 0; i < before; i++)
                strcat(text, "x,");
            strcat(text, line == 0 ? "obj_id\n" : "7\n");
        }
        load_text(text);
        if (before == 64)
            assert_line_holds(error.text, "without a column obj_id among the first 64: name");
        else
            assert_string_equal(error.text, "");
        assert_int_equal(trace.request_count, before == 63);
    }
}

static void load_of_what_is_no_trace_says_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"[{\"timestamp\": 1}]\n", "t.txt:1: a JSON list: write one object a line"},
        {"a b\n", "t.txt:1: more than a key: expected are JSON lines"},
        {"1\n2,3\n", "t.txt:2: more than a key"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n", "t.txt:1: a trace of token counts"},
        {"x,y\n1,2\n", "t.txt:1: a CSV without a column obj_id"},
        {"time,obj_id\n1\n", "t.txt:2: has 1 columns"},
        {"time,obj_id\nnow,1\n", "t.txt:2: the time is no number"},
        {"time,obj_id\n2,1\n1,1\n", "t.txt:3: the time goes back"},
        {"time,obj_id\n1,\n", "t.txt:2: the object's id is empty"},
        {"\xff\xfe"
         "1",
         "t.txt: UTF-16"},
        {"\x01\x02\x03", "t.txt: binary, and its length is no multiple of 24"},
        {"%PDF-1.4 \x01 and some more bytes", "no multiple of 24"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load_text(cases[i].text);
        assert_line_holds(error.text, cases[i].expected);
        assert_null(trace.requests);
    }
}

static const unsigned char records[48] = {
    [0] = 100, [4] = 7, [13] = 16, [24] = 103, [28] = 9, [29] = 1, [37] = 16};

static void load_bytes(const unsigned char *bytes, size_t size)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s", temporary_write(&files, "t.bin", ""));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    error = (struct fb_error){.text = ""};
    fb_trace_file_free(&trace);
    fb_trace_file_load(path, &trace, &error);
}

static void load_of_oracle_general_gives_ids_and_times(void **state)
{
    (void)state;
    load_bytes(records, sizeof(records));
    assert_string_equal(error.text, "");
    assert_string_equal(trace.form, "oracleGeneral");
    assert_int_equal(trace.request_count, 2);
    assert_int_equal(trace.blocks[0], 7);
    assert_int_equal(trace.blocks[1], 265);
    assert_int_equal(trace.requests[1].arrival_ns, UINT64_C(3000000000));
    load_bytes(records, sizeof(records) - 1);
    assert_line_holds(error.text, "its length is no multiple of 24");
}

/* Packed by zlib here, whole and cut off; zstd's frame is of one raw block (RFC 8878, 3.1.1). */
static void load_of_packed_traces_gives_the_same_or_says_cut_off(void **state)
{
    (void)state;
    static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 4,   0x21,
                                         0,    0,    '5',  '\n', '6',  '\n'};
    static const char text[] = "5\n6\n5\n";
    unsigned char packed[256];
    z_stream gzip = {.next_in = (Bytef *)(uintptr_t)text,
                     .avail_in = sizeof(text) - 1,
                     .next_out = packed,
                     .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    size_t size = gzip.total_out;
    deflateEnd(&gzip);
    load_bytes(packed, size);
    assert_string_equal(error.text, "");
    assert_string_equal(trace.form, "one key a line, gzip");
    assert_int_equal(trace.request_count, 3);
    for (size_t cut = 3; cut < size; cut++) {
        load_bytes(packed, cut);
        assert_line_holds(error.text, "cannot read: what is packed in it is damaged or cut off");
    }
    load_bytes(zstd, sizeof(zstd));
    assert_string_equal(error.text, "");
    assert_string_equal(trace.form, "one key a line, zstd");
    assert_int_equal(trace.request_count, 2);
    load_bytes(zstd, sizeof(zstd) - 2);
    assert_line_holds(error.text, "damaged or cut off");
}

/* The generator's shape: ids are numbered in order of first appearance, so the largest id seen so
 * far grows by one at each new block. */
static void load_of_shipped_samples_keeps_their_shape(void **state)
{
    (void)state;
    fb_trace_file_load("models/samples/conversation-small.jsonl", &trace, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(trace.request_count, 200);
    assert_int_equal(trace.block_count, 9283);
    uint64_t unique = 0, next = 0;
    for (uint64_t i = 0; i < trace.request_count; i++) {
        assert_int_equal(trace.requests[i].first, next);
        next += trace.requests[i].block_count;
        uint32_t tokens = trace.requests[i].input_tokens;
        assert_int_equal((tokens + 511) / 512, trace.requests[i].block_count);
    }
    assert_int_equal(next, trace.block_count);
    for (uint64_t i = 0; i < trace.block_count; i++) {
        assert_true(trace.blocks[i] <= unique);
        unique += trace.blocks[i] == unique;
    }
    assert_int_equal(unique, 4135);
    fb_trace_file_free(&trace);
    fb_trace_file_load("models/samples/keys-small.txt", &trace, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(trace.request_count, 2000);
}

/* The published trace, where it is there: the counts that its README states. */
static void load_of_public_trace_finds_all_requests(void **state)
{
    (void)state;
    const char *path = "../shared/data/conversation_trace.jsonl";
    if (access(path, R_OK) != 0) {
        print_message("%s is not there\n", path);
        skip();
    }
    fb_trace_file_load(path, &trace, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(trace.request_count, 12031);
    assert_int_equal(trace.block_count, 288500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(load_of_json_lines_gives_requests_and_blocks, begin, end),
        cmocka_unit_test_setup_teardown(load_of_keys_gives_numbers_and_hashes, begin, end),
        cmocka_unit_test_setup_teardown(load_of_malformed_lines_names_file_line_and_what, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_tells_forms_apart_by_content, begin, end),
        cmocka_unit_test_setup_teardown(load_of_csv_gives_ids_and_times_from_the_first, begin, end),
        cmocka_unit_test_setup_teardown(load_of_csv_with_the_most_columns_and_with_one_more, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_of_what_is_no_trace_says_what_was_expected, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_of_oracle_general_gives_ids_and_times, begin, end),
        cmocka_unit_test_setup_teardown(load_of_packed_traces_gives_the_same_or_says_cut_off, begin,
                                        end),
        cmocka_unit_test_setup_teardown(load_of_missing_file_says_so, begin, end),
        cmocka_unit_test_setup_teardown(load_of_shipped_samples_keeps_their_shape, begin, end),
        cmocka_unit_test_setup_teardown(load_of_public_trace_finds_all_requests, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
