/* A checkpoint's clients: the state that checkpoint.c (who writes, what it cost) and restore.c (who
 * reads it back) share. */
#ifndef FB_SIM_CLIENTS_CHECKPOINT_INTERNAL_H
#define FB_SIM_CLIENTS_CHECKPOINT_INTERNAL_H

#include "sim/world/world_internal.h"

enum { RESTORE_GATHERS = 2 }; /* under way a reader: one is read while the next is asked */

/* The upper half of a request's id and of a timer's word; the lower is a slot or a gather. */
enum checkpoint_word {
    WORD_START,
    WORD_WRITE,
    WORD_MANIFEST,
    WORD_GATHER, /* a list of ranges */
    WORD_RANGE,  /* one range, again */
    WORD_COPIED
};

struct restore_gather {
    uint64_t first; /* range of its reader */
    uint32_t count, left;
};

struct checkpoint_node {
    uint64_t first, count; /* blocks it writes, or ranges it reads and the block of the first */
    uint64_t asked, done;
    uint64_t begin_byte, end_byte; /* of the state, as a reader */
    uint64_t begun_ns, ended_ns;
    uint64_t read_bytes;
    uint64_t pulled_before; /* by its node, before it began to read */
    struct restore_gather gathers[RESTORE_GATHERS];
};

struct checkpoint {
    uint64_t blocks;
    uint32_t slots_per_node, gather_ranges; /* of a gather, at most */
    bool is_restoring, is_committing;
    uint32_t committer;
    struct checkpoint_node *nodes;
    uint64_t *slots;         /* of each node: a block that is written, or the lease of a range */
    struct fb_range *ranges; /* of the gather that is asked now */
    uint8_t *is_acked;
    uint64_t acked, stored, dead;
    uint64_t restore_ranges, read; /* of all readers; that ended */
    uint64_t durable_ns, drained_ns, restored_ns, restore_begun_ns;
    uint64_t failed_reads;
    double spread_bytes; /* between nodes, until durable */
};

/* checkpoint.c */
struct fb_block checkpoint_block(const struct world *world, uint64_t number);
uint64_t *checkpoint_slot(const struct world *world, uint32_t node, uint32_t slot);
uint32_t checkpoint_nodes_up(const struct world *world);
uint64_t checkpoint_word(enum checkpoint_word word, uint32_t index);

/* restore.c */
uint32_t restore_gather_ranges(const struct fb_scenario *scenario); /* 0: nobody reads */
void restore_start(struct world *world);                            /* every reader gets its part */
void restore_node_start(struct world *world, uint32_t node);        /* and begins */
void restore_reply(struct world *world, uint32_t node, const struct fb_reply *reply);
void restore_timer(struct world *world, uint32_t node, uint64_t detail);
void restore_node_down(struct world *world, uint32_t node);

#endif
