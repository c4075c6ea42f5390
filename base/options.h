/* The options of a command line, by getopt_long, but no option is guessed from its first letters: a
 * new one would change what a script's abbreviation means. */
#ifndef FB_BASE_OPTIONS_H
#define FB_BASE_OPTIONS_H

#include <getopt.h>

/* As getopt_long. Errors: '?', said on stderr unless opterr is 0, for an option that is not written
 * out, too. */
int fb_options_next(int argc, char **argv, const char *letters, const struct option *table,
                    int *index);

/* Why the last call returned '?': the option, what is wrong with it, and which one is near. */
const char *fb_options_fault(void);

#endif
