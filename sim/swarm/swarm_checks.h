/* What is judged in each run, and what many runs together must have shown. Included by swarm.h. */
#ifndef FB_SIM_SWARM_SWARM_CHECKS_H
#define FB_SIM_SWARM_SWARM_CHECKS_H

/* X(name, is_loss, help). A loss is allowed beyond the atlas, and counted; all others never. */
#define FB_SWARM_CHECKS(X) \
    X(right_bytes, true, "a read returns the bytes of its key") \
    X(right_length, false, "a read returns as many bytes as were asked for") \
    X(steady_lease, true, "the bytes under a lease stay the same until its release") \
    X(answered_once, false, "a request is answered once, and only if it was asked") \
    X(sane_reply, false, "status, reason and source of a reply agree") \
    X(span_in_bounds, false, "an op's span lies within its region") \
    X(span_unshared, false, "memory is not written while a lease or another op uses it") \
    X(loan_kept, false, "lent memory is not written before RETURN or expiry") \
    X(client_span, false, "client memory is not read after the reply") \
    X(known_target, false, "messages and pulls go to other members") \
    X(pin_kept, false, "a pinned block is there until the pin's end") \
    X(quota_kept, false, "when all is quiet a tenant has no more than its quota") \
    X(fresh, false, "no block is served from memory beyond its tenant's time to live") \
    X(stored_bytes, false, "what is stored at the origin are the bytes that were written") \
    X(level_holds, false, "an answered write is at that moment where its level says") \
    X(held_is_true, false, "what a node says that it holds is in its memory, or on its drive") \
    X(copies_restored, false, \
      "some time after a change of members there are as many copies again") \
    X(acked_is_kept, true, \
      "what was acknowledged and may not be lost is at the origin at the end") \
    X(lost_is_lost, false, "a read is told that a block is lost only when it may be") \
    X(commit_is_linear, false, "commits win over what they have seen, or not at all") \
    X(name_is_register, false, "names are linearizable registers; the origin follows") \
    X(match_of_known, false, "a match counts only keys that somebody brought in") \
    X(fenced_in_time, false, "a node whose lease is over knows that it is no member") \
    X(members_settle, false, "after healing all that live are members, and know it") \
    X(no_spin, false, "a node does not want ticks for ever at one instant") \
    X(all_answered, false, "every request is answered within the limit after healing") \
    X(progress, false, "every request succeeds within the limit after healing") \
    X(idle, false, "no fill, loan, waiter or pin is left when all is quiet") \
    X(whole_memory, false, "when all is quiet the whole memory can be leased at once") \
    X(deterministic, false, "the same plan gives the same events and ops")

/* The checks of the table above. */
enum fb_swarm_check {
#define FB_SWARM_CHECK_VALUE(name, is_loss, help) FB_SWARM_CHECK_##name,
    FB_SWARM_CHECKS(FB_SWARM_CHECK_VALUE)
#undef FB_SWARM_CHECK_VALUE
        FB_SWARM_CHECK_COUNT
};

/* At most this many things to have been seen, the core's included. */
enum { FB_SWARM_SOMETIMES_MAX = 200 };

/* What the swarm itself wants to have seen in a run of many seeds. X(name, help). The core's
 * counters, reply reasons and reply statuses are added to these. */
#define FB_SWARM_SIGHTS(X) \
    X(crash_with_ops, "a node crashed with device, network or origin ops in flight") \
    X(crash_while_lending, "a node crashed that had memory lent to peers") \
    X(old_message, "a message reached a node that had restarted since it was sent") \
    X(old_memory_pulled, "a pull read memory that its owner had reused meanwhile") \
    X(restarted_memory_pulled, "a pull read memory of a node that had restarted meanwhile") \
    X(held_across_crash, "a client held a lease of a node that crashed") \
    X(one_block_cache, "a read was served by a cache of one block") \
    X(one_byte_read, "a read of one byte was served") \
    X(all_pinned, "a read was refused because leases filled the memory") \
    X(view_changed, "members changed while requests were open") \
    X(wrong_bytes_stopped, "a digest kept foreign bytes from a client") \
    X(stored_twice, "a block was stored at the origin more than once") \
    X(write_torn, "a crash tore a device write that was under way") \
    X(unflushed_lost, "a loss of power struck a device write that was not flushed") \
    X(header_mended, "a damaged header was taken from its other copy") \
    X(drive_refused, "a start was refused for the damage of its drive") \
    X(settled_with_dead, "what was left became idle, and answered, without a node that died") \
    X(kept_across_crash, "a promise outlasted a crash") \
    X(lost_as_allowed, "a promise was lost to as many crashes as it may be") \
    X(commit_unanswered, "a commit took effect and its answer was lost") \
    X(commit_late, "a commit took effect after its answer") \
    X(stranger_at_origin, "somebody put an object under a name past all nodes") \
    X(stranger_replaced, "an earlier commit that was on its way replaced a stranger's object") \
    X(dropped_alive, "others went on without a member that lived") \
    X(dropped_unawares, "others went on without a member that did not know it yet") \
    X(fenced_refused, "a client's change was refused by a node that is no member") \
    X(acked_dropped, "a write was acknowledged by a node that others go on without") \
    X(came_back, "a node that others went on without is a member again") \
    X(retry_succeeded, "a request that was refused first succeeded later")

/* The sights of the table above. */
enum fb_swarm_sight {
#define FB_SWARM_SIGHT_VALUE(name, help) FB_SWARM_SIGHT_##name,
    FB_SWARM_SIGHTS(FB_SWARM_SIGHT_VALUE)
#undef FB_SWARM_SIGHT_VALUE
        FB_SWARM_SIGHT_COUNT
};

#endif
