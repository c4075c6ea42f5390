/* What else reading remembers: loans, matches, gathers, pins, how fast others are; see state.h. */
#ifndef FB_CORE_STATE_READ_RECORDS_H
#define FB_CORE_STATE_READ_RECORDS_H

#include "core/io.h"

struct pace {            /* what something took lately; see pace.c */
    uint64_t ns_per_mib; /* 0: nothing known */
};

struct suspect { /* failures 0: not in use */
    uint64_t until_ns;
    uint32_t peer;
    uint32_t failures; /* in a row */
};

/* A loan to a peer; see serve.c. */
struct lend {
    uint64_t begun_ns, expires_ns;
    uint32_t generation;
    uint32_t slot;
    uint32_t peer;
    uint32_t newer, older; /* in order of expiry; free list in `newer` */
    uint32_t reserved;
};

/* Keys that one owner was asked of. */
struct match_run {
    uint32_t peer;
    uint32_t first, count; /* keys */
    uint32_t held;         /* answer; FB_NONE: none yet */
};

/* A prefix match under way; see match.c. */
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

struct pin { /* see pin.c */
    uint64_t request_id;
    uint64_t ttl_ns, expires_ns;
    uint32_t generation;
    uint32_t slot;
    uint32_t state;
    uint32_t size_bytes;
};

/* A list of ranges under way; see gather.c. */
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
