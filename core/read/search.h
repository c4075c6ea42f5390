/* Is a block that the origin has not got anywhere? See search.c. */
#ifndef FB_CORE_READ_SEARCH_H
#define FB_CORE_READ_SEARCH_H

#include "core/state/step.h"

enum { SEEKS_A_STEP = 4 }; /* Members that one step asks. */

/* How many may have a block that is looked for; and asks the i-th of them. False: it is nobody. */
uint32_t search_count(const struct fb_node *node);
/* Sends SEEK to the i-th that may have it; id: comes back. False: it is nobody. */
bool search_ask_one(struct step *step, struct fb_key key, uint32_t i, uint64_t id);
/* How long all who were asked are given to answer, at so many tries. */
uint64_t search_patience_ns(const struct fb_node *node, uint32_t tries);
/* What this node has of a block. OK: all of it; BUSY: it may have it soon; ABSENT: no more than
 * *fragments. */
enum fb_status search_here(struct fb_node *node, struct fb_key key, uint32_t *fragments);

/* Asks all who may have the fill's block, with its idle attempt. False: everybody was asked before,
 * or there is nobody to ask. */
bool search_begin(struct step *step, uint32_t fill);
/* Asks some more; ends the attempt when all had their time. */
void search_timer(struct step *step, uint32_t attempt);
/* A peer seeks a block: tells what is here of it. */
void search_answer(struct step *step, const struct fb_message *message);
/* A search of a mend, or of a name, hears of it next. */
void search_heard(struct step *step, const struct fb_message *message);

/* Are there fragments enough to make the block of? */
bool search_is_enough(const struct fb_node *node, uint32_t fragments, uint32_t size_bytes);
/* Whom those asked still wait for, once that one has answered. */
uint64_t search_answered(const struct fb_node *node, struct fb_key key, uint64_t waiting,
                         uint32_t source);

#endif
