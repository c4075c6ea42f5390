/* What memory, device, tenants and chains offer the flows: a paragraph a file. */
#ifndef FB_CORE_TIER_TIER_H
#define FB_CORE_TIER_TIER_H

#include "core/state/step.h"

/* memory.c: entries and their bytes. */
uint32_t memory_units(const struct fb_node *node, uint32_t size_bytes);
struct fb_span memory_span(const struct fb_node *node, uint32_t first_unit, uint64_t size_bytes);
uint32_t memory_allocate(struct fb_node *node, uint32_t size_bytes); /* FB_NONE: nothing may go */
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
void device_write_begin(struct step *step, uint32_t slot, struct fb_key key, uint32_t writer,
                        uint64_t hold_id);
void device_write_done(struct step *step, uint32_t write, uint32_t generation, enum fb_status);
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
void tenant_request(struct step *step, const struct fb_request *request);
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

#endif
