/* `forebay stats`: what the daemon does, a line an interval, until it is told to end. */
#include "base/options.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/commands/daemon_state.h"
#include "client/client_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEADING_LINES = 20, TEXT_BYTES = 32 };

struct options {
    const char *socket;
    uint64_t interval_ns;
    uint64_t count; /* lines; 0: no end */
};

static void heading_print(void)
{
    printf("%-8s %9s %11s %5s %8s %8s %8s %11s %8s %11s %11s %10s %7s %4s %s\n", "time", "reads/s",
           "read", "hit%", "p50", "p99", "writes/s", "written", "p99", "from-origin", "to-origin",
           "owed", "oldest", "mem%", "peers");
}

static const char *rate(char text[TEXT_BYTES], uint64_t bytes, double seconds)
{
    return fb_format_rate(text, (double)bytes / seconds);
}

static const char *latency(char text[TEXT_BYTES], const struct fb_histogram *histogram,
                           double share)
{
    uint64_t ns = state_quantile_ns(histogram, share);
    return ns > 0 ? fb_format_ns(text, (double)ns) : "-";
}

static void line_print(const struct state *before, const struct state *state)
{
    char clock[16], hits[16] = "-", texts[9][TEXT_BYTES];
    struct state_work work;
    struct tm parts;
    time_t now = time(NULL);
    state_work_make(before, state, &work);
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &parts));
    if (work.reads > 0)
        snprintf(hits, sizeof(hits), "%.1f", 100.0 * (double)work.hits / (double)work.reads);
    uint64_t oldest_ns = state_number(state, "undrained_oldest_ns");
    uint64_t memory = state_number(state, "memory_size_bytes");
    uint64_t peers = state_number(state, "peers_away") + state_number(state, "peers_idle") +
                     state_number(state, "peers_connecting") +
                     state_number(state, "peers_connected");
    printf(
        "%-8s %9.0f %11s %5s %8s %8s %8.0f %11s %8s %11s %11s %10s %7s %4.0f %" PRIu64 "/%" PRIu64
        "\n",
        clock, (double)work.reads / work.seconds, rate(texts[0], work.read_bytes, work.seconds),
        hits, latency(texts[1], &work.get_latency, 0.5), latency(texts[2], &work.get_latency, 0.99),
        (double)work.writes / work.seconds, rate(texts[3], work.write_bytes, work.seconds),
        latency(texts[4], &work.write_latency, 0.99),
        rate(texts[5], work.fetch_bytes, work.seconds),
        rate(texts[6], work.drain_bytes, work.seconds),
        fb_format_bytes(texts[7], (double)state_number(state, "undrained_bytes")),
        oldest_ns > 0 ? fb_format_ns(texts[8], (double)oldest_ns) : "-",
        memory > 0 ? 100.0 * (double)state_number(state, "memory_used_bytes") / (double)memory : 0,
        peers - state_number(state, "peers_away"), peers);
    fflush(stdout);
}

/* Errors: negative errno; a closed output ends it like any failure to write. */
static int watch(struct forebay_client *client, const struct options *options)
{
    const struct timespec pause = {.tv_sec = (time_t)(options->interval_ns / 1000000000),
                                   .tv_nsec = (long)(options->interval_ns % 1000000000)};
    struct state before, state;
    int code = state_take(client, false, &before);
    for (uint64_t line = 0;
         code == 0 && !ferror(stdout) && (options->count == 0 || line < options->count); line++) {
        nanosleep(&pause, NULL);
        code = state_take(client, false, &state);
        if (code != 0)
            break;
        if (line % HEADING_LINES == 0)
            heading_print();
        line_print(&before, &state);
        state_free(&before);
        before = state;
    }
    state_free(&before);
    return code;
}

static bool options_parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"interval", required_argument, NULL, 'i'},
                                          {"count", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    static const uint64_t interval_ns_min = 10000000;
    char *end = NULL;
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == '?')
            return false; /* getopt has said why */
        if (option == 's')
            options->socket = optarg;
        if (option == 'i' && (!fb_parse_ns(optarg, &options->interval_ns) ||
                              options->interval_ns < interval_ns_min)) {
            fprintf(stderr, "forebay stats: --interval: a time of 10 ms or more, like '5 s'\n");
            return false;
        }
        if (option == 'n' && ((options->count = strtoull(optarg, &end, 10)) == 0 || *end != '\0')) {
            fprintf(stderr, "forebay stats: --count: a number of lines, 1 or more\n");
            return false;
        }
    }
    if (optind < argc)
        fprintf(stderr, "forebay stats: only options are taken: see forebay stats --help\n");
    return optind == argc;
}

int fb_command_stats(int argc, char **argv)
{
    struct options options = {.interval_ns = 1000000000};
    struct forebay_client *client;
    if (!options_parse(argc, argv, &options))
        return FB_EXIT_USAGE;
    int code = forebay_client_open(options.socket, &client);
    if (code != 0)
        return fb_no_daemon("stats", options.socket, code);
    code = watch(client, &options);
    forebay_client_close(client);
    if (code == 0)
        return FB_EXIT_FINE;
    fprintf(stderr, "forebay stats: %s\n",
            code == -ECONNRESET ? "the daemon has ended" : strerror(-code));
    return FB_EXIT_FAILED;
}
