/* base/memory.c: memory is zeroed and never NULL by a size of 0; what there is not is said, or ends
 * the program.
 * How: more is asked for than there can be; the end is seen by the parent of a child. */
#include "base/error.h"
#include "base/memory.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers end a program that asks for too much, unless they are told not to. */
const char *__asan_default_options(void);
const char *__msan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__msan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void allocate_gives_zeroed_memory_for_none_too(void **state)
{
    (void)state;
    struct fb_error error = {.text = ""};
    uint64_t *numbers = fb_allocate(1000, sizeof(*numbers), "numbers", &error);
    void *nothing = fb_allocate(0, sizeof(*numbers), "numbers", &error);
    assert_non_null(numbers);
    assert_non_null(nothing);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], 0);
    assert_false(fb_error_is_set(&error));
    free(numbers);
    free(nothing);
}

static void grow_keeps_the_items(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    for (uint32_t count = 1; count <= 4096; count *= 4) {
        items = fb_grow(items, count, sizeof(*items), "items", NULL);
        items[count - 1] = count;
        for (uint32_t i = 1; i <= count; i *= 4)
            assert_int_equal(items[i - 1], i);
    }
    free(items);
}

static void allocate_of_more_than_there_is_says_for_whom(void **state)
{
    (void)state;
    struct fb_error error = {.text = ""};
    assert_null(fb_allocate(UINT64_C(1) << 61, 1, "the readers", &error));
    assert_string_equal(error.text, "out of memory for the readers: 2199023255552.0 MiB");
    error.text[0] = '\0';
    assert_null(fb_allocate(UINT64_C(1) << 40, UINT64_C(1) << 40, "the readers", &error));
    assert_true(fb_error_is_set(&error));
}

static void grow_to_more_than_there_is_keeps_the_items(void **state)
{
    (void)state;
    struct fb_error error = {.text = ""};
    uint32_t *items = fb_grow(NULL, 1, sizeof(*items), "items", &error);
    *items = 7;
    assert_null(fb_grow(items, UINT64_C(1) << 60, sizeof(*items), "items", &error));
    assert_non_null(strstr(error.text, "out of memory for items: "));
    assert_int_equal(*items, 7);
    free(items);
}

static void allocate_without_an_error_ends_the_program_with_a_line(void **state)
{
    (void)state;
    char line[256] = "";
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        fb_allocate(UINT64_C(1) << 61, 1, "the readers", NULL);
        _exit(0);
    }
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    bool is_found = false;
    while (!is_found && fgets(line, sizeof(line), said) != NULL)
        is_found =
            strcmp(line, "forebay: out of memory for the readers: 2199023255552.0 MiB\n") == 0;
    fclose(said);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(is_found);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocate_gives_zeroed_memory_for_none_too),
        cmocka_unit_test(grow_keeps_the_items),
        cmocka_unit_test(allocate_of_more_than_there_is_says_for_whom),
        cmocka_unit_test(grow_to_more_than_there_is_keeps_the_items),
        cmocka_unit_test(allocate_without_an_error_ends_the_program_with_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
