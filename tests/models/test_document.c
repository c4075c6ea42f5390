/* Proves that the YAML layer reads what is right and says of what is wrong: file, line, key,
 * remedy. Each error case is a small file whose expected line is written beside it. */
#include "base/document.h"

#include "tests/support/temporary.h"

#include <sys/stat.h>

static struct temporary files;
static struct fb_error error;

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
    temporary_end(&files);
    return 0;
}

static struct fb_document *open_text(const char *text)
{
    return fb_document_open(temporary_write(&files, "a.yaml", text), &error);
}

/* The error of opening `text` must hold `part`. */
static void assert_open_fault(const char *text, const char *part)
{
    error = (struct fb_error){.text = ""};
    assert_null(open_text(text));
    assert_line_holds(error.text, part);
}

static void open_of_bad_text_names_file_line_and_remedy(void **state)
{
    (void)state;
    assert_open_fault("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: repeated key \"a\": keep one of them");
    assert_open_fault("m:\n  b: 1\n  b: 2\n", "a.yaml:3:3: repeated key \"b\"");
    assert_open_fault("m: {c: 1, c: 2}\n", "a.yaml:1:11: repeated key \"c\"");
    assert_open_fault("a: [1\nb: 2\n", "a.yaml:3:1: not YAML: flow sequence without");
    assert_open_fault("\ta: 1\n", "a.yaml:1:1: not YAML: ");
    assert_open_fault("a: 'x\n", "not YAML: single-quoted scalar without closing quote");
    assert_open_fault("", "a.yaml: the file is empty");
    assert_open_fault("# only a comment\n", "a.yaml: the file is empty");
    assert_open_fault("a: b\n\x80\x81\xfe", "a.yaml:2:1: not YAML: a byte that is no character");
    assert_open_fault("a: \xc3\xa9\xed\xa0\x80", "a.yaml:1:6: not YAML: a byte"); /* surrogate */
    assert_open_fault("a: \xf0\x8f\xbf\xbf\n", "not YAML: a byte"); /* longer than need be */
    assert_open_fault("a: \x1b\n", "not YAML: a byte");
    assert_open_fault("a: \xe2\x82", "not YAML: a byte");
    assert_open_fault("%YAML 1.2\n---\na: 1\n", "a.yaml:1:1: not YAML: a directive has no use");
    assert_open_fault("- 1\n- 2\n", "a.yaml:1:1: not a map");
    assert_open_fault("just text\n", "a.yaml:1:1: not a map");
    assert_open_fault("a: 1\n---\nb: 2\n", "several documents in one file: remove");
    assert_open_fault("a: 1\n---\n\tb: [\n", "not YAML: ");
}

static void open_of_missing_file_says_so(void **state)
{
    (void)state;
    assert_null(fb_document_open("/nonexistent/x.yaml", &error));
    assert_line_holds(error.text, "/nonexistent/x.yaml: cannot open: No such file or directory");
    error = (struct fb_error){.text = ""};
    assert_null(fb_document_open(files.folder, &error));
    assert_line_holds(error.text, "cannot read: Is a directory");
}

static void open_after_an_error_does_nothing(void **state)
{
    (void)state;
    fb_error_set(&error, "first\nof %d", 2);
    assert_null(open_text("a: 1\n"));
    fb_error_set(&error, "second");
    assert_string_equal(error.text, "first of 2");
}

static void getters_of_right_values_give_them(void **state)
{
    (void)state;
    struct fb_document *document =
        open_text("text: some words\nquoted: \"16\"\ncount: 8\nnumber: -0.5\nyes: true\nno: False\n"
                  "size: 16 MiB\ntime: 1.5 us\nrate: 400 Gbps\npolicy: lru\nlist: [1, two, 3 MiB]\n"
                  "maps:\n- {k: 1}\n- {k: 2}\nfree: {b.c: 1, a: 2}\n");
    assert_string_equal(error.text, "");
    struct fb_map root = fb_document_root(document, &error);
    assert_string_equal(fb_map_text(&root, "text"), "some words");
    assert_string_equal(fb_map_text(&root, "quoted"), "16");
    assert_int_equal(fb_map_count(&root, "count", 1, 8), 8);
    assert_true(fb_map_number(&root, "number", -1, 1) == -0.5);
    assert_true(fb_map_flag_or(&root, "yes", false));
    assert_false(fb_map_flag_or(&root, "no", true));
    assert_int_equal(fb_map_bytes(&root, "size", 1, UINT64_MAX), 16777216);
    assert_int_equal(fb_map_ns(&root, "time", 1, UINT64_MAX), 1500);
    assert_int_equal(fb_map_rate(&root, "rate", 1, UINT64_MAX), UINT64_C(50000000000));
    static const char *const names[] = {"fifo", "lru"};
    assert_int_equal(fb_map_choice(&root, "policy", names, 2, 0), 1);
    assert_int_equal(fb_map_list_count(&root, "list"), 3);
    assert_string_equal(fb_map_list_text(&root, "list", 2), "3 MiB");
    assert_int_equal(fb_map_list_count(&root, "count"), 1);
    assert_string_equal(fb_map_list_text(&root, "count", 0), "8");
    struct fb_map element = fb_map_list_map(&root, "maps", 1);
    assert_int_equal(fb_map_count(&element, "k", 0, 9), 2);
    fb_map_close(&element);
    struct fb_map keys = fb_map_child(&root, "free", true);
    assert_int_equal(fb_map_key_count(&keys), 2);
    assert_string_equal(fb_map_key(&keys, 0), "b.c");
    fb_map_close(&root);
    assert_string_equal(error.text, "");
    fb_document_close(document);
}

static void getters_of_absent_keys_give_the_fallback(void **state)
{
    (void)state;
    struct fb_document *document = open_text("other: 1\nempty:\n");
    struct fb_map root = fb_document_root(document, &error);
    assert_string_equal(fb_map_text_or(&root, "a", "x"), "x");
    assert_int_equal(fb_map_count_or(&root, "b", 7, 0, 9), 7);
    assert_int_equal(fb_map_bytes_or(&root, "c", 7, 0, 9), 7);
    assert_int_equal(fb_map_ns_or(&root, "d", 7, 0, 9), 7);
    assert_int_equal(fb_map_rate_or(&root, "e", 7, 0, 9), 7);
    assert_true(fb_map_number_or(&root, "f", 0.5, 0, 1) == 0.5);
    assert_true(fb_map_flag_or(&root, "g", true));
    assert_int_equal(fb_map_list_count(&root, "h"), 0);
    assert_false(fb_map_has(&root, "i"));
    struct fb_map absent = fb_map_child(&root, "j", false);
    assert_int_equal(fb_map_count_or(&absent, "k", 3, 0, 9), 3);
    assert_int_equal(fb_map_key_count(&absent), 0);
    fb_map_close(&absent);
    struct fb_map empty = fb_map_child(&root, "empty", false);
    assert_null(empty.node);
    assert_string_equal(error.text, "");
    fb_document_close(document);
}

enum form { TEXT, COUNT, NUMBER, FLAG, BYTES, NS, RATE, CHOICE, CHILD };

static void getter_call(struct fb_map *map, enum form form)
{
    static const char *const names[] = {"fifo", "lru", "clock"};
    switch (form) {
    case TEXT:
        fb_map_text(map, "key");
        break;
    case COUNT:
        fb_map_count(map, "key", 1, 100);
        break;
    case NUMBER:
        fb_map_number(map, "key", 0, 1);
        break;
    case FLAG:
        fb_map_flag_or(map, "key", false);
        break;
    case BYTES:
        fb_map_bytes(map, "key", 512, 1 << 20);
        break;
    case NS:
        fb_map_ns(map, "key", 1000, 1000000);
        break;
    case RATE:
        fb_map_rate(map, "key", 1, 1000);
        break;
    case CHOICE:
        fb_map_choice(map, "key", names, 3, UINT32_MAX);
        break;
    case CHILD:
        fb_map_child(map, "key", true);
        break;
    }
}

/* Proves by each case that the error holds what is expected. */
struct wrong_value {
    enum form form;
    const char *value, *expected;
};

static void wrong_values_check(const struct wrong_value *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[128];
        snprintf(text, sizeof(text), "part:\n  key: %s\n", cases[i].value);
        error = (struct fb_error){.text = ""};
        struct fb_document *document = open_text(text);
        assert_non_null(document);
        struct fb_map root = fb_document_root(document, &error);
        struct fb_map part = fb_map_child(&root, "part", true);
        getter_call(&part, cases[i].form);
        assert_line_holds(error.text, cases[i].expected);
        fb_document_close(document);
    }
}

static void getters_of_wrong_values_name_key_line_and_remedy(void **state)
{
    (void)state;
    static const struct wrong_value cases[] = {
        {BYTES, "64", "a.yaml:2:8: part.key: \"64\" needs a unit, e.g. 64 GiB"},
        {BYTES, "lots", "\"lots\" is not a size: write a number and a unit (B KB"},
        {BYTES, "0 B", "a.yaml:2:8: part.key: \"0 B\" is too small: write at least 512 B"},
        {BYTES, "2 MiB", "\"2 MiB\" is too large: write at most 1.00 MiB"},
        {BYTES, "1 s", "\"1 s\" is not a size"},
        {BYTES, "", "a.yaml:2:3: part.key: is empty: give a value or remove the key"},
        {BYTES, "[1 B]", "a.yaml:2:3: part.key: is a list: write one plain value"},
        {BYTES, "{a: 1}", "part.key: is a map: write one plain value"},
        {NS, "5", "\"5\" needs a unit, e.g. 1.5 us"},
        {NS, "5 ns", "\"5 ns\" is too small: write at least 1.00 us"},
        {RATE, "5", "\"5\" needs a unit, e.g. 400 Gbps"},
        {RATE, "5 GB", "\"5 GB\" is not a rate"},
        {COUNT, "8x", "\"8x\" is not a whole number"},
        {COUNT, "-1", "\"-1\" is not a whole number"},
        {COUNT, "1.5", "\"1.5\" is not a whole number"},
        {COUNT, "99999999999999999999", "is not a whole number"},
        {COUNT, "0", "\"0\" is too small: write at least 1"},
        {COUNT, "101", "\"101\" is too large: write at most 100"},
        {NUMBER, "half", "\"half\" is not a number"},
        {NUMBER, ".inf", "is not a number"},
        {NUMBER, "nan", "is not a number"},
        {NUMBER, "0x1", "is not a number"},
        {NUMBER, "2", "\"2\" is too large: write at most 1"},
        {NUMBER, "-1", "\"-1\" is too small: write at least 0"},
        {FLAG, "yes", "\"yes\" is not a flag: write true or false"},
        {CHOICE, "lur", "\"lur\" is not known: did you mean lru? (one of fifo, lru, clock)"},
        {CHOICE, "marvellous", "is not known: write one of fifo, lru, clock"},
        {TEXT, "~", "is empty"},
        {TEXT, "*other", "is an alias: write the value out"},
        {CHILD, "5", "a.yaml:2:8: part.key: is not a map"},
        {CHILD, "", "part.key: is empty"},
    };
    wrong_values_check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void getters_of_numbers_that_do_not_fit_say_so(void **state)
{
    (void)state;
    static const struct wrong_value cases[] = {
        {BYTES, "1.2.3 MiB", "\"1.2.3 MiB\" is not a size"},
        {BYTES, "1. MiB", "\"1. MiB\" is not a size"},
        {BYTES, "1234567890123456789 B",
         "\"1234567890123456789 B\" has more than 18 digits: write "
         "it with a larger unit"},
        {BYTES, "1.000000000000000000 MiB", "has more than 18 digits: write it with a larger unit"},
        {BYTES, "999999999999999999 PiB", "is too large: write at most 1.00 MiB"},
        {NS, "9223372036854775807 ns", "has more than 18 digits: write it with a larger unit"},
        {NS, "999999999999999999 d", "is too large: write at most"},
        {RATE, "9223372036854775807 B/s", "has more than 18 digits: write it with a larger unit"},
        {RATE, "9223372036854775807 bps", "has more than 18 digits: write it with a larger unit"},
    };
    wrong_values_check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void getters_of_missing_required_keys_say_so(void **state)
{
    (void)state;
    static const enum form forms[] = {TEXT, COUNT, NUMBER, BYTES, NS, RATE, CHOICE, CHILD};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        error = (struct fb_error){.text = ""};
        struct fb_document *document = open_text("\npart:\n  other: 1\n");
        struct fb_map root = fb_document_root(document, &error);
        struct fb_map part = fb_map_child(&root, "part", true);
        getter_call(&part, forms[i]);
        assert_line_holds(error.text, "a.yaml:2:1: part.key: the key is missing: add it");
        fb_document_close(document);
    }
}

static void close_with_unknown_key_names_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"core:\n  memory_sise: 1\n",
         "a.yaml:2:3: core.memory_sise: unknown key: did you mean memory_size?"},
        {"core:\n  policy: lru\n  size_of_memory_in_bytes: 1\n",
         "a.yaml:3:3: core.size_of_memory_in_bytes: unknown key: known here: memory_size, policy"},
        {"core: {memory_size: 1, p: 2}\n", "a.yaml:1:24: core.p: unknown key: known here: "},
        {"core: {<<: 1}\n", "core.<<: unknown key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = (struct fb_error){.text = ""};
        struct fb_document *document = open_text(cases[i].text);
        struct fb_map root = fb_document_root(document, &error);
        struct fb_map core = fb_map_child(&root, "core", true);
        fb_map_has(&core, "memory_size");
        fb_map_has(&core, "policy");
        fb_map_close(&core);
        assert_line_holds(error.text, cases[i].expected);
        fb_document_close(document);
    }
}

static void close_lenient_with_unknown_key_is_fine(void **state)
{
    (void)state;
    struct fb_document *document = open_text("who: knows\n");
    struct fb_map root = fb_document_root(document, &error);
    fb_map_close_lenient(&root);
    assert_string_equal(error.text, "");
    fb_document_close(document);
}

static void set_replaces_adds_and_makes_maps(void **state)
{
    (void)state;
    struct fb_document *document = open_text("a: 1\nlist: [x, y]\nempty:\nsweep: {b.c: [1]}\n");
    fb_document_set(document, "a=2", &error);
    fb_document_set(document, "new.deep.key=16 MiB", &error);
    fb_document_set(document, "list.1=z", &error);
    fb_document_set(document, "empty.k=v=w", &error);
    fb_document_set(document, "sweep.b.c=[3, 4]", &error);
    fb_document_set(document, "map={p: 1, q: {r: 2}}", &error);
    assert_string_equal(error.text, "");
    struct fb_map root = fb_document_root(document, &error);
    assert_int_equal(fb_map_count(&root, "a", 0, 9), 2);
    struct fb_map map = fb_map_child(&root, "new", true);
    struct fb_map deep = fb_map_child(&map, "deep", true);
    assert_int_equal(fb_map_bytes(&deep, "key", 0, UINT64_MAX), 16777216);
    assert_true(fb_map_is_assigned(&deep, "key"));
    assert_false(fb_map_is_assigned(&root, "list"));
    assert_string_equal(fb_map_list_text(&root, "list", 1), "z");
    struct fb_map sweep = fb_map_child(&root, "sweep", true);
    assert_int_equal(fb_map_list_count(&sweep, "b.c"), 2);
    struct fb_map empty = fb_map_child(&root, "empty", true);
    assert_string_equal(fb_map_text(&empty, "k"), "v=w");
    char *text = fb_document_text(document);
    assert_non_null(strstr(text, "a: 2\n"));
    assert_non_null(strstr(text, "key: 16 MiB\n"));
    free(text);
    assert_string_equal(error.text, "");
    fb_document_close(document);
}

static void set_of_bad_assignment_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *expected;
    } cases[] = {
        {"core.policy", "--set core.policy: not an assignment: write key=value"},
        {"=1", "--set : not a key"},
        {"a..b=1", "--set a..b: not a key"},
        {".a=1", "not a key"},
        {"a=", "--set a: there is no value: write key=value"},
        {"a=[1", "--set a: not YAML: "},
        {"a=\x80", "--set a: not YAML: a byte that is no character"},
        {"a=%", "--set a: not YAML: a directive"},
        {"a.b=1", "--set a.b: \"a.b\" has no such place"},
        {"list.7=1", "--set list.7: \"list.7\" has no such place"},
        {"a={x: 1, x: 2}", "--set a: repeated key \"x\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = (struct fb_error){.text = ""};
        struct fb_document *document = open_text("a: 1\nlist: [1]\n");
        fb_document_set(document, cases[i].assignment, &error);
        assert_line_holds(error.text, cases[i].expected);
        fb_document_close(document);
    }
}

/* A static text: `head`, then so many times the byte, then `tail`. */
static const char *long_text(const char *head, char byte, size_t count, const char *tail)
{
    static char text[4096];
    assert_true(strlen(head) + count + strlen(tail) < sizeof(text));
    size_t at = (size_t)snprintf(text, sizeof(text), "%s", head);
    memset(text + at, byte, count);
    snprintf(text + at + count, sizeof(text) - at - count, "%s", tail);
    return text;
}

static void set_of_the_longest_key_and_of_one_byte_more(void **state)
{
    (void)state;
    struct fb_document *document = open_text("a: 1\n");
    fb_document_set(document, long_text("", 'k', 127, "=1"), &error);
    assert_string_equal(error.text, "");
    fb_document_set(document, long_text("", 'k', 128, "=1"), &error);
    assert_line_holds(error.text, "kkk...: the key is longer than 127 bytes");
    fb_document_close(document);
}

static void set_of_as_many_as_there_may_be_and_one_more(void **state)
{
    (void)state;
    struct fb_document *document = open_text("a: 1\n");
    for (uint32_t i = 0; i < 64; i++)
        fb_document_set(document, "a=2", &error);
    assert_string_equal(error.text, "");
    fb_document_set(document, "a=2", &error);
    assert_line_holds(error.text, "--set a: more than 64 assignments and swept keys: write some");
    fb_document_close(document);
}

/* A folder of the longest names, so that its path has `length` bytes with "/a.yaml" behind it. */
static void deep_folder(char *path, size_t length)
{
    snprintf(path, 1200, "%s", files.folder);
    while (strlen(path) + strlen("/a.yaml") < length) {
        size_t part = length - strlen("/a.yaml") - strlen(path) - 1;
        size_t at = strlen(path);
        part = part > 202 ? 200 : part; /* and none of no bytes is left */
        path[at] = '/';
        memset(path + at + 1, 'd', part);
        path[at + 1 + part] = '\0';
        assert_int_equal(mkdir(path, 0700), 0);
    }
    strcat(path, "/a.yaml");
    assert_int_equal(strlen(path), length);
}

/* In a file of a long name it is said where, and one byte beyond the longest none is read. */
static void open_of_the_longest_path_and_of_one_byte_more(void **state)
{
    (void)state;
    for (size_t length = 1023; length <= 1024; length++) {
        char path[1200];
        deep_folder(path, length);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("b: 1\na: x\n", file);
        fclose(file);
        error = (struct fb_error){.text = ""};
        struct fb_document *document = fb_document_open(path, &error);
        if (length == 1024) {
            assert_line_holds(error.text, "...: the path is longer than 1023 bytes");
            assert_null(document);
        } else {
            struct fb_map root = fb_document_root(document, &error);
            assert_int_equal(fb_map_count(&root, "a", 0, 9), 0);
            assert_line_holds(error.text, "ddd...:2:4: a: ");
            fb_document_close(document);
        }
        for (char *end = path; end != NULL && strcmp(path, files.folder) != 0;) {
            remove(path);
            end = strrchr(path, '/');
            *end = '\0';
        }
    }
}

static void open_of_the_largest_file_and_of_one_byte_more(void **state)
{
    (void)state;
    size_t largest = 16 << 20;
    char *text = malloc(largest + 2);
    assert_non_null(text);
    memset(text, '#', largest + 1);
    for (size_t at = 80; at < largest; at += 80)
        text[at] = '\n';
    memcpy(text, "a: 1\n", 5);
    text[largest] = '\0';
    struct fb_document *document = open_text(text);
    assert_string_equal(error.text, "");
    fb_document_close(document);
    text[largest] = '#';
    text[largest + 1] = '\0';
    assert_open_fault(text, "a.yaml: larger than 16 MiB: is it YAML?");
    free(text);
}

static void errors_in_assigned_values_name_the_assignment(void **state)
{
    (void)state;
    struct fb_document *document = open_text("core: {memory_size: 1 GiB}\n");
    fb_document_set(document, "core.memory_size=64", &error);
    fb_document_set(document, "core.polisy=lru", &error);
    fb_document_set_value(document, "core.lend", "x", "a.yaml:9:3: sweep core.lend", &error);
    struct fb_map root = fb_document_root(document, &error);
    struct fb_map core = fb_map_child(&root, "core", true);
    fb_map_bytes(&core, "memory_size", 0, UINT64_MAX);
    assert_string_equal(error.text, "--set core.memory_size: \"64\" needs a unit, e.g. 64 GiB");
    error = (struct fb_error){.text = ""};
    fb_map_count(&core, "lend", 0, 9);
    assert_line_holds(error.text, "a.yaml:9:3: sweep core.lend: core.lend: \"x\" is not a whole");
    error = (struct fb_error){.text = ""};
    fb_map_has(&core, "policy");
    fb_map_close(&core);
    assert_string_equal(error.text, "--set core.polisy: unknown key: did you mean policy?");
    fb_document_close(document);
}

static void list_getters_of_wrong_elements_say_so(void **state)
{
    (void)state;
    struct fb_document *document = open_text("list: [1, [2], {a: 3}, ]\n");
    struct fb_map root = fb_document_root(document, &error);
    fb_map_list_text(&root, "list", 1);
    assert_line_holds(error.text, "a.yaml:1:1: list: element 2 is not a plain value");
    error = (struct fb_error){.text = ""};
    fb_map_list_map(&root, "list", 0);
    assert_line_holds(error.text, "list: element 1 is not a map");
    fb_document_close(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_of_bad_text_names_file_line_and_remedy, begin, end),
        cmocka_unit_test_setup_teardown(open_of_missing_file_says_so, begin, end),
        cmocka_unit_test_setup_teardown(open_after_an_error_does_nothing, begin, end),
        cmocka_unit_test_setup_teardown(getters_of_right_values_give_them, begin, end),
        cmocka_unit_test_setup_teardown(getters_of_absent_keys_give_the_fallback, begin, end),
        cmocka_unit_test_setup_teardown(getters_of_wrong_values_name_key_line_and_remedy, begin,
                                        end),
        cmocka_unit_test_setup_teardown(getters_of_numbers_that_do_not_fit_say_so, begin, end),
        cmocka_unit_test_setup_teardown(getters_of_missing_required_keys_say_so, begin, end),
        cmocka_unit_test_setup_teardown(close_with_unknown_key_names_the_nearest, begin, end),
        cmocka_unit_test_setup_teardown(close_lenient_with_unknown_key_is_fine, begin, end),
        cmocka_unit_test_setup_teardown(set_replaces_adds_and_makes_maps, begin, end),
        cmocka_unit_test_setup_teardown(set_of_bad_assignment_says_so, begin, end),
        cmocka_unit_test_setup_teardown(errors_in_assigned_values_name_the_assignment, begin, end),
        cmocka_unit_test_setup_teardown(list_getters_of_wrong_elements_say_so, begin, end),
        cmocka_unit_test_setup_teardown(set_of_the_longest_key_and_of_one_byte_more, begin, end),
        cmocka_unit_test_setup_teardown(set_of_as_many_as_there_may_be_and_one_more, begin, end),
        cmocka_unit_test_setup_teardown(open_of_the_longest_path_and_of_one_byte_more, begin, end),
        cmocka_unit_test_setup_teardown(open_of_the_largest_file_and_of_one_byte_more, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
