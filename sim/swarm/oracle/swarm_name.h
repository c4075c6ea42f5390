/* What the swarm knows of names: their records' history, and what the origin shows of them. */
#ifndef FB_SIM_SWARM_ORACLE_SWARM_NAME_H
#define FB_SIM_SWARM_ORACLE_SWARM_NAME_H

#include "core/node/node.h"
#include "sim/swarm/swarm.h"

enum {
    SWARM_RECORDS = 4, /* names whose records clients change themselves; as many others follow */
    SWARM_NAMES = 2 * SWARM_RECORDS
};

/* What the origin shows of a name; written 0: nothing. blocks: of which version; 0: of a
 * stranger. */
struct swarm_shown {
    uint64_t written, blocks;
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
