/* A node's state: one contiguous block, private to core/: the header below, then the pools of
 * *_records.h. The only pointer is the shared view (R8), and during a step the list of its
 * decisions, so a node can be copied, hashed and compared. References are u32 indexes.
 *
 * Who owns what:
 *  entry    what the memory tier knows of a cached block beyond its key; index: its cache slot
 *  fill     a block being acquired; holds its entry (FILLING), its waiters, and two attempts
 *  attempt  one way of acquiring it: from device, peer, origin or client; 2 * fill and 2 * fill + 1
 *  waiter   a local request or a peer's ask that a fill will answer
 *  lend     a peer's permission to pull an entry's bytes; pins the entry until RETURN or expiry
 *  write    a device write in flight; pins its memory entry and its device entry
 *  match    a remote prefix match in flight; put: a durable write being spread
 *  dirty    a block that is not at the origin yet
 *  range    of a gather; pins its entry once it is there */
#ifndef FB_CORE_STATE_STATE_H
#define FB_CORE_STATE_STATE_H

#include "core/config.h"
#include "core/decision.h"
#include "core/index/cache.h"
#include "core/index/extent.h"
#include "core/index/random.h"
#include "core/index/timer.h"
#include "core/panic.h"
#include "core/place/view.h"
#include "core/state/coded_records.h"
#include "core/state/fill_records.h"
#include "core/state/name_records.h"
#include "core/state/read_records.h"
#include "core/state/tier_records.h"
#include "core/state/write_records.h"
#include "core/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* A node: this, and behind it the tables whose offsets it has. */
struct fb_node {
    struct fb_config config;
    const struct fb_view *view;     /* shared; NULL: alone */
    struct fb_decisions *decisions; /* whom this step tells why; NULL: nobody */
    struct fb_random random;
    uint64_t now_ns;
    uint64_t started_ns;
    uint64_t memory_unit_bytes;
    uint64_t size_bytes;
    uint64_t cache_offset, extents_offset, entries_offset;
    uint64_t device_cache_offset, device_extents_offset, device_entries_offset;
    uint64_t fills_offset, attempts_offset, waiters_offset, lends_offset, writes_offset;
    uint64_t matches_offset, puts_offset, dirty_offset, gathers_offset, ranges_offset, metas_offset;
    uint64_t tags_offset, tenants_offset, branches_offset, pins_offset;
    uint64_t fragments_offset, codes_offset, mends_offset, timer_offset;
    uint64_t names_offset, bad_names_offset, abandoned_offset;
    uint32_t memory_entries_max, device_entries_max;
    uint32_t fill_free, waiter_free, lend_free, write_free;
    uint32_t work_head, work_tail; /* fills with waiters to answer */
    uint32_t lend_oldest, lend_newest;
    uint32_t put_free, dirty_free, dirty_oldest, dirty_newest;
    uint32_t drain_next, repair_next; /* dirty records to look at; FB_NONE: none */
    uint32_t puts_used, dirty_used, drains_used, lend_turn;
    uint32_t standins_held;               /* dirty records that are held for another node */
    uint32_t repairs;                     /* walks of put_repair that have begun */
    uint32_t kept_units;                  /* by dirty records and pins; see memory_may_keep */
    uint32_t refused_used;                /* dirty records that the origin refuses; see refused.c */
    uint64_t dirty_bytes, drain_ready_ns; /* not before that, for the rate limit */
    uint64_t drain_round_ns;              /* then all records are looked at again */
    uint64_t drain_retry_ns;              /* the pause after a failure is over then */
    uint64_t drain_look_ns;               /* then those whose stores failed are */
    uint64_t pinned_bytes;                /* of entries with pins */
    uint64_t refused_ns, dirty_left_ns;   /* the first of those refusals; one was stored */
    uint32_t fills_used, waiters_used, lends_used, writes_used, matches_used, pins_used;
    uint32_t is_started;
    uint32_t hedge_credit;                             /* 0..HEDGE_CREDIT_MAX; see patience.c */
    uint32_t fetches_used, fetch_oldest, fetch_newest; /* see origin.c */
    uint32_t bypass_turn;
    uint32_t drain_rounds;   /* over all records, since the last news */
    uint32_t drain_failures; /* pauses since the last store that did not fail; see drain.c */
    uint32_t range_free, ranges_used, metas_used, tenants_limited;
    uint32_t mends_used, refused_status;                       /* of the last refusal */
    uint32_t recover_state, recover_reads, recover_generation; /* see recover.c */
    uint32_t recover_pauses;                                   /* in a row */
    uint32_t recover_rounds, recover_missed, recover_owed_missed;
    uint32_t recover_crowded, recover_crowds, recover_cuts;
    uint64_t recover_cursor;
    struct fb_key list_from; /* see name_collect.c */
    uint32_t list_generation, list_pass;
    uint8_t drain_is_look;    /* it goes over them now, and not round all */
    uint8_t drain_is_refused; /* the last store that failed was (R16) */
    uint8_t is_listing;
    uint32_t names_used, jobs_used, name_ops; /* ops to the origin */
    uint32_t left_used, left_seen;            /* unfinished ones without a job; of this pass */
    uint32_t bad_used, bad_next, version_count;
    uint32_t abandoned_count, abandoned_next;    /* see abandon.c */
    uint32_t search_doublings, search_answers;   /* how slow members were; see search.c */
    uint64_t device_ready_ns;                    /* not before that, for the write budget */
    struct pace pull_pace, lend_pace, wait_pace; /* of pulls, loans, and waits for an owner */
    struct pace answer_pace;                     /* of answers to asks, as if each had 1 MiB */
    struct pace device_pace, fetch_pace;         /* of reads of the drive and the origin */
    struct suspect suspects[FB_SUSPECTS_MAX];
    struct fb_stats stats;
};

/* The table at an offset, as a function of the node. */
#define STATE_ACCESSOR(type, name, field) \
    static inline type *name(struct fb_node *node) \
    { \
        return (type *)(void *)((unsigned char *)node + node->field); \
    }
/* The tables that a node has. */
STATE_ACCESSOR(struct fb_cache, node_cache, cache_offset)
STATE_ACCESSOR(struct fb_extents, node_extents, extents_offset)
STATE_ACCESSOR(struct entry, node_entries, entries_offset)
STATE_ACCESSOR(struct fb_cache, node_device_cache, device_cache_offset)
STATE_ACCESSOR(struct fb_extents, node_device_extents, device_extents_offset)
STATE_ACCESSOR(struct device_entry, node_device_entries, device_entries_offset)
STATE_ACCESSOR(struct fill, node_fills, fills_offset)
STATE_ACCESSOR(struct attempt, node_attempts, attempts_offset)
STATE_ACCESSOR(struct waiter, node_waiters, waiters_offset)
STATE_ACCESSOR(struct lend, node_lends, lends_offset)
STATE_ACCESSOR(struct device_write, node_writes, writes_offset)
STATE_ACCESSOR(struct match, node_matches, matches_offset)
STATE_ACCESSOR(struct put, node_puts, puts_offset)
STATE_ACCESSOR(struct dirty, node_dirty, dirty_offset)
STATE_ACCESSOR(struct gather, node_gathers, gathers_offset)
STATE_ACCESSOR(struct gather_range, node_ranges, ranges_offset)
STATE_ACCESSOR(struct meta, node_metas, metas_offset)
STATE_ACCESSOR(struct tag, node_tags, tags_offset)
STATE_ACCESSOR(struct tenant, node_tenants, tenants_offset)
STATE_ACCESSOR(struct branch, node_branches, branches_offset)
STATE_ACCESSOR(struct pin, node_pins, pins_offset)
STATE_ACCESSOR(struct fragment, node_fragments, fragments_offset)
STATE_ACCESSOR(struct code, node_codes, codes_offset)
STATE_ACCESSOR(struct mend, node_mends, mends_offset)
STATE_ACCESSOR(struct name, node_names, names_offset)
STATE_ACCESSOR(struct bad_name, node_bad_names, bad_names_offset)
STATE_ACCESSOR(uint64_t, node_abandoned, abandoned_offset)
STATE_ACCESSOR(struct fb_timer, node_timer, timer_offset)
#undef STATE_ACCESSOR

/* Is it still looking for what was on the drive? See recover.c. */
static inline bool node_is_recovering(const struct fb_node *node)
{
    FB_ASSERT(node->recover_state <= RECOVER_ENDING);
    FB_ASSERT(node->recover_state != 0 || node->recover_reads == 0);
    return node->recover_state != 0;
}

#endif
