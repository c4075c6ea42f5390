/* A store of members, as etcd is one: its leases, and the ways there. */
#ifndef FB_SIM_SWARM_SWARM_STORE_H
#define FB_SIM_SWARM_SWARM_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct swarm;
struct swarm_event;

/* Does the plan have a store of members? Otherwise views are told when plan->detect_ns is over. */
bool swarm_store_is_used(const struct swarm *swarm);
/* All nodes are members at once, and have seen all. */
void swarm_store_open(struct swarm *swarm);
/* A node starts again: it joins. */
void swarm_member_begin(struct swarm *swarm, uint32_t node);
/* Its clock has leapt: what is due is looked at. */
void swarm_member_wake(struct swarm *swarm, uint32_t node);
/* A SWARM_MEMBER event is due: an ask of this node, or its record's end. */
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
