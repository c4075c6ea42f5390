/* The list of a node's settings; see config.h. */
#ifndef FB_CORE_CONFIG_FIELDS_H
#define FB_CORE_CONFIG_FIELDS_H

#include "core/choices.h"
#include "core/limits.h"

/* What a value is; loaders require the unit, printers show it. */
enum fb_config_unit {
    FB_UNIT_COUNT,
    FB_UNIT_BYTES,
    FB_UNIT_NS,
    FB_UNIT_RATE, /* bytes a second */
    FB_UNIT_FLAG,
    FB_UNIT_POLICY,
    FB_UNIT_PLACEMENT,
    FB_UNIT_CONSENT /* 0: refuse, 1: allow */
};

/* X(name, unit, default, min, max, help) */
#define FB_CONFIG_FIELDS(X) \
    X(block_size_bytes, FB_UNIT_BYTES, 16777216, 512, 1073741824, \
      "largest block; memory and device are cut into chunks of this size, 64 units each") \
    X(memory_size_bytes, FB_UNIT_BYTES, 1073741824, 512, UINT64_C(1) << 48, \
      "cache memory of the node") \
    X(device_size_bytes, FB_UNIT_BYTES, 0, 0, UINT64_C(1) << 52, \
      "cache space on the node's drives; 0: no device tier") \
    X(memory_entries_max, FB_UNIT_COUNT, 0, 0, 1u << 28, \
      "blocks in memory; 0: twice memory_size / block_size, at least 64") \
    X(device_entries_max, FB_UNIT_COUNT, 0, 0, 1u << 28, \
      "blocks on the device; 0: twice device_size / block_size") \
    X(policy, FB_UNIT_POLICY, FB_POLICY_S3FIFO, 0, FB_POLICY_COUNT - 1, "eviction from memory") \
    X(device_policy, FB_UNIT_POLICY, FB_POLICY_FIFO, 0, FB_POLICY_COUNT - 1, \
      "eviction from the device") \
    X(fills_max, FB_UNIT_COUNT, 256, 1, 65535, "blocks being acquired at once; more: BUSY") \
    X(waiters_max, FB_UNIT_COUNT, 1024, 1, 65535, \
      "requests and asks waiting for fills; more: BUSY") \
    X(lends_max, FB_UNIT_COUNT, 256, 1, 65535, "loans to peers at once; more: referral or BUSY") \
    X(matches_max, FB_UNIT_COUNT, 16, 1, 1024, "remote prefix matches at once; more: BUSY") \
    X(device_writes_max, FB_UNIT_COUNT, 16, 0, 4096, \
      "device writes at once; more: block is skipped") \
    X(lend_max, FB_UNIT_COUNT, 2, 2, 64, "readers that pull one block from this node at once") \
    X(replicas, FB_UNIT_COUNT, 2, 1, FB_RANKS_MAX, "owners that a reader tries before the origin") \
    X(hedge_ns, FB_UNIT_NS, 50000000, 1000, UINT64_C(60000000000), \
      "silence of a peer after which a second source is tried; half of it where answers are fast") \
    X(wait_ns, FB_UNIT_NS, UINT64_C(2000000000), 1000, UINT64_C(600000000000), \
      "interval at which a peer that answered WAIT is asked again; patience with pulls and reads") \
    X(fetch_ns, FB_UNIT_NS, UINT64_C(30000000000), 1000, UINT64_C(600000000000), \
      "time an origin fetch is given before a second one is begun") \
    X(lend_ns, FB_UNIT_NS, UINT64_C(10000000000), 1000, UINT64_C(600000000000), \
      "time after which a loan that was not returned ends") \
    X(suspect_ns, FB_UNIT_NS, UINT64_C(1000000000), 1000, UINT64_C(600000000000), \
      "time for which a peer that was silent is not asked; doubles with each failure in a row") \
    X(warm_ns, FB_UNIT_NS, 0, 0, UINT64_C(86400000000000), \
      "time after its start in which an owner asks the other ranks before the origin: it is " \
      "empty") \
    X(backoff_ns, FB_UNIT_NS, 2000000, 1000, UINT64_C(60000000000), \
      "first pause after a failure; doubles with jitter") \
    X(retries_max, FB_UNIT_COUNT, 8, 0, 64, "failures of a fill before its requests fail") \
    X(keep_peer_blocks, FB_UNIT_FLAG, 1, 0, 1, \
      "keep blocks pulled from peers (needed for fan-out); 0: only owners keep") \
    X(placement, FB_UNIT_PLACEMENT, FB_PLACEMENT_RENDEZVOUS, 0, FB_PLACEMENT_COUNT - 1, \
      "how the driver fills the partition table; the same on all nodes") \
    X(use_peers, FB_UNIT_FLAG, 1, 0, 1, \
      "0: misses go to the origin, and to members only for what it has not got yet") \
    X(puts_max, FB_UNIT_COUNT, 64, 1, 65535, "durable writes being spread at once; more: BUSY") \
    X(dirty_max, FB_UNIT_COUNT, 1024, 1, 1u << 24, \
      "blocks held that are not at the origin yet; more: BUSY") \
    X(write_quorum, FB_UNIT_COUNT, 2, 1, FB_RANKS_MAX, \
      "copies that a write waits for, at most `replicas`; under an erasure code it outlasts one " \
      "death less than that") \
    X(degraded, FB_UNIT_CONSENT, 0, 0, 1, \
      "a write whose level too few members can hold: refuse, or allow with the copies there are") \
    X(place_local, FB_UNIT_FLAG, 0, 0, 1, \
      "1: a write stays on the node that made it (local NVMe and a copy in the background)") \
    X(hold_ns, FB_UNIT_NS, UINT64_C(1000000000), 1000, UINT64_C(600000000000), \
      "time after which a holder that has not answered is asked again; of a daemon: at least 1 " \
      "ms") \
    X(drains_max, FB_UNIT_COUNT, 16, 1, 65535, "stores to the origin at once") \
    X(drain_bytes_per_s, FB_UNIT_RATE, 0, 0, UINT64_C(1) << 50, \
      "limit of a node's stores to the origin; 0: none") \
    X(drain_yield_fills, FB_UNIT_COUNT, 64, 0, 65535, \
      "reads in flight above which a drain yields, unless dirty_max or memory is 3/4 full") \
    X(drains_min, FB_UNIT_COUNT, 1, 0, 65535, "stores at once while the drain yields") \
    X(drain_delay_ns, FB_UNIT_NS, 1000000, 0, UINT64_C(600000000000), \
      "time a new undrained block waits before its store") \
    X(drain_check_ns, FB_UNIT_NS, UINT64_C(1000000000), 1000, UINT64_C(600000000000), \
      "interval at which holders ask the first rank whether a block is at the origin") \
    X(gathers_max, FB_UNIT_COUNT, 4, 0, 1024, "gathers at once; more: BUSY") \
    X(gather_ranges_max, FB_UNIT_COUNT, 1024, 0, 65535, \
      "ranges of all gathers at once; more: BUSY") \
    X(gather_window, FB_UNIT_COUNT, 16, 1, 65535, "fills of one gather at once") \
    X(metas_max, FB_UNIT_COUNT, 16, 0, 1024, "lookups and commits at once; more: BUSY") \
    X(names_max, FB_UNIT_COUNT, 0, 0, 65535, \
      "names that are looked up, committed, removed and finished at once; more: BUSY") \
    X(records, FB_UNIT_COUNT, 0, 0, 2, \
      "forebayd sets it: 1: names have records in a metadata store; 2: unfinished ones are " \
      "finished from here") \
    X(name_list_ns, FB_UNIT_NS, UINT64_C(3000000000), 1000, UINT64_C(600000000000), \
      "pause between looks through the store's list of unfinished names") \
    X(name_tombstone_ns, FB_UNIT_NS, UINT64_C(10000000000), 0, UINT64_C(600000000000), \
      "time after a removal in which an object of before it stays hidden") \
    X(tenants_max, FB_UNIT_COUNT, 8, 0, 1024, "tenants with limits of their own; 0: none") \
    X(pins_max, FB_UNIT_COUNT, 64, 0, 65535, "pinned blocks at once; more: BUSY") \
    X(leaves_first, FB_UNIT_FLAG, 0, 0, 1, \
      "1: of chained blocks (KV) the ends are evicted before what they build on") \
    X(fetches_max, FB_UNIT_COUNT, 0, 0, 65535, \
      "origin fetches of the node at once, more wait their turn; 0: no limit") \
    X(bypass, FB_UNIT_FLAG, 1, 0, 1, \
      "1: a drive that is several times slower than peers and origin is passed by") \
    X(recover, FB_UNIT_FLAG, 1, 0, 1, \
      "1: what is on the drive when the node starts is found again") \
    X(device_keeps_puts, FB_UNIT_FLAG, 0, 0, 1, \
      "1: volatile blocks (KV) that clients put are written behind to the drive, too") \
    X(device_write_bytes_per_s, FB_UNIT_RATE, 0, 0, UINT64_C(1) << 50, \
      "budget of write-behind to the drive, for its endurance; 0: none") \
    X(erasure_data, FB_UNIT_COUNT, 0, 0, FB_FRAGMENTS_MAX, \
      "data fragments of a durable write instead of replicas; 0: replicas") \
    X(erasure_parity, FB_UNIT_COUNT, 2, 0, FB_FRAGMENTS_MAX, \
      "parity fragments: so many nodes may die before the drain") \
    X(mends_max, FB_UNIT_COUNT, 16, 1, 1024, "blocks made from their fragments at once") \
    X(orphan_ns, FB_UNIT_NS, UINT64_C(86400000000000), 1000, UINT64_C(31536000000000000), \
      "fragments of a block that too few are left of are kept for so long: drives may come back") \
    X(check_digest, FB_UNIT_FLAG, 1, 0, 1, \
      "digest blocks from the origin, verify pulled ones; 0: only what clients write, and " \
      "whatever " \
      "is promised and not at the origin")

#endif
