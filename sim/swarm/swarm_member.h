/* What a node knows of its membership, and the store of members of the node; see swarm_store.c. */
#ifndef FB_SIM_SWARM_SWARM_MEMBER_H
#define FB_SIM_SWARM_SWARM_MEMBER_H

#include "core/place/membership.h"

#include <stdbool.h>
#include <stdint.h>

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

/* A lease that the store has given, and when it is over if it is not kept. */
struct swarm_lease {
    uint32_t id; /* 0: none */
    uint64_t end_ns;
};

/* What a node knows of its membership, and what the store knows of it. */
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

#endif
