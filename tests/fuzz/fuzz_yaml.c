/* Every reader of YAML: what is no experiment, no daemon's config and no DLIO workload is refused
 * with one line, and what is one is read.
 * How: each reader sees each input; where the first line is "# set: KEY=VALUE" this is an
 * assignment, as with --set. Files that an input names are read, too, from the source folder. What
 * is not YAML is given to the first reader only: they all open a file the same way. */
#include "hw/base/settings.h"
#include "models/scenario/dlio.h"
#include "models/scenario/scenario.h"

#include "models/scenario/sweep.h"
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/file.h"

enum { ASSIGNMENT_MAX = 200 };

/* libfyaml 0.7.12 counts the bytes of some quoted texts wrong, gives no text then and forgets its
 * buffer of 2 KiB. It is not ours to free. The leak checker calls this. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml\n";
}

/* One line that says something. */
static void error_check(const struct fb_error *error)
{
    if (strchr(error->text, '\n') != NULL)
        abort();
}

/* Returns false where the file is not YAML. */
static bool scenario_read(const char *path, const char *const *assignments, uint32_t count)
{
    static struct fb_scenario scenario;
    struct fb_sweep_point *points = NULL;
    struct fb_error error = {.text = ""};
    uint32_t point_count = fb_sweep_load(path, assignments, count, &points, &error);
    error_check(&error);
    if ((point_count == 0) != fb_error_is_set(&error))
        abort();
    if (strstr(error.text, ": not YAML: ") != NULL)
        return false;
    error = (struct fb_error){.text = ""};
    memset(&scenario, 0, sizeof(scenario));
    fb_scenario_load(path, assignments, count, point_count > 0 ? &points[point_count - 1] : NULL,
                     &scenario, &error);
    error_check(&error);
    if (!fb_error_is_set(&error) && fb_config_fault(&scenario.core) != NULL)
        abort();
    fb_scenario_free(&scenario);
    free(points);
    return true;
}

static void settings_read(const char *path, const char *const *assignments, uint32_t count)
{
    static struct fb_settings settings;
    struct fb_error error = {.text = ""};
    memset(&settings, 0, sizeof(settings));
    fb_settings_load(path, assignments, count, &settings, &error);
    error_check(&error);
    if (fb_error_is_set(&error))
        return;
    if (fb_config_fault(&settings.core) != NULL || settings.member_count == 0)
        abort();
    fb_settings_free(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char mark[] = "# set: ";
    char assignment[ASSIGNMENT_MAX] = "";
    const char *const assignments[] = {assignment};
    struct fb_training training;
    struct fb_error error = {.text = ""};
    const char *path = fuzz_file(data, size);
    uint32_t count = 0;
    if (size > sizeof(mark) && memcmp(data, mark, sizeof(mark) - 1) == 0) {
        size_t length = 0, begin = sizeof(mark) - 1;
        while (begin + length < size && length + 1 < sizeof(assignment) &&
               data[begin + length] != '\n' && data[begin + length] != '\0')
            length++;
        memcpy(assignment, data + begin, length);
        count = 1;
    }
    if (!scenario_read(path, assignments, count))
        return 0;
    settings_read(path, assignments, count);
    fb_dlio_load(path, &training, &error);
    error_check(&error);
    return 0;
}
