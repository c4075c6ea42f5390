/* The origin's namespace as a mounted file system: `forebay mount`. What holds for programs that
 * use it is in docs/mount.md; how files are written in writer.c.
 *
 *  1. Opening a file pins its version: another node's version is another inode (node.c).
 *  2. Bytes of a read within one block go from the daemon's cache memory to the kernel without a
 *     copy in between.
 *  3. A daemon that restarts is connected to again; calls wait for it a while, then fail. */
#ifndef FB_CLIENT_FUSE_FUSE_H
#define FB_CLIENT_FUSE_FUSE_H

#include "client/forebay.h"

#include <stdbool.h>

struct fb_fuse_options {
    const char *socket;       /* paths are full: the mount goes to the background, and to / */
    const char *mountpoint;   /* a folder */
    const char *spill;        /* a folder for files that are changed in their middle */
    enum forebay_level level; /* of fsync, close and rename */
    bool is_read_only, is_foreground, is_debugging, allows_others;
};

/* Mounts and serves until it is unmounted. Returns the exit code, and says what is
 * wrong on stderr; or -errno: there is no daemon, which the caller is to say. */
int fb_fuse_run(const struct fb_fuse_options *options);

#endif
