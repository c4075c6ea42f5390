/* A node's state: one contiguous block, private to core/: the header below, then the pools of
 * records.h. The only pointer is the shared view (R8), so a node can be copied, hashed and
 * compared. */
#ifndef FB_CORE_NODE_STATE_H
#define FB_CORE_NODE_STATE_H

#include "core/index/extent.h"
#include "core/node/node.h"
#include "core/panic.h"
#include "core/index/random.h"
#include "core/node/records.h"
#include "core/index/timer.h"

struct fb_node {
    struct fb_config config;
    const struct fb_view *view; /* shared; NULL: alone */
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
    uint64_t refused_ns, dirty_left_ns;   /* the first of those refusals; a record was cleared */
    uint32_t fills_used, waiters_used, lends_used, writes_used, matches_used, pins_used;
    uint32_t is_started;
    uint32_t hedge_credit;                             /* 0..HEDGE_CREDIT_MAX; see patience.c */
    uint32_t fetches_used, fetch_oldest, fetch_newest; /* see origin.c */
    uint32_t bypass_turn;
    uint32_t drain_is_look;  /* it goes over them now, and not round all */
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
    uint32_t is_listing;
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

#define STATE_ACCESSOR(type, name, field) \
    static inline type *name(struct fb_node *node) \
    { \
        return (type *)(void *)((unsigned char *)node + node->field); \
    }
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

/* Timer ids: attempts first, then matches, the oldest loan, puts, the drain, gathers, metas, the
 * pins' earliest end, the scan's pause, mends, the list of unfinished names, names. */
static inline uint32_t timer_of_match(const struct fb_node *node, uint32_t match)
{
    return (uint32_t)node->config.fills_max * FB_ATTEMPTS_MAX + match;
}

static inline uint32_t timer_of_lends(const struct fb_node *node)
{
    return timer_of_match(node, (uint32_t)node->config.matches_max);
}

static inline uint32_t timer_of_put(const struct fb_node *node, uint32_t put)
{
    return timer_of_lends(node) + 1 + put;
}

static inline uint32_t timer_of_drain(const struct fb_node *node)
{
    return timer_of_put(node, (uint32_t)node->config.puts_max);
}

static inline uint32_t timer_of_gather(const struct fb_node *node, uint32_t gather)
{
    return timer_of_drain(node) + 1 + gather;
}

static inline uint32_t timer_of_meta(const struct fb_node *node, uint32_t meta)
{
    return timer_of_gather(node, (uint32_t)node->config.gathers_max) + meta;
}

static inline uint32_t timer_of_pins(const struct fb_node *node)
{
    return timer_of_meta(node, (uint32_t)node->config.metas_max);
}

static inline uint32_t timer_of_recover(const struct fb_node *node)
{
    return timer_of_pins(node) + 1;
}

static inline uint32_t timer_of_mend(const struct fb_node *node, uint32_t mend)
{
    return timer_of_recover(node) + 1 + mend;
}

/* Blocks made from fragments at once. */
static inline uint32_t mend_count(const struct fb_node *node)
{
    return node->config.erasure_data > 0 ? (uint32_t)node->config.mends_max : 0;
}

static inline uint32_t timer_of_list(const struct fb_node *node)
{
    return timer_of_mend(node, mend_count(node));
}

static inline uint32_t timer_of_name(const struct fb_node *node, uint32_t name)
{
    return timer_of_list(node) + 1 + name;
}

static inline uint32_t timer_count(const struct fb_node *node)
{
    return timer_of_name(node, (uint32_t)node->config.names_max);
}

/* Ids that leave the node: class, index, generation. */
enum id_class {
    ID_ATTEMPT = 1,
    ID_WRITE,
    ID_MATCH,
    ID_PUT,
    ID_DRAIN,
    ID_GATHER,
    ID_META,
    ID_PIN,
    ID_CODE,
    ID_SCAN,
    ID_NAME,
    ID_LIST,
    ID_MEND
};

static inline uint64_t id_make(enum id_class class, uint32_t index, uint32_t generation)
{
    return (uint64_t) class << 56 | (uint64_t)index << 32 | generation;
}

static inline uint32_t id_class(uint64_t id)
{
    return (uint32_t)(id >> 56);
}

static inline uint32_t id_index(uint64_t id)
{
    return (uint32_t)(id >> 32) & 0xffffffu;
}

static inline uint32_t id_generation(uint64_t id)
{
    return (uint32_t)id;
}

#endif
