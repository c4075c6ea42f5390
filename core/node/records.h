/* The records that a node's pools are made of, private to core/. References are u32 indexes.
 *
 * Who owns what:
 *  entry    what the memory tier knows of a cached block beyond its key; index: its cache slot
 *  fill     a block being acquired; holds its entry (FILLING), its waiters, and two attempts
 *  attempt  one way of acquiring it: from device, peer, origin or client; 2 * fill and 2 * fill + 1
 *  waiter   a local request or a peer's ask that a fill will answer
 *  lend     a peer's permission to pull an entry's bytes; pins the entry until RETURN or expiry
 *  write    a device write in flight; pins its memory entry and its device entry
 *  match    a remote prefix match in flight; put: a durable write being spread
 *  dirty    a block that is not at the origin yet
 *  range    of a gather; pins its entry once it is there */
#ifndef FB_CORE_NODE_RECORDS_H
#define FB_CORE_NODE_RECORDS_H

#include "core/write/coded.h"
#include "core/name/name_records.h"

#include <stdbool.h>
#include <stddef.h>

enum entry_state { ENTRY_FREE, ENTRY_FILLING, ENTRY_RESIDENT };

enum {
    ENTRY_TRANSIENT = 1, /* goes when nothing pins it: not worth keeping */
    ENTRY_FETCHED = 2,   /* this node took it from the origin */
    ENTRY_DIRTY = 4,     /* not at the origin yet: `fill` is its record */
    ENTRY_DRAINED = 8,   /* known to be at the origin: it was stored */
    ENTRY_CHECKED = 16,  /* two digests of it agree; see erasure.c */
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
    uint8_t is_resident;
    uint8_t is_forgotten;     /* while it was being written: goes at the write's end */
    uint8_t is_owed, padding; /* its header is OWED: it outlasts a loss of power (R15) */
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
    FILL_AS_OWNER = 1,  /* a peer asked this node: go to the origin, not to other peers */
    FILL_PUT = 2,       /* bytes come from the client, or with HOLD from a writer */
    FILL_HOLD = 4,      /* their digest is known */
    FILL_PREFETCH = 8,  /* nobody has asked yet: it is worth keeping */
    FILL_FRAGMENT = 16, /* of put_source.peer and nobody else */
    FILL_MEND = 32,     /* made from the fragments of `mend` */
    FILL_FETCH = 64,    /* from the origin, though a fragment is here; its digest is known */
    FILL_FINAL = 128,   /* the origin's last word is heard (R16) */
};

struct fill {
    struct fb_block block;
    struct fb_span put_source;
    uint32_t slot;                     /* its entry; FB_NONE once it failed */
    uint32_t waiter_head, waiter_tail; /* FB_NONE: none */
    uint32_t next;                     /* free list, or work list */
    uint8_t state;                     /* enum fill_state */
    uint8_t flags;
    uint8_t candidate; /* next rank to try; replicas: the origin */
    uint8_t failures;
    uint8_t reason;              /* enum fb_reason: where the bytes came from */
    uint8_t status;              /* FAILING: enum fb_status */
    uint8_t first_is_answered;   /* later waiters are COALESCED */
    uint8_t is_listed, searches; /* in the work list; of all members, in vain */
    uint8_t is_unsure;           /* one who may have it did not say */
    uint8_t is_joined;           /* by a waiter, since the last search began */
    uint32_t source;             /* node the bytes came from */
    uint64_t digest;             /* HOLD */
    uint32_t avoid;              /* holder to complain of in the next ask; FB_NONE: none */
    uint32_t mend;               /* MEND: its record */
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
    ATTEMPT_QUEUED, /* for the origin; see origin.c */
    ATTEMPT_DECODE,
    ATTEMPT_SEARCH /* of all members; see search.c */
};

struct attempt {
    union {
        uint64_t lend_id;  /* PULL, DIGEST */
        uint64_t asked_ns; /* ASKED: when */
        struct {           /* QUEUED */
            uint32_t queue_newer, queue_older;
        };
        struct {                /* SEARCH */
            uint32_t fragments; /* bitmap of those that somebody has */
            uint8_t next;       /* whom to ask next */
            uint8_t is_unsure;  /* somebody may have it later */
            uint16_t reserved;
        };
    };
    union {
        uint64_t digest;  /* expected; 0 from the origin or the client: not known */
        uint64_t waiting; /* SEARCH: bitmap of who has not answered */
    };
    union {
        uint64_t begun_ns;     /* PULL, WAITING, FETCH, READ: when it began */
        uint64_t view_version; /* SEARCH: whose members are asked */
    };
    uint32_t generation;
    uint32_t peer;        /* asked or pulled from; FB_NONE: origin, device or client */
    uint32_t first_unit;  /* own extent; FB_NONE: none */
    uint32_t device_slot; /* READ: pinned */
    uint8_t state;        /* enum attempt_state */
    uint8_t hops;
    uint8_t is_hedged; /* its slowness has begun a second attempt already */
    uint8_t reason;
    uint8_t is_hedge, is_now, is_writers, reserved_8; /* see ask_send, start_remote */
};

enum {
    WAITER_GET,
    WAITER_PUT,
    WAITER_WRITE,
    WAITER_HOLD,
    WAITER_PEER,
    WAITER_GATHER,
    WAITER_PIN,
    WAITER_FRAGMENT, /* a mend's fragment */
    WAITER_MEND,     /* a mend's block */
    WAITER_RECOVER   /* an owed block of the drive */
};

struct waiter {
    uint64_t id; /* request id or the peer's ask id */
    uint64_t since_ns;
    uint32_t next, peer;
    uint8_t kind, reserved;
    uint8_t hops, level; /* PEER; WRITE and HOLD: enum fb_level */
    uint32_t instead;    /* HOLD: the owner that this node stands in for; FB_NONE: none */
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
    uint32_t is_owed; /* by its header */
    uint32_t generation;
    uint32_t slot;
    uint32_t device_slot;
    uint32_t next; /* free list */
};

struct put { /* a durable write being spread; slot FB_NONE: free */
    uint64_t request_id;
    uint64_t since_ns;
    uint64_t due_ns; /* the asking goes on then; before, only those are asked that were busy */
    uint32_t generation, slot, next; /* next: free list */
    uint32_t targets[FB_RANKS_MAX];
    uint8_t target_count, level;
    uint8_t held;        /* bitmap of targets */
    uint8_t is_answered; /* or nobody asked: a repair */
    uint16_t failures;
    uint8_t is_coded; /* its code has the targets */
    uint8_t asks;     /* of a round's asking: 0: the round begins; see put.c */
    /* Bitmaps of targets: not heard of since asked; without a drive; without room yet. */
    uint8_t quiet, unable, busy;
    uint8_t tried, is_relied; /* bitmap of stand-ins passed by; another counts on this copy */
};

struct dirty { /* an undrained block; slot FB_NONE: free */
    uint64_t object, offset;
    uint64_t retry_ns; /* its store failed: not before that */
    uint32_t slot;
    uint32_t generation, newer, older; /* drain order; free list in `newer` */
    uint32_t device_slot;              /* pinned there; FB_NONE: in memory alone */
    uint32_t instead; /* the owner that it is held for; FB_NONE: none; see standin.c */
    uint8_t is_storing;
    uint8_t failures;    /* of its stores, in a row */
    uint8_t refusal;     /* enum fb_status of the last store, when the origin refused it (R16) */
    uint8_t asks, looks; /* of its first rank in vain; of the drain, since it was handed off */
    uint8_t is_handed : 1, handings : 3; /* in a put to `instead` now; in vain: see standin.c */
    uint16_t repaired; /* of node.repairs: the last walk of put_repair that has been here */
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

struct meta { /* a lookup or a commit; see meta.c */
    uint64_t request_id;
    struct fb_key key;
    struct fb_meta record; /* COMMIT: what shall be */
    uint32_t generation;
    uint32_t failures;
    uint8_t state;
    uint8_t is_commit;
    uint8_t is_unsure; /* a PUT was not answered */
    uint8_t reserved;
    uint32_t name; /* for whom, see name.c; FB_NONE: for a client */
};

struct tag {                /* what else is known of a memory entry; see tenant.c */
    uint32_t expires_ticks; /* 0: never */
    uint32_t newer, older;  /* of the tenant's */
    uint32_t tenant;
};

struct tenant {
    uint64_t quota_bytes, used_bytes, ttl_ns;
    uint32_t oldest, newest; /* its entries, least recently used first */
};

struct branch { /* a memory entry's place in its chain; see branch.c */
    uint32_t parent, child, newer, older;
};

struct pin { /* see pin.c */
    uint64_t request_id;
    uint64_t ttl_ns, expires_ns;
    uint32_t generation;
    uint32_t slot;
    uint32_t state;
    uint32_t size_bytes;
};

struct gather {
    uint64_t request_id;
    uint32_t head;     /* the first unanswered range; FB_NONE: the record is free */
    uint32_t begin;    /* the first that was not begun */
    uint32_t begun;    /* and not answered */
    uint32_t filling;  /* of those */
    uint32_t answered; /* so far */
    uint32_t refusals; /* in a row */
};

#endif
