/* The core, as the rooms of a daemon see it: its state, when it last stepped, and the way in for an
 * event. The loop's, which makes operations of what a step answers. */
#ifndef FB_HW_BASE_FEED_H
#define FB_HW_BASE_FEED_H

#include "core/node/node.h"

/* A node and the way to it. */
struct fb_feed {
    struct fb_node *node;
    uint64_t now_ns; /* of the last event */
    void (*event)(struct fb_feed *feed, const struct fb_event *event);
};

/* One step, now. */
static inline void fb_feed_event(struct fb_feed *feed, const struct fb_event *event)
{
    feed->event(feed, event);
}

#endif
