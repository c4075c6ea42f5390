/* See options.h. */
#include "base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is what stands before the next argument that is no option written out in the table? */
static int is_whole(const char *argument, const struct option *table)
{
    size_t length = strcspn(argument + 2, "=");
    for (; table->name != NULL; table++)
        if (strlen(table->name) == length && strncmp(table->name, argument + 2, length) == 0)
            return 1;
    return 0;
}

int fb_options_next(int argc, char **argv, const char *letters, const struct option *table,
                    int *index)
{
    int at = optind > 0 ? optind : 1;
    /* getopt_long passes over what is no option: the next one is the first that looks so */
    while (at < argc && argv[at][0] != '-' && getenv("POSIXLY_CORRECT") == NULL)
        at++;
    int is_long = at < argc && strncmp(argv[at], "--", 2) == 0 && argv[at][2] != '\0';
    if (is_long && !is_whole(argv[at], table)) {
        if (opterr != 0)
            fprintf(stderr, "%s: unrecognized option '%s'\n", argv[0], argv[at]);
        optind = at + 1;
        return '?';
    }
    return getopt_long(argc, argv, letters, table, index);
}
