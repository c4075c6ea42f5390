/* `forebay get`: reads a file through this machine's daemon and writes it to a file or to standard
 * output. The target appears under its name only when it is whole. */
#include "base/clock.h"
#include "base/options.h"
#include "cli/command.h"
#include "client/forebay.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART_BYTES = 64 << 20, PATH_BYTES = 4096 };

struct get_options {
    const char *socket, *name, *target;
    uint64_t offset, size;
    bool is_verbose;
};

static int fail(const char *what, int code)
{
    return fb_fail_print("get", what, strerror(-code));
}

static const char *read_reason(int code, char reason[128])
{
    snprintf(reason, 128, "%s%s", strerror(-code),
             code == -ESTALE ? "; it changed meanwhile: try again"
             : code == -EIO  ? "; the daemon's log says why"
                             : "");
    return reason;
}

static int fail_read(const char *name, int code)
{
    char reason[128];
    return fb_fail_print("get", name, read_reason(code, reason));
}

static int write_all(int file, const unsigned char *bytes, uint64_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        bytes += written;
        size -= (uint64_t)written;
    }
    return 0;
}

static void print_sources(const struct forebay_file *file, double seconds)
{
    char size[32], rate[32];
    double bytes = (double)forebay_file_size_bytes(file);
    fprintf(stderr, "%s in %.3f s, %s; blocks from", fb_format_bytes(size, bytes), seconds,
            fb_format_rate(rate, seconds > 0 ? bytes / seconds : 0));
    for (uint32_t i = 0; i < FOREBAY_SOURCES; i++) {
        uint64_t blocks = forebay_file_source_blocks(file, i);
        if (blocks > 0)
            fprintf(stderr, " %s: %" PRIu64, forebay_source_name(i), blocks);
    }
    fprintf(stderr, "\n");
}

static int copy(struct forebay_file *from, int to, const struct get_options *options)
{
    unsigned char *bytes = malloc(PART_BYTES);
    uint64_t end = forebay_file_size_bytes(from);
    int code = bytes == NULL ? -ENOMEM : 0;
    bool is_reading = true;
    if (options->offset < end && options->size < end - options->offset)
        end = options->offset + options->size;
    for (uint64_t at = options->offset; at < end && code == 0;) {
        uint64_t left = end - at;
        int64_t part = forebay_file_read(from, at, bytes, left < PART_BYTES ? left : PART_BYTES);
        is_reading = part < 0;
        code = part < 0 ? (int)part : write_all(to, bytes, (uint64_t)part);
        at += part > 0 ? (uint64_t)part : 0;
    }
    free(bytes);
    if (code == 0)
        return FB_EXIT_FINE;
    return is_reading ? fail_read(options->name, code) : fail("cannot write", code);
}

/* The first part of a path that is not there, though more is to be in it; false: there is none. */
static bool folder_missing(const char *path, char folder[PATH_BYTES])
{
    struct stat facts;
    for (size_t at = strspn(path, "/"); at < PATH_BYTES; at++) {
        if (path[at] == '\0')
            return false;
        if (path[at] != '/')
            continue;
        memcpy(folder, path, at);
        folder[at] = '\0';
        if (stat(folder, &facts) != 0 && errno == ENOENT)
            return true;
    }
    return false;
}

static int fail_open(const char *target, int code)
{
    char folder[PATH_BYTES];
    if (code == -ENOENT && folder_missing(target, folder))
        return fb_fail_print("get", folder, "there is no such folder: make it");
    return fail(target, code);
}

/* What a signal that ends the program takes along; empty: nothing. */
static char part[PATH_BYTES];

static void end_by(int signal_number)
{
    unlink(part);
    (void)raise(signal_number); /* its default by now, once this returns */
}

/* Signals that were ignored, as by nohup, still are. */
static void part_watch(bool is_there)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction before;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action = {.sa_handler = is_there ? end_by : SIG_DFL,
                                   .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

/* A device, a FIFO, a socket's path: written to as it is; so is what a link leads to that is not
 * there yet. */
static int copy_into(struct forebay_file *from, const struct get_options *options)
{
    enum { MODE = 0666 };
    int to = open(options->target, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, MODE);
    if (to < 0)
        return fail_open(options->target, -errno);
    int code = copy(from, to, options);
    if (close(to) != 0 && code == FB_EXIT_FINE)
        code = fail(options->target, -errno);
    return code;
}

/* Writes beside the target, which appears whole, and is like the file that it replaces. */
static int copy_beside(struct forebay_file *from, const struct get_options *options,
                       const char *target, const struct stat *replaced)
{
    enum { MODE = 0666, MODE_BITS = 07777 };
    if (snprintf(part, sizeof(part), "%s.%ld.part", target, (long)getpid()) >= PATH_BYTES)
        return fail(target, -ENAMETOOLONG);
    part_watch(true);
    int to = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, replaced != NULL ? 0600 : MODE);
    if (to < 0)
        return fail_open(target, -errno);
    int code = copy(from, to, options);
    bool is_ours = replaced == NULL ||
                   (replaced->st_uid == geteuid() && replaced->st_gid == getegid()) ||
                   fchown(to, replaced->st_uid, replaced->st_gid) == 0;
    mode_t mode = replaced != NULL ? replaced->st_mode & (is_ours ? MODE_BITS : 0777) : 0;
    if (code == FB_EXIT_FINE && replaced != NULL && fchmod(to, mode) != 0)
        code = fail(part, -errno);
    if (close(to) != 0 && code == FB_EXIT_FINE)
        code = fail(part, -errno);
    if (code == FB_EXIT_FINE && rename(part, target) != 0)
        code = fail(target, -errno);
    if (code != FB_EXIT_FINE)
        unlink(part);
    part_watch(false);
    return code;
}

/* Where a link leads is what is replaced, not the link. */
static int copy_to_file(struct forebay_file *from, const struct get_options *options)
{
    struct stat facts, own;
    bool is_there = stat(options->target, &facts) == 0;
    bool is_link = lstat(options->target, &own) == 0 && S_ISLNK(own.st_mode);
    if (is_there && S_ISDIR(facts.st_mode))
        return fail(options->target, -EISDIR);
    if ((is_there && !S_ISREG(facts.st_mode)) || (!is_there && is_link))
        return copy_into(from, options);
    char *target = is_link ? realpath(options->target, NULL) : strdup(options->target);
    if (target == NULL)
        return fail(options->target, -errno);
    int code = copy_beside(from, options, target, is_there ? &facts : NULL);
    free(target);
    return code;
}

static int get(const struct get_options *options)
{
    struct forebay_client *client;
    struct forebay_file *file;
    int code = forebay_client_open(options->socket, &client);
    if (code != 0)
        return fb_no_daemon("get", options->socket, code);
    double began = fb_clock_s();
    code = forebay_file_open(client, options->name, &file);
    if (code != 0) {
        char reason[128];
        int failed = fb_fail_ask("get", client, options->name, read_reason(code, reason));
        forebay_client_close(client);
        return failed;
    }
    bool is_output = options->target == NULL || strcmp(options->target, "-") == 0;
    int exit_code = is_output ? copy(file, STDOUT_FILENO, options) : copy_to_file(file, options);
    if (options->is_verbose && exit_code == FB_EXIT_FINE)
        print_sources(file, fb_clock_s() - began);
    forebay_file_close(file);
    forebay_client_close(client);
    return exit_code;
}

static bool bytes_parse(const char *option, const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    *bytes = strtoull(text, &end, 10);
    bool is_fine = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (!is_fine)
        fprintf(stderr, "forebay get: --%s %s: write a number of bytes\n", option, text);
    return is_fine;
}

int fb_command_get(int argc, char **argv)
{
    static const struct option table[] = {{"socket", required_argument, NULL, 's'},
                                          {"offset", required_argument, NULL, 'o'},
                                          {"size", required_argument, NULL, 'n'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    struct get_options options = {.size = UINT64_MAX};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'o' && bytes_parse("offset", optarg, &options.offset))
            continue;
        else if (option == 'n' && bytes_parse("size", optarg, &options.size))
            continue;
        else if (option == 'v')
            options.is_verbose = true;
        else
            return FB_EXIT_USAGE; /* getopt has said why */
    }
    if (argc - optind < 1 || argc - optind > 2) {
        fprintf(stderr, "forebay get: which file? forebay get NAME [TARGET]\n");
        return FB_EXIT_USAGE;
    }
    options.name = argv[optind];
    options.target = optind + 1 < argc ? argv[optind + 1] : NULL;
    return get(&options);
}
