/* See daemon_state.h. */
#include "cli/commands/daemon_state.h"

#include "cli/command.h"
#include "base/clock.h"
#include "core/panic.h"

#include "base/units.h"
#include "client/client_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Owed for longer than any drain that goes on. guess: minutes; a cluster's own alert may differ. */
static const uint64_t owed_long_ns = UINT64_C(300) * 1000000000;

/* Cuts the text into lines, and these into name and value. */
static int lines_cut(struct state *state)
{
    uint32_t count = 0;
    for (const char *at = state->text; *at != '\0'; at++)
        count += *at == '\n';
    state->lines = calloc(count + 1, sizeof(*state->lines));
    if (state->lines == NULL)
        return -ENOMEM;
    for (char *at = state->text; *at != '\0' && state->count < count;) {
        size_t length = strcspn(at, "\n");
        char *next = at + length + (at[length] != '\0');
        at[length] = '\0';
        char *blank = strchr(at, ' ');
        if (blank != NULL)
            *blank = '\0';
        state->lines[state->count++] =
            (struct state_line){.name = at, .value = blank != NULL ? blank + 1 : ""};
        at = next;
    }
    return 0;
}

int state_take(struct forebay_client *client, bool asks_members, struct state *state)
{
    *state = (struct state){.asked_ns = fb_clock_ns()};
    int code = client_status(client, asks_members, &state->text);
    state->taken_ns = fb_clock_ns();
    if (code == 0)
        code = lines_cut(state);
    if (code != 0)
        state_free(state);
    return code;
}

void state_free(struct state *state)
{
    free(state->text);
    free(state->lines);
    *state = (struct state){.text = NULL};
}

const char *state_text(const struct state *state, const char *name)
{
    for (uint32_t i = 0; i < state->count; i++) {
        if (strcmp(state->lines[i].name, name) == 0)
            return state->lines[i].value;
    }
    return "";
}

uint64_t state_number(const struct state *state, const char *name)
{
    return strtoull(state_text(state, name), NULL, 10);
}

const char *state_field(const char *value, const char *key, char text[256])
{
    size_t length = strlen(key);
    text[0] = '\0';
    for (const char *at = value; (at = strstr(at, key)) != NULL; at += length) {
        if ((at != value && at[-1] != ' ') || at[length] != '=')
            continue;
        snprintf(text, 256, "%.*s", (int)strcspn(at + length + 1, " "), at + length + 1);
        break;
    }
    return text;
}

uint64_t state_field_number(const char *value, const char *key)
{
    char text[256];
    return strtoull(state_field(value, key, text), NULL, 10);
}

/* "start_ns:count start_ns:count ..." */
static void histogram_take(const struct state *state, const char *name,
                           struct fb_histogram *histogram)
{
    char *end, max[64];
    *histogram = (struct fb_histogram){.max_ns = 0};
    snprintf(max, sizeof(max), "%s_max_ns", name);
    histogram->max_ns = state_number(state, max);
    snprintf(max, sizeof(max), "%s_ns", name);
    for (const char *at = state_text(state, max); *at != '\0';) {
        uint32_t bucket = fb_histogram_bucket(strtoull(at, &end, 10));
        if (*end != ':')
            return;
        histogram->counts[bucket] = (uint32_t)strtoul(end + 1, &end, 10);
        at = end + (*end == ' ');
    }
}

uint64_t state_quantile_ns(const struct fb_histogram *histogram, double share)
{
    uint64_t total = 0, below = 0;
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS && total > 0; i++) {
        below += histogram->counts[i];
        if ((double)below < share * (double)total || histogram->counts[i] == 0)
            continue;
        uint64_t end_ns = i > 0 ? fb_histogram_bucket_start_ns(i + 1) : 0;
        return end_ns < histogram->max_ns ? end_ns : histogram->max_ns;
    }
    return 0;
}

void state_work_make(const struct state *before, const struct state *after, struct state_work *work)
{
    static const struct state none = {.text = NULL};
    const struct state *from = before != NULL ? before : &none;
    struct fb_histogram get, write;
    *work = (struct state_work){.seconds = before != NULL
                                               ? (double)(after->taken_ns - before->taken_ns) * 1e-9
                                               : (double)state_number(after, "uptime_ns") * 1e-9};
#define BETWEEN(name) (state_number(after, name) - state_number(from, name))
    work->from_memory = BETWEEN("replies_memory") + BETWEEN("replies_coalesced");
    work->from_device = BETWEEN("replies_device");
    work->from_peers = BETWEEN("replies_peer") + BETWEEN("replies_referral");
    work->from_origin = BETWEEN("replies_origin_owner") + BETWEEN("replies_origin_peer") +
                        BETWEEN("replies_origin");
    work->failed = BETWEEN("replies_refused") + BETWEEN("replies_lost");
    work->hits = work->from_memory + work->from_device + work->from_peers;
    work->reads = work->hits + work->from_origin;
    work->read_bytes = BETWEEN("get_bytes");
    work->writes = BETWEEN("writes");
    work->write_bytes = BETWEEN("write_bytes");
    work->fetch_bytes = BETWEEN("origin_fetch_bytes");
    work->drain_bytes = BETWEEN("drain_bytes");
#undef BETWEEN
    histogram_take(after, "get_latency", &work->get_latency);
    histogram_take(after, "write_latency", &work->write_latency);
    histogram_take(from, "get_latency", &get);
    histogram_take(from, "write_latency", &write);
    for (uint32_t i = 0; i < FB_HISTOGRAM_BUCKETS; i++) {
        work->get_latency.counts[i] -= get.counts[i];
        work->write_latency.counts[i] -= write.counts[i];
    }
}

void state_reason_add(struct state_judgement *judgement, const char *format, ...)
{
    va_list arguments;
    if (judgement->verdict == STATE_FINE)
        judgement->verdict = STATE_ATTENTION;
    if (judgement->count == STATE_REASONS_MAX) {
        judgement->left_out++;
        return;
    }
    va_start(arguments, format);
    vsnprintf(judgement->reasons[judgement->count++], STATE_REASON_BYTES, format, arguments);
    va_end(arguments);
}

void state_reasons_print(const struct state_judgement *judgement)
{
    for (uint32_t i = 0; i < judgement->count; i++)
        printf("  - %s\n", judgement->reasons[i]);
    if (judgement->left_out > 0)
        printf("  - and %u more reasons: see the lines below\n", judgement->left_out);
}

/* What the origin refuses of what is owed: by the names that the log and the core have. */
static void judge_refusal(const struct state *state, struct state_judgement *judgement)
{
    static const struct {
        const char *status, *words;
    } kinds[] = {{"full", "it has no room (ENOSPC): make room there"},
                 {"denied", "it denies access (EACCES): see its rights and credentials"},
                 {"read_only", "it cannot be written (EROFS)"},
                 {"too_large", "an object is larger than it takes (EFBIG)"}};
    const char *status = state_text(state, "refused_status");
    const char *words = "the log has its own words at origin_failed";
    uint64_t blocks = state_number(state, "refused_blocks");
    char age[32];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        words = strcmp(kinds[i].status, status) == 0 ? kinds[i].words : words;
    if (blocks > 0)
        state_reason_add(
            judgement, "%" PRIu64 " blocks are owed to the origin, which refuses them for %s: %s",
            blocks, fb_format_ns(age, (double)state_number(state, "refused_ns")), words);
}

/* One that is there, and is not spoken with for what TLS says, is not looked for at its port. */
static void judge_away(const struct state *state, const char *value,
                       struct state_judgement *judgement)
{
    char away[32], address[256], text[256], name[32];
    unsigned node = (unsigned)strtoul(value, NULL, 10);
    snprintf(name, sizeof(name), "peer_fault_%u", node);
    const char *fault = state_text(state, name);
    bool is_tls = strncmp(fault, "tls: ", 5) == 0;
    snprintf(text, sizeof(text), "%s%s",
             is_tls ? fault : "is forebayd running there, is its port open?",
             is_tls ? ": see tls.certificate and the clocks of both" : "");
    state_reason_add(judgement, "node %u at %s is away for %s: %s", node,
                     state_field(value, "address", address),
                     fb_format_ns(away, (double)state_field_number(value, "since_ns")), text);
}

static void judge_peers(const struct state *state, struct state_judgement *judgement)
{
    enum { NAMED_MAX = 6 };
    uint32_t count = 0;
    char address[256], text[256];
    for (uint32_t i = 0; i < state->count; i++) {
        const char *value = state->lines[i].value;
        if (strcmp(state->lines[i].name, "peer") != 0)
            continue;
        bool is_away = strcmp(state_field(value, "state", text), "away") == 0;
        bool is_silent = state_field_number(value, "suspected") != 0;
        if ((!is_away && !is_silent) || ++count > NAMED_MAX)
            continue;
        if (is_away)
            judge_away(state, value, judgement);
        else
            state_reason_add(judgement,
                             "node %u at %s is connected and did not answer lately: is it stopped, "
                             "or its network full?",
                             (unsigned)strtoul(value, NULL, 10),
                             state_field(value, "address", address));
    }
    if (count > NAMED_MAX)
        state_reason_add(judgement, "%u more peers are away or silent", count - NAMED_MAX);
}

/* Owed at the start, and no record tells of it. */
static void judge_unnamed(const struct state *state, struct state_judgement *judgement)
{
    char bytes[32];
    if (state_number(state, "unnamed_blocks") > 0)
        state_reason_add(judgement,
                         "%s were owed at the start under names without a record, such as %s: a "
                         "writer died before its commit, or the metadata store is an older one",
                         fb_format_bytes(bytes, (double)state_number(state, "unnamed_bytes")),
                         state_text(state, "unnamed_name"));
}

void state_judge(const struct state *state, struct state_judgement *judgement)
{
    char age[32];
    *judgement = (struct state_judgement){.verdict = STATE_FINE};
    const char *device = state_text(state, "device_state");
    uint64_t oldest_ns = state_number(state, "undrained_oldest_ns");
    if (state_number(state, "ready") == 0) {
        state_reason_add(judgement, "%s", state_text(state, "ready_reason"));
        judgement->verdict = STATE_DOWN;
    } else if (state_number(state, "draining") != 0)
        state_reason_add(judgement,
                         "it is drained: it takes no writes; `forebay drain --end` ends that");
    if (strcmp(device, "none") != 0 && strcmp(device, "fine") != 0)
        state_reason_add(judgement, "the drive fails: %s: see the log and dmesg", device);
    judge_refusal(state, judgement);
    judge_unnamed(state, judgement);
    if (state_number(state, "metadata_full_ns") > 0)
        state_reason_add(
            judgement,
            "the metadata store has no room for %s: nothing can be written or removed: "
            "see metadata_failed in the log",
            fb_format_ns(age, (double)state_number(state, "metadata_full_ns")));
    if (oldest_ns > owed_long_ns)
        state_reason_add(
            judgement,
            "%s is owed to the origin for %s: see origin_failed in the log, and forebay lost",
            state_text(state, "undrained_oldest_name"), fb_format_ns(age, (double)oldest_ns));
    for (uint32_t i = 0; i < state->count; i++) {
        if (strcmp(state->lines[i].name, "lost") == 0)
            state_reason_add(judgement, "cannot be finished: %s: see forebay lost",
                             state->lines[i].value);
    }
    judge_peers(state, judgement);
    if (state_number(state, "members_left_out") > 0)
        state_reason_add(judgement, "%s records of members are not understood: see the log",
                         state_text(state, "members_left_out"));
}

int fb_fail_ask(const char *command, struct forebay_client *client, const char *name,
                const char *reason)
{
    struct state state;
    char text[512];
    bool is_told = state_take(client, false, &state) == 0;
    bool is_ready = !is_told || state_number(&state, "ready") != 0;
    snprintf(text, sizeof(text), "%s%s%s", reason, is_ready ? "" : "; the daemon is not ready: ",
             is_ready ? "" : state_text(&state, "ready_reason"));
    if (is_told)
        state_free(&state);
    return fb_fail_print(command, name, text);
}
