/* `forebay doctor`: what on this machine would keep a daemon from running, or slow it down. */
#include "base/options.h"
#include "cli/command.h"
#include "hw/doctor/doctor.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { ASSIGNMENTS_MAX = 64 };

static int assignments_refuse(void)
{
    fprintf(stderr, "forebay doctor: --set: at most %d settings: put the others into the config\n",
            ASSIGNMENTS_MAX);
    return FB_EXIT_USAGE;
}

static void json_say(void *lines, const char *grade, const char *what, const char *text)
{
    json_array_append_new(lines, json_pack("{s:s, s:s, s:o}", "grade", grade, "what", what, "text",
                                           fb_json_name(text)));
}

static int look(const struct fb_settings *settings, bool is_json)
{
    json_t *lines = is_json ? json_array() : NULL;
    uint32_t faults = is_json ? fb_doctor_run(settings, json_say, lines)
                              : fb_doctor_run(settings, fb_doctor_print, stdout);
    int code =
        is_json
            ? fb_json_print(json_pack("{s:I, s:o}", "faults", (json_int_t)faults, "lines", lines))
            : FB_EXIT_FINE;
    return faults == 0 ? code : FB_EXIT_FAILED;
}

int fb_command_doctor(int argc, char **argv)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"set", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    const char *config = NULL, *assignments[ASSIGNMENTS_MAX];
    uint32_t count = 0;
    bool is_json = false;
    struct fb_settings settings;
    struct fb_error error = {.text = ""};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 'c')
            config = optarg;
        else if (option == 'j')
            is_json = true;
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
        return look(NULL, is_json);
    fb_settings_load(config, assignments, count, &settings, &error);
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebay doctor: %s\n", error.text);
        return FB_EXIT_USAGE;
    }
    int code = look(&settings, is_json);
    fb_settings_free(&settings);
    return code;
}
