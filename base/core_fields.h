/* The core's settings as files write them; experiments and the daemon share them. */
#ifndef FB_BASE_CORE_FIELDS_H
#define FB_BASE_CORE_FIELDS_H

#include "base/document.h"
#include "core/config.h"

/* Bytes of a component's or key's name with its zero; settings that the core has at most. */
enum { FB_NAME_MAX = 64, FB_CORE_FIELDS_MAX = 96 };

/* Reads the core's settings over what *core has. members: of the cluster; 0: not known. keys: what
 * the map keeps pointers to until it is closed. Errors: a value out of its range, more copies than
 * there can be. */
void fb_core_fields_load(struct fb_map *map, struct fb_config *core, uint32_t members,
                         char keys[FB_CORE_FIELDS_MAX][FB_NAME_MAX]);

/* Errors: settings that contradict each other. */
void fb_core_check(const struct fb_config *core, struct fb_map *map);

/* The key of a config field as experiments write it: its name without _bytes or _ns. */
void fb_core_key(const char *field, char key[FB_NAME_MAX]);

#endif
