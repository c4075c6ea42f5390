/* Which origin and which metadata store a node's bytes belong to, and whether those that it is
 * started with are these.
 *
 *     drive: knows {origin, store}    store: has its own, knows {origin}    origin: has its own
 *
 * Each has an identity that was made once and is never changed; the driver stores them, reads them
 * and makes those that nobody has made.
 *
 * Invariants:
 *  1. What a drive owes is stored at the origin, and named by the store, that it was acknowledged
 *     for, or by others on the operator's word alone.
 *  2. An origin without an identity where one is known is a folder that nobody has mounted.
 *  3. What a drive caches of another origin is never served.
 *  4. Nobody knows yet: then whatever is there is taken, and known from then on. */
#ifndef FB_CORE_TIER_IDENTITY_H
#define FB_CORE_TIER_IDENTITY_H

#include "core/key.h"

/* 0, 0: not known, or it has none. */
struct fb_identities {
    struct fb_key origin, store;
};

/* Is it one, other than 0, 0? */
static inline bool fb_identity_is_known(struct fb_key identity)
{
    return identity.high != 0 || identity.low != 0;
}

/* What drive, store and origin say at a start, and the operator. */
struct fb_identity_facts {
    struct fb_identities drive; /* what it knows */
    uint64_t owed_bytes;        /* on it */
    struct fb_identities store; /* its own, and the origin that it knows */
    struct fb_key origin;       /* the origin's own */
    bool accepts_origin;        /* the operator says that they are meant */
    bool accepts_store;
};

/* What the start does. */
enum fb_identity_answer {
    FB_IDENTITY_USE,
    FB_IDENTITY_FORGET,       /* use it, but nothing that the drive caches */
    FB_IDENTITY_REFUSE_STORE, /* what the drive owes is named by another store */
    FB_IDENTITY_REFUSE_NAMED, /* the store names objects of another origin */
    FB_IDENTITY_REFUSE_DRIVE, /* the drive is of another origin, and owes, or there is none */
};

/* Decides it from the facts alone. Errors: none. */
enum fb_identity_answer fb_identity_judge(const struct fb_identity_facts *facts);

#endif
