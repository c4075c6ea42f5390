/* Where the files are that experiments name. Components are looked up by name in the program's data
 * folder: $FOREBAY_DATA, else share/forebay beside the program's bin/, else the source tree. Paths
 * are tried beside the file that names them first. */
#include "models/scenario/scenario.h"
#include "models/scenario/scenario_internal.h"

#include "base/units.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a program that is installed; empty: it is not. */
static const char *installed_folder(void)
{
    static char folder[FB_PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *end = strrchr(folder, '/');
    static const char place[] = "/../share/forebay";
    if (end == NULL || (size_t)(end - folder) + sizeof(place) > sizeof(folder))
        return "";
    memcpy(end, place, sizeof(place));
    return access(folder, R_OK | X_OK) == 0 ? folder : "";
}

static const char *data_folder(void)
{
    const char *folder = getenv("FOREBAY_DATA");
    if (folder != NULL && folder[0] != '\0')
        return folder;
    folder = installed_folder();
    return folder[0] != '\0' ? folder : FB_DATA_FOLDER;
}

/* Joins and, below the current folder, shortens, so that messages and manifests stay readable. */
static bool path_join(const char *folder, const char *name, char path[FB_PATH_MAX])
{
    char here[FB_PATH_MAX];
    int length = folder[0] == '\0' ? snprintf(path, FB_PATH_MAX, "%s", name)
                                   : snprintf(path, FB_PATH_MAX, "%s/%s", folder, name);
    if (length < 0 || length >= FB_PATH_MAX)
        return false;
    if (getcwd(here, sizeof(here)) != NULL) {
        size_t prefix = strlen(here);
        if (strncmp(path, here, prefix) == 0 && path[prefix] == '/')
            memmove(path, path + prefix + 1, strlen(path + prefix + 1) + 1);
    }
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_component_name(const char *text)
{
    size_t length = strlen(text);
    bool has_suffix = length > 5 && strcmp(text + length - 5, ".yaml") == 0;
    return strchr(text, '/') == NULL && !has_suffix;
}

/* The component in `folder` whose name is nearest to `text`, empty when the folder has none. */
static void name_nearest(const char *folder, const char *text, char nearest[FB_NAME_MAX])
{
    nearest[0] = '\0';
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return;
    uint32_t least = UINT32_MAX;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix == NULL || strcmp(suffix, ".yaml") != 0)
            continue;
        char name[FB_NAME_MAX];
        snprintf(name, sizeof(name), "%.*s", (int)(suffix - entry->d_name), entry->d_name);
        uint32_t distance = fb_edit_distance(text, name);
        /* The order of a directory is not fixed: ties go to the first in the alphabet. */
        if (distance > least || (distance == least && strcmp(name, nearest) > 0))
            continue;
        least = distance;
        memcpy(nearest, name, sizeof(name));
    }
    closedir(directory);
}

static void input_add(struct fb_loader *loader, const char *path)
{
    struct fb_scenario *scenario = loader->scenario;
    for (uint32_t i = 0; i < scenario->input_count; i++)
        if (strcmp(scenario->inputs[i], path) == 0)
            return;
    if (scenario->input_count == FB_INPUTS_MAX) {
        fb_error_set(loader->error, "%s: more than %d input files", path, FB_INPUTS_MAX);
        return;
    }
    snprintf(scenario->inputs[scenario->input_count++], FB_PATH_MAX, "%s", path);
}

static bool component_find(struct fb_map *map, const char *key, const char *folder,
                           const char *text, char path[FB_PATH_MAX])
{
    char name[FB_NAME_MAX + 8];
    char components[FB_PATH_MAX];
    char nearest[FB_NAME_MAX];
    snprintf(name, sizeof(name), "%.*s.yaml", FB_NAME_MAX - 1, text);
    snprintf(components, sizeof(components), "%.900s/models/%s", data_folder(), folder);
    if (strlen(data_folder()) > 900) {
        fb_map_fault(map, key, "the path of FOREBAY_DATA is longer than 900 bytes: shorten it");
        return false;
    }
    if (path_join(components, name, path))
        return true;
    name_nearest(components, text, nearest);
    if (nearest[0] == '\0')
        fb_map_fault(map, key, "\"%.64s\": there are no components in %s: set FOREBAY_DATA", text,
                     components);
    else
        fb_map_fault(map, key, "\"%.64s\": no such file in models/%s: did you mean %s?", text,
                     folder, nearest);
    return false;
}

static bool path_find(struct fb_map *map, const char *key, const char *text, char path[FB_PATH_MAX])
{
    char beside[FB_PATH_MAX] = "";
    const char *file = fb_document_path(map->document);
    const char *slash = strrchr(file, '/');
    if (slash != NULL && !fb_map_is_assigned(map, key))
        snprintf(beside, sizeof(beside), "%.*s", (int)(slash - file), file);
    if (text[0] == '/' && path_join("", text, path))
        return true;
    if (text[0] != '/' && (path_join(beside, text, path) || path_join(data_folder(), text, path)))
        return true;
    size_t longest = strlen(text) + (text[0] == '/' ? 0 : strlen(beside) + 1);
    if (longest >= FB_PATH_MAX) {
        fb_map_fault(map, key, "\"%.64s...\": with its folder the path is longer than %d bytes",
                     text, FB_PATH_MAX - 1);
        return false;
    }
    fb_map_fault(map, key, "\"%.128s\": no such file, neither in %.128s nor in %.128s", text,
                 beside[0] == '\0' ? "the current folder" : beside, data_folder());
    return false;
}

void fb_file_find(struct fb_loader *loader, struct fb_map *map, const char *key, const char *folder,
                  char path[FB_PATH_MAX])
{
    path[0] = '\0';
    const char *fallback = loader->fallback;
    const char *text =
        fallback != NULL ? fb_map_text_or(map, key, fallback) : fb_map_text(map, key);
    if (fb_error_is_set(loader->error))
        return;
    bool is_found = folder != NULL && is_component_name(text)
                        ? component_find(map, key, folder, text, path)
                        : path_find(map, key, text, path);
    if (is_found)
        input_add(loader, path);
}
