/* The origin's namespace as a mounted file system: `forebay mount`. What holds for programs that
 * use it is in docs/mount.md; how files are written in writer.c.
 *
 *  1. Opening a file pins its version: another node's version is another inode (node.c).
 *  2. Bytes of a read within one block go from the daemon's cache memory to the kernel without a
 *     copy in between.
 *  3. A daemon that restarts is connected to again; calls wait for it a while, then fail. */
#ifndef FB_CLIENT_FUSE_FUSE_H
#define FB_CLIENT_FUSE_FUSE_H

#include "client/fuse/options.h"

/* Mounts and serves until it is unmounted. Returns the exit code, and says what is
 * wrong on stderr; or -errno: there is no daemon, which the caller is to say. */
int fb_fuse_run(const struct fb_fuse_options *options);

#endif
