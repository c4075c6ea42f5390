/* engine_plain.c and engine_simgrid.cpp against closed forms, and against each other.
 * How: each case runs in a forked child (SimGrid allows one engine a process), once per engine
 * and kind of flows; the child checks dates against what the capacities say, within 0.1%
 * (SimGrid) of exact. */
#include "sim/engine/engine_internal.h"
#include "tests/support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 12, LEAVES = 3, SEEN_MAX = 4096 };
static const uint64_t GB = 1000000000;

struct seen {
    struct fb_engine *engine;
    uint64_t cookies[SEEN_MAX], at_ns[SEEN_MAX];
    enum fb_status status[SEEN_MAX];
    uint32_t count;
    void (*react)(struct seen *seen, uint64_t cookie);
};

static void see(void *context, uint64_t cookie, enum fb_status status)
{
    struct seen *seen = context;
    seen->cookies[seen->count] = cookie;
    seen->status[seen->count] = status;
    seen->at_ns[seen->count++] = fb_engine_now_ns(seen->engine);
    if (seen->react != NULL)
        seen->react(seen, cookie);
}

static struct fb_engine *open_network(enum fb_engine_kind kind, enum fb_engine_flows flows,
                                      uint64_t uplink, struct seen *seen)
{
    static struct fb_engine_host hosts[HOSTS];
    static struct fb_engine_leaf leaves[LEAVES];
    char error[128] = "";
    for (uint32_t i = 0; i < HOSTS; i++)
        hosts[i] = (struct fb_engine_host){
            .leaf = i / (HOSTS / LEAVES), .up_bytes_per_s = 10 * GB, .down_bytes_per_s = 10 * GB};
    hosts[HOSTS - 1].flow_bytes_per_s = 2 * GB;
    for (uint32_t i = 0; i < LEAVES; i++)
        leaves[i] = (struct fb_engine_leaf){.up_bytes_per_s = uplink, .down_bytes_per_s = uplink};
    const struct fb_engine_network network = {
        .hosts = hosts, .leaves = leaves, .host_count = HOSTS, .leaf_count = LEAVES};
    memset(seen, 0, sizeof(*seen));
    seen->engine = fb_engine_open(kind, flows, &network, see, seen, error, sizeof(error));
    if (seen->engine == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(3);
    }
    return seen->engine;
}

static void expect_near(uint64_t at_ns, double expected_s, const char *what)
{
    double error = (double)at_ns * 1e-9 / expected_s - 1;
    if (error < -0.001 || error > 0.001) {
        fprintf(stderr, "%s: %.9f s, expected %.9f s\n", what, (double)at_ns * 1e-9, expected_s);
        exit(1);
    }
}

static void expect(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s does not hold\n", what);
        exit(1);
    }
}

static void case_idle_link(struct seen *seen)
{
    fb_engine_transfer(seen->engine, 0, 5, 10 * GB, 1);
    fb_engine_run(seen->engine);
    expect(seen->count == 1, "one completion");
    expect_near(seen->at_ns[0], 1.0, "idle link");
}

static void case_rate_cap(struct seen *seen)
{
    fb_engine_transfer(seen->engine, HOSTS - 1, 5, 10 * GB, 1);
    fb_engine_transfer(seen->engine, HOSTS - 1, 6, 10 * GB, 2);
    fb_engine_run(seen->engine);
    expect_near(seen->at_ns[0], 5.0, "capped flow");
}

static void case_shared_link(struct seen *seen)
{
    for (uint32_t i = 1; i <= 8; i++)
        fb_engine_transfer(seen->engine, 0, i, 10 * GB, i);
    fb_engine_run(seen->engine);
    expect(seen->count == 8, "eight completions");
    for (uint32_t i = 0; i < 8; i++) {
        expect_near(seen->at_ns[i], 8.0, "shared link");
        expect(seen->cookies[i] == i + 1, "same date, sorted by cookie");
    }
}

static void case_incast(struct seen *seen)
{
    for (uint32_t i = 1; i <= 10; i++)
        fb_engine_transfer(seen->engine, i, 0, i * GB, i);
    fb_engine_run(seen->engine);
    /* Equal shares: flow k ends when the k smaller ones are done and k+1.. have as much each. */
    double expected = 0, previous = 0;
    for (uint32_t i = 1; i <= 10; i++) {
        expected += (i - previous) * (10 - i + 1) / 10.0;
        previous = i;
        expect_near(seen->at_ns[i - 1], expected, "incast");
    }
}

static void case_uplink(struct seen *seen)
{
    for (uint32_t i = 0; i < 4; i++)
        fb_engine_transfer(seen->engine, i, 4 + i, 10 * GB, i);
    fb_engine_run(seen->engine);
    for (uint32_t i = 0; i < 4; i++)
        expect_near(seen->at_ns[i], 2.0, "uplink of 20 GB/s shared by four ports of 10 GB/s");
}

static void case_inside_a_leaf(struct seen *seen)
{
    for (uint32_t i = 0; i < 2; i++)
        fb_engine_transfer(seen->engine, i, 2 + i, 10 * GB, i);
    fb_engine_run(seen->engine);
    expect_near(seen->at_ns[1], 1.0, "flows inside a leaf do not cross its uplink");
}

static void case_timers(struct seen *seen)
{
    fb_engine_timer(seen->engine, 3000, 7);
    fb_engine_timer(seen->engine, 1000, 9);
    fb_engine_timer(seen->engine, 3000, 2);
    fb_engine_timer(seen->engine, 0, 4);
    fb_engine_run(seen->engine);
    const uint64_t cookies[] = {4, 9, 2, 7}, dates[] = {0, 1000, 3000, 3000};
    expect(seen->count == 4, "four timers");
    for (uint32_t i = 0; i < 4; i++) {
        expect(seen->cookies[i] == cookies[i], "timers in (date, cookie) order");
        expect(seen->at_ns[i] == dates[i], "timers at their nanosecond");
    }
}

static void take_down(struct seen *seen, uint64_t cookie)
{
    if (cookie == 100)
        fb_engine_set_up(seen->engine, 3, false);
    if (cookie == 101)
        fb_engine_transfer(seen->engine, 0, 3, GB, 5);
}

static void case_host_goes_down(struct seen *seen)
{
    seen->react = take_down;
    fb_engine_transfer(seen->engine, 0, 3, 10 * GB, 1);
    fb_engine_transfer(seen->engine, 3, 1, 10 * GB, 2);
    fb_engine_transfer(seen->engine, 0, 1, 10 * GB, 3);
    fb_engine_timer(seen->engine, GB / 2, 100);
    fb_engine_timer(seen->engine, GB, 101);
    fb_engine_run(seen->engine);
    uint32_t gone = 0;
    for (uint32_t i = 0; i < seen->count; i++) {
        bool is_failed = seen->cookies[i] == 1 || seen->cookies[i] == 2 || seen->cookies[i] == 5;
        expect((seen->status[i] == FB_GONE) == is_failed, "only the dead host's flows fail");
        gone += is_failed;
        if (seen->cookies[i] == 1 || seen->cookies[i] == 2)
            expect(seen->at_ns[i] == GB / 2, "in flight: at the date of the failure");
        if (seen->cookies[i] == 5)
            expect(seen->at_ns[i] == GB, "started to a dead host: at once");
        if (seen->cookies[i] == 3) /* half rate for 0.5 s, then alone: 2.5 GB, then 7.5 GB */
            expect_near(seen->at_ns[i], 1.25, "the survivor gets the rest");
    }
    expect(gone == 3 && seen->count == 6, "each exactly once");
}

static void halve(struct seen *seen, uint64_t cookie)
{
    if (cookie == 100)
        fb_engine_set_capacity(seen->engine, 0, 5 * GB, 5 * GB);
}

static void case_capacity_changes(struct seen *seen)
{
    seen->react = halve;
    fb_engine_transfer(seen->engine, 0, 1, 10 * GB, 1);
    fb_engine_timer(seen->engine, GB / 2, 100);
    fb_engine_run(seen->engine);
    expect_near(seen->at_ns[1], 1.5, "half the capacity from the middle on");
}

static void stop_at_two(struct seen *seen, uint64_t cookie)
{
    if (cookie == 2)
        fb_engine_stop(seen->engine);
}

static void case_self_zero_and_stop(struct seen *seen)
{
    seen->react = stop_at_two;
    fb_engine_transfer(seen->engine, 0, 0, GB, 0);
    fb_engine_transfer(seen->engine, 0, 1, 0, 1);
    fb_engine_timer(seen->engine, 5, 2);
    fb_engine_timer(seen->engine, 6, 3);
    fb_engine_run(seen->engine);
    expect(seen->count == 3, "nothing after stop");
    expect(seen->at_ns[0] == 0 && seen->at_ns[1] == 0, "itself and nothing take no time");
}

/* In a child: without cmocka's handlers, which would go on with the next test. */
static void crash_plainly(void)
{
    signal(SIGSEGV, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
}

typedef void engine_case(struct seen *seen);

static void run_everywhere(engine_case *body, uint64_t uplink)
{
    static const struct {
        enum fb_engine_kind kind;
        enum fb_engine_flows flows;
        const char *name;
    } kinds[] = {{FB_ENGINE_PLAIN, FB_FLOWS_FLUID, "plain"},
                 {FB_ENGINE_SIMGRID, FB_FLOWS_LMM, "simgrid lmm"},
                 {FB_ENGINE_SIMGRID, FB_FLOWS_FLUID, "simgrid fluid"}};
    for (uint32_t i = 0; i < 3; i++) {
        if (!fb_engine_kind_is_built(kinds[i].kind)) {
            print_message("%s: not in this build, left out\n", kinds[i].name);
            continue;
        }
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            static struct seen seen;
            crash_plainly();
            open_network(kinds[i].kind, kinds[i].flows, uplink, &seen);
            body(&seen);
            fb_engine_close(seen.engine);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status != 0)
            fail_msg("%s: status %d", kinds[i].name, status);
    }
}

#define ENGINE_TEST(name, body, uplink) \
    static void name(void **state) \
    { \
        (void)state; \
        run_everywhere(body, uplink); \
    }
ENGINE_TEST(transfer_alone_takes_size_over_rate, case_idle_link, 0)
ENGINE_TEST(transfer_with_a_cap_takes_size_over_cap, case_rate_cap, 0)
ENGINE_TEST(transfers_out_of_one_port_share_it, case_shared_link, 0)
ENGINE_TEST(transfers_into_one_port_share_it, case_incast, 0)
ENGINE_TEST(transfers_between_leaves_share_the_uplink, case_uplink, 20 * GB)
ENGINE_TEST(transfers_inside_a_leaf_leave_the_uplink_alone, case_inside_a_leaf, 5 * GB)
ENGINE_TEST(timers_come_in_order_of_date_and_cookie, case_timers, 0)
ENGINE_TEST(host_down_fails_its_transfers_once, case_host_goes_down, 0)
ENGINE_TEST(capacity_change_counts_from_its_date, case_capacity_changes, 0)
ENGINE_TEST(transfers_of_nothing_and_stop, case_self_zero_and_stop, 0)

static void second_simgrid_in_a_process_is_refused(void **state)
{
    (void)state;
    if (!fb_engine_kind_is_built(FB_ENGINE_SIMGRID)) {
        print_message("simgrid is not in this build, left out\n");
        return;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        crash_plainly();
        static struct seen seen;
        struct fb_engine_host host = {.up_bytes_per_s = 1, .down_bytes_per_s = 1};
        struct fb_engine_leaf leaf = {.up_bytes_per_s = 0};
        const struct fb_engine_network network = {
            .hosts = &host, .leaves = &leaf, .host_count = 1, .leaf_count = 1};
        char error[128] = "";
        open_network(FB_ENGINE_SIMGRID, FB_FLOWS_LMM, 0, &seen);
        bool is_refused = fb_engine_open(FB_ENGINE_SIMGRID, FB_FLOWS_LMM, &network, see, &seen,
                                         error, sizeof(error)) == NULL;
        _exit(is_refused && strstr(error, "only one") != NULL ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void disk_of_simgrid_agrees_with_size_over_rate(void **state)
{
    (void)state;
    if (!fb_engine_kind_is_built(FB_ENGINE_SIMGRID)) {
        print_message("simgrid is not in this build, left out\n");
        return;
    }
    for (uint32_t count = 1; count <= 8; count *= 2) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            crash_plainly();
            double seconds = fb_simgrid_find()->disk_read_s(7 * GB, GB, count);
            expect_near((uint64_t)(seconds * 1e9), count / 7.0, "SimGrid's disk");
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_alone_takes_size_over_rate),
        cmocka_unit_test(transfer_with_a_cap_takes_size_over_cap),
        cmocka_unit_test(transfers_out_of_one_port_share_it),
        cmocka_unit_test(transfers_into_one_port_share_it),
        cmocka_unit_test(transfers_between_leaves_share_the_uplink),
        cmocka_unit_test(transfers_inside_a_leaf_leave_the_uplink_alone),
        cmocka_unit_test(timers_come_in_order_of_date_and_cookie),
        cmocka_unit_test(host_down_fails_its_transfers_once),
        cmocka_unit_test(capacity_change_counts_from_its_date),
        cmocka_unit_test(transfers_of_nothing_and_stop),
        cmocka_unit_test(second_simgrid_in_a_process_is_refused),
        cmocka_unit_test(disk_of_simgrid_agrees_with_size_over_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
