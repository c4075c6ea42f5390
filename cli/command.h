/* Subcommands of `forebay`. Each gets argv from its own name on and returns the exit code:
 * 0 fine, 1 failed, 2 usage. `--help` anywhere in argv is answered by main.c before they are
 * called. */
#ifndef FB_CLI_COMMAND_H
#define FB_CLI_COMMAND_H

#include <stdint.h>
#include <stdio.h>

enum { FB_EXIT_FINE = 0, FB_EXIT_FAILED = 1, FB_EXIT_USAGE = 2 };

int fb_command_run(int argc, char **argv);
int fb_command_size(int argc, char **argv);
int fb_command_replay(int argc, char **argv);
int fb_command_bench(int argc, char **argv);
int fb_command_calibrate(int argc, char **argv);
int fb_command_swarm(int argc, char **argv);
int fb_command_get(int argc, char **argv);
int fb_command_doctor(int argc, char **argv);
int fb_command_explain(int argc, char **argv);
int fb_command_ls(int argc, char **argv);
int fb_command_mount(int argc, char **argv);
int fb_command_put(int argc, char **argv);
int fb_command_pin(int argc, char **argv);
int fb_command_invalidate(int argc, char **argv);
int fb_command_rm(int argc, char **argv);
int fb_command_stat(int argc, char **argv);
int fb_command_status(int argc, char **argv);
int fb_command_drain(int argc, char **argv);
int fb_command_leave(int argc, char **argv);
int fb_command_stats(int argc, char **argv);
int fb_command_lost(int argc, char **argv);
int fb_command_help(int argc, char **argv);
int fb_command_completion(int argc, char **argv);

/* Says that the daemon cannot be reached, and what to do; returns the exit code. socket: as given
 * to the command; NULL: the default. code: forebay_client_open's. */
int fb_no_daemon(const char *command, const char *socket, int code);

/* The same of a daemon that is there and has said nothing for so long. */
int fb_no_answer(const char *command, const char *socket, uint64_t patience_ns);

/* name_print.c: a name, with escapes for what would disturb a terminal. */
void fb_name_print(FILE *stream, const char *name);

/* Says why a command failed of a name; returns the exit code. */
int fb_fail_print(const char *command, const char *name, const char *reason);

#endif
