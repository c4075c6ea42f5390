/* `forebay put`: writes a file through this machine's daemon, and ends when it is as safe as
 * --level asks for and visible under its name. */
#include "base/clock.h"
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PART_BYTES = 4 << 20, LEVELS = 4, PATIENCE_S = 600 };

static const char *const levels[LEVELS] = {"memory", "replicated", "device", "origin"};

struct put_options {
    const char *socket, *source, *name;
    enum forebay_level level;
    bool is_verbose;
};

/* client: of what a daemon answered; NULL: of our own side. */
static int fail(struct forebay_client *client, const char *what, int code)
{
    const char *reason =
        code == -ESTALE      ? "another writer has committed this name meanwhile, and won"
        : code == -EHOSTDOWN ? "this node is cut off from its cluster or the metadata store; try "
                               "again when forebay status says fenced 0"
        : code == -ENETDOWN  ? "degraded: fewer members than --level asks for can hold it now, or "
                               "answer; try again, ask for less, or set core.degraded: allow"
        : code == -EILSEQ    ? "the name is no UTF-8, or has control characters, which the store's "
                               "names cannot have: give it another"
                             : strerror(-code);
    return client != NULL ? fb_fail_ask("put", client, what, reason)
                          : fb_fail_print("put", what, reason);
}

/* Returns the bytes copied, or -errno; *is_reading: which side failed. */
static int64_t copy(int from, struct forebay_file *to, bool *is_reading)
{
    unsigned char *bytes = malloc(PART_BYTES);
    int64_t total = 0, code = bytes == NULL ? -ENOMEM : 0;
    while (code == 0) {
        ssize_t part = read(from, bytes, PART_BYTES);
        if (part < 0 && errno == EINTR)
            continue;
        *is_reading = part < 0;
        if (part <= 0) {
            code = part < 0 ? -errno : 0;
            break;
        }
        code = forebay_file_write(to, bytes, (uint64_t)part);
        total += part;
    }
    free(bytes);
    return code != 0 ? code : total;
}

static void print_progress(const struct put_options *options, const char *what, int64_t bytes,
                           double seconds)
{
    char size[32], rate[32];
    if (options->is_verbose)
        fprintf(stderr, "%s: %s in %.3f s, %s\n", what, fb_format_bytes(size, (double)bytes),
                seconds, fb_format_rate(rate, seconds > 0 ? (double)bytes / seconds : 0));
}

static int put_file(const struct put_options *options, int from, struct forebay_client *client)
{
    struct forebay_file *file;
    bool is_reading = false;
    double began = fb_clock_s();
    int code = forebay_file_create(client, options->name, options->level, &file);
    if (code != 0)
        return fail(client, options->name, code);
    int64_t bytes = copy(from, file, &is_reading);
    code = bytes < 0 ? (int)bytes : forebay_file_sync(file);
    if (code == 0)
        print_progress(options, levels[options->level], bytes, fb_clock_s() - began);
    if (code == 0)
        code = forebay_file_commit(file, PATIENCE_S);
    if (code == 0)
        print_progress(options, "committed", bytes, fb_clock_s() - began);
    forebay_file_close(file);
    if (code == 0)
        return FB_EXIT_FINE;
    return is_reading ? fail(NULL, options->source, code) : fail(client, options->name, code);
}

static int put(const struct put_options *options)
{
    struct forebay_client *client;
    bool is_stdin = strcmp(options->source, "-") == 0;
    int from = is_stdin ? STDIN_FILENO : open(options->source, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return fail(NULL, options->source, -errno);
    int code = forebay_client_open(options->socket, &client);
    int exit_code =
        code == 0 ? put_file(options, from, client) : fb_no_daemon("put", options->socket, code);
    if (code == 0)
        forebay_client_close(client);
    if (!is_stdin)
        close(from);
    return exit_code;
}

static bool level_parse(const char *text, enum forebay_level *level)
{
    for (uint32_t i = 0; i < LEVELS; i++) {
        if (strcmp(text, levels[i]) == 0) {
            *level = (enum forebay_level)i;
            return true;
        }
    }
    fprintf(stderr, "forebay put: --level %s: it is one of memory, replicated, device, origin\n",
            text);
    return false;
}

int fb_command_put(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"level", required_argument, NULL, 'l'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    struct put_options options = {.level = FOREBAY_REPLICATED};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'v')
            options.is_verbose = true;
        else if (option == 'l' && level_parse(optarg, &options.level))
            continue;
        else
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (argc - optind != 2) {
        fprintf(stderr, "forebay put: what, and where? forebay put FILE|- NAME\n");
        return FB_EXIT_USAGE;
    }
    options.source = argv[optind];
    options.name = argv[optind + 1];
    return put(&options);
}
