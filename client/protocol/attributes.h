/* What a file system says of a name beside its bytes, and how it is changed: between a client and
 * its daemon, and between the daemon and its origin. */
#ifndef FB_CLIENT_PROTOCOL_ATTRIBUTES_H
#define FB_CLIENT_PROTOCOL_ATTRIBUTES_H

#include <assert.h>
#include <stdint.h>

enum { FB_OBJECT_NAME_MAX = 1024 }; /* bytes of a name; what S3 and Azure Blob allow */

/* What is said of a name beside its bytes; times since 1970. */
struct fb_attributes {
    uint32_t mode; /* st_mode with its type; 0: the origin knows none */
    uint32_t owner, group;
    uint32_t links;
    uint64_t device; /* st_rdev of a device */
    uint64_t number; /* the origin's inode; 0: it has none */
    int64_t accessed_ns, modified_ns, changed_ns;
};

static_assert(sizeof(struct fb_attributes) == 56, "shared");

/* What is changed, or asked for, and which fields of a change say how. */
enum fb_change_kind {
    FB_CHANGE_MAKE = 1,      /* what attributes.mode says: a file (empty), folder, symbolic link to
                                text, FIFO, socket, device */
    FB_CHANGE_REMOVE_FOLDER, /* an empty one; flags: FB_REMOVE_MARKS */
    FB_CHANGE_REMOVE,        /* what is neither file nor folder */
    FB_CHANGE_RENAME,        /* text: the new name; flags: of renameat2 */
    FB_CHANGE_LINK,          /* text: one more name */
    FB_CHANGE_SET,           /* the attributes of `which` */
    FB_CHANGE_READ_LINK,     /* page: where it leads */
    FB_CHANGE_GET_EXTRA,     /* text: a key of an extended attribute; page: its value */
    FB_CHANGE_LIST_EXTRA,    /* page: keys, each with a zero byte */
    FB_CHANGE_SET_EXTRA,     /* text: key, a zero byte, value; flags: of setxattr */
    FB_CHANGE_REMOVE_EXTRA,  /* text: key */
    FB_CHANGE_COUNT,
};

/* What FB_CHANGE_SET sets. */
enum {
    FB_SET_MODE = 1,
    FB_SET_OWNER = 2,
    FB_SET_GROUP = 4,
    FB_SET_ACCESSED = 8,
    FB_SET_MODIFIED = 16,
    FB_SET_ACCESSED_NOW = 32,
    FB_SET_MODIFIED_NOW = 64,
    FB_SET_ALL = 127,
};

/* Of FB_CHANGE_MAKE: the folders that a name is in are made, too. */
enum { FB_MAKE_PARENTS = 1 };

/* Of FB_CHANGE_RENAME in a COMMIT: the name that was copied goes with it. */
enum { FB_RENAME_TAKES = 1 };

/* Of FB_CHANGE_REMOVE_FOLDER: of an object store, the objects that mark it, and no record. ENOENT:
 * there are none; ENOTEMPTY: there are others. */
enum { FB_REMOVE_MARKS = 1 };

#endif
