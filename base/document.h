/* Strict YAML: every key must be known, every quantity has its unit, nothing appears twice.
 *
 * libfyaml gives the parser, the marks, the check for repeated keys and the emitter.
 *
 * Usage: open a file, apply overrides, then walk maps with the typed getters. A getter marks its
 * key as known; fb_map_close reports any key that nobody asked for, with the nearest known one. The
 * first error is kept, later ones are ignored, so that callers check once at the end. */
#ifndef FB_BASE_DOCUMENT_H
#define FB_BASE_DOCUMENT_H

#include "base/error.h"

#include <stdint.h>

struct fb_document;

/* Errors: NULL and error set: file missing or unreadable, not YAML, repeated key, several
 * documents. */
struct fb_document *fb_document_open(const char *path, struct fb_error *error);
/* Frees it; NULL is fine. Maps of it, and texts that they gave, are not valid any more. */
void fb_document_close(struct fb_document *document);

/* Sets the value at a dotted path, as `--set workload.trace=PATH`; missing maps are made, list
 * elements are numbers. `assignment` is "key=value", value is YAML. Whether the key is known shows
 * when it is read: errors then name "--set KEY" in place of file and line. */
void fb_document_set(struct fb_document *document, const char *assignment, struct fb_error *error);

/* The whole document as YAML text with overrides applied; caller frees. */
char *fb_document_text(const struct fb_document *document);

/* Sets the value of `key` (dotted, as above) to the YAML text `value`. `label` stands in place of
 * file and line in errors about it: "experiments/a.yaml:14:3: sweep core.policy". */
void fb_document_set_value(struct fb_document *document, const char *key, const char *value,
                           const char *label, struct fb_error *error);

/* The path that it was opened with; the document's own. */
const char *fb_document_path(const struct fb_document *document);

/* Keys that may be asked of one map, and bytes of a map's path and place. */
enum { FB_MAP_NAMES_MAX = 96, FB_MAP_PATH_MAX = 128, FB_MAP_PLACE_MAX = 384 };

/* A map being read. Lives on the caller's stack; valid while its document is open. */
struct fb_map {
    struct fb_document *document;
    void *node; /* struct fy_node; NULL: absent map, every optional getter gives its default */
    struct fb_error *error;
    const char
        *names[FB_MAP_NAMES_MAX]; /* keys asked for, for fb_map_close; must outlive the map */
    uint32_t name_count;
    char path[FB_MAP_PATH_MAX];   /* "core." for errors; empty for the root */
    char place[FB_MAP_PLACE_MAX]; /* "FILE:LINE:COLUMN" or "--set KEY" */
};

/* The outermost map. document NULL: an absent map. error: where all faults found in it go. */
struct fb_map fb_document_root(struct fb_document *document, struct fb_error *error);
/* The map below `name`, absent when the key is or is empty. Errors: the value is no map;
 * is_required, and the key is missing or empty. */
struct fb_map fb_map_child(struct fb_map *map, const char *name, bool is_required);

/* Is the key there? Also marks it as known. */
bool fb_map_has(struct fb_map *map, const char *name);

/* Was its value given with `--set`? Paths given so are relative to the current folder. */
bool fb_map_is_assigned(struct fb_map *map, const char *name);

/* Is its value plain text, no map and no list? */
bool fb_map_is_plain(struct fb_map *map, const char *name);

/* Where errors about `name` would point; where the map stands when the key is absent. */
void fb_map_place(struct fb_map *map, const char *name, char *place, uint64_t size);

/* A plain value as text, the document's own. Errors, of every getter without a default: the key is
 * missing; of all: the value is empty, an alias, a map or a list; "" or the fallback then. */
const char *fb_map_text(struct fb_map *map, const char *name);
/* As fb_map_text; the fallback when the key is absent. */
const char *fb_map_text_or(struct fb_map *map, const char *name, const char *fallback);
/* A whole number, min..max. Errors, of this and all getters of numbers: missing, another form, out
 * of range; min is returned then. */
uint64_t fb_map_count(struct fb_map *map, const char *name, uint64_t min, uint64_t max);
/* As fb_map_count; the fallback, whatever the range, when the key is absent. */
uint64_t fb_map_count_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                         uint64_t max);
/* A number with or without a fraction, min..max. */
double fb_map_number(struct fb_map *map, const char *name, double min, double max);
/* As fb_map_number; the fallback when the key is absent. */
double fb_map_number_or(struct fb_map *map, const char *name, double fallback, double min,
                        double max);
/* "true" or "false"; the fallback when the key is absent. Errors: anything else. */
bool fb_map_flag_or(struct fb_map *map, const char *name, bool fallback);
/* A size with its unit ("64 GiB"), in bytes. */
uint64_t fb_map_bytes(struct fb_map *map, const char *name, uint64_t min, uint64_t max);
/* As fb_map_bytes; the fallback when the key is absent. */
uint64_t fb_map_bytes_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                         uint64_t max);
/* A time with its unit ("1.5 us"), in nanoseconds. */
uint64_t fb_map_ns(struct fb_map *map, const char *name, uint64_t min, uint64_t max);
/* As fb_map_ns; the fallback when the key is absent. */
uint64_t fb_map_ns_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                      uint64_t max);
/* A rate with its unit ("400 Gbps", "14 GB/s", "3 GiB/s"), in bytes a second. */
uint64_t fb_map_rate(struct fb_map *map, const char *name, uint64_t min, uint64_t max);
/* As fb_map_rate; the fallback when the key is absent. */
uint64_t fb_map_rate_or(struct fb_map *map, const char *name, uint64_t fallback, uint64_t min,
                        uint64_t max);
/* One of names[0..count-1]; returns its index. fallback UINT32_MAX: the key is required. */
uint32_t fb_map_choice(struct fb_map *map, const char *name, const char *const *names,
                       uint32_t count, uint32_t fallback);

/* Elements of a list, 0 when it is absent. A value that is no list counts as a list of one. */
uint32_t fb_map_list_count(struct fb_map *map, const char *name);
/* Element i as text, the document's own. Errors: it is absent or no plain value; "" then. */
const char *fb_map_list_text(struct fb_map *map, const char *name, uint32_t i);
/* Element i as a map. Errors: it is absent or no map; an absent map then. */
struct fb_map fb_map_list_map(struct fb_map *map, const char *name, uint32_t i);

/* How many keys a map has whose keys are free (sweep); 0 when it is absent. */
uint32_t fb_map_key_count(struct fb_map *map);
/* The i-th key, in the file's order; the document's own. */
const char *fb_map_key(struct fb_map *map, uint32_t i);

/* Sets an error at the line of `name` (or of the map when NULL). */
void fb_map_fault(struct fb_map *map, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checks that every key of the map was asked for; else the error names the nearest known key. */
void fb_map_close(struct fb_map *map);

/* For files that others wrote: leaves unknown keys alone. */
void fb_map_close_lenient(struct fb_map *map);

#endif
