/* hw/origin/origin_posix_list.c: a folder of more names than a listing holds is refused, and not
 * listed in part. How: it includes the file, and begins with a list that says that it has so many
 * names, which nobody could make in a test. */
#include "hw/origin/origin_posix_list.c"

#include "tests/support/temporary.h"
#include "tests/support/unit.h"

static void names_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    static struct fb_origin_task task;
    struct temporary temporary;
    temporary_begin(&temporary);
    temporary_write(&temporary, "name", "");
    int root = open(temporary.folder, O_RDONLY | O_DIRECTORY);
    assert_true(root >= 0);
    struct posix_names names = {.list = NULL};
    assert_int_equal(names_read(&task, &names, root), FB_OK);
    assert_int_equal(names.count, 1);
    names_free(&names);
    lseek(root, 0, SEEK_SET);
    names.list = calloc(NAMES_MAX, sizeof(*names.list)); /* of pages that are never touched */
    names.room = NAMES_MAX;
    names.count = NAMES_MAX - 1;
    assert_non_null(names.list);
    assert_true(names_add(&names, "last"));
    assert_int_equal(names_read(&task, &names, root), FB_FULL);
    assert_int_equal(names.count, NAMES_MAX);
    free(names.list[NAMES_MAX - 1]);
    free(names.list);
    close(root);
    temporary_end(&temporary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
