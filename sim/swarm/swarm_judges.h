/* What a run tells and asks of the models that its clients are judged by: durable blocks, names,
 * tenants, gathers. Their files, in oracle/, stand on the run. */
#ifndef FB_SIM_SWARM_SWARM_JUDGES_H
#define FB_SIM_SWARM_SWARM_JUDGES_H

#include "sim/swarm/promise.h"
#include "sim/swarm/swarm_names.h"
#include "sim/swarm/swarm_state.h"

/* swarm_durable.c */

/* Nobody wants the version that a request names any more. */
void swarm_durable_abandon(struct swarm *swarm, const struct fb_swarm_request *what);
/* The record of the block that a request names; sets the request's block and content, and, of a
 * write, that its bytes are about. */
struct swarm_durable *swarm_durable_ask(struct swarm *swarm, struct swarm_request *request);
/* The record of the block at this place, whatever its key; NULL: of no durable write. */
struct swarm_durable *swarm_durable_at(struct swarm *swarm, const struct fb_block *block);
/* The record of a whole block; NULL: it is of no durable write. */
struct swarm_durable *swarm_durable_find(struct swarm *swarm, const struct fb_block *block);
/* A read of a written block: the request's content becomes the variant that it got. */
void swarm_durable_read(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_span *span);
/* The level that a write asks for, enum fb_level. */
uint32_t swarm_level_of(const struct fb_swarm_request *what);
/* Can drives be relied on, so that only a drive that is replaced loses what is on it? */
bool swarm_drives_are_true(const struct fb_swarm_plan *plan);
/* A STORE has reached the origin: judged, and remembered. */
void swarm_stored(struct swarm *swarm, const struct swarm_event *event);
/* A write is answered OK: what is promised from now on, and is it true now? */
void swarm_acked(struct swarm *swarm, const struct swarm_request *request);
/* Was it acknowledged and not given up, and does one of these nodes, a bit mask, have a copy? */
bool swarm_is_kept(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes);
/* All is healed and quiet: judges that what is kept is at the origin. */
void swarm_check_kept(struct swarm *swarm);

/* swarm_copies.c */

/* Do the node's words in memory hold the block, as somebody wrote it? */
bool swarm_memory_has(const struct swarm *swarm, uint32_t node,
                      const struct swarm_durable *durable);
/* Does the node's drive have the block, as an OWED header says and its words show? */
bool swarm_drive_has(const struct swarm *swarm, uint32_t node, const struct swarm_durable *durable);
/* Does this node write fragments, as it sees its members? */
bool swarm_is_coded(const struct swarm *swarm, uint32_t node);
/* Is there a copy, or fragments enough, among these nodes, a bit mask? */
bool swarm_has_copy(const struct swarm *swarm, const struct swarm_durable *durable, uint32_t nodes);
/* Those that are up as far as the node knows, itself included; a bit mask. */
uint32_t swarm_members_of(const struct swarm *swarm, uint32_t node);
/* Nodes that must have a write of this level before it is answered; told: how many its answer
 * says. */
uint32_t swarm_promised(const struct swarm *swarm, uint32_t level, uint32_t told);
/* A node sends HELD to a writer: it has a copy from now on, which is judged. */
void swarm_copy_told(struct swarm *swarm, uint32_t node, uint32_t writer,
                     const struct fb_message_held *held);
/* A node asks another to hold a block: what it does not let go of itself. */
void swarm_copy_asked(struct swarm *swarm, uint32_t node, const struct fb_message_hold *hold);
/* A message is at a node: of HOLD and HELD, what that begins and ends. */
void swarm_copy_heard(struct swarm *swarm, uint32_t node, const struct fb_message *message);
/* A write of this node is answered: its own copy counts. Returns how many nodes have one. */
uint32_t swarm_copy_acked(struct swarm *swarm, struct swarm_durable *durable, uint32_t node);
/* A WRITE to a drive is done: a copy there begins, if its header is OWED and its digest right. */
void swarm_copy_written(struct swarm *swarm, uint32_t node, const struct fb_op *op);
/* The fault has struck the block with this key on a node's drive. */
void swarm_copy_damaged(struct swarm *swarm, uint32_t node, struct fb_key key,
                        enum fb_promise_fault fault);
/* A node is told of its members: who had copies before does not say who has them now. */
void swarm_copies_viewed(struct swarm *swarm, uint32_t node);
/* The fault has struck a node: what does not outlast it is no copy any more. */
void swarm_copies_strike(struct swarm *swarm, uint32_t node, enum fb_promise_fault fault);
/* A read of what a node shall find again on its drive has failed; as often as it is tried, it is
 * as good as lost. */
void swarm_copy_unread(struct swarm *swarm, uint32_t node, const struct fb_block *block);
/* The same of a scan: nothing of the drive is found again. */
void swarm_copies_unscanned(struct swarm *swarm, uint32_t node);
/* Members changed a while ago: judges that there are as many copies again as are promised. */
void swarm_check_copies(struct swarm *swarm);
/* A node begins again: what of its copies its drive still has. */
void swarm_copies_restart(struct swarm *swarm, uint32_t node);

/* swarm_code.c */

/* ENCODE: writes the parity fragments of a block in the node's memory. */
void swarm_encode(struct swarm *swarm, const struct swarm_event *event);
/* DECODE: makes a block of the fragments in the node's memory. False: there are too few. */
bool swarm_decode(struct swarm *swarm, const struct swarm_event *event);

/* swarm_gather.c */

/* Makes the request of verb gather; its ranges are in swarm->ranges until the step ends. */
void swarm_ask_gather(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
/* Is the block kept on this node by a pin, or among what a gather still waits for? */
bool swarm_keeps(const struct swarm *swarm, uint32_t node, const struct fb_block *block);
/* Makes the request of verb pin. */
void swarm_ask_pin(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
/* Makes the request of verb prefetch. */
void swarm_ask_prefetch(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
/* Judges the reply to a range; one that came is held, and its release queued. */
void swarm_judge_gather(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
/* Judges a pin's reply; request->known becomes its end by the node's clock. */
void swarm_judge_pin(struct swarm *swarm, struct swarm_request *request,
                     const struct fb_reply *reply);
/* What a reply that was judged leaves of a gather. */
enum swarm_gather_rest swarm_gather_rest(const struct swarm_request *request,
                                         const struct fb_reply *reply);
/* SWARM_ITEM is due: judges a range's bytes once more, and releases it. */
void swarm_item_release(struct swarm *swarm, struct swarm_event *event);
/* Takes a pin back, and judges that its block was there until then, or its end. */
void swarm_unpin(struct swarm *swarm, const struct swarm_request *request);

/* swarm_tenant.c */

/* The tenant of an object's blocks; 0: it has no limits. */
uint32_t swarm_tenant_of(const struct fb_swarm_plan *plan, uint32_t object);
/* A life of a node begins: it is told the tenant's limits, if the plan has any. */
void swarm_tenant_begin(struct swarm *swarm, uint32_t node);
/* The node answers that: judged. */
void swarm_tenant_reply(struct swarm *swarm, uint32_t node, const struct fb_reply *reply);
/* All is quiet: judges that every node is within the quota. */
void swarm_check_quota(struct swarm *swarm);
/* Bytes of a block have come into a node's memory: when, for its time to live. */
void swarm_filled(struct swarm *swarm, uint32_t node, const struct fb_block *block);
/* A read was served: judges that a block from memory was not too old. */
void swarm_check_fresh(struct swarm *swarm, const struct swarm_request *request,
                       const struct fb_reply *reply);

#endif
