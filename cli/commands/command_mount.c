/* `forebay mount`: the origin's namespace as a file system, through this machine's daemon. */
#include "base/options.h"
#include "cli/command.h"
#include "client/client_internal.h"
#include "client/fuse/fuse.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool level_parse(const char *text, enum forebay_level *level)
{
    static const char *const levels[] = {"memory", "replicated", "device", "origin"};
    for (uint32_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i]) == 0) {
            *level = (enum forebay_level)i;
            return true;
        }
    }
    fprintf(stderr, "forebay mount: --level %s: it is one of memory, replicated, device, origin\n",
            text);
    return false;
}

/* Says what is wrong with it. option: that gave it; NULL: it is where the mount is to be. */
static bool is_folder(const char *path, const char *option)
{
    struct stat status;
    int code = stat(path, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    const char *remedy = option != NULL ? "see " : "name another folder";
    if (option == NULL && code == ENOENT)
        remedy = "make the folder";
    else if (option == NULL && code == EACCES)
        remedy = "a folder above it lets this user not through: chmod that, or name another one";
    bool is_stale = code == ENOTCONN || code == ECONNABORTED;
    if (is_stale)
        fprintf(stderr,
                "forebay mount: %s: %s: a mount that died is there: `fusermount3 -u %s`, or as "
                "root `umount -l %s`\n",
                path, strerror(code), path, path);
    else if (code != 0)
        fprintf(stderr, "forebay mount: %s: %s: %s%s\n", path, strerror(code), remedy,
                option != NULL ? option : "");
    return code == 0;
}

/* In the background the working folder is another one: what is named is named in full. */
struct paths {
    char socket[PATH_MAX], spill[PATH_MAX], mountpoint[PATH_MAX], token[PATH_MAX];
};

static bool path_complete(const char *path, char full[PATH_MAX])
{
    char folder[PATH_MAX] = "";
    bool is_relative = path[0] != '/';
    int length = -1;
    if (!is_relative || getcwd(folder, sizeof(folder)) != NULL)
        length = snprintf(full, PATH_MAX, "%s%s%s", folder, is_relative ? "/" : "", path);
    bool is_fine = length >= 0 && length < PATH_MAX;
    if (!is_fine)
        fprintf(stderr, "forebay mount: %s: %s: name it from / on\n", path,
                strerror(length < 0 ? errno : ENAMETOOLONG));
    return is_fine;
}

static bool paths_complete(struct fb_fuse_options *options, struct paths *paths)
{
    const char *token = getenv("FOREBAY_TOKEN_FILE");
    bool is_fine = path_complete(client_socket_path(options->socket), paths->socket) &&
                   path_complete(options->spill, paths->spill) &&
                   path_complete(options->mountpoint, paths->mountpoint) &&
                   (token == NULL || path_complete(token, paths->token));
    options->socket = paths->socket;
    options->spill = paths->spill;
    options->mountpoint = paths->mountpoint;
    return is_fine && (token == NULL || setenv("FOREBAY_TOKEN_FILE", paths->token, 1) == 0);
}

int fb_command_mount(int argc, char **argv)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'}, {"foreground", no_argument, NULL, 'f'},
        {"allow-other", no_argument, NULL, 'a'},  {"level", required_argument, NULL, 'l'},
        {"read-only", no_argument, NULL, 'r'},    {"spill", required_argument, NULL, 't'},
        {"debug", no_argument, NULL, 'd'},        {NULL, 0, NULL, 0}};
    const char *temporary = getenv("TMPDIR");
    struct fb_fuse_options options = {.level = FOREBAY_REPLICATED,
                                      .spill = temporary != NULL ? temporary : "/tmp"};
    optind = 1;
    for (int option; (option = fb_options_next(argc, argv, "", table, NULL)) != -1;) {
        if (option == 's')
            options.socket = optarg;
        else if (option == 'f')
            options.is_foreground = true;
        else if (option == 'a')
            options.allows_others = true;
        else if (option == 'r')
            options.is_read_only = true;
        else if (option == 'l' && level_parse(optarg, &options.level))
            continue;
        else if (option == 't')
            options.spill = optarg;
        else if (option == 'd')
            options.is_debugging = true;
        else
            return FB_EXIT_USAGE; /* it was said why */
    }
    if (argc - optind != 1) {
        fprintf(stderr, "forebay mount: where? forebay mount FOLDER\n");
        return FB_EXIT_USAGE;
    }
    options.mountpoint = argv[optind];
    if (!is_folder(options.mountpoint, NULL) ||
        (!options.is_read_only && !is_folder(options.spill, "--spill")))
        return FB_EXIT_FAILED;
    struct paths paths;
    if (!paths_complete(&options, &paths))
        return FB_EXIT_FAILED;
    int code = fb_fuse_run(&options);
    return code < 0 ? fb_no_daemon("mount", options.socket, code) : code;
}
