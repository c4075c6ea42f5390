/* client/fuse/made.c: of folders that were made and are empty as many are kept as may be, and one
 * more is refused; the folders that they are in are there by them. Of names that are a file's and a
 * folder's the table forgets the older of two that have one place, and takes none for one that was
 * not put. How: it includes the file; that a name is there already is not looked for. */
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

static int name_copy(void *context, const struct forebay_entry *entry)
{
    strcat(strcat(context, entry->name), " ");
    return 0;
}

static void folders_that_made_ones_are_in_are_there(void **state)
{
    (void)state;
    static struct mount mount;
    char names[64] = "";
    pthread_mutex_init(&mount.folders_mutex, NULL);
    assert_int_equal(folder_add(&mount, "a/b/c"), 0);
    assert_int_equal(folder_add(&mount, "ab"), 0);
    assert_true(folder_exists(&mount, "a"));
    assert_true(folder_exists(&mount, "a/b/c"));
    assert_false(folder_exists(&mount, "a/b/c/d"));
    assert_false(folder_exists(&mount, "a/b/"));
    assert_int_equal(folder_list(&mount, "", name_copy, names), 0);
    assert_string_equal(names, "a ab ");
    names[0] = '\0';
    assert_int_equal(folder_list(&mount, "a", name_copy, names), 0);
    assert_string_equal(names, "b ");
    assert_false(folder_remove(&mount, "a"));
    assert_true(folder_remove(&mount, "a/b/c") && folder_remove(&mount, "ab"));
    assert_false(folder_exists(&mount, "a"));
    free(mount.folders);
    pthread_mutex_destroy(&mount.folders_mutex);
}

static void table_that_is_full_forgets_and_never_invents(void **state)
{
    (void)state;
    static struct mount mount;
    enum { NAMES = 4 * MOUNT_BOTH_PLACES };
    uint32_t kept = 0;
    char name[32];
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        assert_false(both_is(&mount, name));
        both_add(&mount, name);
        assert_true(both_is(&mount, name));
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        kept += both_is(&mount, name);
    }
    assert_in_range(kept, MOUNT_BOTH_PLACES / 2, MOUNT_BOTH_PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_beyond_the_limit_are_refused),
        cmocka_unit_test(folders_that_made_ones_are_in_are_there),
        cmocka_unit_test(table_that_is_full_forgets_and_never_invents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
