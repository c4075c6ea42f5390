/* What memory, device, tenants and chains know of a block; see state.h for who owns what. */
#ifndef FB_CORE_STATE_TIER_RECORDS_H
#define FB_CORE_STATE_TIER_RECORDS_H

#include "core/limits.h"

/* What a memory entry is. */
enum entry_state { ENTRY_FREE, ENTRY_FILLING, ENTRY_RESIDENT };

/* Bits of an entry's flags. */
enum {
    ENTRY_TRANSIENT = 1, /* goes when nothing pins it: not worth keeping */
    ENTRY_FETCHED = 2,   /* this node took it from the origin */
    ENTRY_DIRTY = 4,     /* not at the origin yet: `fill` is its record */
    ENTRY_DRAINED = 8,   /* known to be at the origin: it was stored */
    ENTRY_CHECKED = 16,  /* two digests of it agree; see erasure.c */
};

/* A block in memory, or coming there. */
struct entry {
    uint64_t digest;
    uint32_t first_unit; /* of its extent; FB_NONE while filling */
    uint32_t size_bytes;
    uint32_t fill;       /* FILLING: its fill; DIRTY: its record; else FB_NONE */
    uint32_t generation; /* of the slot's use; makes leases single-use */
    uint16_t pins;       /* local leases, device writes, the fill itself */
    uint16_t lends;
    uint8_t state; /* enum entry_state */
    uint8_t flags;
    uint8_t holder_ready;     /* bitmap of holders that have the whole block */
    uint8_t holder_count : 4; /* 0..FB_HOLDERS_MAX */
    uint8_t holder_next : 4;  /* round robin over holders */
    uint32_t holders[FB_HOLDERS_MAX];
};

static_assert(sizeof(struct entry) == 64, "one cache line an entry");

/* A block on the drive. */
struct device_entry {
    uint64_t digest;
    uint32_t first_unit;
    uint32_t size_bytes;
    uint32_t pins; /* reads and the write in flight */
    uint8_t is_resident;
    uint8_t is_forgotten;     /* while it was being written: goes at the write's end */
    uint8_t is_owed, padding; /* its header is OWED: it outlasts a loss of power (R15) */
};

/* A write to the drive under way. */
struct device_write {
    uint64_t hold_id; /* of the put that waits for it */
    uint32_t writer;  /* its node; FB_NONE: nobody waits */
    uint32_t is_owed; /* by its header */
    uint32_t generation;
    uint32_t slot;
    uint32_t device_slot;
    uint32_t next; /* free list */
};

struct tag {                /* what else is known of a memory entry; see tenant.c */
    uint32_t expires_ticks; /* 0: never */
    uint32_t newer, older;  /* of the tenant's */
    uint32_t tenant;
};

/* What a tenant may take, and takes. */
struct tenant {
    uint64_t quota_bytes, used_bytes, ttl_ns;
    uint32_t oldest, newest; /* its entries, least recently used first */
};

struct branch { /* a memory entry's place in its chain; see branch.c */
    uint32_t parent, child, newer, older;
};

#endif
