/* What a run tells and asks of the models that its clients are judged by: durable blocks, names,
 * tenants, gathers. Their files, in oracle/, stand on the run. */
#ifndef FB_SIM_SWARM_SWARM_JUDGES_H
#define FB_SIM_SWARM_SWARM_JUDGES_H

#include "sim/swarm/promise.h"
#include "sim/swarm/swarm_state.h"

/* swarm_durable.c: what was promised, and what of it is at the origin. */
/* Nobody wants the version that a request names any more. */
void swarm_durable_abandon(struct swarm *swarm, const struct fb_swarm_request *what);
struct swarm_durable *swarm_durable_ask(struct swarm *swarm, struct swarm_request *request);
struct swarm_durable *swarm_durable_at(struct swarm *swarm, const struct fb_block *block);
struct swarm_durable *swarm_durable_find(struct swarm *swarm, const struct fb_block *block);
void swarm_durable_read(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_span *span);
uint32_t swarm_level_of(const struct fb_swarm_request *what);
bool swarm_drives_are_true(const struct fb_swarm_plan *plan);
void swarm_stored(struct swarm *swarm, const struct swarm_event *event);
void swarm_acked(struct swarm *swarm, const struct swarm_request *request);
bool swarm_is_kept(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes);
void swarm_check_kept(struct swarm *swarm);

/* swarm_copies.c: who has a copy of it. */
bool swarm_memory_has(const struct swarm *swarm, uint32_t node,
                      const struct swarm_durable *durable);
bool swarm_drive_has(const struct swarm *swarm, uint32_t node, const struct swarm_durable *durable);
bool swarm_is_coded(const struct swarm *swarm, uint32_t node);
/* Among these nodes, a bit mask. */
bool swarm_has_copy(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes);
/* Those that are up as far as the node knows, itself included. */
uint32_t swarm_members_of(const struct swarm *swarm, uint32_t node);
uint32_t swarm_promised(const struct swarm *swarm, uint32_t level, uint32_t told);
void swarm_copy_told(struct swarm *swarm, uint32_t node, uint32_t writer,
                     const struct fb_message_held *held);
void swarm_copy_asked(struct swarm *swarm, uint32_t node, const struct fb_message_hold *hold);
void swarm_copy_heard(struct swarm *swarm, uint32_t node, const struct fb_message *message);
uint32_t swarm_copy_acked(struct swarm *swarm, struct swarm_durable *durable, uint32_t node);
void swarm_copy_written(struct swarm *swarm, uint32_t node, const struct fb_op *op);
void swarm_copy_damaged(struct swarm *swarm, uint32_t node, struct fb_key key,
                        enum fb_promise_fault fault);
void swarm_copies_viewed(struct swarm *swarm, uint32_t node);
void swarm_copies_strike(struct swarm *swarm, uint32_t node, enum fb_promise_fault fault);
void swarm_copy_unread(struct swarm *swarm, uint32_t node, const struct fb_block *block);
void swarm_copies_unscanned(struct swarm *swarm, uint32_t node);
void swarm_check_copies(struct swarm *swarm);
void swarm_copies_restart(struct swarm *swarm, uint32_t node);

/* swarm_code.c: ENCODE and DECODE. */
void swarm_encode(struct swarm *swarm, const struct swarm_event *event);
bool swarm_decode(struct swarm *swarm, const struct swarm_event *event);

/* swarm_name.c: what the origin shows of names. */
void swarm_name_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns);
void swarm_name_effect(struct swarm *swarm, struct swarm_event *event);
void swarm_name_late(struct swarm *swarm, const struct swarm_event *event);
void swarm_name_lost(struct swarm *swarm, const struct swarm_event *event);
/* Is a name's block nowhere but, perhaps, with a dead node that the view still names? Then it is
 * waited for without end. */
bool swarm_name_waits(const struct swarm *swarm);
void swarm_check_names(struct swarm *swarm);
void swarm_plan_names(struct fb_swarm_plan *plan);
void swarm_ask_name_look(struct swarm *swarm, struct swarm_request *request,
                         struct fb_request *out);
void swarm_ask_name_write(struct swarm *swarm, struct swarm_request *request,
                          struct fb_request *out);
void swarm_ask_name_remove(struct swarm *swarm, struct swarm_request *request,
                           struct fb_request *out);
void swarm_judge_name_look(struct swarm *swarm, struct swarm_request *request,
                           const struct fb_reply *reply);
void swarm_judge_name_write(struct swarm *swarm, struct swarm_request *request,
                            const struct fb_reply *reply);
void swarm_judge_name_remove(struct swarm *swarm, struct swarm_request *request,
                             const struct fb_reply *reply);

/* swarm_gather.c: gathers, pins, hints. */
void swarm_ask_gather(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
bool swarm_keeps(const struct swarm *swarm, uint32_t node, const struct fb_block *block);
void swarm_ask_pin(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
void swarm_ask_prefetch(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
void swarm_judge_gather(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
void swarm_judge_pin(struct swarm *swarm, struct swarm_request *request,
                     const struct fb_reply *reply);
enum swarm_gather_rest swarm_gather_rest(const struct swarm_request *request,
                                         const struct fb_reply *reply);
void swarm_item_release(struct swarm *swarm, struct swarm_event *event);
void swarm_unpin(struct swarm *swarm, const struct swarm_request *request);

/* swarm_tenant.c */
uint32_t swarm_tenant_of(const struct fb_swarm_plan *plan, uint32_t object);
void swarm_tenant_begin(struct swarm *swarm, uint32_t node);
void swarm_tenant_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply);
void swarm_check_quota(struct swarm *swarm);
void swarm_filled(struct swarm *swarm, uint32_t node, const struct fb_block *block);
void swarm_check_fresh(struct swarm *swarm, const struct swarm_request *request,
                       const struct fb_reply *reply);

#endif
