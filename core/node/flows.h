/* What the core's files call of each other, a paragraph each, and the step that is being made. */
#ifndef FB_CORE_NODE_FLOWS_H
#define FB_CORE_NODE_FLOWS_H

#include "core/bits.h"
#include "core/node/state.h"

/* What a step has written so far. */
struct step {
    struct fb_node *node;
    struct fb_op *ops;
    uint32_t count;
};

static inline uint32_t step_room(const struct step *step)
{
    return FB_STEP_OPS_MAX - step->count;
}

/* Adds an op; the caller made sure that there is room (R2). */
static inline struct fb_op *step_op(struct step *step, enum fb_op_kind kind)
{
    FB_ASSERT(step->count < FB_STEP_OPS_MAX);
    struct fb_op *op = &step->ops[step->count++];
    op->kind = kind;
    op->target = FB_NONE;
    op->op_id = 0;
    return op;
}

/* Most ops that one timer or one waiter may cause; the tick stops when less room is left. */
enum { STEP_ITEM_OPS_MAX = 5 };

/* memory.c: entries and their bytes. */
uint32_t memory_units(const struct fb_node *node, uint32_t size_bytes);
struct fb_span memory_span(const struct fb_node *node, uint32_t first_unit, uint64_t size_bytes);
uint32_t memory_allocate(struct fb_node *node, uint32_t size_bytes); /* FB_NONE: nothing may go */
/* May a block stay for as long as somebody wants? What is promised and pinned leaves an eighth of
 * the memory and of its entries, one block at least, to what comes and goes: else a drain that
 * stands still would stop all reads. The first one may always. */
bool memory_may_keep(const struct fb_node *node, uint32_t size_bytes);
void memory_free(struct fb_node *node, uint32_t first_unit, uint32_t size_bytes);
uint32_t memory_insert(struct fb_node *node, const struct fb_block *block);
/* The entry of a key, FB_NONE when there is none that may be used. */
uint32_t memory_find(struct fb_node *node, struct fb_key key);
/* A block was used. */
void memory_touch(struct fb_node *node, uint32_t slot);
/* Removes a resident one that nothing pins and that is no promise. False: it stays. */
bool memory_drop(struct fb_node *node, uint32_t slot);
void memory_remove(struct fb_node *node, uint32_t slot);
void memory_pin(struct fb_node *node, uint32_t slot);
void memory_unpin(struct fb_node *node, uint32_t slot);
/* Removes a transient one that is unused. */
void memory_settle(struct fb_node *node, uint32_t slot);
void memory_check(struct fb_node *node);

/* device.c: the drive tier. */
uint32_t device_find(struct fb_node *node, struct fb_key key); /* FB_NONE: not there, or no tier */
void device_write_begin(struct step *step, uint32_t slot, struct fb_key key, uint32_t writer,
                        uint64_t hold_id);
void device_write_done(struct step *step, uint32_t write, uint32_t generation, enum fb_status);
void device_mark(struct step *step, uint32_t device_slot);
struct fb_span device_span(const struct fb_node *node, uint32_t device_slot);
bool device_recover(struct fb_node *node, const struct fb_header *header);
bool device_is_full(struct fb_node *node);
bool device_evict(struct fb_node *node); /* false: none that was looked at can go */
bool device_is_passed_by(struct fb_node *node);
bool device_is_owed(struct fb_node *node, uint32_t device_slot, uint64_t digest);
void device_read_end(struct fb_node *node, uint32_t device_slot, bool is_bad);
void device_forget(struct fb_node *node, struct fb_key key);
void device_check(struct fb_node *node);

/* recover.c: what was on the drive. */
void recover_start(struct step *step);
bool recover_is_running(const struct fb_node *node);
void recover_done(struct step *step, const struct fb_done *done);
void recover_timer(struct step *step);
void recover_filled(struct fb_node *node, const struct fill *fill);
void recover_check(struct fb_node *node);

/* fill.c: the life of a fill and its waiters. */
uint32_t fill_begin(struct fb_node *node, const struct fb_block *block, uint8_t flags);
bool fill_has_waiter(struct fb_node *node, uint32_t fill, uint32_t peer, uint64_t id);
bool fill_add_waiter(struct fb_node *node, uint32_t fill, const struct waiter *waiter);
void fill_finish(struct step *step, uint32_t fill, uint32_t attempt);
void fill_fail(struct fb_node *node, uint32_t fill, enum fb_status status);
void fill_work(struct step *step); /* answers waiters while there is room */
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
void peer_is_lost(struct fb_node *node, uint32_t peer);
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
void write_request(struct step *step, const struct fb_request *request);
void write_spread(struct step *step, const struct waiter *waiter, uint32_t slot,
                  const struct fb_block *block);
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

/* meta.c: names. */
void lookup_request(struct step *step, const struct fb_request *request);
void commit_request(struct step *step, const struct fb_request *request);
void meta_timer(struct step *step, uint32_t meta);
void meta_done(struct step *step, uint32_t meta, const struct fb_done *done);
void meta_check(struct fb_node *node);

/* tenant.c: quotas and time to live. */
bool tenant_is_known(const struct fb_node *node, uint32_t tenant);
void tenant_request(struct step *step, const struct fb_request *request);
void tenant_enter(struct fb_node *node, uint32_t slot, uint32_t tenant);
void tenant_leave(struct fb_node *node, uint32_t slot);
void tenant_touch(struct fb_node *node, uint32_t slot);
bool tenant_make_room(struct fb_node *node, uint32_t tenant, uint64_t size_bytes);
bool tenant_has_ttl(struct fb_node *node, uint32_t slot);
void tenant_filled(struct fb_node *node, uint32_t slot);
bool tenant_is_expired(struct fb_node *node, uint32_t slot);
void tenant_check(struct fb_node *node);

/* branch.c: chains, leaves first. */
void branch_enter(struct fb_node *node, uint32_t slot);
/* Pins the entry of a parent, until branch_release; FB_NONE: it is not here. */
uint32_t branch_hold(struct fb_node *node, struct fb_key parent);
void branch_release(struct fb_node *node, uint32_t parent);
void branch_link(struct fb_node *node, uint32_t slot, uint32_t parent);
void branch_leave(struct fb_node *node, uint32_t slot);
uint32_t branch_leaf(struct fb_node *node, uint32_t slot);
void branch_check(struct fb_node *node);

/* pin.c: blocks kept for a while. */
void pin_request(struct step *step, const struct fb_request *request);
void unpin_request(struct step *step, const struct fb_request *request);
void pin_filled(struct step *step, const struct waiter *waiter, uint32_t slot,
                const struct fb_reply *how);
void pin_timer(struct fb_node *node);
uint32_t pin_units(struct fb_node *node);
void pin_check(struct fb_node *node);

/* forget.c: blocks that nobody wants. */
void forget_request(struct step *step, const struct fb_request *request);
void forget_message(struct step *step, const struct fb_message *message);

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
void serve_return(struct step *step, const struct fb_message *message);
void serve_expire(struct fb_node *node);
void serve_check(struct fb_node *node);

/* put.c: the writer's side of durable writes. */
bool put_begin(struct fb_node *node, uint32_t slot, uint32_t level, uint64_t request_id,
               bool has_client);
void put_share(struct fb_node *node, uint32_t slot);
void put_timer(struct step *step, uint32_t put);
void put_held(struct step *step, uint64_t id, uint32_t source, enum fb_status status);
void put_drained(struct step *step, uint32_t slot);
bool put_repeat(struct fb_node *node, uint32_t slot); /* false: no record is left */
bool put_of_slot(struct fb_node *node, uint32_t slot);
bool put_is_stuck(struct fb_node *node, uint32_t slot);
bool put_lost(struct fb_node *node, uint32_t slot, uint32_t target);
bool put_is_spread(struct fb_node *node, uint32_t slot);
void put_view_changed(struct fb_node *node);
void put_repair(struct fb_node *node);
void put_check(struct fb_node *node);
void put_end(struct fb_node *node, uint32_t put);
void put_reply(struct step *step, struct put *put, enum fb_status status, uint32_t copies);
/* Time to the next asking: longer once it is in vain, not to drown a holder that refuses. */
uint64_t put_pause_ns(const struct fb_node *node, const struct put *put);

/* erasure.c: the writer's side of blocks that are cut into fragments. */
struct fb_key fragment_key(struct fb_key key, uint32_t fragment); /* its own inverse */
uint32_t fragment_bytes(const struct fb_config *config, uint32_t size_bytes, uint32_t fragment);
bool code_is_wanted(const struct fb_node *node, uint32_t level);
void code_begin(struct fb_node *node, uint32_t put);
void code_targets(struct fb_node *node, uint32_t put);
void code_timer(struct step *step, uint32_t put);
void code_done(struct step *step, uint32_t put, const struct fb_done *done);
void code_held(struct step *step, uint32_t put, uint32_t fragment, uint32_t source);
void code_doubt(struct fb_node *node, uint32_t put);
void code_end(struct fb_node *node, uint32_t put);
bool code_is_busy(struct fb_node *node, uint32_t slot); /* an op of it is in flight */
bool code_is_spread(struct fb_node *node, uint32_t put);
void code_notify(struct step *step, struct fb_key key, uint32_t kind, uint32_t size_bytes);
void code_check(struct fb_node *node);

/* fragment.c: what holders have; mend.c: blocks made from it. */
struct fragment *fragment_of_dirty(struct fb_node *node, uint32_t dirty); /* NULL: a whole block */
bool fragment_has_room(struct fb_node *node, uint32_t slot);
void fragment_is_vain(struct step *step, uint32_t slot);
bool fragment_is_sane(const struct fb_node *node, const struct fb_message *message);
struct fragment fragment_of_message(const struct fb_message *message);
const struct fragment *fragment_of_fill(struct fb_node *node, const struct fill *fill);
void fragment_arrives(struct fb_node *node, uint32_t fill, const struct fb_message *message);
void fragment_settle(struct fb_node *node, uint32_t dirty, const struct fragment *fragment);
void fragment_drained(struct step *step, uint32_t slot);
uint32_t mend_writer(struct fb_node *node, struct fill *fill); /* of an undrained fragment here */
void mend_tell(struct step *step, uint32_t dirty);
void mend_hear(struct step *step, const struct fb_message *message);
void mend_filled(struct step *step, const struct waiter *waiter, const struct fill *fill);
void mend_timer(struct step *step, uint32_t mend);
void mend_check(struct fb_node *node);

/* hold.c: the holder's side. */
void hold_message(struct step *step, const struct fb_message *message);
void hold_waiter(struct step *step, const struct waiter *waiter, const struct fill *fill);
enum fb_status hold_settle(struct step *step, uint32_t slot, uint32_t level, uint32_t writer,
                           uint64_t id);
void hold_written(struct step *step, uint32_t slot, uint32_t writer, uint64_t id,
                  enum fb_status status);

/* dirty.c: undrained blocks. */
bool dirty_mark(struct fb_node *node, uint32_t slot, const struct fb_block *block);
void dirty_clear(struct step *step, uint32_t dirty);
struct fb_block dirty_block(struct fb_node *node, uint32_t dirty);
void dirty_check(struct fb_node *node);

/* drain.c: write-back to the origin. */
void drain_message(struct step *step, uint32_t target, uint32_t kind, uint32_t status,
                   struct fb_key key);
void drain_wake(struct fb_node *node, uint32_t dirty); /* it is new */
void drain_tick(struct step *step);
void drain_done(struct step *step, uint32_t dirty, const struct fb_done *done);
void drain_told(struct step *step, const struct fb_message *message);
void drain_asked(struct step *step, const struct fb_message *message);
void drain_lost(struct step *step, const struct fb_message *message);

#endif
