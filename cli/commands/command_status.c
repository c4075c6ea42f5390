/* `forebay status`: a page for people, who want the answer first and then what it rests on; or all
 * values, as lines or JSON, for programs. */
#include "base/options.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/commands/daemon_members.h"
#include "cli/commands/daemon_state.h"
#include "client/client_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum form { FORM_LINES, FORM_PAGE, FORM_JSON };

static const struct timespec look_again = {.tv_nsec = 300000000}; /* for what goes on now */
static const uint64_t answer_ns = 5000000000; /* a daemon that serves answers in milliseconds */
static const char *const verdicts[] = {"fine", "attention", "down"};

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void answer_print(const struct state *state, const struct state_judgement *judgement)
{
    static const char *const words[] = {"FINE", "ATTENTION", "DOWN"};
    uint64_t members = state_number(state, "members");
    printf("%s: node %s of cluster %s %s", words[judgement->verdict], state_text(state, "node"),
           state_text(state, "cluster"),
           judgement->verdict == STATE_DOWN ? "does not serve" : "serves");
    if (members > 1)
        printf("; %" PRIu64 " members", members);
    printf("%s\n", judgement->count > 0 ? ":" : "");
    state_reasons_print(judgement);
}

static void latency_print(const struct fb_histogram *histogram, bool has_max)
{
    char median[32], tail[32], max[32];
    printf(", p50 %s, p99 %s", fb_format_ns(median, (double)state_quantile_ns(histogram, 0.5)),
           fb_format_ns(tail, (double)state_quantile_ns(histogram, 0.99)));
    if (has_max)
        printf(", longest %s", fb_format_ns(max, (double)histogram->max_ns));
}

/* What goes on now; nothing of what doesn't. */
static void now_print(const struct state_work *work)
{
    char rate[32];
    printf("\nnow      ");
    if (work->reads + work->failed + work->writes + work->fetch_bytes + work->drain_bytes == 0)
        printf("idle");
    if (work->reads > 0) {
        printf("reads %.0f/s, %s, %.1f%% hits", (double)work->reads / work->seconds,
               fb_format_rate(rate, (double)work->read_bytes / work->seconds),
               percent(work->hits, work->reads));
        latency_print(&work->get_latency, false);
    }
    if (work->writes > 0) {
        printf("%swrites %.0f/s, %s", work->reads > 0 ? "\n         " : "",
               (double)work->writes / work->seconds,
               fb_format_rate(rate, (double)work->write_bytes / work->seconds));
        latency_print(&work->write_latency, false);
    }
    if (work->fetch_bytes + work->drain_bytes > 0) {
        printf("%sorigin: read %s", work->reads + work->writes > 0 ? "\n         " : "",
               fb_format_rate(rate, (double)work->fetch_bytes / work->seconds));
        printf(", stored %s", fb_format_rate(rate, (double)work->drain_bytes / work->seconds));
    }
    if (work->failed > 0)
        printf("\n         reads that failed: %.0f/s", (double)work->failed / work->seconds);
    printf("\n");
}

static void owed_print(const struct state *state)
{
    char bytes[32], age[32];
    uint64_t owed = state_number(state, "undrained_bytes");
    if (owed == 0)
        printf("owed     nothing: the origin has all that was acknowledged here");
    else
        printf("owed     %s in %s blocks not at the origin yet, the oldest for %s: %s",
               fb_format_bytes(bytes, (double)owed), state_text(state, "undrained_blocks"),
               fb_format_ns(age, (double)state_number(state, "undrained_oldest_ns")),
               state_text(state, "undrained_oldest_name"));
    uint64_t names = state_number(state, "unfinished_names");
    if (names > 0)
        printf("; %" PRIu64 " names unfinished", names);
    printf("\n");
}

static void tier_print(const struct state *state, const char *title, const char *tier)
{
    char name[64], used_text[32], size_text[32];
    snprintf(name, sizeof(name), "%s_used_bytes", tier);
    uint64_t used = state_number(state, name);
    snprintf(name, sizeof(name), "%s_size_bytes", tier);
    uint64_t size = state_number(state, name);
    printf("%-8s %s of %s, %.0f%%", title, fb_format_bytes(used_text, (double)used),
           fb_format_bytes(size_text, (double)size), percent(used, size));
}

static void space_print(const struct state *state)
{
    char owed[32];
    const char *device = state_text(state, "device_state");
    tier_print(state, "memory", "memory");
    if (strcmp(device, "none") == 0) {
        printf("\ndrive    none\n");
        return;
    }
    printf("\n");
    tier_print(state, "drive", "device");
    printf("; %s; %s owed on it\n", device,
           fb_format_bytes(owed, (double)state_number(state, "device_owed_bytes")));
}

static void total_print(const struct state_work *work)
{
    char bytes[32], up[32];
    printf("up       %s\n", fb_format_ns(up, work->seconds * 1e9));
    printf("reads    %" PRIu64 ", %s, %.1f%% hits", work->reads,
           fb_format_bytes(bytes, (double)work->read_bytes), percent(work->hits, work->reads));
    latency_print(&work->get_latency, true);
    printf("\n         from memory %.1f%%, drive %.1f%%, peers %.1f%%, origin %.1f%%\n",
           percent(work->from_memory, work->reads), percent(work->from_device, work->reads),
           percent(work->from_peers, work->reads), percent(work->from_origin, work->reads));
    printf("writes   %" PRIu64 ", %s", work->writes,
           fb_format_bytes(bytes, (double)work->write_bytes));
    latency_print(&work->write_latency, true);
    printf("\n");
}

/* Counters of what went wrong, those that are not 0. */
static void errors_print(const struct state *state)
{
    static const struct {
        const char *counter, *words;
    } kinds[] = {{"origin_errors", "reads at the origin"},
                 {"drain_errors", "stores at the origin"},
                 {"device_errors", "drive"},
                 {"digest_errors", "digests"},
                 {"pull_errors", "pulls from peers"},
                 {"meta_errors", "metadata store"},
                 {"replies_lost", "reads of lost bytes"},
                 {"degraded", "writes with too few copies"},
                 {"busy_answers", "told to wait"}};
    const char *comma = "";
    printf("errors   ");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t count = state_number(state, kinds[i].counter);
        if (count > 0)
            printf("%s%s %" PRIu64, comma, kinds[i].words, count);
        comma = count > 0 ? ", " : comma;
    }
    printf("%s\n", comma[0] == '\0' ? "none since the start" : "");
}

static void lists_print(const struct state *state)
{
    char age[32], name[256], address[256], bytes[32];
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_line *line = &state->lines[i];
        unsigned number = (unsigned)strtoul(line->value, NULL, 10);
        if (strcmp(line->name, "peer") == 0)
            printf("peer     %u %s %s for %s%s\n", number,
                   state_field(line->value, "address", address),
                   state_field(line->value, "state", name),
                   fb_format_ns(age, (double)state_field_number(line->value, "since_ns")),
                   state_field_number(line->value, "suspected") != 0 ? ", silent lately" : "");
        if (strcmp(line->name, "tenant") == 0 && state_number(state, "tenants_max") > 0)
            printf("tenant   %u has %s of the memory; %" PRIu64 " reads, %.1f%% hits; %" PRIu64
                   " writes\n",
                   number,
                   fb_format_bytes(bytes, (double)state_field_number(line->value, "memory_bytes")),
                   state_field_number(line->value, "reads"),
                   percent(state_field_number(line->value, "hits"),
                           state_field_number(line->value, "reads")),
                   state_field_number(line->value, "writes"));
    }
    uint64_t peers = state_number(state, "peers_left_out");
    uint64_t tenants = state_number(state, "tenants_left_out");
    if (peers + tenants > 0)
        printf("more     %" PRIu64 " peers, %" PRIu64 " tenants that have no line\n", peers,
               tenants);
}

static void page_print(const struct state *before, const struct state *state,
                       const struct state_judgement *judgement)
{
    struct state_work now, total;
    state_work_make(before, state, &now);
    state_work_make(NULL, state, &total);
    answer_print(state, judgement);
    now_print(&now);
    owed_print(state);
    space_print(state);
    lists_print(state);
    printf("\n");
    total_print(&total);
    errors_print(state);
}

/* As a number where it is one. */
static json_t *json_value(const char *text)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return json_string(text);
    unsigned long long number = strtoull(text, &end, 10);
    return *end == '\0' ? json_integer((json_int_t)number) : json_string(text);
}

/* "3 state=away since_ns=5": a list's line as an object. */
static json_t *json_line(const char *key, const char *value)
{
    json_t *object = json_object();
    json_object_set_new(object, key, json_integer((json_int_t)strtoull(value, NULL, 10)));
    for (const char *at = strchr(value, ' '); at != NULL; at = strchr(at, ' ')) {
        char name[64], text[256];
        at++;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "="), at);
        json_object_set_new(object, name, json_value(state_field(value, name, text)));
    }
    return object;
}

static json_t *json_latency(const struct fb_histogram *histogram)
{
    return json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)state_quantile_ns(histogram, 0.5), "p99",
                     (json_int_t)state_quantile_ns(histogram, 0.99), "max",
                     (json_int_t)histogram->max_ns);
}

static json_t *state_json(const struct state *state, const struct state_judgement *judgement)
{
    struct state_work total;
    state_work_make(NULL, state, &total);
    json_t *peers = json_array(), *tenants = json_array(), *lost = json_array();
    json_t *reasons = json_array(), *members = json_array(), *root = json_object();
    for (uint32_t i = 0; i < judgement->count; i++)
        json_array_append_new(reasons, json_string(judgement->reasons[i]));
    json_object_set_new(root, "schema_version", json_integer(1));
    json_object_set_new(root, "verdict", json_string(verdicts[judgement->verdict]));
    json_object_set_new(root, "reasons", reasons);
    json_object_set_new(root, "reasons_left_out", json_integer(judgement->left_out));
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_line *line = &state->lines[i];
        if (strcmp(line->name, "peer") == 0)
            json_array_append_new(peers, json_line("node", line->value));
        else if (strcmp(line->name, "tenant") == 0)
            json_array_append_new(tenants, json_line("tenant", line->value));
        else if (strcmp(line->name, "member") == 0)
            json_array_append_new(members, json_line("node", line->value));
        else if (strcmp(line->name, "lost") == 0)
            json_array_append_new(lost, json_string(line->value));
        else
            json_object_set_new(root, line->name, json_value(line->value));
    }
    json_object_set_new(root, "get_latency_ns", json_latency(&total.get_latency));
    json_object_set_new(root, "write_latency_ns", json_latency(&total.write_latency));
    json_object_set_new(root, "peers", peers);
    json_object_set_new(root, "tenants", tenants);
    json_object_set_new(root, "summaries", members);
    json_object_set_new(root, "lost", lost);
    return root;
}

static void lines_print(const struct state *state)
{
    for (uint32_t i = 0; i < state->count; i++)
        printf("%s %s\n", state->lines[i].name, state->lines[i].value);
}

/* Errors: negative errno. */
static int show(struct forebay_client *client, enum form form, bool is_cluster, int *exit_code)
{
    struct state before = {.text = NULL}, state = {.text = NULL};
    struct state_judgement judgement;
    bool is_page = form == FORM_PAGE && !is_cluster;
    int code = is_page ? state_take(client, false, &before) : 0;
    if (code == 0 && is_page)
        nanosleep(&look_again, NULL);
    if (code == 0)
        code = is_cluster ? members_take(client, &state) : state_take(client, false, &state);
    if (code == 0) {
        state_judge(&state, &judgement);
        if (is_cluster)
            members_judge(&state, &judgement);
        *exit_code = judgement.verdict == STATE_DOWN ? FB_EXIT_FAILED : FB_EXIT_FINE;
    }
    if (code == 0 && is_page)
        page_print(&before, &state, &judgement);
    else if (code == 0 && form == FORM_PAGE)
        members_print(&state, &judgement);
    else if (code == 0 && form == FORM_JSON &&
             fb_json_print(state_json(&state, &judgement)) != FB_EXIT_FINE)
        *exit_code = FB_EXIT_FAILED;
    else if (code == 0 && form == FORM_LINES)
        lines_print(&state);
    state_free(&before);
    state_free(&state);
    return code;
}

int fb_command_status(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"page", no_argument, NULL, 'p'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"cluster", no_argument, NULL, 'c'},
                                          {NULL, 0, NULL, 0}};
    const char *socket = NULL;
    struct forebay_client *client;
    enum form form = isatty(STDOUT_FILENO) ? FORM_PAGE : FORM_LINES;
    bool is_cluster = false;
    int exit_code = FB_EXIT_FAILED;
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == '?')
            return FB_EXIT_USAGE; /* getopt has said why */
        if (option == 's')
            socket = optarg;
        is_cluster = is_cluster || option == 'c';
        if (option == 'p' || (option == 'c' && form == FORM_LINES))
            form = FORM_PAGE;
        if (option == 'j')
            form = FORM_JSON;
    }
    if (optind < argc) {
        fprintf(stderr, "forebay status: only options are taken: see forebay status --help\n");
        return FB_EXIT_USAGE;
    }
    int code = client_open_within(socket, answer_ns, &client);
    if (code == -ETIMEDOUT)
        return fb_no_answer("status", socket, answer_ns);
    if (code != 0)
        return fb_no_daemon("status", socket, code);
    client_patience_set(client, answer_ns);
    code = show(client, form, is_cluster, &exit_code);
    forebay_client_close(client);
    if (code == -ETIMEDOUT)
        return fb_no_answer("status", socket, answer_ns);
    if (code != 0)
        fprintf(stderr, "forebay status: the daemon's state: %s\n", strerror(-code));
    return exit_code;
}
