/* `forebay ls`: the entries of a folder at the origin, one a line, folders with a slash, or as
 * JSON. Names that would disturb a terminal are shown with escapes. */
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct ls_options {
    const char *socket, *folder;
    bool is_long, is_json;
    uint64_t count;
};

/* One after the other, since a folder may have millions. */
static int print_json(struct ls_options *options, const struct forebay_entry *entry)
{
    json_t *object = json_pack("{s:o, s:b, s:I}", "name", fb_json_name(entry->name), "is_folder",
                               entry->is_folder, "size_bytes",
                               (json_int_t)(entry->is_folder ? 0 : entry->size_bytes));
    printf(options->count++ == 0 ? "[\n  " : ",\n  ");
    bool is_fine = object != NULL && json_dumpf(object, stdout, 0) == 0;
    json_decref(object);
    return is_fine ? 0 : -ENOMEM;
}

static int print_entry(void *context, const struct forebay_entry *entry)
{
    struct ls_options *options = context;
    if (options->is_json)
        return print_json(options, entry);
    if (options->is_long)
        printf("%15" PRIu64 " ", entry->is_folder ? 0 : entry->size_bytes);
    fb_name_print(stdout, entry->name);
    printf("%s\n", entry->is_folder ? "/" : "");
    return 0;
}

/* A slash at the end says no more than that it is a folder; alone, it is the root. */
static const char *folder_of(char *argument)
{
    size_t length = strlen(argument);
    while (length > 0 && argument[length - 1] == '/')
        argument[--length] = '\0';
    return argument;
}

int fb_command_ls(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"long", no_argument, NULL, 'l'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    struct ls_options options = {.folder = ""};
    struct forebay_client *client;
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'l')
            options.is_long = true;
        else if (option == 'j')
            options.is_json = true;
        else
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (argc - optind > 1) {
        fprintf(stderr, "forebay ls: one folder at a time: see forebay ls --help\n");
        return FB_EXIT_USAGE;
    }
    if (optind < argc)
        options.folder = folder_of(argv[optind]);
    int code = forebay_client_open(options.socket, &client);
    if (code != 0)
        return fb_no_daemon("ls", options.socket, code);
    code = forebay_client_list(client, options.folder, print_entry, &options);
    if (options.is_json && code == 0)
        printf(options.count == 0 ? "[]\n" : "\n]\n");
    int exit_code = FB_EXIT_FINE;
    if (code != 0)
        exit_code = fb_fail_ask("ls", client, options.folder,
                                code == -EFBIG ? "more names are on their way to the origin than a "
                                                 "listing can show: try again when they have got "
                                                 "there (forebay status)"
                                               : strerror(-code));
    forebay_client_close(client);
    return exit_code;
}
