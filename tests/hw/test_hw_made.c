/* client/fuse/made.c: of folders that were made and are empty as many are kept as may be, and one
 * more is refused. How: it includes the file; that a name is there already is not looked for. */
#include "client/fuse/made.c"

#include "tests/support/unit.h"

static void folders_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    static struct mount mount;
    pthread_mutex_init(&mount.folders_mutex, NULL);
    for (uint32_t i = 0; i < FOLDERS_MAX; i++)
        assert_int_equal(folder_add(&mount, "folder"), 0);
    assert_int_equal(folder_add(&mount, "folder"), -ENOSPC);
    assert_true(folder_remove(&mount, "folder"));
    assert_int_equal(folder_add(&mount, "folder"), 0);
    while (folder_remove(&mount, "folder"))
        continue;
    assert_int_equal(mount.folder_count, 0);
    free(mount.folders);
    pthread_mutex_destroy(&mount.folders_mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
