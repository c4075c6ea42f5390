/* The cache's brain as a step function. See io.h for the contract. */
#ifndef FB_CORE_NODE_NODE_H
#define FB_CORE_NODE_NODE_H

#include "core/config.h"
#include "core/decision.h"
#include "core/stats.h"
#include "core/place/view.h"

struct fb_node;

/* Bytes of a node with this config. Errors: 0 when fb_config_fault names a field. */
uint64_t fb_node_size_bytes(const struct fb_config *config);

/* Makes a node in size_bytes of 8-aligned memory, which the caller owns and frees after its last
 * call. The first deadline is 0 (R10). Errors: FB_INVALID: config or size. */
enum fb_status fb_node_init(struct fb_node *node, uint64_t size_bytes,
                            const struct fb_config *config, uint64_t seed);

/* Handles one event, returns the number of ops written. now_ns: not before the last step's (R7). */
uint32_t fb_node_step(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                      struct fb_op ops[FB_STEP_OPS_MAX]);

/* The same step, and why it was made so: what decisions held before is gone. */
uint32_t fb_node_step_told(struct fb_node *node, uint64_t now_ns, const struct fb_event *event,
                           struct fb_op ops[FB_STEP_OPS_MAX], struct fb_decisions *decisions);

/* A hint: these events are likely to be handled next. Fetches what their steps will touch, for all
 * of them at once, where one step after the other would wait for memory each time. Changes nothing
 * and may be left out; 8 to 32 events at a time pay. */
void fb_node_prefetch(const struct fb_node *node, const struct fb_event *events, uint32_t count);

/* When TICK is due: FB_NEVER_NS: not; <= now: at once. */
uint64_t fb_node_deadline_ns(const struct fb_node *node);

/* Its counters, until its memory goes. */
const struct fb_stats *fb_node_stats(const struct fb_node *node);

/* Bytes of state of a node with the scale preset, for `forebay size --state`. */
uint64_t fb_node_scale_size_bytes(void);

/* True when nothing is in flight: no fill, loan, waiter, match, write or pinned block. */
_Bool fb_node_is_idle(const struct fb_node *node);

/* True when the block could be read from this node's memory or device. For tests and oracles. */
_Bool fb_node_holds(const struct fb_node *node, struct fb_key key);

/* Where a block is, as this node knows. */
struct fb_found {
    uint8_t is_in_memory;
    uint8_t is_on_device;
    uint8_t is_coming; /* on its way into memory */
    uint8_t is_owed;   /* acknowledged here, and not known to be at the origin */
    uint32_t owner;    /* that others ask first; FB_NONE: there is no view */
    uint32_t holder_count;
    uint32_t holders[FB_HOLDERS_MAX]; /* others that had it whole; may have evicted it since */
};

/* For those who ask why: changes nothing, not even what is evicted next. */
void fb_node_find(const struct fb_node *node, struct fb_key key, struct fb_found *found);

/* Memory that can not be given to another block now: lent, being filled, promised. */
uint64_t fb_node_pinned_bytes(const struct fb_node *node);

/* Bytes that were acknowledged as kept here and that are not known to be at the origin. */
uint64_t fb_node_undrained_bytes(const struct fb_node *node);

/* Blocks of those bytes, of at most config.dirty_max. owed_next: the object of one after another,
 * the oldest first; cursor: FB_NONE at first, and when there is no more (FB_OBJECT_NONE). */
uint32_t fb_node_owed_blocks(const struct fb_node *node);
/* Walks the owed blocks, oldest first; see above. size_bytes: of the block. */
uint64_t fb_node_owed_next(struct fb_node *node, uint32_t *cursor, uint32_t *size_bytes);

/* Of those, blocks that the origin refuses for good (R16): how it did last, and since when (0: none
 * is refused); and what a writer hears whom there is no room for: BUSY, or the refusal. */
struct fb_refused {
    uint64_t since_ns;
    uint32_t blocks, status, verdict; /* enum fb_status */
};
/* Fills in all of it; verdict FB_BUSY where nothing is refused for good. */
void fb_node_refused(const struct fb_node *node, struct fb_refused *refused);

/* What is taken of this node's memory, by what is being read, too, and of its device. */
uint64_t fb_node_memory_used_bytes(const struct fb_node *node);
/* The device's; 0 without one. */
uint64_t fb_node_device_used_bytes(const struct fb_node *node);

/* Has this peer been silent or broken off lately, so that it is not asked for a while? */
_Bool fb_node_suspects(const struct fb_node *node, uint32_t peer);

/* Is a block of this object owed here, or on its way to be? Looks through all that is. */
_Bool fb_node_owes(struct fb_node *node, uint64_t object);

/* Is it still looking for what was on the drive before it started? */
_Bool fb_node_is_recovering(const struct fb_node *node);
/* Names whose commit or removal the origin does not show yet, and that this node is to see to. */
uint32_t fb_node_unfinished_names(const struct fb_node *node);

/* Is something done about the name of this key? While it is, its driver remembers the name. */
_Bool fb_node_has_name(const struct fb_node *node, struct fb_key key);

/* Is this version of it still to be shown by the origin, by this node? */
_Bool fb_node_finishes_name(const struct fb_node *node, struct fb_key key, uint64_t version);

/* A name that cannot be finished; see name_collect.c. */
struct fb_bad_name {
    struct fb_key key;
    uint64_t version; /* of the object */
    uint32_t status;  /* enum fb_status: why */
};

/* How many there are; unfinished ones, too. */
uint32_t fb_node_bad_names(const struct fb_node *node);

/* The index-th slot of them, below names_max; false: it is empty. */
_Bool fb_node_bad_name(const struct fb_node *node, uint32_t index, struct fb_bad_name *bad);

/* The index-th job, below names_max: has the origin refused it for some time, as it will until
 * somebody helps? It is tried on. */
_Bool fb_node_refused_name(const struct fb_node *node, uint32_t index, struct fb_bad_name *refused);

/* Bytes of this node's memory that a tenant's blocks take, those that are being read included; 0:
 * no such tenant. */
uint64_t fb_node_tenant_bytes(const struct fb_node *node, uint32_t tenant);

/* What an id is of that a node made for an op or a message: "attempt", "put", ... */
const char *fb_node_id_name(uint64_t id);

/* Is `id` of the same attempt as an earlier one of its node, and the next of it? */
_Bool fb_node_id_follows(uint64_t earlier, uint64_t id);

/* Walks every invariant; asserts. */
void fb_node_check(const struct fb_node *node);

#endif
