/* Is a block that the origin has not got anywhere? See search.c. */
#ifndef FB_CORE_SEARCH_H
#define FB_CORE_SEARCH_H

#include "flows.h"

/* Asks all who may have the fill's block, with its idle attempt. False: everybody was asked before,
 * or there is nobody to ask. */
bool search_begin(struct step *step, uint32_t fill);
void search_timer(struct step *step, uint32_t attempt);
void search_answer(struct step *step, const struct fb_message *message);
void search_heard(struct step *step, const struct fb_message *message);

#endif
