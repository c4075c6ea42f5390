/* The lists that message.h makes the messages of: the kinds, and the fields of each.
 *
 * X(kind, type, name, place, range)
 *   place  where it is sent: a member of fb_message_flat, as wide as the field
 *   range  what the door demands of it, whatever the other fields say: range_<it> of sane.c */
#ifndef FB_CORE_MESSAGE_FIELDS_H
#define FB_CORE_MESSAGE_FIELDS_H

/* X(NAME, kind, text) */
#define FB_MESSAGE_KINDS(X) \
    /* reader -> owner or holder: may I pull this block? The answers: pull from span, RETURN it; \
     * ask node `target` instead; it is being fetched, an OFFER or REFER follows; no, and status \
     * says why (ABSENT, BUSY, IO, THROTTLED) */ \
    X(ASK, ask, "ask") \
    X(OFFER, offer, "offer") \
    X(REFER, refer, "refer") \
    X(WAIT, wait, "wait") \
    X(DENY, deny, "deny") \
    /* reader -> lender: done with the span; flag KEPT: I can serve it now */ \
    X(RETURN, returned, "return") \
    /* keys: how many from the first on do you hold? The answer: so many */ \
    X(MATCH_ASK, match_ask, "match_ask") \
    X(MATCH_TELL, match_tell, "match_tell") \
    /* writer -> rank: pull span, keep it until drained; the answer: status */ \
    X(HOLD, hold, "hold") \
    X(HELD, held, "held") \
    /* first rank -> holder: block is at the origin; holder -> first rank: is it? */ \
    X(DRAINED, drained, "drained") \
    X(DRAIN_ASK, drain_ask, "drain_ask") \
    /* answer: I do not have that block; status BUSY: I do, wait; one of R16: I do, and the \
     * origin refuses it; ABSENT, of a fragment: too few are known, and the origin has not got \
     * the block */ \
    X(DRAIN_LOST, drain_lost, "drain_lost") \
    /* nobody wants the block any more */ \
    X(FORGET, forget, "forget") \
    /* holder -> first rank: I have one of block, and its writer is gone */ \
    X(FRAGMENT, fragment, "fragment") \
    /* reader -> member: the origin has not got the block; have you? The answer: OK: all of it; \
     * ABSENT: no; BUSY: maybe soon */ \
    X(SEEK, seek, "seek") \
    X(SOUGHT, sought, "sought") \
    /* the object's blocks are owed no longer (R21) */ \
    X(ABANDON, abandon, "abandon")

/* ask_id: the asker's attempt, match run, put or search; answers carry it back.
 * number: 1 + which fragment of the block; 0: the whole block. */
#define FB_MESSAGE_ASK_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, struct fb_block, block, block, block) \
    X(kind, uint32_t, complaint, node, any) /* holder that was slow or silent, else FB_NONE */ \
    X(kind, uint8_t, flags, flags, any) \
    X(kind, uint8_t, hops, level, any) /* referrals followed so far */

#define FB_MESSAGE_OFFER_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, uint64_t, lend_id, lend_id, any) /* the lender's loan */ \
    X(kind, uint64_t, digest, digest, any)   /* what you must find */ \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, struct fb_span, span, span, any) \
    X(kind, uint32_t, size, block.size, any) /* of the block, bytes */ \
    X(kind, uint8_t, flags, flags, any)

/* target: the node to ask instead. */
#define FB_MESSAGE_REFER_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, uint32_t, target, node, any)

/* It is being fetched. */
#define FB_MESSAGE_WAIT_FIELDS(X, kind) X(kind, uint64_t, ask_id, ask_id, any)

#define FB_MESSAGE_DENY_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, uint8_t, status, status, any) /* enum fb_status, here and below */ \
    X(kind, uint8_t, flags, flags, any)

/* lend_id: as the OFFER said. */
#define FB_MESSAGE_RETURN_FIELDS(X, kind) \
    X(kind, uint64_t, lend_id, lend_id, any) \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, uint8_t, flags, flags, any)

#define FB_MESSAGE_MATCH_ASK_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, const struct fb_key *, keys, keys, any) /* borrowed, see R12 */ \
    X(kind, uint32_t, key_count, count, key_count)

#define FB_MESSAGE_MATCH_TELL_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, uint32_t, held, count, any) /* keys, from the first on */

#define FB_MESSAGE_HOLD_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, uint64_t, digest, digest, any)        /* of what is in span */ \
    X(kind, uint64_t, block_digest, lend_id, any) /* a fragment's: of the whole block; else 0 */ \
    X(kind, struct fb_block, block, block, block) \
    X(kind, struct fb_span, span, span, memory) \
    X(kind, uint32_t, number, count, number) \
    X(kind, union fb_message_part, part, node, any) \
    X(kind, uint8_t, flags, flags, any) \
    X(kind, uint8_t, level, level, level) /* enum fb_level */

/* OK: it is held; else why not. */
#define FB_MESSAGE_HELD_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, uint8_t, status, status, any)

#define FB_MESSAGE_DRAINED_FIELDS(X, kind) \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, uint8_t, status, status, any) /* as in DRAIN_LOST; nobody looks at it */

/* Whether the block is at the origin. */
#define FB_MESSAGE_DRAIN_ASK_FIELDS(X, kind) \
    X(kind, struct fb_block, block, block, any) \
    X(kind, uint32_t, number, count, number)

/* status: see the list of kinds. */
#define FB_MESSAGE_DRAIN_LOST_FIELDS(X, kind) \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, uint8_t, status, status, any)

/* Which block it is. */
#define FB_MESSAGE_FORGET_FIELDS(X, kind) X(kind, struct fb_key, key, block.key, any)

#define FB_MESSAGE_FRAGMENT_FIELDS(X, kind) \
    X(kind, uint64_t, digest, digest, any) /* of the block */ \
    X(kind, struct fb_block, block, block, block) \
    X(kind, uint32_t, number, count, number)

/* Which block is looked for. */
#define FB_MESSAGE_SEEK_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, struct fb_key, key, block.key, any)

#define FB_MESSAGE_SOUGHT_FIELDS(X, kind) \
    X(kind, uint64_t, ask_id, ask_id, any) \
    X(kind, struct fb_key, key, block.key, any) \
    X(kind, uint32_t, fragments, count, any) /* bitmap of those that are held */ \
    X(kind, uint8_t, status, status, any)

/* Whose blocks they are. */
#define FB_MESSAGE_ABANDON_FIELDS(X, kind) X(kind, uint64_t, object, block.object, object)

#endif
