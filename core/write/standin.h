/* Who holds a block where an owner is silent. See standin.c. */
#ifndef FB_CORE_WRITE_STANDIN_H
#define FB_CORE_WRITE_STANDIN_H

#include "core/state/step.h"

/* put.c */
/* The owner at a rank; FB_NONE: there is none. */
uint32_t put_owner(const struct fb_node *node, struct fb_key key, uint32_t rank);

/* dirty.c: the drain is to look at a record soon. */
void dirty_renew(struct fb_node *node, uint32_t dirty);

/* standin.c */
/* Puts another member into a target's place. False: none is left. */
bool standin_take(struct fb_node *node, struct put *put, uint32_t place);
void standin_round(struct fb_node *node, struct put *put);
uint32_t standin_judge(struct fb_node *node, struct put *put);
void standin_held(struct fb_node *node, struct put *put, uint32_t source); /* it says so */
uint32_t standin_reach(struct fb_node *node, const struct put *put);
void standin_hold(struct fb_node *node, uint32_t dirty, uint32_t owner);
void standin_keep(struct fb_node *node, const struct put *put, uint32_t dirty);
bool standin_is_handing(struct fb_node *node, uint32_t dirty); /* to its owner: not stored now */

#endif
