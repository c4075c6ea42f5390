/* forebayd: reads its config, opens one node and runs it until SIGTERM. */
#include "base/options.h"
#include "base/process.h"
#include "hw/loop/budget.h"
#include "hw/base/log.h"
#include "hw/loop/loop.h"
#include "hw/loop/reload.h"
#include "hw/doctor/doctor.h"
#include "hw/base/settings.h"
#include "base/units.h"
#include "version.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, ASSIGNMENTS_MAX = 64 };

static const char usage[] =
    "usage: forebayd --config FILE [--set KEY=VALUE]... [--check]\n\n"
    "Runs one node of a cluster: serves the clients of this machine and the other nodes.\n\n"
    "  --config FILE      settings as YAML; hw/examples/ has some to begin with\n"
    "  --set KEY=VALUE    overrides a key of the config; may be given many times\n"
    "  --check            only checks the config, and prints what memory it comes to, and what\n"
    "                     this machine would refuse: exit code 0 when the config is fine\n"
    "  --drain            takes no clients, stores what the drive owes at the origin, and ends:\n"
    "                     before core.device_size or core.block_size are changed\n"
    "  --discard-owed     gives up what the drive owes and these settings cannot keep; the log\n"
    "                     says how many bytes. Without it such a start is refused\n"
    "  --accept-origin    the origin that is there is meant, though drive or metadata store know\n"
    "                     another one: it is theirs from now on. Such a start is refused else\n"
    "  --accept-metadata  the same of a metadata store that has not the names of what the drive\n"
    "                     owes: these bytes may be found under no name\n"
    "  --version          prints the version\n\n"
    "SIGTERM and SIGINT end it cleanly: it takes no new clients and files, stores what it has\n"
    "acknowledged at the origin, at most stop_patience long (20 s), and goes; a second one ends\n"
    "it at once. SIGHUP reads the config again: log and stop_patience change, the log names what\n"
    "does not. Exit code: 0 fine, 1 failed or acknowledged bytes are left, 2 bad usage or\n"
    "config.\n"
    "Example: forebayd --config hw/examples/single.yaml --set core.memory_size='4 GiB'\n";

struct options {
    const char *config;
    const char *assignments[ASSIGNMENTS_MAX];
    uint32_t assignment_count;
    bool is_check, is_drain, may_discard_owed, accepts_origin, accepts_metadata;
};

static int assignments_refuse(void)
{
    fprintf(stderr, "forebayd: --set: at most %d settings: put the others into the config\n",
            ASSIGNMENTS_MAX);
    return EXIT_USAGE;
}

/* Returns the exit code, or -1 to go on. */
static int options_parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"check", no_argument, NULL, 'k'},        {"drain", no_argument, NULL, 'd'},
        {"discard-owed", no_argument, NULL, 'o'}, {"accept-origin", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},         {"accept-metadata", no_argument, NULL, 'm'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    for (int option; (option = fb_options_next(argc, argv, "h", table, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_FINE;
        }
        if (option == 'v') {
            printf("forebayd %s (git %s)\n", FB_VERSION, FB_GIT_SHA);
            return EXIT_FINE;
        }
        if (option == 'c')
            options->config = optarg;
        else if (option == 'k')
            options->is_check = true;
        else if (option == 'd')
            options->is_drain = true;
        else if (option == 'o')
            options->may_discard_owed = true;
        else if (option == 'a')
            options->accepts_origin = true;
        else if (option == 'm')
            options->accepts_metadata = true;
        else if (option == 's' && options->assignment_count < ASSIGNMENTS_MAX)
            options->assignments[options->assignment_count++] = optarg;
        else if (option == 's')
            return assignments_refuse();
        else
            return EXIT_USAGE; /* getopt has said why */
    }
    if (options->config != NULL && optind == argc)
        return -1;
    fprintf(stderr, "forebayd: %s: see forebayd --help\n",
            optind < argc ? "only options are taken" : "which config? --config FILE");
    return EXIT_USAGE;
}

/* Signals become readable in the loop; a client that goes must not end the daemon. */
static void signals_block(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGXCPU);
    sigaddset(&signals, SIGPIPE);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* What the daemon may take, part by part. */
static void budget_print(const struct fb_budget *budget)
{
    char text[32], clients[64];
    uint64_t all_clients_bytes = budget->clients_max * budget->client_bytes;
    for (uint32_t i = 0; i < budget->part_count; i++)
        printf("  %-46s %10s\n", budget->parts[i].name,
               fb_format_bytes(text, (double)budget->parts[i].bytes));
    snprintf(clients, sizeof(clients), "%u clients of %s (client.arena)", budget->clients_max,
             fb_format_bytes(text, (double)budget->client_bytes));
    printf("  %-46s %10s\n", clients, fb_format_bytes(text, (double)all_clients_bytes));
}

/* Prints that the config is fine and what memory it comes to. */
static void check(const struct fb_settings *settings, const struct fb_budget *budget,
                  const char *config)
{
    char all[32], bound[32] = "none";
    if (settings->memory_budget_bytes > 0)
        fb_format_bytes(bound, (double)settings->memory_budget_bytes);
    printf("forebayd: %s is fine: node %u of %u in cluster %s\n", config, settings->node,
           settings->member_count, settings->cluster);
    if (fb_settings_one_copy(settings) != NULL)
        printf("one copy: %s\n", fb_settings_one_copy(settings));
    printf("memory: at most %s (memory_budget: %s)\n",
           fb_format_bytes(all, (double)fb_budget_bytes(budget)), bound);
    budget_print(budget);
    fb_doctor_start(settings, fb_doctor_print, stdout);
}

static int run(const struct fb_settings *settings, struct fb_budget *budget)
{
    struct fb_error error = {.text = ""};
    fb_log_open((enum fb_log_level)settings->log_level, settings->node);
    fb_budget_check(budget, settings, &error);
    struct fb_loop *loop = !fb_error_is_set(&error) ? fb_loop_open(settings, &error) : NULL;
    if (loop != NULL) {
        fb_log(FB_LOG_INFO, "ready",
               "version=%s cluster=%s members=%u memory=%" PRIu64 " device=%" PRIu64
               " block=%" PRIu64 " listen=%s",
               FB_VERSION, settings->cluster, settings->member_count,
               settings->core.memory_size_bytes, settings->core.device_size_bytes,
               settings->core.block_size_bytes,
               settings->members_max > 1 ? settings->listen : "none");
        if (fb_settings_one_copy(settings) != NULL)
            fb_log(FB_LOG_WARNING, "one_copy", "reason=\"%s\"", fb_settings_one_copy(settings));
        fb_loop_run(loop, &error);
        fb_loop_close(loop);
    }
    if (!fb_error_is_set(&error)) {
        fb_log(FB_LOG_INFO, "stopped", "clean=true");
        return EXIT_FINE;
    }
    fprintf(stderr, "forebayd: %s\n", error.text);
    return EXIT_FAILED;
}

/* Large blocks are given back when they are freed. By itself glibc takes all that are as large as
 * one freed before from the heap, which keeps them: two views, 8 MB, after members changed. */
static void heap_keep_small(void)
{
    enum { LARGE_BYTES = 1 << 20 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

int main(int argc, char **argv)
{
    struct options options = {.config = NULL};
    struct fb_error error = {.text = ""};
    struct fb_settings settings;
    struct fb_budget budget;
    fb_process_begin();
    int code = options_parse(argc, argv, &options);
    /* A resolver that is silent is given up soon, so that other names get their turn: a peer's name
     * is looked up again when it is wanted. */
    (void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
    if (code >= 0)
        return code;
    heap_keep_small();
    if (!options.is_check)
        signals_block(); /* one that comes before the loop waits for it */
    fb_settings_load(options.config, options.assignments, options.assignment_count, &settings,
                     &error);
    if (!fb_error_is_set(&error)) {
        fb_budget_make(&settings, &budget, &error);
        if (fb_error_is_set(&error))
            fb_settings_free(&settings);
    }
    if (fb_error_is_set(&error)) {
        fprintf(stderr, "forebayd: %s\n", error.text);
        return EXIT_USAGE;
    }
    settings.is_draining_only = options.is_drain;
    settings.may_discard_owed = options.may_discard_owed;
    settings.accepts_origin = options.accepts_origin;
    settings.accepts_metadata = options.accepts_metadata;
    fb_reload_open(&(struct fb_reload){.config = options.config,
                                       .assignments = options.assignments,
                                       .assignment_count = options.assignment_count,
                                       .settings = &settings});
    code = EXIT_FINE;
    if (options.is_check)
        check(&settings, &budget, options.config);
    else
        code = run(&settings, &budget);
    fb_settings_free(&settings);
    return code;
}
