/* Subcommands of `forebay`. Each gets argv from its own name on and returns the exit code:
 * 0 fine, 1 failed, 2 usage. `--help` anywhere in argv is answered by main.c before they are
 * called. */
#ifndef FB_CLI_COMMAND_H
#define FB_CLI_COMMAND_H

#include <stdint.h>
#include <stdio.h>

/* Exit codes, of every subcommand. */
enum { FB_EXIT_FINE = 0, FB_EXIT_FAILED = 1, FB_EXIT_USAGE = 2 };

int fb_command_run(int argc,
                   char **argv); /* runs an experiment in the simulator and writes its report */
int fb_command_size(int argc, char **argv);       /* prints what a node's state takes */
int fb_command_replay(int argc, char **argv);     /* replays a trace, or a recording */
int fb_command_bench(int argc, char **argv);      /* runs one of the benchmarks of bench.h */
int fb_command_calibrate(int argc, char **argv);  /* measures this machine into component files */
int fb_command_swarm(int argc, char **argv);      /* hunts for bugs with faults from seeds */
int fb_command_get(int argc, char **argv);        /* reads a file through the daemon */
int fb_command_doctor(int argc, char **argv);     /* checks what a daemon needs of this machine */
int fb_command_explain(int argc, char **argv);    /* says where a file's blocks are */
int fb_command_ls(int argc, char **argv);         /* lists a folder of the origin */
int fb_command_mount(int argc, char **argv);      /* mounts the origin's namespace */
int fb_command_put(int argc, char **argv);        /* writes a file through the daemon */
int fb_command_pin(int argc, char **argv);        /* keeps a file in memory for some time */
int fb_command_invalidate(int argc, char **argv); /* lets go of a file's cached blocks */
int fb_command_rm(int argc, char **argv);         /* removes files by name */
int fb_command_stat(int argc, char **argv);       /* prints what is known of a name */
int fb_command_status(int argc, char **argv);     /* says how the daemon and its cluster are */
int fb_command_drain(int argc, char **argv);      /* has the daemon store what it owes */
int fb_command_leave(int argc, char **argv);      /* drains the daemon, then ends it */
int fb_command_stats(int argc, char **argv); /* prints what the daemon does, a line an interval */
int fb_command_lost(int argc, char **argv);  /* lists names that cannot be finished */
int fb_command_help(int argc, char **argv);  /* prints help, the man page, or settings */
int fb_command_completion(int argc, char **argv); /* prints a shell's completion */

/* Says that the daemon cannot be reached, and what to do; returns the exit code. socket: as given
 * to the command; NULL: the default. code: forebay_client_open's. */
int fb_no_daemon(const char *command, const char *socket, int code);

/* The same of a daemon that is there and has said nothing for so long. */
int fb_no_answer(const char *command, const char *socket, uint64_t patience_ns);

/* name_print.c: a name, with escapes for what would disturb a terminal. */
void fb_name_print(FILE *stream, const char *name);

struct json_t;
/* The same for JSON: escapes where it is no UTF-8. The caller's; NULL: out of memory. */
struct json_t *fb_json_name(const char *name);

/* Prints it to standard output and gives it up; returns the exit code. NULL: out of memory. */
int fb_json_print(struct json_t *root);

/* Says why a command failed of a name; returns the exit code. */
int fb_fail_print(const char *command, const char *name, const char *reason);

struct forebay_client;
/* The same of what a daemon answered, which may be so because it is not ready itself. */
int fb_fail_ask(const char *command, struct forebay_client *client, const char *name,
                const char *reason);

#endif
