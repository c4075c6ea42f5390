/* Opening, overriding and writing out a YAML document.
 *
 * Invariants:
 *  1. A document that opens is one YAML document whose root is a map without repeated keys.
 *  2. A node set by an override carries its label as libfyaml meta data; nodes below it are found
 *     by climbing to the nearest labelled parent.
 *
 * Anchors parse, but a value that is an alias is an error where it is read (map.c). */
#include "base/document.h"
#include "base/document_internal.h"

#include "base/memory.h"
#include "core/panic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_FIRST = 16 << 10, FILE_SIZE_MAX = 16 << 20, KEY_MAX = 128 };

/* Up to FILE_SIZE_MAX + 1 bytes or more, in memory that grows with them. Errors: NULL: out of
 * memory. */
static char *bytes_read(FILE *file, const char *path, size_t *size, struct fb_error *error)
{
    char *bytes = NULL;
    size_t room = 0;
    *size = 0;
    while (*size == room && room <= FILE_SIZE_MAX) {
        room = room == 0 ? FILE_SIZE_FIRST : 2 * room;
        char *longer = fb_grow(bytes, room, 1, path, error);
        if (longer == NULL) {
            free(bytes);
            return NULL;
        }
        bytes = longer;
        *size += fread(bytes + *size, 1, room - *size, file);
    }
    return bytes;
}

/* Returns the file's bytes, malloc'ed, or NULL with the error set. */
static char *file_read(const char *path, size_t *size, struct fb_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fb_error_set(error, "%s: cannot open: %s: check the path", path, strerror(errno));
        return NULL;
    }
    char *bytes = bytes_read(file, path, size, error);
    if (bytes != NULL && ferror(file))
        fb_error_set(error, "%s: cannot read: %s: is it a file?", path, strerror(errno));
    else if (*size > FILE_SIZE_MAX)
        fb_error_set(error, "%s: larger than %d MiB: is it YAML?", path, FILE_SIZE_MAX >> 20);
    fclose(file);
    if (!fb_error_is_set(error))
        return bytes;
    free(bytes);
    return NULL;
}

/* Turns libfyaml's first collected message into ours. `place`: the file, or "--set KEY". */
static void diagnostic_take(struct fy_diag *diagnostics, const char *place, bool has_lines,
                            struct fb_error *error)
{
    void *iterator = NULL;
    struct fy_diag_error *first = fy_diag_errors_iterate(diagnostics, &iterator);
    if (first == NULL)
        return;
    char where[FB_DOCUMENT_PATH_MAX + 32];
    if (has_lines)
        snprintf(where, sizeof(where), "%s:%d:%d", place, first->line, first->column);
    else
        snprintf(where, sizeof(where), "%s", place);
    if (strcmp(first->msg, "duplicate key") != 0) {
        fb_error_set(error, "%s: not YAML: %s", where, first->msg);
        return;
    }
    const char *key = first->fyt == NULL ? NULL : fy_token_get_text0(first->fyt);
    fb_error_set(error, "%s: repeated key \"%.64s\": keep one of them", where,
                 key == NULL ? "" : key);
}

/* Resetting first: in 0.7.12 collected messages are not freed with their holder. */
static void diagnostics_destroy(struct fy_diag *diagnostics)
{
    if (diagnostics == NULL)
        return;
    fy_diag_reset_error(diagnostics);
    fy_diag_unref(diagnostics);
}

static struct fy_diag *diagnostics_create(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.colorize = false;
    struct fy_diag *diagnostics = fy_diag_create(&config);
    if (diagnostics != NULL)
        fy_diag_set_collect_errors(diagnostics, true);
    return diagnostics;
}

/* Nothing but white space and comments. */
static bool text_is_blank(const char *text, size_t size)
{
    bool is_comment = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            is_comment = false;
        else if (text[i] == '#')
            is_comment = true;
        else if (!is_comment && text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    }
    return true;
}

/* Parses `text` (malloc'ed, taken over) as exactly one document with a map at its root. */
static struct fy_document *tree_parse(const char *path, char *text, size_t size,
                                      struct fy_diag *diagnostics, struct fb_error *error)
{
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2,
        .diag = diagnostics,
    };
    bool is_blank = text_is_blank(text, size);
    struct fy_parser *parser = fy_parser_create(&config);
    if (parser == NULL || fy_parser_set_malloc_string(parser, text, size) != 0) {
        fb_out_of_memory(1, size, path, error);
        free(text);
        if (parser != NULL)
            fy_parser_destroy(parser);
        return NULL;
    }
    struct fy_document *tree = fy_parse_load_document(parser);
    struct fy_document *second = tree == NULL ? NULL : fy_parse_load_document(parser);
    diagnostic_take(diagnostics, path, true, error);
    if (second != NULL) {
        fb_error_set(error, "%s: several documents in one file: remove the line '---'", path);
        fy_parse_document_destroy(parser, second);
    }
    /* Some texts end the stream without a message. */
    if (tree == NULL && !is_blank)
        fb_error_set(error, "%s: not YAML: the text cannot be read: is it the right file?", path);
    struct fy_node *root = tree == NULL ? NULL : fy_document_root(tree);
    if (root == NULL || fb_node_is_empty(root))
        fb_error_set(error, "%s: the file is empty: write keys and values", path);
    else if (!fy_node_is_mapping(root))
        fb_error_set(error, "%s:1:1: not a map: write keys and values, e.g. schema_version: 1",
                     path);
    if (tree != NULL && fb_error_is_set(error)) {
        fy_parse_document_destroy(parser, tree);
        tree = NULL;
    }
    fy_parser_destroy(parser);
    return tree;
}

struct fb_document *fb_document_open(const char *path, struct fb_error *error)
{
    if (fb_error_is_set(error))
        return NULL;
    if (strlen(path) >= FB_DOCUMENT_PATH_MAX) {
        fb_error_set(error, "%.64s...: the path is longer than %d bytes", path,
                     FB_DOCUMENT_PATH_MAX - 1);
        return NULL;
    }
    size_t size;
    char *text = file_read(path, &size, error);
    if (text == NULL)
        return NULL;
    struct fb_document *document = fb_allocate(1, sizeof(*document), path, error);
    struct fy_diag *diagnostics = diagnostics_create();
    if (diagnostics == NULL)
        fb_out_of_memory(1, size, path, error);
    fb_text_check(text, size, path, true, error);
    if (fb_error_is_set(error)) {
        free(text);
    } else {
        snprintf(document->path, sizeof(document->path), "%s", path);
        document->tree = tree_parse(path, text, size, diagnostics, error);
    }
    diagnostics_destroy(diagnostics);
    if (!fb_error_is_set(error))
        return document;
    free(document);
    return NULL;
}

void fb_document_close(struct fb_document *document)
{
    if (document == NULL)
        return;
    fy_document_destroy(document->tree);
    for (uint32_t i = 0; i < document->label_count; i++)
        free(document->labels[i]);
    free(document);
}

const char *fb_document_path(const struct fb_document *document)
{
    return document->path;
}

char *fb_document_text(const struct fb_document *document)
{
    return fy_emit_document_to_string(document->tree, FYECF_MODE_BLOCK | FYECF_WIDTH_INF);
}

bool fb_node_is_empty(struct fy_node *node)
{
    if (node == NULL || fy_node_is_null(node))
        return true;
    if (!fy_node_is_scalar(node) || fy_node_get_style(node) != FYNS_PLAIN)
        return false;
    const char *text = fy_node_get_scalar0(node);
    return text != NULL && (strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

const char *fb_node_label(struct fy_node *node)
{
    for (; node != NULL; node = fy_node_get_parent(node)) {
        const char *label = fy_node_get_meta(node);
        if (label != NULL)
            return label;
    }
    return NULL;
}

void fb_node_place(const struct fb_document *document, struct fy_node *node, char *place,
                   uint64_t size)
{
    const char *label = fb_node_label(node);
    struct fy_token *token = NULL;
    if (node != NULL && fy_node_is_scalar(node))
        token = fy_node_get_scalar_token(node);
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    int room = (int)size - (int)sizeof("...:4294967296:4294967296");
    FB_ASSERT(room > 0);
    if (label == NULL && mark != NULL && (int)strlen(document->path) > room)
        snprintf(place, size, "%.*s...:%d:%d", room, document->path, mark->line + 1,
                 mark->column + 1); /* where in the file is said whatever its name */
    else if (label != NULL)
        snprintf(place, size, "%s", label);
    else if (mark != NULL)
        snprintf(place, size, "%s:%d:%d", document->path, mark->line + 1, mark->column + 1);
    else
        snprintf(place, size, "%s", document->path);
}

/* The child `name` of a map or list; NULL: not there. */
static struct fy_node *child_find(struct fy_node *parent, const char *name)
{
    if (fy_node_is_mapping(parent))
        return fy_node_mapping_lookup_value_by_simple_key(parent, name, strlen(name));
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    if (!fy_node_is_sequence(parent) || end == name || *end != '\0' || index > INT32_MAX)
        return NULL;
    return fy_node_sequence_get_by_index(parent, (int)index);
}

/* Puts `value` under `name`, in place of what is there. Takes value over, also when it fails. */
static bool child_replace(struct fb_document *document, struct fy_node *parent, const char *name,
                          struct fy_node *value)
{
    struct fy_node *old = child_find(parent, name);
    if (fy_node_is_sequence(parent)) {
        if (old == NULL || fy_node_sequence_insert_before(parent, old, value) != 0)
            return false;
        fy_node_free(fy_node_sequence_remove(parent, old));
        return true;
    }
    struct fy_node_pair *pair =
        fy_node_mapping_lookup_pair_by_simple_key(parent, name, strlen(name));
    if (pair != NULL)
        return fy_node_pair_set_value(pair, value) == 0;
    struct fy_node *key = fy_node_create_scalar_copy(document->tree, name, strlen(name));
    return key != NULL && fy_node_mapping_append(parent, key, value) == 0;
}

/* Splits the first component off a dotted key; `sweep` keeps the rest whole, since its keys have
 * dots. Returns the rest, NULL when this was the last one. */
static const char *component_take(const char *key, bool is_whole, char *name)
{
    size_t length = is_whole ? strlen(key) : strcspn(key, ".");
    memcpy(name, key, length);
    name[length] = '\0';
    return key[length] == '\0' ? NULL : key + length + 1;
}

static bool key_is_well_formed(const char *key)
{
    size_t length = strlen(key);
    return length > 0 && length < KEY_MAX && key[0] != '.' && key[length - 1] != '.' &&
           strstr(key, "..") == NULL;
}

static struct fy_node *value_parse(struct fb_document *document, const char *value,
                                   const char *label, struct fb_error *error)
{
    fb_text_check(value, strlen(value), label, false, error);
    if (fb_error_is_set(error))
        return NULL;
    struct fy_diag *diagnostics = diagnostics_create();
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2,
        .diag = diagnostics,
    };
    struct fy_document *parsed = fy_document_build_from_string(&config, value, strlen(value));
    struct fy_node *node = NULL;
    if (parsed != NULL && fy_document_root(parsed) != NULL)
        node = fy_node_copy(document->tree, fy_document_root(parsed));
    if (diagnostics != NULL)
        diagnostic_take(diagnostics, label, false, error);
    if (node == NULL)
        fb_error_set(error, "%s: there is no value: write key=value", label);
    fy_document_destroy(parsed);
    diagnostics_destroy(diagnostics);
    return node;
}

/* Walks to the parent of the last component, making maps on the way. Leaves the last one in name.
 */
static struct fy_node *parent_walk(struct fb_document *document, const char *key, char *name,
                                   char *label)
{
    struct fy_node *parent = fy_document_root(document->tree);
    const char *rest = component_take(key, false, name);
    while (rest != NULL) {
        struct fy_node *child = child_find(parent, name);
        bool is_new = child == NULL || fb_node_is_empty(child);
        if (is_new) {
            child = fy_node_create_mapping(document->tree);
            if (child == NULL || !child_replace(document, parent, name, child))
                return NULL;
            fy_node_set_meta(child, label);
        }
        if (!fy_node_is_mapping(child) && !fy_node_is_sequence(child))
            return NULL;
        bool is_sweep = strcmp(name, "sweep") == 0 && parent == fy_document_root(document->tree);
        parent = child;
        rest = component_take(rest, is_sweep, name);
    }
    return parent;
}

void fb_document_set_value(struct fb_document *document, const char *key, const char *value,
                           const char *label, struct fb_error *error)
{
    if (fb_error_is_set(error))
        return;
    if (!key_is_well_formed(key)) {
        fb_error_set(error, "%s: not a key: write dotted names, e.g. core.policy=lru", label);
        return;
    }
    if (document->label_count == FB_LABELS_MAX) {
        fb_error_set(error, "%s: more than %d assignments and swept keys: write some into the file",
                     label, FB_LABELS_MAX);
        return;
    }
    char *kept = fb_allocate(strlen(label) + 1, 1, label, error);
    if (kept == NULL)
        return;
    memcpy(kept, label, strlen(label));
    document->labels[document->label_count++] = kept;
    struct fy_node *node = value_parse(document, value, label, error);
    if (fb_error_is_set(error)) {
        fy_node_free(node);
        return;
    }
    char name[KEY_MAX];
    struct fy_node *parent = parent_walk(document, key, name, kept);
    if (parent == NULL || !child_replace(document, parent, name, node)) {
        fy_node_free(node);
        fb_error_set(error,
                     "%s: \"%s\" has no such place: a part of the key is a plain value or "
                     "an element that is not there",
                     label, key);
        return;
    }
    fy_node_set_meta(node, kept);
}

void fb_document_set(struct fb_document *document, const char *assignment, struct fb_error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL) {
        fb_error_set(error, "--set %.128s: not an assignment: write key=value", assignment);
        return;
    }
    if (equals - assignment >= KEY_MAX) {
        fb_error_set(error, "--set %.64s...: the key is longer than %d bytes: none is", assignment,
                     KEY_MAX - 1);
        return;
    }
    char key[KEY_MAX];
    char label[KEY_MAX + 16];
    size_t length = (size_t)(equals - assignment);
    memcpy(key, assignment, length);
    key[length] = '\0';
    snprintf(label, sizeof(label), "--set %s", key);
    fb_document_set_value(document, key, equals + 1, label, error);
}
