/* `forebay mount`: the origin's namespace as a file system, read through this machine's daemon. */
#include "cli/command.h"
#include "hw/fuse/fuse.h"

#include <getopt.h>
#include <stdio.h>

int fb_command_mount(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"foreground", no_argument, NULL, 'f'},
                                          {"allow-other", no_argument, NULL, 'a'},
                                          {"debug", no_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    struct fb_fuse_options options = {.socket = NULL};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'f')
            options.is_foreground = true;
        else if (option == 'a')
            options.allows_others = true;
        else if (option == 'd')
            options.is_debugging = true;
        else
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (argc - optind != 1) {
        fprintf(stderr, "forebay mount: where? forebay mount FOLDER\n");
        return FB_EXIT_USAGE;
    }
    options.mountpoint = argv[optind];
    return fb_fuse_run(&options);
}
