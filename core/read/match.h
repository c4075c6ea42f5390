/* match.c: longest cached prefix. */
#ifndef FB_CORE_READ_MATCH_H
#define FB_CORE_READ_MATCH_H

#include "core/node/flows.h"

void match_request(struct step *step, const struct fb_request *request);
void match_ask(struct step *step, const struct fb_message *message);
void match_tell(struct step *step, const struct fb_message *message);
void match_timer(struct step *step, uint32_t match);

#endif
