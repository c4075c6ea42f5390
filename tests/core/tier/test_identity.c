/* core/tier/identity.c: which origin and which store a start goes on with; core/tier/header.c: a
 * page forgets what is cached and keeps what is owed.
 * How: every combination of what is known and there, against the rule in words. */
#include "core/tier/header.h"
#include "core/tier/identity.h"

#include "tests/support/unit.h"

/* 0: none, or not known. */
static struct fb_key key_of(uint32_t number)
{
    return (struct fb_key){.high = number, .low = 0};
}

static void judge_refuses_whatever_is_another_while_something_depends_on_it(void **state)
{
    (void)state;
    enum { KEYS = 3 };
    uint32_t counts[FB_IDENTITY_REFUSE_DRIVE + 1] = {0};
    for (uint32_t bits = 0; bits < KEYS * KEYS * KEYS * KEYS * KEYS * 8; bits++) {
        uint32_t keys[5], rest = bits / 8;
        for (uint32_t i = 0; i < 5; i++, rest /= KEYS)
            keys[i] = rest % KEYS;
        const struct fb_identity_facts facts = {
            .drive = {.origin = key_of(keys[0]), .store = key_of(keys[1])},
            .store = {.origin = key_of(keys[2]), .store = key_of(keys[3])},
            .origin = key_of(keys[4]),
            .owed_bytes = bits & 1,
            .accepts_origin = bits >> 1 & 1,
            .accepts_store = bits >> 2 & 1};
        bool drive_is_other = keys[0] != 0 && keys[0] != keys[4];
        bool named_is_other = keys[2] != 0 && keys[2] != keys[4];
        bool store_is_other = keys[1] != 0 && keys[1] != keys[3];
        bool is_owed = bits & 1, takes_origin = bits >> 1 & 1, takes_store = bits >> 2 & 1;
        enum fb_identity_answer answer = fb_identity_judge(&facts);
        counts[answer]++;
        bool is_refused = answer == FB_IDENTITY_REFUSE_STORE ||
                          answer == FB_IDENTITY_REFUSE_NAMED || answer == FB_IDENTITY_REFUSE_DRIVE;
        bool must_refuse = (named_is_other && !takes_origin) ||
                           (drive_is_other && (is_owed || keys[4] == 0) && !takes_origin) ||
                           (store_is_other && is_owed && !takes_store);
        assert_int_equal(is_refused, must_refuse);
        if (!is_refused)
            assert_int_equal(answer == FB_IDENTITY_FORGET, drive_is_other);
        if (answer == FB_IDENTITY_REFUSE_STORE)
            assert_true(store_is_other && is_owed);
        if (answer == FB_IDENTITY_REFUSE_NAMED)
            assert_true(named_is_other);
        if (answer == FB_IDENTITY_REFUSE_DRIVE)
            assert_true(drive_is_other);
    }
    for (uint32_t i = 0; i <= FB_IDENTITY_REFUSE_DRIVE; i++)
        assert_true(counts[i] > 0);
}

static void header_forget_keeps_what_is_owed(void **state)
{
    (void)state;
    struct fb_header_page page = {.headers[0] = {.state = FB_HEADER_NONE}};
    assert_false(fb_header_forget(&page));
    page.headers[3] = (struct fb_header){.state = FB_HEADER_OWED, .size = 7};
    assert_false(fb_header_forget(&page));
    page.headers[5] = (struct fb_header){.state = FB_HEADER_CLEAN, .size = 9};
    assert_true(fb_header_forget(&page));
    assert_int_equal(page.headers[3].state, FB_HEADER_OWED);
    assert_int_equal(page.headers[3].size, 7);
    assert_int_equal(page.headers[5].state, FB_HEADER_NONE);
    assert_int_equal(page.headers[5].size, 0);
    assert_int_equal(fb_header_next(&page, 4), FB_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_refuses_whatever_is_another_while_something_depends_on_it),
        cmocka_unit_test(header_forget_keeps_what_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
