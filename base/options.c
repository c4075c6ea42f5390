/* See options.h. */
#include "base/options.h"

#include "base/units.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULT_BYTES = 256, DISTANCE_MAX = 2 };

static char fault[FAULT_BYTES]; /* as optind and optarg, of the last call */

/* The option that stands before the next argument that is none; NULL: it is not written out. */
static const struct option *option_find(const char *argument, const struct option *table)
{
    size_t length = strcspn(argument + 2, "=");
    for (; table->name != NULL; table++)
        if (strlen(table->name) == length && strncmp(table->name, argument + 2, length) == 0)
            return table;
    return NULL;
}

/* What it begins, else what it is a slip of; NULL: nothing is near. */
static const char *nearest_find(const char *name, const struct option *table)
{
    const char *nearest = NULL;
    uint32_t distance_min = DISTANCE_MAX + 1;
    for (const struct option *option = table; option->name != NULL; option++) {
        uint32_t distance = fb_edit_distance(name, option->name);
        if (strncmp(name, option->name, strlen(name)) == 0)
            return option->name;
        if (distance < distance_min)
            nearest = option->name;
        distance_min = distance < distance_min ? distance : distance_min;
    }
    return nearest;
}

static void unknown_explain(const char *argument, const struct option *table)
{
    char name[64];
    bool is_long = strncmp(argument, "--", 2) == 0;
    snprintf(name, sizeof(name), "%.*s", is_long ? (int)strcspn(argument + 2, "=") : 0,
             argument + (is_long ? 2 : 0));
    const char *nearest = name[0] != '\0' ? nearest_find(name, table) : NULL;
    snprintf(fault, sizeof(fault), "unrecognized option %.64s%s%s%s", argument,
             nearest != NULL ? ": did you mean --" : ": see --help", nearest != NULL ? nearest : "",
             nearest != NULL ? "?" : "");
}

static int refuse(char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *name = slash != NULL ? slash + 1 : argv[0];
    bool is_program = strncmp(name, "forebay", 7) == 0;
    if (opterr != 0)
        fprintf(stderr, "%s%s: %s\n", is_program ? "" : "forebay ", name, fault);
    return '?';
}

int fb_options_next(int argc, char **argv, const char *letters, const struct option *table,
                    int *index)
{
    int at = optind > 0 ? optind : 1, said = opterr;
    /* getopt_long passes over what is no option: the next one is the first that looks so */
    while (at < argc && argv[at][0] != '-' && getenv("POSIXLY_CORRECT") == NULL)
        at++;
    bool is_long = at < argc && strncmp(argv[at], "--", 2) == 0 && argv[at][2] != '\0';
    const struct option *option = is_long ? option_find(argv[at], table) : NULL;
    if (is_long && option == NULL) {
        unknown_explain(argv[at], table);
        optind = at + 1;
        return refuse(argv);
    }
    const char *argument = at < argc ? argv[at] : "";
    opterr = 0;
    int found = getopt_long(argc, argv, letters, table, index);
    opterr = said;
    if (found != '?')
        return found;
    if (option == NULL)
        unknown_explain(argument, table);
    else
        snprintf(fault, sizeof(fault), "--%s %s", option->name,
                 option->has_arg == no_argument ? "takes no value" : "wants a value");
    return refuse(argv);
}

const char *fb_options_fault(void)
{
    return fault;
}
