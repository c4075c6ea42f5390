/* What the files of durable writes offer each other and the rest: a paragraph a file. */
#ifndef FB_CORE_WRITE_WRITE_H
#define FB_CORE_WRITE_WRITE_H

#include "core/state/step.h"

/* recover.c: what was on the drive. */
void recover_start(struct step *step);
void recover_done(struct step *step, const struct fb_done *done);   /* A header, or none. */
void recover_timer(struct step *step);                              /* Its pause is over. */
void recover_filled(struct fb_node *node, const struct fill *fill); /* A promise was read. */
void recover_check(struct fb_node *node); /* Asserts that reads and waiters agree. */

/* forget.c: blocks that nobody wants. */
void forget_request(struct step *step, const struct fb_request *request);
void forget_message(struct step *step, const struct fb_message *message); /* A peer says so. */

/* abandon.c: objects whose blocks nobody wants. */
void abandon_object(struct fb_node *node, uint64_t object);
bool abandon_has(struct fb_node *node, uint64_t object);                /* Was it given up? */
void abandon_block(struct step *step, uint32_t dirty);                  /* it is let go */
void abandon_tell(struct step *step, uint32_t target, uint64_t object); /* Tells a member. */
/* A holder asks of a block. True: it is of an object that was given up, and the holder is told. */
bool abandon_answers(struct step *step, uint32_t source, uint64_t object);
void abandon_message(struct step *step, const struct fb_message *message); /* A peer says so. */

/* write.c: clients' durable writes. */
void write_request(struct step *step, const struct fb_request *request);
/* The client's bytes are here, or not: spreads them, or refuses. */
void write_filled(struct step *step, const struct waiter *waiter, const struct fill *fill);

/* put.c: the writer's side of durable writes. */
bool put_begin(struct fb_node *node, uint32_t slot, uint32_t level, uint64_t request_id,
               bool has_client);
/* Can as many members as the level wants hold a block, by the view? */
bool put_may_hold(const struct fb_node *node, uint32_t level);
void put_share(struct fb_node *node, uint32_t slot); /* A volatile one: to its first rank. */
void put_timer(struct step *step, uint32_t put);     /* Asks those again who do not hold it. */
/* A target has answered; a late one is counted. */
void put_held(struct step *step, uint64_t id, uint32_t source, enum fb_status status);
/* No more is to be done about it: it is at the origin, OK, or nobody wants it. */
void put_drained(struct step *step, uint32_t slot, enum fb_status status);
/* The origin refuses the entry's block (R16): who waits for the origin hears it. */
void put_refused(struct step *step, uint32_t slot, enum fb_status status);
bool put_repeat(struct fb_node *node, uint32_t slot);   /* false: no record is left */
bool put_of_slot(struct fb_node *node, uint32_t slot);  /* Is the entry being spread? */
bool put_is_stuck(struct fb_node *node, uint32_t slot); /* Has its put used up its tries? */
/* A target does not hold it any more: asked again. False: no put. */
bool put_lost(struct fb_node *node, uint32_t slot, uint32_t target);
bool put_is_spread(struct fb_node *node, uint32_t slot);         /* Do all hold it who should? */
uint32_t put_copies(const struct fb_node *node, uint32_t level); /* that a level wants */
void put_view_changed(struct fb_node *node); /* Members have changed: every put asks anew. */
void put_repair(struct fb_node *node); /* Spreads undrained blocks to new ranks, some a step. */
void put_check(struct fb_node *node);  /* Asserts that puts and entries agree. */
void put_end(struct fb_node *node, uint32_t put); /* Its record is free; it was answered. */
/* The one answer; copies: that hold it. */
void put_reply(struct step *step, struct put *put, enum fb_status status, uint32_t copies);

/* pause.c. To the next asking: longer once it is in vain, not to drown a holder that refuses. */
uint64_t put_pause_ns(const struct fb_node *node, const struct put *put);
uint64_t put_rest_ns(const struct fb_node *node);    /* nobody is left to ask */
uint64_t put_silence_ns(const struct fb_node *node); /* in which to show life */
/* Before another round: what the writer hears if it is of no use; OK: go on. is_silent: some
 * targets do not answer, else those that have not taken it lack room. */
enum fb_status put_vain(const struct fb_node *node, const struct put *put, bool is_silent);
bool put_is_room_wanted(enum fb_status status); /* of HELD: it lives, and cannot take it yet */
/* Sets the timer: to put.due_ns, or to the earlier asking of those that are busy. */
void put_wait(struct fb_node *node, uint32_t put);
void put_without_room(struct fb_node *node, uint32_t put, uint32_t place); /* is what it said */
void put_due(struct fb_node *node, uint32_t put, uint64_t pause_ns); /* the asking goes on then */
void put_rely(struct fb_node *node, uint32_t slot);        /* another was told HELD of it */
bool put_is_relied_on(struct fb_node *node, uint32_t put); /* so it stays, and all are asked anew */

/* erasure.c: the writer's side of blocks that are cut into fragments. */
bool code_is_wanted(const struct fb_node *node, uint32_t level);
void code_begin(struct fb_node *node, uint32_t put);   /* A put is cut into fragments. */
void code_targets(struct fb_node *node, uint32_t put); /* Whom it asks, by the view. */
void code_timer(struct step *step, uint32_t put); /* The next thing to do: cut, send, or give up. */
void code_done(struct step *step, uint32_t put, const struct fb_done *done); /* Its op has ended. */
/* A target has answered of its fragment. */
void code_heard(struct step *step, uint32_t put, uint32_t fragment, uint32_t source,
                enum fb_status status);
void code_cut_again(struct fb_node *node, uint32_t put); /* A fragment was corrupt. */
void code_end(struct fb_node *node, uint32_t put); /* The put ends: its parity's memory goes. */
bool code_is_busy(struct fb_node *node, uint32_t slot);  /* an op of it is in flight */
bool code_is_spread(struct fb_node *node, uint32_t put); /* Do all hold theirs? */
/* Tells holders of fragments DRAINED or FORGET, while there is room. */
void code_notify(struct step *step, struct fb_key key, uint32_t kind, uint32_t size_bytes);
void code_check(struct fb_node *node); /* Asserts that it agrees with its put. */

/* mend.c: blocks made of fragments. */
void mend_tell(struct step *step, uint32_t dirty);
void mend_hear(struct step *step, const struct fb_message *message); /* A peer has a fragment. */
/* A fill that it waits for has ended. */
void mend_filled(struct step *step, const struct waiter *waiter, const struct fill *fill);
void mend_sought(struct step *step, const struct fb_message *message); /* SOUGHT, asked by it */
void mend_timer(struct step *step, uint32_t mend); /* Gathers, asks, or gives up. */
void mend_check(struct fb_node *node);             /* Asserts that what it has is pinned. */

/* hold.c: the holder's side. */
void hold_message(struct step *step, const struct fb_message *message);
/* Tells the writer, which may be this node. */
void hold_answer(struct step *step, uint32_t writer, uint64_t id, enum fb_status status);
/* The writer's bytes were pulled, or could not be. */
void hold_waiter(struct step *step, const struct waiter *waiter, const struct fill *fill);
/* Does what the level asks. OK: held; BUSY: not, or an answer follows. */
enum fb_status hold_settle(struct step *step, uint32_t slot, uint32_t level, uint32_t writer,
                           uint64_t id);
/* A device write that a writer waits for has ended. */
void hold_written(struct step *step, uint32_t slot, uint32_t writer, uint64_t id,
                  enum fb_status status);

/* dirty.c: undrained blocks. */
bool dirty_mark(struct fb_node *node, uint32_t slot, const struct fb_block *block);
void dirty_clear(struct step *step, uint32_t dirty); /* Safe elsewhere: may be evicted. */
/* With its place at the origin. */
struct fb_block dirty_block(struct fb_node *node, uint32_t dirty);
void dirty_check(struct fb_node *node); /* Asserts that list, entries and counts agree. */

/* refused.c: what the origin refuses for good (R16). */
/* What became of an owed block's store: OK: it is not refused, or not owed any more. */
void refused_set(struct fb_node *node, uint32_t dirty, enum fb_status status);
/* What a write hears for which there is no room: BUSY, if it is of use to wait until some of what
 * is owed has gone; or what stands in the way. */
enum fb_status refused_verdict(const struct fb_node *node);

/* drain.c: write-back to the origin. */
void drain_fragment(struct step *step, uint32_t slot); /* its whole block is there, or unwanted */
void drain_put_off(struct step *step, uint32_t slot);  /* a fragment: no block is made of it now */
/* DRAINED, to a holder; nobody looks at the status. */
void drain_tell(struct step *step, uint32_t target, uint32_t status, struct fb_key key);
/* DRAIN_LOST, to a holder that asked. */
void drain_deny(struct step *step, uint32_t target, uint32_t status, struct fb_key key);
void drain_wake(struct fb_node *node, uint32_t dirty); /* it is new */
void drain_hurry(struct fb_node *node); /* who is asked may be another now, or gone */
void drain_tick(struct step *step);     /* Begins stores and asks, while the step has room. */
/* A store has ended: told to holders, or tried again. */
void drain_done(struct step *step, uint32_t dirty, const struct fb_done *done);
void drain_told(struct step *step, const struct fb_message *message);  /* It is at the origin. */
bool drain_is_safe(const struct entry *entry);                         /* is it at the origin? */
void drain_asked(struct step *step, const struct fb_message *message); /* A holder wants to know. */
void drain_lost(struct step *step, const struct fb_message *message);  /* It is spread again. */

#endif
