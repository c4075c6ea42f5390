/* `forebay pin` and `forebay invalidate`: keeps a file's blocks in this machine's memory for some
 * time, or lets go of them everywhere. */
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"
#include "base/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keep_options {
    const char *command, *socket, *name;
    uint32_t ttl_s;
};

static const char *reason_of(int code)
{
    return code == -EBUSY
               ? "busy: no more pins (core.pins_max), no memory, or not at the origin yet"
           : code == -EFBIG
               ? "it has more blocks than one client may pin, eight ninths of core.pins_max: raise "
                 "that"
           : code == -ENOSPC ? "busy: pins would take more than three quarters of core.memory_size"
                             : strerror(-code);
}

static int keep(const struct keep_options *options)
{
    struct forebay_client *client;
    struct forebay_file *file;
    struct forebay_pin *pin;
    int code = forebay_client_open(options->socket, &client);
    if (code != 0)
        return fb_no_daemon(options->command, options->socket, code);
    code = forebay_file_open(client, options->name, &file);
    if (code == 0) {
        if (options->ttl_s == 0)
            code = forebay_file_invalidate(file);
        else if ((code = forebay_file_pin(file, options->ttl_s, &pin)) == 0)
            forebay_pin_leave(pin);
        forebay_file_close(file);
    }
    forebay_client_close(client);
    if (code == 0)
        return FB_EXIT_FINE;
    return fb_fail_print(options->command, options->name, reason_of(code));
}

static bool seconds_parse(const char *text, uint32_t *seconds)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    bool is_fine = end != text && *end == '\0' && *text != '-' && value > 0 && value < UINT32_MAX;
    *seconds = (uint32_t)value;
    if (!is_fine)
        fprintf(stderr, "forebay pin: --seconds %s: a number from 1 on is wanted\n", text);
    return is_fine;
}

static int run(int argc, char **argv, uint32_t ttl_s)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    struct keep_options options = {.command = argv[0], .ttl_s = ttl_s};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option != 't' || ttl_s == 0 || !seconds_parse(optarg, &options.ttl_s))
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (argc - optind != 1) {
        fprintf(stderr, "forebay %s: one name is wanted: see forebay %s --help\n", argv[0],
                argv[0]);
        return FB_EXIT_USAGE;
    }
    options.name = argv[optind];
    return keep(&options);
}

int fb_command_pin(int argc, char **argv)
{
    enum { HOUR_S = 3600 };
    return run(argc, argv, HOUR_S);
}

int fb_command_invalidate(int argc, char **argv)
{
    return run(argc, argv, 0);
}
