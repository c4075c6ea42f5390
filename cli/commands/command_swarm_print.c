/* What `forebay swarm` prints: each kind of fault with how often it struck, each thing to have been
 * seen with how often it was, each check with how often it was decided, and the sum. */
#include "cli/commands/command_swarm.h"
#include "version.h"

#include <inttypes.h>
#include <string.h>

/* What the swarm has no way to show: nothing in it answers so, no peer of it sends such messages.
 * And what a thousand seeds may not show, since it takes two rare things at one time; it is printed
 * all the same. */
static const char *const exempt[] = {"full", "bad_messages", "names_given_up",
                                     "restarted_memory_pulled", "stranger_replaced"};

static bool is_exempt(uint32_t index)
{
    for (uint32_t i = 0; i < sizeof(exempt) / sizeof(exempt[0]); i++) {
        if (strcmp(fb_swarm_sometimes_name(index), exempt[i]) == 0)
            return true;
    }
    return false;
}

uint32_t swarm_unseen(const struct swarm_totals *totals)
{
    uint32_t unseen = 0;
    for (uint32_t i = 0; i < fb_swarm_sometimes_count(); i++)
        unseen += totals->sum.sometimes[i] == 0 && !is_exempt(i);
    return unseen;
}

static double ratio(const struct swarm_totals *totals, const struct swarm_options *options)
{
    return (double)totals->sum.simulated_ns / 1e9 / (totals->seconds * options->jobs);
}

void swarm_print(const struct swarm_options *options, const struct swarm_totals *totals)
{
    const struct fb_swarm_result *sum = &totals->sum;
    printf("\n%-24s %14s  %s\n", "fault", "injected", "what");
    for (uint32_t i = 0; i < FB_SWARM_FAULT_COUNT; i++)
        printf("%-24s %14" PRIu64 "  %s\n", fb_swarm_fault_name(i), sum->faults[i],
               fb_swarm_fault_help(i));
    printf("\n%-24s %14s  %s\n", "sometimes", "seen", "what");
    for (uint32_t i = 0; i < fb_swarm_sometimes_count(); i++)
        printf("%-24s %14" PRIu64 "  %s\n", fb_swarm_sometimes_name(i), sum->sometimes[i],
               fb_swarm_sometimes_help(i));
    printf("\n%-24s %14s  %s\n", "check", "decided", "what");
    for (uint32_t i = 0; i < FB_SWARM_CHECK_COUNT; i++)
        printf("%-24s %14" PRIu64 "  %s\n", fb_swarm_check_name(i), sum->checks[i],
               fb_swarm_check_help(i));
    printf("\n%-24s %14s  %s\n", "softened", "plans", "how");
    for (uint32_t i = 0; i < FB_SWARM_SOFTENING_COUNT; i++)
        printf("%-24s %14" PRIu64 "  %s\n", fb_swarm_softening_name(i), sum->softened[i],
               fb_swarm_softening_help(i));
    printf("\nholders of acknowledged blocks were struck %" PRIu64
           " times before the drain; %" PRIu64
           " blocks had a copy left\nand were judged: %.0f a minute\n",
           sum->strikes, sum->judged, 60.0 * (double)sum->judged / totals->seconds);
    printf("\n%" PRIu64 " seeds (%" PRIu64 " of them twice), %" PRIu64 " requests, %" PRIu64
           " steps, %" PRIu64 " events\n%.0f s simulated in %.1f s on %u jobs, %.0f:1 each; "
           "%.1f seeds/s\n",
           totals->seeds, totals->twice, sum->requests, sum->steps, sum->events,
           (double)sum->simulated_ns / 1e9, totals->seconds, options->jobs, ratio(totals, options),
           (double)totals->seeds / totals->seconds);
    if (options->is_beyond)
        printf("%u losses beyond the atlas\n", sum->losses);
    for (uint32_t i = 0; i < fb_swarm_sometimes_count(); i++) {
        if (sum->sometimes[i] == 0)
            printf("never seen%s: %s (%s)\n", is_exempt(i) ? ", as expected" : "",
                   fb_swarm_sometimes_name(i), fb_swarm_sometimes_help(i));
    }
    printf("%" PRIu64 " failures\n", totals->failure_count);
}

static void print_figures(const char *title, uint32_t count, const char *(*name)(uint32_t),
                          const uint64_t *figures)
{
    printf("\"%s\": {", title);
    for (uint32_t i = 0; i < count; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", name(i), figures[i]);
    printf("}, ");
}

void swarm_print_json(const struct swarm_options *options, const struct swarm_totals *totals)
{
    const struct fb_swarm_result *sum = &totals->sum;
    printf("{\"commit\": \"%s\", \"first_seed\": %" PRIu64 ", \"seeds\": %" PRIu64
           ", \"seconds\": %.3f, \"jobs\": %u, \"simulated_s\": %.3f, \"events\": %" PRIu64
           ", \"steps\": %" PRIu64 ", \"losses\": %u, \"strikes\": %" PRIu64
           ", \"judged\": %" PRIu64 ", ",
           FB_GIT_SHA, options->first_seed, totals->seeds, totals->seconds, options->jobs,
           (double)sum->simulated_ns / 1e9, sum->events, sum->steps, sum->losses, sum->strikes,
           sum->judged);
    print_figures("faults", FB_SWARM_FAULT_COUNT, fb_swarm_fault_name, sum->faults);
    print_figures("sometimes", fb_swarm_sometimes_count(), fb_swarm_sometimes_name, sum->sometimes);
    print_figures("softened", FB_SWARM_SOFTENING_COUNT, fb_swarm_softening_name, sum->softened);
    print_figures("checks", FB_SWARM_CHECK_COUNT, fb_swarm_check_name, sum->checks);
    printf("\"failure_count\": %" PRIu64 ", \"failures\": [", totals->failure_count);
    for (uint64_t i = 0; i < totals->failure_count && i < SWARM_FAILURES_MAX; i++)
        printf("%s{\"seed\": %" PRIu64 ", \"check\": \"%s\"}", i > 0 ? ", " : "",
               totals->failures[i].seed, totals->failures[i].check);
    printf("]}\n");
}
