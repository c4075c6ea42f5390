/* The kernel's inodes: a number stands for a name until the kernel forgets it. The root is 1. */
#ifndef FB_HW_FUSE_NODE_H
#define FB_HW_FUSE_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_node {
    uint64_t lookups; /* that the kernel has not forgotten */
    uint32_t next;    /* hash chain, or free list */
    char *name;       /* full; "" for the root; NULL: free */
};

struct fuse_nodes {
    pthread_mutex_t mutex;
    struct fuse_node *list;
    uint32_t *buckets;
    uint32_t count, room, free;
};

bool fuse_nodes_open(struct fuse_nodes *nodes);
void fuse_nodes_close(struct fuse_nodes *nodes);

/* The inode of a full name, looked up once more; 0: out of memory. */
uint64_t fuse_nodes_add(struct fuse_nodes *nodes, const char *name);
/* The inode of `from` stands for `to` from now on. false: out of memory. */
bool fuse_nodes_rename(struct fuse_nodes *nodes, const char *from, const char *to);
void fuse_nodes_forget(struct fuse_nodes *nodes, uint64_t inode, uint64_t lookups);

/* Writes the full name; with child: the name of a child of it. false: too long, or no such inode.
 */
bool fuse_nodes_name(struct fuse_nodes *nodes, uint64_t inode, const char *child, char *name,
                     uint32_t size);

#endif
