/* Who is in the cluster: the list of the config, or what an etcd knows.
 *
 * With etcd a node keeps a lease and under it a record of its own, and looks at everybody's: when,
 * and what follows, is core/place/membership.h's. Here are the thread that asks, over etcd's HTTP
 * API (/v3), the records, and what the loop is told.
 *
 *  1. The first list is there before the node serves anybody.
 *  2. The lease is given back when the daemon ends cleanly: the others see it at once.
 *  3. The loop is told until when it is a member, and goes by its own clock from there: also a
 *     daemon that was stopped for long, or whose thread hangs in a call, is fenced in time.
 *  4. A record that is not understood is left out, said once, and looked at again: whoever reaches
 *     the store may have written it.
 * The list becomes a view, and the view an event. */
#ifndef FB_HW_META_MEMBERS_H
#define FB_HW_META_MEMBERS_H

#include "hw/base/settings.h"

struct fb_offload;
struct fb_member_list;
struct fb_members;

/* What they work with, and whom they tell; the caller's, as long as they are open. */
struct fb_members_context {
    const struct fb_settings *settings;
    struct fb_offload *offload; /* by which their thread comes back */
    /* The members have changed. */
    void (*change)(struct fb_members_context *context, const struct fb_member_list *list);
    /* This node is a member until then unless it hears otherwise; 0: it is none. */
    void (*fence)(struct fb_members_context *context, uint64_t until_ns);
};

/* NULL without error: the config's own list. Errors: error set: etcd does not answer, or another
 * daemon has this node's id. */
struct fb_members *fb_members_open(struct fb_members_context *context, struct fb_error *error);
/* Ends the thread, and gives the lease back. NULL: nothing. */
void fb_members_close(struct fb_members *members);

/* A list that was seen; the caller owns it. */
struct fb_member_list {
    struct fb_member_settings *members; /* by id */
    uint32_t count;
    uint32_t left_out; /* records that were not understood, or for which there was no room */
    uint64_t revision;
};

/* The first list, and until when the node is a member by it; to be called once, after open. */
struct fb_member_list fb_members_first(struct fb_members *members, uint64_t *until_ns);
/* Frees the members of the list; it is empty then. */
void fb_member_list_free(struct fb_member_list *list);

#endif
