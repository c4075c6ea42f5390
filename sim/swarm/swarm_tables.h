/* What the swarm has: faults, verbs, checks, sights, softenings. Included by swarm.h. */
#ifndef FB_SIM_SWARM_SWARM_TABLES_H
#define FB_SIM_SWARM_SWARM_TABLES_H

/* What a setting must have to be held to bytes that are right while the fault strikes. */
enum fb_swarm_class {
    FB_SWARM_BENIGN, /* survived by every setting */
    FB_SWARM_LYING,  /* bytes or their place are not what they were: survived with check_digest */
};

/* X(name, class, help). Links are from `nodes` to `peers`; other faults strike `nodes`. */
#define FB_SWARM_FAULTS(X) \
    X(loss, FB_SWARM_BENIGN, "a message is lost") \
    X(duplicate, FB_SWARM_BENIGN, "a message arrives twice") \
    X(delay, FB_SWARM_LYING, "a message is late and overtaken") \
    X(clog, FB_SWARM_LYING, "a link holds everything back, then lets it go") \
    X(one_way, FB_SWARM_BENIGN, "nothing gets from some nodes to some others") \
    X(partition, FB_SWARM_BENIGN, "nothing gets between two sides") \
    X(crash, FB_SWARM_LYING, "a node forgets its memory and starts again") \
    X(pause, FB_SWARM_LYING, "a node stands still, then goes on") \
    X(slow_node, FB_SWARM_LYING, "a node takes long for each event") \
    X(clock_jump, FB_SWARM_LYING, "a node's clock leaps ahead") \
    X(pull_error, FB_SWARM_BENIGN, "a one-sided read breaks off") \
    X(pull_slow, FB_SWARM_LYING, "a one-sided read takes long") \
    X(read_error, FB_SWARM_BENIGN, "a device read fails") \
    X(write_error, FB_SWARM_BENIGN, "a device write fails") \
    X(device_full, FB_SWARM_BENIGN, "a device has no room") \
    X(device_slow, FB_SWARM_BENIGN, "a device operation takes long") \
    X(torn_write, FB_SWARM_LYING, "a device write stops half way and claims success") \
    X(lost_write, FB_SWARM_LYING, "a device write claims success and wrote nothing") \
    X(misdirected_write, FB_SWARM_LYING, "a device write lands elsewhere") \
    X(corrupt_read, FB_SWARM_LYING, "a device read gives other bytes") \
    X(origin_error, FB_SWARM_BENIGN, "an origin request fails") \
    X(origin_throttle, FB_SWARM_BENIGN, "the origin asks to slow down") \
    X(origin_refusal, FB_SWARM_BENIGN, "the origin refuses until somebody helps (R16)") \
    X(origin_slow, FB_SWARM_BENIGN, "an origin request takes long") \
    X(meta_error, FB_SWARM_BENIGN, "a metadata op fails: done, not done, or done later") \
    X(meta_throttle, FB_SWARM_BENIGN, "the metadata store asks to slow down") \
    X(meta_slow, FB_SWARM_BENIGN, "a metadata op takes long") \
    X(digest_error, FB_SWARM_BENIGN, "the offload is reset: a digest fails") \
    X(digest_wrong, FB_SWARM_BENIGN, "a digest of other bytes is computed") \
    X(power_cut, FB_SWARM_LYING, "all nodes forget their memory at once, and keep their drives") \
    X(death, FB_SWARM_LYING, "a node stops and never comes back, nor does its drive") \
    X(header_damaged, FB_SWARM_BENIGN, \
      "copies of headers or heads of a drive are damaged while its node is down") \
    X(block_damaged, FB_SWARM_LYING, "a block of a drive is damaged while its node is down") \
    X(settings, FB_SWARM_BENIGN, "a node starts again with other settings") \
    X(store_cut, FB_SWARM_BENIGN, "asks of the store of members are lost, unanswered, or late") \
    X(lease_lost, FB_SWARM_BENIGN, "the store of members forgets the lease of a node")

enum fb_swarm_fault_kind {
#define FB_SWARM_FAULT_VALUE(name, class, help) FB_SWARM_FAULT_##name,
    FB_SWARM_FAULTS(FB_SWARM_FAULT_VALUE)
#undef FB_SWARM_FAULT_VALUE
        FB_SWARM_FAULT_COUNT
};

/* X(name, help) */
#define FB_SWARM_VERBS(X) \
    X(get, "read a block of an origin object, hold it, release it") \
    X(get_volatile, "read a block that only a put can have made") \
    X(get_invalid, "read a block of a size that no node takes") \
    X(put, "copy a volatile block in") \
    X(match, "longest cached prefix of a chain") \
    X(gather, "read ranges of several blocks, each held and released") \
    X(pin, "keep a block in memory for a while") \
    X(prefetch, "hint that a block will be read") \
    X(write, "write a block durably, at some level") \
    X(get_written, "read a block that only a durable write can have made") \
    X(forget, "give up a block of a durable write") \
    X(lookup, "read the record of a name") \
    X(commit, "change the record of a name") \
    X(name_look, "ask what a name means") \
    X(name_write, "begin a version of a name, or commit it") \
    X(name_remove, "remove a name") \
    X(abandon, "give up a version of an object that is written durably")

enum fb_swarm_verb {
#define FB_SWARM_VERB_VALUE(name, help) FB_SWARM_VERB_##name,
    FB_SWARM_VERBS(FB_SWARM_VERB_VALUE)
#undef FB_SWARM_VERB_VALUE
        FB_SWARM_VERB_COUNT
};

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

enum fb_swarm_sight {
#define FB_SWARM_SIGHT_VALUE(name, help) FB_SWARM_SIGHT_##name,
    FB_SWARM_SIGHTS(FB_SWARM_SIGHT_VALUE)
#undef FB_SWARM_SIGHT_VALUE
        FB_SWARM_SIGHT_COUNT
};

/* Where a plan is drawn milder than the seed said, or judged so. Counted in plans. X(name, help) */
#define FB_SWARM_SOFTENINGS(X) \
    X(no_lies, "without digests: a fault that lies was left out") \
    X(no_wrong_digests, "with few retries: wrong digests were left out") \
    X(long_loans, "without digests: loans outlast every delay") \
    X(patient_reads, "hedge_ns is no less than an answer takes") \
    X(patient_waits, "wait_ns is no less than 1% of an origin request") \
    X(patient_holds, "hold_ns times all tries is no less than a hold takes") \
    X(deaths_told, "under an erasure code: views tell of deaths") \
    X(writes_with_dead, "after healing a write may fail while a view names a dead node") \
    X(writes_of_few, "after healing a write may stay degraded: too few are left for its copies") \
    X(hidden_with_dead, "what only a dead node may have may time out while a view names it") \
    X(unread, "a drive could not be read after a restart, as often as it is tried") \
    X(doubted, "a copy whose digest was wrong when a drive got it is not counted")

enum fb_swarm_softening {
#define FB_SWARM_SOFTENING_VALUE(name, help) FB_SWARM_SOFTENING_##name,
    FB_SWARM_SOFTENINGS(FB_SWARM_SOFTENING_VALUE)
#undef FB_SWARM_SOFTENING_VALUE
        FB_SWARM_SOFTENING_COUNT
};

#endif
