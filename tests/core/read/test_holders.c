/* holders.c: whom a lender remembers and names. */
#include "tests/support/unit.h"

#include "core/read/read.h"

static struct entry entry_full(void)
{
    struct entry entry = {.state = ENTRY_RESIDENT};
    for (uint32_t peer = 1; peer <= FB_HOLDERS_MAX; peer++) {
        fb_holder_add(&entry, peer);
        fb_holder_ready(&entry, peer);
    }
    return entry;
}

static void holder_add_when_full_forgets_the_oldest(void **state)
{
    (void)state;
    struct entry entry = entry_full();
    fb_holder_add(&entry, 100);
    assert_int_equal(entry.holder_count, FB_HOLDERS_MAX);
    assert_int_equal(entry.holders[0], 2);
    assert_int_equal(entry.holders[FB_HOLDERS_MAX - 1], 100);
    for (uint32_t i = 0; i < FB_HOLDERS_MAX; i++) /* it is not ready: the others are named */
        assert_int_not_equal(fb_holder_next(&entry, 200), 100);
}

static void holder_remove_when_full_makes_room_for_the_next(void **state)
{
    (void)state;
    struct entry entry = entry_full();
    fb_holder_remove(&entry, 3);
    fb_holder_add(&entry, 100);
    assert_int_equal(entry.holders[FB_HOLDERS_MAX - 1], 100);
    for (uint32_t i = 0; i < FB_HOLDERS_MAX; i++)
        assert_int_not_equal(entry.holders[i], 3);
}

static void holder_next_when_the_asker_is_alone_names_nobody(void **state)
{
    (void)state;
    struct entry entry = {.state = ENTRY_RESIDENT};
    fb_holder_add(&entry, 7);
    assert_int_equal(fb_holder_next(&entry, 7), FB_NONE);
    assert_int_equal(fb_holder_next(&entry, 8), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holder_add_when_full_forgets_the_oldest),
        cmocka_unit_test(holder_remove_when_full_makes_room_for_the_next),
        cmocka_unit_test(holder_next_when_the_asker_is_alone_names_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
