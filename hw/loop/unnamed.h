/* What the drive owed at the start under names that the metadata store has no record of, or an
 * older one: a writer died before its commit, or the store is one that was put back from before.
 * Of the latter a name that was acknowledged is not there; which of them it is nobody here can
 * tell, so it is said. Each name is asked for once in a row of its blocks, beside all else. */
#ifndef FB_HW_LOOP_UNNAMED_H
#define FB_HW_LOOP_UNNAMED_H

#include "core/io.h"
#include "hw/meta/meta.h"

struct fb_unnamed {
    bool has_begun, is_asking, is_unnamed; /* is_unnamed: of the object that was asked for last */
    uint64_t left, cursor;                 /* owed blocks to be found; of the next header */
    uint64_t blocks, bytes;                /* that are unnamed */
    struct fb_object object;               /* that was asked for last */
    struct fb_header header;               /* of it */
    struct fb_meta_task meta;
    char name[FB_OBJECT_NAME_MAX + 1]; /* the first one found; empty: none */
};

struct fb_loop;

void fb_unnamed_sweep(struct fb_loop *loop);

#endif
