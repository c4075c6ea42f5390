/* The seam between the cache's core and the world, as data: events in, ops out.
 *
 * A driver (the real daemon or the simulator) hands the core one event at a time and carries out
 * the ops it gets back. The contract that both sides keep; tests cite these numbers:
 *  R1  The driver calls the core; the core never calls the driver. No function pointer crosses.
 *  R2  One event per step, at most FB_STEP_OPS_MAX ops out. More work: deadline <= now, then TICK.
 *  R3  Every op from READ on gets exactly one DONE with its op_id, in a later step, also when the
 *      device or the peer is gone.
 *  R4  Bytes never cross. Spans are handles into memory that the driver registered once. A span is
 *      lent from op to DONE.
 *  R5  Memory is written only by its owner's ops: receivers PULL, nobody pushes. A stale read is
 *      caught by DIGEST and retried.
 *  R6  SEND may be lost, duplicated, delayed, reordered; never corrupted. Retries are the core's.
 *  R7  now_ns never goes back for a node. No other clock. The generator's state is in the node.
 *  R8  A fb_view is immutable and shared between the nodes of a process; it outlives their use.
 *  R9  Overload is answered BUSY in the same step, never queued without bound.
 *  R10 A crash is forgetting the node's memory; after init the first deadline is 0.
 *  R11 Device and network capabilities are config values read by the core and by the fault model.
 *  R12 A GET's reply, and each of a GATHER's, lends a span of cache memory; the client gives it
 *      back with RELEASE and the reply's lease. Keys of a MATCH and ranges of a GATHER are borrowed
 *      until the step returns; keys of a MATCH_ASK op until the node's next step, so a driver
 *      that sends later copies them.
 *  R13 ENCODE and DECODE: Reed-Solomon, systematic, over GF(2^8) with polynomial 0x11d and Cauchy
 *      rows 1 / (row xor column), rows from data_count on. Data fragment i is the block's bytes
 *      from i * size on, bytes past its end count as zeros; parity fragment j is at j * size.
 *      ENCODE: source: the block; span: all parity. DECODE: span: the block; it is made whole from
 *      the fragments of `present`, at least data_count with those that lie past the block's end,
 *      at fragments->offset of this node's memory. fragments is borrowed until the step returns.
 *      A driver that has no coder answers INVALID.
 *  R14 META_PUT is a compare-and-swap: it takes effect only while the record's version is that of
 *      the op (0: there is no record), and makes it one more. DONE carries the record as it is
 *      then: after OK the new one, after CONFLICT the other's. IO, TIMEOUT and GONE say nothing of
 *      whether it took effect, REFUSED (R16) and FULL: it did not, and asking again is of no use.
 *      With a NAME_COMMIT's the driver may change another name's record, both or neither: ABSENT:
 *      the op's record was as expected, the other's was not, and none has changed.
 *      A META_GET sees all that was answered OK.
 *  R15 Beside the blocks on the device the driver keeps a header of each WRITE that is done, until
 *      another WRITE touches its bytes; MARK makes an OWED one CLEAN. DONE of a WRITE whose header
 *      is OWED: bytes and header outlast a loss of power; the others need not. A crash may lose a
 *      MARK, and may leave a header whose bytes are not there: digests tell. SCAN gives the first
 *      header from a cursor on (0: the beginning) and the cursor of the next; ABSENT: there is
 *      none, as with a driver that keeps none; BUSY: it cannot be given now, ask again.
 *  R16 DENIED, READ_ONLY, REFUSED, TOO_LARGE, and of a STORE also FULL and INVALID: it is of no use
 *      to ask again. Readers, and writers who wait for the origin, hear it at once; what is owed is
 *      tried again, seldom. A WRITE that finds no room hears it in place of BUSY (R9) when all
 *      that is owed is refused, and none of it has gone for a while. is_final in DONE of a FETCH:
 *      the driver has asked often enough.
 *  R17 An origin's object changes by ops that say what was seen. ORIGIN_COMMIT shows the blocks of
 *      a version as the object, with the time of change `shown`, unless an object later than
 *      `limit` is there: CONFLICT, and DONE says which; OK: shown is there; BUSY: blocks are not
 *      there yet, `missing` is one. ORIGIN_REMOVE removes what is left of the version's blocks, and
 *      the object unless it is later than `limit` or, where `shown` is not 0, another than that;
 *      one that stays, or is not there, is OK. ORIGIN_STAT: OK or ABSENT; `order` is the time that
 *      versions are compared by, 0: this one has none, and is earlier than any limit but 0;
 *      `written`: the version that it was shown as, if one of ours. All may be repeated, by several
 *      nodes at once. IO, TIMEOUT, GONE, THROTTLED: nothing is known.
 *  R18 META_LIST gives the first unfinished record by key, from block.key on, with its key; its
 *      record may be an older one. CORRUPT: it is none that a node could have made; ABSENT: there
 *      is none.
 *  R19 Time of day comes with requests and with DONE of META_LIST (wall_ns, since 1970; 0: before).
 *      It may be wrong, leap, and differ from node to node: it makes versions, and orders nothing.
 *  R20 FETCH says ABSENT of a block that is not there, or not yet. A read is LOST when all members
 *      say that they have none, and the origin again after that; BUSY while one is silent. A commit
 *      of such a block is not tried again until members change.
 *  R21 What was written of a version that nobody can commit any more is owed no longer: its writer
 *      gave it up, it lost, or its name means another by now. Whoever knows it tells the members
 *      (ABANDON), and removes its blocks from the origin (ORIGIN_REMOVE, limit 0), a few times:
 *      stores may be under way, and messages are lost. A copy that stays is a cache's. What nobody
 *      was told of is stored once more.
 */
#ifndef FB_CORE_IO_H
#define FB_CORE_IO_H

#include "core/block.h"
#include "core/message.h"
#include "core/status.h"

/* What a client, or the driver for one, asks of the core. */
enum fb_request_kind {
    FB_REQUEST_GET,      /* block: reply lends a span (R12) */
    FB_REQUEST_RELEASE,  /* lease: ends the loan; no reply */
    FB_REQUEST_PUT,      /* block, span: copy of a volatile block into local memory */
    FB_REQUEST_WRITE,    /* block, span, level: a durable write; reply when the level holds */
    FB_REQUEST_MATCH,    /* keys: length of the longest prefix that is cached */
    FB_REQUEST_GATHER,   /* ranges: one reply each, in their order; or one for all: refused */
    FB_REQUEST_PREFETCH, /* block: it will be read soon; no reply */
    FB_REQUEST_LOOKUP,   /* block.key: the record of that name */
    FB_REQUEST_COMMIT,   /* block.key, record: its version is the expected one; or CONFLICT */
    FB_REQUEST_TENANT,   /* block.tenant, quota_bytes, ttl_ns: what it may take of this node */
    /* block, ttl_ns: kept in memory that long; the reply's lease ends it; FULL: pins have three
     * quarters of the memory. */
    FB_REQUEST_PIN,
    FB_REQUEST_UNPIN,  /* lease; no reply */
    FB_REQUEST_FORGET, /* block.key: nobody wants it any more, drained or not */
    /* Names, see name.c; block.key: of the name. */
    FB_REQUEST_NAME_READ,   /* record: as last heard of, or 0; what does the store say? */
    FB_REQUEST_NAME_LOOK,   /* record: as last heard of, or 0; what does it mean? */
    FB_REQUEST_NAME_BEGIN,  /* record, wall_ns: which version may be written, over which record? */
    FB_REQUEST_NAME_COMMIT, /* record: the one that BEGIN saw, with new facts; replaced; moved */
    FB_REQUEST_NAME_REMOVE, /* wall_ns */
    FB_REQUEST_NAME_ASK, /* version: BUSY: it is still to be shown by the origin; OK: it is not */
    /* version, size: nobody will commit it; block.object: its blocks'; record: of its COMMIT whose
     * end is not known, version 0 and value 0: there is none; no reply (R21) */
    FB_REQUEST_NAME_ABANDON,
    FB_REQUEST_DRAIN, /* what is owed is looked at, and asked about, anew; no reply */
};

/* A request; a kind uses the fields that say so, or that its line above names. */
struct fb_request {
    uint32_t kind;  /* enum fb_request_kind */
    uint32_t level; /* WRITE: enum fb_level */
    uint32_t key_count, range_count;
    uint64_t request_id, lease; /* request_id: the client's; comes back in the reply */
    const struct fb_key *keys;
    const struct fb_range *ranges;
    struct fb_block block;
    struct fb_span span;
    struct fb_meta record;
    struct fb_key parent; /* GET, PUT of a chain's block: the one before it; 0, 0: none */
    uint64_t quota_bytes; /* TENANT; 0: none */
    uint64_t ttl_ns;      /* TENANT: 0: for ever; PIN */
    uint64_t wall_ns;     /* NAME_BEGIN, NAME_REMOVE (R19) */
    uint64_t replaced;   /* NAME_COMMIT: version that it replaces; NAME_BEGIN: be later than this */
    uint64_t version;    /* NAME_ASK, NAME_ABANDON: of the object; the latter: 0: it has no name */
    uint64_t size;       /* NAME_ABANDON: bytes that may have been written of it */
    struct fb_key moved; /* NAME_COMMIT: of a name that is removed with it (R14), whose keeper is
                            this node; 0, 0: none */
};

/* The answer to a request, by its request_id; fields that a kind does not use are unspecified. */
struct fb_reply {
    uint64_t request_id;
    uint32_t status;       /* enum fb_status */
    uint32_t reason;       /* enum fb_reason */
    uint32_t source;       /* node that the bytes came from; FB_NONE: the origin */
    uint32_t match_count;  /* MATCH: keys in the prefix */
    uint32_t item;         /* GATHER: which range, from 0; FB_NONE: the request was refused */
    uint32_t is_old;       /* NAME_LOOK: the store is silent; it is as last heard of */
    uint32_t copies;       /* WRITE: nodes that hold it; as many as wanted: the origin may, too */
    uint64_t lease;        /* GET, GATHER: to be given back with RELEASE; PIN: with UNPIN */
    struct fb_span span;   /* GET, GATHER: the lent bytes */
    struct fb_meta record; /* LOOKUP, COMMIT, NAME_*: as it is in the store; NAME_COMMIT whose end
                              is not known: as it tried to make it */
    uint64_t version;      /* NAME_*: of the object */
    uint64_t size;         /* NAME_LOOK: of the object */
    uint64_t replaced;     /* NAME_BEGIN: version of the object that is there */
};

/* What a step is about: a client, a peer, an op that ended, new members, the time. */
enum fb_event_kind {
    FB_EVENT_REQUEST,
    FB_EVENT_MESSAGE,
    FB_EVENT_DONE,
    FB_EVENT_VIEW,
    FB_EVENT_TICK
};

/* The end of an op from READ on (R3). */
struct fb_done {
    uint64_t op_id;
    uint32_t status, is_final; /* enum fb_status; FETCH that failed: see R16 */
    uint64_t digest, next;     /* DIGEST: of the span's bytes; SCAN: cursor of the next header */
    union {
        struct fb_meta record;   /* META_GET, META_PUT */
        struct fb_header header; /* SCAN */
        struct {                 /* META_LIST (R18) */
            struct fb_meta record;
            struct fb_key key;
            uint64_t wall_ns;
        } listed;
        struct { /* ORIGIN_*: what is there (R17) */
            uint64_t version, order, written, size;
            uint64_t object; /* REMOVE: whose blocks were removed; 0: not known */
        } origin;
        struct fb_block missing; /* ORIGIN_COMMIT, BUSY; size 0: not known */
    };
};

struct fb_view;

/* What a step is given. */
struct fb_event {
    uint32_t kind; /* enum fb_event_kind */
    union {
        struct fb_request request;
        struct fb_message message;
        struct fb_done done;
        const struct fb_view *view; /* R8 */
    };
};

/* What the core asks of its driver. */
enum fb_op_kind {
    FB_OP_REPLY,         /* reply; fire and forget, as the next two */
    FB_OP_SEND,          /* message to node target (R6) */
    FB_OP_MARK,          /* source: a device span; its header is not OWED any more (R15) */
    FB_OP_READ,          /* device span -> memory span */
    FB_OP_WRITE,         /* memory span -> device span */
    FB_OP_FLUSH,         /* device's volatile cache */
    FB_OP_DISCARD,       /* device span */
    FB_OP_PULL,          /* source span of a peer (or of the client) -> memory span, one-sided */
    FB_OP_FETCH,         /* block of an origin object -> memory span */
    FB_OP_STORE,         /* memory span -> block of an origin object */
    FB_OP_META_GET,      /* record of block.key: OK or ABSENT */
    FB_OP_META_PUT,      /* record of block.key, compare-and-swap (R14) */
    FB_OP_DIGEST,        /* of the memory span; DONE carries it */
    FB_OP_ENCODE,        /* memory span -> parity fragments (R13) */
    FB_OP_DECODE,        /* fragments -> memory span (R13) */
    FB_OP_SCAN,          /* a header of the device, from the cursor source.offset on (R15) */
    FB_OP_META_LIST,     /* an unfinished record, from block.key on (R18) */
    FB_OP_ORIGIN_STAT,   /* the object of block.key (R17), as the next two */
    FB_OP_ORIGIN_COMMIT, /* change */
    FB_OP_ORIGIN_REMOVE, /* change */
    FB_OP_COUNT
};

/* What a step asks for. */
struct fb_op {
    uint32_t kind;   /* enum fb_op_kind */
    uint32_t target; /* SEND: node id */
    uint64_t op_id;  /* from READ on */
    union {
        struct fb_reply reply;
        struct fb_message message;
        struct {
            struct fb_span span;   /* this node's memory */
            struct fb_span source; /* READ: device; PULL: peer or client; WRITE: device (target) */
            struct fb_block block;
            union {
                struct fb_meta record; /* META_PUT: the expected version, the new value and size */
                struct fb_change change;
                struct { /* WRITE: of the block's header */
                    uint64_t digest;
                    uint32_t header_state; /* enum fb_header_state */
                };
            };
            const struct fb_fragments *fragments; /* ENCODE, DECODE; else unspecified */
        };
    };
};

#endif
