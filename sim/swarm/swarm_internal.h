/* What the files of a run call of each other. */
#ifndef FB_SIM_SWARM_SWARM_INTERNAL_H
#define FB_SIM_SWARM_SWARM_INTERNAL_H

#include "core/key.h"
#include "core/panic.h"
#include "sim/swarm/promise.h"
#include "sim/swarm/swarm_judges.h"
#include "sim/swarm/swarm_state.h"

/* swarm_run.c: the queue of events. */
/* Longest that a node may take to answer, or to mend, when all is well. */
uint64_t swarm_limit_ns(const struct fb_swarm_plan *plan);
struct swarm_event *swarm_push(struct swarm *swarm, uint64_t at_ns, enum swarm_event_kind kind,
                               uint32_t node);
void swarm_push_again(struct swarm *swarm, const struct swarm_event *event, uint64_t at_ns);

/* swarm_run.c: a node is dead for good, and the view still names it. */
bool swarm_has_dead_member(const struct swarm *swarm);

/* swarm_plan.c: a block's size is a function of its place. */
uint32_t swarm_block_size(const struct fb_swarm_plan *plan, uint64_t place);

/* swarm_fault.c: does a fault of this kind strike now? Counts it. peer: FB_NONE: no link. */
const struct fb_swarm_fault *swarm_fault(struct swarm *swarm, enum fb_swarm_fault_kind kind,
                                         uint32_t node, uint32_t peer);
bool swarm_fault_is_on(const struct swarm *swarm, const struct fb_swarm_fault *fault);
void swarm_fault_order(struct swarm *swarm);
uint64_t swarm_draw(struct swarm *swarm, uint32_t node, uint64_t bound); /* 0..bound-1 */
uint64_t swarm_spread(struct swarm *swarm, uint32_t node, uint64_t typical_ns);

/* swarm_node.c: the life of a node. */
void swarm_node_open(struct swarm *swarm, uint32_t node);
void swarm_node_close(struct swarm_node *host);
void swarm_node_crash(struct swarm *swarm, uint32_t node, enum fb_promise_fault cause);
void swarm_node_restart(struct swarm *swarm, uint32_t node);
void swarm_node_step(struct swarm *swarm, uint32_t node, const struct fb_event *event);
void swarm_node_tick(struct swarm *swarm, uint32_t node);
void swarm_node_arm(struct swarm *swarm, uint32_t node); /* queues the TICK that it wants */
uint64_t swarm_node_now_ns(const struct swarm *swarm, uint32_t node);

/* swarm_view.c: who is a member. */
void swarm_view_change(struct swarm *swarm, uint32_t up_mask);
void swarm_view_tell_list(struct swarm *swarm, uint32_t node, uint32_t mask, uint64_t version);
void swarm_views_free(struct swarm *swarm);
void swarm_view_tell(struct swarm *swarm, uint32_t node, uint64_t delay_ns);
uint32_t swarm_view_ranks(const struct fb_swarm_plan *plan);

/* swarm_network.c */
void swarm_send(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_deliver(struct swarm *swarm, struct swarm_event *event);
/* A link from a to b is cut, for messages or for pulls. */
bool swarm_is_cut(struct swarm *swarm, uint32_t source, uint32_t target);
/* When a clogged link lets go; now when it is not clogged. */
uint64_t swarm_clog_ns(struct swarm *swarm, uint32_t source, uint32_t target);

/* swarm_op.c: ops from READ on. */
void swarm_op(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_op_half(struct swarm *swarm, struct swarm_event *event);
void swarm_op_done(struct swarm *swarm, struct swarm_event *event);

/* swarm_bytes.c: words in units. */
uint64_t swarm_content(uint64_t object, uint64_t offset);
uint32_t swarm_units(const struct swarm *swarm, uint64_t size_bytes);
uint64_t swarm_word(uint64_t content, uint32_t unit);
uint64_t swarm_digest(const uint64_t *words, uint32_t count, uint64_t size_bytes);
void swarm_poison(struct swarm *swarm, uint32_t node, uint64_t *words, uint32_t count);
/* Units of a span of this node's own memory or device; false: out of bounds, and judged. */
bool swarm_place(struct swarm *swarm, uint32_t node, const struct fb_span *span, uint32_t region,
                 uint32_t *first);
bool swarm_holds(const struct swarm *swarm, const struct fb_span *span, uint64_t content);

/* swarm_verb.c: the clients. */
void swarm_request_add(struct swarm *swarm, const struct fb_swarm_request *what, bool must_succeed);
void swarm_request_send(struct swarm *swarm, uint32_t index);
void swarm_request_release(struct swarm *swarm, uint32_t index, uint64_t try);
void swarm_request_lost(struct swarm *swarm, uint32_t node);
void swarm_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply);
void swarm_lease(struct swarm *swarm, uint32_t index, bool is_taken);
struct fb_key swarm_chain_key(uint32_t chain, uint32_t index);

static inline uint32_t swarm_index(const struct swarm *swarm, const struct swarm_request *request)
{
    return (uint32_t)(request - swarm->requests);
}

/* swarm_check.c: what is judged. A check that does not hold ends the run. */
bool swarm_judge(struct swarm *swarm, enum fb_swarm_check check, bool holds, const char *form, ...)
    __attribute__((format(printf, 4, 5)));
void swarm_loan_begin(struct swarm *swarm, uint32_t node, const struct fb_message_offer *offer,
                      uint32_t target);
void swarm_loan_end(struct swarm *swarm, uint32_t node, const struct fb_message *message);
void swarm_check_write(struct swarm *swarm, uint32_t node, uint32_t first, uint32_t count);
bool swarm_is_idle(const struct swarm *swarm, uint32_t *node);
void swarm_check_all(struct swarm *swarm);

/* swarm_sometimes.c */
void swarm_saw(struct swarm *swarm, enum fb_swarm_sight sight);
void swarm_saw_stats(struct swarm *swarm, uint32_t node);
void swarm_saw_status(struct swarm *swarm, uint32_t status);

/* swarm_drive.c */
void swarm_drive_write(struct swarm *swarm, struct swarm_event *event);
void swarm_drive_written(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_drive_mark(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_drive_scan(struct swarm *swarm, const struct swarm_event *event, struct fb_done *done);
void swarm_drive_crash(struct swarm *swarm, uint32_t node, bool is_power_cut);
void swarm_drive_restart(struct swarm *swarm, uint32_t node);

/* swarm_meta.c: the metadata store and its clients. */
void swarm_meta_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns);
void swarm_meta_effect(struct swarm *swarm, struct swarm_event *event);
void swarm_meta_late(struct swarm *swarm, const struct swarm_event *event);
void swarm_ask_lookup(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
void swarm_ask_commit(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
void swarm_judge_lookup(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
void swarm_judge_commit(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
void swarm_names_free(struct swarm *swarm);

#endif
