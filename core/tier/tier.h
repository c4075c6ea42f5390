/* What memory, device, tenants and chains offer the flows: a paragraph a file. */
#ifndef FB_CORE_TIER_TIER_H
#define FB_CORE_TIER_TIER_H

#include "core/state/step.h"

/* memory.c: entries and their bytes. */
uint32_t memory_units(const struct fb_node *node, uint32_t size_bytes);
/* The bytes from a unit on. */
struct fb_span memory_span(const struct fb_node *node, uint32_t first_unit, uint64_t size_bytes);
uint32_t memory_allocate(struct fb_node *node, uint32_t size_bytes); /* FB_NONE: nothing may go */
/* Can there be such a block here: its size, its tenant? */
bool memory_may_hold(const struct fb_node *node, const struct fb_block *block);
/* May a block stay for as long as somebody wants? What is promised and pinned leaves an eighth of
 * the memory and of its entries, one block at least, to what comes and goes: else a drain that
 * stands still would stop all reads. The first one may always. */
bool memory_may_keep(const struct fb_node *node, uint32_t size_bytes);
/* Gives units back. */
void memory_free(struct fb_node *node, uint32_t first_unit, uint32_t size_bytes);
/* An entry that is being filled, pinned; FB_NONE: no slot. */
uint32_t memory_insert(struct fb_node *node, const struct fb_block *block);
/* The entry of a key, FB_NONE when there is none that may be used. */
uint32_t memory_find(struct fb_node *node, struct fb_key key);
/* A block was used. */
void memory_touch(struct fb_node *node, uint32_t slot);
/* Removes a resident one that nothing pins and that is no promise. False: it stays. */
bool memory_drop(struct fb_node *node, uint32_t slot);
void memory_remove(struct fb_node *node, uint32_t slot); /* The entry goes, with its bytes. */
void memory_pin(struct fb_node *node, uint32_t slot);    /* It may not go until as many unpins. */
void memory_unpin(struct fb_node *node, uint32_t slot);  /* Ends one pin. */
/* Removes a transient one that is unused. */
void memory_settle(struct fb_node *node, uint32_t slot);
void memory_check(struct fb_node *node); /* Asserts that entries, units and pins agree. */

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
/* The write's record is free, its entry unpinned. */
void device_write_end(struct step *step, uint32_t write);
void device_mark(struct step *step, uint32_t device_slot); /* A copy is no promise any more. */
/* Where it is on the drive. */
struct fb_span device_span(const struct fb_node *node, uint32_t device_slot);
/* Takes a header's block in; false: it is not sane, or no room. */
bool device_recover(struct fb_node *node, const struct fb_header *header);
bool device_is_full(struct fb_node *node);      /* Are all its entries taken? */
bool device_evict(struct fb_node *node);        /* false: none that was looked at can go */
bool device_is_passed_by(struct fb_node *node); /* Is it so slow that a read goes elsewhere? */
/* May a promise rely on this copy? */
bool device_is_owed(struct fb_node *node, uint32_t device_slot, uint64_t digest);
/* Unpins a copy; is_bad: nobody finds it any more. */
void device_read_end(struct fb_node *node, uint32_t device_slot, bool is_bad);
/* Nobody finds the key's copy any more. */
void device_forget(struct fb_node *node, struct fb_key key);
void device_check(struct fb_node *node); /* Asserts that index, extents and pins agree. */

/* tenant.c: quotas and time to live. */
bool tenant_is_known(const struct fb_node *node, uint32_t tenant);
/* Sets quota and time to live; 0: none. Blocks that are here keep their dates. */
enum fb_status tenant_set(struct fb_node *node, const struct fb_request *request);
/* A new entry is the tenant's. */
void tenant_enter(struct fb_node *node, uint32_t slot, uint32_t tenant);
void tenant_leave(struct fb_node *node, uint32_t slot); /* An entry goes. */
void tenant_touch(struct fb_node *node, uint32_t slot); /* A block was used: the last to go. */
/* Within its quota; false: none, do not keep the block. */
bool tenant_make_room(struct fb_node *node, uint32_t tenant, uint64_t size_bytes);
bool tenant_has_ttl(struct fb_node *node, uint32_t slot); /* Does its tenant's time run? */
/* The bytes are here: they age from now on. */
void tenant_filled(struct fb_node *node, uint32_t slot);
bool tenant_is_expired(struct fb_node *node, uint32_t slot); /* Is it too old to be served? */
void tenant_check(struct fb_node *node); /* Asserts that lists and bytes agree. */

/* branch.c: chains, leaves first. */
void branch_enter(struct fb_node *node, uint32_t slot);
/* Pins the entry of a parent, until branch_release; FB_NONE: it is not here. */
uint32_t branch_hold(struct fb_node *node, struct fb_key parent);
/* Ends branch_hold; FB_NONE: nothing. */
void branch_release(struct fb_node *node, uint32_t parent);
/* The block of slot comes after its parent's. */
void branch_link(struct fb_node *node, uint32_t slot, uint32_t parent);
/* The entry goes; those after it have no parent then. */
void branch_leave(struct fb_node *node, uint32_t slot);
/* The entry that goes in the victim's place. */
uint32_t branch_leaf(struct fb_node *node, uint32_t slot);
void branch_check(struct fb_node *node); /* Asserts that the links agree. */

/* fragment.c: what entries are fragments of. */
struct fb_key fragment_key(struct fb_key key, uint32_t fragment); /* its own inverse */
/* 0: it lies past the end of a short block. */
uint32_t fragment_bytes(const struct fb_config *config, uint32_t size_bytes, uint32_t fragment);
struct fragment *fragment_of_dirty(struct fb_node *node, uint32_t dirty); /* NULL: a whole block */
/* May one be promised, and memory be left to make blocks? */
bool fragment_has_room(struct fb_node *node, uint32_t slot);
/* Is a HOLD's fragment one that this config can have cut, or none? */
bool fragment_is_sane(const struct fb_node *node, const struct fb_message *message);
/* What a HOLD's is of; size 0: a whole block. */
struct fragment fragment_of_message(const struct fb_message *message);
/* NULL: it is a whole block. */
const struct fragment *fragment_of_fill(struct fb_node *node, const struct fill *fill);
/* Remembers what a fill pulls. */
void fragment_arrives(struct fb_node *node, uint32_t fill, const struct fb_message *message);
/* What an undrained entry is of; NULL: a whole block. */
void fragment_settle(struct fb_node *node, uint32_t dirty, const struct fragment *fragment);
/* The same of a FRAGMENT. */
bool fragment_told_is_sane(const struct fb_node *node, const struct fb_message *message);
/* The writer of a fill's block, of which an undrained fragment is here; else FB_NONE. */
uint32_t fragment_writer(struct fb_node *node, struct fill *fill);

#endif
