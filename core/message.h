/* What nodes say to each other: a struct for each kind of message, made of one list of its fields.
 * From the same list come what is sent and recorded (message.c, hw/net/wire.c), the check at the
 * door (node/sane.c), the trace, and what tests make up: a new field is a line of its kind's list
 * (message_fields.h). */
#ifndef FB_CORE_MESSAGE_H
#define FB_CORE_MESSAGE_H

#include "core/block.h"
#include "core/message_fields.h"

/* A value for each kind of the list. */
enum fb_message_kind {
#define KIND(NAME, kind, text) FB_MESSAGE_##NAME,
    FB_MESSAGE_KINDS(KIND)
#undef KIND
};

/* Bits of `flags`, and the kinds that they are of. */
enum {
    FB_MESSAGE_FLAG_KEPT = 1,     /* RETURN: the returner caches the block */
    FB_MESSAGE_FLAG_REFERRED = 2, /* ASK: a referral sent me; never fetch from the origin for me */
    FB_MESSAGE_FLAG_FETCHED = 4,  /* OFFER: the lender had to fetch it from the origin first */
    FB_MESSAGE_FLAG_NOW = 8,      /* ASK: OFFER, REFER or DENY at once; do not let me wait */
    FB_MESSAGE_FLAG_AGAIN = 16,   /* ASK, HOLD: sent before: WAIT or BUSY: it is on its way */
    FB_MESSAGE_FLAG_FINAL = 32,   /* DENY: the origin was asked as often as it may be (R16) */
};

/* Of a HOLD's `number`. */
union fb_message_part {
    uint32_t instead;    /* 0: the owner that it is held for; FB_NONE: none */
    uint32_t block_size; /* a fragment's: bytes of the whole block */
};

/* A field of a kind's struct. */
#define FIELD(kind, type, name, place, range) type name;
/* A struct for each kind. */
#define KIND(NAME, kind, text) \
    struct fb_message_##kind { \
        FB_MESSAGE_##NAME##_FIELDS(FIELD, kind) \
    };
/* A message of any kind. */
FB_MESSAGE_KINDS(KIND)
#undef KIND
#undef FIELD

struct fb_message {
    uint8_t kind;    /* enum fb_message_kind */
    uint32_t source; /* node that sent it */
    union {
#define KIND(NAME, kind, text) struct fb_message_##kind kind;
        FB_MESSAGE_KINDS(KIND)
#undef KIND
    };
};

/* A message of any kind, as it is sent and recorded: a kind's list says what a place means in it.
 * Places that it does not use are 0, `node` is FB_NONE and block.object is FB_OBJECT_NONE. */
struct fb_message_flat {
    uint8_t kind, status, flags, level;
    uint32_t source;
    uint64_t ask_id, lend_id, digest;
    uint32_t node, count;
    struct fb_block block;
    struct fb_span span;
    const struct fb_key *keys; /* sent behind the others */
};

/* X(place, bytes), in the order in which they are sent. */
#define FB_MESSAGE_PLACES(X) \
    X(kind, 1) \
    X(status, 1) \
    X(flags, 1) \
    X(level, 1) \
    X(node, 4) \
    X(ask_id, 8) \
    X(lend_id, 8) \
    X(digest, 8) \
    X(count, 4) \
    X(block.tenant, 4) \
    X(block.key.high, 8) \
    X(block.key.low, 8) \
    X(block.object, 8) \
    X(block.offset, 8) \
    X(block.size, 4) \
    X(span.region, 4) \
    X(span.peer, 4) \
    X(source, 4) \
    X(span.offset, 8) \
    X(span.size, 8)

/* Every field to its place. */
void fb_message_pack(struct fb_message_flat *flat, const struct fb_message *message);
/* As they are sent: all places, then the keys. */
uint64_t fb_message_size_bytes(const struct fb_message *message);
/* And back; of a kind that is not known only who sent it. */
void fb_message_unpack(struct fb_message *message, const struct fb_message_flat *flat);

#endif
