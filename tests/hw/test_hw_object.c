/* hw/origin/object.c: objects are found by handle, blocks cover an object exactly, the table
 * forgets the oldest that nobody has open, and of one name all but the last few versions.
 * How: small tables filled beyond their size; block arithmetic at its edges. */
#include "hw/origin/object.h"

#include "core/index/cache.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static struct fb_object object_make(uint32_t number, uint64_t size)
{
    struct fb_object object = {.size = size, .version = 1};
    object.name_length = (uint32_t)snprintf(object.name, sizeof(object.name), "object-%u", number);
    fb_object_identify(&object);
    return object;
}

static void identify_other_version_or_name_differs(void **state)
{
    (void)state;
    struct fb_object first = object_make(1, 10), second = first;
    second.version = 2;
    fb_object_identify(&second);
    assert_true(first.handle != second.handle);
    struct fb_object third = object_make(2, 10), again = object_make(1, 11);
    assert_true(first.handle != third.handle);
    assert_true(first.handle == again.handle);
}

static void add_committed_object_learns_its_size(void **state)
{
    (void)state;
    struct fb_objects objects;
    assert_true(fb_objects_open(&objects, 3));
    struct fb_object written = object_make(1, 0), committed = object_make(1, 77);
    assert_int_equal(fb_objects_add(&objects, &written)->size, 0);
    assert_int_equal(fb_objects_add(&objects, &committed)->size, 77);
    assert_int_equal(fb_objects_add(&objects, &written)->size, 77);
    fb_objects_close(&objects);
}

static void recognise_takes_what_a_commit_made_and_nothing_that_changed_since(void **state)
{
    (void)state;
    struct fb_objects objects;
    assert_true(fb_objects_open(&objects, 4));
    struct fb_object commit = object_make(1, 77);
    commit.version = 500;
    fb_object_identify(&commit);
    assert_non_null(fb_objects_add(&objects, &commit));
    struct fb_object found = object_make(1, 77);
    found.version = 9001;
    found.written = 500;
    struct fb_object first = found, changed = found, longer = found, stranger = found;
    fb_objects_recognise(&objects, &first);
    assert_int_equal(first.version, 500);
    assert_int_equal(first.shown, 9001);
    changed.version = 9002; /* in place, its time kept */
    fb_objects_recognise(&objects, &changed);
    assert_int_equal(changed.version, 9002);
    longer.size = 78;
    fb_objects_recognise(&objects, &longer);
    assert_int_equal(longer.version, 9001);
    stranger.written = 501;
    fb_objects_recognise(&objects, &stranger);
    assert_int_equal(stranger.version, 9001);
    fb_objects_recognise(&objects, &found);
    assert_int_equal(found.version, 500);
    fb_objects_close(&objects);
}

static void blocks_of_any_size_cover_object(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, UINT64_C(100) << 30};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct fb_object object = object_make(1, sizes[i]);
        uint64_t count = fb_object_blocks(&object, 4096);
        assert_int_equal(count, (sizes[i] + 4095) / 4096);
        if (count == 0)
            continue;
        struct fb_block last = fb_object_block(&object, 4096, count - 1);
        assert_int_equal(last.offset + last.size, sizes[i]);
        struct fb_block first = fb_object_block(&object, 4096, 0);
        assert_int_equal(first.offset, 0);
        if (count > 1)
            assert_true(first.key.high != last.key.high);
    }
}

static void add_beyond_size_forgets_oldest_closed(void **state)
{
    (void)state;
    struct fb_objects objects;
    assert_true(fb_objects_open(&objects, 4));
    struct fb_object first = object_make(0, 1);
    struct fb_object *kept = fb_objects_add(&objects, &first);
    kept->opens = 1;
    for (uint32_t i = 1; i < 20; i++) {
        struct fb_object object = object_make(i, 1);
        assert_non_null(fb_objects_add(&objects, &object));
        assert_non_null(fb_objects_find(&objects, object.handle));
    }
    assert_non_null(fb_objects_find(&objects, first.handle));
    struct fb_object second = object_make(1, 1), last = object_make(19, 1);
    assert_null(fb_objects_find(&objects, second.handle));
    assert_non_null(fb_objects_find(&objects, last.handle));
    fb_objects_close(&objects);
}

static void add_of_a_name_written_again_and_again_keeps_its_last_versions(void **state)
{
    (void)state;
    enum { VERSIONS = 500, NAMES = 10, KEPT = 4 };
    struct fb_objects objects = {.node = NULL};
    assert_true(fb_objects_open(&objects, VERSIONS * NAMES));
    struct fb_object opened = object_make(0, 1);
    fb_objects_add(&objects, &opened)->opens = 1;
    for (uint32_t version = 2; version < VERSIONS; version++) {
        for (uint32_t i = 0; i < NAMES; i++) {
            struct fb_object object = object_make(i, 1);
            object.version = version;
            fb_object_identify(&object);
            assert_non_null(fb_objects_add(&objects, &object));
        }
    }
    assert_int_equal(fb_cache_count(objects.index), NAMES * KEPT + 1);
    for (uint32_t version = VERSIONS - KEPT; version < VERSIONS; version++) {
        struct fb_object last = object_make(NAMES - 1, 1);
        last.version = version;
        fb_object_identify(&last);
        assert_non_null(fb_objects_find(&objects, last.handle));
    }
    struct fb_object *kept = fb_objects_find(&objects, opened.handle);
    assert_non_null(kept);
    kept->opens = 0; /* the next version lets it go */
    struct fb_object next = object_make(0, 1);
    next.version = VERSIONS;
    fb_object_identify(&next);
    assert_non_null(fb_objects_add(&objects, &next));
    assert_null(fb_objects_find(&objects, opened.handle));
    assert_int_equal(fb_cache_count(objects.index), NAMES * KEPT);
    fb_objects_close(&objects);
}

static void add_when_all_are_open_refuses(void **state)
{
    (void)state;
    struct fb_objects objects;
    assert_true(fb_objects_open(&objects, 3));
    for (uint32_t i = 0; i < 3; i++) {
        struct fb_object object = object_make(i, 1);
        fb_objects_add(&objects, &object)->opens = 1;
    }
    struct fb_object more = object_make(3, 1);
    assert_null(fb_objects_add(&objects, &more));
    fb_objects_close(&objects);
}

static void add_other_object_of_same_handle_refuses(void **state)
{
    (void)state;
    struct fb_objects objects;
    assert_true(fb_objects_open(&objects, 3));
    struct fb_object first = object_make(1, 1), forged = object_make(2, 1);
    assert_non_null(fb_objects_add(&objects, &first));
    forged.handle = first.handle;
    assert_null(fb_objects_add(&objects, &forged));
    assert_non_null(fb_objects_add(&objects, &first));
    fb_objects_close(&objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identify_other_version_or_name_differs),
        cmocka_unit_test(add_committed_object_learns_its_size),
        cmocka_unit_test(recognise_takes_what_a_commit_made_and_nothing_that_changed_since),
        cmocka_unit_test(blocks_of_any_size_cover_object),
        cmocka_unit_test(add_beyond_size_forgets_oldest_closed),
        cmocka_unit_test(add_of_a_name_written_again_and_again_keeps_its_last_versions),
        cmocka_unit_test(add_when_all_are_open_refuses),
        cmocka_unit_test(add_other_object_of_same_handle_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
