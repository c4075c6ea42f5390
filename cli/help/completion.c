/* `forebay completion bash|zsh`: a script that completes subcommands, their options and the choices
 * of an option, made from the help table. What is no option and no choice completes to file names.
 * zsh runs the same script. */
#include "cli/command.h"
#include "cli/help/help.h"

#include <stdbool.h>
#include <string.h>

/* "a|b|c" as words. */
static void print_words(const char *choices)
{
    for (; *choices != '\0'; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static const char *option_value(const char *form)
{
    const char *space = strchr(form, ' ');
    return space != NULL ? space + 1 : "";
}

/* Case branches "SUBCOMMAND OPTION" that offer an option's choices, or files. */
static void print_choices(const struct fb_help *help)
{
    for (uint32_t i = 0; i < FB_HELP_OPTIONS_MAX && help->options[i].form != NULL; i++) {
        const char *form = help->options[i].form;
        const char *value = option_value(form);
        if (*value == '\0')
            continue;
        printf("    '%s %.*s') words='", help->name, (int)strcspn(form, " "), form);
        if (strchr(value, '|') != NULL)
            print_words(value);
        printf("' ;;\n");
    }
}

static void print_options(const struct fb_help *help)
{
    printf("    %s) words='", help->name);
    for (uint32_t i = 0; i < FB_HELP_OPTIONS_MAX && help->options[i].form != NULL; i++)
        printf("%.*s ", (int)strcspn(help->options[i].form, " "), help->options[i].form);
    printf("--help");
    if (help->words != NULL) {
        putchar(' ');
        print_words(help->words);
    }
    printf("' ;;\n");
}

static void print_bash(void)
{
    uint32_t count;
    const struct fb_help *table = fb_help_table(&count);
    printf("_forebay()\n{\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} words=\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        words='--help --version");
    for (uint32_t i = 0; i < count; i++)
        printf(" %s", table[i].name);
    printf("'\n    else\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}\" in\n");
    for (uint32_t i = 0; i < count; i++)
        print_choices(&table[i]);
    printf("    *)\n    case ${COMP_WORDS[1]} in\n");
    for (uint32_t i = 0; i < count; i++)
        print_options(&table[i]);
    printf("    esac\n    esac\n    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _forebay forebay ./forebay\n");
}

int fb_command_completion(int argc, char **argv)
{
    bool is_zsh = argc == 2 && strcmp(argv[1], "zsh") == 0;
    if (!is_zsh && (argc != 2 || strcmp(argv[1], "bash") != 0)) {
        fprintf(stderr, "forebay completion: for which shell? bash or zsh\n");
        return FB_EXIT_USAGE;
    }
    if (is_zsh)
        printf("autoload -U +X compinit && compinit\n"
               "autoload -U +X bashcompinit && bashcompinit\n");
    print_bash();
    return FB_EXIT_FINE;
}
