/* `unscaled: {KEY: VALUE, ...}`: how an experiment would be set if it were not scaled down. */
#include "models/scenario/sweep.h"

#include <stdio.h>

uint32_t fb_unscaled_load(const char *path, char assignments[FB_UNSCALED_MAX][FB_ASSIGNMENT_MAX],
                          struct fb_error *error)
{
    struct fb_document *document = fb_document_open(path, error);
    uint32_t count = 0;
    if (document == NULL)
        return 0;
    struct fb_map root = fb_document_root(document, error);
    struct fb_map map = fb_map_child(&root, "unscaled", false);
    for (uint32_t i = 0; i < fb_map_key_count(&map) && !fb_error_is_set(error); i++) {
        const char *key = fb_map_key(&map, i), *value = fb_map_text(&map, key);
        if (value == NULL)
            break;
        if (count == FB_UNSCALED_MAX) {
            fb_map_fault(&map, key, "more than %d settings: remove one", FB_UNSCALED_MAX);
            break;
        }
        int length = snprintf(assignments[count++], FB_ASSIGNMENT_MAX, "%s=%s", key, value);
        if (length >= FB_ASSIGNMENT_MAX)
            fb_map_fault(&map, key, "is longer than %d bytes with its value: shorten it",
                         FB_ASSIGNMENT_MAX - 1);
    }
    fb_document_close(document);
    return fb_error_is_set(error) ? 0 : count;
}
