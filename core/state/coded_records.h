/* The records of blocks under an erasure code, private to core/; there are none when it is off. */
#ifndef FB_CORE_STATE_CODED_RECORDS_H
#define FB_CORE_STATE_CODED_RECORDS_H

#include "core/io.h"

/* What a held or an arriving block is a fragment of: one for each dirty record, then one for each
 * fill. */
struct fragment {
    uint64_t digest;     /* of the whole block */
    uint64_t vain_ns;    /* since then all who could know say that it is in vain; 0: not so */
    uint64_t tell_ns;    /* when it is in vain: not told of before then */
    uint32_t size_bytes; /* of the whole block; 0: it is no fragment */
    uint32_t writer;     /* who drains it */
    uint32_t index;
    uint32_t is_orphan; /* the writer does not know of it any more */
};

/* What a coded put does now; see erasure.c. */
enum code_state { CODE_OFF, CODE_EXTENT, CODE_CHECK, CODE_ENCODE, CODE_DIGEST, CODE_READY };

struct code { /* the fragments of a put's block; one for each put; see erasure.c */
    uint64_t digests[FB_FRAGMENTS_MAX]; /* CHECK: the first is one of the block that differs */
    uint32_t targets[FB_FRAGMENTS_MAX];
    struct fb_fragments plan;
    uint32_t held, asked, ready; /* bitmaps; ready: the digest is known */
    uint32_t parity_unit;        /* own extent; FB_NONE: none */
    uint32_t generation;
    uint8_t state;  /* enum code_state */
    uint8_t digest; /* DIGEST: of this one */
    uint8_t count;  /* of all fragments */
    uint8_t reserved;
};

/* What a mend does now; see mend.c. */
enum mend_state { MEND_FREE, MEND_LISTENING, MEND_PULLING, MEND_JOINING, MEND_SEEKING };

struct mend { /* a block being made from fragments; see mend.c */
    struct fb_block block;
    uint64_t digest;
    struct fb_fragments plan;
    uint32_t sources[FB_FRAGMENTS_MAX];
    uint32_t slots[FB_FRAGMENTS_MAX];    /* pinned, where `have` says so */
    uint32_t heard, told, pulling, have; /* bitmaps; told: heard of, and not pulled in vain */
    uint32_t generation;
    uint32_t state;     /* enum mend_state */
    uint32_t is_sought; /* everybody was asked for its fragments */
    uint32_t next;      /* SEEKING: whom to ask next */
    uint32_t failures;  /* pulls in vain; after retries_max no more of them */
};

#endif
