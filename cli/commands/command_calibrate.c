/* `forebay calibrate`: measures this machine and writes what experiments name as hardware, network
 * and origin. */
#include "base/options.h"
#include "base/units.h"
#include "cli/bench/bench.h"
#include "cli/bench/calibrate.h"
#include "cli/command.h"
#include "hw/base/settings.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 1100 };

struct calibrate_options {
    const char *config, *out, *drive, *drive_size, *peer, *listen, *reader, *writer;
    uint64_t drive_bytes; /* 0: it is chosen */
};

static int fail(const struct fb_error *error)
{
    fprintf(stderr, "forebay calibrate: %s\n", error->text);
    return FB_EXIT_FAILED;
}

/* Without --peer, the other end is a child of this process. */
static void network_measure(const struct calibrate_options *options, struct fb_network_path *path,
                            struct fb_error *error)
{
    enum { PORT_FIRST = 20000, PORTS = 10000, TRIES = 100, NAP_US = 50000 };
    char address[64];
    if (options->peer != NULL) {
        fb_calibrate_network(options->peer, path, error);
        return;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%d", PORT_FIRST + (int)getpid() % PORTS);
    pid_t child = fork();
    if (child == 0) {
        struct fb_error child_error = {.text = ""};
        fb_calibrate_listen(address, &child_error);
        _exit(fb_error_is_set(&child_error) ? FB_EXIT_FAILED : FB_EXIT_FINE);
    }
    for (uint32_t i = 0; child > 0 && i < TRIES; i++) {
        error->text[0] = '\0';
        fb_calibrate_network(address, path, error);
        if (!fb_error_is_set(error) || waitpid(child, NULL, WNOHANG) == child)
            return;
        usleep(NAP_US); /* until it listens */
    }
    if (child > 0)
        kill(child, SIGTERM);
}

static void drive_measure(const struct calibrate_options *options, struct fb_drive_curve *curve,
                          struct fb_error *error)
{
    char path[PATH_MAX_BYTES];
    struct fb_settings settings = {.device_path = ""};
    if (options->config != NULL) {
        fb_settings_load(options->config, NULL, 0, &settings, error);
        if (fb_error_is_set(error))
            return;
        fb_settings_free(&settings);
    }
    if (options->drive != NULL)
        snprintf(path, sizeof(path), "%s", options->drive);
    else if (settings.device_path[0] != '\0' && strncmp(settings.device_path, "/dev/", 5) != 0)
        snprintf(path, sizeof(path), "%s.calibrate", settings.device_path);
    else
        snprintf(path, sizeof(path), "%.1000s.calibrate", options->out);
    fb_calibrate_drive(path, options->drive_bytes, curve, error);
}

static int calibrate(const struct calibrate_options *options, const char *command)
{
    struct fb_error error = {.text = ""};
    struct fb_calibration calibration = {.command = command};
    network_measure(options, &calibration.network, &error);
    if (!fb_error_is_set(&error))
        drive_measure(options, &calibration.drive, &error);
    calibration.has_origin = options->reader != NULL;
    if (!fb_error_is_set(&error) && calibration.has_origin)
        fb_calibrate_origin(options->writer, options->reader, &calibration.origin, &error);
    if (fb_error_is_set(&error))
        return fail(&error);
    fb_calibrate_offload(&calibration.offload);
    calibration.core_step_ns = fb_bench_step_ns();
    fb_calibration_write(&calibration, options->out, &error);
    if (fb_error_is_set(&error))
        return fail(&error);
    printf("calibrated: round trip %" PRIu64 " ns, network %" PRIu64 " B/s, drive %" PRIu64
           " B/s, core step %" PRIu64 " ns: %s\n",
           calibration.network.round_trip_ns, calibration.network.bytes_per_s,
           calibration.drive.bytes_per_s[0][FB_CALIBRATE_SIZES - 1], calibration.core_step_ns,
           options->out);
    return FB_EXIT_FINE;
}

static int listen_once(const char *address)
{
    struct fb_error error = {.text = ""};
    fb_calibrate_listen(address, &error);
    return fb_error_is_set(&error) ? fail(&error) : FB_EXIT_FINE;
}

static bool is_address(const char *option, const char *text)
{
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    bool is_fine = text == NULL || (colon != NULL && colon != text && atoi(colon + 1) > 0 &&
                                    strlen(text) < FB_ADDRESS_MAX);
    if (!is_fine)
        fprintf(stderr, "forebay calibrate: %s %s: write HOST:PORT\n", option, text);
    return is_fine;
}

static bool drive_size_parse(struct calibrate_options *options)
{
    enum { MIB = 1 << 20 };
    if (options->drive_size == NULL)
        return true;
    bool is_fine = fb_parse_bytes(options->drive_size, &options->drive_bytes) &&
                   options->drive_bytes >= FB_CALIBRATE_DRIVE_MIN &&
                   options->drive_bytes % MIB == 0;
    if (!is_fine)
        fprintf(stderr,
                "forebay calibrate: --drive-size %s: write whole MiB, 256 or more, like "
                "'8 GiB'\n",
                options->drive_size);
    return is_fine;
}

static bool options_parse(int argc, char **argv, struct calibrate_options *options)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"drive", required_argument, NULL, 'd'},
                                          {"peer", required_argument, NULL, 'p'},
                                          {"listen", required_argument, NULL, 'l'},
                                          {"reader", required_argument, NULL, 'r'},
                                          {"writer", required_argument, NULL, 'w'},
                                          {"drive-size", required_argument, NULL, 'z'},
                                          {NULL, 0, NULL, 0}};
    const char **const places[] = {&options->config, &options->out,       &options->drive,
                                   &options->peer,   &options->listen,    &options->reader,
                                   &options->writer, &options->drive_size};
    optind = 1;
    for (int option, index = 0; (option = fb_options_next(argc, argv, "", table, &index)) != -1;) {
        if (option == '?')
            return false; /* getopt has said why */
        *places[index] = optarg;
    }
    bool is_fine = optind == argc && (options->out != NULL) != (options->listen != NULL) &&
                   (options->reader != NULL) == (options->writer != NULL);
    if (!is_fine)
        fprintf(stderr, "forebay calibrate: write --out FOLDER, or --listen HOST:PORT on the other "
                        "machine; --reader and --writer go together\n");
    return is_fine && drive_size_parse(options) && is_address("--peer", options->peer) &&
           is_address("--listen", options->listen);
}

int fb_command_calibrate(int argc, char **argv)
{
    char command[512] = "forebay";
    struct calibrate_options options = {.config = NULL};
    for (int i = 0; i < argc; i++) {
        size_t used = strlen(command);
        snprintf(command + used, sizeof(command) - used, " %s", argv[i]);
    }
    if (!options_parse(argc, argv, &options))
        return FB_EXIT_USAGE;
    return options.listen != NULL ? listen_once(options.listen) : calibrate(&options, command);
}
