/* Who is in the cluster: the list of the config, or what an etcd knows.
 *
 * With etcd a node keeps a lease and under it a key of its own, and looks at everybody's keys:
 *
 *     JOIN --key made--> MEMBER --look, keep alive, every third of the lease--> MEMBER
 *       ^ the id is taken by another address: its lease may have to run out first
 *     MEMBER --the lease has run out, or no answer for as long--> FENCED --key made--> MEMBER
 *
 *  1. The first list is there before the node serves anybody.
 *  2. The lease is given back when the daemon ends cleanly: the others see it at once.
 *  3. etcd being away for less than a lease changes nothing: the last list stands.
 *  4. A fenced node takes no writes, commits and removals: the others may count it as gone. It goes
 *     on reading with the last list, draining what it has promised, and trying to join.
 *  5. A record that is not understood is left out, said once, and looked at again: whoever reaches
 *     the store may have written it.
 * One thread does it, over etcd's HTTP API (/v3). Decides nothing: the list becomes a view, and the
 * view an event. */
#ifndef FB_HW_META_MEMBERS_H
#define FB_HW_META_MEMBERS_H

#include "hw/base/settings.h"

struct fb_loop;
struct fb_members;

/* NULL without error: the config's own list. Errors: error set: etcd does not answer, or another
 * daemon has this node's id. */
struct fb_members *fb_members_open(struct fb_loop *loop, const struct fb_settings *settings,
                                   struct fb_error *error);
void fb_members_close(struct fb_members *members);

/* A list that was seen; the caller owns it. */
struct fb_member_list {
    struct fb_member_settings *members; /* by id */
    uint32_t count;
    uint32_t left_out; /* records that were not understood, or for which there was no room */
    uint64_t revision;
};

/* The first list; to be called once, after open. */
struct fb_member_list fb_members_first(struct fb_members *members);
void fb_member_list_free(struct fb_member_list *list);

#endif
