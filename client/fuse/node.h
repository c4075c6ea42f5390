/* The kernel's inodes: an inode stands for a file, a folder or what else has a name, as it was when
 * it was looked at; see node.c. */
#ifndef FB_CLIENT_FUSE_NODE_H
#define FB_CLIENT_FUSE_NODE_H

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

bool fuse_nodes_open(struct fuse_nodes *nodes);
void fuse_nodes_close(struct fuse_nodes *nodes);

/* The inode of a child, looked up once more; NULL: out of memory. A file that is open as another
 * version, or something of another kind, keeps its inode, and the name gets a new one. */
struct fuse_node *fuse_nodes_add(struct fuse_nodes *nodes, struct fuse_node *parent,
                                 const char *child, const struct fuse_found *found);
/* The inode that a child has now, looked up once more; NULL: none. */
struct fuse_node *fuse_nodes_find(struct fuse_nodes *nodes, struct fuse_node *parent,
                                  const char *child);
/* The file of a node gets another name: that is to show its number. */
void fuse_nodes_linked(struct fuse_nodes *nodes, struct fuse_node *node);
void fuse_nodes_forget(struct fuse_nodes *nodes, struct fuse_node *node, uint64_t lookups);
/* Returns how many handles there are now. One that comes looks the node up once more; who ends it
 * forgets that when it is through with the node. */
uint32_t fuse_nodes_open_count(struct fuse_nodes *nodes, struct fuse_node *node, int change);

/* The number that a child has, or will have once it is looked up; also of "." and "..". */
uint64_t fuse_nodes_number(struct fuse_nodes *nodes, const struct fuse_node *parent,
                           const char *child);

/* A name is gone, or another's; its inode stays for those that have it open. */
void fuse_nodes_detach(struct fuse_nodes *nodes, struct fuse_node *parent, const char *child);
/* What one name meant, another means. is_exchange: and the other way round. false: no memory. */
struct fuse_name {
    struct fuse_node *parent;
    const char *child;
};
bool fuse_nodes_rename(struct fuse_nodes *nodes, struct fuse_name from, struct fuse_name to,
                       bool is_exchange);

/* Writes the full name; with child: the name of a child of it. 0, -ENAMETOOLONG, or -ENOENT: it has
 * none any more. */
int fuse_nodes_name(struct fuse_nodes *nodes, const struct fuse_node *node, const char *child,
                    char *name, uint32_t size);
/* Is a node the other, or in it? */
bool fuse_nodes_is_below(struct fuse_nodes *nodes, const struct fuse_node *node,
                         const struct fuse_node *above);

#endif
