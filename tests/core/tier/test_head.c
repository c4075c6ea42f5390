/* core/tier/head.c: which copy of a head is true, and what a start does with what is on a drive;
 * the functions of core/tier/header.c that join and count.
 * How: every combination of the facts that can be, against the rule in words. */
#include "core/tier/head.h"
#include "core/tier/header.h"

#include "tests/support/unit.h"

#include <string.h>

static struct fb_head head_make(uint64_t sequence, uint32_t state)
{
    return (struct fb_head){.sequence = sequence,
                            .identity = 1,
                            .cluster = 2,
                            .device_size_bytes = 3,
                            .block_size_bytes = 4,
                            .node = 5,
                            .state = state};
}

static void head_choose_takes_the_newest_that_can_be_read(void **state)
{
    (void)state;
    struct fb_head_copy copies[FB_HEAD_COPIES];
    for (uint32_t fine = 0; fine < 1u << FB_HEAD_COPIES; fine++) {
        for (uint32_t newest = 0; newest < FB_HEAD_COPIES; newest++) {
            for (uint32_t i = 0; i < FB_HEAD_COPIES; i++)
                copies[i] = (struct fb_head_copy){
                    .head = head_make(i == newest ? 9 : 8, FB_HEAD_IN_USE),
                    .state = fine >> i & 1 ? FB_HEAD_COPY_FINE : FB_HEAD_COPY_DAMAGED};
            uint32_t chosen = fb_head_choose(copies, FB_HEAD_COPIES);
            uint32_t count = (uint32_t)__builtin_popcount(fine);
            assert_int_equal(chosen == FB_NONE, fine == 0);
            if (chosen == FB_NONE)
                continue;
            bool has_newest = fine >> newest & 1;
            assert_true(fine >> chosen & 1);
            if (has_newest)
                assert_int_equal(chosen, newest);
            assert_int_equal(fb_head_faults(copies, FB_HEAD_COPIES, chosen),
                             FB_HEAD_COPIES - (has_newest ? 1 : count));
        }
    }
}

static void drive_without_a_head_is_new_only_if_it_is_empty(void **state)
{
    (void)state;
    for (uint32_t kinds = 0; kinds < 3 * 3 * 3 * 3; kinds++) {
        struct fb_head_copy copies[FB_HEAD_COPIES];
        static const uint32_t states[] = {FB_HEAD_COPY_EMPTY, FB_HEAD_COPY_DAMAGED,
                                          FB_HEAD_COPY_STRANGE};
        bool is_strange = false;
        uint32_t rest = kinds;
        for (uint32_t i = 0; i < FB_HEAD_COPIES; i++, rest /= 3) {
            copies[i] = (struct fb_head_copy){.state = states[rest % 3]};
            is_strange = is_strange || rest % 3 == 2;
        }
        struct fb_drive_facts facts = {.copies = copies, .copy_count = FB_HEAD_COPIES};
        assert_int_equal(fb_drive_judge(&facts), kinds == 0   ? FB_DRIVE_FORM
                                                 : is_strange ? FB_DRIVE_REFUSE_STRANGE
                                                              : FB_DRIVE_REFUSE_DAMAGED);
        facts.may_discard = true;
        assert_int_equal(fb_drive_judge(&facts), FB_DRIVE_FORM);
    }
}

/* What is owed, or may be, is kept, or the start is refused, but for the operator's word. */
static void drive_with_a_head_is_never_formed_over_what_is_owed(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 1u << 8; bits++) {
        bool is_owed = bits & 1, is_unknown = bits & 2, is_cut_anew = bits & 4;
        bool is_foreign = bits & 8, is_recovered = bits & 16, may_discard = bits & 32;
        uint32_t head_state = FB_HEAD_FORMING + (bits >> 6) % 3;
        struct fb_head_copy copy = {.head = head_make(1, head_state), .state = FB_HEAD_COPY_FINE};
        struct fb_drive_facts facts = {.copies = &copy,
                                       .copy_count = 1,
                                       .wanted = head_make(0, 0),
                                       .owed_bytes = is_owed ? 10 : 0,
                                       .unknown_headers = is_unknown ? 2 : 0,
                                       .is_recovered = is_recovered,
                                       .may_discard = may_discard};
        facts.wanted.device_size_bytes += is_cut_anew;
        facts.wanted.node += is_foreign;
        enum fb_drive_answer answer = fb_drive_judge(&facts);
        bool is_in_use = head_state == FB_HEAD_IN_USE, is_refused = answer > FB_DRIVE_FORM;
        if (may_discard)
            assert_false(is_refused);
        else if (is_foreign)
            assert_int_equal(answer, FB_DRIVE_REFUSE_FOREIGN);
        else if (!is_in_use || !(is_owed || is_unknown))
            assert_int_equal(answer, is_cut_anew || head_state == FB_HEAD_FORMING ? FB_DRIVE_FORM
                                                                                  : FB_DRIVE_USE);
        else if (is_unknown)
            assert_int_equal(answer, FB_DRIVE_REFUSE_UNKNOWN);
        else if (is_cut_anew)
            assert_int_equal(answer, FB_DRIVE_REFUSE_RESIZED);
        else
            assert_int_equal(answer, is_recovered ? FB_DRIVE_USE : FB_DRIVE_REFUSE_IGNORED);
    }
}

static void header_join_takes_each_header_from_where_it_can_be_read(void **state)
{
    (void)state;
    enum { FIRST = 1, SECOND = 2 };
    struct fb_header_page page = {0}, second = {0};
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        page.headers[unit] = (struct fb_header){.state = FB_HEADER_OWED, .size = FIRST};
        second.headers[unit] = (struct fb_header){.state = FB_HEADER_OWED, .size = SECOND};
    }
    uint64_t fine = UINT64_C(0xff00ff00ff00ff00), second_fine = UINT64_C(0xf0f0f0f0f0f0f0f0);
    uint32_t count;
    uint64_t unknown = fb_header_join(&page, fine, &second, second_fine), bytes = 0;
    assert_true(unknown == ~(fine | second_fine));
    for (uint32_t unit = 0; unit < FB_UNITS_PER_CHUNK; unit++) {
        uint32_t right = fine >> unit & 1 ? FIRST : second_fine >> unit & 1 ? SECOND : 0;
        assert_int_equal(page.headers[unit].size, right);
        assert_int_equal(page.headers[unit].state, right == 0 ? FB_HEADER_NONE : FB_HEADER_OWED);
        bytes += right;
    }
    assert_int_equal(fb_header_owed_bytes(&page, &count), bytes);
    assert_int_equal(count, 64 - __builtin_popcountll(unknown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_choose_takes_the_newest_that_can_be_read),
        cmocka_unit_test(drive_without_a_head_is_new_only_if_it_is_empty),
        cmocka_unit_test(drive_with_a_head_is_never_formed_over_what_is_owed),
        cmocka_unit_test(header_join_takes_each_header_from_where_it_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
