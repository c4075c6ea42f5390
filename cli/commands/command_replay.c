/* `forebay replay`: a trace against the index and an eviction policy, or against all of them. */
#include "base/options.h"
#include "cli/command.h"
#include "cli/run/replay.h"
#include "cli/run/replay_events.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: forebay replay --policy NAME --capacity-blocks N [--json] TRACE\n"
    "Feeds a trace of blocks to an eviction policy. Index and policy only: no bytes, no simulated "
    "time.\n\n"
    "  --policy NAME          fifo, lru, clock, sieve, s3fifo, wtinylfu, or all\n"
    "  --capacity-blocks N    blocks that fit at once, 1 to 2147483648\n"
    "  --json                 one JSON object instead of a table\n\n"
    "TRACE is JSON lines with timestamp (ms), input_length, output_length (tokens) and hash_ids, "
    "a CSV whose\n"
    "first line names obj_id and time (s), oracleGeneral, or text with one key a line; also packed "
    "by gzip or zstd.\n"
    "A request's blocks are taken in order and a missing one is inserted. Prefix "
    "hits are\n"
    "the blocks before a request's first miss: what an LLM server need not compute again. A block "
    "of\n"
    "Mooncake's traces is 512 tokens: 3 million tokens are 5859 blocks. seconds is the median of "
    "several passes,\n"
    "each from an empty cache.\n\n"
    "Exit code: 0 fine, 1 failed, 2 usage or bad input.\n"
    "Examples: forebay replay --policy lru --capacity-blocks 5859 conversation_trace.jsonl\n"
    "          forebay replay --policy all --capacity-blocks 97656 --json "
    "conversation_trace.jsonl\n";

enum { CAPACITY_MAX_LOG2 = 31 };

struct options {
    const char *path;
    uint32_t policy; /* enum fb_policy; FB_POLICY_COUNT: all */
    uint64_t capacity_blocks;
    bool has_policy, is_json, is_help;
};

/* What a trace gave with one policy. */
struct row {
    enum fb_policy policy;
    struct fb_replay replay;
};

static const char *policy_name(uint32_t policy)
{
    return policy == FB_POLICY_COUNT ? "all" : fb_policy_name((enum fb_policy)policy);
}

/* Lists the names, those that are spelt most alike first. */
static void unknown_policy(const char *given, struct fb_error *error)
{
    char list[128] = "";
    bool is_listed[FB_POLICY_COUNT + 1] = {false};
    for (uint32_t rank = 0; rank <= FB_POLICY_COUNT; rank++) {
        uint32_t nearest = FB_POLICY_COUNT + 1;
        for (uint32_t i = 0; i <= FB_POLICY_COUNT; i++) {
            if (is_listed[i])
                continue;
            if (nearest > FB_POLICY_COUNT || fb_edit_distance(given, policy_name(i)) <
                                                 fb_edit_distance(given, policy_name(nearest)))
                nearest = i;
        }
        is_listed[nearest] = true;
        size_t length = strlen(list);
        snprintf(list + length, sizeof(list) - length, "%s%s", rank > 0 ? ", " : "",
                 policy_name(nearest));
    }
    fb_error_set(error, "--policy %s: no such policy: it is one of %s", given, list);
}

static void parse_policy(const char *text, struct options *options, struct fb_error *error)
{
    for (uint32_t i = 0; i <= FB_POLICY_COUNT; i++) {
        if (strcmp(text, policy_name(i)) != 0)
            continue;
        options->policy = i;
        options->has_policy = true;
        return;
    }
    unknown_policy(text, error);
}

static void parse_capacity(const char *text, struct options *options, struct fb_error *error)
{
    char *end;
    uint64_t max = UINT64_C(1) << CAPACITY_MAX_LOG2, value = strtoull(text, &end, 10);
    bool is_number = *text >= '0' && *text <= '9' && *end == 0;
    if (!is_number || value == 0 || value > max)
        fb_error_set(error,
                     "--capacity-blocks %s: must be a whole number of blocks from 1 to %" PRIu64,
                     text, max);
    else
        options->capacity_blocks = value;
}

static void parse(int argc, char **argv, struct options *options, struct fb_error *error)
{
    static const struct option table[] = {{"policy", required_argument, NULL, 'p'},
                                          {"capacity-blocks", required_argument, NULL, 'c'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (;;) {
        int option = fb_options_next(argc, argv, "", table, NULL);
        if (option == -1)
            break;
        if (option == 'p')
            parse_policy(optarg, options, error);
        else if (option == 'c')
            parse_capacity(optarg, options, error);
        else if (option == 'j')
            options->is_json = true;
        else if (option == 'h')
            options->is_help = true;
        else
            fb_error_set(error, "%s", fb_options_fault());
    }
    options->path = optind < argc ? argv[optind] : NULL;
    if (optind + 1 < argc)
        fb_error_set(error, "%s: only one trace at a time", argv[optind + 1]);
    if (options->is_help)
        return;
    if (!options->has_policy)
        fb_error_set(error, "which policy? e.g. --policy lru, or --policy all");
    if (options->capacity_blocks == 0)
        fb_error_set(error, "how many blocks fit? e.g. --capacity-blocks 5859");
    if (options->path == NULL)
        fb_error_set(error, "which trace? e.g. forebay replay --policy lru --capacity-blocks 5859 "
                            "trace.jsonl");
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void print_json_row(const struct options *options, const struct row *row,
                           const struct fb_trace_file *trace, uint64_t unique_blocks)
{
    double references_per_s =
        row->replay.seconds > 0 ? (double)trace->block_count / row->replay.seconds : 0;
    printf("{\"policy\": \"%s\", \"capacity_blocks\": %" PRIu64 ", \"requests\": %" PRIu64
           ", \"block_references\": %" PRIu64 ", \"unique_blocks\": %" PRIu64
           ", \"block_hits\": %" PRIu64 ", \"prefix_hits\": %" PRIu64
           ", \"seconds\": %.9f, \"references_per_s\": %.0f}",
           fb_policy_name(row->policy), options->capacity_blocks, trace->request_count,
           trace->block_count, unique_blocks, row->replay.block_hits, row->replay.prefix_hits,
           row->replay.seconds, references_per_s);
}

static void print_table(const struct options *options, const struct row *rows, uint32_t count,
                        const struct fb_trace_file *trace, uint64_t unique_blocks)
{
    printf("trace              %s\n", options->path);
    printf("form               %s\n", trace->form);
    printf("requests           %" PRIu64 "\n", trace->request_count);
    printf("block references   %" PRIu64 "\n", trace->block_count);
    printf("unique blocks      %" PRIu64 "\n", unique_blocks);
    printf("capacity           %" PRIu64 " blocks\n\n", options->capacity_blocks);
    printf("%-10s %14s %8s %14s %8s %12s %14s\n", "policy", "block hits", "", "prefix hits", "",
           "seconds", "references/s");
    for (uint32_t i = 0; i < count; i++) {
        const struct fb_replay *replay = &rows[i].replay;
        printf("%-10s %14" PRIu64 " %7.2f%% %14" PRIu64 " %7.2f%% %12.6f %12.1f M\n",
               fb_policy_name(rows[i].policy), replay->block_hits,
               100 * ratio(replay->block_hits, trace->block_count), replay->prefix_hits,
               100 * ratio(replay->prefix_hits, trace->block_count), replay->seconds,
               replay->seconds > 0 ? (double)trace->block_count / replay->seconds / 1e6 : 0);
    }
}

static void replay_trace(const struct options *options, const struct fb_trace_file *trace,
                         struct fb_error *error)
{
    struct row rows[FB_POLICY_COUNT];
    bool is_all = options->policy == FB_POLICY_COUNT;
    uint32_t count = 0;
    uint64_t unique_blocks = fb_replay_unique_blocks(trace);
    if (unique_blocks == 0 && trace->block_count > 0)
        fb_error_set(error, "%s: out of memory: the trace is too large for this machine",
                     options->path);
    for (uint32_t i = 0; i < FB_POLICY_COUNT && !fb_error_is_set(error); i++) {
        if (!is_all && i != options->policy)
            continue;
        rows[count].policy = (enum fb_policy)i;
        fb_replay_run(trace, unique_blocks, (enum fb_policy)i, options->capacity_blocks,
                      &rows[count++].replay, error);
    }
    if (fb_error_is_set(error))
        return;
    if (!options->is_json) {
        print_table(options, rows, count, trace, unique_blocks);
        return;
    }
    printf("%s", is_all ? "{\"policies\": [\n" : "");
    for (uint32_t i = 0; i < count; i++) {
        print_json_row(options, &rows[i], trace, unique_blocks);
        printf("%s", i + 1 < count ? ",\n" : "\n");
    }
    printf("%s", is_all ? "]}\n" : "");
}

int fb_command_replay(int argc, char **argv)
{
    struct options options = {.policy = FB_POLICY_COUNT};
    struct fb_error error = {.text = ""};
    struct fb_trace_file trace;
    if (argc > 1 && strcmp(argv[1], "--events") == 0)
        return fb_replay_events(argc, argv);
    parse(argc, argv, &options, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay replay: %s (see forebay replay --help)\n", error.text);
        return FB_EXIT_USAGE;
    }
    if (options.is_help) {
        fputs(usage, stdout);
        return FB_EXIT_FINE;
    }
    fb_trace_file_load(options.path, &trace, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay replay: %s\n", error.text);
        return FB_EXIT_USAGE;
    }
    replay_trace(&options, &trace, &error);
    fb_trace_file_free(&trace);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay replay: %s\n", error.text);
        return FB_EXIT_FAILED;
    }
    return FB_EXIT_FINE;
}
