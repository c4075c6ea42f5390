/* The oracle of overwrites: each kind of wrong answer is told from a right one. */
#include "sim/clients/overwrite_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NAME = 1, OTHER = 0, NAMES = 2, WRITES = 8 };

static uint64_t whole_write(struct fb_history *history, uint32_t name)
{
    uint64_t write = fb_history_begin(history, name);
    fb_history_whole(history, write);
    return write;
}

static enum fb_history_verdict judge(struct fb_history *history, uint64_t acked_before,
                                     uint64_t version, uint64_t write)
{
    const struct fb_meta record = {.version = version, .value = {.low = write}};
    return fb_history_judge(history, NAME, acked_before, &record);
}

static void record_of_before_an_ack_is_stale(void **state)
{
    (void)state;
    struct fb_history *history = fb_history_open(NAMES, WRITES, NULL);
    uint64_t first = whole_write(history, NAME), second = whole_write(history, NAME);
    assert_int_equal(judge(history, 0, 0, 0), FB_HISTORY_RIGHT);
    assert_int_equal(fb_history_won(history, first, 1), FB_HISTORY_RIGHT);
    uint64_t before = fb_history_acked(history, NAME);
    assert_int_equal(fb_history_won(history, second, 2), FB_HISTORY_RIGHT);
    assert_int_equal(judge(history, before, 1, first), FB_HISTORY_RIGHT);
    assert_int_equal(judge(history, fb_history_acked(history, NAME), 1, first), FB_HISTORY_STALE);
    assert_int_equal(judge(history, fb_history_acked(history, NAME), 0, 0), FB_HISTORY_STALE);
    assert_int_equal(fb_history_acked(history, OTHER), 0);
    fb_history_close(history);
}

static void record_of_another_name_is_foreign(void **state)
{
    (void)state;
    struct fb_history *history = fb_history_open(NAMES, WRITES, NULL);
    uint64_t other = whole_write(history, OTHER);
    assert_int_equal(judge(history, 0, 1, other), FB_HISTORY_FOREIGN);
    assert_int_equal(judge(history, 0, 1, other + 1), FB_HISTORY_FOREIGN);
    assert_int_equal(judge(history, 0, 1, 0), FB_HISTORY_FOREIGN);
    fb_history_close(history);
}

static void record_of_a_write_under_way_is_torn(void **state)
{
    (void)state;
    struct fb_history *history = fb_history_open(NAMES, WRITES, NULL);
    uint64_t write = fb_history_begin(history, NAME);
    assert_int_equal(judge(history, 0, 1, write), FB_HISTORY_TORN);
    fb_history_whole(history, write);
    assert_int_equal(judge(history, 0, 1, write), FB_HISTORY_RIGHT); /* its ack is under way */
    fb_history_close(history);
}

static void record_of_a_refused_commit_is_lost(void **state)
{
    (void)state;
    struct fb_history *history = fb_history_open(NAMES, WRITES, NULL);
    uint64_t write = whole_write(history, NAME);
    fb_history_lost(history, write);
    assert_int_equal(judge(history, 0, 1, write), FB_HISTORY_LOST);
    fb_history_close(history);
}

static void version_that_is_two_writes_is_forked(void **state)
{
    (void)state;
    struct fb_history *history = fb_history_open(NAMES, WRITES, NULL);
    uint64_t first = whole_write(history, NAME), second = whole_write(history, NAME);
    assert_int_equal(judge(history, 0, 1, first), FB_HISTORY_RIGHT);
    assert_int_equal(judge(history, 0, 1, second), FB_HISTORY_FORKED);
    assert_int_equal(fb_history_won(history, second, 1), FB_HISTORY_FORKED);
    assert_int_equal(judge(history, 0, 3, first), FB_HISTORY_FORKED); /* of two writes at most 2 */
    fb_history_close(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_of_before_an_ack_is_stale),
        cmocka_unit_test(record_of_another_name_is_foreign),
        cmocka_unit_test(record_of_a_write_under_way_is_torn),
        cmocka_unit_test(record_of_a_refused_commit_is_lost),
        cmocka_unit_test(version_that_is_two_writes_is_forked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
