/* The daemon's state as `forebay status` and `forebay stats` read it: lines "name value", of which
 * those of lists ("peer 1 state=away ...") come many times. */
#ifndef FB_CLI_COMMANDS_DAEMON_STATE_H
#define FB_CLI_COMMANDS_DAEMON_STATE_H

#include "client/forebay.h"
#include "core/histogram.h"

#include <stdbool.h>
#include <stdint.h>

struct state_line {
    const char *name, *value; /* into text */
};

struct state {
    char *text;
    uint64_t asked_ns, taken_ns; /* by the monotonic clock, which is the daemon's, too */
    struct state_line *lines;
    uint32_t count;
};

/* Asks the daemon. asks_members: it asks the others, too, for what a later look shows. Errors:
 * negative errno; nothing to free then. */
int state_take(struct forebay_client *client, bool asks_members, struct state *state);
void state_free(struct state *state);

/* A value; "" or 0 where there is none of that name. */
const char *state_text(const struct state *state, const char *name);
uint64_t state_number(const struct state *state, const char *name);

/* The value of "key=" in a list's line, as text of at most 255 bytes. */
const char *state_field(const char *value, const char *key, char text[256]);
uint64_t state_field_number(const char *value, const char *key);

/* What a daemon has done: since it started, or between two looks. */
struct state_work {
    double seconds;
    uint64_t reads, read_bytes, hits; /* blocks that were served; of them, without the origin */
    uint64_t from_memory, from_device, from_peers, from_origin, failed;
    uint64_t writes, write_bytes, fetch_bytes, drain_bytes;
    struct fb_histogram get_latency, write_latency;
};

/* before: NULL: since the daemon started. */
void state_work_make(const struct state *before, const struct state *after,
                     struct state_work *work);

/* The latency that `share` of all were below, as the end of its bucket. 0: there is none, or they
 * took no time: what lies in memory is lent in the step that hears of the request. */
uint64_t state_quantile_ns(const struct fb_histogram *histogram, double share);

enum state_verdict { STATE_FINE, STATE_ATTENTION, STATE_DOWN };
enum { STATE_REASONS_MAX = 16, STATE_REASON_BYTES = 320 };

/* What an operator should do something about, as sentences; of more the first ones, and how many
 * others there are. */
struct state_judgement {
    enum state_verdict verdict;
    uint32_t count, left_out;
    char reasons[STATE_REASONS_MAX][STATE_REASON_BYTES];
};

/* Adds a sentence. */
void state_reason_add(struct state_judgement *judgement, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints them, a line each. */
void state_reasons_print(const struct state_judgement *judgement);

void state_judge(const struct state *state, struct state_judgement *judgement);

#endif
