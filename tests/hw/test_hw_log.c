/* hw/base/log.c: lines and quoted values are whole up to their limits, and what is cut beyond says
 * so. How: stderr is a pipe while a line is written. */
#include "hw/base/log.h"

#include "tests/support/unit.h"

#include <string.h>
#include <unistd.h>

/* Quotes `length` times the byte; returns how long the value is. */
static size_t quoted_length(unsigned char byte, size_t length, char quoted[FB_LOG_QUOTE_MAX])
{
    char text[2 * FB_LOG_QUOTE_MAX];
    assert_true(length < sizeof(text));
    memset(text, byte, length);
    text[length] = '\0';
    assert_ptr_equal(fb_log_quote(text, quoted), quoted);
    assert_true(strlen(quoted) < FB_LOG_QUOTE_MAX);
    return strlen(quoted);
}

static void quote_of_other_bytes_is_utf_8(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"a\xff", "\"a\\xff\""},
        {"\xc3\xa9\xc3", "\"\xc3\xa9\\xc3\""},
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
        {"\xc0\xaf\n", "\"\\xc0\\xaf\\x0a\""},
    };
    char quoted[FB_LOG_QUOTE_MAX];
    for (uint32_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_string_equal(fb_log_quote(pairs[i][0], quoted), pairs[i][1]);
    static const char cut[] = "\xf0\x9f\x98\x80"; /* a character is not cut in two */
    char text[FB_LOG_QUOTE_MAX + sizeof(cut)] = "";
    for (size_t length = 0; length + 4 < FB_LOG_QUOTE_MAX; length += 4)
        memcpy(text + length, cut, sizeof(cut));
    size_t size = strlen(fb_log_quote(text, quoted));
    assert_true(size < FB_LOG_QUOTE_MAX);
    assert_memory_equal(quoted + size - 8, "\xf0\x9f\x98\x80...\"", 8);
}

static void quote_beyond_its_limit_ends_in_dots(void **state)
{
    (void)state;
    char quoted[FB_LOG_QUOTE_MAX];
    static const unsigned char bytes[] = {'x', '"', 1}; /* written as one, two and four */
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        unsigned char byte = bytes[i];
        size_t each = (size_t)1 << i, length = 1;
        while (quoted_length(byte, length + 1, quoted) == 2 + each * (length + 1))
            length++;
        assert_in_range(each * length, FB_LOG_QUOTE_MAX - 16, FB_LOG_QUOTE_MAX);
        (void)quoted_length(byte, length, quoted);
        assert_null(strstr(quoted, "..."));
        for (size_t more = 1; more < 100; more++) {
            size_t size = quoted_length(byte, length + more, quoted);
            assert_string_equal(quoted + size - 4, "...\"");
        }
    }
    assert_string_equal(quoted + quoted_length('x', 300, quoted) - 5, "x...\"");
}

/* The line that is written of a text of so many bytes. */
static size_t line_of(size_t length, char *line, size_t room)
{
    static char text[2 * FB_LOG_LINE_MAX];
    int ends[2], own = dup(STDERR_FILENO);
    assert_true(length < sizeof(text));
    memset(text, 'x', length);
    text[length] = '\0';
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    fb_log(FB_LOG_ERROR, "event", "%s", text);
    dup2(own, STDERR_FILENO);
    close(own);
    close(ends[1]);
    ssize_t size = read(ends[0], line, room - 1);
    close(ends[0]);
    assert_true(size > 0 && line[size - 1] == '\n');
    line[size] = '\0';
    return (size_t)size;
}

static void line_beyond_its_limit_ends_in_dots(void **state)
{
    (void)state;
    char line[2 * FB_LOG_LINE_MAX];
    size_t head = line_of(1, line, sizeof(line)) - 2, length = FB_LOG_LINE_MAX - head - 100;
    while (line_of(length, line, sizeof(line)) == head + length + 1 && strstr(line, "...") == NULL)
        length++;
    assert_in_range(length + head, FB_LOG_LINE_MAX - 3, FB_LOG_LINE_MAX);
    for (size_t more = 0; more < 100; more++) {
        size_t size = line_of(length + more, line, sizeof(line));
        assert_true(size <= FB_LOG_LINE_MAX);
        assert_string_equal(line + size - 5, "x...\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quote_beyond_its_limit_ends_in_dots),
        cmocka_unit_test(quote_of_other_bytes_is_utf_8),
        cmocka_unit_test(line_beyond_its_limit_ends_in_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
