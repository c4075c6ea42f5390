/* What becomes of what a node says and does: messages, ops and their bytes, drives, the metadata
 * store. Included by swarm_internal.h. */
#ifndef FB_SIM_SWARM_SWARM_EFFECTS_H
#define FB_SIM_SWARM_SWARM_EFFECTS_H

#include "sim/swarm/swarm_state.h"

/* swarm_network.c */

/* A node's SEND: judged, and delivered, lost, doubled or late. */
void swarm_send(struct swarm *swarm, uint32_t node, const struct fb_op *op);
/* A message is at its target: dropped if that is down, put off while it is busy. */
void swarm_deliver(struct swarm *swarm, struct swarm_event *event);
/* Is the link from source to target cut, for messages or for pulls? A strike is counted. */
bool swarm_is_cut(struct swarm *swarm, uint32_t source, uint32_t target);
/* When a clogged link lets go; now when it is not clogged. */
uint64_t swarm_clog_ns(struct swarm *swarm, uint32_t source, uint32_t target);

/* swarm_op.c */

/* An op of a node from READ on begins: its memory is claimed, its end is queued. */
void swarm_op(struct swarm *swarm, uint32_t node, const struct fb_op *op);
/* SWARM_HALF is due: the first half moves, the rest is queued. */
void swarm_op_half(struct swarm *swarm, struct swarm_event *event);
/* SWARM_DONE is due: the rest moves, and the node gets its DONE when it is ready. */
void swarm_op_done(struct swarm *swarm, struct swarm_event *event);

/* swarm_bytes.c */

/* The word that a block's words are made of, from its object and offset. */
uint64_t swarm_content(uint64_t object, uint64_t offset);
/* Units that so many bytes take, rounded up. */
uint32_t swarm_units(const struct swarm *swarm, uint64_t size_bytes);
/* The odd word of a unit of this content. */
uint64_t swarm_word(uint64_t content, uint32_t unit);
/* What a digest of these words gives. */
uint64_t swarm_digest(const uint64_t *words, uint32_t count, uint64_t size_bytes);
/* Fills the words with even ones, which no content has, others each time. */
void swarm_poison(struct swarm *swarm, uint32_t node, uint64_t *words, uint32_t count);
/* The first unit of a span of this node's own memory or device. False: out of bounds, and
 * judged. */
bool swarm_place(struct swarm *swarm, uint32_t node, const struct fb_span *span, uint32_t region,
                 uint32_t *first);
/* Does a span of memory hold this content from its first to its last unit? */
bool swarm_holds(const struct swarm *swarm, const struct fb_span *span, uint64_t content);

/* swarm_drive.c */

/* A WRITE's second half: the bytes are on the device, or a fault has them elsewhere, by half or
 * nowhere. */
void swarm_drive_write(struct swarm *swarm, struct swarm_event *event);
/* A WRITE is done: its header is kept, and what is owed is flushed. */
void swarm_drive_written(struct swarm *swarm, uint32_t node, const struct fb_op *op);
/* MARK: the header says that the block is stored; sometimes that is lost. */
void swarm_drive_mark(struct swarm *swarm, uint32_t node, const struct fb_op *op);
/* SCAN is done: the next header goes into *done, or ABSENT: there is no other. */
void swarm_drive_scan(struct swarm *swarm, const struct swarm_event *event, struct fb_done *done);
/* The node stops: writes under way are torn; a power cut takes what was not flushed. host->life is
 * still that of the writes. */
void swarm_drive_crash(struct swarm *swarm, uint32_t node, bool is_power_cut);
/* The node is about to start: what happened to its drive meanwhile, and what its driver makes of
 * it. */
void swarm_drive_restart(struct swarm *swarm, uint32_t node);

/* swarm_meta.c */

/* META_GET or META_PUT: draws *delay_ns and, in event->status, whether it fails. */
void swarm_meta_begin(struct swarm *swarm, struct swarm_event *event, uint64_t *delay_ns);
/* The op is at the store, and takes effect or not; what it found goes into event->record. */
void swarm_meta_effect(struct swarm *swarm, struct swarm_event *event);
/* SWARM_LATE is due: a PUT, or an op about a name, takes effect after its answer. */
void swarm_meta_late(struct swarm *swarm, const struct swarm_event *event);
/* Makes the request of verb lookup. */
void swarm_ask_lookup(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
/* Makes the request of verb commit, over the version that this client knows. */
void swarm_ask_commit(struct swarm *swarm, struct swarm_request *request, struct fb_request *out);
/* Judges its reply against every version that the name had. */
void swarm_judge_lookup(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
/* Judges its reply likewise: it won over what it had seen, or was not applied. */
void swarm_judge_commit(struct swarm *swarm, struct swarm_request *request,
                        const struct fb_reply *reply);
/* Frees the names' histories. */
void swarm_names_free(struct swarm *swarm);

#endif
