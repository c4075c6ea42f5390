/* Every limit of the core, by name. What is answered when a limit is reached stands beside it. */
#ifndef FB_CORE_LIMITS_H
#define FB_CORE_LIMITS_H

#include <assert.h>
#include <stdint.h>

#define FB_NONE UINT32_MAX     /* no index, no node */
#define FB_NEVER_NS UINT64_MAX /* no deadline */

/* Bounds that are built in; those that an operator may want to move are settings. */
enum {
    FB_STEP_OPS_MAX = 8,      /* R2; more work: deadline <= now and a TICK */
    FB_DECISIONS_MAX = 64,    /* that a step tells of; more are counted */
    FB_PARTITIONS = 65536,    /* of the key space, in a view */
    FB_RANKS_MAX = 3,         /* nodes a partition lists, in preference order */
    FB_STANDINS_MAX = 8,      /* members that may hold a block for its owners; then DEGRADED */
    FB_ATTEMPTS_MAX = 2,      /* a fill's attempts at once: the first and its hedge */
    FB_HOLDERS_MAX = 8,       /* readers a lender remembers per block; oldest replaced */
    FB_SUSPECTS_MAX = 32,     /* peers whose failures a node remembers */
    FB_HOPS_MAX = 32,         /* referrals one ask follows before it goes back to the owner */
    FB_FRAGMENTS_MAX = 16,    /* data and parity of one block; see erasure.c */
    FB_MATCH_KEYS_MAX = 1024, /* keys in one match request; more: INVALID */
    FB_MATCH_RUNS_MAX = 7,    /* owners one match asks at once; keys beyond are not counted */
    FB_EVICT_TRIES_MAX = 64,  /* victims looked at for one extent; then BUSY */
    /* Of a file; a commit of more: TOO_LARGE, a record that says so: bad. 1 PiB of 16 MiB. */
    FB_NAME_BLOCKS_MAX = 1 << 26,
    FB_UNITS_PER_CHUNK = 64, /* granularity of an extent: block size / 64 */
};

static_assert((FB_PARTITIONS & (FB_PARTITIONS - 1)) == 0, "partition index is a mask of the key");
static_assert(FB_MATCH_RUNS_MAX < FB_STEP_OPS_MAX, "a match's sends and its reply fit one step");

#endif
