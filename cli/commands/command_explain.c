/* `forebay explain`: where a file's blocks are, or a KV block is, and why its last reads took what
 * they took. Neighbours that are alike share a line. */
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each reason means to who waits; in the order of enum fb_reason. */
static const char *const meanings[FOREBAY_SOURCES] = {
    "it was in this machine's memory",
    "it joined a fill that another read had begun",
    "it was read from this machine's drive",
    "it was pulled from its owner, which had it",
    "its owner sent it to another reader that had it",
    "this node owns it and fetched it from the origin",
    "its owner fetched it from the origin first",
    "its owner was silent, gone or busy: this node fetched it from the origin itself",
    "it is nowhere",
    "it was not served",
};

struct explain_options {
    const char *socket, *name, *space;
    struct forebay_key key;
    bool is_key, has_blocks, is_json;
};

/* The last reads of one reason. */
struct reason_sum {
    uint64_t blocks, ns_max, slowest; /* slowest: a block */
};

struct explanation {
    struct forebay_block run; /* the first block of the line that is due */
    uint64_t run_end;         /* block behind the line's last; 0: there is no line */
    uint64_t run_ns_max;      /* longest of its reads */
    uint64_t blocks, in_memory, on_device, in_neither, owed, owned, unread;
    struct reason_sum reasons[FOREBAY_SOURCES];
    bool has_blocks;
    json_t *list; /* of blocks, where JSON is wanted */
};

static int fail(const char *what, int code)
{
    return fb_fail_print("explain", what, strerror(-code));
}

static const char *place_of(const struct forebay_block *block)
{
    return block->is_in_memory && block->is_on_device ? "memory and drive"
           : block->is_in_memory                      ? "memory"
           : block->is_on_device                      ? "drive"
           : block->is_coming                         ? "coming"
                                                      : "not here";
}

static void read_print(const struct forebay_block *block, uint64_t latency_ns)
{
    char took[32], age[32];
    if (!block->is_read) {
        printf("; not read of late\n");
        return;
    }
    printf("; last read %s ago took %s: %s: %s", fb_format_ns(age, (double)block->age_ns),
           latency_ns > 0 ? fb_format_ns(took, (double)latency_ns) : "no wait",
           forebay_source_name(block->reason), meanings[block->reason]);
    if (block->result != 0)
        printf(" (%s)", strerror(-block->result));
    else if (block->source != UINT32_MAX && block->source != block->node)
        printf(", from node %" PRIu32, block->source);
    printf("\n");
}

static void line_print(const struct forebay_block *block, uint64_t latency_ns)
{
    printf("%s on node %" PRIu32, place_of(block), block->node);
    if (block->is_owed)
        printf(", acknowledged, not at the origin yet");
    if (block->owner == UINT32_MAX || block->owner == block->node)
        printf(", the owner");
    else
        printf("; owner node %" PRIu32, block->owner);
    for (uint32_t i = 0; i < block->holder_count; i++)
        printf("%s%" PRIu32, i == 0 ? "; taken by node " : ", ", block->holders[i]);
    read_print(block, latency_ns);
}

/* Times aside. */
static bool is_alike(const struct forebay_block *one, const struct forebay_block *other)
{
    bool is_same_place = strcmp(place_of(one), place_of(other)) == 0 &&
                         one->is_owed == other->is_owed && one->owner == other->owner &&
                         one->holder_count == other->holder_count &&
                         memcmp(one->holders, other->holders, sizeof(one->holders)) == 0;
    return is_same_place && one->is_read == other->is_read && one->reason == other->reason &&
           one->source == other->source && one->result == other->result;
}

static void run_print(const struct explanation *explanation)
{
    if (explanation->run_end == 0)
        return;
    if (explanation->run_end == explanation->run.index + 1)
        printf("block %" PRIu64 ": ", explanation->run.index);
    else
        printf("blocks %" PRIu64 "-%" PRIu64 ": ", explanation->run.index,
               explanation->run_end - 1);
    line_print(&explanation->run, explanation->run_ns_max);
}

/* A node, or null. */
static json_t *json_node(uint32_t node)
{
    return node != UINT32_MAX ? json_integer(node) : json_null();
}

static json_t *read_json(const struct forebay_block *block)
{
    if (!block->is_read)
        return json_null();
    return json_pack("{s:s, s:o, s:I, s:I, s:s}", "reason", forebay_source_name(block->reason),
                     "source", json_node(block->source), "latency_ns",
                     (json_int_t)block->latency_ns, "age_ns", (json_int_t)block->age_ns, "result",
                     block->result != 0 ? strerror(-block->result) : "fine");
}

static json_t *block_json(const struct forebay_block *block)
{
    json_t *holders = json_array();
    for (uint32_t i = 0; i < block->holder_count; i++)
        json_array_append_new(holders, json_integer(block->holders[i]));
    return json_pack("{s:I, s:b, s:b, s:b, s:b, s:I, s:o, s:o, s:o}", "block",
                     (json_int_t)block->index, "is_in_memory", block->is_in_memory, "is_on_drive",
                     block->is_on_device, "is_coming", block->is_coming, "is_owed", block->is_owed,
                     "node", (json_int_t)block->node, "owner", json_node(block->owner), "holders",
                     holders, "last_read", read_json(block));
}

static void sums_add(struct explanation *explanation, const struct forebay_block *block)
{
    explanation->blocks++;
    explanation->in_memory += block->is_in_memory != 0;
    explanation->on_device += block->is_on_device != 0;
    explanation->in_neither += !block->is_in_memory && !block->is_on_device;
    explanation->owed += block->is_owed != 0;
    explanation->owned += block->owner == block->node || block->owner == UINT32_MAX;
    explanation->unread += !block->is_read;
    if (!block->is_read)
        return;
    struct reason_sum *sum = &explanation->reasons[block->reason];
    if (sum->blocks++ == 0 || block->latency_ns > sum->ns_max) {
        sum->ns_max = block->latency_ns;
        sum->slowest = block->index;
    }
}

static int block_explain(void *context, const struct forebay_block *block)
{
    struct explanation *explanation = context;
    sums_add(explanation, block);
    if (explanation->list != NULL && explanation->has_blocks)
        return json_array_append_new(explanation->list, block_json(block)) == 0 ? 0 : -ENOMEM;
    if (!explanation->has_blocks)
        return 0;
    if (explanation->run_end == 0 || !is_alike(&explanation->run, block)) {
        run_print(explanation);
        explanation->run = *block;
        explanation->run_ns_max = 0;
    }
    if (block->latency_ns > explanation->run_ns_max)
        explanation->run_ns_max = block->latency_ns;
    explanation->run_end = block->index + 1;
    return 0;
}

static void summary_print(const struct explanation *explanation)
{
    char took[32];
    printf("blocks %" PRIu64 "\nhere in memory %" PRIu64 "\nhere on the drive %" PRIu64
           "\nhere in neither %" PRIu64 "\nowned by this node %" PRIu64
           "\nnot at the origin yet %" PRIu64 "\nnot read of late %" PRIu64 "\n",
           explanation->blocks, explanation->in_memory, explanation->on_device,
           explanation->in_neither, explanation->owned, explanation->owed, explanation->unread);
    for (uint32_t i = 0; i < FOREBAY_SOURCES; i++) {
        const struct reason_sum *sum = &explanation->reasons[i];
        if (sum->blocks == 0)
            continue;
        printf("last read %s: %" PRIu64 " blocks, longest %s (block %" PRIu64 "): %s\n",
               forebay_source_name(i), sum->blocks,
               sum->ns_max > 0 ? fb_format_ns(took, (double)sum->ns_max) : "no wait", sum->slowest,
               meanings[i]);
    }
}

static json_t *summary_json(const struct explanation *explanation)
{
    json_t *reads = json_array();
    for (uint32_t i = 0; i < FOREBAY_SOURCES; i++) {
        const struct reason_sum *sum = &explanation->reasons[i];
        if (sum->blocks > 0)
            json_array_append_new(
                reads, json_pack("{s:s, s:I, s:I, s:I}", "reason", forebay_source_name(i), "blocks",
                                 (json_int_t)sum->blocks, "longest_ns", (json_int_t)sum->ns_max,
                                 "slowest_block", (json_int_t)sum->slowest));
    }
    json_t *root = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "blocks", (json_int_t)explanation->blocks,
        "in_memory", (json_int_t)explanation->in_memory, "on_drive",
        (json_int_t)explanation->on_device, "in_neither", (json_int_t)explanation->in_neither,
        "owned", (json_int_t)explanation->owned, "owed", (json_int_t)explanation->owed, "unread",
        (json_int_t)explanation->unread, "last_reads", reads);
    if (explanation->has_blocks)
        json_object_set(root, "list", explanation->list);
    return root;
}

static int file_explain(struct forebay_client *client, const struct explain_options *options)
{
    struct forebay_file *file;
    struct explanation explanation = {.has_blocks = options->has_blocks,
                                      .list = options->is_json ? json_array() : NULL};
    int code = forebay_file_open(client, options->name, &file);
    if (code != 0)
        return fb_fail_ask("explain", client, options->name, strerror(-code));
    code = forebay_file_explain(file, block_explain, &explanation);
    forebay_file_close(file);
    int exit_code = code != 0 ? fail(options->name, code) : FB_EXIT_FINE;
    if (code == 0 && options->is_json) {
        exit_code = fb_json_print(summary_json(&explanation));
    } else if (code == 0) {
        run_print(&explanation);
        summary_print(&explanation);
    }
    json_decref(explanation.list);
    return exit_code;
}

static int key_explain(struct forebay_client *client, const struct explain_options *options)
{
    struct forebay_block block;
    struct forebay_key key = forebay_kv_key(options->space, options->key);
    int code = forebay_kv_explain(client, key, &block);
    if (code != 0)
        return fail("the key", code);
    if (options->is_json)
        return fb_json_print(block_json(&block));
    line_print(&block, block.latency_ns);
    return FB_EXIT_FINE;
}

/* HIGH:LOW, hexadecimal. */
static bool key_parse(const char *text, struct forebay_key *key)
{
    char *colon, *end;
    errno = 0;
    key->high = strtoull(text, &colon, 16);
    if (colon == text || *colon != ':' || strchr(text, '-') != NULL)
        return false;
    key->low = strtoull(colon + 1, &end, 16);
    return end != colon + 1 && *end == '\0' && errno == 0;
}

/* false: bad usage, which has been said. */
static bool options_parse(int argc, char **argv, struct explain_options *options)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'}, {"key", required_argument, NULL, 'k'},
        {"space", required_argument, NULL, 'n'},  {"blocks", no_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},         {NULL, 0, NULL, 0}};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options->socket = optarg;
        else if (option == 'n')
            options->space = optarg;
        else if (option == 'b')
            options->has_blocks = true;
        else if (option == 'j')
            options->is_json = true;
        else if (option != 'k')
            return false; /* getopt has said why */
        else if (!(options->is_key = key_parse(optarg, &options->key))) {
            fprintf(stderr, "forebay explain: --key %s: write HIGH:LOW, both hexadecimal\n",
                    optarg);
            return false;
        }
    }
    if (argc - optind == !options->is_key) {
        options->name = argv[optind];
        return true;
    }
    fprintf(stderr, "forebay explain: one name or --key is wanted: see forebay explain --help\n");
    return false;
}

int fb_command_explain(int argc, char **argv)
{
    struct explain_options options = {.space = ""};
    struct forebay_client *client;
    if (!options_parse(argc, argv, &options))
        return FB_EXIT_USAGE;
    int code = forebay_client_open(options.socket, &client);
    if (code != 0)
        return fb_no_daemon("explain", options.socket, code);
    int exit_code = options.is_key ? key_explain(client, &options) : file_explain(client, &options);
    forebay_client_close(client);
    return exit_code;
}
