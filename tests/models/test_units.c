/* Proves that quantities parse exactly, that what is no quantity is refused, that formatting keeps
 * three significant digits, and that the edit distance is Levenshtein's: by hand-computed examples,
 * and by a random round trip and a table-based second implementation. Usage: test_units [SEED] */
#include "base/units.h"

#include "tests/support/temporary.h"

static uint64_t seed = 20240607;

static uint64_t random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void parse_bytes_with_each_unit_gives_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0 B", 0},
        {"1 B", 1},
        {"2 KB", 2000},
        {"2 KiB", 2048},
        {"1.5 KiB", 1536},
        {"3MB", 3000000},
        {"16 MiB", 16777216},
        {"64 GiB", UINT64_C(68719476736)},
        {"7.68 TB", UINT64_C(7680000000000)},
        {"2  TiB", UINT64_C(2) << 40},
        {"1 PB", UINT64_C(1000000000000000)},
        {"999999999999999999 B", UINT64_C(999999999999999999)},
        {"0000000000000000000000001 B", 1},
        {"1 PiB", UINT64_C(1) << 50},
        {"0.1 GB", 100000000},
        {"000123 B", 123},
        {"0.5 B", 1},
        {"0.4 B", 0},
        {"9007199254740993 B", UINT64_C(9007199254740993)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;
        assert_true(fb_parse_bytes(cases[i].text, &value));
        assert_int_equal(value, cases[i].bytes);
    }
}

static void parse_bytes_of_other_text_refuses_and_keeps_value(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "64",
        "64 ",
        "GiB",
        "-1 B",
        "+1 B",
        "1e3 B",
        "1000000000000000000 B", /* a digit more than are read: a larger unit has fewer */
        "0.0000000000000000001 B",
        "0x10 B",
        "1,5 KB",
        "1. KB",
        ".5 KB",
        "1.2.3 KB",
        "1 kib",
        "1 KIB",
        "1 KiBs",
        "1 KiB/s",
        "1 Kbps",
        "1 s",
        "inf B",
        "nan B",
        "99999 PiB",
        "1234567890123456789 B",
        "1 KiB x",
        "1 KiB ",
        " 1 KiB",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;
        if (fb_parse_bytes(cases[i], &value))
            print_error("accepted \"%s\"\n", cases[i]);
        assert_int_equal(value, 77);
    }
}

static void parse_ns_with_each_unit_gives_ns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"7 ns", 7},
        {"1.5 us", 1500},
        {"2 ms", 2000000},
        {"0.323 s", 323000000},
        {"1 min", UINT64_C(60000000000)},
        {"2 h", UINT64_C(7200000000000)},
        {"1 d", UINT64_C(86400000000000)},
        {"0 s", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;
        assert_true(fb_parse_ns(cases[i].text, &value));
        assert_int_equal(value, cases[i].ns);
    }
    uint64_t value = 77;
    assert_false(fb_parse_ns("5", &value));
    assert_false(fb_parse_ns("5 sec", &value));
    assert_false(fb_parse_ns("5 B", &value));
    assert_false(fb_parse_ns("999999 d", &value));
    assert_int_equal(value, 77);
}

static void parse_rate_in_bits_and_bytes_gives_bytes_per_s(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t rate;
    } cases[] = {
        {"400 Gbps", UINT64_C(50000000000)},
        {"8 bps", 1},
        {"1 Kbps", 125},
        {"100 Mbps", 12500000},
        {"1.6 Tbps", UINT64_C(200000000000)},
        {"14 GB/s", UINT64_C(14000000000)},
        {"3 GiB/s", UINT64_C(3) << 30},
        {"1 B/s", 1},
        {"60MB/s", 60000000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;
        assert_true(fb_parse_rate(cases[i].text, &value));
        assert_int_equal(value, cases[i].rate);
    }
    uint64_t value = 77;
    assert_false(fb_parse_rate("400 Gb", &value));
    assert_false(fb_parse_rate("14 GB", &value));
    assert_false(fb_parse_rate("14 GB /s", &value));
    assert_int_equal(value, 77);
}

static void format_of_quantities_keeps_three_digits(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(fb_format_bytes(text, 0), "0 B");
    assert_string_equal(fb_format_bytes(text, 1023), "1023 B");
    assert_string_equal(fb_format_bytes(text, 1000), "1000 B");
    assert_string_equal(fb_format_bytes(text, 1.5 * 1073741824), "1.50 GiB");
    assert_string_equal(fb_format_bytes(text, 68719476736.0), "64.0 GiB");
    assert_string_equal(fb_format_bytes(text, 500 * 1048576.0), "500 MiB");
    assert_string_equal(fb_format_ns(text, 0), "0 ns");
    assert_string_equal(fb_format_ns(text, 1500), "1.50 us");
    assert_string_equal(fb_format_ns(text, 2300000), "2.30 ms");
    assert_string_equal(fb_format_ns(text, 999.9e6), "1.00 s");
    assert_string_equal(fb_format_ns(text, 90e9), "1.50 min");
    assert_string_equal(fb_format_rate(text, 48.2e9), "48.2 GB/s");
    assert_string_equal(fb_format_rate(text, 999.6e6), "1.00 GB/s");
    assert_string_equal(fb_format_rate(text, 0.25), "0.25 B/s");
    assert_string_equal(fb_format_rate(text, -48.2e9), "-48.2 GB/s");
    assert_true(strlen(fb_format_bytes(text, 1e300)) < 32);
}

static void parse_of_formatted_value_is_near_the_value(void **state)
{
    (void)state;
    uint64_t random = seed;
    for (int i = 0; i < 20000; i++) {
        uint64_t value = random_next(&random) << (random_next(&random) % 20);
        uint64_t parsed = 0;
        char text[32];
        assert_true(fb_parse_bytes(fb_format_bytes(text, (double)value), &parsed));
        double difference = (double)parsed - (double)value;
        assert_true(difference <= 0.006 * (double)value && -difference <= 0.006 * (double)value);
        assert_true(fb_parse_ns(fb_format_ns(text, (double)value), &parsed));
        assert_true(fb_parse_rate(fb_format_rate(text, (double)value), &parsed));
    }
}

/* The whole table, as in the definition; the code under test keeps one row. */
static uint32_t distance_by_table(const char *a, const char *b)
{
    uint32_t table[16][16];
    uint32_t rows = (uint32_t)strlen(a), columns = (uint32_t)strlen(b);
    for (uint32_t i = 0; i <= rows; i++) {
        for (uint32_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            uint32_t best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
            best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            table[i][j] = best;
        }
    }
    return table[rows][columns];
}

static void edit_distance_of_random_words_equals_table(void **state)
{
    (void)state;
    assert_int_equal(fb_edit_distance("", ""), 0);
    assert_int_equal(fb_edit_distance("", "abc"), 3);
    assert_int_equal(fb_edit_distance("abc", ""), 3);
    assert_int_equal(fb_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(fb_edit_distance("memory_sise", "memory_size"), 1);
    uint64_t random = seed;
    for (int i = 0; i < 20000; i++) {
        char words[2][16] = {{0}};
        for (int k = 0; k < 2; k++) {
            uint64_t length = random_next(&random) % 15;
            for (uint64_t j = 0; j < length; j++)
                words[k][j] = (char)('a' + random_next(&random) % 3);
        }
        assert_int_equal(fb_edit_distance(words[0], words[1]),
                         distance_by_table(words[0], words[1]));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_bytes_with_each_unit_gives_bytes),
        cmocka_unit_test(parse_bytes_of_other_text_refuses_and_keeps_value),
        cmocka_unit_test(parse_ns_with_each_unit_gives_ns),
        cmocka_unit_test(parse_rate_in_bits_and_bytes_gives_bytes_per_s),
        cmocka_unit_test(format_of_quantities_keeps_three_digits),
        cmocka_unit_test(parse_of_formatted_value_is_near_the_value),
        cmocka_unit_test(edit_distance_of_random_words_equals_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
