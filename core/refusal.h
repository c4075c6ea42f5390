/* What the origin refuses for good, or was asked for as often as may be: how readers and writers
 * hear it, on this node and on others. See io.h, R16. */
#ifndef FB_CORE_REFUSAL_H
#define FB_CORE_REFUSAL_H

#include "core/node/step.h"

/* Of a fetch: is asking again of no use? Of a store FULL and INVALID are so, too. */
bool status_is_for_good(enum fb_status status);

/* attempt.c: a peer was told `status` by the origin, and has asked as often as it may. */
void attempt_hear_final(struct fb_node *node, uint32_t attempt, enum fb_status status);

/* serve.c: tells a peer that asked. */
void serve_deny_final(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status);

/* put.c: the origin refuses the entry's block: who waits for the origin hears it. */
void put_refused(struct step *step, uint32_t slot, enum fb_status status);

/* refused.c: what became of an owed block's store: OK: it is not refused, or not owed any more. */
void refused_set(struct fb_node *node, uint32_t dirty, enum fb_status status);
/* What a write hears for which there is no room, or no slot: BUSY, or what stands in the way. */
enum fb_status refused_answer(const struct fb_node *node, uint32_t size_bytes);

#endif
