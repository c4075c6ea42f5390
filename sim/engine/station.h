/* A device as a first-come first-served queueing station: NVMe drives, memory copies, NIC work
 * requests, CPU cores, a DPU, origin gateways. Completion times are computed at submission, O(log
 * parallelism), so a device costs the simulation one timer an operation.
 *
 * An operation takes one of `parallelism` slots (the device's queue depth), then the shared pipe
 * for max(size / bandwidth of its kind at that size, 1 / operations_per_s of its kind), then its
 * latency:
 *     start = max(now, earliest free slot, pipe free)
 * pipe free = start + occupancy;  completion = start + occupancy + latency;  slot free =
 * completion Reads and writes share the pipe, so they slow each other in proportion to their
 * sizes. */
#ifndef FB_SIM_ENGINE_STATION_H
#define FB_SIM_ENGINE_STATION_H

#include "models/scenario/engine_choice.h"

#include <stdint.h>

/* What an operation does; each kind has rates and a latency of its own. */
enum fb_station_kind { FB_STATION_READ, FB_STATION_WRITE, FB_STATION_KINDS };

/* What a device can do. */
struct fb_station_config {
    uint64_t latency_ns[FB_STATION_KINDS];       /* of an idle device, without the transfer */
    uint64_t bytes_per_s[FB_STATION_KINDS];      /* 0: no limit */
    uint64_t operations_per_s[FB_STATION_KINDS]; /* 0: no limit */
    uint32_t parallelism;                        /* 1..FB_STATION_PARALLELISM_MAX */
};

struct fb_station;

/* Bytes of a station; the caller provides the memory, 8-aligned. */
uint64_t fb_station_size_bytes(const struct fb_station_config *config);
/* Makes an idle station of it; the config is copied. */
void fb_station_init(struct fb_station *station, const struct fb_station_config *config);

/* Submits an operation at now_ns (never before the last). Returns its completion date. */
uint64_t fb_station_submit(struct fb_station *station, uint64_t now_ns, enum fb_station_kind kind,
                           uint64_t size_bytes);

/* The same operation `count` times at now_ns; the completion date of the last one. O(1) for a pipe
 * of rates without latency. */
uint64_t fb_station_submit_many(struct fb_station *station, uint64_t now_ns,
                                enum fb_station_kind kind, uint64_t size_bytes, uint64_t count);

/* Time the pipe was occupied since init, ns; divide by elapsed time for utilisation. */
uint64_t fb_station_busy_ns(const struct fb_station *station);

/* Forgets what is queued: the device was reset at now_ns. */
void fb_station_reset(struct fb_station *station, uint64_t now_ns);

#endif
