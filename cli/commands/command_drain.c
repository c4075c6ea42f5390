/* `forebay drain` and `forebay leave`: this machine's daemon takes no more writes and stores what
 * it owes; then stays and reads on, or ends. */
#include "base/clock.h"
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

static const struct timespec look_again = {.tv_nsec = 200000000};
static const uint64_t progress_ns = UINT64_C(5) * 1000000000; /* between two lines of it */
static const uint64_t answer_min_ns = 2000000000, answer_max_ns = 60000000000;

struct options {
    const char *socket;
    uint64_t patience_ns, end_ns; /* UINT64_MAX: without end */
    bool is_leave, is_end;
};

/* What keeps the daemon from being free to go. */
struct left {
    uint64_t bytes, blocks, device_bytes, names, bad_names, writes;
    bool is_recovering, is_any;
    char oldest[256];
};

static void left_make(const struct state *state, struct left *left)
{
    *left = (struct left){.bytes = state_number(state, "undrained_bytes"),
                          .blocks = state_number(state, "undrained_blocks"),
                          .device_bytes = state_number(state, "device_owed_bytes"),
                          .names = state_number(state, "unfinished_names"),
                          .bad_names = state_number(state, "bad_names"),
                          .writes = state_number(state, "files_written"),
                          .is_recovering = state_number(state, "recovering") != 0};
    left->is_any = left->bytes > 0 || left->device_bytes > 0 || left->names > 0 ||
                   left->writes > 0 || left->is_recovering;
    snprintf(left->oldest, sizeof(left->oldest), "%s", state_text(state, "undrained_oldest_name"));
}

static void left_print(FILE *to, const struct left *left)
{
    char bytes[32];
    const char *comma = "";
    if (left->bytes > 0)
        fprintf(to, "%s in %" PRIu64 " blocks owed to the origin, the oldest of %s",
                fb_format_bytes(bytes, (double)left->bytes), left->blocks, left->oldest);
    comma = left->bytes > 0 ? ", " : comma;
    if (left->bytes == 0 && left->device_bytes > 0)
        fprintf(to, "%s owed on the drive", fb_format_bytes(bytes, (double)left->device_bytes));
    comma = left->device_bytes > 0 ? ", " : comma;
    if (left->names > 0)
        fprintf(to, "%s%" PRIu64 " names unfinished (%" PRIu64 " cannot be: forebay lost)", comma,
                left->names, left->bad_names);
    comma = left->names > 0 ? ", " : comma;
    if (left->writes > 0)
        fprintf(to, "%s%" PRIu64 " files being written", comma, left->writes);
    comma = left->writes > 0 ? ", " : comma;
    if (left->is_recovering)
        fprintf(to, "%sthe drive is still looked through", comma);
}

static int ask(struct forebay_client *client, enum fb_local_drain wish)
{
    struct fb_local_request request = {.kind = FB_LOCAL_DRAIN, .index = wish};
    struct fb_local_reply reply;
    return client_call(client, &request, NULL, &reply);
}

/* How long an answer may take: what is left of the patience, but enough for a daemon that serves to
 * say what it still owes. */
static uint64_t answer_ns(const struct options *options)
{
    uint64_t now_ns = fb_clock_ns();
    uint64_t left_ns = options->end_ns > now_ns ? options->end_ns - now_ns : 0;
    left_ns = left_ns > answer_min_ns ? left_ns : answer_min_ns;
    return left_ns < answer_max_ns ? left_ns : answer_max_ns;
}

/* Until nothing is left, or patience ends. Errors: negative errno. */
static int wait_drained(struct forebay_client *client, const struct options *options,
                        struct left *left)
{
    uint64_t told_ns = 0;
    for (;;) {
        struct state state;
        client_patience_set(client, answer_ns(options));
        int code = state_take(client, false, &state);
        if (code != 0)
            return code;
        left_make(&state, left);
        uint64_t now_ns = state.taken_ns;
        state_free(&state);
        if (!left->is_any || now_ns >= options->end_ns)
            return 0;
        if (now_ns - told_ns >= progress_ns) {
            fprintf(stderr, "to do: ");
            left_print(stderr, left);
            fprintf(stderr, "\n");
            told_ns = now_ns;
        }
        nanosleep(&look_again, NULL);
    }
}

/* The daemon has been told to end: until it has. Errors: -ETIMEDOUT: it says nothing any more. */
static int wait_gone(struct forebay_client *client)
{
    struct state state;
    int code;
    client_patience_set(client, answer_max_ns);
    while ((code = state_take(client, false, &state)) == 0) {
        state_free(&state);
        nanosleep(&look_again, NULL);
    }
    return code == -ETIMEDOUT ? code : 0;
}

static int run(const char *command, struct forebay_client *client, const struct options *options)
{
    struct left left;
    int code = ask(client, options->is_end ? FB_LOCAL_DRAIN_END : FB_LOCAL_DRAIN_BEGIN);
    if (code == 0 && options->is_end) {
        printf("the daemon takes writes again\n");
        return FB_EXIT_FINE;
    }
    if (code == 0)
        code = wait_drained(client, options, &left);
    if (code == 0 && left.is_any) {
        printf("not drained yet: ");
        left_print(stdout, &left);
        printf(": the daemon takes no writes and goes on; `forebay drain --end` ends that\n");
        return FB_EXIT_FAILED;
    }
    if (code == 0 && options->is_leave)
        code = ask(client, FB_LOCAL_DRAIN_LEAVE);
    if (code == 0 && options->is_leave)
        code = wait_gone(client);
    if (code == -ETIMEDOUT)
        return fb_no_answer(command, options->socket, client->patience_ns);
    if (code == -EPERM || code == -EACCES) {
        fprintf(stderr, "forebay %s: only root and the daemon's own user may\n", command);
        return FB_EXIT_FAILED;
    }
    if (code != 0) {
        fprintf(stderr, "forebay %s: %s\n", command,
                code == -EINVAL ? "the daemon is of a release that cannot: stop it by SIGTERM"
                                : strerror(-code));
        return FB_EXIT_FAILED;
    }
    printf("%s\n", options->is_leave ? "left: the daemon has ended and owes nothing"
                                     : "drained: nothing is owed; it takes no writes and reads on");
    return FB_EXIT_FINE;
}

static bool options_parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"patience", required_argument, NULL, 'p'},
                                          {"end", no_argument, NULL, 'e'},
                                          {NULL, 0, NULL, 0}};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == '?')
            return false; /* getopt has said why */
        if (option == 's')
            options->socket = optarg;
        options->is_end = options->is_end || option == 'e';
        if (option == 'p' && !fb_parse_ns(optarg, &options->patience_ns)) {
            fprintf(stderr, "forebay %s: --patience: a time, like '10 min'\n", argv[0]);
            return false;
        }
    }
    bool is_fine = optind == argc && !(options->is_end && options->is_leave);
    if (!is_fine)
        fprintf(stderr, "forebay %s: see forebay %s --help\n", argv[0], argv[0]);
    return is_fine;
}

static int drain(int argc, char **argv, bool is_leave)
{
    struct options options = {.patience_ns = UINT64_MAX, .is_leave = is_leave};
    struct forebay_client *client;
    if (!options_parse(argc, argv, &options))
        return FB_EXIT_USAGE;
    uint64_t now_ns = fb_clock_ns();
    options.end_ns =
        options.patience_ns < UINT64_MAX - now_ns ? now_ns + options.patience_ns : UINT64_MAX;
    uint64_t greeting_ns = answer_ns(&options);
    int code = client_open_within(options.socket, greeting_ns, &client);
    if (code == -ETIMEDOUT)
        return fb_no_answer(argv[0], options.socket, greeting_ns);
    if (code != 0)
        return fb_no_daemon(argv[0], options.socket, code);
    client_patience_set(client, answer_ns(&options));
    code = run(argv[0], client, &options);
    forebay_client_close(client);
    return code;
}

int fb_command_drain(int argc, char **argv)
{
    return drain(argc, argv, false);
}

int fb_command_leave(int argc, char **argv)
{
    return drain(argc, argv, true);
}
