/* The kernel's inodes: an inode stands for a file, a folder or what else has a name, as it was when
 * it was looked at; see node.c. */
#ifndef FB_CLIENT_FUSE_NODE_H
#define FB_CLIENT_FUSE_NODE_H

#include "client/fuse/tree.h"

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
/* Looks a node up once more, that who calls has. */
void fuse_nodes_hold(struct fuse_nodes *nodes, struct fuse_node *node);
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
