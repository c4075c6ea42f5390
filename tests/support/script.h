/* A scripted cluster for tests of the core: a handful of nodes, a queue of events in (time,
 * order), fixed delays per op, and switches for faults. No engine, no models: what a test sees
 * is the core alone. After every step the node's invariants are checked. What happens can be
 * had as text. */
#ifndef FB_TESTS_SUPPORT_SCRIPT_H
#define FB_TESTS_SUPPORT_SCRIPT_H

#include "core/node/node.h"

#include <stdbool.h>

enum { SCRIPT_NODES_MAX = 8, SCRIPT_REPLIES_MAX = 4096 };

/* What happens to an op; decided by the test, asked for each op from READ on and each SEND. */
struct script_fault {
    bool is_lost;          /* SEND: dropped; other ops: never used (R3) */
    bool is_duplicated;    /* SEND */
    enum fb_status status; /* ops from READ on: status of the DONE */
    uint64_t delay_ns;     /* on top of the usual */
    bool is_final;         /* FETCH: as DONE says it (R16) */
    bool is_applied;       /* META_PUT: it takes effect, whatever status says */
    bool is_garbled;       /* PULL, READ: other bytes arrive than those that were there; DIGEST: of
                              others */
};

struct script;
typedef struct script_fault script_fault_function(struct script *script, uint32_t node,
                                                  const struct fb_op *op);

struct script *script_open(uint32_t nodes, const struct fb_config *config, uint64_t seed);
void script_close(struct script *script);

/* Called for each op; NULL: no faults. context is the test's. */
void script_set_fault(struct script *script, script_fault_function *fault, void *context);
void *script_context(struct script *script);

/* From then on: messages to the node vanish, pulls from it fail with GONE. */
void script_kill(struct script *script, uint32_t node);

/* A node that was killed begins anew at a date, with nothing in memory (R10). Its drive is as it
 * was, or empty. */
void script_restart(struct script *script, uint64_t at_ns, uint32_t node, bool is_drive_kept);

/* Settings of the nodes that begin anew from now on; no pool may be larger than before. */
void script_set_config(struct script *script, const struct fb_config *config);

/* The header of the n-th block on a node's drive, to be spoiled; NULL: there are fewer. */
struct fb_header *script_header(struct script *script, uint32_t node, uint32_t n);

/* Kills a node (FB_NONE: none more) and gives the others a view without the dead, at a date. */
void script_bury(struct script *script, uint64_t at_ns, uint32_t node);

/* Objects from here on are at the origin only once they were stored. */
#define SCRIPT_WRITTEN (UINT64_C(1) << 40)

/* The record of a name as the metadata store has it; version 0: none. */
struct fb_meta script_record(const struct script *script, struct fb_key key);

/* What the origin shows of a name (R17); version 0: nothing. blocks: the version that was composed
 * last; who puts an object there himself sets it to 0. is_missing: COMMITs are BUSY;
 * so they are until the block `missing`, if its size is not 0, is stored. */
struct script_shown {
    uint64_t version, size, blocks;
    bool is_missing;
    struct fb_block missing;
};
struct script_shown *script_shown(struct script *script, struct fb_key key);

/* The record, as another hand puts it into the store. */
void script_record_put(struct script *script, struct fb_key key, struct fb_meta record);

/* Queues a durable write of `block` at a level (enum fb_level). */
void script_write(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                  const struct fb_block *block, uint32_t level);

/* How often the block was stored at the origin. */
uint32_t script_stores(const struct script *script, const struct fb_block *block);

/* Queues a request at a date. request_id must be below SCRIPT_REPLIES_MAX. */
void script_get(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                const struct fb_block *block);
/* A gather; the reply to range i is that of request_id + i. At most 16 ranges. */
void script_gather(struct script *script, uint64_t at_ns, uint32_t node, uint64_t request_id,
                   const struct fb_range *ranges, uint32_t count);
void script_request(struct script *script, uint64_t at_ns, uint32_t node,
                    const struct fb_request *request);

/* Every answered get is released this long after its reply; FB_NEVER_NS: never. Default 0. */
void script_set_hold(struct script *script, uint64_t hold_ns);

/* Runs until nothing is left, or until until_ns. */
void script_run(struct script *script, uint64_t until_ns);

/* The reply to a request; NULL: none yet. */
const struct fb_reply *script_reply(const struct script *script, uint64_t request_id);
/* How many replies came before this one. */
uint32_t script_reply_turn(const struct script *script, uint64_t request_id);
uint64_t script_reply_ns(const struct script *script, uint64_t request_id);

struct fb_node *script_node(struct script *script, uint32_t node);
uint64_t script_now_ns(const struct script *script);

/* From now on all events, ops and reasons become text. */
void script_trace(struct script *script);
/* In it the object has this name. */
void script_name(struct script *script, uint64_t object, const char *name);
/* The text so far; until the next call of the script. */
const char *script_text(struct script *script);

/* Reads that returned other bytes than the block's. Must stay 0. */
uint32_t script_wrong_reads(const struct script *script);

/* A block of an object, with the key that belongs to it; version: any number. */
struct fb_block script_block(uint64_t object, uint64_t number, uint32_t size, uint64_t version);

/* The node that owns the block at rank 0. */
uint32_t script_owner(const struct script *script, const struct fb_block *block, uint32_t rank);

#endif
