/* A path that the daemon opened once and keeps open. Whoever moves, removes or replaces what it
 * names leaves the daemon with something that the next start does not find: what is acknowledged
 * from then on must not rest on it. */
#ifndef FB_HW_BASE_ANCHOR_H
#define FB_HW_BASE_ANCHOR_H

#include <stdatomic.h>
#include <stdint.h>

/* What was opened, and whether its path names it still. */
struct fb_anchor {
    const char *setting; /* "origin.path"; NULL: nothing is looked after */
    const char *path;    /* the caller's, as long as the anchor is used */
    uint64_t device, number, special;
    int file;                  /* with below: the path, opened; the caller's */
    const char *_Atomic below; /* a file in it that must be there; NULL: none */
    _Atomic int fault; /* of the last look: 0, ESTALE: another thing is there, or errno of a look */
};

/* file: the path, opened. The path is looked at from now on. */
void fb_anchor_set(struct fb_anchor *anchor, const char *setting, const char *path, int file);

/* A file in the folder that is looked for, too: without it another thing is there, whatever its
 * inode says. */
void fb_anchor_keep(struct fb_anchor *anchor, const char *below);

/* Looks whether the path names still what was opened, and logs when that changes; any thread, which
 * may wait for the file system. Returns 0 or an errno: ESTALE: it names something else. */
int fb_anchor_look(struct fb_anchor *anchor);

/* What the last look found. */
int fb_anchor_fault(const struct fb_anchor *anchor);

/* The fault for people: "another one than was opened is there". */
const char *fb_anchor_reason(int fault);

#endif
