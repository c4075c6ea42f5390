/* Help texts for a terminal, made from the table: the overview, one subcommand, and the nearest
 * name to a misspelt one. Lines are broken at 80 columns. The man page is in help_man.c, completion
 * in completion.c. */
#include "cli/help/help.h"

#include "cli/command.h"
#include "base/units.h"

#include <string.h>

#pragma weak fb_help_settings /* left out when this is built without hw/ */

enum { COLUMNS = 80, TEXT_COLUMN = 24, NEAR_MAX = 3 };

const struct fb_help *fb_help_find(const char *name)
{
    uint32_t count;
    const struct fb_help *table = fb_help_table(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const char *fb_help_nearest(const char *name)
{
    uint32_t count, best = NEAR_MAX + 1;
    const struct fb_help *table = fb_help_table(&count);
    const char *nearest = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t distance = fb_edit_distance(name, table[i].name);
        if (distance < best && distance < strlen(table[i].name)) {
            best = distance;
            nearest = table[i].name;
        }
    }
    return nearest;
}

/* Prints words from `column` on, which the cursor has reached, and ends the last line. */
static void print_wrapped(const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (at > column && at + 1 + length > COLUMNS) {
            printf("\n%*s", column, "");
            at = column;
        }
        at += printf("%s%.*s", at > column ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    printf("\n");
}

static void print_entry(const char *form, const char *text)
{
    int at = printf("  %s", form);
    if (at > TEXT_COLUMN - 2)
        printf("\n%*s", TEXT_COLUMN, "");
    else
        printf("%*s", TEXT_COLUMN - at, "");
    print_wrapped(text, TEXT_COLUMN);
}

static void print_overview(void)
{
    uint32_t count;
    const struct fb_help *table = fb_help_table(&count);
    printf("usage: forebay SUBCOMMAND [OPTION]...\n\n"
           "One cache for training data, checkpoints and KV blocks, and its simulator.\n\n"
           "Subcommands:\n");
    for (uint32_t i = 0; i < count; i++)
        print_entry(table[i].name, table[i].summary);
    printf("\nOptions:\n");
    print_entry("--help", "this text; after a subcommand: its options and examples");
    print_entry("--version", "version and commit");
    printf("\nExit codes: 0 fine, 1 failed, 2 wrong usage or wrong input.\n");
}

void fb_help_print(const char *name)
{
    const struct fb_help *help = name != NULL ? fb_help_find(name) : NULL;
    if (help == NULL) {
        print_overview();
        return;
    }
    printf("usage: forebay %s %s\n\n%c", help->name, help->arguments, help->summary[0] - 'a' + 'A');
    print_wrapped(help->summary + 1, 1);
    if (help->text != NULL) {
        printf("\n");
        print_wrapped(help->text, 0);
    }
    if (help->options[0].form != NULL)
        printf("\nOptions:\n");
    for (uint32_t i = 0; i < FB_HELP_OPTIONS_MAX && help->options[i].form != NULL; i++)
        print_entry(help->options[i].form, help->options[i].text);
    if (help->examples[0].command != NULL)
        printf("\nExamples:\n");
    for (uint32_t i = 0; i < FB_HELP_EXAMPLES_MAX && help->examples[i].command != NULL; i++)
        printf("  %s\n      %s\n", help->examples[i].command, help->examples[i].text);
}

int fb_command_help(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name != NULL && strcmp(name, "settings") == 0 && fb_help_settings != NULL)
        return fb_help_settings(argc - 2, argv + 2);
    if (argc > 2) {
        fprintf(stderr, "forebay help: one subcommand at a time\n");
        return FB_EXIT_USAGE;
    }
    if (name != NULL && strcmp(name, "--man") == 0) {
        fb_help_print_man();
        return FB_EXIT_FINE;
    }
    if (name != NULL && fb_help_find(name) == NULL) {
        fprintf(stderr, "forebay help: unknown subcommand '%s': see forebay --help\n", name);
        return FB_EXIT_USAGE;
    }
    fb_help_print(name);
    return FB_EXIT_FINE;
}
