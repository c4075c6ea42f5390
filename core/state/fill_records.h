/* A block being acquired, the ways of acquiring it, and who waits for it; see state.h. */
#ifndef FB_CORE_STATE_FILL_RECORDS_H
#define FB_CORE_STATE_FILL_RECORDS_H

#include "core/block.h"

/* What a fill does now; see fill.c. */
enum fill_state { FILL_FREE, FILL_ACTIVE, FILL_ANSWERING, FILL_FAILING, FILL_DRAINING };

/* Bits of a fill's flags. */
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

/* A block that is being acquired. */
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

/* What an attempt does now; see attempt.c. */
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

/* One way of acquiring a fill's block. */
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

/* Who waits for a fill. */
enum waiter_kind {
    WAITER_GET,
    WAITER_PUT,
    WAITER_PEER,
    WAITER_GATHER,
    WAITER_PIN,
    WAITER_WRITE,
    WAITER_HOLD,     /* from here on they hear of a fill that failed, too */
    WAITER_FRAGMENT, /* a mend's fragment */
    WAITER_MEND,     /* a mend's block */
    WAITER_RECOVER   /* an owed block of the drive */
};

/* One that waits for a fill. */
struct waiter {
    uint64_t id; /* request id or the peer's ask id */
    uint64_t since_ns;
    uint32_t next, peer;
    uint8_t kind, reserved;
    uint8_t hops, level; /* PEER; WRITE and HOLD: enum fb_level */
    uint32_t instead;    /* HOLD: the owner that this node stands in for; FB_NONE: none */
};

#endif
