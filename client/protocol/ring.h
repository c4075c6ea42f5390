/* The ring between a client and its daemon: two queues in memory that both have mapped, and an
 * arena from which the daemon copies what the client puts.
 *
 *  1. The client writes requests and request_tail, the daemon request_head; replies the other way
 *     round. Indexes only grow; an entry's place is index % FB_RING_ENTRIES.
 *  2. The daemon takes no request while FB_RING_ENTRIES replies are due or unread, so replies never
 *     overflow.
 *  3. Whoever is about to sleep says so in its flag, looks again, then sleeps; whoever has written
 *     looks at the other's flag and wakes it: the daemon through the session's doorbell (an
 *     eventfd), the client through a futex on reply_tail.
 *  4. The client is not trusted: the daemon copies an entry before it looks at it, and checks
 *     everything in it. */
#ifndef FB_CLIENT_PROTOCOL_RING_H
#define FB_CLIENT_PROTOCOL_RING_H

#include "core/io.h"

#include <stdatomic.h>

/* Places of each queue; bytes of the ring, behind which the arena begins. */
enum { FB_RING_ENTRIES = 256, FB_RING_BYTES = 64 * 1024 };

/* What is asked for, and which fields of the request say more. */
enum fb_ring_kind {
    FB_RING_GET = 1, /* object, index: a block of an open object */
    FB_RING_GET_KEY, /* key, size: a volatile block */
    FB_RING_PUT,     /* key, size, offset: a volatile block from the arena */
    FB_RING_WRITE,   /* object, index, size, offset, level: a block of an object being written */
    FB_RING_MATCH,   /* size keys at offset in the arena */
    FB_RING_RELEASE, /* object: the lease; no reply */
    FB_RING_PIN,     /* object, index, offset: ns that it lasts: reply.lease ends it earlier */
    FB_RING_UNPIN,   /* object: the pin's lease */
    FB_RING_FORGET,  /* object, index: a block that nobody wants; BUSY: it is not at the origin */
};

/* A place of the client's queue. */
struct fb_ring_request {
    uint32_t kind; /* enum fb_ring_kind */
    uint32_t tenant;
    uint64_t id; /* the client's; comes back */
    uint64_t object;
    uint64_t index;
    struct fb_key key;
    uint64_t offset; /* in the arena */
    uint32_t size;
    uint32_t level; /* WRITE: enum fb_level */
};

/* A place of the daemon's queue: the answer to the request with its id. */
struct fb_ring_reply {
    uint64_t id;
    uint32_t status; /* enum fb_status */
    uint32_t reason; /* enum fb_reason */
    uint32_t source; /* node that the bytes came from; FB_NONE: the origin */
    uint32_t count;  /* MATCH */
    uint64_t lease;  /* GET: to be released */
    uint64_t offset; /* GET: in the cache memory */
    uint64_t size;
    uint64_t reserved[2];
};

/* Both queues, each with the flag of who reads it. */
struct fb_ring {
    _Alignas(64) _Atomic uint32_t request_tail; /* the client's */
    _Atomic uint32_t client_sleeps;
    _Atomic uint32_t reply_head;
    _Alignas(64) _Atomic uint32_t request_head; /* the daemon's */
    _Atomic uint32_t daemon_sleeps;
    _Alignas(64) _Atomic uint32_t reply_tail;
    _Alignas(64) struct fb_ring_request requests[FB_RING_ENTRIES];
    struct fb_ring_reply replies[FB_RING_ENTRIES];
};

static_assert(sizeof(struct fb_ring_request) == 64 && sizeof(struct fb_ring_reply) == 64, "shared");
static_assert(sizeof(struct fb_ring) <= FB_RING_BYTES, "the arena begins behind it");

#endif
