/* `forebay doctor`: what on this machine would keep a daemon from running, or slow it down. */
#include "base/options.h"
#include "cli/command.h"
#include "hw/doctor/doctor.h"

#include <stdio.h>

enum { ASSIGNMENTS_MAX = 64 };

static int assignments_refuse(void)
{
    fprintf(stderr, "forebay doctor: --set: at most %d settings: put the others into the config\n",
            ASSIGNMENTS_MAX);
    return FB_EXIT_USAGE;
}

int fb_command_doctor(int argc, char **argv)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"set", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    const char *config = NULL, *assignments[ASSIGNMENTS_MAX];
    uint32_t count = 0;
    struct fb_settings settings;
    struct fb_error error = {.text = ""};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 'c')
            config = optarg;
        else if (option == 's' && count < ASSIGNMENTS_MAX)
            assignments[count++] = optarg;
        else if (option == 's')
            return assignments_refuse();
        else
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (optind < argc || (config == NULL && count > 0)) {
        fprintf(stderr, "forebay doctor: only options are taken, --set only with --config\n");
        return FB_EXIT_USAGE;
    }
    if (config == NULL)
        return fb_doctor_run(NULL, stdout) == 0 ? FB_EXIT_FINE : FB_EXIT_FAILED;
    fb_settings_load(config, assignments, count, &settings, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay doctor: %s\n", error.text);
        return FB_EXIT_USAGE;
    }
    uint32_t faults = fb_doctor_run(&settings, stdout);
    fb_settings_free(&settings);
    return faults == 0 ? FB_EXIT_FINE : FB_EXIT_FAILED;
}
