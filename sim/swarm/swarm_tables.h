/* What plans are made of: faults, verbs, softenings. Included by swarm.h. */
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

/* The kinds of the table above. */
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

/* The verbs of the table above. */
enum fb_swarm_verb {
#define FB_SWARM_VERB_VALUE(name, help) FB_SWARM_VERB_##name,
    FB_SWARM_VERBS(FB_SWARM_VERB_VALUE)
#undef FB_SWARM_VERB_VALUE
        FB_SWARM_VERB_COUNT
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

/* The softenings of the table above. */
enum fb_swarm_softening {
#define FB_SWARM_SOFTENING_VALUE(name, help) FB_SWARM_SOFTENING_##name,
    FB_SWARM_SOFTENINGS(FB_SWARM_SOFTENING_VALUE)
#undef FB_SWARM_SOFTENING_VALUE
        FB_SWARM_SOFTENING_COUNT
};

#endif
