/* A store of members, as etcd is one, and what each node knows of it; see swarm_store.c. */
#ifndef FB_SIM_SWARM_SWARM_STORE_H
#define FB_SIM_SWARM_SWARM_STORE_H

#include "core/place/membership.h"

#include <stdbool.h>
#include <stdint.h>

struct swarm;
struct swarm_event;

enum { SWARM_LEASES_MAX = 4 }; /* of a node, that the store knows; who asks for more loses one */

/* An event of a node's membership. */
struct swarm_ask {
    uint32_t stage;  /* of an ask's way; private to swarm_store.c */
    uint32_t ask;    /* enum fb_membership_ask */
    uint32_t id;     /* counts the node's asks */
    uint32_t lease;  /* that it is about, or that it was given */
    uint32_t mask;   /* LOOK: members that were seen */
    uint32_t code;   /* enum fb_membership_answer_code */
    uint64_t digest; /* LOOK: of the list, and the leases */
    bool is_unanswered;
};

struct swarm_lease {
    uint32_t id; /* 0: none */
    uint64_t end_ns;
};

struct swarm_member {
    /* The node's: */
    struct fb_membership membership;
    uint32_t ask_id, lease, told_mask;
    uint64_t step_ns; /* a step is queued for then */
    uint64_t draws;
    bool was_dropped; /* while it lived */
    /* The store's: */
    struct swarm_lease leases[SWARM_LEASES_MAX];
    uint32_t record; /* lease that its record is under; 0: there is none */
    uint32_t leases_given;
    bool is_watched; /* an event is queued for the end of its record */
};

/* Does the plan have a store of members? Otherwise views are told when plan->detect_ns is over. */
bool swarm_store_is_used(const struct swarm *swarm);
/* All nodes are members at once, and have seen all. */
void swarm_store_open(struct swarm *swarm);
/* A node starts again: it joins. */
void swarm_member_begin(struct swarm *swarm, uint32_t node);
/* Its clock has leapt: what is due is looked at. */
void swarm_member_wake(struct swarm *swarm, uint32_t node);
void swarm_member_event(struct swarm *swarm, const struct swarm_event *event);
/* SWARM_FAULT: the store loses its lease. */
void swarm_lease_lose(struct swarm *swarm, uint32_t node);

/* Serves no client yet: it has not seen its first list. */
bool swarm_member_is_joining(const struct swarm *swarm, uint32_t node);
/* Is no member, as far as it knows: it refuses what membership.h says. */
bool swarm_member_is_fenced(const struct swarm *swarm, uint32_t node);

/* All that live are members and have been told so, and the dead are gone. Once nothing can strike
 * any more it stays so: asks would change nothing, and are left out from then on. */
bool swarm_store_settles(struct swarm *swarm);

#endif
