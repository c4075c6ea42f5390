/* `forebay bench cache`: references a second of the index with each eviction policy, beside
 * libCacheSim's LRU on the same trace when python3 can import libcachesim.
 *
 * The trace is the one given, or a made one: 2,000,000 references to 200,000 blocks with Zipf's law
 * of exponent 1. libCacheSim reads it from a file that is deleted again; its hash table is given
 * the size that suits the capacity best, since its default of 2^24 buckets does not fit a
 * processor's cache. */
#include "base/memory.h"
#include "base/options.h"
#include "cli/bench/bench.h"
#include "cli/command.h"
#include "cli/run/replay.h"

#include "core/index/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MADE_REFERENCES = 2000000, MADE_BLOCKS = 200000, HASH_BITS_MIN = 10, HASH_BITS_MAX = 24 };

struct options {
    const char *path;         /* NULL: a made trace */
    uint64_t capacity_blocks; /* 0: a tenth of the distinct blocks */
    bool is_json;
};

/* What libCacheSim said. */
struct rival {
    char version[32];
    uint64_t block_hits;
    double seconds;
    bool is_there;
};

/* Arguments: trace file, capacity in blocks, hash bits. The median of five passes over an empty
 * cache each. */
static const char rival_script[] =
    "import sys, time\n"
    "try:\n"
    "    import libcachesim as lcs\n"
    "except ImportError:\n"
    "    sys.exit(0)\n"
    "path, capacity, bits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n"
    "reader = lcs.TraceReader(path, lcs.TraceType.ORACLE_GENERAL_TRACE)\n"
    "count, passes, ratio = int(sys.argv[4]), [], 0\n"
    "for _ in range(5):\n"
    "    reader.reset()\n"
    "    cache = lcs.LRU(capacity, hashpower=bits)\n"
    "    start = time.perf_counter()\n"
    "    ratio, _ = cache.process_trace(reader)\n"
    "    passes.append(time.perf_counter() - start)\n"
    "print(lcs.__version__, round((1 - ratio) * count), sorted(passes)[2])\n";

static uint64_t parse_capacity(const char *text, struct fb_error *error)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value == 0 || value > UINT64_C(1) << 31)
        fb_error_set(error, "--capacity-blocks %s: must be a whole number from 1 to 2147483648",
                     text);
    return value;
}

static void parse(int argc, char **argv, struct options *options, struct fb_error *error)
{
    static const struct option table[] = {{"trace", required_argument, NULL, 't'},
                                          {"capacity-blocks", required_argument, NULL, 'c'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (;;) {
        int option = fb_options_next(argc, argv, "", table, NULL);
        if (option == -1)
            break;
        if (option == 't')
            options->path = optarg;
        else if (option == 'c')
            options->capacity_blocks = parse_capacity(optarg, error);
        else if (option == 'j')
            options->is_json = true;
        else
            fb_error_set(error, "%s", fb_options_fault());
    }
    if (optind < argc)
        fb_error_set(error, "%s: a trace is given by --trace PATH", argv[optind]);
}

/* Zipf with exponent 1: the harmonic sum up to a rank is about ln(rank), so ranks are drawn in sums
 * of 1 / rank kept in a table. Ids are the ranks. */
static void trace_make(struct fb_trace_file *trace, struct fb_error *error)
{
    double *sums = fb_allocate(MADE_BLOCKS, sizeof(*sums), "a trace", error), sum = 0;
    *trace = (struct fb_trace_file){
        .requests = fb_allocate(1, sizeof(*trace->requests), "a trace", error),
        .request_count = 1,
        .blocks = fb_allocate(MADE_REFERENCES, sizeof(*trace->blocks), "a trace", error),
        .block_count = MADE_REFERENCES,
    };
    if (sums == NULL || trace->requests == NULL || trace->blocks == NULL) {
        free(sums);
        return;
    }
    trace->requests[0].block_count = MADE_REFERENCES;
    for (uint32_t i = 0; i < MADE_BLOCKS; i++)
        sums[i] = sum += 1.0 / (i + 1);
    struct fb_random random;
    fb_random_init(&random, 1);
    for (uint32_t i = 0; i < MADE_REFERENCES; i++) {
        double point = (double)(fb_random_next(&random) >> 11) * 0x1p-53 * sum;
        uint32_t low = 0, high = MADE_BLOCKS - 1;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (sums[middle] < point)
                low = middle + 1;
            else
                high = middle;
        }
        trace->blocks[i] = low;
    }
    free(sums);
}

/* libCacheSim's "oracleGeneral": time u32, id u64, size u32, next access i64, packed. */
static bool rival_write_trace(const struct fb_trace_file *trace, int descriptor)
{
    FILE *file = fdopen(descriptor, "wb");
    if (file == NULL) {
        close(descriptor);
        return false;
    }
    for (uint64_t i = 0; i < trace->block_count; i++) {
        unsigned char record[24];
        const uint32_t time_s = (uint32_t)(i / 1000), size_bytes = 1;
        const int64_t next = -1;
        memcpy(record, &time_s, 4);
        memcpy(record + 4, &trace->blocks[i], 8);
        memcpy(record + 12, &size_bytes, 4);
        memcpy(record + 16, &next, 8);
        fwrite(record, sizeof(record), 1, file);
    }
    bool is_written = !ferror(file);
    return fclose(file) == 0 && is_written;
}

/* Not there is no error: the comparison is left out. */
static void rival_run(const struct fb_trace_file *trace, uint64_t capacity_blocks,
                      struct rival *rival)
{
    char path[FB_BENCH_PATH_BYTES], command[sizeof(rival_script) + sizeof(path) + 128];
    uint32_t bits = HASH_BITS_MIN;
    *rival = (struct rival){.is_there = false};
    int descriptor = fb_bench_file(path, "");
    if (descriptor < 0)
        return;
    while (bits < HASH_BITS_MAX && UINT64_C(1) << bits < capacity_blocks)
        bits++;
    snprintf(command, sizeof(command),
             "python3 -c '%s' '%s' %" PRIu64 " %u %" PRIu64 " 2>/dev/null", rival_script, path,
             capacity_blocks, bits, trace->block_count);
    FILE *python = rival_write_trace(trace, descriptor) ? popen(command, "r") : NULL;
    if (python != NULL) {
        int fields = fscanf(python, "%31s %" SCNu64 " %lf", rival->version, &rival->block_hits,
                            &rival->seconds);
        bool is_fine = pclose(python) == 0;
        rival->is_there = is_fine && fields == 3 && rival->seconds > 0;
    }
    unlink(path);
}

static double per_s(uint64_t references, double seconds)
{
    return seconds > 0 ? (double)references / seconds : 0;
}

static double ns_each(uint64_t references, double seconds)
{
    return references > 0 ? seconds * 1e9 / (double)references : 0;
}

static void print_text(const struct fb_trace_file *trace, const struct options *options,
                       uint64_t unique_blocks, const struct fb_replay *replays,
                       const struct rival *rival)
{
    uint64_t count = trace->block_count;
    printf("%s: %" PRIu64 " references, %" PRIu64 " distinct blocks, capacity %" PRIu64
           " blocks, one core\n\n",
           options->path != NULL ? options->path : "made trace (Zipf, exponent 1)", count,
           unique_blocks, options->capacity_blocks);
    printf("%-18s %14s %14s %12s\n", "policy", "references/s", "ns/reference", "block hits");
    for (uint32_t i = 0; i < FB_POLICY_COUNT; i++)
        printf("%-18s %12.1f M %14.1f %11.2f%%\n", fb_policy_name((enum fb_policy)i),
               per_s(count, replays[i].seconds) / 1e6, ns_each(count, replays[i].seconds),
               100 * (double)replays[i].block_hits / (double)count);
    if (!rival->is_there) {
        printf("\nlibCacheSim: not installed (pip install libcachesim)\n");
        return;
    }
    printf("%-18s %12.1f M %14.1f %11.2f%%\n", "libCacheSim lru",
           per_s(count, rival->seconds) / 1e6, ns_each(count, rival->seconds),
           100 * (double)rival->block_hits / (double)count);
    printf("\nlibCacheSim %s: process_trace from a mapped file, reading included\n",
           rival->version);
}

static void print_json_row(const char *policy, uint64_t references, double seconds,
                           uint64_t block_hits)
{
    printf("\"policy\": \"%s\", \"references_per_s\": %.0f, \"ns_per_reference\": %.3f, "
           "\"block_hits\": %" PRIu64,
           policy, per_s(references, seconds), ns_each(references, seconds), block_hits);
}

static void print_json(const struct fb_trace_file *trace, const struct options *options,
                       uint64_t unique_blocks, const struct fb_replay *replays,
                       const struct rival *rival)
{
    printf("{\"block_references\": %" PRIu64 ", \"unique_blocks\": %" PRIu64
           ", \"capacity_blocks\": %" PRIu64 ",\n \"policies\": [",
           trace->block_count, unique_blocks, options->capacity_blocks);
    for (uint32_t i = 0; i < FB_POLICY_COUNT; i++) {
        printf("%s\n  {", i > 0 ? "," : "");
        print_json_row(fb_policy_name((enum fb_policy)i), trace->block_count, replays[i].seconds,
                       replays[i].block_hits);
        printf("}");
    }
    printf("],\n \"libcachesim\": ");
    if (rival->is_there) {
        printf("{\"version\": \"%s\", ", rival->version);
        print_json_row("lru", trace->block_count, rival->seconds, rival->block_hits);
    }
    printf("%s}\n", rival->is_there ? "}" : "null");
}

static void bench_trace(const struct fb_trace_file *trace, struct options *options,
                        struct fb_error *error)
{
    struct fb_replay replays[FB_POLICY_COUNT];
    struct rival rival;
    uint64_t unique_blocks = fb_replay_unique_blocks(trace);
    if (unique_blocks == 0)
        fb_error_set(error, "%s: no blocks in it", options->path);
    if (options->capacity_blocks == 0)
        options->capacity_blocks = unique_blocks >= 10 ? unique_blocks / 10 : 1;
    for (uint32_t i = 0; i < FB_POLICY_COUNT && !fb_error_is_set(error); i++)
        fb_replay_run(trace, unique_blocks, (enum fb_policy)i, options->capacity_blocks,
                      &replays[i], error);
    if (fb_error_is_set(error))
        return;
    rival_run(trace, options->capacity_blocks, &rival);
    (options->is_json ? print_json : print_text)(trace, options, unique_blocks, replays, &rival);
}

int fb_bench_cache(int argc, char **argv)
{
    struct options options = {.path = NULL};
    struct fb_error error = {.text = ""};
    struct fb_trace_file trace = {.requests = NULL};
    parse(argc, argv, &options, &error);
    if (!fb_error_is_set(&error) && options.path != NULL)
        fb_trace_file_load(options.path, &trace, &error);
    else if (!fb_error_is_set(&error))
        trace_make(&trace, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay bench cache: %s\n", error.text);
        fb_trace_file_free(&trace);
        return FB_EXIT_USAGE;
    }
    bench_trace(&trace, &options, &error);
    fb_trace_file_free(&trace);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay bench cache: %s\n", error.text);
        return FB_EXIT_FAILED;
    }
    return FB_EXIT_FINE;
}
