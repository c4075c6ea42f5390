/* The numbers that inodes show: st_ino. All with the tree's mutex held; see number.c. */
#ifndef FB_CLIENT_FUSE_NUMBER_H
#define FB_CLIENT_FUSE_NUMBER_H

#include "client/fuse/tree.h"

/* The number of a name of which no node is there, if its file has no other. */
uint64_t number_of_name(struct fuse_nodes *nodes, const struct fuse_node *parent, const char *name);
/* Gives a new node of a parent and a name its number. */
void number_choose(struct fuse_nodes *nodes, struct fuse_node *node,
                   const struct fuse_found *found);
/* Has a node that nobody has open the number that what is found under its name is to have? */
bool number_fits(struct fuse_nodes *nodes, struct fuse_node *node, const struct fuse_found *found);
/* Its file is the one that the origin knows by this number. */
void number_relate(struct fuse_nodes *nodes, struct fuse_node *node, uint64_t origin_number);
/* The node goes on with the number of a name that it has no more: the next file of that name is to
 * have another, or programs take the two for one. */
void number_stray(struct fuse_nodes *nodes, struct fuse_node *node);
/* It has no name, and its number is no other's. */
void number_detach(struct fuse_nodes *nodes, struct fuse_node *node);
/* It goes. */
void number_end(struct fuse_nodes *nodes, struct fuse_node *node);

#endif
