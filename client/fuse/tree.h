/* The tree of inodes: what is kept of each, and of all; see node.h. */
#ifndef FB_CLIENT_FUSE_TREE_H
#define FB_CLIENT_FUSE_TREE_H

#include "core/panic.h"
#include "client/protocol/attributes.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct mount_writer;

/* The bytes that a file had when it was looked at or committed. */
struct fuse_object {
    uint64_t handle, size, version;
};

struct fuse_node {
    struct fuse_node *parent;  /* NULL: the root, or a name that is gone */
    struct fuse_node *next;    /* of its bucket */
    char *name;                /* in its parent; NULL: the root, or gone */
    uint64_t lookups;          /* that the kernel, handles and calls have not forgotten */
    uint32_t children, opens;  /* nodes below it; handles */
    uint32_t calls;            /* clients that are taken for its bytes; under the pool's mutex */
    uint64_t number;           /* st_ino */
    struct fuse_node *stray;   /* the next of those whose number came of another name */
    bool is_stray, is_shared;  /* is_shared: it was that of another name of its file */
    uint64_t origin_number;    /* by which others of its file find it; 0: they do not */
    struct fuse_node *related; /* the next of its bucket by that */
    uint32_t type;             /* S_IFMT of its mode */
    /* Of a file, under `mutex`. */
    pthread_mutex_t mutex;
    struct fuse_object object;
    uint64_t pages_version; /* that the kernel may hold pages of; 0: none */
    bool is_stale_told;     /* an open said so already */
    struct fb_attributes attributes;
    struct mount_writer *writer; /* NULL: nobody writes it; under writers_mutex, too */
};

enum { FUSE_STRAY_LISTS = 1024 };

struct fuse_nodes {
    pthread_mutex_t mutex; /* of the tree */
    struct fuse_node root;
    struct fuse_node **buckets;
    uint64_t count, room;
    struct fuse_node *strays[FUSE_STRAY_LISTS]; /* by number */
    struct fuse_node **related;                 /* buckets by origin_number */
    uint64_t related_count, related_room;
};

/* What a name was found to be. */
struct fuse_found {
    struct fuse_object object;
    bool is_ahead;                   /* of the origin: committed, and not shown there yet */
    bool is_told;                    /* the origin has attributes */
    struct fb_attributes attributes; /* with a type */
};

/* Has the file these bytes? Under another version, too, when only what is said of it has changed:
 * its mode, owner, or names. With its mutex held. */
bool fuse_node_has(const struct fuse_node *node, const struct fuse_found *found);

/* Its object is what was found, before its attributes are; the kernel's pages stay, if they are of
 * these bytes. With its mutex held. */
void fuse_node_take(struct fuse_node *node, const struct fuse_found *found);

#endif
