/* Subcommands of `forebay`. Each gets argv from its own name on and returns the exit code:
 * 0 fine, 1 failed, 2 usage. */
#ifndef FB_CLI_COMMAND_H
#define FB_CLI_COMMAND_H

enum { FB_EXIT_FINE = 0, FB_EXIT_FAILED = 1, FB_EXIT_USAGE = 2 };

struct fb_command {
    const char *name;
    const char *summary; /* one line for --help */
    int (*run)(int argc, char **argv);
};

int fb_command_run(int argc, char **argv);
int fb_command_size(int argc, char **argv);
int fb_command_replay(int argc, char **argv);
int fb_command_bench(int argc, char **argv);

#endif
