/* `forebay rm`: removes files through this machine's daemon. */
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int fb_command_rm(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    const char *socket = NULL;
    struct forebay_client *client;
    int exit_code = FB_EXIT_FINE;
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option != 's')
            return FB_EXIT_USAGE; /* getopt has said why */
        socket = optarg;
    }
    if (optind == argc) {
        fprintf(stderr, "forebay rm: which file? forebay rm NAME...\n");
        return FB_EXIT_USAGE;
    }
    int code = forebay_client_open(socket, &client);
    if (code != 0)
        return fb_no_daemon("rm", socket, code);
    for (int i = optind; i < argc; i++) {
        /* What cannot be looked at (lost, unfinished) may be removed, what is not there may not. */
        struct forebay_facts facts;
        code = forebay_client_stat(client, argv[i], &facts);
        if (code != -ENOENT)
            code = forebay_client_remove(client, argv[i]);
        if (code == 0)
            continue;
        exit_code = fb_fail_print("rm", argv[i],
                                  code == -ESTALE ? "somebody has changed it meanwhile: look again"
                                                  : strerror(-code));
    }
    forebay_client_close(client);
    return exit_code;
}
