/* What the program says about itself: one table (help_data.c) from which the help texts, the man
 * page and the shell completion are made. */
#ifndef FB_CLI_HELP_HELP_H
#define FB_CLI_HELP_HELP_H

#include <stdint.h>
#include <stdio.h>

/* An option of a subcommand, and what it does. */
struct fb_help_option {
    const char *form; /* "--out DIR"; a value of choices reads "--engine simgrid|plain" */
    const char *text;
};

/* A command line that can be typed as it is, and what it is for. */
struct fb_help_example {
    const char *command;
    const char *text;
};

/* Entries of a subcommand's lists; the last one is left empty, as their end. */
enum { FB_HELP_OPTIONS_MAX = 16, FB_HELP_EXAMPLES_MAX = 6 };

/* One subcommand. Lists end at the first entry without a form or command. */
struct fb_help {
    const char *name;
    const char *arguments; /* after the name in its usage line */
    const char *summary;   /* one line, for the list of subcommands */
    const char *text;      /* one paragraph; may be NULL */
    const char
        *words; /* what its first argument may be, separated by '|'; NULL: a file or nothing */
    struct fb_help_option options[FB_HELP_OPTIONS_MAX];
    struct fb_help_example examples[FB_HELP_EXAMPLES_MAX];
};

/* The table in the order in which it is shown; *count entries, static. */
const struct fb_help *fb_help_table(uint32_t *count);

/* NULL when there is no such subcommand. */
const struct fb_help *fb_help_find(const char *name);

/* The known subcommand that is spelt most alike; NULL when none is near. */
const char *fb_help_nearest(const char *name);

/* Prints the help of a subcommand on stdout; NULL: the overview. */
void fb_help_print(const char *name);

/* Prints the man page in roff on stdout. */
void fb_help_print_man(void);

/* `forebay help settings [WORD | --man | --markdown | --json-schema]`: the keys of forebayd's
 * config and of an experiment's `core`. Returns the exit code. */
int fb_help_settings(int argc, char **argv);

#endif
