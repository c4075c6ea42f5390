/* What a run tells and asks of the model of names: what their records and the origin show of them.
 * See oracle/swarm_name.c; included by swarm_judges.h. */
#ifndef FB_SIM_SWARM_SWARM_NAMES_H
#define FB_SIM_SWARM_SWARM_NAMES_H

#include "sim/swarm/swarm_state.h"

/* An op about names or the origin begins: draws *delay_ns and, in event->status, whether it
 * fails. */
void swarm_name_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns);
/* The op takes effect, or not; its answer goes into event->said. */
void swarm_name_effect(struct swarm *swarm, struct swarm_event *event);
/* An op that broke off takes effect after its answer. */
void swarm_name_late(struct swarm *swarm, const struct swarm_event *event);
/* A node has given a name up: judges that its block was nowhere. */
void swarm_name_lost(struct swarm *swarm, const struct swarm_event *event);
/* Is a name's block nowhere but, perhaps, with a dead node that the view still names? Then it is
 * waited for without end. */
bool swarm_name_waits(const struct swarm *swarm);
/* All is quiet: judges that the origin shows what was committed last. */
void swarm_check_names(struct swarm *swarm);
/* Draws whether a plan has names, and its requests for them, from a sequence of its own. */
void swarm_plan_names(struct fb_swarm_plan *plan);
/* Makes the request of verb name_look; a stranger may come to the origin before. */
void swarm_ask_name_look(struct swarm *swarm, struct swarm_request *request,
                         struct fb_request *out);
/* Makes the request of verb name_write: a BEGIN, or the COMMIT of what was begun. */
void swarm_ask_name_write(struct swarm *swarm, struct swarm_request *request,
                          struct fb_request *out);
/* Makes the request of verb name_remove. */
void swarm_ask_name_remove(struct swarm *swarm, struct swarm_request *request,
                           struct fb_request *out);
/* Judges its reply against the records and what the origin has shown. */
void swarm_judge_name_look(struct swarm *swarm, struct swarm_request *request,
                           const struct fb_reply *reply);
/* Judges its reply: a commit that was answered OK is in the history, one that lost is not. */
void swarm_judge_name_write(struct swarm *swarm, struct swarm_request *request,
                            const struct fb_reply *reply);
/* Judges its reply likewise. */
void swarm_judge_name_remove(struct swarm *swarm, struct swarm_request *request,
                             const struct fb_reply *reply);

#endif
