/* Is what a peer sent such that the flows may rely on it? See sane.c. */
#ifndef FB_CORE_NODE_SANE_H
#define FB_CORE_NODE_SANE_H

#include "core/state/step.h"

bool message_is_sane(const struct fb_node *node, const struct fb_message *message);
/* Answers one that is not, where an answer is due, and counts it. */
void message_refuse(struct step *step, const struct fb_message *message);

#endif
