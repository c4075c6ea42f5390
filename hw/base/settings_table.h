/* The daemon's settings as data: a row a key, from which the loader reads it, a reload compares it,
 * and `forebay help settings`, forebayd.yaml(5) and docs/settings.md tell of it. The keys of `core`
 * have a table of their own: core/config.h. */
#ifndef FB_HW_BASE_SETTINGS_TABLE_H
#define FB_HW_BASE_SETTINGS_TABLE_H

#include "hw/base/settings.h"

/* How people write a value, and the type of its field. */
enum fb_setting_kind {
    FB_SETTING_TEXT,
    FB_SETTING_ADDRESS, /* HOST:PORT, [HOST]:PORT */
    FB_SETTING_COUNT,   /* uint32_t */
    FB_SETTING_BYTES,   /* uint64_t, as all that follow but choices */
    FB_SETTING_NS,
    FB_SETTING_CHOICE /* uint32_t or an enum: an index into `choices` */
};

/* A key, where its value goes, and what it may be. */
struct fb_setting {
    const char *section; /* "origin"; "": the top; "members": of each element of that list */
    const char *key;
    enum fb_setting_kind kind;
    uint32_t offset, size;  /* of the field in struct fb_settings; of members: in theirs */
    const char *of;         /* kinds of its section that know it, "s3|azure"; NULL: all */
    const char *initial;    /* as people write it; "": empty; NULL: it is required */
    uint64_t min, max;      /* of COUNT, BYTES, NS */
    const char *choices[6]; /* of CHOICE; a section's `kind` comes before its other keys */
    bool is_live;           /* a reload takes it over; else a restart is needed */
    const char *help;
};

/* In the order in which they are shown; *count rows, static. */
const struct fb_setting *fb_settings_table(uint32_t *count);

/* Is the key one that a config with this section's kind may hold? */
bool fb_settings_knows(const struct fb_settings *settings, const struct fb_setting *row);

/* Reads the keys of a section into `base`, a struct fb_settings (of "members": one of theirs).
 * initial "*": the field keeps what it has, which the caller has set from other settings.
 * Errors: the first is kept in the map's error. */
void fb_settings_read(struct fb_map *map, const char *section, void *base);

#endif
