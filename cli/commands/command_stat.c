/* `forebay stat` and `forebay lost`: facts about a file as lines "name value" or JSON; and the
 * names that cannot be finished. */
#include "base/options.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/commands/daemon_state.h"
#include "client/client_internal.h"
#include "hw/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What to do when the daemon cannot be reached. */
static const char *hint(int code)
{
    static char text[160];
    char bytes[32];
    switch (-code) {
    case ECONNREFUSED:
        return "nobody listens at this socket any more: start forebayd, and see its log";
    case ENOENT:
        return "there is no such socket: is forebayd running, and is --socket or FOREBAY_SOCKET "
               "its client.socket?";
    case EACCES:
        return "it lets this user not in: the socket's group may connect, with the token in "
               "FOREBAY_TOKEN_FILE if the daemon wants one: see ls -l of the socket and its log";
    case ECONNRESET:
        return "the daemon went away as it was greeted: is it restarted? Its log says why";
    case ESHUTDOWN:
        snprintf(text, sizeof(text),
                 "it is stopping, and owes the origin %s: try again when it "
                 "runs; what is left then is in its log",
                 fb_format_bytes(bytes, (double)client_stopping_owed_bytes()));
        return text;
    case ETIMEDOUT:
        return "it has not answered for a minute: is it stopped?";
    case EPROTO:
        return "it is of another version: are forebay and forebayd of one release?";
    case ENAMETOOLONG:
        return "a socket's path has at most 107 bytes, from / on: give client.socket a shorter one";
    default:
        return strerror(-code);
    }
}

static int fail(const char *command, const char *what, int code)
{
    return fb_fail_print(command, what, strerror(-code));
}

int fb_no_daemon(const char *command, const char *socket, int code)
{
    fprintf(stderr, "forebay %s: no daemon at %s: %s\n", command, client_socket_path(socket),
            hint(code));
    return FB_EXIT_FAILED;
}

int fb_no_answer(const char *command, const char *socket, uint64_t patience_ns)
{
    char time[32];
    fprintf(stderr, "forebay %s: the daemon at %s has not answered for %s: is it stopped?\n",
            command, client_socket_path(socket), fb_format_ns(time, (double)patience_ns));
    return FB_EXIT_FAILED;
}

struct options {
    const char *socket;
    bool is_json;
};

/* Returns the arguments that are left, NULL: usage. */
static char **options_parse(int argc, char **argv, int count, struct options *options)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){.socket = NULL};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == '?')
            return NULL; /* getopt has said why */
        if (option == 's')
            options->socket = optarg;
        options->is_json = options->is_json || option == 'j';
    }
    if (argc - optind == count)
        return argv + optind;
    fprintf(stderr, "forebay %s: %s: see forebay %s --help\n", argv[0],
            count > 0 ? "one name is wanted" : "no argument is wanted", argv[0]);
    return NULL;
}

static int facts_print(const char *name, const struct forebay_facts *facts, bool is_json)
{
    static const char *const levels[] = {"memory", "replicated", "device", "origin"};
    const char *level = facts->level <= FOREBAY_ORIGIN ? levels[facts->level] : "?";
    const char *state = facts->is_at_origin ? "origin" : "cache";
    char version[24];
    uint64_t blocks = facts->size_bytes / facts->block_size_bytes +
                      (facts->size_bytes % facts->block_size_bytes > 0);
    snprintf(version, sizeof(version), "%016" PRIx64, facts->version);
    if (is_json)
        return fb_json_print(json_pack("{s:o, s:I, s:I, s:I, s:s, s:s, s:s}", "name",
                                       fb_json_name(name), "size_bytes",
                                       (json_int_t)facts->size_bytes, "blocks", (json_int_t)blocks,
                                       "block_size_bytes", (json_int_t)facts->block_size_bytes,
                                       "version", version, "state", state, "level", level));
    printf("name %s\nsize_bytes %" PRIu64 "\nblocks %" PRIu64 "\nblock_size_bytes %" PRIu64
           "\nversion %s\nstate %s\nlevel %s\n",
           name, facts->size_bytes, blocks, facts->block_size_bytes, version, state, level);
    return FB_EXIT_FINE;
}

int fb_command_stat(int argc, char **argv)
{
    struct options options;
    struct forebay_client *client;
    struct forebay_facts facts;
    char **names = options_parse(argc, argv, 1, &options);
    if (names == NULL)
        return FB_EXIT_USAGE;
    int code = forebay_client_open(options.socket, &client);
    if (code != 0)
        return fb_no_daemon("stat", options.socket, code);
    code = forebay_client_stat(client, names[0], &facts);
    int exit_code = code != 0 ? fb_fail_ask("stat", client, names[0], strerror(-code))
                              : facts_print(names[0], &facts, options.is_json);
    forebay_client_close(client);
    return exit_code;
}

/* A daemon's line: STATUS "NAME", in which quotes and backslashes have one before them. */
static json_t *lost_json(const char *line)
{
    char name[FB_LOG_QUOTE_MAX];
    size_t length = strcspn(line, " "), size = 0;
    const char *at = line + length + strspn(line + length, " \"");
    while (at[0] != '\0' && at[0] != '"' && size < sizeof(name) - 1) {
        at += at[0] == '\\' && (at[1] == '"' || at[1] == '\\');
        name[size++] = *at++;
    }
    name[size] = '\0';
    return json_pack("{s:s#, s:o}", "status", line, (int)length, "name", fb_json_name(name));
}

int fb_command_lost(int argc, char **argv)
{
    struct options options;
    struct forebay_client *client;
    struct state state;
    if (options_parse(argc, argv, 0, &options) == NULL)
        return FB_EXIT_USAGE;
    int code = forebay_client_open(options.socket, &client);
    if (code != 0)
        return fb_no_daemon("lost", options.socket, code);
    code = state_take(client, false, &state);
    forebay_client_close(client);
    if (code != 0)
        return fail("lost", "the daemon's state", code);
    json_t *names = options.is_json ? json_array() : NULL;
    for (uint32_t i = 0; i < state.count; i++) {
        if (strcmp(state.lines[i].name, "lost") != 0)
            continue;
        if (options.is_json)
            json_array_append_new(names, lost_json(state.lines[i].value));
        else
            printf("%s\n", state.lines[i].value);
    }
    state_free(&state);
    return options.is_json ? fb_json_print(names) : FB_EXIT_FINE;
}
