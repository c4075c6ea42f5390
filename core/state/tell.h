/* Telling why: see decision.h. Nobody listens as a rule, and then each is one branch that is not
 * taken. What they are given is only looked at when somebody does. */
#ifndef FB_CORE_STATE_TELL_H
#define FB_CORE_STATE_TELL_H

#include "core/state/state.h"

/* Does somebody listen to this step? */
static inline bool is_told(const struct fb_node *node)
{
    return __builtin_expect(node->decisions != NULL, 0);
}

/* A decision about a peer, FB_NONE: none, with its numbers. */
static inline void tell_count(const struct fb_node *node, enum fb_why why, uint32_t peer,
                              uint64_t count, uint64_t of)
{
    if (is_told(node))
        fb_decide_count(node->decisions, why, peer, count, of);
}

/* at_ns: the date that {at} is until. */
static inline void tell_at(const struct fb_node *node, enum fb_why why, uint32_t peer,
                           uint64_t at_ns, uint64_t count)
{
    if (is_told(node))
        fb_decide_at(node->decisions, why, peer, at_ns, count);
}

/* About a block, of no peer. */
static inline void tell_key(const struct fb_node *node, enum fb_why why, struct fb_key key)
{
    if (is_told(node))
        fb_decide_block(node->decisions, why, key, FB_NONE);
}

/* A block and a node. */
static inline void tell_block(const struct fb_node *node, enum fb_why why, struct fb_key key,
                              uint32_t peer)
{
    if (is_told(node))
        fb_decide_block(node->decisions, why, key, peer);
}

/* About a node alone. */
static inline void tell_peer(const struct fb_node *node, enum fb_why why, uint32_t peer)
{
    if (is_told(node))
        fb_decide_count(node->decisions, why, peer, 0, 0);
}

/* The reason says all there is. */
static inline void tell_why(const struct fb_node *node, enum fb_why why)
{
    if (is_told(node))
        fb_decide_count(node->decisions, why, FB_NONE, 0, 0);
}

/* {status} of enum fb_status. */
static inline void tell_status(const struct fb_node *node, enum fb_why why, uint32_t peer,
                               uint32_t status)
{
    if (is_told(node))
        fb_decide_count(node->decisions, why, peer, status, 0);
}

#endif
