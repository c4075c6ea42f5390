/* What a mount is told by those who make it. */
#ifndef FB_CLIENT_FUSE_OPTIONS_H
#define FB_CLIENT_FUSE_OPTIONS_H

#include "client/forebay.h"

#include <stdbool.h>

/* What `forebay mount` was told; the caller's, as long as it is mounted. */
struct fb_fuse_options {
    const char *socket;       /* paths are full: the mount goes to the background, and to / */
    const char *mountpoint;   /* a folder */
    const char *spill;        /* a folder for files that are changed in their middle */
    enum forebay_level level; /* of fsync, close and rename */
    bool is_read_only, is_foreground, is_debugging, allows_others;
};

#endif
