/* What the files of a run call of each other. */
#ifndef FB_SIM_SWARM_SWARM_INTERNAL_H
#define FB_SIM_SWARM_SWARM_INTERNAL_H

#include "core/key.h"
#include "core/panic.h"
#include "sim/swarm/promise.h"
#include "sim/swarm/swarm_effects.h"
#include "sim/swarm/swarm_judges.h"
#include "sim/swarm/swarm_state.h"

/* swarm_run.c */

/* Longest that a node may take to answer, or to mend, when all is well. */
uint64_t swarm_limit_ns(const struct fb_swarm_plan *plan);
/* Queues an event for at_ns, now or later, as of the node's present life; the caller fills in the
 * rest. Valid until the next push. */
struct swarm_event *swarm_push(struct swarm *swarm, uint64_t at_ns, enum swarm_event_kind kind,
                               uint32_t node);
/* Queues a copy of an event that was taken off the queue. */
void swarm_push_again(struct swarm *swarm, const struct swarm_event *event, uint64_t at_ns);

/* Is a node dead for good that the view still names? */
bool swarm_has_dead_member(const struct swarm *swarm);

/* swarm_plan.c */

/* The size of the block at a place, 1..block_size_bytes: always the same one. */
uint32_t swarm_block_size(const struct fb_swarm_plan *plan, uint64_t place);

/* swarm_fault.c */

/* The first fault of this kind that strikes now, counted; NULL: none. peer: of a link; FB_NONE: the
 * node alone. */
const struct fb_swarm_fault *swarm_fault(struct swarm *swarm, enum fb_swarm_fault_kind kind,
                                         uint32_t node, uint32_t peer);
/* Is now within the fault's time? */
bool swarm_fault_is_on(const struct swarm *swarm, const struct fb_swarm_fault *fault);
/* Sorts the plan's faults by kind for swarm_fault; once, before it is asked. */
void swarm_fault_order(struct swarm *swarm);
/* A number 0..bound-1 of the node's own sequence. */
uint64_t swarm_draw(struct swarm *swarm, uint32_t node, uint64_t bound);
/* A delay drawn around a typical one: mostly half to one and a half of it, rarely up to eight
 * times. */
uint64_t swarm_spread(struct swarm *swarm, uint32_t node, uint64_t typical_ns);

/* swarm_node.c */

/* Allocates a node's bytes and core, and begins its first life. */
void swarm_node_open(struct swarm *swarm, uint32_t node);
/* Frees what swarm_node_open allocated. */
void swarm_node_close(struct swarm_node *host);
/* A node that is up stops, and what it promised is struck by the cause. */
void swarm_node_crash(struct swarm *swarm, uint32_t node, enum fb_promise_fault cause);
/* A node that is down, and not dead, begins another life. */
void swarm_node_restart(struct swarm *swarm, uint32_t node);
/* Steps the core of a node that is up, records event and ops, and carries the ops out. Nothing once
 * the run is over. */
void swarm_node_step(struct swarm *swarm, uint32_t node, const struct fb_event *event);
/* The TICK that was queued is due: given to the core if it still wants one. */
void swarm_node_tick(struct swarm *swarm, uint32_t node);
/* Queues the TICK that a node that is up wants, unless an earlier one is queued. */
void swarm_node_arm(struct swarm *swarm, uint32_t node);
/* Now by the node's own clock. */
uint64_t swarm_node_now_ns(const struct swarm *swarm, uint32_t node);

/* swarm_view.c */

/* These nodes are the members from now on; without a store all that are up will be told. Nothing
 * changes for others when no view can be made. */
void swarm_view_change(struct swarm *swarm, uint32_t up_mask);
/* Tells a node at once a view of the members that it saw at the store. */
void swarm_view_tell_list(struct swarm *swarm, uint32_t node, uint32_t mask, uint64_t version);
/* Frees the run's views. */
void swarm_views_free(struct swarm *swarm);
/* The node hears of the present view after this delay; nothing with a store of members. */
void swarm_view_tell(struct swarm *swarm, uint32_t node, uint64_t delay_ns);
/* Copies that a view places: replicas, or as many as there are nodes. */
uint32_t swarm_view_ranks(const struct fb_swarm_plan *plan);

/* swarm_verb.c */

/* Adds a client's request and queues it for its time. must_succeed: it is tried for ever. There
 * must be room: run_open reserves it. */
void swarm_request_add(struct swarm *swarm, const struct fb_swarm_request *what, bool must_succeed);
/* SWARM_REQUEST is due: asked, put off while the node does not serve, or a try in vain. */
void swarm_request_send(struct swarm *swarm, uint32_t index);
/* The client gives back what try number `try` got; nothing when that is over already. */
void swarm_request_release(struct swarm *swarm, uint32_t index, uint64_t try);
/* The node has crashed: what its clients asked is tried again, what they held is gone. */
void swarm_request_lost(struct swarm *swarm, uint32_t node);
/* A node's REPLY: judged, then held, tried again or ended. */
void swarm_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply);
/* A lease's units are read by the client from is_taken on, until it is called without. */
void swarm_lease(struct swarm *swarm, uint32_t index, bool is_taken);
/* Key of the index-th block of a chain; neighbouring chains share their first ones. */
struct fb_key swarm_chain_key(uint32_t chain, uint32_t index);

/* The place of a request in swarm->requests. */
static inline uint32_t swarm_index(const struct swarm *swarm, const struct swarm_request *request)
{
    return (uint32_t)(request - swarm->requests);
}

/* swarm_check.c */

/* Judges one check, and counts it. A check that does not hold ends the run with the text, made as
 * printf does; beyond the atlas a loss is counted instead, and holds. Returns whether it holds. */
bool swarm_judge(struct swarm *swarm, enum fb_swarm_check check, bool holds, const char *form, ...)
    __attribute__((format(printf, 4, 5)));
/* The node has sent an OFFER to target: the bytes are lent from now on. */
void swarm_loan_begin(struct swarm *swarm, uint32_t node, const struct fb_message_offer *offer,
                      uint32_t target);
/* A message is at the node: a RETURN, or a complaint, ends loans. */
void swarm_loan_end(struct swarm *swarm, uint32_t node, const struct fb_message *message);
/* The node is about to write these units of its memory: none of them may be lent. */
void swarm_check_write(struct swarm *swarm, uint32_t node, uint32_t first, uint32_t count);
/* Are all nodes that are not dead idle? If not, *node is one that is not. */
bool swarm_is_idle(const struct swarm *swarm, uint32_t *node);
/* Asserts the invariants of every core that is not dead. */
void swarm_check_all(struct swarm *swarm);

/* swarm_sometimes.c */

/* Counts a sight. */
void swarm_saw(struct swarm *swarm, enum fb_swarm_sight sight);
/* A life of a node is over: adds its core's counters to what was seen. */
void swarm_saw_stats(struct swarm *swarm, uint32_t node);
/* Counts the status of a reply. */
void swarm_saw_status(struct swarm *swarm, uint32_t status);

#endif
