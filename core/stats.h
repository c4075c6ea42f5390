/* What a node counts. Counters only grow. The list is an X-macro so that the simulator's reports
 * and the daemon's metrics have the same names. */
#ifndef FB_CORE_STATS_H
#define FB_CORE_STATS_H

#include "core/histogram.h"
#include "core/io.h"

/* X(name, unit, help) */
#define FB_COUNTERS(X) \
    X(steps, "1", "events handled") \
    X(gets, "1", "read requests") \
    X(get_bytes, "B", "bytes of served read requests") \
    X(puts, "1", "local writes of volatile blocks") \
    X(matches, "1", "prefix match requests") \
    X(fills, "1", "blocks acquired: from device, peer or origin") \
    X(fill_bytes, "B", "bytes of acquired blocks") \
    X(origin_fetches, "1", "requests sent to the origin") \
    X(origin_fetch_bytes, "B", "bytes received from the origin") \
    X(origin_errors, "1", "origin requests that failed or were throttled") \
    X(device_reads, "1", "device reads") \
    X(device_read_bytes, "B", "bytes read from the device") \
    X(device_writes, "1", "device writes") \
    X(device_write_bytes, "B", "bytes written to the device") \
    X(device_write_skips, "1", "blocks not written: too many writes in flight or no room") \
    X(device_errors, "1", "device operations that failed") \
    X(pulls, "1", "one-sided reads of a peer") \
    X(pull_bytes, "B", "bytes pulled from peers") \
    X(pull_errors, "1", "pulls that failed") \
    X(digest_errors, "1", "blocks whose bytes did not match their digest") \
    X(asks, "1", "asks sent to peers") \
    X(asks_served, "1", "asks answered with an offer") \
    X(serve_bytes, "B", "bytes offered to peers") \
    X(referrals_given, "1", "asks answered by naming another holder") \
    X(referrals_followed, "1", "referrals this node followed") \
    X(waits_given, "1", "asks queued until a fill ends") \
    X(lends_expired, "1", "loans that were never returned in time") \
    X(hedges, "1", "second attempts begun because the first was slow") \
    X(hedges_won, "1", "fills that the second attempt ended") \
    X(timeouts, "1", "attempts given up for want of an answer") \
    X(suspicions, "1", "times that a peer was silent or broke off and is not asked for a while") \
    X(complaints, "1", "holders that readers called slow or silent, no longer referred to") \
    X(retries, "1", "attempts begun again after a failure") \
    X(busy_answers, "1", "requests and asks refused: out of slots or memory") \
    X(evictions, "1", "blocks evicted from memory") \
    X(device_evictions, "1", "blocks evicted from the device") \
    X(writes, "1", "durable writes that were answered") \
    X(write_bytes, "B", "their bytes") \
    X(holds_sent, "1", "asks to other nodes to hold a block") \
    X(standins, "1", "silent holders of a durable write that another member stood in for") \
    X(handoffs, "1", "blocks held for an owner that were handed to it when it was there again") \
    X(degraded, "1", "durable writes answered with fewer copies than their level wants") \
    X(repairs, "1", "undrained blocks spread again: members changed, or a holder forgot") \
    X(drains, "1", "stores to the origin") \
    X(drain_bytes, "B", "bytes stored at the origin, again after an error included") \
    X(drain_errors, "1", "stores that failed or were throttled") \
    X(gathers, "1", "requests for lists of ranges") \
    X(gather_ranges, "1", "ranges that were served of them") \
    X(prefetches, "1", "hints that a block will be read soon") \
    X(prefetch_skips, "1", "hints not followed: readers need the fills or the memory") \
    X(meta_gets, "1", "reads of metadata records") \
    X(meta_puts, "1", "compare-and-swaps of metadata records") \
    X(meta_conflicts, "1", "commits that lost against another") \
    X(meta_errors, "1", "metadata operations that failed or were not answered") \
    X(names_finished, "1", "commits and removals that the origin shows by now") \
    X(names_overtaken, "1", "commits that met a later object of another's at the origin") \
    X(names_lost, "1", "names that cannot be finished since their bytes are nowhere") \
    X(names_given_up, "1", "names that cannot be finished: see `forebay lost`") \
    X(tenant_evictions, "1", "blocks evicted because their tenant is at its quota") \
    X(expired, "1", "blocks found too old for their tenant's time to live") \
    X(pins, "1", "blocks pinned") \
    X(pins_expired, "1", "pins that ended by themselves") \
    X(forgotten, "1", "blocks dropped because nobody wants them any more") \
    X(abandoned, "1", "owed blocks let go: nobody will commit their version") \
    X(origin_queued, "1", "origin fetches that waited for their turn") \
    X(device_bypasses, "1", "reads that passed the drive by: it was slower than peers and origin") \
    X(recovered, "1", "blocks found on the drive when the node started") \
    X(recovered_bytes, "B", "their bytes") \
    X(recovered_owed, "1", "of them, those that were promised and may not be at the origin") \
    X(recover_losses, "1", "promised blocks whose header was found and whose bytes were not") \
    X(codes, "1", "blocks cut into fragments for a durable write") \
    X(mends, "1", "blocks made from fragments because their writer was gone") \
    X(orphans_dropped, "1", "fragments given up after orphan_ns: too few of their block are left") \
    X(searches, "1", "times that all members were asked for a block that the origin has not got") \
    X(late_messages, "1", "answers to an attempt that had ended") \
    X(bad_messages, "1", "messages of peers that can not be meant: a field breaks a limit")

/* All counters of a node, and how long its answers took. */
struct fb_stats {
#define FB_COUNTER_FIELD(name, unit, help) uint64_t name;
    FB_COUNTERS(FB_COUNTER_FIELD)
#undef FB_COUNTER_FIELD
    uint64_t replies[FB_REASON_COUNT];     /* read replies by reason */
    uint64_t reply_bytes[FB_REASON_COUNT]; /* their bytes */
    struct fb_histogram get_latency_ns;    /* from request to reply, every reason */
    struct fb_histogram write_latency_ns;  /* of durable writes, from bytes in memory to reply */
};

/* Adds what another node, or an earlier life of the same, has counted. */
void fb_stats_add(struct fb_stats *sum, const struct fb_stats *part);

/* By enum fb_reason; a table, so that the client library has it without the core. */
#define FB_REASON_NAMES \
    { \
        [FB_REASON_MEMORY] = "memory", [FB_REASON_COALESCED] = "coalesced", \
        [FB_REASON_DEVICE] = "device", [FB_REASON_PEER] = "peer", \
        [FB_REASON_REFERRAL] = "referral", [FB_REASON_ORIGIN_OWNER] = "origin_owner", \
        [FB_REASON_ORIGIN_PEER] = "origin_peer", [FB_REASON_ORIGIN] = "origin", \
        [FB_REASON_ABSENT] = "absent", [FB_REASON_REFUSED] = "refused", [FB_REASON_LOST] = "lost", \
    }

/* Name as in reports: memory, coalesced, device, ... */
const char *fb_reason_name(enum fb_reason reason);
/* Was the origin read for a reply of this reason, by whomever? */
_Bool fb_reason_is_origin(enum fb_reason reason);
/* Name as in logs and reports: ok, busy, absent, ... */
const char *fb_status_name(enum fb_status status);

#endif
