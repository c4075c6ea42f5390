/* `forebay bench step`: what one step of the core costs, by the event it handles.
 *
 * A node is filled with blocks and then driven with batches of events of one kind, in three rounds:
 *     hit     GET of a resident block -> REPLY; RELEASE. Once event by event, and once with
 *             fb_node_prefetch before every 16 events, its cost included
 *     serve   ASK of a peer for a resident block -> OFFER; RETURN
 *     miss    GET of an absent block that this node owns -> FETCH; its DONE -> DIGEST;
 *             its DONE -> REPLY; RELEASE
 * with few blocks (state stays in the processor's caches) and with a million (almost none of it
 * does). Blocks are visited in a scattered order. Time is taken around a batch, so that reading the
 * clock costs each step under a nanosecond; the median over batches is printed. The miss comes last
 * because it changes what is resident. The node has the default settings but for its size; no byte
 * is moved here. */
#include "base/clock.h"
#include "base/memory.h"
#include "cli/bench/bench.h"
#include "cli/command.h"
#include "cli/bench/instructions.h"
#include "core/node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BATCH = 64,
    BATCHES = 2001,
    BLOCK_SIZE_BYTES = 4096,
    MEMBERS = 16,
    AHEAD = 16,    /* events that a driver takes from its queues at once */
    STEP_NS = 100, /* simulated time between steps; no timer comes due */
};

enum phase {
    PHASE_HIT,
    PHASE_RELEASE,
    PHASE_HIT_AHEAD,
    PHASE_RELEASE_AHEAD,
    PHASE_ASK,
    PHASE_RETURN,
    PHASE_MISS,
    PHASE_FETCHED,
    PHASE_DIGESTED,
    PHASE_MISS_RELEASE,
    PHASE_COUNT
};

static const struct {
    const char *name, *text;
    uint32_t op_kind; /* of the only op; FB_OP_COUNT: there is none */
} phases[PHASE_COUNT] = {
    [PHASE_HIT] = {"hit", "hit: GET to REPLY", FB_OP_REPLY},
    [PHASE_RELEASE] = {"hit_release", "hit: RELEASE", FB_OP_COUNT},
    [PHASE_HIT_AHEAD] = {"hit_prefetched", "hit, 16 prefetched: GET to REPLY", FB_OP_REPLY},
    [PHASE_RELEASE_AHEAD] = {"hit_prefetched_release", "hit, 16 prefetched: RELEASE", FB_OP_COUNT},
    [PHASE_ASK] = {"serve", "served peer read: ASK to OFFER", FB_OP_SEND},
    [PHASE_RETURN] = {"serve_return", "served peer read: RETURN", FB_OP_COUNT},
    [PHASE_MISS] = {"miss", "miss: GET to FETCH", FB_OP_FETCH},
    [PHASE_FETCHED] = {"miss_fetched", "miss: FETCH done to DIGEST", FB_OP_DIGEST},
    [PHASE_DIGESTED] = {"miss_digested", "miss: DIGEST done to REPLY", FB_OP_REPLY},
    [PHASE_MISS_RELEASE] = {"miss_release", "miss: RELEASE", FB_OP_COUNT},
};

struct answer { /* what the next event needs of an op */
    uint64_t op_id, lease, lend_id;
};

struct bench {
    struct fb_node *node;
    struct fb_view *view;
    uint64_t *highs; /* keys of the blocks that were filled in; a power of two of them */
    uint32_t key_count;
    uint32_t at;          /* place in the scattered order */
    uint64_t next_number; /* from which the next new key is made */
    uint64_t now_ns;
    enum phase phase; /* of the batch that runs */
    uint32_t wrong;   /* answers in it that are not what the phase expects */
    struct fb_event events[BATCH];
    struct answer answers[BATCH];
    double ns[PHASE_COUNT][BATCHES];
    double instructions[PHASE_COUNT]; /* 0: not available */
};

/* The next key that this node owns. */
static uint64_t bench_new_key(struct bench *bench)
{
    struct fb_key key = {.low = 1};
    do
        key.high = fb_mix(bench->next_number++);
    while (fb_view_owner(bench->view, key, 0) != 0);
    return key.high;
}

/* The next key of those filled in: a full-period congruential sequence, so that no key comes twice
 * in a batch. */
static uint64_t bench_old_key(struct bench *bench)
{
    bench->at = (bench->at * 1664525u + 1013904223u) & (bench->key_count - 1);
    return bench->highs[bench->at];
}

static struct fb_block block_of(uint64_t high)
{
    return (struct fb_block){
        .key = {.high = high, .low = 1}, .object = 1, .size = BLOCK_SIZE_BYTES};
}

static struct fb_event get_event(uint64_t high)
{
    return (struct fb_event){.kind = FB_EVENT_REQUEST,
                             .request = {.kind = FB_REQUEST_GET, .block = block_of(high)}};
}

static struct fb_event release_event(const struct answer *answer)
{
    return (struct fb_event){.kind = FB_EVENT_REQUEST,
                             .request = {.kind = FB_REQUEST_RELEASE, .lease = answer->lease}};
}

static struct fb_event done_event(const struct answer *answer)
{
    return (struct fb_event){.kind = FB_EVENT_DONE,
                             .done = {.op_id = answer->op_id, .status = FB_OK, .digest = 7}};
}

static struct fb_event ask_event(uint64_t high)
{
    return (struct fb_event){.kind = FB_EVENT_MESSAGE,
                             .message = {.kind = FB_MESSAGE_ASK,
                                         .source = 1,
                                         .ask = {.block = block_of(high), .complaint = FB_NONE}}};
}

static struct fb_event return_event(const struct answer *answer)
{
    return (struct fb_event){
        .kind = FB_EVENT_MESSAGE,
        .message = {.kind = FB_MESSAGE_RETURN,
                    .source = 1,
                    .returned = {.lend_id = answer->lend_id, .flags = FB_MESSAGE_FLAG_KEPT}}};
}

static struct answer answer_of(const struct fb_op *op)
{
    if (op->kind == FB_OP_REPLY)
        return (struct answer){.lease = op->reply.lease};
    if (op->kind == FB_OP_SEND)
        return (struct answer){.lend_id = op->message.offer.lend_id};
    return (struct answer){.op_id = op->op_id};
}

static bool is_expected(enum phase phase, uint32_t count, const struct fb_op *op)
{
    if (phases[phase].op_kind == FB_OP_COUNT)
        return count == 0;
    if (count != 1 || op->kind != phases[phase].op_kind)
        return false;
    if (op->kind == FB_OP_REPLY)
        return op->reply.status == FB_OK;
    return op->kind != FB_OP_SEND || op->message.kind == FB_MESSAGE_OFFER;
}

/* Steps through the events that are ready, of which bench->phase says the kind. */
static void batch_step(void *argument)
{
    struct bench *bench = argument;
    struct fb_op ops[FB_STEP_OPS_MAX];
    bench->wrong = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        if (bench->phase == PHASE_HIT_AHEAD && i % AHEAD == 0)
            fb_node_prefetch(bench->node, &bench->events[i], AHEAD);
        bench->now_ns += STEP_NS;
        uint32_t count = fb_node_step(bench->node, bench->now_ns, &bench->events[i], ops);
        bench->wrong += !is_expected(bench->phase, count, ops);
        bench->answers[i] = answer_of(ops);
    }
}

/* Runs a batch; the cost of a step is sample `batch` of `phase`. In the last batch the instructions
 * are counted too, before it runs. */
static void bench_run(struct bench *bench, enum phase phase, uint32_t batch)
{
    bench->phase = phase;
    if (batch == BATCHES - 1)
        bench->instructions[phase] = (double)fb_instructions_count(batch_step, bench) / BATCH;
    uint64_t begin_ns = fb_clock_ns();
    batch_step(bench);
    bench->ns[phase][batch] = (double)(fb_clock_ns() - begin_ns) / BATCH;
    if (bench->wrong > 0) {
        fprintf(stderr, "forebay bench step: %s: the core answered something else\n",
                phases[phase].text);
        exit(FB_EXIT_FAILED);
    }
}

static void bench_follow(struct bench *bench, struct fb_event (*event)(const struct answer *))
{
    for (uint32_t i = 0; i < BATCH; i++)
        bench->events[i] = event(&bench->answers[i]);
}

static void round_of_hits(struct bench *bench, uint32_t batch, enum phase hit, enum phase release)
{
    for (uint32_t i = 0; i < BATCH; i++)
        bench->events[i] = get_event(bench_old_key(bench));
    bench_run(bench, hit, batch);
    bench_follow(bench, release_event);
    bench_run(bench, release, batch);
}

static void round_of_serves(struct bench *bench, uint32_t batch)
{
    for (uint32_t i = 0; i < BATCH; i++)
        bench->events[i] = ask_event(bench_old_key(bench));
    bench_run(bench, PHASE_ASK, batch);
    bench_follow(bench, return_event);
    bench_run(bench, PHASE_RETURN, batch);
}

static void round_of_misses(struct bench *bench, uint32_t batch)
{
    for (uint32_t i = 0; i < BATCH; i++)
        bench->events[i] = get_event(bench_new_key(bench));
    bench_run(bench, PHASE_MISS, batch);
    bench_follow(bench, done_event);
    bench_run(bench, PHASE_FETCHED, batch);
    bench_follow(bench, done_event);
    bench_run(bench, PHASE_DIGESTED, batch);
    bench_follow(bench, release_event);
    bench_run(bench, PHASE_MISS_RELEASE, batch);
}

/* On huge pages where the system gives them: else a cold hit is mostly page walks. */
static void *allocate(uint64_t size_bytes)
{
    const uint64_t page_bytes = 2 << 20;
    uint64_t rounded_bytes = (size_bytes + page_bytes - 1) / page_bytes * page_bytes;
    void *memory = aligned_alloc(page_bytes, rounded_bytes);
    if (memory == NULL)
        fb_out_of_memory(1, rounded_bytes, "the nodes", NULL);
    madvise(memory, rounded_bytes, MADV_HUGEPAGE);
    return memory;
}

static void bench_build_view(struct bench *bench)
{
    struct fb_member members[MEMBERS];
    for (uint32_t i = 0; i < MEMBERS; i++)
        members[i] = (struct fb_member){.node = i, .domain = i, .weight = 1, .is_up = 1};
    uint64_t size_bytes = fb_view_size_bytes(MEMBERS);
    bench->view = allocate(size_bytes);
    if (fb_view_build(bench->view, size_bytes, 1, members, MEMBERS, 2) != FB_OK)
        abort();
}

/* A node whose memory is full: key_count blocks, each taken through a miss. */
static struct bench *bench_open(uint32_t key_count)
{
    struct bench *bench = allocate(sizeof(*bench));
    *bench = (struct bench){.key_count = key_count, .next_number = 1};
    bench_build_view(bench);
    struct fb_config config;
    fb_config_init(&config);
    config.block_size_bytes = BLOCK_SIZE_BYTES;
    config.memory_size_bytes = (uint64_t)key_count * BLOCK_SIZE_BYTES;
    config.memory_entries_max = key_count;
    uint64_t size_bytes = fb_node_size_bytes(&config);
    bench->node = allocate(size_bytes);
    if (fb_node_init(bench->node, size_bytes, &config, 1) != FB_OK)
        abort();
    struct fb_op ops[FB_STEP_OPS_MAX];
    const struct fb_event view = {.kind = FB_EVENT_VIEW, .view = bench->view};
    const struct fb_event tick = {.kind = FB_EVENT_TICK};
    fb_node_step(bench->node, ++bench->now_ns, &view, ops);
    fb_node_step(bench->node, ++bench->now_ns, &tick, ops);
    bench->highs = allocate(key_count * sizeof(bench->highs[0]));
    uint64_t first_number = bench->next_number;
    for (uint32_t i = 0; i < key_count; i++)
        bench->highs[i] = bench_new_key(bench);
    bench->next_number = first_number;
    for (uint32_t i = 0; i < key_count / BATCH; i++)
        round_of_misses(bench, 0);
    return bench;
}

static void bench_close(struct bench *bench)
{
    fb_node_check(bench->node);
    free(bench->node);
    free(bench->view);
    free(bench->highs);
    free(bench);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void bench_measure(struct bench *bench)
{
    for (uint32_t i = 0; i < BATCHES; i++)
        round_of_hits(bench, i, PHASE_HIT, PHASE_RELEASE);
    for (uint32_t i = 0; i < BATCHES; i++)
        round_of_hits(bench, i, PHASE_HIT_AHEAD, PHASE_RELEASE_AHEAD);
    for (uint32_t i = 0; i < BATCHES; i++)
        round_of_serves(bench, i);
    for (uint32_t i = 0; i < BATCHES; i++)
        round_of_misses(bench, i);
    for (uint32_t i = 0; i < PHASE_COUNT; i++)
        qsort(bench->ns[i], BATCHES, sizeof(double), compare_doubles);
}

static double quantile(const double sorted[BATCHES], double share)
{
    return sorted[(uint32_t)(share * (BATCHES - 1))];
}

/* A count of instructions, or what stands for one that cannot be had. */
static const char *instructions_text(const struct bench *bench, enum phase phase, char text[32],
                                     const char *none)
{
    if (bench->instructions[phase] == 0)
        return none;
    snprintf(text, 32, "%.0f", bench->instructions[phase]);
    return text;
}

static void print_text(const struct bench *bench)
{
    char text[32];
    printf("%u blocks\n  %-34s %9s %9s %9s  instructions\n", bench->key_count, "step", "median",
           "p10", "p90");
    for (uint32_t i = 0; i < PHASE_COUNT; i++)
        printf("  %-34s %6.1f ns %6.1f ns %6.1f ns  %s\n", phases[i].text,
               quantile(bench->ns[i], 0.5), quantile(bench->ns[i], 0.1),
               quantile(bench->ns[i], 0.9), instructions_text(bench, i, text, "not available"));
    printf("  %-34s %6.1f ns\n", "miss: all of it",
           quantile(bench->ns[PHASE_MISS], 0.5) + quantile(bench->ns[PHASE_FETCHED], 0.5) +
               quantile(bench->ns[PHASE_DIGESTED], 0.5) +
               quantile(bench->ns[PHASE_MISS_RELEASE], 0.5));
}

static void print_json(const struct bench *bench)
{
    char text[32];
    printf("{\"blocks\": %u, \"steps\": [", bench->key_count);
    for (uint32_t i = 0; i < PHASE_COUNT; i++)
        printf("%s{\"name\": \"%s\", \"ns\": %.1f, \"ns_p10\": %.1f, \"ns_p90\": %.1f, "
               "\"instructions\": %s}",
               i > 0 ? ", " : "", phases[i].name, quantile(bench->ns[i], 0.5),
               quantile(bench->ns[i], 0.1), quantile(bench->ns[i], 0.9),
               instructions_text(bench, i, text, "null"));
    printf("]}");
}

uint64_t fb_bench_step_ns(void)
{
    static const enum phase steps[] = {PHASE_HIT, PHASE_RELEASE, PHASE_MISS, PHASE_FETCHED,
                                       PHASE_DIGESTED};
    enum { STEPS = sizeof(steps) / sizeof(steps[0]), KEYS = 1 << 20 };
    double sum_ns = 0;
    struct bench *bench = bench_open(KEYS);
    bench_measure(bench);
    for (uint32_t i = 0; i < STEPS; i++)
        sum_ns += quantile(bench->ns[steps[i]], 0.5);
    bench_close(bench);
    return (uint64_t)(sum_ns / STEPS);
}

int fb_bench_step(int argc, char **argv)
{
    static const uint32_t key_counts[] = {1024, 1u << 20};
    bool is_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !is_json) {
        fprintf(stderr, "forebay bench step: unknown option '%s': it takes --json\n", argv[1]);
        return FB_EXIT_USAGE;
    }
    printf("%s", is_json ? "{\"sets\": [" : "");
    for (uint32_t i = 0; i < sizeof(key_counts) / sizeof(key_counts[0]); i++) {
        struct bench *bench = bench_open(key_counts[i]);
        bench_measure(bench);
        if (i > 0)
            printf(is_json ? ", " : "\n");
        if (is_json)
            print_json(bench);
        else
            print_text(bench);
        bench_close(bench);
    }
    printf("%s", is_json ? "]}\n" : "");
    return FB_EXIT_FINE;
}
