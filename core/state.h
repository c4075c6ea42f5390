/* A node's state: one contiguous block, private to core/. References inside it are u32 indexes; the
 * only pointer is the shared view (R8), so a node can be copied, hashed and compared.
 *
 * Who owns what:
 *  entry    what the memory tier knows of a cached block beyond its key; index: its cache slot
 *  fill     a block being acquired; holds its entry (FILLING), its waiters, and two attempts
 *  attempt  one way of acquiring it: from device, peer, origin or client; 2 * fill and 2 * fill + 1
 *  waiter   a local request or a peer's ask that a fill will answer
 *  lend     a peer's permission to pull an entry's bytes; pins the entry until RETURN or expiry
 *  write    a device write in flight; pins its memory entry and its device entry
 *  match    a remote prefix match in flight */
#ifndef FB_CORE_STATE_H
#define FB_CORE_STATE_H

#include "extent.h"
#include "node.h"
#include "panic.h"
#include "random.h"
#include "timer.h"

#include <stdbool.h>
#include <stddef.h>

enum entry_state { ENTRY_FREE, ENTRY_FILLING, ENTRY_RESIDENT };

enum {
    ENTRY_TRANSIENT = 1, /* goes when nothing pins it: not worth keeping */
    ENTRY_FETCHED = 2,   /* this node took it from the origin */
    ENTRY_DIRTY = 4,     /* not at the origin yet: `fill` is its record */
    ENTRY_DRAINED = 8,   /* known to be at the origin: it was stored */
};

struct entry {
    uint64_t digest;
    uint32_t first_unit; /* of its extent; FB_NONE while filling */
    uint32_t size_bytes;
    uint32_t fill;       /* FILLING: its fill; DIRTY: its record; else FB_NONE */
    uint32_t generation; /* of the slot's use; makes leases single-use */
    uint16_t pins;       /* local leases, device writes, the fill itself */
    uint16_t lends;
    uint8_t state; /* enum entry_state */
    uint8_t flags;
    uint8_t holder_ready;     /* bitmap of holders that have the whole block */
    uint8_t holder_count : 4; /* 0..FB_HOLDERS_MAX */
    uint8_t holder_next : 4;  /* round robin over holders */
    uint32_t holders[FB_HOLDERS_MAX];
};

static_assert(sizeof(struct entry) == 64, "one cache line an entry");

struct device_entry {
    uint64_t digest;
    uint32_t first_unit;
    uint32_t size_bytes;
    uint32_t pins; /* reads and the write in flight */
    uint32_t is_resident;
};

struct pace {            /* what something took lately; see pace.c */
    uint64_t ns_per_mib; /* 0: nothing known */
};

struct suspect { /* failures 0: not in use */
    uint64_t until_ns;
    uint32_t peer;
    uint32_t failures; /* in a row */
};

enum fill_state { FILL_FREE, FILL_ACTIVE, FILL_ANSWERING, FILL_FAILING, FILL_DRAINING };

enum {
    FILL_AS_OWNER = 1, /* a peer asked this node: go to the origin, not to other peers */
    FILL_PUT = 2,      /* bytes come from the client, or with HOLD from a writer */
    FILL_HOLD = 4,     /* their digest is known */
    FILL_PREFETCH = 8, /* nobody has asked yet: it is worth keeping */
};

struct fill {
    struct fb_block block;
    struct fb_span put_source;
    uint32_t slot;        /* its entry; FB_NONE once it failed */
    uint32_t waiter_head; /* FB_NONE: none */
    uint32_t waiter_tail;
    uint32_t next; /* free list, or work list */
    uint8_t state; /* enum fill_state */
    uint8_t flags;
    uint8_t candidate; /* next rank to try; replicas: the origin */
    uint8_t failures;
    uint8_t reason;            /* enum fb_reason: where the bytes came from */
    uint8_t status;            /* FAILING: enum fb_status */
    uint8_t first_is_answered; /* later waiters are COALESCED */
    uint8_t is_listed;         /* in the work list */
    uint32_t source;           /* node the bytes came from */
    uint64_t digest;           /* HOLD */
    uint32_t avoid;            /* holder to complain of in the next ask; FB_NONE: none */
};

enum attempt_state {
    ATTEMPT_IDLE,
    ATTEMPT_ASKED,
    ATTEMPT_WAITING,
    ATTEMPT_PULL,
    ATTEMPT_DIGEST,
    ATTEMPT_FETCH,
    ATTEMPT_READ,
    ATTEMPT_BACKOFF,
    ATTEMPT_QUEUED /* for the origin; see origin.c */
};

struct attempt {
    union {
        uint64_t lend_id;
        struct { /* QUEUED */
            uint32_t queue_newer, queue_older;
        };
    };
    uint64_t digest;   /* expected; 0 from the origin or the client: not known */
    uint64_t begun_ns; /* PULL, WAITING, FETCH, READ: when it began */
    uint32_t generation;
    uint32_t peer;        /* asked or pulled from; FB_NONE: origin, device or client */
    uint32_t first_unit;  /* own extent; FB_NONE: none */
    uint32_t device_slot; /* READ: pinned */
    uint8_t state;        /* enum attempt_state */
    uint8_t hops;
    uint8_t is_hedged; /* its slowness has begun a second attempt already */
    uint8_t reason;
    uint32_t is_hedge;
};

enum { WAITER_GET, WAITER_PUT, WAITER_WRITE, WAITER_HOLD, WAITER_PEER, WAITER_GATHER };

struct waiter {
    uint64_t id; /* request id or the peer's ask id */
    uint64_t since_ns;
    uint32_t next;
    uint32_t peer;
    uint8_t kind;
    uint8_t hops; /* PEER; WRITE and HOLD: the level */
    uint8_t reserved[6];
};

struct lend {
    uint64_t begun_ns, expires_ns;
    uint32_t generation;
    uint32_t slot;
    uint32_t peer;
    uint32_t newer, older; /* in order of expiry; free list in `newer` */
    uint32_t reserved;
};

struct device_write {
    uint64_t hold_id; /* of the put that waits for it */
    uint32_t writer;  /* its node; FB_NONE: nobody waits */
    uint32_t reserved;
    uint32_t generation;
    uint32_t slot;
    uint32_t device_slot;
    uint32_t next; /* free list */
};

struct put { /* a durable write being spread; slot FB_NONE: free */
    uint64_t request_id;
    uint64_t since_ns;
    uint32_t generation;
    uint32_t slot;
    uint32_t next; /* free list */
    uint32_t targets[FB_RANKS_MAX];
    uint8_t target_count;
    uint8_t held; /* bitmap of targets */
    uint8_t level;
    uint8_t is_answered; /* or nobody asked: a repair */
    uint32_t failures;
};

struct dirty { /* an undrained block; slot FB_NONE: free */
    uint64_t object, offset;
    uint32_t slot;
    uint32_t generation;
    uint32_t newer, older; /* drain order; free list in `newer` */
    uint32_t device_slot;  /* pinned there; FB_NONE: in memory alone */
    uint32_t is_storing;
};

struct match_run {
    uint32_t peer;
    uint32_t first, count; /* keys */
    uint32_t held;         /* answer; FB_NONE: none yet */
};

struct match {
    uint64_t request_id;
    uint32_t generation;
    uint32_t key_count; /* known prefix when every run is held whole */
    uint32_t run_count; /* 0: free */
    uint32_t answered;
    struct match_run runs[FB_MATCH_RUNS_MAX];
};

struct gather_range { /* a range that a gather has not answered; see gather.c */
    struct fb_range range;
    uint32_t slot; /* READY: pinned */
    uint32_t source;
    uint32_t next; /* of the gather, or free list */
    uint32_t generation;
    uint16_t gather;
    uint8_t state;
    uint8_t status; /* FAILED: enum fb_status */
    uint8_t reason;
    uint8_t reserved[3];
};

struct gather {
    uint64_t request_id;
    uint32_t head;     /* the first unanswered range; FB_NONE: the record is free */
    uint32_t begin;    /* the first that was not begun */
    uint32_t begun;    /* and not answered */
    uint32_t answered; /* so far */
    uint32_t refusals; /* in a row */
    uint32_t reserved;
};

struct fb_node {
    struct fb_config config;
    const struct fb_view *view; /* shared; NULL: alone */
    struct fb_random random;
    uint64_t now_ns;
    uint64_t started_ns;
    uint64_t memory_unit_bytes;
    uint64_t size_bytes;
    uint64_t cache_offset, extents_offset, entries_offset;
    uint64_t device_cache_offset, device_extents_offset, device_entries_offset;
    uint64_t fills_offset, attempts_offset, waiters_offset, lends_offset, writes_offset;
    uint64_t matches_offset, puts_offset, dirty_offset, gathers_offset, ranges_offset;
    uint64_t timer_offset;
    uint32_t memory_entries_max, device_entries_max;
    uint32_t fill_free, waiter_free, lend_free, write_free;
    uint32_t work_head, work_tail; /* fills with waiters to answer */
    uint32_t lend_oldest, lend_newest;
    uint32_t put_free, dirty_free, dirty_oldest, dirty_newest;
    uint32_t drain_next, repair_next; /* dirty records to look at; FB_NONE: none */
    uint32_t puts_used, dirty_used, drains_used, lend_turn;
    uint64_t dirty_bytes, drain_ready_ns; /* not before that, for the rate limit */
    uint32_t fills_used, waiters_used, lends_used, writes_used, matches_used, pins_used;
    uint32_t is_started;
    uint32_t hedge_credit;                             /* 0..HEDGE_CREDIT_MAX; see patience.c */
    uint32_t fetches_used, fetch_oldest, fetch_newest; /* see origin.c */
    uint32_t bypass_turn;
    uint32_t range_free, ranges_used;
    uint32_t reserved;
    uint64_t device_ready_ns;                    /* not before that, for the write budget */
    struct pace pull_pace, lend_pace, wait_pace; /* of pulls, loans, and waits for an owner */
    struct pace device_pace, fetch_pace;         /* of reads of the drive and the origin */
    struct suspect suspects[FB_SUSPECTS_MAX];
    struct fb_stats stats;
};

#define STATE_ACCESSOR(type, name, field) \
    static inline type *name(struct fb_node *node) \
    { \
        return (type *)(void *)((unsigned char *)node + node->field); \
    }
STATE_ACCESSOR(struct fb_cache, node_cache, cache_offset)
STATE_ACCESSOR(struct fb_extents, node_extents, extents_offset)
STATE_ACCESSOR(struct entry, node_entries, entries_offset)
STATE_ACCESSOR(struct fb_cache, node_device_cache, device_cache_offset)
STATE_ACCESSOR(struct fb_extents, node_device_extents, device_extents_offset)
STATE_ACCESSOR(struct device_entry, node_device_entries, device_entries_offset)
STATE_ACCESSOR(struct fill, node_fills, fills_offset)
STATE_ACCESSOR(struct attempt, node_attempts, attempts_offset)
STATE_ACCESSOR(struct waiter, node_waiters, waiters_offset)
STATE_ACCESSOR(struct lend, node_lends, lends_offset)
STATE_ACCESSOR(struct device_write, node_writes, writes_offset)
STATE_ACCESSOR(struct match, node_matches, matches_offset)
STATE_ACCESSOR(struct put, node_puts, puts_offset)
STATE_ACCESSOR(struct dirty, node_dirty, dirty_offset)
STATE_ACCESSOR(struct gather, node_gathers, gathers_offset)
STATE_ACCESSOR(struct gather_range, node_ranges, ranges_offset)
STATE_ACCESSOR(struct fb_timer, node_timer, timer_offset)
#undef STATE_ACCESSOR

/* Timer ids: attempts first, then matches, the oldest loan, puts, the drain, gathers. */
static inline uint32_t timer_of_match(const struct fb_node *node, uint32_t match)
{
    return (uint32_t)node->config.fills_max * FB_ATTEMPTS_MAX + match;
}

static inline uint32_t timer_of_lends(const struct fb_node *node)
{
    return timer_of_match(node, (uint32_t)node->config.matches_max);
}

static inline uint32_t timer_of_put(const struct fb_node *node, uint32_t put)
{
    return timer_of_lends(node) + 1 + put;
}

static inline uint32_t timer_of_drain(const struct fb_node *node)
{
    return timer_of_put(node, (uint32_t)node->config.puts_max);
}

static inline uint32_t timer_of_gather(const struct fb_node *node, uint32_t gather)
{
    return timer_of_drain(node) + 1 + gather;
}

static inline uint32_t timer_count(const struct fb_node *node)
{
    return timer_of_gather(node, (uint32_t)node->config.gathers_max);
}

/* Ids that leave the node: class, index, generation. */
enum id_class { ID_ATTEMPT = 1, ID_WRITE, ID_MATCH, ID_PUT, ID_DRAIN, ID_GATHER };

static inline uint64_t id_make(enum id_class class, uint32_t index, uint32_t generation)
{
    return (uint64_t) class << 56 | (uint64_t)index << 32 | generation;
}

static inline uint32_t id_class(uint64_t id)
{
    return (uint32_t)(id >> 56);
}

static inline uint32_t id_index(uint64_t id)
{
    return (uint32_t)(id >> 32) & 0xffffffu;
}

static inline uint32_t id_generation(uint64_t id)
{
    return (uint32_t)id;
}

#endif
