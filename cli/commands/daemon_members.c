/* See daemon_members.h. */
#include "cli/commands/daemon_members.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIES_MAX = 40, TEXT_BYTES = 32, SUMMARY_VERSION = 3 /* of the wire: see wire.h */ };

static const struct timespec pause_of_tries = {.tv_nsec = 50000000};

static unsigned node_of(const char *value)
{
    return (unsigned)strtoul(value, NULL, 10);
}

static bool is_away(const char *peer)
{
    char text[256];
    return strcmp(state_field(peer, "state", text), "away") == 0;
}

/* What a member has said of itself since it was asked; NULL: nothing. */
static const char *summary_find(const struct state *state, unsigned node)
{
    const char *found = NULL;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_line *line = &state->lines[i];
        if (node_of(line->value) != node)
            continue;
        if (strcmp(line->name, "peer") == 0 && is_away(line->value))
            return NULL;
        uint64_t heard_ns = state_field_number(line->value, "heard_ns");
        if (strcmp(line->name, "member") == 0 && state->taken_ns >= state->asked_ns + heard_ns)
            found = line->value;
    }
    return found;
}

/* It has greeted, and is of a release that has no summaries. */
static bool is_old(const char *peer)
{
    uint64_t version = state_field_number(peer, "version");
    return version > 0 && version < SUMMARY_VERSION;
}

/* Has everybody answered of whom an answer can be expected? */
static bool is_complete(const struct state *state)
{
    for (uint32_t i = 0; i < state->count; i++) {
        const char *value = state->lines[i].value;
        if (strcmp(state->lines[i].name, "peer") == 0 && !is_away(value) && !is_old(value) &&
            summary_find(state, node_of(value)) == NULL)
            return false;
    }
    return true;
}

int members_take(struct forebay_client *client, struct state *state)
{
    int code = state_take(client, true, state);
    uint64_t asked_ns = state->asked_ns;
    for (int i = 1; code == 0 && i < TRIES_MAX && !is_complete(state); i++) {
        state_free(state);
        nanosleep(&pause_of_tries, NULL);
        code = state_take(client, true, state);
        state->asked_ns = asked_ns;
    }
    return code;
}

static const char *member_word(const char *summary)
{
    return state_field_number(summary, "fenced") != 0           ? "fenced"
           : state_field_number(summary, "ready") == 0          ? "not ready"
           : state_field_number(summary, "device_failing") != 0 ? "drive fails"
           : state_field_number(summary, "draining") != 0       ? "drained"
                                                                : "serves";
}

void members_judge(const struct state *state, struct state_judgement *judgement)
{
    static const uint64_t owed_long_ns = UINT64_C(300) * 1000000000;
    char age[TEXT_BYTES];
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_line *line = &state->lines[i];
        unsigned node = node_of(line->value);
        const char *summary = summary_find(state, node);
        bool is_own = node == state_number(state, "node");
        if (strcmp(line->name, "peer") == 0 && summary == NULL && !is_away(line->value) &&
            !is_old(line->value))
            state_reason_add(judgement,
                             "node %u gives no answer: is its daemon stopped, its network full?",
                             node);
        if (strcmp(line->name, "member") != 0 || is_own || summary == NULL)
            continue;
        if (strcmp(member_word(summary), "serves") != 0)
            state_reason_add(judgement, "node %u: %s: see forebay status there", node,
                             member_word(summary));
        uint64_t oldest_ns = state_field_number(summary, "undrained_oldest_ns");
        if (oldest_ns > owed_long_ns)
            state_reason_add(judgement, "node %u has owed a file to the origin for %s", node,
                             fb_format_ns(age, (double)oldest_ns));
    }
}

static double share(const char *summary, const char *part, const char *whole)
{
    uint64_t all = state_field_number(summary, whole);
    return all > 0 ? 100.0 * (double)state_field_number(summary, part) / (double)all : 0;
}

static void row_print(unsigned node, const char *summary)
{
    char texts[4][TEXT_BYTES];
    uint64_t oldest_ns = state_field_number(summary, "undrained_oldest_ns");
    printf("%-6u %-12s %8s %6.0f%% %6.0f%% %12" PRIu64 " %6.1f%% %10" PRIu64 " %10s %9s %6" PRIu64
           "\n",
           node, member_word(summary),
           fb_format_ns(texts[0], (double)state_field_number(summary, "uptime_ns")),
           share(summary, "memory_used_bytes", "memory_size_bytes"),
           share(summary, "device_used_bytes", "device_size_bytes"),
           state_field_number(summary, "reads"), share(summary, "hits", "reads"),
           state_field_number(summary, "writes"),
           fb_format_bytes(texts[1], (double)state_field_number(summary, "undrained_bytes")),
           oldest_ns > 0 ? fb_format_ns(texts[2], (double)oldest_ns) : "-",
           state_field_number(summary, "peers_away"));
}

void members_print(const struct state *state, const struct state_judgement *judgement)
{
    static const char *const words[] = {"FINE", "ATTENTION", "DOWN"};
    char text[256], age[TEXT_BYTES];
    printf("%s: cluster %s, %s members, asked by node %s%s\n", words[judgement->verdict],
           state_text(state, "cluster"), state_text(state, "members"), state_text(state, "node"),
           judgement->count > 0 ? ":" : "");
    state_reasons_print(judgement);
    printf("\n%-6s %-12s %8s %7s %7s %12s %7s %10s %10s %9s %6s\n", "node", "state", "up", "memory",
           "drive", "reads", "hits", "writes", "owed", "oldest", "away");
    for (uint32_t i = 0; i < state->count; i++) {
        const struct state_line *line = &state->lines[i];
        unsigned node = node_of(line->value);
        const char *summary = summary_find(state, node);
        if (strcmp(line->name, "member") == 0 && summary != NULL)
            row_print(node, summary);
        if (strcmp(line->name, "peer") != 0 || summary != NULL)
            continue;
        bool is_away_one = is_away(line->value);
        printf("%-6u %s%s\n", node,
               is_away_one           ? "away for "
               : is_old(line->value) ? "of a release that tells no more"
                                     : state_field(line->value, "state", text),
               is_away_one ? fb_format_ns(age, (double)state_field_number(line->value, "since_ns"))
               : is_old(line->value) ? ""
                                     : ", no answer");
    }
    uint64_t left_out = state_number(state, "summaries_left_out");
    if (left_out > 0)
        printf("%" PRIu64 " more have answered and have no line: see the metrics\n", left_out);
}
