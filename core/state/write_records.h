/* Durable writes being spread, and blocks that are not at the origin yet; see state.h. */
#ifndef FB_CORE_STATE_WRITE_RECORDS_H
#define FB_CORE_STATE_WRITE_RECORDS_H

#include "core/limits.h"

enum { RECOVER_SCANNING = 1, RECOVER_PAUSED, RECOVER_ENDING }; /* 0: over; see recover.c */

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

#endif
