/* What the files of reading offer each other and the rest: a paragraph a file. */
#ifndef FB_CORE_READ_READ_H
#define FB_CORE_READ_READ_H

#include "core/state/step.h"

/* fill.c: the life of a fill and its waiters. */
uint32_t fill_begin(struct fb_node *node, const struct fb_block *block, uint8_t flags);
/* Does this ask of a peer wait already? */
bool fill_has_waiter(struct fb_node *node, uint32_t fill, uint32_t peer, uint64_t id);
/* False: too many wait. */
bool fill_add_waiter(struct fb_node *node, uint32_t fill, const struct waiter *waiter);
void fill_finish(struct step *step, uint32_t fill, uint32_t attempt); /* It brought the block. */
void fill_fail(struct fb_node *node, uint32_t fill, enum fb_status status); /* All was in vain. */
/* Answers waiters while the step has room, the oldest fill's first. Not NULL: there is
 * more to do for `waiter`: of a PUT, which was answered, a WRITE, and the kinds after it. */
const struct fill *fill_work(struct step *step, struct waiter *waiter);
enum fb_status fill_status(const struct fill *fill);  /* what those who wait for it hear */
void fill_drain(struct fb_node *node, uint32_t fill); /* Free, once nobody needs it. */
void fill_check(struct fb_node *node);                /* Asserts that fills and waiters agree. */

/* attempt.c: one way of acquiring a block. */
void attempt_start(struct step *step, uint32_t fill);
/* Its op has ended: the next one, another source, or the fill's end. */
void attempt_done(struct step *step, uint32_t attempt, const struct fb_done *done);
/* Whoever wrote the block offers it: one more source, tried at once, beside what is under way. */
void attempt_bring(struct step *step, uint32_t fill, const struct fb_span *source);
/* Idle again; gives back memory, a drive's copy (is_bad: useless), its turn. */
void attempt_release(struct fb_node *node, uint32_t attempt, bool is_bad);
void attempt_abandon(struct step *step, uint32_t attempt); /* Not wanted any more. */
bool attempt_has_op(const struct attempt *attempt);        /* Is an op of it in flight? */
/* Its source is of no use: tries the next, pauses, or fails the fill. */
void attempt_fail(struct step *step, uint32_t attempt, enum fb_status status);
bool attempt_reserve(struct fb_node *node, uint32_t attempt); /* Memory for it; false: none. */
/* Its next op, into its own memory. */
struct fb_op *attempt_op(struct step *step, uint32_t attempt, enum fb_op_kind kind);
/* Its state, for so long; then attempt_timer. */
void attempt_set(struct fb_node *node, uint32_t attempt, enum attempt_state state,
                 uint64_t patience_ns);
/* Of a fetch: is asking again of no use? Of a store FULL and INVALID are so, too. */
bool status_is_for_good(enum fb_status status);
/* Should it be answered by waiting, or by trying the next candidate at once? */
bool status_needs_pause(enum fb_status status, bool is_origin);
void attempt_check(struct fb_node *node); /* Asserts that states agree with fills and memory. */

/* origin.c: bounded fetches. */
enum fb_status origin_start(struct step *step, uint32_t attempt, bool is_owner);
void origin_turn(struct step *step, uint32_t attempt);     /* It fetches, if there is room. */
void origin_leave(struct fb_node *node, uint32_t attempt); /* Takes an attempt out of the queue. */
void origin_wake(struct step *step);     /* A fetch has ended: the oldest in the queue is next. */
void origin_check(struct fb_node *node); /* Asserts that the queue is whole. */

/* patience.c: an attempt takes too long. A hedge costs what HEDGE_COST finished fills earn. */
enum { HEDGE_COST = 20, HEDGE_CREDIT_MAX = 8 * HEDGE_COST };
void attempt_timer(struct step *step, uint32_t attempt); /* Hedges, asks again, or fails. */
/* It was silent or broke off: suspected, and all that is under way with it is looked at now. */
void peer_suspect(struct fb_node *node, uint32_t peer);
/* How long an attempt may take for so many bytes. */
uint64_t patience_ns(const struct fb_node *node, const struct attempt *attempt,
                     uint32_t size_bytes);

/* ask.c: an attempt's talk with peers. */
void ask_send(struct step *step, uint32_t attempt, uint32_t peer, uint8_t flags);
void ask_again(struct step *step, uint32_t attempt); /* does the peer still work on it? */
void ask_learn(struct fb_node *node, const struct attempt *attempt); /* It took so long. */
uint64_t ask_silence_ns(const struct fb_node *node); /* how long a peer may be silent */
void ask_answer(struct step *step, const struct fb_message *message); /* OFFER to DENY of a peer. */
/* Ends the loan of a peer; is_kept: others may be sent here. */
void ask_return(struct step *step, uint32_t peer, uint64_t lend_id, struct fb_key key,
                bool is_kept);

/* get.c: local requests. */
void get_request(struct step *step, const struct fb_request *request);
/* Joins the fill of the entry at `slot`, or begins one; false: there is no room. */
bool get_fill(struct step *step, const struct fb_request *request, uint32_t slot,
              const struct waiter *waiter);
void get_release(struct step *step, const struct fb_request *request); /* Ends a loan. */
/* Lends the entry's bytes to who waits. */
void get_reply(struct step *step, const struct waiter *waiter, uint32_t slot, enum fb_reason reason,
               uint32_t source);
/* Pins the entry, and fills in lease and span. */
void get_lend(struct fb_node *node, uint32_t slot, struct fb_reply *reply);
/* Can a GET be of this block? */
bool get_is_sane(struct fb_node *node, const struct fb_block *block);
/* Answers a request with a status other than OK. */
void get_refuse(struct step *step, uint64_t request_id, enum fb_status status);
void put_request(struct step *step, const struct fb_request *request); /* A volatile block. */

/* gather.c: lists of ranges. */
void gather_request(struct step *step, const struct fb_request *request);
/* A range's fill has ended; slot FB_NONE: in vain. */
void gather_filled(struct fb_node *node, const struct waiter *waiter, uint32_t slot,
                   const struct fb_reply *how);
void gather_timer(struct step *step, uint32_t gather); /* Replies in order, and begins fills. */
void gather_check(struct fb_node *node);               /* Asserts that ranges and counts agree. */

/* pin.c: blocks kept for a while. */
void pin_request(struct step *step, const struct fb_request *request);
void unpin_request(struct step *step, const struct fb_request *request); /* Ends a pin. */
/* The block's fill has ended: pinned, or refused (slot FB_NONE). */
void pin_filled(struct step *step, const struct waiter *waiter, uint32_t slot,
                const struct fb_reply *how);
void pin_timer(struct fb_node *node);     /* Ends pins whose time is over. */
uint32_t pin_units(struct fb_node *node); /* Units of memory that all pins take. */
void pin_check(struct fb_node *node);     /* Asserts that what is pinned is here. */

/* prefetch.c: hints. */
void prefetch_request(struct step *step, const struct fb_request *request);

/* holders.c: whom a block was lent to. */
void fb_holder_add(struct entry *entry, uint32_t peer);
void fb_holder_ready(struct entry *entry, uint32_t peer);     /* It can serve the block. */
void fb_holder_remove(struct entry *entry, uint32_t peer);    /* Not to be referred to any more. */
uint32_t fb_holder_next(struct entry *entry, uint32_t asker); /* FB_NONE: there is none */

/* pace.c: what is usual, and how long to wait for it. */
void pace_learn(struct pace *pace, uint64_t took_ns, uint64_t size_bytes);
/* Some times what is usual, within the bounds; max_ns while nothing is known. */
uint64_t pace_patience_ns(const struct pace *pace, uint64_t size_bytes, uint64_t min_ns,
                          uint64_t max_ns);

/* suspect.c: peers that failed lately. */
void suspect_add(struct fb_node *node, uint32_t peer);
/* It has answered, if late. */
void suspect_clear(struct fb_node *node, uint32_t peer, bool is_late); /* it answered */
bool suspect_is(struct fb_node *node, uint32_t peer); /* Is it not to be asked now? */

/* serve.c: the peer's side. */
void serve_ask(struct step *step, const struct fb_message *message);
/* Offers the entry to a peer that asked, or refers it to another holder. */
void serve_waiter(struct step *step, const struct waiter *waiter, uint32_t slot, bool is_fetched);
/* Answers an ask: no, and why. */
void serve_deny(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status);
/* The same of what the origin refuses for good (R16). */
void serve_deny_final(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status);
void serve_return(struct step *step, const struct fb_message *message); /* A peer is done. */
void serve_expire(struct fb_node *node); /* Ends the oldest loan, whose reader is silent. */
void serve_check(struct fb_node *node);  /* Asserts that loans and entries agree. */

/* match.c: longest cached prefix. */
void match_request(struct step *step, const struct fb_request *request);
void match_ask(struct step *step, const struct fb_message *message);  /* How many are here? */
void match_tell(struct step *step, const struct fb_message *message); /* A peer has counted. */
void match_timer(struct step *step, uint32_t match); /* Replies with what is known. */

#endif
