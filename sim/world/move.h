/* What moves between the nodes and the origin of a simulated world; see origin.c. */
#ifndef FB_SIM_WORLD_MOVE_H
#define FB_SIM_WORLD_MOVE_H

#include "core/io.h"
#include "sim/world/gate.h"

/* What a node wants of the origin: an op's block, or the commit of an object. */
enum move_kind { MOVE_FETCH, MOVE_STORE, MOVE_COMMIT };

/* A STORE of several parts is between two requests that carry nothing. */
enum move_stage { STAGE_BEFORE, STAGE_PARTS, STAGE_AFTER };

/* What moves, by its requests. */
struct move {
    struct fb_op op; /* not of COMMIT */
    enum move_kind kind;
    enum move_stage stage;
    uint32_t node, account;
    uint32_t turn; /* counts uses of this place: requests of an earlier one are nobody's */
    uint32_t next; /* free, or in the node's queue */
    uint64_t part_bytes, parts;
    uint64_t begin_ns;
    uint64_t begun; /* bytes whose requests have begun */
    uint64_t left;  /* COMMIT: requests */
    uint64_t object;
    uint32_t count;  /* requests under way, those that pause included */
    uint32_t failed; /* tries */
    uint64_t retry_ns;
    bool is_used, is_queued;
};

/* Of a node: what waits for a request, and how many requests it has. */
struct move_queue {
    uint32_t head, tail, requests, requests_max;
};

/* All that nodes want of the origin, and what the store counts by object. */
struct world_origin {
    struct move *moves;
    struct move_queue *queues; /* by node */
    uint32_t move_count, move_used, move_free;
    struct fb_gate_objects objects;
};

/* A request of a move, in its way. */
struct move_request {
    uint32_t move, turn, tries, status;
    uint64_t bytes;
};

#endif
