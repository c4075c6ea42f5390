/* The man page forebay(1) in roff, made from the table. Text is escaped: a backslash and a minus
 * are written as such, and no line of text begins with a character that roff takes for a request.
 */
#include "cli/help/help.h"

#include "version.h"

static void print_escaped(const char *text)
{
    if (*text == '.' || *text == '\'')
        printf("\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else
            putchar(*text);
    }
}

static void print_lines(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    print_escaped(text);
    fputs(after, stdout);
}

static void print_subcommand(const struct fb_help *help)
{
    print_lines(".SS \"forebay ", help->name, " ");
    print_lines("", help->arguments, "\"\n");
    print_lines("", help->summary, ".\n");
    if (help->text != NULL)
        print_lines(".PP\n", help->text, "\n");
    for (uint32_t i = 0; i < FB_HELP_OPTIONS_MAX && help->options[i].form != NULL; i++) {
        print_lines(".TP\n.B ", help->options[i].form, "\n");
        print_lines("", help->options[i].text, "\n");
    }
}

static void print_examples(const struct fb_help *help)
{
    for (uint32_t i = 0; i < FB_HELP_EXAMPLES_MAX && help->examples[i].command != NULL; i++) {
        print_lines(".TP\n.B ", help->examples[i].command, "\n");
        print_lines("", help->examples[i].text, "\n");
    }
}

void fb_help_print_man(void)
{
    uint32_t count;
    const struct fb_help *table = fb_help_table(&count);
    printf(".TH FOREBAY 1 \"\" \"forebay %s\" \"User Commands\"\n"
           ".SH NAME\nforebay \\- one cache for training data, checkpoints and KV blocks, and its "
           "simulator\n"
           ".SH SYNOPSIS\n.B forebay\n.I SUBCOMMAND\n[\\fIOPTION\\fR]...\n"
           ".SH SUBCOMMANDS\n",
           FB_VERSION);
    for (uint32_t i = 0; i < count; i++)
        print_subcommand(&table[i]);
    printf(".SH OPTIONS\n.TP\n.B \\-\\-help\nHelp; after a subcommand: its options and examples.\n"
           ".TP\n.B \\-\\-version\nVersion and commit.\n"
           ".SH EXIT STATUS\n0: fine. 1: failed. 2: wrong usage or wrong input.\n"
           ".SH EXAMPLES\n");
    for (uint32_t i = 0; i < count; i++)
        print_examples(&table[i]);
}
