/* share.c: shares of a table that several draw from, and strangers that make room.
 * How: greedy ones take until they are refused; what is left then is what the next one finds. */
#include "tests/support/unit.h"

#include "core/index/share.h"

enum { TOTAL = 57344, LATER_NS = 1000000000 };

/* Takes one after the other until it is refused; returns how many it got. */
static uint64_t take_all(struct fb_share *share)
{
    uint64_t begun = share->used_by_one;
    while (fb_share_has_room(share, 1)) {
        share->used_by_one++;
        share->used_by_owner++;
        share->used++;
    }
    return share->used_by_one - begun;
}

static void share_has_room_when_one_is_greedy_leaves_half(void **state)
{
    (void)state;
    struct fb_share share = {.total = TOTAL};
    assert_in_range(take_all(&share), TOTAL / 2 - 1, TOTAL / 2 + 1);
}

static void share_has_room_when_many_are_greedy_leaves_something_for_the_next(void **state)
{
    (void)state;
    struct fb_share share = {.total = TOTAL, .reserved = 1000};
    for (uint32_t i = 0; i < 127; i++) {
        share.used_by_one = 0;
        assert_true(take_all(&share) > 0);
    }
    assert_true(share.used <= TOTAL - 1000 - 16);
    share.used_by_one = 0;
    assert_true(fb_share_has_room(&share, 1)); /* of the same owner */
    share.used_by_owner = 0;
    assert_true(take_all(&share) > 100); /* of another */
}

static void share_has_room_when_table_is_small_gives_all_of_it(void **state)
{
    (void)state;
    struct fb_share share = {.total = 2};
    for (uint32_t i = 0; i < 2; i++) {
        share.used_by_one = 0;
        assert_true(fb_share_has_room(&share, 1));
        share.used++;
        share.used_by_owner++;
    }
    assert_false(fb_share_has_room(&share, 1));
}

/* One of those gets four fifths; as those that have more than their part give it back, and may have
 * no other, shares even out. */
static void share_has_room_when_what_is_drawn_comes_back_evens_out(void **state)
{
    (void)state;
    uint64_t used[3] = {0};
    struct fb_share share = {.total = 60, .times = 4};
    used[0] = take_all(&share);
    assert_in_range(used[0], 47, 49);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            used[i] -= used[i] > 0; /* one has its answer */
            share.used = used[0] + used[1] + used[2];
            share.used_by_one = used[i];
            share.used_by_owner = used[i];
            used[i] += take_all(&share);
        }
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range(used[i], 60 * 4 / 13 - 4, 60 * 4 / 13 + 4);
    assert_true(used[0] + used[1] + used[2] < 60);
}

static void share_has_room_when_one_has_all_but_the_last_leaves_it_to_others(void **state)
{
    (void)state;
    for (uint64_t total = 1; total < 40; total++) {
        struct fb_share share = {.total = total, .times = 4};
        assert_int_equal(take_all(&share) < total, total > 1);
    }
}

static void share_has_room_when_reserve_is_all_that_is_left_refuses(void **state)
{
    (void)state;
    const struct fb_share share = {.total = 10, .reserved = 4, .used = 6};
    assert_false(fb_share_has_room(&share, 1));
    const struct fb_share over = {.total = 10, .reserved = 4, .used = 9};
    assert_false(fb_share_has_room(&over, 1));
    assert_false(fb_share_has_room(&(struct fb_share){.total = 10}, 11));
}

static void stranger_to_leave_when_one_source_floods_is_its_oldest(void **state)
{
    (void)state;
    struct fb_stranger strangers[6] = {{.source = 1, .since_ns = 1, .is_here = true},
                                       {.source = 2, .since_ns = 5, .is_here = true},
                                       {.source = 2, .since_ns = 3, .is_here = true},
                                       {.source = 2, .since_ns = 2},
                                       {.source = 2, .since_ns = 4, .is_here = true},
                                       {.source = 3, .since_ns = 0, .is_here = true}};
    assert_int_equal(fb_stranger_to_leave(strangers, 6, LATER_NS), 2);
    strangers[2].is_here = false;
    assert_int_equal(fb_stranger_to_leave(strangers, 6, LATER_NS), 4);
    strangers[4].is_here = false;
    assert_int_equal(fb_stranger_to_leave(strangers, 6, LATER_NS), 5); /* one each: the oldest */
}

static void stranger_to_leave_when_all_have_just_come_is_nobody(void **state)
{
    (void)state;
    const struct fb_stranger strangers[2] = {
        {.source = 1, .since_ns = 10, .is_here = true},
        {.source = 1, .since_ns = fb_stranger_stay_ns, .is_here = true}};
    assert_int_equal(fb_stranger_to_leave(strangers, 2, fb_stranger_stay_ns + 9), FB_NONE);
    assert_int_equal(fb_stranger_to_leave(strangers, 2, fb_stranger_stay_ns + 10), 0);
}

static void stranger_to_leave_when_nobody_is_here_is_nobody(void **state)
{
    (void)state;
    const struct fb_stranger strangers[2] = {{.source = 1}, {.source = 2}};
    assert_int_equal(fb_stranger_to_leave(strangers, 2, LATER_NS), FB_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_has_room_when_one_is_greedy_leaves_half),
        cmocka_unit_test(share_has_room_when_many_are_greedy_leaves_something_for_the_next),
        cmocka_unit_test(share_has_room_when_table_is_small_gives_all_of_it),
        cmocka_unit_test(share_has_room_when_what_is_drawn_comes_back_evens_out),
        cmocka_unit_test(share_has_room_when_one_has_all_but_the_last_leaves_it_to_others),
        cmocka_unit_test(share_has_room_when_reserve_is_all_that_is_left_refuses),
        cmocka_unit_test(stranger_to_leave_when_one_source_floods_is_its_oldest),
        cmocka_unit_test(stranger_to_leave_when_all_have_just_come_is_nobody),
        cmocka_unit_test(stranger_to_leave_when_nobody_is_here_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
