/* What document.c, text.c, map.c and map_values.c share: the open document and how a node is found
 * and named in errors. Nothing outside of these files sees libfyaml. */
#ifndef FB_BASE_DOCUMENT_INTERNAL_H
#define FB_BASE_DOCUMENT_INTERNAL_H

#include <libfyaml.h>
#include <stdbool.h>
#include <stdint.h>

struct fb_error;
struct fb_map;

enum { FB_LABELS_MAX = 64, FB_DOCUMENT_PATH_MAX = 1024 };

struct fb_document {
    char path[FB_DOCUMENT_PATH_MAX];
    struct fy_document *tree;
    char *labels[FB_LABELS_MAX]; /* of overrides; a node's meta pointer points to one of them */
    uint32_t label_count;
};

/* No value: nothing, "~" or "null". */
bool fb_node_is_empty(struct fy_node *node);

/* Label of the override that a node came with; NULL: from the file. */
const char *fb_node_label(struct fy_node *node);

/* Writes "FILE:LINE:COLUMN", "--set KEY" or "FILE" for a key's value (or key) or a map. */
void fb_node_place(const struct fb_document *document, struct fy_node *node, char *place,
                   uint64_t size);

/* The pair of `name` in a map, NULL when absent. Marks the name as known. */
struct fy_node_pair *fb_map_pair(struct fb_map *map, const char *name);

/* The scalar text of `name`; NULL when absent. Sets the error when it is empty, a map or a list. */
const char *fb_map_scalar(struct fb_map *map, const char *name);

/* Errors: the text is none that YAML may be. place: the file, or "--set KEY" without lines. */
void fb_text_check(const char *text, size_t size, const char *place, bool has_lines,
                   struct fb_error *error);

#endif
