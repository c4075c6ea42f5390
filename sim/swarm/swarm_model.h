/* What is known of what clients did: their requests, blocks that were written durably, and names:
 * their records' history, and what the origin shows of them. */
#ifndef FB_SIM_SWARM_SWARM_MODEL_H
#define FB_SIM_SWARM_SWARM_MODEL_H

#include "core/node/node.h"
#include "sim/swarm/swarm.h"

/* Shapes of what plans name: chains of volatile blocks, objects of durable ones, gathers. */
enum {
    SWARM_GROUP_KEYS = 4,          /* consecutive keys of a chain with one owner */
    SWARM_CHAINS_FORK = 3,         /* first keys that two neighbouring chains share */
    SWARM_WRITTEN_FIRST = 2000000, /* number of the first durable object */
    SWARM_WRITTEN_OBJECTS = 16,
    SWARM_WRITTEN_BLOCKS = 8, /* of each */
    SWARM_VERSIONS = 4,
    SWARM_VARIANTS = 2, /* bytes that writers of one key may bring */
    SWARM_DURABLES_MAX = SWARM_WRITTEN_OBJECTS * SWARM_WRITTEN_BLOCKS * SWARM_VERSIONS,
    SWARM_RANGES_MAX = 8, /* of a gather; blocks of an object */
};

/* request_id of what no client's list asks. */
#define SWARM_TENANT_ID UINT64_MAX

/* What is left of a gather after a reply: more ranges, all of it once more, or nothing. */
enum swarm_gather_rest { GATHER_MORE, GATHER_AGAIN, GATHER_OVER };

/* Where a request is on its way; see swarm_verb.c. */
enum swarm_request_state {
    REQUEST_FUTURE, /* to be sent, for the first time or again */
    REQUEST_OPEN,   /* sent */
    REQUEST_HELD,   /* answered; its lease is held */
    REQUEST_ENDED
};

/* A client's request, its present try, and what its reply is judged by. */
struct swarm_request {
    struct fb_swarm_request what;
    struct fb_block block;
    uint64_t content;
    uint32_t state; /* enum swarm_request_state */
    uint32_t tries;
    uint32_t copies; /* that a write was answered with */
    uint32_t life;   /* of the node when it was sent */
    uint32_t status; /* of the last reply */
    uint64_t lease;
    struct fb_span span;
    bool must_succeed;
    bool was_refused;
    uint64_t known;      /* get_written, write: what was known; lookup, commit: a version; gather:
                                      items answered; pin: its end */
    bool is_partial;     /* gather: an item failed */
    struct fb_key value; /* commit */
};

/* A block of a durable write; size 0: nobody named it yet. See swarm_durable.c, swarm_copies.c. */
struct swarm_durable {
    uint64_t acked_ns; /* for the last time */
    struct fb_block block;
    uint64_t contents[SWARM_VARIANTS];
    uint64_t stored;              /* content at the origin */
    uint32_t attempted;           /* variants that somebody wrote, bit mask */
    uint32_t in_memory, on_drive; /* nodes that promised a copy there, bit masks */
    uint32_t relied_on; /* nodes that said HELD since they last asked others to, bit mask */
    /* Of each holder: nodes that told it HELD since it was told of its members, bit mask. */
    uint32_t told[FB_SWARM_NODES_MAX];
    uint32_t told_on_drive[FB_SWARM_NODES_MAX]; /* those that told it of their drives */
    uint16_t fragments[FB_SWARM_NODES_MAX];     /* that each promised, bit masks */
    uint8_t unread[FB_SWARM_NODES_MAX];         /* reads that failed since each started */
    uint32_t strikes;                           /* at its holders, after it was acked */
    bool is_acked, is_stored, is_forgotten;
    bool is_torn; /* fewer fragments were left than make it */
};

/* Names of the metadata store. */
enum {
    SWARM_RECORDS = 4, /* names whose records clients change themselves; as many others follow */
    SWARM_NAMES = 2 * SWARM_RECORDS
};

/* What the origin shows of a name; written 0: nothing. blocks: of which version; 0: of a
 * stranger. */
struct swarm_shown {
    uint64_t written, blocks;
    bool is_erased; /* by a removal that went by its time */
};

/* A node's COMMITs of one version: was its block held when each began? A bit each, the last one's
 * first. */
struct swarm_commits {
    uint64_t version, was_held;
};

/* A name of the metadata store; see swarm_meta.c, and swarm_name.c from `begun` on. */
struct swarm_name {
    struct fb_meta *history; /* version 1 on; owned */
    uint64_t count;
    uint64_t seen[FB_SWARM_NODES_MAX];         /* version that each client knows */
    struct fb_reply begun[FB_SWARM_NODES_MAX]; /* BEGINs that were not committed yet */
    struct swarm_shown shown, *past;           /* past: all that was shown; owned */
    uint64_t *gone;                            /* versions without blocks; owned */
    struct swarm_commits commits[FB_SWARM_NODES_MAX];
    uint32_t past_count, gone_count, strangers;
};

#endif
