/* The program's entry: finds the subcommand and hands it its arguments. Knows no options but --help
 * and --version. */
#include "base/process.h"
#include "cli/command.h"
#include "cli/help/help.h"
#include "version.h"

#include <stdbool.h>
#include <string.h>

/* Not there yet. */
#pragma weak fb_command_size
#pragma weak fb_command_replay

/* Left out when this is built without hw/. */
#pragma weak fb_command_calibrate
#pragma weak fb_command_get
#pragma weak fb_command_doctor
#pragma weak fb_command_explain
#pragma weak fb_command_ls
#pragma weak fb_command_mount
#pragma weak fb_command_put
#pragma weak fb_command_pin
#pragma weak fb_command_invalidate
#pragma weak fb_command_rm
#pragma weak fb_command_stat
#pragma weak fb_command_status
#pragma weak fb_command_stats
#pragma weak fb_command_drain
#pragma weak fb_command_leave
#pragma weak fb_command_lost

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"run", fb_command_run},
    {"size", fb_command_size},
    {"replay", fb_command_replay},
    {"bench", fb_command_bench},
    {"calibrate", fb_command_calibrate},
    {"swarm", fb_command_swarm},
    {"get", fb_command_get},
    {"doctor", fb_command_doctor},
    {"explain", fb_command_explain},
    {"ls", fb_command_ls},
    {"mount", fb_command_mount},
    {"put", fb_command_put},
    {"pin", fb_command_pin},
    {"invalidate", fb_command_invalidate},
    {"rm", fb_command_rm},
    {"stat", fb_command_stat},
    {"status", fb_command_status},
    {"stats", fb_command_stats},
    {"drain", fb_command_drain},
    {"leave", fb_command_leave},
    {"lost", fb_command_lost},
    {"help", fb_command_help},
    {"completion", fb_command_completion},
};

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i]))
            return true;
    }
    return false;
}

static int unknown_command(const char *name)
{
    const char *nearest = fb_help_nearest(name);
    if (strcmp(name, "test") == 0)
        fprintf(stderr,
                "forebay: the tests are run by the script in the source folder: ./forebay test\n");
    else if (nearest != NULL)
        fprintf(stderr, "forebay: unknown %s '%s': did you mean '%s'?\n",
                name[0] == '-' ? "option" : "subcommand", name, nearest);
    else
        fprintf(stderr, "forebay: unknown %s '%s': see forebay --help\n",
                name[0] == '-' ? "option" : "subcommand", name);
    return FB_EXIT_USAGE;
}

/* Output that did not reach its file, as on a full disk, is a failure. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    perror("forebay: cannot write to standard output");
    return code == FB_EXIT_FINE ? FB_EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    fb_process_begin();
    if (argc < 2) {
        fprintf(stderr, "forebay: no subcommand given: see forebay --help\n");
        return FB_EXIT_USAGE;
    }
    if (is_help(argv[1])) {
        fb_help_print(NULL);
        return finish(FB_EXIT_FINE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("forebay %s (git %s)\n", FB_VERSION, FB_GIT_SHA);
        return finish(FB_EXIT_FINE);
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0 || commands[i].run == NULL)
            continue;
        if (wants_help(argc - 1, argv + 1)) {
            fb_help_print(argv[1]);
            return finish(FB_EXIT_FINE);
        }
        return finish(commands[i].run(argc - 1, argv + 1));
    }
    return unknown_command(argv[1]);
}
