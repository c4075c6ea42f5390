/* What the files of reading offer each other and the rest: a paragraph a file. */
#ifndef FB_CORE_READ_READ_H
#define FB_CORE_READ_READ_H

#include "core/state/step.h"

/* fill.c: the life of a fill and its waiters. */
uint32_t fill_begin(struct fb_node *node, const struct fb_block *block, uint8_t flags);
bool fill_has_waiter(struct fb_node *node, uint32_t fill, uint32_t peer, uint64_t id);
bool fill_add_waiter(struct fb_node *node, uint32_t fill, const struct waiter *waiter);
void fill_finish(struct step *step, uint32_t fill, uint32_t attempt);
void fill_fail(struct fb_node *node, uint32_t fill, enum fb_status status);
/* Answers waiters while the step has room, the oldest fill's first. Not NULL: there is
 * more to do for `waiter`: of a PUT, which was answered, a WRITE, and the kinds after it. */
const struct fill *fill_work(struct step *step, struct waiter *waiter);
enum fb_status fill_status(const struct fill *fill); /* what those who wait for it hear */
void fill_drain(struct fb_node *node, uint32_t fill);
void fill_check(struct fb_node *node);

/* attempt.c: one way of acquiring a block. */
void attempt_start(struct step *step, uint32_t fill);
void attempt_done(struct step *step, uint32_t attempt, const struct fb_done *done);
/* Whoever wrote the block offers it: one more source, tried at once, beside what is under way. */
void attempt_bring(struct step *step, uint32_t fill, const struct fb_span *source);
void attempt_release(struct fb_node *node, uint32_t attempt, bool is_bad);
void attempt_abandon(struct step *step, uint32_t attempt);
bool attempt_has_op(const struct attempt *attempt);
void attempt_fail(struct step *step, uint32_t attempt, enum fb_status status);
bool attempt_reserve(struct fb_node *node, uint32_t attempt);
struct fb_op *attempt_op(struct step *step, uint32_t attempt, enum fb_op_kind kind);
void attempt_set(struct fb_node *node, uint32_t attempt, enum attempt_state state,
                 uint64_t patience_ns);
/* Of a fetch: is asking again of no use? Of a store FULL and INVALID are so, too. */
bool status_is_for_good(enum fb_status status);
void attempt_check(struct fb_node *node);

/* origin.c: bounded fetches. */
enum fb_status origin_start(struct step *step, uint32_t attempt, bool is_owner);
void origin_turn(struct step *step, uint32_t attempt);
void origin_leave(struct fb_node *node, uint32_t attempt);
void origin_wake(struct step *step);
void origin_check(struct fb_node *node);

/* patience.c: an attempt takes too long. A hedge costs what HEDGE_COST finished fills earn. */
enum { HEDGE_COST = 20, HEDGE_CREDIT_MAX = 8 * HEDGE_COST };
void attempt_timer(struct step *step, uint32_t attempt);
/* It was silent or broke off: suspected, and all that is under way with it is looked at now. */
void peer_suspect(struct fb_node *node, uint32_t peer);
uint64_t patience_ns(const struct fb_node *node, const struct attempt *attempt,
                     uint32_t size_bytes);

/* ask.c: an attempt's talk with peers. */
void ask_send(struct step *step, uint32_t attempt, uint32_t peer, uint8_t flags);
void ask_again(struct step *step, uint32_t attempt); /* does the peer still work on it? */
void ask_learn(struct fb_node *node, const struct attempt *attempt);
uint64_t ask_silence_ns(const struct fb_node *node); /* how long a peer may be silent */
void ask_answer(struct step *step, const struct fb_message *message);
void ask_return(struct step *step, uint32_t peer, uint64_t lend_id, struct fb_key key,
                bool is_kept);

/* get.c: local requests. */
void get_request(struct step *step, const struct fb_request *request);
/* Joins the fill of the entry at `slot`, or begins one; false: there is no room. */
bool get_fill(struct step *step, const struct fb_request *request, uint32_t slot,
              const struct waiter *waiter);
void get_release(struct step *step, const struct fb_request *request);
void get_reply(struct step *step, const struct waiter *waiter, uint32_t slot, enum fb_reason reason,
               uint32_t source);
void get_lend(struct fb_node *node, uint32_t slot, struct fb_reply *reply);
bool get_is_sane(struct fb_node *node, const struct fb_block *block);
void get_refuse(struct step *step, uint64_t request_id, enum fb_status status);
void put_request(struct step *step, const struct fb_request *request);

/* gather.c: lists of ranges. */
void gather_request(struct step *step, const struct fb_request *request);
void gather_filled(struct fb_node *node, const struct waiter *waiter, uint32_t slot,
                   const struct fb_reply *how);
void gather_timer(struct step *step, uint32_t gather);
void gather_check(struct fb_node *node);

/* pin.c: blocks kept for a while. */
void pin_request(struct step *step, const struct fb_request *request);
void unpin_request(struct step *step, const struct fb_request *request);
void pin_filled(struct step *step, const struct waiter *waiter, uint32_t slot,
                const struct fb_reply *how);
void pin_timer(struct fb_node *node);
uint32_t pin_units(struct fb_node *node);
void pin_check(struct fb_node *node);

/* prefetch.c: hints. */
void prefetch_request(struct step *step, const struct fb_request *request);

/* holders.c: whom a block was lent to. */
void fb_holder_add(struct entry *entry, uint32_t peer);
void fb_holder_ready(struct entry *entry, uint32_t peer);
void fb_holder_remove(struct entry *entry, uint32_t peer);
uint32_t fb_holder_next(struct entry *entry, uint32_t asker); /* FB_NONE: there is none */

/* pace.c: what is usual, and how long to wait for it. */
void pace_learn(struct pace *pace, uint64_t took_ns, uint64_t size_bytes);
uint64_t pace_patience_ns(const struct pace *pace, uint64_t size_bytes, uint64_t min_ns,
                          uint64_t max_ns);

/* suspect.c: peers that failed lately. */
void suspect_add(struct fb_node *node, uint32_t peer);
void suspect_clear(struct fb_node *node, uint32_t peer, bool is_late); /* it answered */
bool suspect_is(struct fb_node *node, uint32_t peer);

/* serve.c: the peer's side. */
void serve_ask(struct step *step, const struct fb_message *message);
void serve_waiter(struct step *step, const struct waiter *waiter, uint32_t slot, bool is_fetched);
void serve_deny(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status);
void serve_deny_final(struct step *step, uint32_t peer, uint64_t ask_id, enum fb_status status);
void serve_return(struct step *step, const struct fb_message *message);
void serve_expire(struct fb_node *node);
void serve_check(struct fb_node *node);

/* match.c: longest cached prefix. */
void match_request(struct step *step, const struct fb_request *request);
void match_ask(struct step *step, const struct fb_message *message);
void match_tell(struct step *step, const struct fb_message *message);
void match_timer(struct step *step, uint32_t match);

#endif
