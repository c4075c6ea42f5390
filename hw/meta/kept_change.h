/* How what is kept of a name (kept.h) is changed: values alone, no store and no origin. */
#ifndef FB_HW_META_KEPT_CHANGE_H
#define FB_HW_META_KEPT_CHANGE_H

#include "hw/meta/kept.h"
#include "hw/origin/origin_task.h"

/* Bytes of a key of an extended attribute, and of where a symbolic link leads, at most. */
enum { FB_KEPT_KEY_MAX = 255, FB_KEPT_LINK_MAX = FB_KEPT_EXTRAS_MAX - 8 };

/* What a change is made in view of. */
struct fb_kept_scene {
    uint32_t type;    /* S_IFMT of what has the name; 0: nothing */
    uint64_t version; /* of the file, or `made` of what has no object */
    int64_t now_ns;   /* time of day */
    uint32_t user;    /* who asks; 0: root */
};

/* Makes what has no object: as the change says, of a version. Returns 0 or an errno. */
int fb_kept_make(struct fb_kept *kept, const struct fb_origin_change *change,
                 const struct fb_kept_scene *scene);

/* A file that is new, of a version: its mode, owner, group, and (modified_ns not 0) times. */
void fb_kept_begin(struct fb_kept *kept, const struct fb_attributes *wanted,
                   const struct fb_kept_scene *scene);

/* SET, SET_EXTRA, REMOVE_EXTRA. What is not kept yet is kept from now on as the client sees it
 * (change->attributes, of which `which` are those that it wants). Returns 0 or an errno. */
int fb_kept_change(struct fb_kept *kept, const struct fb_origin_change *change,
                   const struct fb_kept_scene *scene);

/* READ_LINK, GET_EXTRA, LIST_EXTRA: writes what is asked for. Returns 0 or an errno. */
int fb_kept_ask(const struct fb_kept *kept, const struct fb_origin_change *change,
                struct fb_bytes page, uint64_t *size);

/* Where a link of a name leads, as a name: of at most FB_OBJECT_NAME_MAX bytes. false: nowhere, or
 * out of all names. */
bool fb_kept_follow(const struct fb_kept *kept, const char *name,
                    char target[FB_OBJECT_NAME_MAX + 1]);

/* Adds to what the origin said of a file of a version, or says all of what has no object. */
void fb_kept_show(const struct fb_kept *kept, uint64_t version, struct fb_attributes *attributes);

#endif
