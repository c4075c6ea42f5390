/* Where the fragments of a block go. */
#ifndef FB_CORE_PLACE_SPREAD_H
#define FB_CORE_PLACE_SPREAD_H

#include "core/place/view.h"

/* Names a node for each of `count` fragments (1..FB_FRAGMENTS_MAX) of a key: distinct nodes while
 * there are as many, in distinct failure domains while a few tries find them; the same answer for
 * the same view. The first are the key's owners in rank order.
 * Errors: none. Ownership: targets is the caller's. */
void fb_spread(const struct fb_view *view, struct fb_key key, uint32_t count,
               uint32_t targets[FB_FRAGMENTS_MAX]);

#endif
