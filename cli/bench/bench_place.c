/* `forebay bench place`: how long a partition table takes to build, and a lookup in it, for each
 * placement and number of members. Two ranks, domains of 32, equal weights. A build is the best of
 * three; a lookup is the mean of many of random keys, so it is one cache miss at worst. */
#include "base/clock.h"
#include "base/memory.h"
#include "cli/bench/bench.h"
#include "cli/command.h"
#include "core/panic.h"

#include "core/index/random.h"
#include "core/place/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUPS = 4000000, BUILDS = 3, HOSTS_PER_DOMAIN = 32 };

static double lookup_ns(const struct fb_view *view)
{
    struct fb_random random;
    uint64_t sum = 0;
    fb_random_init(&random, 1);
    double begun_s = fb_clock_s();
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        struct fb_key key = {.high = fb_random_next(&random), .low = i};
        sum += fb_view_owner(view, key, 0);
    }
    double taken_s = fb_clock_s() - begun_s;
    return sum > 0 ? taken_s * 1e9 / LOOKUPS : 0;
}

/* One line. */
static void place_measure(enum fb_placement placement, uint32_t count, bool is_json, bool is_first)
{
    uint64_t size_bytes = fb_view_size_bytes(count);
    struct fb_member *members = fb_allocate(count, sizeof(*members), "members", NULL);
    struct fb_view *view = fb_allocate(1, size_bytes, "a view", NULL);
    double best_s = 1e9;
    for (uint32_t i = 0; i < count; i++)
        members[i] =
            (struct fb_member){.node = i, .domain = i / HOSTS_PER_DOMAIN, .weight = 1, .is_up = 1};
    const struct fb_view_plan plan = {.version = 1,
                                      .members = members,
                                      .member_count = count,
                                      .ranks_count = 2,
                                      .placement = placement};
    for (uint32_t i = 0; i < BUILDS; i++) {
        double begun_s = fb_clock_s();
        enum fb_status status = fb_view_build_plan(view, size_bytes, &plan);
        double taken_s = fb_clock_s() - begun_s;
        FB_ASSERT(status == FB_OK);
        best_s = taken_s < best_s ? taken_s : best_s;
    }
    const char *format = is_json ? "%s{\"placement\": \"%s\", \"members\": %u, \"build_ms\": %.3f, "
                                   "\"build_steps\": %llu, \"lookup_ns\": %.2f}"
                                 : "%s%-12s %9u %12.1f %14llu %12.2f\n";
    printf(format, is_json && !is_first ? ", " : "", fb_placement_name(placement), count,
           best_s * 1e3, (unsigned long long)fb_view_operations(view), lookup_ns(view));
    fflush(stdout);
    free(members);
    free(view);
}

int fb_bench_place(int argc, char **argv)
{
    static const uint32_t counts[] = {16, 1000, 10000, 100000};
    bool is_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !is_json) {
        fprintf(stderr, "forebay bench place: unknown argument '%s': it takes --json only\n",
                argv[1]);
        return FB_EXIT_USAGE;
    }
    printf("%s", is_json ? "{\"place\": ["
                         : "placement      members    build, ms   build, steps   lookup, ns\n");
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (uint32_t p = 0; p < FB_PLACEMENT_COUNT; p++)
            place_measure((enum fb_placement)p, counts[i], is_json, i + p == 0);
    if (is_json)
        printf("]}\n");
    return FB_EXIT_FINE;
}
