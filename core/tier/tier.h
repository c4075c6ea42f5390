/* What memory, device, tenants and chains offer the flows: a paragraph a file. */
#ifndef FB_CORE_TIER_TIER_H
#define FB_CORE_TIER_TIER_H

#include "core/state/step.h"

/* memory.c: entries and their bytes. */
uint32_t memory_units(const struct fb_node *node, uint32_t size_bytes);
struct fb_span memory_span(const struct fb_node *node, uint32_t first_unit, uint64_t size_bytes);
uint32_t memory_allocate(struct fb_node *node, uint32_t size_bytes); /* FB_NONE: nothing may go */
/* Can there be such a block here: its size, its tenant? */
bool memory_may_hold(const struct fb_node *node, const struct fb_block *block);
/* May a block stay for as long as somebody wants? What is promised and pinned leaves an eighth of
 * the memory and of its entries, one block at least, to what comes and goes: else a drain that
 * stands still would stop all reads. The first one may always. */
bool memory_may_keep(const struct fb_node *node, uint32_t size_bytes);
void memory_free(struct fb_node *node, uint32_t first_unit, uint32_t size_bytes);
uint32_t memory_insert(struct fb_node *node, const struct fb_block *block);
/* The entry of a key, FB_NONE when there is none that may be used. */
uint32_t memory_find(struct fb_node *node, struct fb_key key);
/* A block was used. */
void memory_touch(struct fb_node *node, uint32_t slot);
/* Removes a resident one that nothing pins and that is no promise. False: it stays. */
bool memory_drop(struct fb_node *node, uint32_t slot);
void memory_remove(struct fb_node *node, uint32_t slot);
void memory_pin(struct fb_node *node, uint32_t slot);
void memory_unpin(struct fb_node *node, uint32_t slot);
/* Removes a transient one that is unused. */
void memory_settle(struct fb_node *node, uint32_t slot);
void memory_check(struct fb_node *node);

/* device.c: the drive tier. */
uint32_t device_find(struct fb_node *node, struct fb_key key); /* FB_NONE: not there, or no tier */
/* What a write of what is promised is about. */
struct device_promise {
    const struct fb_block *block; /* NULL: a fragment; headers owe none */
    uint64_t hold_id;             /* of the put that waits for it, and its node */
    uint32_t writer;
};
/* promise NULL: write-behind. */
void device_write_begin(struct step *step, uint32_t slot, struct fb_key key,
                        const struct device_promise *promise);
/* Whoever waits for the write is told between the two: its entry is still pinned. */
void device_write_done(struct step *step, uint32_t write, uint32_t generation, enum fb_status);
void device_write_end(struct step *step, uint32_t write);
void device_mark(struct step *step, uint32_t device_slot);
struct fb_span device_span(const struct fb_node *node, uint32_t device_slot);
bool device_recover(struct fb_node *node, const struct fb_header *header);
bool device_is_full(struct fb_node *node);
bool device_evict(struct fb_node *node); /* false: none that was looked at can go */
bool device_is_passed_by(struct fb_node *node);
bool device_is_owed(struct fb_node *node, uint32_t device_slot, uint64_t digest);
void device_read_end(struct fb_node *node, uint32_t device_slot, bool is_bad);
void device_forget(struct fb_node *node, struct fb_key key);
void device_check(struct fb_node *node);

/* tenant.c: quotas and time to live. */
bool tenant_is_known(const struct fb_node *node, uint32_t tenant);
/* Sets quota and time to live; 0: none. Blocks that are here keep their dates. */
enum fb_status tenant_set(struct fb_node *node, const struct fb_request *request);
void tenant_enter(struct fb_node *node, uint32_t slot, uint32_t tenant);
void tenant_leave(struct fb_node *node, uint32_t slot);
void tenant_touch(struct fb_node *node, uint32_t slot);
bool tenant_make_room(struct fb_node *node, uint32_t tenant, uint64_t size_bytes);
bool tenant_has_ttl(struct fb_node *node, uint32_t slot);
void tenant_filled(struct fb_node *node, uint32_t slot);
bool tenant_is_expired(struct fb_node *node, uint32_t slot);
void tenant_check(struct fb_node *node);

/* branch.c: chains, leaves first. */
void branch_enter(struct fb_node *node, uint32_t slot);
/* Pins the entry of a parent, until branch_release; FB_NONE: it is not here. */
uint32_t branch_hold(struct fb_node *node, struct fb_key parent);
void branch_release(struct fb_node *node, uint32_t parent);
void branch_link(struct fb_node *node, uint32_t slot, uint32_t parent);
void branch_leave(struct fb_node *node, uint32_t slot);
uint32_t branch_leaf(struct fb_node *node, uint32_t slot);
void branch_check(struct fb_node *node);

/* fragment.c: what entries are fragments of. */
struct fb_key fragment_key(struct fb_key key, uint32_t fragment); /* its own inverse */
uint32_t fragment_bytes(const struct fb_config *config, uint32_t size_bytes, uint32_t fragment);
struct fragment *fragment_of_dirty(struct fb_node *node, uint32_t dirty); /* NULL: a whole block */
bool fragment_has_room(struct fb_node *node, uint32_t slot);
bool fragment_is_sane(const struct fb_node *node, const struct fb_message *message);
struct fragment fragment_of_message(const struct fb_message *message);
const struct fragment *fragment_of_fill(struct fb_node *node, const struct fill *fill);
void fragment_arrives(struct fb_node *node, uint32_t fill, const struct fb_message *message);
void fragment_settle(struct fb_node *node, uint32_t dirty, const struct fragment *fragment);
bool fragment_told_is_sane(const struct fb_node *node, const struct fb_message *message);
/* The writer of a fill's block, of which an undrained fragment is here; else FB_NONE. */
uint32_t fragment_writer(struct fb_node *node, struct fill *fill);

#endif
