/* The ids of a node's timers, and of what it asks others and its driver. */
#ifndef FB_CORE_STATE_IDS_H
#define FB_CORE_STATE_IDS_H

#include "core/state/state.h"

/* Timer ids: attempts first, then matches, the oldest loan, puts, the drain, gathers, metas, the
 * pins' earliest end, the scan's pause, mends, the list of unfinished names, names. */
static inline uint32_t timer_of_match(const struct fb_node *node, uint32_t match)
{
    return (uint32_t)node->config.fills_max * FB_ATTEMPTS_MAX + match;
}

/* When the oldest loan ends. */
static inline uint32_t timer_of_lends(const struct fb_node *node)
{
    return timer_of_match(node, (uint32_t)node->config.matches_max);
}

/* When a put asks again. */
static inline uint32_t timer_of_put(const struct fb_node *node, uint32_t put)
{
    return timer_of_lends(node) + 1 + put;
}

/* When the drain goes on. */
static inline uint32_t timer_of_drain(const struct fb_node *node)
{
    return timer_of_put(node, (uint32_t)node->config.puts_max);
}

/* When a gather goes on. */
static inline uint32_t timer_of_gather(const struct fb_node *node, uint32_t gather)
{
    return timer_of_drain(node) + 1 + gather;
}

/* When a lookup or commit is tried again. */
static inline uint32_t timer_of_meta(const struct fb_node *node, uint32_t meta)
{
    return timer_of_gather(node, (uint32_t)node->config.gathers_max) + meta;
}

/* When the first pin ends. */
static inline uint32_t timer_of_pins(const struct fb_node *node)
{
    return timer_of_meta(node, (uint32_t)node->config.metas_max);
}

/* When the scan goes on. */
static inline uint32_t timer_of_recover(const struct fb_node *node)
{
    return timer_of_pins(node) + 1;
}

/* When a mend goes on. */
static inline uint32_t timer_of_mend(const struct fb_node *node, uint32_t mend)
{
    return timer_of_recover(node) + 1 + mend;
}

/* Blocks made from fragments at once. */
static inline uint32_t mend_count(const struct fb_node *node)
{
    return node->config.erasure_data > 0 ? (uint32_t)node->config.mends_max : 0;
}

/* When unfinished names are listed again. */
static inline uint32_t timer_of_list(const struct fb_node *node)
{
    return timer_of_mend(node, mend_count(node));
}

/* When a name goes on. */
static inline uint32_t timer_of_name(const struct fb_node *node, uint32_t name)
{
    return timer_of_list(node) + 1 + name;
}

/* How many ids there are. */
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

/* index: below 2^24. The id is never 0. */
static inline uint64_t id_make(enum id_class class, uint32_t index, uint32_t generation)
{
    return (uint64_t) class << 56 | (uint64_t)index << 32 | generation;
}

/* enum id_class of an id; another number: it is none of ours. */
static inline uint32_t id_class(uint64_t id)
{
    return (uint32_t)(id >> 56);
}

/* Which one of its class. */
static inline uint32_t id_index(uint64_t id)
{
    return (uint32_t)(id >> 32) & 0xffffffu;
}

/* Which use of it: an old one is told by it. */
static inline uint32_t id_generation(uint64_t id)
{
    return (uint32_t)id;
}

#endif
